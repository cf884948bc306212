//! The sections about other runs, about the starts of this one, and about their settings.

use super::blocks::{Block, Section, Table};
use super::charts::{Column, small_columns};
use super::facts::{RecordedSummary, RunFacts, StartFacts, TrendRun};
use super::money::MOST_STARTS;
use super::numbers::{rate, time};
use super::svg::Ink;
use crate::model::class::{Class, ResultCode};
use crate::model::money::{Currency, number};
use crate::model::outcome::Outcome;
use crate::model::settings::Settings;
use crate::model::stop::StopReason;
use crate::model::zone::Zone;
use crate::output::overview::in_words;

/// Fewest finished runs of a trend.
const FEWEST_RUNS: usize = 2;

/// Compares runs, oldest first. `changes` is a table of results that changed.
pub(super) fn trend(runs: &[TrendRun], zone: &Zone, changes: Option<Table>) -> Option<Section> {
    if runs.len() < FEWEST_RUNS {
        return None;
    }
    let charts = [
        ("Matches", "% of results", Ink::Green, matches as fn(&TrendRun) -> Option<f64>),
        ("Rows without a result", "% of rows", Ink::Orange, without_verdict),
        ("Charged calls", "calls", Ink::Blue, |run| {
            Some(run.summary.as_ref()?.spending.confirmed as f64)
        }),
        ("Calls a second, in the last session", "calls a second", Ink::Violet, calls_per_second),
    ];
    let day = |run: &TrendRun| zone.show(run.began_at, "%-d %b");
    // Runs of one day are told apart by their numbers.
    let has_runs_of_one_day = runs.windows(2).any(|pair| day(&pair[0]) == day(&pair[1]));
    let label = |run: &TrendRun| match has_runs_of_one_day {
        true => format!("run {}", run.run),
        false => day(run),
    };
    let mut blocks: Vec<Block> = Vec::new();
    for (title, unit, ink, value) in charts {
        // A value that was not recorded is not drawn.
        let column =
            |run: &TrendRun| Column { label: label(run), values: value(run).into_iter().collect() };
        let columns: Vec<_> = runs.iter().map(column).collect();
        let description = format!("{} finished runs, oldest first.", runs.len());
        blocks.push(Block::Chart(small_columns(title, description, unit, &columns, ink)));
    }
    blocks.push(Block::Table(trend_table(runs, zone)));
    blocks.extend(changes.map(Block::Table));
    Some(Section { id: "trend", title: "Compared with earlier runs", blocks })
}

