//! The report of a run: everything that is known when a start of it ends.
//!
//! Must hold: the summary (JSON), the last words and the first sheet of a workbook are made of
//! this report alone, so that they never disagree. `summary` has its shape as JSON.
//!
//! Never: computes a figure of its own.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::fs::AtomicFile;
use crate::model::attempt::WallMs;
use crate::model::exit_code::ExitCode;
use crate::model::funnel::Funnel;
use crate::model::latency::Latency;
use crate::model::outcome::OutcomeCounts;
use crate::model::row::RejectionCounts;
use crate::model::settings::Settings;
use crate::model::spending::Spending;
use crate::model::stop::StopReason;
use crate::model::tax::Tax;
use crate::model::zone::Zone;
use crate::rules::rate::Learned;

/// Report of a run when a start of it ends. As JSON it is the summary.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// Person or account that ran the program.
    pub operator: String,
    /// Name of the ledger, fit to be shown.
    pub ledger: String,
    /// Origin of the answers: the vendor's address, or the sandbox.
    pub origin: String,
    /// Number of the run in the ledger.
    pub run: u64,
    /// Number of starts of the run so far.
    pub starts: u64,
    /// Number of this start among those of the run, from 1.
    pub start: u64,
    /// Reason why this start stopped before the end of the run; `None` if the run is finished.
    pub stop: Option<StopReason>,
    /// True if this start finishes the run, or an earlier start has finished it.
    pub finishes_run: bool,
    /// Exit code of the command.
    pub exit: ExitCode,
    /// Output of this start; `None` if none was put in its place.
    pub output: Option<OutputFile>,
    /// Sums over the rows of the output; `None` if no output was written.
    pub written: Option<RowTotals>,
    /// Number of rows of the input.
    pub rows: u64,
    /// Rejected rows by reason.
    pub rejected: RejectionCounts,
    /// Rows with a warning, by the code of the warning.
    pub warnings: BTreeMap<&'static str, u64>,
    /// Number of rows whose name was cleaned before it was sent.
    pub names_cleaned: u64,
    /// True if 95 % or more of the run's first 200 verdicts are `failed`.
    pub mostly_failed: bool,
    /// Rows by what was planned for them when this start began.
    pub funnel: Funnel,
    /// Costs of the run, over all its starts.
    pub spending: Spending,
    /// Number of calls of the run whose answers were purged since. Their costs are in no other figure.
    pub purged: u64,
    /// Number of pairs whose answers were purged since, those of earlier runs too.
    pub removed: u64,
    /// Number of calls of this start.
    pub calls: u64,
    /// Number of calls of this start that were not the first of their pair.
    pub retries: u64,
    /// Number of times that the rate of this start was too high for the vendor.
    pub rate_limit_waits: u64,
    /// Limits of the vendor that this start has learned.
    pub vendor_allows: Learned,
    /// Duration of this start in seconds, with all waits.
    pub seconds: f64,
    /// Calls per second while calls were made.
    pub calls_per_second: f64,
    /// Percentiles of the time that calls took to be answered; `None` if no call was answered.
    pub latency: Option<Latency>,
    /// Cause of the last call that could not be sent.
    pub last_failure: Option<String>,
    /// Name of the input, fit to be shown.
    pub input: String,
    /// SHA-256 of the input's bytes, in hexadecimal.
    pub input_sha256: String,
    /// Time at which the run began.
    pub begun: WallMs,
    /// Time at which this start began.
    pub start_began_at: WallMs,
    /// Time at which this start ended, as the ledger has it.
    pub ended_at: WallMs,
    /// Settings of this start.
    pub settings: Settings,
    /// Zone in which times are shown.
    pub zone: Zone,
    /// Tax on top of the price.
    pub tax: Option<Tax>,
}

/// An output that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputFile {
    /// Path of the file, fit to be shown; `None` for standard output.
    pub path: Option<String>,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// Sums over the rows of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowTotals {
    /// Rows by outcome.
    pub outcomes: OutcomeCounts,
    /// True if answers of the sandbox are among the rows.
    pub from_sandbox: bool,
    /// Number of rows that repeat the pair of a row above.
    pub duplicates: u64,
    /// Number of rows that an earlier run answered.
    pub known: u64,
    /// Number of rows that were written; fewer than all if only some outcomes are wanted.
    pub shown: u64,
}

impl RunReport {
    /// Returns the name of the reason why this start stopped, or `finished`.
    pub fn ended(&self) -> &'static str {
        self.stop.map_or("finished", StopReason::name)
    }

    /// Returns the time at which the run finished; `None` if it is to be continued.
    pub fn run_ended_at(&self) -> Option<WallMs> {
        let is_done = matches!(self.exit, ExitCode::Complete | ExitCode::SomeWithoutVerdict);
        (self.finishes_run && is_done).then_some(self.ended_at)
    }

    /// Returns the path of the output, fit to be shown, if it is in a file.
    pub fn output_path(&self) -> Option<&str> {
        self.output.as_ref()?.path.as_deref()
    }

    /// Returns `true` if answers of the sandbox are among the rows of the output.
    pub fn is_from_sandbox(&self) -> bool {
        self.written.is_some_and(|written| written.from_sandbox)
    }

    /// Writes the summary, the report as JSON, in one step: the file is replaced whole or not at
    /// all.
    ///
    /// # Errors
    /// The error of the system, if the file cannot be written or put in its place.
    pub fn write_summary(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let mut file = AtomicFile::beside(path)?;
        file.write_all(&text)?;
        file.put(path)
    }
}

/// Returns the rejected rows by the code of the reason, in the order of the codes.
pub(super) fn by_code(rejected: &RejectionCounts) -> BTreeMap<&'static str, u64> {
    rejected.iter().map(|(reason, rows)| (reason.code(), rows)).collect()
}

#[cfg(test)]
impl RunReport {
    /// Creates the report of a finished run of no rows, for tests to change.
    pub(crate) fn blank() -> Self {
        Self {
            operator: "night".to_owned(),
            ledger: "my.ledger".to_owned(),
            origin: "https://vendor.example.com:443".to_owned(),
            run: 1,
            starts: 1,
            start: 1,
            stop: None,
            finishes_run: true,
            exit: ExitCode::Internal,
            output: None,
            written: None,
            rows: 0,
            rejected: RejectionCounts::default(),
            warnings: BTreeMap::new(),
            names_cleaned: 0,
            mostly_failed: false,
            funnel: Funnel::default(),
            spending: Spending { tally: Default::default(), price: None },
            purged: 0,
            removed: 0,
            calls: 0,
            retries: 0,
            rate_limit_waits: 0,
            vendor_allows: Learned::default(),
            seconds: 0.0,
            calls_per_second: 0.0,
            latency: None,
            last_failure: None,
            input: "nasabah.xlsx".to_owned(),
            input_sha256: String::new(),
            begun: WallMs(0),
            start_began_at: WallMs(0),
            ended_at: WallMs(0),
            settings: Settings::default(),
            zone: Zone::utc(),
            tax: None,
        }
    }
}
