//! What `run` and `plan` say: before the first call, and at the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::api::Origin;
use crate::cli::DEFAULT_BASE_URL;
use crate::config::{Destination, RunConfig};
use crate::error::Error;
use crate::input::form::{Encoding, Form};
use crate::input::{Layout, Source};
use crate::ledger::{FoundRun, OpenRun, RunRef};
use crate::model::exit_code::ExitCode;
use crate::model::finding::Finding;
use crate::model::funnel::Funnel;
use crate::model::money::{Price, Tally, in_brackets, number};
use crate::model::row::Warning;
use crate::model::stop::StopReason;
use crate::model::subject::mask_path;
use crate::output::{
    FileColumn, FileColumns, FileForm, Forecast, Spending, Summary, count, forecast_words,
    last_words, skipped_words,
};
use crate::passes::Survey;
use crate::rules::columns::{ChosenColumn, column_letters};
use crate::rules::headers::shown;
use crate::term::Screen;

use super::run::finish::EndedStart;
use super::stops::{next, why};

/// The configuration file that was read, what is passed over, and whom the calls go to where it is not the vendor's
/// published address.
pub(super) fn settings(file: Option<&Path>, unused: &[String], origin: &str) -> String {
    let mut text =
        file.map_or_else(String::new, |file| format!("settings   {}\n", mask_path(file)));
    for name in unused {
        text += &format!("unused     {name}: the sandbox is asked, and nobody else\n");
    }
    let published = origin.strip_suffix(":443") == Some(DEFAULT_BASE_URL);
    if !published && origin != Origin::sandbox().name() {
        text += &format!("vendor     {origin}\n");
    }
    text
}

/// What was found out about the input's form.
pub(super) fn layout(source: &Source, layout: &Layout) -> String {
    let form = form(source, layout);
    let mut text = format!("input      {} ({form})\n", source.label());
    for (role, column) in [("NIK", &layout.id), ("name", &layout.name)] {
        let letters = column_letters(column.index);
        text += &format!("  {role:<8} column {letters}: {}\n", column.why);
    }
    text
}

/// `CSV, UTF-8, delimiter ";"`, or which sheet of a workbook.
fn form(source: &Source, layout: &Layout) -> String {
    let form = &layout.form;
    if let Form::Sheet(name) = form {
        let of = source.sheet().map_or(1, |sheet| sheet.others.len() + 1);
        let of = if of > 1 { format!(", one of {of}") } else { String::new() };
        return format!("{form}, sheet \"{}\"{of}", shown(name));
    }
    let delimiter = match layout.delimiter {
        b'\t' => "TAB".to_owned(),
        other => format!("\"{}\"", char::from(other)),
    };
    format!("{form}, {}, delimiter {delimiter}", form.encoding())
}

/// The same for a machine: masked headers, never a cell.
pub(super) fn file_form(source: &Source, layout: &Layout) -> FileForm {
    let column = |chosen: &ChosenColumn| FileColumn {
        index: chosen.index + 1,
        header: layout.header.as_ref().and_then(|_| {
            layout.seen.columns().get(chosen.index).map(|column| column.header.clone())
        }),
        why: chosen.why.clone(),
    };
    let (format, sheet, text) = match &layout.form {
        Form::Sheet(name) => ("xlsx", Some(shown(name)), None),
        Form::Text { gzip: true, encoding, .. } => ("csv.gz", None, Some(*encoding)),
        Form::Text { encoding, .. } => ("csv", None, Some(*encoding)),
    };
    FileForm {
        input: source.label().to_owned(),
        format,
        encoding: text.map(Encoding::name),
        delimiter: text.map(|_| char::from(layout.delimiter).to_string()),
        sheet,
        columns: FileColumns { id: column(&layout.id), name: column(&layout.name) },
        seen: match &layout.header {
            Some(_) => layout.seen.columns().iter().map(|column| column.header.clone()).collect(),
            None => Vec::new(),
        },
    }
}

/// The columns that the file has.
pub(super) fn columns_seen(layout: &Layout) -> String {
    match layout.seen.line() {
        line if line.is_empty() => line,
        line => format!("  seen     {line}\n"),
    }
}

/// The run that is gone on with, or taken over.
pub(super) fn which_run(found: &FoundRun, forecast: &Forecast) -> String {
    let spent = |tally| calls_and_charges(tally, forecast.price.as_ref());
    match found.run {
        RunRef::Open(id) => {
            format!("going on with run {}: {} so far\n", id.0, spent(&forecast.tally))
        }
        RunRef::New { takes_over: None } => String::new(),
        RunRef::New { takes_over: Some(older) } => {
            let what = match older.file_changed {
                true => "the file changed",
                false => "the file is the same, but read in another way (columns or flags),",
            };
            format!(
                "{what} since run {} was cut short ({}): what is still in it is not bought again; the budget begins anew\n",
                older.run.0,
                spent(&older.tally)
            )
        }
    }
}

/// The calls that will be made, before they are.
pub(super) fn before(found: &FoundRun, surveyed: &Survey, forecast: &Forecast) -> String {
    let mut text = which_run(found, forecast);
    text += &skipped_words(&surveyed.skipped);
    text += &forecast_words(forecast, None);
    for finding in surveyed.findings.iter().filter(|finding| TOLD_BEFORE.contains(&finding.code)) {
        text += &format!("warning: {}\n  hint: {}\n", finding.message, finding.hint);
    }
    text
}

/// The findings that `run` tells before the first call: those that may make it buy what nobody meant to buy. `plan` tells
/// all of them.
const TOLD_BEFORE: [&str; 6] = [
    "nik_several_names",
    "rows_hidden",
    "sheets_left_out",
    "formulas_without_values",
    "texts_missing",
    "encoding_windows_1252",
];

