//! Ledgers for tests: one way to handle each of them, one that is kept in memory, and the suite that every ledger has
//! to pass.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, LedgerError, OpenRun, Preview, Recorded, Shown, Unrecorded};
use crate::model::attempt::{AttemptId, Batch, PairKey, WallMs};
use crate::model::class::Class;

mod conformance;
pub(crate) mod facts;
mod memory;

pub(crate) use super::sqlite::tests::backend::SqliteBackend;
pub(crate) use memory::{MemoryBackend, MemoryLedger};

/// A fact as it is stored, read past all rules of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredFact {
    pub(crate) attempt: AttemptId,
    pub(crate) pair: PairKey,
    pub(crate) run: u64,
    pub(crate) settled: Option<(Class, i64)>,
    pub(crate) voided: bool,
}

/// All that is stored of facts and runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) facts: Vec<StoredFact>,
    /// The run that each run took over.
    pub(crate) took_over: BTreeMap<u64, u64>,
    pub(crate) open_runs: BTreeSet<u64>,
}

/// A way to fail, from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trap {
    /// Nothing can be written.
    ReadOnly,
    /// It cannot grow.
    Full,
    /// In memory alone: it refuses all batches after so many.
    RefusesAfter(u32),
    /// In memory alone: the writer ends after so many batches, and takes the ledger along.
    WriterDiesAfter(u32),
    /// In memory alone: there is no writer.
    NoWriter,
    /// In memory alone: answers cannot be read.
    Unreadable,
}

/// A place for one ledger, which processes open one after the other.
pub(crate) trait Backend: Sized {
    type Ledger: Ledger + Shown;
    type Preview: Preview;

    /// A place without a ledger.
    fn new() -> Self;

    /// Opens the ledger as a new process does. The one before must have been dropped, or killed.
    fn open(&mut self, now: WallMs) -> Result<Self::Ledger, LedgerError>;

    fn preview(&self) -> Result<Self::Preview, LedgerError>;

    /// Records facts at once, by the code of the ledger's writer.
    fn record(
        ledger: &mut Self::Ledger,
        run: &OpenRun,
        batch: Batch,
    ) -> Result<Recorded, Box<Unrecorded>>;

    fn stored(ledger: &Self::Ledger) -> Stored;

    /// The length of what was written and a kill may still cut off.
    fn written(ledger: &Self::Ledger) -> u64;

    /// The process is gone, and with it all that was written after `cut`.
    fn kill(&mut self, ledger: Option<Self::Ledger>, cut: Option<u64>);

    /// Has the storage fail, or work again.
    fn set_trap(ledger: &Self::Ledger, trap: Option<Trap>);

    /// Has writes folded into the main file often, where there is one.
    fn fold_often(ledger: &Self::Ledger);

    /// A sabotage: calls whose answers were lost with their process pass for calls that never left.
    fn forget_killed(ledger: &Self::Ledger);

    /// A sabotage: purges as if no run had taken another over.
    fn purge_without_chain(ledger: &mut Self::Ledger, before: WallMs) -> Result<(), LedgerError>;

    /// Everything that is stored, as bytes.
    fn bytes(&self) -> Vec<u8>;

    /// A text of everything that is stored, row by row.
    fn digest(ledger: &Self::Ledger) -> String;
}
