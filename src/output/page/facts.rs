//! The facts that a page about a run is made of.
//!
//! Must hold: a page is a pure function of these facts. There is no time of now among them.
//!
//! Never: contains a NIK, a name or a secret.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use crate::model::attempt::WallMs;
use crate::model::class::{Class, ResultCode};
use crate::model::finding::Finding;
use crate::model::money::{Price, Tally};
use crate::model::pause::Pause;
use crate::model::settings::Settings;
use crate::model::zone::Zone;

/// Length of a minute.
pub(super) const MINUTE_MS: i64 = 60_000;
/// Most doubts that are listed one by one.
pub const MOST_DOUBTS: usize = 200;
/// Most runs of the trend.
pub const MOST_RUNS: usize = 60;

/// State of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Each row has its end.
    Finished,
    /// The run is under way, or is to be continued.
    Open,
    /// A later run of a changed file has taken it over.
    TakenOver,
}

/// Facts about one run.
#[derive(Debug, Clone)]
pub struct RunFacts {
    /// Number of the run.
    pub run: u64,
    /// Name of the input, fit to be shown.
    pub input: String,
    /// Number of rows of the input.
    pub rows: u64,
    /// State of the run.
    pub state: RunState,
    /// Time at which the run began.
    pub began_at: WallMs,
    /// Time at which the run ended.
    pub ended_at: Option<WallMs>,
    /// Origin of the answers: the vendor's address, or `sandbox`.
    pub origin: String,
    /// Starts of the run, oldest first.
    pub starts: Vec<StartFacts>,
    /// Number in `starts` of the start that made the output.
    pub output_start: Option<usize>,
    /// Calls by minute, and by start.
    pub minutes: Vec<Minute>,
    /// Attempts without a result code, by class.
    pub failures: Vec<Failure>,
    /// Number of calls by the milliseconds that they took, in ascending order of the time.
    pub latencies: Vec<(u32, u64)>,
    /// Number of calls whose answers were purged. They are in no other figure.
    pub purged: u64,
    /// Calls whose charge is not known.
    pub doubts: Doubts,
    /// Finished runs up to this one, oldest first, [`MOST_RUNS`] at most.
    pub trend: Vec<TrendRun>,
    /// Pairs whose result differs from the one that an earlier run got: was, is, number of pairs.
    pub changes: Vec<(ResultCode, ResultCode, u64)>,
    /// Findings of the survey with masked values, if the input is at hand.
    pub findings: Option<Vec<Finding>>,
    /// Zone of the times that are shown.
    pub zone: Zone,
    /// Price of runs that recorded none.
    pub given_price: Option<Price>,
}

/// Facts about one start.
#[derive(Debug, Clone)]
pub struct StartFacts {
    /// Name of the machine, on a shared ledger.
    pub host: Option<String>,
    /// Time at which it began.
    pub began_at: WallMs,
    /// Time at which it ended; `None` if it was killed, or is under way.
    pub ended_at: Option<WallMs>,
    /// Reason for stopping early, if it did.
    pub stop: Option<String>,
    /// Exit code, if it ended.
    pub exit: Option<u8>,
    /// Version of the program, and who ran it, if they were recorded.
    pub by: Option<(String, String)>,
    /// SHA-256 of the input, if it was recorded.
    pub input_sha256: Option<String>,
    /// Settings, if they were recorded.
    pub settings: Option<Settings>,
    /// Its survey, if it was recorded.
    pub survey: Option<RecordedSurvey>,
    /// Its summary, if it was recorded.
    pub summary: Option<RecordedSummary>,
    /// Its pauses.
    pub pauses: Vec<Pause>,
    /// Costs of its calls.
    pub tally: Tally,
    /// Begin of the minute of its latest call.
    pub latest_call: Option<WallMs>,
    /// Begin of the next start, if only one start at a time can be under way.
    pub next_began_at: Option<WallMs>,
}

impl StartFacts {
    /// Returns the time at which the start ended. For one that was killed, or is under way, it is the
    /// time up to which something is known of it.
    pub(super) fn end(&self) -> WallMs {
        let calls = self.latest_call.map(|minute| WallMs(minute.0 + MINUTE_MS));
        let pauses = self.pauses.iter().map(|pause| pause.until.unwrap_or(pause.at));
        let known = pauses.chain(calls).chain([self.began_at]).max().unwrap_or(self.began_at);
        // The minute of a call may end after the next start has begun.
        let known = self.next_began_at.map_or(known, |next| known.min(next));
        self.ended_at.unwrap_or(known)
    }
}

