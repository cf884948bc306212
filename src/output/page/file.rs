//! The sections about the file: its findings, and the calls whose charge is not known.

use super::blocks::{Block, Section, Table};
use super::facts::{DoubtFacts, Doubts, RecordedFinding, RecordedPlace, RunFacts};
use super::numbers::time;
use crate::model::finding::{Finding, FindingClass};
use crate::model::money::number;
use crate::model::zone::Zone;
use crate::output::sentences::explain;
use crate::output::words::count;

/// Most places of a finding that are listed.
const MOST_PLACES: usize = 5;

pub(super) fn findings(facts: &RunFacts) -> Section {
    let titles = ["Finding", "Class", "#Rows", "#Of", "First places", "What to do"];
    let mut table = Table::new("Findings", &titles);
    let recorded = facts.survey().map(|survey| &survey.findings);
    match (&facts.findings, recorded) {
        (Some(findings), _) => table.rows = findings.iter().map(with_values).collect(),
        (None, Some(findings)) => table.rows = findings.iter().map(without_values).collect(),
        (None, None) => {}
    }
    let blocks = match (table.rows.is_empty(), recorded) {
        (false, _) => vec![Block::Table(table)],
        (true, Some(_)) => {
            vec![Block::Text("The checks found no problem in the file as a whole.".to_owned())]
        }
        (true, None) => {
            vec![Block::Text("Not recorded: an older version of ceknik made this run.".to_owned())]
        }
    };
    Section { id: "findings", title: "Findings about the file", blocks }
}

/// Returns the cells of a finding with the masked values of its places.
fn with_values(finding: &Finding) -> Vec<String> {
    let Finding { code, class, count, of, message: _, hint, places } = finding;
    let place = |spot: &crate::model::finding::Spot| match spot.value.is_empty() {
        true => place(&spot.cell, spot.line),
        false => format!("{} ({})", place(&spot.cell, spot.line), spot.value),
    };
    let places = places.iter().take(MOST_PLACES).map(place).collect::<Vec<_>>().join(", ");
    let class = class.word().to_owned();
    vec![(*code).to_owned(), class, number(*count), number(*of), places, (*hint).to_owned()]
}

/// Returns the cells of a finding as the ledger has it.
fn without_values(finding: &RecordedFinding) -> Vec<String> {
    let RecordedFinding { code, class, count, of, hint, places } = finding;
    let place = |at: &RecordedPlace| place(&at.cell, at.line);
    let places = places.iter().take(MOST_PLACES).map(place).collect::<Vec<_>>().join(", ");
    let known = [FindingClass::Stop, FindingClass::Warn, FindingClass::Info];
    let class = known.iter().map(|class| class.word()).find(|word| word == class);
    let class = class.unwrap_or("other").to_owned();
    vec![code.clone(), class, number(*count), number(*of), places, hint.clone()]
}

fn place(cell: &str, line: u64) -> String {
    match cell.is_empty() {
        true => format!("line {line}"),
        false => cell.to_owned(),
    }
}

/// Returns the calls whose charge is not known. `has_purged` is true if the ledger has lost some calls
/// of the page to `ceknik purge`.
pub(super) fn doubts(doubts: &Doubts, zone: &Zone, has_purged: bool) -> Section {
    let Doubts { total, newest, unsettled } = doubts;
    let title = "Calls whose charge is not known";
    if *total == 0 && *unsettled == 0 {
        let text = match has_purged {
            false => "None: for every call it is known whether it is charged.",
            true => "None of the calls that the ledger still has: see PURGED at the top.",
        };
        return Section { id: "doubts", title, blocks: vec![Block::Text(text.to_owned())] };
    }
    let mut blocks = Vec::new();
    if *unsettled > 0 {
        let calls = count(*unsettled, "call");
        blocks.push(Block::Text(format!(
            "{calls} without an answer: under way, or in doubt when the file is run again."
        )));
    }
    let titles = ["Run", "#Customer", "Sent at", "What happened", "Order number or request id"];
    let mut table = Table::new("The newest of them", &titles);
    let row = |doubt: &DoubtFacts| {
        vec![
            doubt.run.to_string(),
            number(doubt.record),
            time(doubt.sent_at, zone),
            format!("{} ({})", explain(doubt.class), doubt.class.name()),
            doubt.reference.clone().unwrap_or_default(),
        ]
    };
    table.rows = newest.iter().map(row).collect();
    let more = total.saturating_sub(newest.len() as u64);
    if more > 0 {
        table.note = format!("{} more: `ceknik status --doubts` lists all", number(more));
    }
    if *total > 0 {
        blocks.push(Block::Text(format!("{} that may be on the invoice.", count(*total, "call"))));
        blocks.push(Block::Table(table));
    }
    Section { id: "doubts", title, blocks }
}
