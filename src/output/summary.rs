//! The summary: the report of a run as JSON, which stands beside the output and in the ledger.
//!
//! Must hold: a name means one thing wherever it occurs. Names that begin with `start_` are about
//! this start, and all others are about the run, over all its starts. The shape is versioned, and
//! documented in docs/summary.md.
//!
//! Never: contains a NIK, a name or a secret.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::limits::Limits;
use super::report::{OutputFile, RunReport, by_code};
use crate::model::exit_code::ExitCode;
use crate::model::funnel::Funnel;
use crate::model::latency::Latency;
use crate::model::outcome::OutcomeCounts;
use crate::model::settings::Settings;
use crate::model::spending::Spending;

/// Version of the shape. Fields are only added within a version.
pub(super) const VERSION: u32 = 2;

/// Shape of the summary.
#[derive(Serialize)]
struct Summary<'a> {
    version: u32,
    program_version: &'a str,
    operator: &'a str,
    ledger: &'a str,
    origin: &'a str,
    run: u64,
    run_began_at: String,
    run_ended_at: Option<String>,
    starts: u64,
    start: u64,
    start_began_at: String,
    start_ended_at: String,
    ended: &'static str,
    exit: ExitCode,
    input: InputFile<'a>,
    output: Option<&'a OutputFile>,
    rows: u64,
    outcomes: Option<OutcomeCounts>,
    rejected_by_reason: BTreeMap<&'static str, u64>,
    warnings: &'a BTreeMap<&'static str, u64>,
    names_cleaned: u64,
    mostly_failed: bool,
    funnel: &'a Funnel,
    spending: &'a Spending,
    start_calls: u64,
    start_retries: u64,
    start_rate_limit_waits: u64,
    start_seconds: f64,
    start_calls_per_second: f64,
    start_latency: Option<Latency>,
    start_last_failure: Option<&'a str>,
    vendor_allows: Option<Limits>,
    settings: &'a Settings,
}

/// The input that was read.
#[derive(Serialize)]
struct InputFile<'a> {
    name: &'a str,
    sha256: &'a str,
}

impl Serialize for RunReport {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let time = |at| self.zone.show(at, "%FT%T.%3f%:z");
        Summary {
            version: VERSION,
            program_version: env!("CARGO_PKG_VERSION"),
            operator: &self.operator,
            ledger: &self.ledger,
            origin: &self.origin,
            run: self.run,
            run_began_at: time(self.begun),
            run_ended_at: self.run_ended_at().map(time),
            starts: self.starts,
            start: self.start,
            start_began_at: time(self.start_began_at),
            start_ended_at: time(self.ended_at),
            ended: self.ended(),
            exit: self.exit,
            input: InputFile { name: &self.input, sha256: &self.input_sha256 },
            output: self.output.as_ref(),
            rows: self.rows,
            outcomes: self.written.map(|written| written.outcomes),
            rejected_by_reason: by_code(&self.rejected),
            warnings: &self.warnings,
            names_cleaned: self.names_cleaned,
            mostly_failed: self.mostly_failed,
            funnel: &self.funnel,
            spending: &self.spending,
            start_calls: self.calls,
            start_retries: self.retries,
            start_rate_limit_waits: self.rate_limit_waits,
            start_seconds: self.seconds,
            start_calls_per_second: self.calls_per_second,
            start_latency: self.latency,
            start_last_failure: self.last_failure.as_deref(),
            vendor_allows: Limits::of(&self.vendor_allows),
            settings: &self.settings,
        }
        .serialize(to)
    }
}
