//! A ledger in an SQLite file. `ledger` opens it; the other files implement the traits of a ledger
//! for it, one trait or one concern each.

mod backup;
mod charges;
mod connect;
mod copy;
mod error;
mod export;
mod facts;
mod files;
mod journal;
mod ledger;
mod location;
mod lock;
mod note;
mod pauses;
mod preview;
mod purge;
mod run_calls;
mod run_record;
mod runs;
mod schema;
mod start;
mod starts;
mod status;
mod sums;
#[cfg(test)]
pub(super) mod tests;
mod upgrade;
mod witness;
mod witnessed;

pub(super) use backup::back_up;
pub(super) use journal::SqliteJournal;
pub(super) use ledger::SqliteLedger;
pub use location::FileLocation;
pub(super) use preview::SqlitePreview;
