//! The sections about the calls over time: when they were made, how long they took, and what failed.
//!
//! Must hold: a pause is shown with the letter that its row of the table has.

use std::collections::BTreeMap;

use super::blocks::{Block, Section, Table};
use super::charts::{Band, Column, Columns, MOST_COLUMNS, histogram};
use super::facts::{MINUTE_MS, Minute, RunFacts};
use super::numbers::{percent, rate, span, time};
use super::svg::Ink;
use crate::model::attempt::WallMs;
use crate::model::class::{Class, NotSent, Refusal, Trouble};
use crate::model::money::{Charge, Tally, number};
use crate::output::sentences::explain;
use crate::output::words::count;
use crate::rules::classify::charge;

const MINUTE: i64 = MINUTE_MS;
/// Widths of a column, in minutes.
const STEPS: [i64; 10] =
    [1, 5, 15, 60, 6 * 60, 24 * 60, 7 * 24 * 60, 30 * 1440, 365 * 1440, 3650 * 1440];
/// Most pauses that are listed.
const MOST_PAUSES: usize = 200;
/// Most pauses, and rates, that are drawn.
const MOST_BANDS: usize = 60;

/// Calls of one column of the chart.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    charged: u64,
    free: u64,
    possible: u64,
}

impl Slot {
    fn of(tally: &Tally) -> Self {
        let free = tally.calls.saturating_sub(tally.at_most());
        Self { charged: tally.confirmed, free, possible: tally.possible.total() }
    }

    fn add(&mut self, more: Self) {
        self.charged += more.charged;
        self.free += more.free;
        self.possible += more.possible;
    }

    const fn all(self) -> u64 {
        self.charged + self.free + self.possible
    }

    fn cells(self) -> Vec<String> {
        [self.charged, self.free, self.possible].map(number).to_vec()
    }
}

/// The columns of a chart over time.
struct Line {
    /// Begin of the first column.
    from: i64,
    /// Width of a column in milliseconds.
    width: i64,
    /// Begin of the run, and its latest fact.
    first: i64,
    last: i64,
    slots: Vec<Slot>,
}

impl Line {
    /// Divides the time of the run into the smallest columns that are few enough.
    fn of(facts: &RunFacts) -> Self {
        let offset = facts.zone.offset_ms(facts.began_at);
        let first = facts.began_at.0;
        let ends = facts.starts.iter().map(|start| start.end().0);
        let last = ends.max().unwrap_or(first).max(first);
        let fits = |step: &&i64| (last - first) / (**step * MINUTE) < MOST_COLUMNS as i64 - 1;
        let width = STEPS.iter().find(fits).copied().unwrap_or(STEPS[9]) * MINUTE;
        // Columns begin at round times of the zone.
        let from = (first + offset).div_euclid(width) * width - offset;
        let n = usize::try_from((last - from) / width).unwrap_or_default() + 1;
        let mut line =
            Self { from, width, first, last, slots: vec![Slot::default(); n.min(MOST_COLUMNS)] };
        for Minute { at, tally, .. } in &facts.minutes {
            let place = usize::try_from((at.0 - from).div_euclid(width)).unwrap_or_default();
            let place = place.min(line.slots.len() - 1);
            line.slots[place].add(Slot::of(tally));
        }
        line
    }

    /// Returns the begin of a column.
    const fn begin(&self, n: usize) -> WallMs {
        WallMs(self.from + n as i64 * self.width)
    }

    /// Returns the place of a time, in columns.
    fn place(&self, at: WallMs) -> f64 {
        ((at.0 - self.from) as f64 / self.width as f64).clamp(0.0, self.slots.len() as f64)
    }

    /// Returns the calls per second of a column. The first and the last one may be shorter.
    fn per_second(&self, n: usize, calls: u64) -> f64 {
        let begin = self.begin(n).0;
        let (from, to) = (begin.max(self.first), (begin + self.width).min(self.last));
        calls as f64 * 1000.0 / (to - from).max(1000) as f64
    }
}

/// A pause with the letter under which it is shown.
struct ShownPause {
    letter: String,
    from: WallMs,
    to: WallMs,
    kind: &'static str,
}

