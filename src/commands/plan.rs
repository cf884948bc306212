//! `ceknik plan`: a dry run that shows the content of a file, the calls that would be sent, their
//! cost, and the time that they take.
//!
//! Must hold: the plan says what `run` would do, because both use the same stages. A plan needs no
//! credentials, opens no connection, takes no lock, and leaves no file behind.

use super::preamble;
use super::stages::{
    Assumptions, ReuseRules, find_layout, fold, forecast, open_source, opening, plan_exit,
};
use crate::clock;
use crate::config::{JobConfig, PlanConfig};
use crate::error::Error;
use crate::ledger::{self, FoundRun, Preview};
use crate::model::characters::terminal_safe;
use crate::model::exit_code::ExitCode;
use crate::model::finding::{FindingClass, Spot};
use crate::output::{
    Plan, findings_words, forecast_words, skipped_words, unsettled_words, verdict_words,
};
use crate::passes::{FactsOf, Input, Known, PassError, Survey, locate, survey};
use crate::rules::estimate::{Fit, History};
use crate::rules::rate::Learned;

/// Plans a run: prints the plan on standard output. Returns the exit code.
///
/// # Errors
/// Exit code 10: the input cannot be used. Exit code 11: the ledger belongs to another origin. Exit
/// code 18: the ledger cannot be read, or standard output cannot be written.
pub fn plan(config: &PlanConfig) -> Result<ExitCode, Error> {
    let PlanConfig { job, charge_share, night, .. } = config;
    let source = open_source(&job.input, &job.reading, &std::env::temp_dir())?;
    let layout = find_layout(&source, &job.reading)?;
    let file = preamble::file_form(&source, &layout);
    // A large file takes a while to read, so its form is printed before.
    print_text(config, || {
        let columns = preamble::columns_seen(&layout);
        preamble::settings(job, None) + &preamble::layout(&source, &layout) + &columns
    })?;

    let preview = ledger::preview(&job.ledger)?;
    let hasher = preview.hasher();
    let mut input = Input::new(source, layout, job.reading.clone(), hasher);
    // A signal ends the process at once, since there is nothing to put in order.
    let mut surveyed = survey(&input, &|| false)?;
    let known = look(job, &preview, &mut input, &mut surveyed)?;
    let funnel = surveyed.funnel()?;
    let assumptions = Assumptions { charge_share: *charge_share, night: *night };
    let forecast =
        forecast(job, &surveyed, funnel, known.known, known.history, known.learned, assumptions);
    let stop = find_stop(&input, &surveyed, forecast.fit)?;
    let exit = plan_exit(job.force, &surveyed, &forecast);
    if config.json {
        let plan = Plan {
            forecast: &forecast,
            origin: job.ledger.origin(),
            file,
            warnings: &surveyed.counts.warnings,
            skipped: surveyed.skipped,
            findings: &surveyed.findings,
            unsettled: known.unsettled,
            stops_at: stop.as_ref(),
            exit,
        };
        let json = plan.to_json().map_err(|error| {
            let what = format!("the plan cannot be written as JSON: {error}");
            Error::plain(ExitCode::Internal, what)
        })?;
        super::print(json.as_bytes())?;
    }
    print_text(config, || {
        let run = known.run.as_ref().map(|run| preamble::which_run(run, &forecast));
        let warnings = surveyed.findings.iter();
        let warnings = warnings.filter(|finding| finding.class == FindingClass::Warn).count();
        // What decides is printed last, where it stays on the screen.
        [
            run.unwrap_or_default(),
            skipped_words(&surveyed.skipped),
            findings_words(&surveyed.findings),
            unsettled_words(known.unsettled),
            forecast_words(&forecast, stop.as_ref()),
            verdict_words(exit, &forecast, surveyed.stops().next(), warnings as u64),
        ]
        .concat()
    })?;
    Ok(exit)
}

/// Prints a part of the plan for people, unless JSON is wanted.
fn print_text(config: &PlanConfig, text: impl FnOnce() -> String) -> Result<(), Error> {
    if config.json {
        return Ok(());
    }
    super::print(terminal_safe(&text()).as_bytes()).map(drop)
}

/// Facts that are read from the ledger.
#[derive(Default)]
struct LedgerFacts {
    run: Option<FoundRun>,
    known: Known,
    history: History,
    unsettled: u64,
    /// Limits of the vendor that the latest run of any account has learned.
    learned: Option<Learned>,
}

/// Reads the facts of one moment, and folds them into the table. The facts are empty if there is no
/// ledger yet.
fn look(
    job: &JobConfig,
    preview: &impl Preview,
    input: &mut Input,
    surveyed: &mut Survey,
) -> Result<LedgerFacts, Error> {
    let opening = opening(input, surveyed, &job.reuse, job.once.as_deref(), "", clock::now());
    let known = preview.read(|facts| {
        let run = facts.find_run(&opening)?;
        let (reuse, retry) = (&job.reuse, &job.engine.retry);
        let is_shared = job.ledger.name().is_shared();
        let (now, of) = (opening.at, FactsOf::Now);
        let rules = ReuseRules { reuse, retry, now, of, is_shared };
        let known = fold(input, surveyed, facts, &run, rules, &|| false)?;
        let (history, unsettled) = (facts.history()?, facts.unsettled()?);
        let learned = facts.remembered_rate(None)?.and_then(|rate| rate.if_fresh(opening.at));
        Ok::<_, PassError>(LedgerFacts { run: Some(run), known, history, unsettled, learned })
    })?;
    Ok(known.unwrap_or_default())
}

/// Finds the row at which the budget would stop the run. Returns `None` if the budget does not stop
/// it, without reading the file again.
fn find_stop(
    input: &Input,
    surveyed: &Survey,
    fit: Option<Fit>,
) -> Result<Option<Spot>, PassError> {
    let Some(after) = fit.and_then(|fit| fit.stops_after) else { return Ok(None) };
    locate(input, surveyed.fingerprint, &surveyed.table, after, &|| false)
}
