//! `ceknik plan`: a dry run. What is in the file, what would be sent, what it would cost, how long it would take.
//!
//! Must hold: it says what `run` would do, by the same stages; it needs no credentials, opens no connection, and
//! writes nothing.

use crate::config::PlanConfig;
use crate::error::Error;
use crate::ledger::{self, Facts, FoundRun, Preview};
use crate::model::attempt::WallMs;
use crate::model::exit_code::ExitCode;
use crate::model::finding::{FindingClass, Spot};
use crate::model::funnel::Funnel;
use crate::model::stop::StopReason;
use crate::output::{Forecast, Plan, findings_words, forecast_words, skipped_words};
use crate::passes::{Input, Known, PassError, Survey, locate, survey};
use crate::rules::estimate::{Fit, History};
use crate::term::Screen;

use super::stages::{Terms, UseOfKnown, find_layout, fold, forecast, open_source, opening};
use super::words;

/// Plans a run. Returns the exit code.
///
/// # Errors
/// The input, the ledger or the configuration cannot be used.
pub fn plan(config: &PlanConfig, screen: &Screen) -> Result<ExitCode, Error> {
    let source = open_source(&config.input, &config.reading, &std::env::temp_dir())?;
    let layout = find_layout(&source, &config.reading)?;
    screen.say(&words::settings(config.settings.as_deref(), &[], &config.ledger.origin));
    screen.say(&words::layout(&source, &layout));
    let file = words::file_form(&source, &layout);
    screen.say(&words::columns_seen(&layout));

    let preview = ledger::preview(&config.ledger)?;
    let hasher = preview.hasher();
    let mut input = Input::new(source, layout, config.reading.clone(), hasher);
    // A signal simply ends us: there is nothing to be put in order.
    let mut surveyed = survey(&input, &|| false)?;
    let looked = look(config, &preview, &mut input, &mut surveyed)?;
    let funnel = Funnel::of(&surveyed)?;
    let forecast = forecast(&surveyed, funnel, looked.known, looked.history, terms(config));
    let stop = find_stop(&input, &surveyed, forecast.fit)?;

    let exit = exit_code(config, &surveyed, &forecast);
    if let Some(run) = &looked.run {
        screen.say(&words::which_run(run, &forecast));
    }
    screen.say(&skipped_words(&surveyed.skipped));
    screen.say(&forecast_words(&forecast, stop.as_ref()));
    screen.say(&words::unsettled(looked.unsettled));
    screen.say(&findings_words(&surveyed.findings));
    let warnings = surveyed.findings.iter().filter(|finding| finding.class == FindingClass::Warn);
    let warnings = warnings.count() as u64;
    screen.say(&words::verdict(exit, &forecast, surveyed.stops().next(), warnings));
    if config.json {
        let plan = Plan {
            forecast: &forecast,
            origin: &config.ledger.origin,
            file,
            warnings: &surveyed.counts.warnings,
            skipped: surveyed.skipped,
            findings: &surveyed.findings,
            unsettled: looked.unsettled,
            stops_at: stop.as_ref(),
            exit,
        };
        let json = plan.to_json().map_err(|error| {
            let what = format!("the plan cannot be written as JSON: {error}");
            Error::plain(ExitCode::Internal, what)
        })?;
        super::print(json.as_bytes())?;
    }
    Ok(exit)
}

/// What the ledger says.
#[derive(Default)]
struct Looked {
    run: Option<FoundRun>,
    known: Known,
    history: History,
    unsettled: u64,
}

/// Reads all facts at one moment, and folds them into the table.
fn look(
    config: &PlanConfig,
    preview: &impl Preview,
    input: &mut Input,
    surveyed: &mut Survey,
) -> Result<Looked, Error> {
    let opening = opening(input, surveyed, &config.reuse, "", WallMs::now());
    let looked = preview.read(|facts| {
        let run = facts.find_run(&opening)?;
        let rules = UseOfKnown { reuse: &config.reuse, retry: &config.retry, now: opening.at };
        let known = fold(input, surveyed, facts, &run, rules, &|| false)?;
        let (history, unsettled) = (facts.history()?, facts.unsettled()?);
        Ok::<_, PassError>(Looked { run: Some(run), known, history, unsettled })
    })?;
    Ok(looked.unwrap_or_default())
}

fn terms(config: &PlanConfig) -> Terms {
    Terms {
        price: config.price.clone(),
        max_charges: config.max_charges,
        most_mismatches: config.most_mismatches,
        charge_share: config.charge_share,
        rate: config.rate,
        night: config.night,
    }
}

/// The row at which the budget would stop the run: it is looked for where there is one.
fn find_stop(
    input: &Input,
    surveyed: &Survey,
    fit: Option<Fit>,
) -> Result<Option<Spot>, PassError> {
    let Some(after) = fit.and_then(|fit| fit.stops_after) else { return Ok(None) };
    locate(input, surveyed.fingerprint, &surveyed.table, after, &|| false)
}

fn exit_code(config: &PlanConfig, surveyed: &Survey, forecast: &Forecast) -> ExitCode {
    if surveyed.stops().next().is_some() && !config.force {
        return ExitCode::Input;
    }
    match forecast.fit {
        _ if forecast.braked => StopReason::Mismatches.exit_code(),
        Some(fit) if !fit.fits() => ExitCode::Budget,
        _ => ExitCode::Complete,
    }
}