/// A note on calls that have no answer yet; nothing where there are none.
pub(super) fn unsettled(calls: u64) -> String {
    match calls {
        0 => String::new(),
        n => format!(
            "note: {} in the ledger without an answer: in flight if a run is under way, else in doubt; counted as in \
             doubt here\n",
            count(n, "call")
        ),
    }
}

/// The last line of a plan, which remains on a screen. `stop`: the first finding that stops the file; `warnings`: findings
/// that are worth a look.
pub(super) fn verdict(
    exit: ExitCode,
    forecast: &Forecast,
    stop: Option<&Finding>,
    warnings: u64,
) -> String {
    match (exit, stop) {
        (ExitCode::Input, Some(finding)) => format!(
            "stopped: `ceknik run` would send nothing of this file ({})\n  hint: mend it as said above, or send it \
             all the same with --force\n",
            finding.code
        ),
        _ if forecast.braked => {
            "held: too many of the run's first verdicts are mismatches (--stop-if-mismatch-over): \
             `ceknik run` sends nothing more\n\
             \x20 hint: look at the columns; raise the share or leave it out to go on\n"
                .to_owned()
        }
        (ExitCode::Budget, _) => "over budget: `ceknik run` may stop before the end of the file\n\
             \x20 hint: raise --max-charges or --max-cost; or let it stop, and go on another time\n"
            .to_owned(),
        _ => ready(forecast, warnings),
    }
}

/// The figures of a plan that can be run, once more.
fn ready(forecast: &Forecast, warnings: u64) -> String {
    let Forecast { funnel, charges, price, pace, .. } = forecast;
    let calls = count(funnel.to_send, "call");
    let money = price.as_ref().map(|price| format!(", at most {}", price.show(charges.at_most)));
    let seconds = pace.seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs);
    let time = seconds.map(|time| format!(", about {}", humantime::format_duration(time)));
    let warnings = match warnings {
        0 => String::new(),
        n => format!(", {} above", count(n, "warning")),
    };
    let (money, time) = (money.unwrap_or_default(), time.unwrap_or_default());
    format!("ready: `ceknik run` with the same flags sends {calls}{money}{time}{warnings}\n")
}

/// The facts that the summary and the last words are made of, beside how the start ended.
pub(super) struct Facts<'a> {
    pub(super) config: &'a RunConfig,
    pub(super) destination: &'a Destination,
    pub(super) surveyed: &'a Survey,
    pub(super) funnel: Funnel,
    pub(super) run: &'a OpenRun,
    pub(super) begun: Instant,
    pub(super) calling: Duration,
}

/// Writes the summary, where one is wanted.
///
/// # Errors
/// Exit code 18: it cannot be written.
pub(super) fn write_summary(facts: &Facts<'_>, ended: &EndedStart) -> Result<(), Error> {
    let from_sandbox = ended.projected.is_some_and(|projected| projected.from_sandbox);
    let Some(path) = facts.destination.summary(from_sandbox) else { return Ok(()) };
    summary(facts, ended).write(&path).map_err(|error| {
        let what = format!("the summary cannot be written: {error}");
        let hint = "a summary that stands there may be older; the answers are safe in the ledger";
        Error::new(ExitCode::Storage, what, hint)
    })
}

/// Says the last words. By now all else is done: whoever should read them may not.
pub(super) fn last(facts: &Facts<'_>, ended: &EndedStart, screen: &Screen) {
    if let Some(stop) = ended.stop {
        screen.say(&format!("\nstopped: {}", why(stop, &ended.state.stats)));
    }
    let (summary, next) = (summary(facts, ended), next(facts, ended));
    screen.say(&last_words(&summary, facts.config.price.as_ref(), next.as_deref()));
}

fn summary(facts: &Facts<'_>, ended: &EndedStart) -> Summary {
    let Facts { config, surveyed, .. } = facts;
    let state = &ended.state;
    let counts = &surveyed.counts;
    let mut warnings: BTreeMap<_, _> =
        counts.warnings.iter().map(|(warning, rows)| (warning.code(), rows)).collect();
    if surveyed.several_names > 0 {
        warnings.insert(Warning::NikSeveralNames.code(), surveyed.several_names);
    }
    let calls = state.stats.sent;
    Summary {
        version: Summary::VERSION,
        run: facts.run.id.0,
        starts: facts.run.found.earlier_starts + 1,
        ended: ended.stop.map_or("finished", StopReason::name),
        exit: ended.code,
        origin: config.ledger.origin.clone(),
        output: ended.output.clone(),
        outcomes: ended.projected.map(|projected| projected.outcomes),
        rows: counts.rows,
        rejected: counts.rejections.iter().map(|(why, rows)| (why.code(), rows)).collect(),
        warnings,
        names_cleaned: counts.names_changed,
        mostly_failed: state.verdicts.mostly_failed(),
        funnel: facts.funnel,
        spending: Spending::of(state.tally, config.price.as_ref()),
        calls,
        retries: state.stats.retries,
        rate_limit_waits: state.stats.throttles,
        seconds: facts.begun.elapsed().as_secs_f64(),
        calls_per_second: calls as f64 / facts.calling.as_secs_f64().max(0.001),
        latency: state.stats.latency(),
        last_failure: state.stats.last_failure.clone(),
    }
}

fn calls_and_charges(tally: &Tally, price: Option<&Price>) -> String {
    let (calls, charged) = (count(tally.calls, "call"), number(tally.confirmed));
    let money = in_brackets(price, tally.confirmed);
    let possible = match tally.possible.total() {
        0 => String::new(),
        n => format!(", {} possible", number(n)),
    };
    format!("{calls}, {charged} charged{money}{possible}")
}