/// Returns the pauses of all starts. One that has no end lasts until its start ended.
fn pauses(facts: &RunFacts) -> Vec<ShownPause> {
    let mut pauses: Vec<_> = facts
        .starts
        .iter()
        .flat_map(|start| start.pauses.iter().map(move |pause| (start, pause)))
        .map(|(start, pause)| {
            let end = pause.until.unwrap_or_else(|| start.end());
            (pause.at, end.max(pause.at), pause.kind.in_words())
        })
        .collect();
    pauses.sort_by_key(|(from, ..)| *from);
    let shown = |(n, (from, to, kind))| ShownPause { letter: letter(n), from, to, kind };
    pauses.into_iter().enumerate().map(shown).collect()
}

/// Returns the name of the n-th pause: A to Z, then A2 and so on.
fn letter(n: usize) -> String {
    let letter = char::from(b'A' + (n % 26) as u8);
    match n / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{}", round + 1),
    }
}

pub(super) fn timeline(facts: &RunFacts, figures: &mut Vec<Table>) -> Section {
    let line = Line::of(facts);
    let pauses = pauses(facts);
    let has_days = line.width >= 24 * 60 * MINUTE;
    let zone = &facts.zone;
    let label = |n: usize| match (n, has_days) {
        (_, true) => zone.show(line.begin(n), "%-d %b %Y"),
        (0, false) => zone.show(line.begin(n), "%-d %b %H:%M"),
        (_, false) => zone.show(line.begin(n), "%H:%M"),
    };
    let column = |(n, slot): (usize, &Slot)| Column {
        label: label(n),
        values: [slot.charged, slot.free, slot.possible]
            .map(|calls| line.per_second(n, calls))
            .to_vec(),
    };
    let columns: Vec<_> = line.slots.iter().enumerate().map(column).collect();
    let band = |pause: &ShownPause| Band {
        letter: pause.letter.clone(),
        from: line.place(pause.from),
        to: line.place(pause.to),
    };
    let bands: Vec<_> = pauses.iter().rev().take(MOST_BANDS).rev().map(band).collect();
    let tally = facts.tally();
    let description = format!(
        "{}, {} charged, {} possibly charged; {}. Each column is {}.",
        count(tally.calls, "call"),
        number(tally.confirmed),
        number(tally.possible.total()),
        count(pauses.len() as u64, "pause"),
        span(line.width)
    );
    let chart = Columns {
        title: "Calls over time",
        description,
        unit: "calls a second",
        series: &[("charged", Ink::Blue), ("free", Ink::Sky), ("possibly charged", Ink::Orange)],
        columns: &columns,
        bands: &bands,
        levels: &levels(facts, &line),
    };
    let mut blocks = vec![Block::Chart(chart.draw())];
    if !pauses.is_empty() {
        blocks.push(Block::Table(pauses_table(facts, &pauses)));
    }
    figures.push(slots_table(facts, &line));
    Section { id: "timeline", title: "Calls over time", blocks }
}

/// Returns the rates that were set with `--rate N`: one line for starts with the same rate.
fn levels(facts: &RunFacts, line: &Line) -> Vec<(f64, f64, f64, String)> {
    let mut levels: Vec<(f64, f64, f64, String)> = Vec::new();
    for start in &facts.starts {
        let rate = start.settings.as_ref().and_then(|settings| settings.rate.parse::<f64>().ok());
        let Some(rate) = rate else { continue };
        let (from, to) = (line.place(start.began_at), line.place(start.end()));
        match levels.last_mut().filter(|(_, _, before, _)| *before == rate) {
            Some((_, end, ..)) => *end = to,
            None => levels.push((from, to, rate, format!("--rate {rate}"))),
        }
    }
    // The latest ones are drawn, as the latest pauses are.
    levels.drain(..levels.len().saturating_sub(MOST_BANDS));
    levels
}

fn slots_table(facts: &RunFacts, line: &Line) -> Table {
    let titles = ["From", "#Charged", "#Free", "#Possibly charged", "#Calls a second"];
    let mut table = Table::new("Calls over time", &titles);
    for (n, slot) in line.slots.iter().enumerate().filter(|(_, slot)| slot.all() > 0) {
        let per_second = rate(line.per_second(n, slot.all()));
        let begin = time(line.begin(n), &facts.zone);
        table.rows.push([vec![begin], slot.cells(), vec![per_second]].concat());
    }
    let mut all = Slot::default();
    line.slots.iter().for_each(|slot| all.add(*slot));
    table.sums = [vec!["All".to_owned()], all.cells(), vec![String::new()]].concat();
    table
}

