//! The section about money: what is owed, what is possible, what was saved, and when it was spent.
//!
//! Must hold: each sum stands below its column, and equals the tally.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::amounts::{Amounts, amount, amounts};
use super::blocks::{Block, Section, Table};
use super::charts::{Segment, bar};
use super::facts::RunFacts;
use super::numbers::time;
use super::svg::Ink;
use crate::model::money::{Price, Tally, number};
use crate::model::tax::Tax;
use crate::output::words::count;

/// Most billing days that are listed.
const MOST_DAYS: usize = 400;
/// Most starts that are listed.
pub(super) const MOST_STARTS: usize = 200;

pub(super) fn money(facts: &RunFacts) -> Section {
    let mut blocks = vec![overview(facts), Block::Text(tax_words(facts))];
    blocks.push(Block::Table(by_kind(facts)));
    blocks.extend(not_charged(facts).map(Block::Table));
    blocks.extend(saved(facts).map(Block::Table));
    blocks.push(Block::Table(by_day(facts)));
    blocks.push(Block::Table(by_start(facts)));
    Section { id: "money", title: "Money", blocks }
}

/// Tells that the amounts are without tax, and what they are with the tax of the latest session.
fn tax_words(facts: &RunFacts) -> String {
    let tax = facts.starts.last().and_then(|start| start.settings.as_ref()?.tax.as_deref());
    let (least, most) = (amounts(facts, Tally::at_least), amounts(facts, Tally::at_most));
    match tax.and_then(|tax| Tax::parse(tax).ok()) {
        Some(tax) if facts.purged == 0 && facts.price().is_some() => format!(
            "All amounts are without tax. With {}: at least {}, at most {}.",
            tax.name(),
            least.show_with(tax),
            most.show_with(tax)
        ),
        _ => "All amounts are without tax.".to_owned(),
    }
}

/// Draws the charges that are certain, those that are possible, and the budget.
fn overview(facts: &RunFacts) -> Block {
    let tally = facts.tally();
    let possible = tally.possible.total();
    let budget = facts.starts.last().and_then(|start| start.settings.as_ref()?.max_charges);
    let segment = |name: &str, value: u64, ink| Segment {
        name: name.to_owned(),
        value,
        shown: number(value),
        ink,
    };
    let segments = [
        segment("charged", tally.confirmed, Ink::Blue),
        segment("possibly", possible, Ink::Stripes),
    ];
    let mut description = format!(
        "Surely charged: {}. Possibly charged: {}.",
        count(tally.confirmed, "call"),
        number(possible)
    );
    if let Some(budget) = budget {
        description += &format!(" The limit was {}.", number(budget));
    }
    let mark = budget.map(|budget| (budget, format!("limit: {}", number(budget))));
    Block::Chart(bar("Charged calls", description, &segments, mark))
}

fn by_kind(facts: &RunFacts) -> Table {
    let tally = facts.tally();
    let possible = tally.possible;
    let mut table = Table::new("What the vendor may charge", &["Kind", "#Calls", "#Amount"]);
    let mut add = |kind: &str, calls: u64, of: fn(&Tally) -> u64| {
        table.rows.push(vec![kind.to_owned(), number(calls), amount(facts, of)]);
    };
    add("Surely charged: match or mismatch", tally.confirmed, |tally| tally.confirmed);
    for (kind, calls, of) in [
        (
            "Possible: in doubt, no answer came",
            possible.in_doubt,
            (|tally: &Tally| tally.possible.in_doubt) as fn(&Tally) -> u64,
        ),
        ("Possible: an answer that is not documented", possible.unknown_code, |tally| {
            tally.possible.unknown_code
        }),
        ("Possible: a gateway answered with an error", possible.gateway, |tally| {
            tally.possible.gateway
        }),
    ] {
        if calls > 0 {
            add(kind, calls, of);
        }
    }
    table.sums = vec!["At most".to_owned(), number(tally.at_most()), amount(facts, Tally::at_most)];
    table
}

