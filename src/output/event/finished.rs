//! The end of a command, in one line for people.

use serde::Serialize;

use crate::model::exit_code::ExitCode;
use crate::model::money::{number, price_in_brackets};
use crate::output::report::RunReport;
use crate::output::words::count;

/// The end of a command.
#[derive(Debug, Clone, Serialize)]
pub struct Finished<'a> {
    /// Exit code.
    pub exit: ExitCode,
    /// Name of the reason: `finished`, the reason for a stop, or `error`.
    pub reason: &'a str,
    /// Description of the reason for people, without advice.
    #[serde(skip)]
    pub what: &'a str,
    /// What to do next, if there is anything.
    pub next: Option<&'a str>,
    /// The summary of the run; `null` if no run was begun.
    pub summary: Option<&'a RunReport>,
}

impl Finished<'_> {
    /// Formats the end of a command as one line: the reason, the counts, the money, and what to do
    /// next.
    pub fn text(&self) -> String {
        let mut text = format!("exit {}: {}", self.exit.number(), one_line(self.what));
        if let Some(report) = self.summary {
            text += &figures(report);
        }
        if let Some(next) = self.next {
            text += &format!("; next: {}", one_line(next));
        }
        text
    }
}

/// Formats the counts and the money of a run, to follow the reason for its end.
fn figures(report: &RunReport) -> String {
    let spending = &report.spending;
    let mut text = String::new();
    if let Some(written) = &report.written {
        let (done, rows) = (number(written.outcomes.with_verdict()), count(report.rows, "row"));
        let have = if report.rows == 1 { "has" } else { "have" };
        text += &format!("; {done} of {rows} {have} a result");
    }
    let (least, most) = (spending.owed_at_least(), spending.owed_at_most());
    let price = spending.price.as_ref();
    text += &format!("; {} charged{}", count(least, "call"), price_in_brackets(price, least));
    if most > least {
        let money = price_in_brackets(price, most - least);
        text += &format!(", possibly {} more{money}", number(most - least));
    }
    text
}

/// Joins the lines of a text to one line.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_one_line() {
        let mut report = RunReport::blank();
        report.rows = 1;
        let end = Finished {
            exit: ExitCode::Source,
            reason: "unreachable",
            what: "the vendor\n  could not be reached",
            next: Some("the same command continues:\n    ceknik run a.csv"),
            summary: Some(&report),
        };
        let line = "exit 16: the vendor could not be reached; 0 calls charged; next: the same command continues: \
                    ceknik run a.csv";
        assert_eq!(end.text(), line);
        let alone = Finished { summary: None, next: None, ..end };
        assert_eq!(alone.text(), "exit 16: the vendor could not be reached");
    }
}