fn pauses_table(facts: &RunFacts, pauses: &[ShownPause]) -> Table {
    let titles = [
        "Pause",
        "From",
        "To",
        "How long",
        "Why",
        "#Calls before, about 5 min",
        "#Calls after, about 5 min",
    ];
    let mut table = Table::new("Pauses", &titles);
    let by_minute = calls_by_minute(facts);
    // The minutes in which a pause begins and ends are counted too: calls are known by minute.
    let calls = |from: i64, to: i64| -> u64 {
        let minutes = from.div_euclid(MINUTE)..=to.div_euclid(MINUTE);
        by_minute.range(minutes).map(|(_, calls)| calls).sum()
    };
    let skipped = pauses.len().saturating_sub(MOST_PAUSES);
    for ShownPause { letter, from, to, kind } in pauses.iter().skip(skipped) {
        table.rows.push(vec![
            letter.clone(),
            time(*from, &facts.zone),
            time(*to, &facts.zone),
            span(to.0 - from.0),
            (*kind).to_owned(),
            number(calls(from.0 - 5 * MINUTE, from.0)),
            number(calls(to.0, to.0 + 5 * MINUTE)),
        ]);
    }
    table.note_left_out(skipped, &format!("`ceknik status {} --json` has all", facts.run));
    table
}

/// Returns the number of calls by minute since the epoch.
fn calls_by_minute(facts: &RunFacts) -> BTreeMap<i64, u64> {
    let mut by_minute = BTreeMap::new();
    for minute in &facts.minutes {
        *by_minute.entry(minute.at.0.div_euclid(MINUTE)).or_default() += minute.tally.calls;
    }
    by_minute
}

pub(super) fn latency(facts: &RunFacts, figures: &mut Vec<Table>) -> Section {
    let title = "Time that answers took";
    let all: u64 = facts.latencies.iter().map(|(_, calls)| calls).sum();
    let blocks = match (facts.latencies.first(), facts.latencies.last()) {
        (Some((least, _)), Some((most, _))) => {
            let steps = steps_between(*least, *most);
            let counts: Vec<u64> =
                steps.iter().map(|(from, to)| calls_within(facts, *from, *to)).collect();
            let column = |((from, _), calls): (&(u32, u32), &u64)| Column {
                label: milliseconds(*from),
                values: vec![*calls as f64],
            };
            let columns: Vec<_> = steps.iter().zip(&counts).map(column).collect();
            let marks =
                [50, 95, 99].map(|percentile| (percentile, nearest(facts, all, percentile)));
            let shown = marks.map(|(name, took)| format!("p{name} {}", milliseconds(took)));
            let places: Vec<_> = marks
                .iter()
                .zip(&shown)
                .map(|((_, took), name)| (place_in(&steps, *took), name.clone()))
                .collect();
            let description = format!("{}: {}.", count(all, "answered call"), shown.join(", "));
            figures.push(latency_table(&steps, &counts, all));
            let mut percentiles =
                Table::new("Percentiles", &["Share of the calls", "#Answered within"]);
            percentiles.rows =
                marks.map(|(name, took)| vec![format!("{name} %"), milliseconds(took)]).to_vec();
            vec![
                Block::Chart(histogram(title, description, "calls", &columns, &places)),
                Block::Table(percentiles),
            ]
        }
        _ => vec![Block::Text("No answer has a recorded time.".to_owned())],
    };
    Section { id: "latency", title, blocks }
}

/// Returns steps of 1, 2 and 5 that cover the times from `least` to `most`: from, and up to below.
fn steps_between(least: u32, most: u32) -> Vec<(u32, u32)> {
    let mut bounds = vec![0_u32];
    let mut power = 1_u32;
    while bounds.last().is_some_and(|bound| *bound <= most) && power < 1_000_000_000 {
        bounds.extend([1, 2, 5].map(|step| step * power));
        power *= 10;
    }
    let steps = bounds.windows(2).map(|pair| (pair[0], pair[1]));
    steps.filter(|(from, to)| *to > least && *from <= most).collect()
}

fn calls_within(facts: &RunFacts, from: u32, to: u32) -> u64 {
    let within = facts.latencies.iter().filter(|(took, _)| (from..to).contains(took));
    within.map(|(_, calls)| calls).sum()
}

/// Returns the shortest time within which this percentage of the calls was answered.
fn nearest(facts: &RunFacts, all: u64, percentile: u64) -> u32 {
    let rank = (all * percentile).div_ceil(100).max(1);
    let mut seen = 0;
    for (took, calls) in &facts.latencies {
        seen += calls;
        if seen >= rank {
            return *took;
        }
    }
    facts.latencies.last().map_or(0, |(took, _)| *took)
}

