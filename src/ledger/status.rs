//! The things that a ledger shows of itself: its runs, what is in doubt, charges by day.
//!
//! Days are those of an offset that the caller gives: the invoice is the vendor's, and so is its midnight.

use super::RunId;
use crate::model::attempt::WallMs;
use crate::model::class::Class;
use crate::model::money::Tally;

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The origin that the ledger belongs to.
    pub origin: String,
    /// The runs, oldest first.
    pub runs: Vec<RunLine>,
    /// The latest rows in doubt, newest first.
    pub doubts: Vec<Doubt>,
    /// How many attempts are in doubt in all.
    pub doubts_total: u64,
    /// Attempts without a settlement: in flight, where a run is under way.
    pub unsettled: u64,
    /// What was paid on which day (days since 1970-01-01), purged days too.
    pub days: Vec<DayTotal>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLine {
    /// Its number.
    pub id: RunId,
    /// What it was called when it began.
    pub label: String,
    /// Rows of its input.
    pub rows: u64,
    /// `open`, `finished` or `superseded`.
    pub state: String,
    /// When it first started.
    pub created_at: WallMs,
    /// When it ended, if it has.
    pub ended_at: Option<WallMs>,
    /// How many starts it had.
    pub starts: u64,
    /// Why its latest start stopped, if it did.
    pub last_stop: Option<String>,
    /// The exit code of its latest start.
    pub last_exit: Option<u8>,
    /// What it cost.
    pub tally: Tally,
}

/// One attempt in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The run that sent it.
    pub run: RunId,
    /// The data record of its row.
    pub record: u64,
    /// When it was sent.
    pub at: WallMs,
    /// How its answer was lost.
    pub class: Class,
}

/// One day's tally.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayTotal {
    /// Days since 1970-01-01.
    pub day: i64,
    /// What was sent, and what it cost.
    pub tally: Tally,
}