/// Facts about all runs since a time.
#[derive(Debug, Clone)]
pub struct HistoryFacts {
    /// Time since which runs are shown.
    pub since: WallMs,
    /// Origin of the answers: the vendor's address, or `sandbox`.
    pub origin: String,
    /// Runs that began since then, or made calls since then, oldest first.
    pub runs: Vec<PastRun>,
    /// Calls since then, by day and price.
    pub calls: Vec<PricedCalls>,
    /// Calls whose answers were purged, by day.
    pub purged: Vec<(Date, Tally)>,
    /// Calls since then whose charge is not known.
    pub doubts: Doubts,
    /// The finished ones of the runs, oldest first, [`MOST_RUNS`] at most.
    pub trend: Vec<TrendRun>,
    /// Zone of the times that are shown.
    pub zone: Zone,
}

/// A run of the history.
#[derive(Debug, Clone)]
pub struct PastRun {
    /// Number of the run.
    pub run: u64,
    /// Name of the input, fit to be shown.
    pub input: String,
    /// State of the run.
    pub state: RunState,
    /// Number of rows of the input.
    pub rows: u64,
    /// Time at which the run began.
    pub began_at: WallMs,
    /// Time at which it ended.
    pub ended_at: Option<WallMs>,
    /// Number of starts.
    pub starts: u64,
    /// Reason for stopping early of the latest start, if it did.
    pub stop: Option<String>,
    /// Costs of its calls since then.
    pub tally: Tally,
}

/// Calls of a day at one price.
#[derive(Debug, Clone)]
pub struct PricedCalls {
    /// Day on which the vendor bills them, if it is known.
    pub day: Option<Date>,
    /// Time of the latest of them, to the minute.
    pub latest: WallMs,
    /// Their price; `None` if it is not known.
    pub price: Option<Price>,
    /// Costs of the calls.
    pub tally: Tally,
}

/// Calls of one start that were answered, or sent without an answer, in the same minute.
#[derive(Debug, Clone)]
pub struct Minute {
    /// Number of the start in [`RunFacts::starts`].
    pub start: usize,
    /// Begin of the minute.
    pub at: WallMs,
    /// Day on which the vendor bills them, if it is known.
    pub day: Option<Date>,
    /// Costs of the calls.
    pub tally: Tally,
}

/// Attempts without a result code that ended in the same class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// The class.
    pub class: Class,
    /// Number of attempts.
    pub attempts: u64,
    /// Number of different pairs.
    pub pairs: u64,
}

/// Calls whose charge is not known.
#[derive(Debug, Clone, Default)]
pub struct Doubts {
    /// Number of them.
    pub total: u64,
    /// The newest, newest first, [`MOST_DOUBTS`] at most.
    pub newest: Vec<DoubtFacts>,
    /// Calls that are not settled: in flight, or in doubt if their start is dead.
    pub unsettled: u64,
}

/// A call whose charge is not known.
#[derive(Debug, Clone)]
pub struct DoubtFacts {
    /// Number of the run.
    pub run: u64,
    /// Number of the data record in the input, from 1.
    pub record: u64,
    /// Time at which the call was sent.
    pub sent_at: WallMs,
    /// Class of the attempt.
    pub class: Class,
    /// Order number or request id of the vendor, if one is known.
    pub reference: Option<String>,
}

/// A finished run of the trend.
#[derive(Debug, Clone)]
pub struct TrendRun {
    /// Number of the run.
    pub run: u64,
    /// Time at which it began.
    pub began_at: WallMs,
    /// Number of rows of its input.
    pub rows: u64,
    /// Summary of the start that made its output, if it was recorded.
    pub summary: Option<RecordedSummary>,
}

/// A summary as a ledger has it, as far as a page needs it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RecordedSummary {
    /// Rows by outcome; `None` if no output was written.
    pub outcomes: Option<BTreeMap<String, u64>>,
    /// Calls of the start per second.
    pub start_calls_per_second: f64,
    /// Costs of the run.
    pub spending: RecordedSpending,
}

/// Costs of a run in a recorded summary.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RecordedSpending {
    /// Number of calls.
    pub calls: u64,
    /// Number of charged calls.
    pub confirmed: u64,
    /// Number of calls that are surely on the invoice.
    pub owed_at_least: u64,
    /// Highest number of calls that may be on the invoice.
    pub owed_at_most: u64,
    /// Price and amounts, if there was a price.
    pub money: Option<RecordedMoney>,
}

