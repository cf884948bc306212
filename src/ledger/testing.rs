//! Ledgers for tests: a common interface to each kind of ledger, a ledger in memory, and the suite
//! that every ledger has to pass.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, LedgerError, OpenRun, Preview, Recorded, ShowLedger, Unrecorded};
use crate::model::attempt::{AttemptId, Batch, PairKey, WallMs};
use crate::model::class::Class;

mod conformance;
pub(crate) mod facts;
mod memory;
pub(crate) mod shared;

pub(crate) use memory::{MemoryBackend, MemoryLedger};

pub(crate) use super::postgres::tests::backend::PgBackend;
pub(crate) use super::sqlite::tests::backend::SqliteBackend;

/// A fact as it is stored, read without the code of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredFact {
    pub(crate) attempt: AttemptId,
    pub(crate) pair: PairKey,
    pub(crate) run: u64,
    pub(crate) settled: Option<(Class, i64)>,
    pub(crate) voided: bool,
}

/// All facts and runs that are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) facts: Vec<StoredFact>,
    /// The run that each run took over, by number.
    pub(crate) took_over: BTreeMap<u64, u64>,
    pub(crate) open_runs: BTreeSet<u64>,
}

/// A failure that occurs from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trap {
    /// Nothing can be written.
    ReadOnly,
    /// The storage cannot grow.
    Full,
    /// After this many batches, all batches are refused. In memory only.
    RefusesAfter(u32),
    /// The writer ends after this many batches, and the ledger is lost with it. In memory only.
    WriterDiesAfter(u32),
    /// The writer cannot be started. In memory only.
    NoWriter,
    /// Details cannot be read. In memory only.
    Unreadable,
}

/// A place for one ledger, which one process after the other opens.
pub(crate) trait Backend: Sized {
    type Ledger: Ledger + ShowLedger;
    type Preview: Preview;

    /// Checks whether this machine has what the ledger needs.
    fn is_available() -> bool {
        true
    }

    /// Creates a place without facts.
    fn new() -> Self;

    /// Opens the ledger like a new process. The ledger of the process before must have been dropped
    /// or killed.
    fn open(&mut self, now: WallMs) -> Result<Self::Ledger, LedgerError>;

    /// Opens a preview of the ledger.
    fn preview(&self) -> Result<Self::Preview, LedgerError>;

    /// Records facts directly, with the same code as the ledger's writer.
    fn record(
        ledger: &mut Self::Ledger,
        run: &OpenRun,
        batch: Batch,
    ) -> Result<Recorded, Box<Unrecorded>>;

    /// Returns all facts and runs, read without the code of the ledger.
    fn stored(ledger: &Self::Ledger) -> Stored;

    /// Returns the number of bytes that were written and that a kill can still cut off.
    fn written(ledger: &Self::Ledger) -> u64;

    /// Kills the process. Everything that was written after the first `cut` bytes is lost.
    fn kill(&mut self, ledger: Option<Self::Ledger>, cut: Option<u64>);

    /// Sets how the storage fails from now on; with `None`, the storage works again.
    fn set_trap(ledger: &Self::Ledger, trap: Option<Trap>);

    /// Makes the ledger checkpoint its WAL often, if the ledger has one.
    fn fold_often(ledger: &Self::Ledger);

    /// Sabotages the ledger: calls in doubt because their process was killed are recorded as not
    /// sent.
    fn forget_killed(ledger: &Self::Ledger);

    /// Sabotages a purge: it ignores that runs have taken over other runs.
    fn purge_without_chain(ledger: &mut Self::Ledger, before: WallMs) -> Result<(), LedgerError>;

    /// Returns everything that is stored, as bytes.
    fn bytes(&self) -> Vec<u8>;

    /// Returns a text of everything that is stored, row by row.
    fn digest(ledger: &Self::Ledger) -> String;
}
