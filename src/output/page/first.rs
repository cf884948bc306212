//! The first screen of a page: what was done, what it costs, and what is left to do.

use super::amounts::{Amounts, amount};
use super::blocks::{Block, Section, Step, Tile};
use super::facts::{Failure, RecordedMoney, RecordedSpending, RunFacts, RunState};
use super::numbers::{percent, rate, span, time, zone_name};
use crate::input::STDIN;
use crate::model::class::{Class, Refusal};
use crate::model::money::{Currency, Tally, number};
use crate::model::outcome::Outcome;
use crate::model::shell::quoted;
use crate::model::stop::StopReason;
use crate::output::words::count;
use crate::rules::pair_key::SANDBOX;

/// Text of a figure that no start has recorded.
const NOT_RECORDED: &str = "not recorded";
/// Most sentences about what is left to do.
const MOST_STEPS: usize = 6;

/// Returns the number of rows with one of these outcomes; `None` if no output was recorded.
pub(super) fn rows_with(facts: &RunFacts, wanted: impl Fn(Outcome) -> bool) -> Option<u64> {
    let outcomes = facts.outcomes()?;
    let rows = |outcome: Outcome| outcomes.get(outcome.word()).copied().unwrap_or_default();
    Some(Outcome::ALL.into_iter().filter(|outcome| wanted(*outcome)).map(rows).sum())
}

/// Returns the banner across the top of the page; empty if there is none.
pub(super) fn banners(facts: &RunFacts) -> Vec<String> {
    let mut banners: Vec<String> = sandbox_banner(&facts.origin).into_iter().collect();
    match facts.state {
        RunState::Open => banners.push("UNFINISHED: some rows are not done yet.".to_owned()),
        RunState::TakenOver => {
            banners
                .push("TAKEN OVER: the file was changed, and a later run continues it.".to_owned());
        }
        RunState::Finished => {}
    }
    if let Some(start) = facts.older_output() {
        banners.push(format!(
            "The rows are from the output of session {start}: no later session has made an output."
        ));
    }
    if facts.purged > 0 {
        let calls = count(facts.purged, "call");
        banners.push(format!(
            "PURGED: the answers of {calls} were removed later (ceknik purge). The calls and the money on this page do not include them."
        ));
    }
    banners
}

/// Returns the banner of a page with answers of the sandbox; `None` for those of a vendor.
pub(super) fn sandbox_banner(origin: &str) -> Option<String> {
    let text = "SANDBOX: a test vendor answered. Nothing is verified, and nothing was paid.";
    (origin == SANDBOX).then(|| text.to_owned())
}

/// Describes the state of the run, with a shape in front.
fn result(facts: &RunFacts) -> String {
    let last = facts.starts.last();
    let stop = last.and_then(|start| start.stop.as_deref());
    match (facts.state, rows_with(facts, |outcome| !outcome.has_verdict())) {
        (RunState::Finished, _) if facts.rows == 0 => "● Finished: the file has no rows".to_owned(),
        (RunState::Finished, Some(0)) => "● Finished: each row has a result".to_owned(),
        (RunState::Finished, Some(rows)) => {
            format!("▲ Finished: {} without a result", count(rows, "row"))
        }
        (RunState::Finished, None) => "● Finished".to_owned(),
        (RunState::TakenOver, _) => "■ Not finished: a later run continues it".to_owned(),
        (RunState::Open, _) => match (stop, last.and_then(|start| start.ended_at)) {
            (Some(stop), _) => format!("■ Not finished: {}", StopReason::in_words(stop)),
            (None, Some(_)) => "■ Not finished".to_owned(),
            (None, None) => "■ Not finished: under way, or killed".to_owned(),
        },
    }
}

