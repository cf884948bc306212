//! The ledger: a durable record of every call that was about to be sent, and of its outcome. Only
//! the ledger decides which pairs have been paid for.
//!
//! Must hold: a fact that was acknowledged survives a power cut. Facts are only ever added, and
//! only [`Ledger::purge`] removes any. [`open`] and [`preview`] refuse a ledger that belongs to
//! another origin or key, or has an unknown version. No fact contains a NIK, a name or a secret.
//!
//! Never: names a storage in a trait. Only [`open`], [`preview`] and [`open_to_show`] choose one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use any::{AnyLedger, AnyPreview};
use postgres::{PgLedger, PgPreview};
use sqlite::{SqliteLedger, SqlitePreview};

use crate::model::attempt::WallMs;

mod any;
mod checked_line;
mod codes;
mod error;
mod holder;
mod key;
mod location;
mod nouns;
pub(crate) mod observed;
mod postgres;
mod private_files;
mod record;
pub(crate) mod recording;
mod remembered;
mod sqlite;
mod status;
#[cfg(test)]
pub(crate) mod testing;
mod traits;
mod transfer;
mod workers;

pub use error::{LedgerError, LedgerName};
pub use holder::Holder;
pub use location::{FileLocation, Location, SharedLocation};
pub use nouns::{
    AttemptDetail, EarlierFact, FoundRun, Identity, OpenRun, OwnAttempt, Purgeable, Purged,
    Recorded, RunId, RunRef, Standing, StartEnd, StartNotes, StartRequest, StartRole,
    SupersededRun, Unrecorded,
};
pub(crate) use nouns::{DAY_MS, HISTORY};
pub use postgres::{Created, LedgerUrl};
pub use record::{
    CallsInTime, FailureCount, MinuteOfCalls, OpenCalls, PossibleCharge, RunQuery, RunRecord,
    StartRecord, StartSums, VerdictsOf,
};
pub use status::{DayTotal, Doubt, ProgressNote, RunLine, Status, UnderWay, WorkerLine};
pub use traits::{Facts, Journal, Ledger, Preview, ShowLedger};
pub use transfer::Moved;
pub(crate) use workers::BEATS_IN_A_LEASE;
pub use workers::{
    Beat, Delivered, Member, News, Others, Slots, SlotsWish, SourceChange, SourceNews, VerdictCount,
};

/// Opens a ledger for writing, and creates it if it does not exist. Attempts that a dead process
/// left without a settlement are settled as in doubt. `now` is called after the lock is taken, and
/// returns the time of these settlements.
///
/// # Errors
/// - [`LedgerError::Locked`] if another process holds the ledger for longer than `lock_wait`.
/// - [`LedgerError::Origin`] or [`LedgerError::Key`] if the ledger belongs to another origin or
///   key, or its key is missing.
/// - [`LedgerError::Version`] if the file is no ledger, or its version or cleaning rules are
///   unknown.
/// - [`LedgerError::Lost`] if the ledger contains fewer facts than its witness recorded.
/// - [`LedgerError::File`] or [`LedgerError::Storage`] if a file cannot be used, or the contents
///   are damaged.
pub fn open<F: Fn() -> WallMs + Send + Sync + 'static>(
    location: &Location,
    lock_wait: Duration,
    now: F,
) -> Result<impl Ledger + use<F>, LedgerError> {
    Ok(match location {
        Location::File(file) => {
            AnyLedger::File(Box::new(SqliteLedger::open(file, lock_wait, now)?))
        }
        Location::Shared(shared) => {
            AnyLedger::Shared(Box::new(PgLedger::open(shared, lock_wait, now)?.keep_server_time()?))
        }
    })
}

/// Reads a ledger as the next start would find it, without taking the lock. Writes nothing. A
/// ledger that does not exist yet is no error: [`Preview::read`] then returns `None`.
///
/// # Errors
/// Returns the errors of [`open`], except for [`LedgerError::Locked`].
pub fn preview(location: &Location) -> Result<impl Preview + use<>, LedgerError> {
    Ok(match location {
        Location::File(file) => AnyPreview::File(SqlitePreview::of(file)?),
        Location::Shared(shared) => AnyPreview::Shared(PgPreview::of(shared)?),
    })
}

/// Opens a ledger to show its contents. Takes no lock, needs no key, and opens a damaged ledger
/// too, as far as it can be read.
///
/// # Errors
/// - [`LedgerError::Missing`] if there is no ledger.
/// - [`LedgerError::Lost`] if there is none, or an empty file, but the witness recorded facts.
/// - [`LedgerError::Version`] if the file is no ledger, or its version is unknown.
/// - [`LedgerError::Storage`] if the file cannot be opened or read.
pub fn open_to_show(location: &Location) -> Result<impl ShowLedger + Facts + use<>, LedgerError> {
    Ok(match location {
        Location::File(file) => {
            AnyLedger::File(Box::new(SqliteLedger::open_to_show(&file.ledger)?))
        }
        Location::Shared(shared) => AnyLedger::Shared(Box::new(PgLedger::open_to_show(shared)?)),
    })
}

/// Copies a ledger in a file to `to`, with its key and its witness beside it (`.key`, `.witness`).
/// A run may be under way: the copy is the ledger of one moment.
///
/// # Errors
/// - Those of [`preview`], if the ledger cannot be read or has lost facts.
/// - [`LedgerError::Missing`] if there is no ledger.
/// - [`LedgerError::File`] if a file is there already, or the copy cannot be written.
pub fn back_up(location: &FileLocation, to: &Path) -> Result<(), LedgerError> {
    sqlite::back_up(location, to)
}

/// Creates a shared ledger, and its key file if there is none.
///
/// # Errors
/// - [`LedgerError::Origin`], [`LedgerError::Key`] or [`LedgerError::Version`] if another ledger is
///   there.
/// - [`LedgerError::Refused`] or [`LedgerError::Unreachable`] if the server cannot be used.
pub fn create(location: &SharedLocation) -> Result<Created, LedgerError> {
    postgres::create(location)
}

/// Returns the statements with which [`create`] creates a shared ledger, for a person who may
/// create tables. Creates the key file if there is none.
///
/// # Errors
/// [`LedgerError::Key`] or [`LedgerError::File`] if the key file cannot be used.
pub fn create_script(location: &SharedLocation) -> Result<String, LedgerError> {
    postgres::script(location)
}

/// Takes the ledger in a file over into a shared ledger that has no starts yet. The key of the
/// shared ledger must be that of the file.
///
/// # Errors
/// - Those of [`open`] for the file, which is opened under the key of the shared ledger.
/// - [`LedgerError::Refused`] if the shared ledger has starts, or the server cannot be used.
pub fn import(
    file: PathBuf,
    shared: &SharedLocation,
    lock_wait: Duration,
    now: impl Fn() -> WallMs + Copy + Send + Sync + 'static,
) -> Result<Moved, LedgerError> {
    let (key, origin) = (shared.key.clone(), shared.origin.clone());
    let from = FileLocation { ledger: file, key, origin };
    if !from.ledger.exists() {
        return Err(LedgerError::Missing(LedgerName::of_file(&from.ledger)));
    }
    let file = SqliteLedger::open(&from, lock_wait, now)?;
    PgLedger::open(shared, lock_wait, now)?.import(&file)
}