/// Returns the place of a time on the axis, in columns.
fn place_in(steps: &[(u32, u32)], took: u32) -> f64 {
    let within = |(from, to): &(u32, u32)| (*from..*to).contains(&took);
    let at = steps.iter().position(within).unwrap_or_default();
    let part = |(from, to): (u32, u32)| f64::from(took - from) / f64::from(to - from);
    at as f64 + steps.get(at).map_or(0.0, |step| part(*step))
}

fn latency_table(steps: &[(u32, u32)], counts: &[u64], all: u64) -> Table {
    let titles = ["From", "To below", "#Calls", "#Share"];
    let mut table = Table::new("Time that answers took", &titles);
    for ((from, to), calls) in steps.iter().zip(counts) {
        let (from, to) = (milliseconds(*from), milliseconds(*to));
        table.rows.push(vec![from, to, number(*calls), percent(*calls, all)]);
    }
    table.sums = vec!["All".to_owned(), String::new(), number(all), percent(all, all)];
    table
}

/// Formats a time: `85 ms`, `1.5 s`.
fn milliseconds(ms: u32) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        ms if ms.is_multiple_of(1000) => format!("{} s", ms / 1000),
        ms => format!("{:.2} s", f64::from(ms) / 1000.0),
    }
}

pub(super) fn errors(facts: &RunFacts) -> Section {
    let titles = ["What happened", "#Calls", "#Rows", "Charged", "What it means", "What to do"];
    let mut table = Table::new("Calls without a result", &titles);
    // A recalled intent is no call: it goes on later.
    let recalled = Class::NotSent(NotSent::Recalled);
    let failures = facts.failures.iter().filter(|failure| failure.class != recalled);
    let mut failures: Vec<_> = failures.copied().collect();
    failures.sort_by_key(|failure| (std::cmp::Reverse(failure.attempts), failure.class.code()));
    for failure in &failures {
        let charged = match charge(failure.class) {
            Charge::Charged => "yes",
            Charge::Free => "no",
            Charge::Unknown => "possibly",
        };
        table.rows.push(vec![
            failure.class.name().to_owned(),
            number(failure.attempts),
            number(failure.pairs),
            charged.to_owned(),
            explain(failure.class).to_owned(),
            what_to_do(failure.class).to_owned(),
        ]);
    }
    let blocks = match (table.rows.is_empty(), facts.purged) {
        (true, 0) => vec![Block::Text("Each call got a result.".to_owned())],
        (true, _) => vec![Block::Text(
            "Each call that the ledger still has got a result: see PURGED at the top.".to_owned(),
        )],
        (false, _) => vec![Block::Table(table)],
    };
    Section { id: "errors", title: "Errors", blocks }
}

const fn what_to_do(class: Class) -> &'static str {
    match class {
        Class::Answered(_) => "nothing",
        Class::Refused(Refusal::Abnormal) => {
            "nothing is wrong with the rows: they were sent too often. Wait before you send them again"
        }
        Class::Refused(_) => "compare the rows with the cards; export them with --only refused",
        Class::Retry(Trouble::Gateway) => {
            "ask the vendor: ceknik status --doubts. ceknik sent them again, and you may pay twice"
        }
        Class::Retry(_) => "nothing: ceknik sent them again; it sends what is left in the next run",
        Class::Throttled => "nothing: the rate was lowered; --rate auto finds the vendor's limit",
        Class::Account(_) => "check the key, the account and the address",
        Class::OutOfQuota => "buy more calls from the vendor",
        Class::NotSent(_) => "check the network, the proxy and the address",
        Class::InDoubt(_) => "ask the vendor: ceknik status --doubts",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_cover_all_times_once() {
        for (least, most) in [(0, 0), (1, 1), (3, 80), (950, 60_000), (0, 4_000_000)] {
            let steps = steps_between(least, most);
            assert!(steps[0].0 <= least && steps[steps.len() - 1].1 > most, "{steps:?}");
            assert!(steps.windows(2).all(|pair| pair[0].1 == pair[1].0), "{steps:?}");
            assert!(steps.len() < 30);
        }
        assert_eq!(place_in(&[(10, 20), (20, 50)], 35), 1.5);
    }

    #[test]
    fn pauses_have_letters() {
        let letters: Vec<_> = [0, 25, 26, 53].map(letter).to_vec();
        assert_eq!(letters, ["A", "Z", "A2", "B3"]);
    }
}
