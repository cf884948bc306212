//! The contents of a ledger as they are shown: runs, doubts and charges by day.
//!
//! Days begin at midnight at a UTC offset that the caller passes: the ledger does not know which
//! midnight the vendor's invoice uses.

use super::nouns::RunId;
use crate::model::attempt::WallMs;
use crate::model::class::Class;
use crate::model::money::Tally;

/// Everything that a ledger shows of its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Origin that the ledger belongs to.
    pub origin: String,
    /// The runs, oldest first.
    pub runs: Vec<RunLine>,
    /// The latest attempts in doubt, latest first.
    pub doubts: Vec<Doubt>,
    /// Number of all attempts in doubt.
    pub doubts_total: u64,
    /// Number of attempts without a settlement. They are in flight if a run is under way.
    pub unsettled: u64,
    /// Workers of a shared ledger that have not ended and were not declared dead, oldest first.
    pub workers: Vec<WorkerLine>,
    /// Calls and charges of each day, purged ones included; earliest day first.
    pub days: Vec<DayTotal>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLine {
    /// Number of the run.
    pub id: RunId,
    /// Name of the input when the run began.
    pub label: String,
    /// Number of rows in the input.
    pub rows: u64,
    /// `open`, `finished` or `superseded`.
    pub state: String,
    /// Time of the first start.
    pub created_at: WallMs,
    /// Time at which the run finished or was superseded, if it was.
    pub ended_at: Option<WallMs>,
    /// Number of starts.
    pub starts: u64,
    /// Reason for which the latest start stopped early, if it did.
    pub last_stop: Option<String>,
    /// Exit code of the latest start, if that start has ended.
    pub last_exit: Option<u8>,
    /// Costs of the run. Attempts without a settlement are not counted.
    pub tally: Tally,
}

/// One worker of a shared ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerLine {
    /// Number of the run that the worker works on.
    pub run: RunId,
    /// Name of its machine.
    pub host: String,
    /// Time of its start.
    pub since: WallMs,
    /// True if it has given a sign of life within its lease.
    pub lives: bool,
    /// Number of pairs that it has still to send in its round.
    pub left: u64,
}

/// One attempt in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Number of the run that sent the call.
    pub run: RunId,
    /// Number of the data record in the input, from 1.
    pub record: u64,
    /// Time of the intent, just before the call was sent.
    pub at: WallMs,
    /// Class of the attempt, which says why the answer was lost.
    pub class: Class,
}

/// Calls and charges of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayTotal {
    /// Days since 1970-01-01.
    pub day: i64,
    /// Number of calls and their charges.
    pub tally: Tally,
}
