//! The content of a workbook's first sheet: where the rows went, what the run owes, and what to do next.
//!
//! Must hold: a pure function of the run's facts, so that the same run gives the same sheet.
//! Never: the time that a start took, or any other thing that differs from start to start.

use super::words::local;
use crate::model::attempt::WallMs;
use crate::model::money::{Price, Tally};
use crate::model::outcome::{Outcome, OutcomeCounts};
use crate::model::row::Rejection;

/// The facts of a run that its first sheet shows.
#[derive(Debug, Clone)]
pub struct Overview<'a> {
    /// The input, fit to be shown.
    pub input: &'a str,
    /// The run in the ledger.
    pub run: u64,
    /// When it first began.
    pub begun: WallMs,
    /// The moment at which this start ended, as the ledger notes it.
    pub ended_at: WallMs,
    /// `finished`, or why it stopped.
    pub ended: &'static str,
    /// Where the calls went.
    pub origin: &'a str,
    /// True if answers of the stand-in vendor are among the results.
    pub from_sandbox: bool,
    /// Rows by outcome.
    pub outcomes: OutcomeCounts,
    /// Rows that repeat a pair above.
    pub duplicates: u64,
    /// Rows that an earlier run answered.
    pub known: u64,
    /// Rejected rows by reason.
    pub rejected: Vec<(Rejection, u64)>,
    /// The calls and charges of the run, all its starts together.
    pub tally: Tally,
    /// The price of a charged call, where it is known.
    pub price: Option<&'a Price>,
}

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
    /// A label, rows, their share of all rows, and a word on them.
    Rows(&'static str, u64, f64, &'static str),
    /// A label, what is counted, and a word on it.
    Count(&'static str, u64, &'static str),
    /// A label, calls, what they cost, and a word on them.
    Calls(&'static str, u64, &'static str),
    /// A label, and what one call costs.
    Price(&'static str),
    /// Something to do.
    Todo(String),
}

impl Overview<'_> {
    /// Its lines, from the top.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = vec![Line::Title("Results of a check of NIKs and names")];
        if self.from_sandbox {
            lines.push(Line::Alarm(
                "SANDBOX: a stand-in answered. Nothing is verified, nothing was bought.",
            ));
        }
        let time = |at| local(at, "%Y-%m-%d %H:%M:%S (UTC%:z)");
        lines.extend([
            Line::Heading("Run"),
            Line::Text("Input", self.input.to_owned()),
            Line::Text("Run", self.run.to_string()),
            Line::Text("Begun", time(self.begun)),
            Line::Text("Ended", time(self.ended_at)),
            Line::Text("State", self.ended.replace('_', " ")),
            Line::Text("Vendor", self.origin.to_owned()),
        ]);
        lines.extend(self.rows());
        lines.extend(self.money());
        lines.push(Line::Heading("What to do next"));
        lines.extend(self.todo().into_iter().map(Line::Todo));
        lines
    }

    fn rows(&self) -> Vec<Line> {
        let all = self.outcomes.total();
        let share = |rows: u64| rows as f64 / all.max(1) as f64;
        let mut lines = vec![Line::Heading("Rows")];
        for (outcome, rows) in self.outcomes.iter().filter(|(_, rows)| *rows > 0) {
            let (title, meaning) = in_words(outcome);
            lines.push(Line::Rows(title, rows, share(rows), meaning));
        }
        lines.push(Line::Rows("All rows", all, share(all), ""));
        if !self.rejected.is_empty() {
            lines.push(Line::Heading("Rejected, by reason"));
        }
        for (why, rows) in &self.rejected {
            lines.push(Line::Count(why.code(), *rows, why.explain()));
        }
        lines.extend([
            Line::Heading("Not paid for in this run"),
            Line::Count(
                "Rejected",
                self.outcomes.get(Outcome::Rejected),
                "not sent; once they are corrected they cost as the others do",
            ),
            Line::Count("Duplicates", self.duplicates, "the same NIK and name as a row above"),
            Line::Count("Known already", self.known, "answered in an earlier run"),
        ]);
        lines
    }

    fn money(&self) -> Vec<Line> {
        let Tally { calls, possible, assumed_free, .. } = self.tally;
        let (least, most) = (self.tally.at_least(), self.tally.at_most());
        let mut lines = vec![
            Line::Heading("Calls and charges"),
            Line::Count("Calls made", calls, ""),
            Line::Calls("Charged", least, "surely on the invoice"),
            Line::Calls("Possibly charged", possible.total(), "may come on top"),
        ];
        for (label, calls, what) in [
            ("  in doubt", possible.in_doubt, "sent, no result came"),
            ("  unknown answer", possible.unknown_code, "a code or status that is not documented"),
            ("  gateway error", possible.gateway, "a gateway may have passed them on"),
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
        match self.price {
            Some(_) => lines.push(Line::Price("Price of a charged call")),
            None => {
                lines.push(Line::Text("Price", "not set: give --price to see the money".to_owned()))
            }
        }
        lines
    }

    /// Advice on what to do next, by what the rows show.
    fn todo(&self) -> Vec<String> {
        let rows = |outcome| match self.outcomes.get(outcome) {
            0 => None,
            1 => Some("1 row".to_owned()),
            n => Some(format!("{n} rows")),
        };
        let mut todo = Vec::new();
        let mut add = |outcome, what: &str| {
            todo.extend(rows(outcome).map(|rows| format!("{rows} {what}")));
        };
        add(Outcome::NotSent, "not sent yet. Run the same command again.");
        add(
            Outcome::InDoubt,
            "in doubt. Ask the vendor about the charge. Nothing is sent again by itself; --in-doubt resend does so, and you \
             may pay twice.",
        );
        add(Outcome::Unavailable, "without an answer. Run the same command again.");
        add(Outcome::Refused, "refused by the vendor. The sheet Needs attention has the reasons.");
        add(Outcome::Unknown, "with a result code that is not documented. Ask the vendor.");
        add(
            Outcome::Rejected,
            "rejected by our own checks. Correct the file (sheet Needs attention), and run it again.",
        );
        add(Outcome::Mismatch, "where NIK and name do not belong together. Compare with the card.");
        if todo.is_empty() {
            todo.push("Nothing: every row has a result.".to_owned());
        }
        todo
    }
}

/// An outcome in words for people: its name, and what it means.
pub(super) const fn in_words(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Match => ("Match", "NIK and name belong together"),
        Outcome::Mismatch => ("Mismatch", "NIK and name do not belong together"),
        Outcome::NotSure => ("Not sure", "the vendor could not tell"),
        Outcome::Failed => ("Failed", "the vendor could not check it"),
        Outcome::Unknown => ("Unknown answer", "a result code that is not documented"),
        Outcome::Rejected => ("Rejected", "not sent: our own check refused it"),
        Outcome::Refused => ("Refused", "the vendor refused the row"),
        Outcome::Unavailable => ("Unavailable", "each try was answered \"not now\""),
        Outcome::InDoubt => ("In doubt", "sent, no result came; it may have been charged"),
        Outcome::NotSent => ("Not sent", "the run stopped before; the same command goes on"),
    }
}
