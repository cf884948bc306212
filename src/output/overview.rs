//! What the last sheet of a workbook says: where the rows went, and what the run owes.
//!
//! Must hold: a pure function of the run's facts, so that the same run gives the same sheet.
//! Never: the time that a start took, or any other thing that differs from start to start.

use super::words::{count, local};
use crate::model::attempt::WallMs;
use crate::model::money::{Price, Tally};
use crate::model::outcome::{Outcome, OutcomeCounts};
use crate::model::row::Rejection;

/// The facts of a run that its last sheet shows.
#[derive(Debug, Clone)]
pub struct Overview<'a> {
    /// The run in the ledger.
    pub run: u64,
    /// When it first began.
    pub begun: WallMs,
    /// `finished`, or why it stopped.
    pub ended: &'static str,
    /// Where the calls went.
    pub origin: &'a str,
    /// Rows by outcome.
    pub outcomes: OutcomeCounts,
    /// Rejected rows by reason.
    pub rejected: Vec<(Rejection, u64)>,
    /// What the run cost, all its starts together.
    pub tally: Tally,
    /// What a charged call costs, where it is known.
    pub price: Option<&'a Price>,
}

/// A line of the last sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// What follows.
    Heading(&'static str),
    /// A label, what is counted, and a word on it.
    Count(&'static str, u64, &'static str),
    /// A label and a text.
    Text(&'static str, String),
}

impl Overview<'_> {
    /// Its lines, from the top.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = vec![
            Line::Heading("Run"),
            Line::Text("Number", self.run.to_string()),
            Line::Text("Begun", local(self.begun, "%Y-%m-%d %H:%M:%S %:z")),
            Line::Text("Ended", self.ended.replace('_', " ")),
            Line::Text("Vendor", self.origin.to_owned()),
            Line::Heading("Rows"),
        ];
        for (outcome, rows) in self.outcomes.iter().filter(|(_, rows)| *rows > 0) {
            let (title, meaning) = in_words(outcome);
            lines.push(Line::Count(title, rows, meaning));
        }
        lines.push(Line::Count("All rows", self.outcomes.total(), ""));
        if !self.rejected.is_empty() {
            lines.push(Line::Heading("Rejected, by reason"));
        }
        for (why, rows) in &self.rejected {
            lines.push(Line::Count(why.code(), *rows, why.explain()));
        }
        lines.extend(self.money());
        lines
    }

    fn money(&self) -> Vec<Line> {
        let Tally { calls, possible, assumed_free, .. } = self.tally;
        let (least, most) = (self.tally.at_least(), self.tally.at_most());
        let mut lines = vec![
            Line::Heading("Calls and charges"),
            Line::Count("Calls", calls, ""),
            Line::Count("Charged, confirmed", least, "surely on the invoice"),
            Line::Count("Charged, possible", possible.total(), "may come on top"),
        ];
        for (label, calls, what) in [
            ("  in doubt", possible.in_doubt, "sent, no result came"),
            ("  unknown answer", possible.unknown_code, "a code or status that is not documented"),
            ("  gateway error", possible.gateway, "it may have passed them on"),
            ("Error answers", assumed_free, "assumed free"),
        ] {
            if calls > 0 {
                lines.push(Line::Count(label, calls, what));
            }
        }
        let owed = |calls| match self.price {
            Some(price) => format!("{}, {}", count(calls, "call"), price.show(calls)),
            None => count(calls, "call"),
        };
        if let Some(price) = self.price {
            lines.push(Line::Text("Price of a charged call", price.show(1)));
        }
        lines.push(Line::Text("You owe, at least", owed(least)));
        lines.push(Line::Text("You owe, at most", owed(most)));
        lines
    }
}

/// An outcome in words for people: its name, and what it means.
pub(super) const fn in_words(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Match => ("Match", "NIK and name belong together"),
        Outcome::Mismatch => ("Mismatch", "NIK and name do not belong together"),
        Outcome::NotSure => ("Not sure", "the vendor could not tell"),
        Outcome::Failed => ("Failed", "the vendor could not check it"),
        Outcome::Unknown => {
            ("Unknown answer", "a result code that is not documented: see ck_result")
        }
        Outcome::Rejected => ("Rejected", "not sent: our own check said no, see ck_reason"),
        Outcome::Refused => ("Refused", "the vendor refused the row: see ck_status and ck_reason"),
        Outcome::Unavailable => ("Unavailable", "each try was answered \"not now\""),
        Outcome::InDoubt => ("In doubt", "sent, no result came; it may have been charged"),
        Outcome::NotSent => ("Not sent", "the run stopped before; the same command goes on"),
    }
}