fn rows_of(summary: &RecordedSummary, wanted: fn(Outcome) -> bool) -> Option<u64> {
    let outcomes = summary.outcomes.as_ref()?;
    let rows = |outcome: Outcome| outcomes.get(outcome.word()).copied().unwrap_or_default();
    Some(Outcome::ALL.into_iter().filter(|outcome| wanted(*outcome)).map(rows).sum())
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

fn matches(run: &TrendRun) -> Option<f64> {
    let summary = run.summary.as_ref()?;
    let verdicts = rows_of(summary, Outcome::has_verdict)?;
    Some(share(rows_of(summary, |outcome| outcome == Outcome::Match)?, verdicts))
}

fn without_verdict(run: &TrendRun) -> Option<f64> {
    Some(share(rows_of(run.summary.as_ref()?, |outcome| !outcome.has_verdict())?, run.rows))
}

fn calls_per_second(run: &TrendRun) -> Option<f64> {
    Some(run.summary.as_ref()?.start_calls_per_second)
}

fn trend_table(runs: &[TrendRun], zone: &Zone) -> Table {
    let titles = [
        "Run",
        "Began",
        "#Rows",
        "#Matches, of results",
        "#Without a result",
        "#Charged calls",
        "#Amount, by its last price",
        "#Calls a second",
    ];
    let mut table = Table::new("Finished runs", &titles);
    let shown = |value: Option<f64>, unit: &str| match value {
        Some(value) => format!("{value:.1}{unit}"),
        None => "not recorded".to_owned(),
    };
    for run in runs {
        table.rows.push(vec![
            run.run.to_string(),
            // On one line, however narrow the table is.
            time(run.began_at, zone).replace(' ', "\u{a0}"),
            number(run.rows),
            shown(matches(run), " %"),
            shown(without_verdict(run), " %"),
            charged(run),
            owed(run),
            calls_per_second(run).map_or("not recorded".to_owned(), rate),
        ]);
    }
    table
}

/// Returns the number of charged calls of a run, as it was recorded.
fn charged(run: &TrendRun) -> String {
    let summary = run.summary.as_ref();
    summary.map_or("not recorded".to_owned(), |summary| number(summary.spending.confirmed))
}

/// Returns the amount that a run costs at least, as it was recorded.
fn owed(run: &TrendRun) -> String {
    let money = run.summary.as_ref().and_then(|summary| summary.spending.money.as_ref());
    let currency = money.and_then(|money| Currency::parse(&money.currency).ok());
    match (money, currency) {
        (Some(money), Some(currency)) => currency.show(money.at_least.into()),
        _ => "no price".to_owned(),
    }
}

/// Lists the customers whose result has changed; `None` if there are none.
pub(super) fn changes(facts: &RunFacts) -> Option<Table> {
    let name = |code: ResultCode| in_words(Outcome::of(Class::Answered(code).end())).0.to_owned();
    let mut table =
        Table::new("Results that changed since an earlier run", &["Was", "Is", "#Rows"]);
    for (was, is, pairs) in &facts.changes {
        table.rows.push(vec![name(*was), name(*is), number(*pairs)]);
    }
    let all = facts.changes.iter().map(|(.., pairs)| pairs).sum();
    table.sums = vec!["All".to_owned(), String::new(), number(all)];
    (!facts.changes.is_empty()).then_some(table)
}

pub(super) fn starts(facts: &RunFacts) -> Section {
    let has_hosts = facts.starts.iter().any(|start| start.host.is_some());
    let mut titles =
        vec!["Session", "Began", "Ended", "Stopped by", "#Exit code", "#Calls", "Program"];
    titles.extend(["Run by", "Settings that changed"]);
    if has_hosts {
        titles.push("Machine");
    }
    let mut table = Table::new("Sessions of this run", &titles);
    let mut before: Option<&Settings> = None;
    let skipped = facts.starts.len().saturating_sub(MOST_STARTS);
    for (n, start) in facts.starts.iter().enumerate() {
        if n < skipped {
            before = start.settings.as_ref().or(before);
            continue;
        }
        let mut row = cells(facts, n, start, before);
        before = start.settings.as_ref().or(before);
        if has_hosts {
            row.push(start.host.clone().unwrap_or_default());
        }
        table.rows.push(row);
    }
    let where_else = format!("`ceknik status {}` shows all", facts.run);
    table.note_left_out(skipped, &where_else);
    let blocks = vec![Block::Table(table)];
    Section { id: "starts", title: "Sessions", blocks }
}

fn cells(facts: &RunFacts, n: usize, start: &StartFacts, before: Option<&Settings>) -> Vec<String> {
    let (version, operator) = match &start.by {
        Some((version, operator)) => (format!("ceknik {version}"), operator.clone()),
        None => ("not recorded".to_owned(), "not recorded".to_owned()),
    };
    let changed = match (before, &start.settings) {
        (Some(before), Some(settings)) => differences(before, settings),
        _ => String::new(),
    };
    vec![
        (n + 1).to_string(),
        time(start.began_at, &facts.zone),
        start.ended_at.map_or("killed, or under way".to_owned(), |at| time(at, &facts.zone)),
        start.stop.as_deref().map(StopReason::in_words).unwrap_or_default(),
        start.exit.map(|exit| exit.to_string()).unwrap_or_default(),
        number(start.tally.calls),
        version,
        operator,
        changed,
    ]
}

/// Lists the settings that differ: `rate: 10, was 5`.
fn differences(before: &Settings, after: &Settings) -> String {
    let (before, after) = (lines(before), lines(after));
    let pairs = before.iter().zip(&after).filter(|((_, was), (_, is))| was != is);
    let shown = pairs.map(|((name, was), (_, is))| format!("{name}: {is}, was {was}"));
    shown.collect::<Vec<_>>().join("; ")
}

pub(super) fn settings(facts: &RunFacts) -> Section {
    let settings = facts.starts.iter().rev().find_map(|start| start.settings.as_ref());
    let mut blocks = match settings {
        Some(settings) => vec![Block::List(lines(settings))],
        None => {
            vec![Block::Text("Not recorded: an older version of ceknik made this run.".to_owned())]
        }
    };
    let hash = facts.starts.iter().rev().find_map(|start| start.input_sha256.clone());
    if let Some(hash) = hash {
        blocks.push(Block::List(vec![("SHA-256 of the file", hash)]));
    }
    Section { id: "settings", title: "Settings of the latest session", blocks }
}

/// Returns the settings that people ask for, with their names.
fn lines(settings: &Settings) -> Vec<(&'static str, String)> {
    let none = || "none".to_owned();
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let seconds = |seconds: f64| format!("{seconds} s");
    let days = |seconds: f64| match seconds / 86_400.0 {
        1.0 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    vec![
        ("Rate", settings.rate.clone()),
        ("Highest rate", settings.rate_max.map_or_else(none, |rate| rate.to_string())),
        ("Calls at the same time", settings.concurrency.to_string()),
        ("Most failed tries of a row", settings.max_attempts.to_string()),
        ("Longest time of a call", seconds(settings.timeout_seconds)),
        ("Longest outage", seconds(settings.max_outage_seconds)),
        ("Deadline", settings.deadline.clone().unwrap_or_else(none)),
        ("Price", settings.price().map_or_else(none, |price| price.show(1))),
        ("Tax", settings.tax.clone().unwrap_or_else(none)),
        ("Most charged calls", settings.max_charges.map_or_else(none, number)),
        ("Most calls of the session", settings.max_calls.map_or_else(none, number)),
        ("Answers are used again for", days(settings.reuse_seconds)),
        ("\"Not sure\" and \"failed\" are sent again after", days(settings.reask_after_seconds)),
        ("Rows in doubt are sent again", yes(settings.resend_doubts)),
        ("Refused rows are sent again", yes(settings.retry_refused)),
        ("Sent although the file looks damaged", yes(settings.force)),
    ]
}
