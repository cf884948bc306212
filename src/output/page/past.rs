//! The sections of the page about all runs since a time.

use std::collections::BTreeMap;

use super::blocks::{Block, Section, Table, Tile};
use super::charts::{Column, small_columns};
use super::facts::{HistoryFacts, PastRun, PricedCalls, RunState};
use super::first::{host, sandbox_banner};
use super::money::Sums;
use super::numbers::{time, zone_name};
use super::svg::Ink;
use crate::model::attempt::WallMs;
use crate::model::money::{Tally, number};
use crate::model::stop::StopReason;
use crate::output::words::count;

/// Most days and months that are listed.
const MOST_DAYS: usize = 400;
/// Most days that are drawn.
const MOST_DRAWN: usize = 62;
/// Most runs that are listed.
const MOST_PAST_RUNS: usize = 500;

/// Returns the time of the latest fact.
pub(super) fn latest(facts: &HistoryFacts) -> WallMs {
    let runs = facts.runs.iter().map(|run| run.ended_at.unwrap_or(run.began_at));
    let calls = facts.calls.iter().map(|calls| calls.latest);
    let doubts = facts.doubts.newest.iter().map(|doubt| doubt.sent_at);
    runs.chain(calls).chain(doubts).max().unwrap_or(facts.since)
}

/// Returns the banners across the top of the page; empty if there is none.
pub(super) fn banners(facts: &HistoryFacts) -> Vec<String> {
    let purged = purged_calls(facts);
    let banner = || {
        format!(
            "PURGED: the answers of {} were removed later (ceknik purge). The money on this page does not include them.",
            count(purged, "call")
        )
    };
    sandbox_banner(&facts.origin).into_iter().chain((purged > 0).then(banner)).collect()
}

fn purged_calls(facts: &HistoryFacts) -> u64 {
    facts.purged.iter().map(|(_, tally)| tally.calls).sum()
}

fn sums<'a>(calls: impl Iterator<Item = &'a PricedCalls>) -> Sums {
    let mut sums = Sums::default();
    calls.for_each(|calls| sums.add(&calls.tally, calls.price.as_ref()));
    sums
}

pub(super) fn summary(facts: &HistoryFacts) -> Section {
    let time = |at| time(at, &facts.zone);
    let list = vec![
        ("Since", time(facts.since)),
        ("Until", time(latest(facts))),
        ("Time zone", zone_name(&facts.zone, facts.since)),
        ("Vendor", host(&facts.origin)),
    ];
    Section { id: "summary", title: "Summary", blocks: vec![Block::List(list)] }
}

pub(super) fn tiles(facts: &HistoryFacts) -> Section {
    let all = sums(facts.calls.iter());
    let tile = |name, value, note: String| Tile { name, value, note, is_main: false };
    let open = facts.runs.iter().filter(|run| run.state == RunState::Open).count() as u64;
    let rows = facts.runs.iter().map(|run| run.rows).sum();
    let tiles = vec![
        Tile {
            name: "You owe, at least",
            value: all.least.show(),
            note: format!("at most {}, without tax", all.most.show()),
            is_main: true,
        },
        tile("Runs", number(facts.runs.len() as u64), format!("{} not finished", number(open))),
        tile("Rows", number(rows), "in their files".to_owned()),
        tile("Calls", number(all.tally.calls), "sent".to_owned()),
        tile("Charged calls", number(all.tally.confirmed), "surely".to_owned()),
        tile("Possibly charged", number(all.tally.possible.total()), "calls".to_owned()),
        tile("No answer", number(all.tally.possible.in_doubt), "calls in doubt".to_owned()),
        tile("Purged", number(purged_calls(facts)), "calls, not in these sums".to_owned()),
    ];
    Section { id: "tiles", title: "At a glance", blocks: vec![Block::Tiles(tiles)] }
}