/// Amounts in a recorded summary.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RecordedMoney {
    /// Code of the currency.
    pub currency: String,
    /// Lowest amount owed, in minor units.
    pub at_least: u64,
    /// Highest amount owed, in minor units.
    pub at_most: u64,
}

/// A survey as a ledger has it, as far as a page needs it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RecordedSurvey {
    /// Rows by what was planned for them.
    pub funnel: RecordedFunnel,
    /// Rejected rows by the code of the reason.
    pub rejected_by_reason: BTreeMap<String, u64>,
    /// Findings about the file.
    pub findings: Vec<RecordedFinding>,
}

/// Rows by what was planned for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RecordedFunnel {
    /// Rows that our own checks refused.
    pub rejected: u64,
    /// Rows whose pair is in an earlier row.
    pub duplicates: u64,
    /// Pairs answered in an earlier run.
    pub reused: u64,
    /// Pairs in doubt, which are not sent.
    pub in_doubt: u64,
    /// Pairs that ended in an earlier start.
    pub done: u64,
    /// Pairs to be sent.
    pub to_send: u64,
}

/// A finding without its message and its values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RecordedFinding {
    /// Stable code.
    pub code: String,
    /// Consequence: `stop`, `warn` or `info`.
    pub class: String,
    /// Number of rows that show it.
    pub count: u64,
    /// Number of rows that could show it.
    pub of: u64,
    /// Remedy.
    pub hint: String,
    /// First places.
    pub places: Vec<RecordedPlace>,
}

/// Place of a finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RecordedPlace {
    /// Line of the text, or row of the sheet.
    pub line: u64,
    /// Name of the cell.
    pub cell: String,
}

impl RunFacts {
    /// Returns the start that made the output, or else the latest one.
    pub(super) fn last(&self) -> Option<&StartFacts> {
        self.output_start.and_then(|at| self.starts.get(at)).or(self.starts.last())
    }

    /// Returns the latest survey that was recorded.
    pub(super) fn survey(&self) -> Option<&RecordedSurvey> {
        self.starts.iter().rev().find_map(|start| start.survey.as_ref())
    }

    /// Returns the rows by outcome, as the output shows them; `None` if no output was recorded.
    pub(super) fn outcomes(&self) -> Option<&BTreeMap<String, u64>> {
        self.last()?.summary.as_ref()?.outcomes.as_ref()
    }

    /// Returns the costs of the run that its latest summary has recorded.
    pub(super) fn recorded_costs(&self) -> Option<&RecordedSpending> {
        let summaries = self.starts.iter().filter_map(|start| start.summary.as_ref());
        // Of several workers, not the last one to begin may have written the last summary.
        summaries.map(|summary| &summary.spending).max_by_key(|spending| spending.calls)
    }

    /// Returns the costs of all calls.
    pub(super) fn tally(&self) -> Tally {
        self.starts.iter().fold(Tally::default(), |sum, start| sum + start.tally)
    }

    /// Returns the number of the start whose output is shown, unless it is the latest one.
    pub(super) fn older_output(&self) -> Option<usize> {
        self.output_start.filter(|at| at + 1 < self.starts.len()).map(|at| at + 1)
    }

    /// Returns the price of the calls of one start.
    pub(super) fn price_of(&self, start: usize) -> Option<Price> {
        let settings = self.starts.get(start).and_then(|start| start.settings.as_ref());
        settings.and_then(Settings::price).or_else(|| self.given_price.clone())
    }

    /// Returns the price of the latest start that has one.
    pub(super) fn price(&self) -> Option<Price> {
        (0..self.starts.len()).rev().find_map(|start| self.price_of(start))
    }

    /// Returns the time of the latest fact.
    pub(super) fn latest(&self) -> WallMs {
        let of_start = |start: &StartFacts| start.ended_at.unwrap_or(start.began_at);
        let starts = self.starts.iter().map(of_start);
        let minutes = self.minutes.iter().map(|minute| minute.at);
        let doubts = self.doubts.newest.iter().map(|doubt| doubt.sent_at);
        let calls = minutes.chain(doubts);
        starts.chain(calls).chain(self.ended_at).max().unwrap_or(self.began_at)
    }
}
