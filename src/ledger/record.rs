//! The record of a run: its starts, what each of them noted of itself, and what it cost.
//!
//! Must hold: a note decides nothing. What an earlier version did not note is `None`.
//!
//! Never: contains a NIK, a name or a secret.

use std::collections::BTreeMap;

use super::nouns::{FoundRun, Identity, RunId, RunRef, StartNotes};
use super::status::DayTotal;
use crate::model::attempt::{AttemptId, PairKey, StartId, WallMs};
use crate::model::class::Class;
use crate::model::money::{Price, Tally};
use crate::model::pause::Pause;
use crate::model::settings::Settings;
use crate::model::texts::Texts;

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
    /// Its notes; `None` if an earlier version made the start.
    pub notes: Option<StartNotes>,
    /// Its summary when it ended, as JSON.
    pub summary: Option<String>,
    /// Its pauses, in their order.
    pub pauses: Vec<Pause>,
}

impl StartRecord {
    /// Returns a number of the summary, by its JSON pointer.
    pub fn summary_number(&self, pointer: &str) -> Option<u64> {
        number_in(self.summary.as_deref()?, pointer)
    }

    /// Returns the settings that the start has noted.
    pub fn settings(&self) -> Option<Settings> {
        Settings::from_json(&self.notes.as_ref()?.settings)
    }

    /// Returns the price that the start has noted.
    pub fn price(&self) -> Option<Price> {
        self.settings()?.price()
    }

    /// Returns a number of the survey, by its JSON pointer.
    pub fn survey_number(&self, pointer: &str) -> Option<u64> {
        number_in(&self.notes.as_ref()?.survey, pointer)
    }
}

fn number_in(json: &str, pointer: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(json).ok()?.pointer(pointer)?.as_u64()
}

/// Sums over the attempts of one start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StartSums {
    /// Costs of the attempts that are settled.
    pub tally: Tally,
    /// Number of attempts that gave a pair an end.
    pub ended_pairs: u64,
    /// Number of attempts that are not settled: calls in flight, or in doubt if the start is dead.
    pub unsettled: u64,
    /// Number of attempts that were purged, as far as the ledger knows: a shared ledger does not.
    pub purged: u64,
}

/// A run that has begun, with all its starts.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// Number of the run.
    pub id: RunId,
    /// Name of the input, fit to be shown.
    pub label: String,
    /// Number of rows in the input.
    pub rows: u64,
    /// State: `open`, `finished` or `superseded`.
    pub state: String,
    /// Time at which the run began.
    pub created_at: WallMs,
    /// Time at which the run ended, if it has.
    pub ended_at: Option<WallMs>,
    /// Start that finished the run, where several starts can be under way at the same time.
    pub finished_by: Option<StartId>,
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
    /// Returns the run as it was left. A run that was superseded was left open.
    pub fn as_left(&self) -> FoundRun {
        FoundRun {
            run: match self.state.as_str() {
                "finished" => RunRef::finished(self.id, self.exit()),
                _ => RunRef::Open(self.id),
            },
            earlier_starts: self.starts.len() as u64,
            created_at: self.created_at,
            answers_since: self.answers_since,
            reask_since: self.reask_since,
        }
    }

    /// Returns the exit code of the start that made the output.
    fn exit(&self) -> Option<u8> {
        self.output_start()?.exit
    }

    /// Returns the start that made the output that is there now: the one that finished the run, or
    /// else the one that ended last.
    pub fn output_start(&self) -> Option<&StartRecord> {
        let finished_by = self.starts.iter().find(|start| Some(start.id) == self.finished_by);
        let ended = self.starts.iter().filter(|start| start.ended_at.is_some());
        finished_by.or_else(|| ended.max_by_key(|start| (start.ended_at, start.id)))
    }

    /// Returns the number of calls of the run that its latest summary tells; `None` if there is none.
    /// The ledger has fewer if answers were purged since.
    pub fn calls_told(&self) -> Option<u64> {
        let told = |start: &StartRecord| start.summary_number("/spending/calls");
        self.starts.iter().filter_map(told).max()
    }

    /// Returns the number of calls whose answers were purged, as far as the ledger knows. `kept` is
    /// the number of calls that it still has.
    pub fn purged(&self, kept: u64, sums: &BTreeMap<StartId, StartSums>) -> u64 {
        let told = self.calls_told().map_or(0, |told| told.saturating_sub(kept));
        told.max(sums.values().map(|of_start| of_start.purged).sum())
    }

    /// Returns the notes of the start that made the output, or else the latest notes.
    pub fn notes(&self) -> Option<&StartNotes> {
        let of_output = self.output_start().and_then(|start| start.notes.as_ref());
        of_output.or_else(|| self.starts.iter().rev().find_map(|start| start.notes.as_ref()))
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
    /// Begin of the minute in which they were answered, or sent if no answer came.
    pub at: WallMs,
    /// Costs of the calls.
    pub tally: Tally,
}

/// Calls of a time. A call without an answer is at the time at which it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallsInTime {
    /// Calls by minute, in no particular order.
    pub minutes: Vec<MinuteOfCalls>,
    /// Calls of all days of which some calls were purged: only these calls, and only their days are
    /// known. Earliest day first.
    pub purged: Vec<DayTotal>,
    /// Calls that are not settled, in no particular order.
    pub open: Vec<OpenCalls>,
}

impl CallsInTime {
    /// Returns the number of calls that are not settled.
    pub fn unsettled(&self) -> u64 {
        self.open.iter().map(|open| open.calls).sum()
    }

    /// Returns all calls by minute. Those that are not settled count as in doubt.
    pub fn all_minutes(&self) -> impl Iterator<Item = MinuteOfCalls> {
        let open = self.open.iter().map(|open| MinuteOfCalls {
            start: open.start,
            run: open.run,
            vendor_minute: None,
            at: open.at,
            tally: Tally::default().with_open(open.calls),
        });
        self.minutes.iter().cloned().chain(open)
    }
}

/// Calls of one start that were sent in the same minute and are not settled: in flight, or in doubt
/// if their start is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCalls {
    /// Start that made the calls.
    pub start: StartId,
    /// Run of the start.
    pub run: RunId,
    /// Begin of the minute in which they were sent.
    pub at: WallMs,
    /// Number of calls.
    pub calls: u64,
}

/// Attempts of a run without a result code that ended in the same class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureCount {
    /// The class.
    pub class: Class,
    /// Number of attempts.
    pub attempts: u64,
    /// Number of different pairs.
    pub pairs: u64,
}

/// Runs whose results are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictsOf {
    /// This run.
    Run(RunId),
    /// All starts that began before the first start of this run.
    Before(RunId),
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
