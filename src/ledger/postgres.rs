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
mod codes;
mod create;
mod error;
mod facts;
mod hearsay;
mod import;
mod ledger;
mod living;
mod location;
mod meta;
mod outage;
mod patience;
mod preview;
mod purge;
mod reap;
mod record;
mod room;
mod runs;
mod session;
mod slots;
mod statements;
mod status;
#[cfg(test)]
pub(super) mod tests;
mod url;
mod worker;

pub use create::Created;
pub(crate) use create::{create, script};
pub(super) use ledger::{PgJournal, PgLedger};
pub use location::SharedLocation;
pub(super) use preview::PgPreview;
pub use url::LedgerUrl;