pub(super) fn money(facts: &HistoryFacts) -> Section {
    let mut blocks = Vec::new();
    let mut days: BTreeMap<String, Vec<&PricedCalls>> = BTreeMap::new();
    let mut months: BTreeMap<String, Vec<&PricedCalls>> = BTreeMap::new();
    for calls in &facts.calls {
        let day = calls.day.map_or("unknown".to_owned(), |day| day.to_string());
        let month = calls.day.map_or("unknown".to_owned(), |day| day.strftime("%Y-%m").to_string());
        days.entry(day).or_default().push(calls);
        months.entry(month).or_default().push(calls);
    }
    let skipped = days.len().saturating_sub(MOST_DRAWN);
    let column = |(day, calls): (&String, &Vec<&PricedCalls>)| {
        let charged = sums(calls.iter().copied()).tally.confirmed;
        Column { label: day.clone(), values: vec![charged as f64] }
    };
    let columns: Vec<_> = days.iter().skip(skipped).map(column).collect();
    let all = sums(facts.calls.iter());
    let description = format!(
        "{} on the latest {}.",
        count(all.tally.confirmed, "charged call"),
        count(columns.len() as u64, "day")
    );
    if !columns.is_empty() {
        let title = "Charged calls by billing day";
        blocks.push(Block::Chart(small_columns(title, description, "calls", &columns, Ink::Blue)));
    }
    for (caption, name, by) in
        [("By month", "Month", months), ("By billing day of the vendor", "Billing day", days)]
    {
        let titles = [name, "#Calls", "#Charged", "#Possible", "#At least", "#At most"];
        let mut table = Table::new(caption, &titles);
        let row = |(name, calls): (String, Vec<&PricedCalls>)| sums(calls.into_iter()).cells(name);
        table.rows = by.into_iter().map(row).collect();
        table.sums = all.cells("All".to_owned());
        blocks.push(Block::Table(
            table.keep_latest(MOST_DAYS, "`ceknik status --month` shows each month"),
        ));
    }
    Section { id: "money", title: "Money", blocks }
}

pub(super) fn runs(facts: &HistoryFacts) -> Section {
    let titles = [
        "Run",
        "Input",
        "State",
        "#Rows",
        "Began",
        "Ended",
        "#Sessions",
        "#Calls",
        "#Charged",
        "#Possible",
    ];
    let mut table = Table::new("Runs", &titles);
    let row = |run: &PastRun| {
        let state = match (run.state, &run.stop) {
            (RunState::Finished, _) => "finished".to_owned(),
            (RunState::TakenOver, _) => "taken over".to_owned(),
            (RunState::Open, Some(stop)) => StopReason::in_words(stop),
            (RunState::Open, None) => "open".to_owned(),
        };
        vec![
            run.run.to_string(),
            run.input.clone(),
            state,
            number(run.rows),
            time(run.began_at, &facts.zone),
            run.ended_at.map_or("not yet".to_owned(), |at| time(at, &facts.zone)),
            number(run.starts),
            number(run.tally.calls),
            number(run.tally.confirmed),
            number(run.tally.possible.total()),
        ]
    };
    // The newest run is looked for first.
    table.rows = facts.runs.iter().rev().take(MOST_PAST_RUNS).map(row).collect();
    let skipped = facts.runs.len().saturating_sub(MOST_PAST_RUNS);
    table.note_left_out(skipped, "`ceknik status --all` lists all");
    let mut all = Tally::default();
    facts.runs.iter().for_each(|run| all = all + run.tally);
    let [calls, charged, possible] = [all.calls, all.confirmed, all.possible.total()].map(number);
    let none = || String::new();
    table.sums = vec!["All".to_owned(), none(), none(), none(), none(), none(), none()];
    table.sums.extend([calls, charged, possible]);
    let text = "A run that began earlier is listed if it has calls of this time. Only these calls are counted.";
    let blocks = vec![Block::Table(table), Block::Text(text.to_owned())];
    Section { id: "starts", title: "Runs", blocks }
}

/// Lists the calls whose answers were purged; `None` if there are none.
pub(super) fn purges(facts: &HistoryFacts) -> Option<Section> {
    let titles = ["Day", "#Calls", "#Charged", "#Possible"];
    let mut table = Table::new("By day, as it was counted then", &titles);
    for (day, tally) in &facts.purged {
        let [calls, charged, possible] =
            [tally.calls, tally.confirmed, tally.possible.total()].map(number);
        table.rows.push(vec![day.to_string(), calls, charged, possible]);
    }
    let text = "Their answers were removed by `ceknik purge`. Their prices are no longer known, and no sum above includes them.";
    let table = table.keep_latest(MOST_DAYS, "`ceknik status --month` shows each month");
    (!facts.purged.is_empty()).then(|| Section {
        id: "purges",
        title: "Purged calls",
        blocks: vec![Block::Text(text.to_owned()), Block::Table(table)],
    })
}
