//! The lines that `run` and `plan` show before the first call: the settings, the input, the run
//! that is continued, and the calls that will be sent.
//!
//! Never: shows a cell of the input.

use jiff::Timestamp;

use crate::api::Origin;
use crate::cli::DEFAULT_BASE_URL;
use crate::clock;
use crate::config::{JobConfig, RateChoice};
use crate::input::form::{Encoding, Form};
use crate::input::{Layout, Source};
use crate::ledger::{FoundRun, RunRef};
use crate::model::attempt::WallMs;
use crate::model::mask::mask_path;
use crate::model::money::{Price, Tally, number, price_in_brackets};
use crate::output::{
    FileColumn, FileColumns, FileForm, calls_a_second, count, forecast_words, limit_words,
    skipped_words,
};
use crate::passes::Survey;
use crate::rules::columns::{ChosenColumn, column_letters};
use crate::rules::forecast::Forecast;
use crate::rules::headers::shown;
use crate::rules::rate::Learned;

/// Formats the settings that the user may not expect: the configuration file that was read, the
/// settings that have no effect, the vendor's address if it is not the published one, the price as
/// it was understood, and the deadline on the clock.
pub(super) fn settings(job: &JobConfig, deadline: Option<Timestamp>) -> String {
    let (file, origin) = (&job.settings, job.ledger.origin());
    let file = file.as_deref().map(|file| format!("settings   {}\n", mask_path(file)));
    let mut text = file.unwrap_or_default();
    for name in &job.unused {
        text += &format!("unused     {name}: the sandbox answers, and no vendor is called\n");
    }
    let published = origin.strip_suffix(":443") == Some(DEFAULT_BASE_URL);
    if !published && origin != Origin::sandbox().name() {
        text += &format!("vendor     {origin}\n");
    }
    if let Some(at) = deadline {
        let at = job.zone.show(WallMs(at.as_millisecond()), "%a %F %H:%M (UTC%:z)");
        let has_passed =
            if has_passed(deadline) { ", which has passed: nothing is sent" } else { "" };
        text += &format!("deadline   {at}{has_passed}\n");
    }
    text
}

/// Formats the rate of a start that finds out what the vendor allows. Returns an empty text if the
/// user has asked for another rate. `learned` is what is known from earlier runs.
pub(super) fn rate(choice: &RateChoice, learned: Option<Learned>) -> String {
    if !choice.is_auto {
        return String::new();
    }
    let first = choice.first(learned).map(calls_a_second).unwrap_or_default();
    let most = choice.cap.map_or_else(String::new, |cap| format!(", at most {cap} (--rate-max)"));
    let mut text = format!("rate       found during the run: begins at {first}{most}\n");
    if let Some(limit) = learned.as_ref().and_then(limit_words) {
        text += &format!("           the vendor allowed {limit} the last time\n");
    }
    text
}

/// Checks whether a deadline has passed, so that no call is started.
pub(super) fn has_passed(deadline: Option<Timestamp>) -> bool {
    deadline.is_some_and(|at| at.as_millisecond() <= clock::now().0)
}

/// Formats the form of the input, and the two columns with the reasons for their choice.
pub(super) fn layout(source: &Source, layout: &Layout) -> String {
    let form = form(source, layout);
    let mut text = format!("input      {} ({form})\n", source.label());
    for (role, column) in [("NIK", &layout.id), ("name", &layout.name)] {
        let letters = column_letters(column.index);
        text += &format!("  {role:<8} column {letters}: {}\n", column.why);
    }
    text
}

/// Formats the form of the input: `CSV, UTF-8, delimiter ";"`, or the sheet of a workbook.
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

/// Returns the form of the input for the JSON of a plan. Headers are masked, and cells of rows are
/// not included.
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

/// Formats the columns of the file. Returns an empty text if none has a header.
pub(super) fn columns_seen(layout: &Layout) -> String {
    match layout.seen.line() {
        line if line.is_empty() => line,
        line => format!("  seen     {line}\n"),
    }
}

/// Formats the run that is continued or taken over. Returns an empty text if there is none.
pub(super) fn which_run(found: &FoundRun, forecast: &Forecast) -> String {
    let spent = |tally| calls_and_charges(tally, forecast.price.as_ref());
    match found.run {
        RunRef::Open(id) => {
            format!("continuing run {}: {} so far\n", id.0, spent(&forecast.tally))
        }
        RunRef::Finished { run, .. } => {
            format!(
                "run {} has finished: {}; nothing more is sent\n",
                run.0,
                spent(&forecast.tally)
            )
        }
        RunRef::New { takes_over: None } => String::new(),
        RunRef::New { takes_over: Some(older) } => {
            let what = match older.file_changed {
                true => "the file changed",
                false => "the file is the same, but read in another way (columns or flags),",
            };
            format!(
                "{what} since run {} was stopped ({}): rows that have an answer are not paid again; the budget starts from zero\n",
                older.run.0,
                spent(&older.tally)
            )
        }
    }
}

/// Formats the lines that `run` shows before the first call: the run, the skipped records, the
/// forecast, and the most important findings.
pub(super) fn before(found: &FoundRun, surveyed: &Survey, forecast: &Forecast) -> String {
    let mut text = which_run(found, forecast);
    text += &skipped_words(&surveyed.skipped);
    text += &forecast_words(forecast, None);
    for finding in
        surveyed.findings.iter().filter(|finding| SHOWN_BEFORE_RUN.contains(&finding.code))
    {
        text += &format!("warning: {}\n  hint: {}\n", finding.message, finding.hint);
    }
    text
}

/// Codes of the findings that `run` shows before the first call: those that may make it buy calls
/// that nobody wanted. `plan` shows all findings.
const SHOWN_BEFORE_RUN: [&str; 7] = [
    "no_rows",
    "nik_several_names",
    "rows_hidden",
    "sheets_left_out",
    "formulas_without_values",
    "texts_missing",
    "encoding_windows_1252",
];

fn calls_and_charges(tally: &Tally, price: Option<&Price>) -> String {
    let (calls, charged) = (count(tally.calls, "call"), number(tally.confirmed));
    let money = price_in_brackets(price, tally.confirmed);
    let possible = match tally.possible.total() {
        0 => String::new(),
        n => format!(", {} possible", number(n)),
    };
    format!("{calls}, {charged} charged{money}{possible}")
}
