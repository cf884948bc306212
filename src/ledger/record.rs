//! The record of a run: its starts, what each of them noted of itself, and what it cost.
//!
//! Must hold: a note decides nothing. What an earlier version did not note is `None`.
//!
//! Never: contains a NIK, a name or a secret.

use super::nouns::{FoundRun, Identity, RunId, RunRef};
use super::status::{DayTotal, RunLine};
use crate::model::attempt::{AttemptId, PairKey, StartId, WallMs};
use crate::model::class::Class;
use crate::model::money::Tally;
use crate::model::pause::Pause;
use crate::model::texts::Texts;

/// What a start notes of itself when it begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StartNotes {
    /// Settings that were in effect, as JSON.
    pub settings: String,
    /// Result of the survey, with its findings, as JSON.
    pub survey: String,
    /// Version of the program.
    pub version: String,
    /// Person or account that ran the program.
    pub operator: String,
    /// SHA-256 of the input's bytes as they are in the file, in hexadecimal.
    pub input_sha256: String,
}

/// One start of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct StartRecord {
    /// Number of the start in the ledger.
    pub id: StartId,
    /// Name of its machine; `None` for a ledger in a file.
    pub host: Option<String>,
    /// Time at which it began.
    pub began_at: WallMs,
    /// Time at which it ended; `None` if it was killed, or is under way.
    pub ended_at: Option<WallMs>,
    /// Reason for stopping early, if it did.
    pub stop: Option<String>,
    /// Exit code, if it ended.
    pub exit: Option<u8>,
    /// What it noted when it began.
    pub notes: Option<StartNotes>,
    /// Summary that it wrote when it ended, as JSON.
    pub summary: Option<String>,
    /// Costs of its calls. Calls without a settlement are not counted.
    pub tally: Tally,
    /// Number of its attempts that gave a pair an end.
    pub ended_pairs: u64,
    /// Its pauses, in their order.
    pub pauses: Vec<Pause>,
}

/// A run that has begun, with all its starts.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// The run as [`super::Status`] lists it.
    pub line: RunLine,
    /// Identity of the run.
    pub identity: Identity,
    /// Time from which answers were young enough to be reused.
    pub answers_since: WallMs,
    /// Time from which "not sure" and "failed" answers were young enough not to be asked for again.
    pub reask_since: WallMs,
    /// Its starts, oldest first.
    pub starts: Vec<StartRecord>,
}

impl RunRecord {
    /// Returns the record with these starts, and everything that follows from them.
    pub(super) fn with_starts(mut self, starts: Vec<StartRecord>) -> Self {
        self.line.starts = starts.len() as u64;
        if let Some(last) = starts.last() {
            (self.line.last_stop, self.line.last_exit) = (last.stop.clone(), last.exit);
        }
        self.line.tally = starts.iter().fold(Tally::default(), |sum, start| sum + start.tally);
        Self { starts, ..self }
    }

    /// Returns the run as it was left. A run that was superseded was left open.
    pub fn as_left(&self) -> FoundRun {
        let RunLine { id, state, created_at, starts, last_exit, .. } = &self.line;
        FoundRun {
            run: match state.as_str() {
                "finished" => RunRef::finished(*id, *last_exit),
                _ => RunRef::Open(*id),
            },
            earlier_starts: *starts,
            created_at: *created_at,
            answers_since: self.answers_since,
            reask_since: self.reask_since,
        }
    }

    /// Returns the latest start that has ended, which wrote the output that is there now.
    pub fn last_ended(&self) -> Option<&StartRecord> {
        self.starts.iter().rfind(|start| start.ended_at.is_some())
    }

    /// Returns what the latest start noted, of those that noted anything.
    pub fn last_notes(&self) -> Option<&StartNotes> {
        self.starts.iter().rev().find_map(|start| start.notes.as_ref())
    }
}

/// The run that is wanted.
#[derive(Debug, Clone, Copy)]
pub enum RunQuery<'a> {
    /// The run with this number.
    Number(RunId),
    /// The latest run of a file with this SHA-256 (see [`StartNotes::input_sha256`]).
    Input(&'a str),
    /// The latest run of this identity, whatever its name is.
    Identity(&'a Identity),
}

impl RunQuery<'_> {
    /// Returns the begin of the columns of all named runs of the identity; empty if another
    /// property is wanted.
    pub(super) fn named(&self) -> String {
        match self {
            Self::Identity(identity) => identity.with_any_name(),
            Self::Number(_) | Self::Input(_) => String::new(),
        }
    }
}

/// Calls of one start that were answered in the same minute, by both clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinuteOfCalls {
    /// Start that made the calls.
    pub start: StartId,
    /// Run of the start.
    pub run: RunId,
    /// The vendor's own time of the calls up to the minute, as it was written, if there is one.
    pub vendor_minute: Option<String>,
    /// Begin of the minute in which they were answered or given up.
    pub at: WallMs,
    /// Costs of the calls.
    pub tally: Tally,
}

/// Calls of a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallsInTime {
    /// Calls by minute, in no particular order.
    pub minutes: Vec<MinuteOfCalls>,
    /// Calls of all days of which some calls were purged: only these calls, and only their days are
    /// known. Earliest day first.
    pub purged: Vec<DayTotal>,
}

/// An attempt whose charge is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PossibleCharge {
    /// Number of the attempt.
    pub attempt: AttemptId,
    /// Number of the run.
    pub run: RunId,
    /// Number of the data record in the input, from 1.
    pub record: u64,
    /// Pair that the call asked about.
    pub pair: PairKey,
    /// Time of the intent, just before the call was sent.
    pub sent_at: WallMs,
    /// Class of the attempt.
    pub class: Class,
    /// HTTP status code, if a response came.
    pub http: Option<u16>,
    /// The vendor's texts, with placeholders for NIK and name.
    pub texts: Texts,
}