/// Lists the calls that are not charged; `None` if there are none.
fn not_charged(facts: &RunFacts) -> Option<Table> {
    let tally = facts.tally();
    let free = tally.calls - tally.at_most();
    let mut table = Table::new("What is not charged", &["Kind", "#Calls"]);
    let errors = tally.assumed_free.saturating_sub(tally.throttled);
    for (kind, calls) in [
        ("Not sure or failed: free by the contract", free.saturating_sub(tally.assumed_free)),
        ("Refused, or an error of the vendor: assumed to be free", errors),
        ("Too many calls: assumed to be free", tally.throttled),
    ] {
        if calls > 0 {
            table.rows.push(vec![kind.to_owned(), number(calls)]);
        }
    }
    table.sums = vec!["All".to_owned(), number(free)];
    (free > 0).then_some(table)
}

/// Lists the calls that were not needed; `None` if no start has recorded them.
fn saved(facts: &RunFacts) -> Option<Table> {
    let funnel = facts.survey()?.funnel;
    let price = facts.price();
    let worth = |calls: u64| {
        let mut amounts = Amounts::default();
        amounts.add(calls, price.as_ref());
        amounts.show()
    };
    let mut table = Table::new("What was saved, at most", &["Kind", "#Calls", "#Amount"]);
    for (kind, calls) in [
        ("Rows that repeat a row above", funnel.duplicates),
        ("Answers of earlier runs that were used again", funnel.reused),
    ] {
        table.rows.push(vec![kind.to_owned(), number(calls), worth(calls)]);
    }
    let all = funnel.duplicates + funnel.reused;
    table.sums = vec!["All".to_owned(), number(all), worth(all)];
    Some(table)
}

/// Sums of the calls of one day, one month or one start.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) tally: Tally,
    pub(super) least: Amounts,
    pub(super) most: Amounts,
}

impl Sums {
    pub(super) fn add(&mut self, tally: &Tally, price: Option<&Price>) {
        self.tally = self.tally + *tally;
        self.least.add(tally.at_least(), price);
        self.most.add(tally.at_most(), price);
    }

    pub(super) fn cells(&self, name: String) -> Vec<String> {
        let Tally { calls, confirmed, possible, .. } = self.tally;
        let [calls, charged, possible] = [calls, confirmed, possible.total()].map(number);
        vec![name, calls, charged, possible, self.least.show(), self.most.show()]
    }
}

/// Returns the sum of all calls, as the last row of a table has it.
fn all(facts: &RunFacts) -> Vec<String> {
    let mut all = Sums::default();
    for (n, start) in facts.starts.iter().enumerate() {
        all.add(&start.tally, facts.price_of(n).as_ref());
    }
    all.cells("All".to_owned())
}

fn by_day(facts: &RunFacts) -> Table {
    let mut days: BTreeMap<Option<Date>, Sums> = BTreeMap::new();
    for minute in &facts.minutes {
        let price = facts.price_of(minute.start);
        days.entry(minute.day).or_default().add(&minute.tally, price.as_ref());
    }
    let titles = ["Billing day", "#Calls", "#Charged", "#Possible", "#At least", "#At most"];
    let mut table = Table::new("By billing day of the vendor", &titles);
    let name = |day: Option<Date>| day.map_or("unknown".to_owned(), |day| day.to_string());
    table.rows = days.iter().map(|(day, sums)| sums.cells(name(*day))).collect();
    table.sums = all(facts);
    table.keep_latest(MOST_DAYS, "`ceknik status --month` shows each month")
}

fn by_start(facts: &RunFacts) -> Table {
    let titles =
        ["Session", "#Calls", "#Charged", "#Possible", "#At least", "#At most", "#Price of a call"];
    let mut table = Table::new("By session", &titles);
    let skipped = facts.starts.len().saturating_sub(MOST_STARTS);
    for (n, start) in facts.starts.iter().enumerate().skip(skipped) {
        let price = facts.price_of(n);
        let mut sums = Sums::default();
        sums.add(&start.tally, price.as_ref());
        let mut cells = sums.cells(format!("{}: {}", n + 1, time(start.began_at, &facts.zone)));
        cells.push(price.map_or("no price".to_owned(), |price| price.show(1)));
        table.rows.push(cells);
    }
    table.sums = all(facts);
    table.sums.push(String::new());
    table.note_left_out(skipped, &format!("`ceknik status {}` shows each session", facts.run));
    table
}
