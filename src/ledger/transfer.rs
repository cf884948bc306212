//! The nouns of a move: everything that a ledger in a file holds, as it goes into a shared ledger.

use super::nouns::StartNotes;
use crate::model::attempt::{PairKey, Settlement, StartId, WallMs};
use crate::model::pause::Pause;

/// A run with its start-independent facts.
pub(super) struct MovedRun {
    pub(super) id: u64,
    pub(super) fingerprint: Vec<u8>,
    pub(super) columns: String,
    pub(super) path: Vec<u8>,
    pub(super) label: String,
    pub(super) account: Vec<u8>,
    pub(super) rows: u64,
    pub(super) created_at: WallMs,
    pub(super) answers_since: WallMs,
    pub(super) reask_since: WallMs,
    pub(super) superseded: Option<u64>,
    pub(super) state: String,
    pub(super) ended_at: Option<WallMs>,
    pub(super) exit: Option<u8>,
}

/// A start.
pub(super) struct MovedStart {
    pub(super) id: StartId,
    pub(super) run: u64,
    pub(super) started_at: WallMs,
    pub(super) ended_at: Option<WallMs>,
    pub(super) stop: Option<String>,
    pub(super) exit: Option<u8>,
    pub(super) notes: Option<StartNotes>,
    pub(super) summary: Option<String>,
    pub(super) pauses: Vec<Pause>,
}

/// A settled attempt, under the number that it gets in the shared ledger.
pub(super) struct MovedAttempt {
    pub(super) pair: PairKey,
    pub(super) record: u64,
    pub(super) at: WallMs,
    pub(super) settlement: Settlement,
    pub(super) voided: bool,
}

/// Calls of a day that were purged.
pub(super) struct MovedDay {
    pub(super) day: i64,
    pub(super) class: u8,
    pub(super) attempts: u64,
}

/// Numbers of what was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Number of runs.
    pub runs: u64,
    /// Number of attempts.
    pub attempts: u64,
}
