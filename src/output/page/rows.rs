//! The section about rows: what became of each of them.

use super::blocks::{Block, Section, Table};
use super::charts::{Segment, bar};
use super::facts::{RunFacts, RunState};
use super::numbers::percent;
use super::svg::Ink;
use crate::model::money::number;
use crate::model::outcome::Outcome;
use crate::model::row::Rejection;
use crate::output::overview::in_words;

pub(super) fn outcomes(facts: &RunFacts) -> Section {
    let mut blocks = Vec::new();
    match facts.outcomes() {
        Some(outcomes) => {
            let rows = |outcome: Outcome| {
                let rows = outcomes.get(outcome.word()).copied().unwrap_or_default();
                (rows > 0).then_some((outcome, rows))
            };
            let rows: Vec<_> = Outcome::ALL.into_iter().filter_map(rows).collect();
            match rows.is_empty() {
                true => blocks.push(Block::Text("The file has no rows.".to_owned())),
                false => blocks.extend([Block::Chart(chart(&rows)), Block::Table(table(&rows))]),
            }
        }
        None => blocks.push(Block::Text(
            "No output was recorded: the session was killed, or an older version of ceknik made the run. `ceknik export` makes the output."
                .to_owned(),
        )),
    }
    blocks.extend(rejected(facts).map(Block::Table));
    blocks.extend(sources(facts).map(Block::Table));
    Section { id: "outcomes", title: "Rows", blocks }
}

const fn ink(outcome: Outcome) -> Ink {
    match outcome {
        Outcome::Match => Ink::Green,
        Outcome::Mismatch => Ink::Orange,
        Outcome::NotSure => Ink::Amber,
        Outcome::Failed => Ink::Violet,
        Outcome::Unknown => Ink::Pink,
        Outcome::Rejected => Ink::Grey,
        Outcome::Refused => Ink::Brown,
        Outcome::Unavailable => Ink::Slate,
        Outcome::InDoubt => Ink::Stripes,
        Outcome::NotSent => Ink::Hollow,
    }
}

const fn charged(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Match | Outcome::Mismatch => "charged",
        Outcome::Unknown | Outcome::InDoubt => "possibly charged",
        Outcome::Refused | Outcome::Unavailable => "free, or possibly charged",
        Outcome::NotSure | Outcome::Failed => "free",
        Outcome::Rejected | Outcome::NotSent => "not sent",
    }
}

fn chart(rows: &[(Outcome, u64)]) -> super::charts::Chart {
    let all: u64 = rows.iter().map(|(_, rows)| rows).sum();
    let segment = |(outcome, rows): &(Outcome, u64)| Segment {
        name: in_words(*outcome).0.to_owned(),
        value: *rows,
        shown: format!("{} ({})", number(*rows), percent(*rows, all)),
        ink: ink(*outcome),
    };
    let segments: Vec<_> = rows.iter().map(segment).collect();
    let parts: Vec<_> =
        segments.iter().map(|segment| format!("{}: {}", segment.name, segment.shown)).collect();
    bar("Rows by outcome", format!("{}.", parts.join(", ")), &segments, None)
}

fn table(rows: &[(Outcome, u64)]) -> Table {
    let all: u64 = rows.iter().map(|(_, rows)| rows).sum();
    let titles = ["Outcome", "#Rows", "#Share", "A call for it is", "What it means"];
    let mut table = Table::new("Rows by outcome", &titles);
    for (outcome, rows) in rows {
        let (name, meaning) = in_words(*outcome);
        table.rows.push(vec![
            format!("{name} ({})", outcome.word()),
            number(*rows),
            percent(*rows, all),
            charged(*outcome).to_owned(),
            meaning.to_owned(),
        ]);
    }
    table.sums =
        vec!["All rows".to_owned(), number(all), percent(all, all), String::new(), String::new()];
    table
}

/// Lists the rejected rows by reason; `None` if there are none.
fn rejected(facts: &RunFacts) -> Option<Table> {
    let reasons = &facts.survey()?.rejected_by_reason;
    let mut table = Table::new("Rejected rows by reason", &["Reason", "#Rows", "What it means"]);
    for (code, rows) in reasons.iter().filter(|(_, rows)| **rows > 0) {
        let known = Rejection::ALL.iter().find(|why| why.code() == code);
        let meaning = known.map(|why| why.explain().to_owned()).unwrap_or_default();
        table.rows.push(vec![code.clone(), number(*rows), meaning]);
    }
    let all = table.rows.len();
    table.sums = vec!["All".to_owned(), number(reasons.values().sum()), String::new()];
    (all > 0).then_some(table)
}

/// Lists where the results of the rows came from; `None` if no start has recorded it.
fn sources(facts: &RunFacts) -> Option<Table> {
    let funnel = facts.survey()?.funnel;
    let mut table = Table::new("Where the results came from", &["From", "#Rows"]);
    let asked = match facts.state {
        RunState::Finished => "Sent in this run",
        RunState::Open | RunState::TakenOver => "Sent, or to be sent, in this run",
    };
    for (source, rows) in [
        (asked, funnel.done + funnel.to_send),
        ("The row above with the same NIK and name", funnel.duplicates),
        ("An earlier run", funnel.reused),
        ("In doubt since an earlier call of this or another run", funnel.in_doubt),
        ("ceknik's own checks, not sent", funnel.rejected),
    ] {
        if rows > 0 {
            table.rows.push(vec![source.to_owned(), number(rows)]);
        }
    }
    let parts = [funnel.done, funnel.to_send, funnel.duplicates, funnel.reused, funnel.in_doubt];
    let all = parts.iter().sum::<u64>() + funnel.rejected;
    table.sums = vec!["All rows".to_owned(), number(all)];
    Some(table)
}
