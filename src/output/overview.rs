//! The content of a workbook's first sheet: the results, the costs of the run, and what to do next.
//!
//! Must hold: a run makes the same sheet, however many starts it took.
//!
//! Never: shows the duration of a start, or another figure that differs from start to start.

use super::report::{RowTotals, RunReport};
use super::words::count;
use crate::model::money::{Tally, number};
use crate::model::outcome::{Outcome, OutcomeCounts};
use crate::model::spending::Spending;
use crate::model::stop::StopReason;

/// A line of the first sheet.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    /// The title of the sheet.
    Title(&'static str),
    /// A warning that must not be missed.
    Alarm(&'static str),
    /// The heading of the lines below it.
    Heading(&'static str),
    /// A label and a text.
    Text(&'static str, String),
    /// A label, a number of rows, their share of all rows, and a note.
    Rows(&'static str, u64, f64, &'static str),
    /// A label, a number, and a note.
    Count(&'static str, u64, &'static str),
    /// A label, a number of calls, and a note. The price of the calls is shown too, if it is known.
    Calls(&'static str, u64, &'static str),
    /// A label. The price of one call is shown beside it.
    Price(&'static str),
    /// Advice on what to do next.
    Todo(String),
}

/// Returns the lines of the first sheet, from the top. `written` are the sums over the rows of the
/// same workbook.
pub(super) fn lines(report: &RunReport, written: &RowTotals) -> Vec<Line> {
    let mut lines = vec![Line::Title("Results of a check of NIKs and names")];
    if written.from_sandbox {
        lines.push(Line::Alarm(
            "SANDBOX: a test vendor answered. Nothing is verified, and nothing was paid.",
        ));
    }
    let time = |at| report.zone.show(at, "%F %H:%M:%S (UTC%:z)");
    lines.extend([
        Line::Heading("Run"),
        Line::Text("Input", report.input.clone()),
        Line::Text("Run", report.run.to_string()),
        Line::Text("Began", time(report.begun)),
        Line::Text("Ended", time(report.ended_at)),
        Line::Text("State", StopReason::in_words(report.ended())),
        Line::Text("Vendor", report.origin.clone()),
    ]);
    if written.shown < written.outcomes.total() {
        let (shown, all) = (number(written.shown), number(written.outcomes.total()));
        let words = format!("{shown} of {all}: only some results were asked for (--only)");
        lines.push(Line::Text("Rows here", words));
    }
    lines.extend(rows(report, written));
    lines.extend(money(&report.spending, report.purged));
    lines.push(Line::Heading("What to do next"));
    lines.extend(advice(&written.outcomes, report.removed).into_iter().map(Line::Todo));
    lines
}

fn rows(report: &RunReport, written: &RowTotals) -> Vec<Line> {
    let all = written.outcomes.total();
    let share = |rows: u64| rows as f64 / all.max(1) as f64;
    let mut lines = vec![Line::Heading("Rows")];
    for (outcome, rows) in written.outcomes.iter().filter(|(_, rows)| *rows > 0) {
        let (title, meaning) = match (outcome, report.removed) {
            (Outcome::NotSent, 1..) => {
                ("Not sent, or purged", "the run stopped first, or the answers were removed later")
            }
            _ => in_words(outcome),
        };
        lines.push(Line::Rows(title, rows, share(rows), meaning));
    }
    lines.push(Line::Rows("All rows", all, share(all), ""));
    if report.rejected.iter().next().is_some() {
        lines.push(Line::Heading("Rejected, by reason"));
    }
    for (why, rows) in report.rejected.iter() {
        lines.push(Line::Count(why.code(), rows, why.explain()));
    }
    lines.extend([
        Line::Heading("Not paid for in this run"),
        Line::Count(
            "Rejected",
            written.outcomes.get(Outcome::Rejected),
            "not sent; a corrected row costs like any other",
        ),
        Line::Count("Duplicates", written.duplicates, "the same NIK and name as a row above"),
        Line::Count("Known already", written.known, "answered in an earlier run"),
    ]);
    lines
}

/// Returns the lines about money. If answers were removed since, nobody knows what is owed.
fn money(spending: &Spending, purged: u64) -> Vec<Line> {
    if purged > 0 {
        let words = format!(
            "not known: `ceknik purge` has removed {}. The first output of the run shows the costs.",
            count(purged, "answer")
        );
        return vec![Line::Heading("Calls and charges"), Line::Text("You owe", words)];
    }
    let Tally { calls, possible, assumed_free, .. } = spending.tally;
    let (least, most) = (spending.owed_at_least(), spending.owed_at_most());
    let mut lines = vec![
        Line::Heading("Calls and charges"),
        Line::Count("Calls made", calls, ""),
        Line::Calls("Charged", least, "surely on the invoice"),
        Line::Calls("Possibly charged", possible.total(), "may be on the invoice too"),
    ];
    for (label, calls, what) in [
        ("  in doubt", possible.in_doubt, "sent, but no answer came"),
        ("  unknown answer", possible.unknown_code, "a code or status that is not documented"),
        ("  gateway error", possible.gateway, "the vendor may have received the call"),
    ] {
        if calls > 0 {
            lines.push(Line::Calls(label, calls, what));
        }
    }
    if assumed_free > 0 {
        lines.push(Line::Count("Error answers", assumed_free, "assumed to be free"));
    }
    lines.push(Line::Calls("You owe, at least", least, ""));
    lines.push(Line::Calls("You owe, at most", most, ""));
    match spending.price {
        Some(_) => lines.push(Line::Price("Price of a charged call")),
        None => {
            lines.push(Line::Text("Price", "not set: give --price to see the amounts".to_owned()))
        }
    }
    lines
}

/// Returns advice on what to do next, by the outcomes of the rows.
fn advice(outcomes: &OutcomeCounts, removed: u64) -> Vec<String> {
    let rows = |outcome| match outcomes.get(outcome) {
        0 => None,
        1 => Some("1 row is".to_owned()),
        n => Some(format!("{n} rows are")),
    };
    let mut todo = Vec::new();
    let mut add = |outcome, what: &str| {
        todo.extend(rows(outcome).map(|rows| format!("{rows} {what}")));
    };
    match removed {
        0 => add(Outcome::NotSent, "not sent yet. Run the same command again."),
        _ => add(
            Outcome::NotSent,
            "without an answer here: `ceknik purge` has removed answers. They are in the first output of the run. If you \
             run the file again, you pay for them again.",
        ),
    }
    add(
        Outcome::InDoubt,
        "in doubt. Ask the vendor about the charge. ceknik does not send such a row again unless you ask for it with \
         --in-doubt resend, and then you may pay twice.",
    );
    add(
        Outcome::Unavailable,
        "unavailable: each try failed. Run the same command again; you may pay twice for those that a gateway answered.",
    );
    add(Outcome::Refused, "refused by the vendor. The sheet Needs attention has the reasons.");
    add(Outcome::Unknown, "answered with a result code that is not documented. Ask the vendor.");
    add(
        Outcome::Rejected,
        "rejected by ceknik's own checks. Correct the file (sheet Needs attention), and run it again.",
    );
    add(
        Outcome::Mismatch,
        "mismatched: NIK and name do not belong together. Compare with the card.",
    );
    if todo.is_empty() {
        todo.push("Nothing: every row has a result.".to_owned());
    }
    todo
}

/// Returns the name and the meaning of an outcome, in words for people.
pub(super) const fn in_words(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Match => ("Match", "NIK and name belong together"),
        Outcome::Mismatch => ("Mismatch", "NIK and name do not belong together"),
        Outcome::NotSure => ("Not sure", "the vendor is not sure"),
        Outcome::Failed => ("Failed", "the vendor could not check the row"),
        Outcome::Unknown => ("Unknown answer", "a result code that is not documented"),
        Outcome::Rejected => ("Rejected", "not sent: ceknik's own checks rejected it"),
        Outcome::Refused => ("Refused", "the vendor refused the row"),
        Outcome::Unavailable => ("Unavailable", "each try failed; the vendor gave no result"),
        Outcome::InDoubt => {
            ("In doubt", "sent, but no answer came; the call may have been charged")
        }
        Outcome::NotSent => ("Not sent", "the run stopped first; the same command continues"),
    }
}