pub(super) fn summary(facts: &RunFacts) -> Section {
    let time = |at| time(at, &facts.zone);
    let by = facts.last().and_then(|start| start.by.as_ref());
    let program = by.map_or(NOT_RECORDED.to_owned(), |(version, _)| format!("ceknik {version}"));
    let operator = by.map_or(NOT_RECORDED.to_owned(), |(_, operator)| operator.clone());
    let list = vec![
        ("Result", result(facts)),
        ("Run", facts.run.to_string()),
        ("Input", facts.input.clone()),
        ("Rows", number(facts.rows)),
        ("Began", time(facts.began_at)),
        ("Ended", facts.ended_at.map_or("not yet".to_owned(), time)),
        ("Time zone", zone_name(&facts.zone, facts.began_at)),
        ("Vendor", host(&facts.origin)),
        ("Program", program),
        ("Run by", operator),
    ];
    Section { id: "summary", title: "Summary", blocks: vec![Block::List(list)] }
}

/// Returns the host of the vendor's address: a page has no addresses.
pub(super) fn host(origin: &str) -> String {
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    host.strip_suffix(":443").unwrap_or(host).to_owned()
}

pub(super) fn tiles(facts: &RunFacts) -> Section {
    let tally = facts.tally();
    let unknown = || NOT_RECORDED.to_owned();
    let verdicts = rows_with(facts, Outcome::has_verdict);
    let matches = rows_with(facts, |outcome| outcome == Outcome::Match);
    let without = rows_with(facts, |outcome| !outcome.has_verdict());
    let share = |part: Option<u64>, whole: Option<u64>| match (part, whole) {
        (Some(part), Some(whole)) => percent(part, whole),
        _ => unknown(),
    };
    let rows = |rows: Option<u64>| rows.map_or_else(unknown, |rows| count(rows, "row"));
    let tile = |name, value, note| Tile { name, value, note, is_main: false };
    let (saved, saved_note) = saved(facts);
    let last_rate = facts.last().and_then(|start| start.summary.as_ref());
    let last_rate = last_rate.map_or_else(unknown, |summary| {
        format!("{} calls/s in the last session", rate(summary.start_calls_per_second))
    });
    let (ran, paused) = times(facts);
    let tiles = vec![
        owed(facts),
        tile("Rows", number(facts.rows), "in the file".to_owned()),
        tile("With a result", share(verdicts, Some(facts.rows)), rows(verdicts)),
        tile("Matches", share(matches, verdicts), "of the rows with a result".to_owned()),
        tile("Without a result", without.map_or_else(unknown, number), "rows".to_owned()),
        tile("Saved", saved, saved_note),
        tile("Calls", number(tally.calls), last_rate),
        tile("Time", span(ran), format!("of it paused: {}", span(paused))),
    ];
    Section { id: "tiles", title: "At a glance", blocks: vec![Block::Tiles(tiles)] }
}

/// Returns the tile with the amount owed. What the calls cost that were purged is known only from the
/// last summary of the run.
fn owed(facts: &RunFacts) -> Tile {
    let tile = |name, value, note| Tile { name, value, note, is_main: true };
    if facts.purged > 0 {
        let note = facts.recorded_costs().map_or("the calls were purged".to_owned(), recorded);
        return tile("You owe, at least", "not known".to_owned(), note);
    }
    let tally = facts.tally();
    let (least, most) = (tally.at_least(), tally.at_most());
    let calls = match most - least {
        0 => count(least, "charged call"),
        possible => format!(
            "{}, and {} more that may be charged",
            count(least, "charged call"),
            number(possible)
        ),
    };
    let (value, note) = match facts.price() {
        None => (count(least, "call"), format!("at most {}; no price was given", number(most))),
        Some(_) if least == most => {
            (amount(facts, Tally::at_least), format!("without tax: {calls}"))
        }
        Some(_) => {
            let most = amount(facts, Tally::at_most);
            (amount(facts, Tally::at_least), format!("at most {most}, without tax: {calls}"))
        }
    };
    tile("You owe, at least", value, note)
}

/// Describes the costs that a summary has recorded.
fn recorded(costs: &RecordedSpending) -> String {
    let currency = costs.money.as_ref().and_then(|money| Currency::parse(&money.currency).ok());
    let amounts = costs.money.as_ref().zip(currency);
    let money = |of: fn(&RecordedMoney) -> u64| {
        let shown = amounts.as_ref().map(|(money, currency)| currency.show(of(money).into()));
        shown.map_or_else(String::new, |shown| format!(" ({shown})"))
    };
    format!(
        "the last summary of the run says: at least {}{}, at most {}{}",
        count(costs.owed_at_least, "call"),
        money(|money| money.at_least),
        number(costs.owed_at_most),
        money(|money| money.at_most)
    )
}

