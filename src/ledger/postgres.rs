//! A ledger on a PostgreSQL server, which several machines can use.
//!
//! A thread owns the session on the server and carries out the tasks of the ledger one after the
//! other. Each pair has one row, with the version that an intent must name to be granted.
//!
//! Never: sends a NIK, a name or the key of the ledger to the server.

mod access;
mod backend;
mod batch;
mod beats;
mod charges;
mod codes;
mod create;
mod ends;
mod error;
mod facts;
mod hearsay;
mod import;
mod journal;
mod kept;
mod late;
mod ledger;
mod living;
mod local_files;
mod location;
mod meta;
mod outage;
mod own_start;
mod patience;
mod preview;
mod purge;
mod reap;
mod record;
mod restore;
mod room;
mod run_calls;
mod run_record;
mod runs;
mod session;
mod show;
mod slots;
mod statements;
mod status;
mod take_over;
#[cfg(test)]
pub(super) mod tests;
mod url;
mod witness;
mod witnessed;
mod worker;

pub use create::Created;
pub(crate) use create::{create, script};
pub(super) use ledger::PgJournal;
pub(super) use ledger::PgLedger;
pub use location::SharedLocation;
pub(super) use preview::PgPreview;
pub use url::LedgerUrl;
