//! The report of a start: filled in from the run's state, the survey and the settings.
//!
//! Must hold: this is the one place that fills in a report.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::config::{Destination, RunConfig};
use crate::engine::RunState;
use crate::error::Error;
use crate::ledger::OpenRun;
use crate::model::attempt::WallMs;
use crate::model::exit_code::ExitCode;
use crate::model::funnel::Funnel;
use crate::model::row::Warning;
use crate::model::settings::Settings;
use crate::model::spending::Spending;
use crate::model::stop::StopReason;
use crate::output::RunReport;
use crate::passes::{Input, Survey};

/// Facts about a start that its report needs.
pub(super) struct StartFacts<'a> {
    pub(super) config: &'a RunConfig,
    pub(super) settings: &'a Settings,
    pub(super) input: &'a Input,
    pub(super) surveyed: &'a Survey,
    pub(super) funnel: Funnel,
    pub(super) run: &'a OpenRun,
    pub(super) begun: Instant,
}

impl StartFacts<'_> {
    /// Returns the report of the start, before the output is made and the exit code is decided.
    /// Until then the exit code is that of a defect. `calling` is the time in which calls were
    /// made, and `at` the time at which the start ended.
    pub(super) fn report(
        &self,
        state: &RunState,
        stop: Option<StopReason>,
        calling: Duration,
        at: WallMs,
    ) -> RunReport {
        let Self { config, settings, input, surveyed, funnel, run, begun } = self;
        let job = &config.job;
        let calls = state.stats.sent;
        RunReport {
            operator: config.operator.clone(),
            ledger: job.ledger.name().to_string(),
            origin: job.ledger.origin().to_owned(),
            run: run.id.0,
            starts: run.found.starts(),
            start: run.found.starts(),
            stop,
            finishes_run: false,
            exit: ExitCode::Internal,
            output: None,
            written: None,
            rows: surveyed.counts.rows,
            rejected: surveyed.counts.rejections.clone(),
            warnings: warnings(surveyed),
            names_cleaned: surveyed.counts.names_changed,
            mostly_failed: state.verdicts.mostly_failed(),
            funnel: *funnel,
            spending: Spending { tally: state.tally, price: job.price.clone() },
            purged: 0,
            removed: 0,
            calls,
            retries: state.stats.retries,
            rate_limit_waits: state.stats.throttles,
            vendor_allows: state.learned,
            seconds: begun.elapsed().as_secs_f64(),
            calls_per_second: calls as f64 / calling.as_secs_f64().max(0.001),
            latency: state.stats.latency(),
            last_failure: state.stats.last_failure.clone(),
            input: surveyed.label_names.mask(&input.source.name()).into_owned(),
            input_sha256: input.source.sha256().to_owned(),
            begun: run.found.created_at,
            start_began_at: run.began_at,
            settings: (*settings).clone(),
            ended_at: at,
            zone: job.zone.clone(),
            tax: job.tax,
        }
    }
}

/// Returns the number of rows with each warning, by its code.
pub(super) fn warnings(surveyed: &Survey) -> BTreeMap<&'static str, u64> {
    let of_rows = surveyed.counts.warnings.iter().map(|(warning, rows)| (warning.code(), rows));
    let several = (Warning::NikSeveralNames.code(), surveyed.several_names);
    of_rows.chain((surveyed.several_names > 0).then_some(several)).collect()
}

/// Writes the summary, if one is wanted.
///
/// # Errors
/// Exit code 18: the summary cannot be written.
pub(super) fn write_summary(report: &RunReport, destination: &Destination) -> Result<(), Error> {
    let Some(path) = destination.summary(report.is_from_sandbox()) else { return Ok(()) };
    report.write_summary(&path).map_err(|error| {
        let what = format!("the summary cannot be written: {error}");
        let hint =
            "an existing summary may be older than this run; the answers are safe in the ledger";
        Error::new(ExitCode::Storage, what, hint)
    })
}