/// Returns the calls that were not needed, as money if there is a price, and a note.
fn saved(facts: &RunFacts) -> (String, String) {
    let Some(survey) = facts.survey() else {
        return (NOT_RECORDED.to_owned(), String::new());
    };
    let calls = survey.funnel.duplicates + survey.funnel.reused;
    let mut amounts = Amounts::default();
    match facts.price() {
        Some(price) => {
            amounts.add(calls, Some(&price));
            (amounts.show(), format!("{} not needed, at most", count(calls, "call")))
        }
        None => (count(calls, "call"), "known, or sent once for several rows".to_owned()),
    }
}

/// Returns the time in which starts were under way, and the time of it in pauses, in milliseconds.
/// Time in which several workers were under way counts once. A start without an end is counted up to
/// the latest that is known of it.
fn times(facts: &RunFacts) -> (i64, i64) {
    let ran = facts.starts.iter().map(|start| (start.began_at.0, start.end().0));
    let paused = facts.starts.iter().flat_map(|start| {
        let end = start.end();
        start.pauses.iter().map(move |pause| (pause.at.0, pause.until.unwrap_or(end).0))
    });
    (covered(ran.collect()), covered(paused.collect()))
}

/// Returns the length of the time that spans cover together.
fn covered(mut spans: Vec<(i64, i64)>) -> i64 {
    spans.sort_unstable();
    let (mut sum, mut until) = (0, i64::MIN);
    for (from, to) in spans {
        sum += (to - from.max(until)).max(0);
        until = until.max(to);
    }
    sum
}

/// Sentence below the commands: a page does not know all flags of its run.
const WHICH_LEDGER: &str = "Give a command in the folder of the customer file. If the run had flags that choose the \
                            ledger, add them to a command: --ledger, --base-url, --key-file, --config.";
/// Word that stands for the input in a command.
const INPUT: &str = "INPUT";

/// Returns what is left to do, the most important first.
pub(super) fn next(facts: &RunFacts) -> Option<Section> {
    let mut steps = Vec::new();
    let ledger = if facts.origin == SANDBOX { " --sandbox" } else { "" };
    let mut add = |text: String, command: Option<String>| {
        let command = command.map(|command| command + ledger).unwrap_or_default();
        steps.push(Step { text, command });
    };
    let rows = |wanted: fn(Outcome) -> bool| rows_with(facts, wanted).unwrap_or_default();
    let (input, run) = (input_word(&facts.input), facts.run);
    if facts.state == RunState::Open {
        add(go_on(facts), None);
    }
    if facts.doubts.total > 0 {
        let calls = count(facts.doubts.total, "call");
        add(
            format!("Ask the vendor about {calls} whose charge is not known."),
            Some(format!("ceknik status --doubts -o ask-run-{run}.xlsx --input {input}")),
        );
    }
    let to_mend = rows(|outcome| matches!(outcome, Outcome::Rejected | Outcome::Refused));
    if to_mend > 0 {
        add(
            format!(
                "Correct {}, and run the corrected file.{}",
                count(to_mend, "row"),
                if has_sent_too_often(facts) {
                    " Those that were sent too often need no correction."
                } else {
                    ""
                }
            ),
            Some(format!(
                "ceknik export {input} --run {run} --only rejected,refused -o to-correct.xlsx"
            )),
        );
    }
    let unavailable = rows(|outcome| outcome == Outcome::Unavailable);
    if unavailable > 0 && facts.state == RunState::Finished {
        add(send_again(facts, unavailable), None);
    }
    let mismatches = rows(|outcome| outcome == Outcome::Mismatch);
    if mismatches > 0 {
        add(
            format!(
                "Compare {} with the card: NIK and name do not belong together.",
                count(mismatches, "row")
            ),
            Some(format!("ceknik export {input} --run {run} --only mismatch -o mismatches.xlsx")),
        );
    }
    let month = facts.minutes.iter().filter_map(|minute| minute.day).max();
    if let Some(month) = month.filter(|_| facts.origin != SANDBOX) {
        let month = month.strftime("%Y-%m");
        add(
            format!("Compare the calls of {month} with the vendor's invoice."),
            Some(format!("ceknik status --month {month}")),
        );
    }
    steps.truncate(MOST_STEPS);
    let mut note = WHICH_LEDGER.to_owned();
    if input == INPUT {
        note = format!("{INPUT} stands for the path of the customer file. {note}");
    }
    (!steps.is_empty()).then(|| Section {
        id: "next",
        title: "What is left to do",
        blocks: vec![Block::Steps(steps), Block::Text(note)],
    })
}

/// Describes how rows are sent again that the vendor could not check.
fn send_again(facts: &RunFacts, rows: u64) -> String {
    let rows = count(rows, "row");
    // Some of these rows may have been charged already.
    let paid = match facts.tally().possible.gateway {
        0 => "",
        _ => " If a gateway answered, you may pay for a row twice: see the errors below.",
    };
    let same = same_command(facts);
    format!("Send {rows} again that the vendor could not check: {same}{paid}")
}

/// Checks whether the vendor refused rows because they were sent too often: nothing is wrong with them.
fn has_sent_too_often(facts: &RunFacts) -> bool {
    let is_too_often = |failure: &Failure| failure.class == Class::Refused(Refusal::Abnormal);
    facts.failures.iter().any(is_too_often)
}

/// Describes the command that runs the file again. A page does not know all flags: the ledger, a name
/// of the run, and columns may belong to it.
fn same_command(facts: &RunFacts) -> String {
    let settings = facts.starts.last().and_then(|start| start.settings.as_ref());
    let flags = settings.map(|settings| settings.money_flags(settings.max_charges));
    match flags.as_deref().unwrap_or_default() {
        "" => "run the same command with the same flags.".to_owned(),
        flags => format!("run the same command with the same flags (the last ones were{flags})."),
    }
}

/// Describes how an unfinished run goes on.
fn go_on(facts: &RunFacts) -> String {
    let stop = facts.starts.last().and_then(|start| start.stop.as_deref());
    // The rows of an older output are not what is left now.
    let left = rows_with(facts, |outcome| outcome == Outcome::NotSent);
    let left = left.filter(|_| facts.older_output().is_none());
    let left = left.map_or("the rest".to_owned(), |rows| count(rows, "row"));
    match stop.and_then(StopReason::of_name) {
        Some(StopReason::Budget(_)) => {
            format!("Continue with {left}, and with a higher limit: {}", same_command(facts))
        }
        Some(StopReason::OutOfQuota) => {
            format!("Buy more calls from the vendor. Then the same command continues with {left}.")
        }
        Some(StopReason::Account(_)) => {
            format!(
                "Correct or renew the key, or correct the address. Then the same command continues with {left}."
            )
        }
        _ => format!("Continue with {left}: {}", same_command(facts)),
    }
}

/// Returns the input as a word of a command. A page may not know the name of the file: `INPUT` stands
/// for it.
fn input_word(label: &str) -> String {
    // Digits and names of customers are masked with stars and with `x`.
    let is_known = label != STDIN && !["***", "xx"].iter().any(|mask| label.contains(mask));
    match (is_known, label.starts_with('-')) {
        (false, _) => INPUT.to_owned(),
        (true, true) => quoted(&format!("./{label}")),
        (true, false) => quoted(label),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_several_workers_counts_once() {
        for (spans, length) in [
            (vec![], 0),
            (vec![(0, 10), (20, 30)], 20),
            (vec![(0, 10), (2, 5), (8, 12)], 12),
            (vec![(5, 3), (0, 2)], 2),
        ] {
            assert_eq!(covered(spans.clone()), length, "{spans:?}");
        }
    }

    #[test]
    fn the_input_is_a_word_of_a_command() {
        for (label, word) in [
            ("in.csv", "in.csv"),
            ("data nasabah.xlsx", "'data nasabah.xlsx'"),
            ("-in.csv", "./-in.csv"),
            ("nasabah_******.csv", "INPUT"),
            ("Kredit_xxxx-xxxxxxx 2026.csv", "INPUT"),
            ("standard input", "INPUT"),
        ] {
            assert_eq!(input_word(label), word);
        }
    }
}
