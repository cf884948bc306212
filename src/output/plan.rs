//! What is told before the first call: the forecast, which `plan` and `run` share, and the plan as JSON.
//!
//! What must hold: the JSON's shape is versioned and documented in README.md; figures are whole numbers, money in minor
//! units. Never: holds a cell; headers and labels are masked before they get here.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::finding::{Finding, Skipped};
use crate::model::funnel::{Ages, Funnel};
use crate::model::money::{Price, Tally};
use crate::model::row::{RejectionCounts, WarningCounts};
use crate::rules::estimate::{Basis, Charges, Fit};

/// What a start is going to send, what that may cost, and how long it takes.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// Where the rows go.
    pub funnel: Funnel,
    /// The rejected ones by reason.
    pub rejections: RejectionCounts,
    /// The reused ones by age.
    pub ages: Ages,
    /// What the run has cost so far.
    pub tally: Tally,
    /// What the calls to be sent may be charged.
    pub charges: Charges,
    /// What the expected charges rest on.
    pub basis: Basis,
    /// What a charged call costs.
    pub price: Option<Price>,
    /// How long it takes.
    pub pace: Pace,
    /// Whether it fits the budget, where there is one.
    pub fit: Option<Fit>,
    /// The first verdicts of the run were mismatches beyond what is borne: nothing is sent.
    pub braked: bool,
}

/// How long the calls to be sent take.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// Calls a second; `None`: no limit.
    pub rate: Option<f64>,
    /// How long that takes at the least.
    pub seconds: Option<u64>,
    /// The time on the clock when it is done if it begins now.
    pub finish: Option<String>,
    /// Nights, and the seconds of one.
    pub nights: Option<(u64, u64)>,
}

/// The row at which a budget would stop the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StopsAt {
    /// Its number among the data records, from 1.
    pub record: u64,
    /// The line it begins on, from 1.
    pub line: u64,
}

/// All that a plan says beside its forecast.
#[derive(Debug)]
pub struct Report<'a> {
    /// The ledger's origin.
    pub origin: &'a str,
    /// How the file is read.
    pub file: FileForm,
    /// Rows with a warning, by warning.
    pub warnings: &'a WarningCounts,
    /// Records that are no rows.
    pub skipped: Skipped,
    /// What the file shows.
    pub findings: &'a [Finding],
    /// Calls of the ledger's latest start without an answer.
    pub unsettled: u64,
    /// Where the budget would stop the run.
    pub stops_at: Option<StopsAt>,
    /// The exit code.
    pub exit: u8,
}

/// How a file is read.
#[derive(Debug, Clone, Serialize)]
pub struct FileForm {
    /// What messages call it.
    pub input: String,
    /// `csv`, `csv.gz` or `xlsx`.
    pub format: &'static str,
    /// Of its text; a workbook has none of its own.
    pub encoding: Option<&'static str>,
    /// The character between fields of a text.
    pub delimiter: Option<String>,
    /// The sheet of a workbook.
    pub sheet: Option<String>,
    /// The two columns.
    pub columns: FileColumns,
    /// All headers, fit to be shown.
    pub seen: Vec<String>,
}

/// The two columns that are sent.
#[derive(Debug, Clone, Serialize)]
pub struct FileColumns {
    /// The NIK.
    pub id: FileColumn,
    /// The name.
    pub name: FileColumn,
}

/// A column, and why it was chosen.
#[derive(Debug, Clone, Serialize)]
pub struct FileColumn {
    /// Its number, from 1.
    pub index: usize,
    /// Its header, fit to be shown.
    pub header: Option<String>,
    /// Why this one.
    pub why: String,
}

/// A plan as JSON.
#[derive(Debug, Serialize)]
pub struct Plan<'a> {
    version: u32,
    origin: &'a str,
    file: &'a FileForm,
    rows: u64,
    rejected: BTreeMap<&'static str, u64>,
    duplicates: u64,
    reused: u64,
    in_doubt: u64,
    done: u64,
    to_send: u64,
    skipped: Skipped,
    ages: Ages,
    unsettled: u64,
    spent: Spent,
    charges: Figures<u64>,
    charge_share: Option<f64>,
    history: Option<Answers>,
    money: Option<Amounts<'a>>,
    rate: Option<f64>,
    seconds: Option<u64>,
    nights: Option<u64>,
    budget: Option<Budget>,
    braked: bool,
    warnings: BTreeMap<&'static str, u64>,
    findings: &'a [Finding],
    exit: u8,
}

/// What the run has cost in earlier starts.
#[derive(Debug, Serialize)]
struct Spent {
    confirmed: u64,
    possible: u64,
}

/// A forecast in calls or in money.
#[derive(Debug, Serialize)]
struct Figures<N> {
    at_least: N,
    expected: Option<N>,
    expected_low: Option<N>,
    expected_high: Option<N>,
    at_most: N,
}

#[derive(Debug, Serialize)]
struct Answers {
    answers: u64,
    charged: u64,
}

#[derive(Debug, Serialize)]
struct Amounts<'a> {
    currency: &'a str,
    price: u64,
    #[serde(flatten)]
    figures: Figures<u128>,
    saved: u128,
}

#[derive(Debug, Serialize)]
struct Budget {
    max_charges: u64,
    remaining: u64,
    fits: bool,
    stops_after_calls: Option<u64>,
    stops_at_record: Option<u64>,
    stops_at_line: Option<u64>,
}

impl<N> Figures<N> {
    fn of(charges: &Charges, make: impl Fn(u64) -> N) -> Self {
        let expected = charges.expected;
        Self {
            at_least: make(charges.at_least),
            expected: expected.map(|e| make(e.calls)),
            expected_low: expected.map(|e| make(e.low)),
            expected_high: expected.map(|e| make(e.high)),
            at_most: make(charges.at_most),
        }
    }
}

impl<'a> Plan<'a> {
    /// The version of the shape.
    pub const VERSION: u32 = 1;

    /// The plan of a forecast and what else is reported.
    #[must_use]
    pub fn of(forecast: &'a Forecast, report: &'a Report<'a>) -> Self {
        let Funnel { rows, rejected: _, duplicates, reused, in_doubt, done, to_send } =
            forecast.funnel;
        let (charge_share, history) = match forecast.basis {
            Basis::Given(share) => (Some(share.percent() / 100.0), None),
            Basis::History(known) => {
                (None, Some(Answers { answers: known.answers, charged: known.charged }))
            }
            Basis::Nothing => (None, None),
        };
        let tally = forecast.tally;
        Self {
            version: Self::VERSION,
            origin: report.origin,
            file: &report.file,
            rows,
            rejected: forecast.rejections.iter().map(|(why, rows)| (why.code(), rows)).collect(),
            duplicates,
            reused,
            in_doubt,
            done,
            to_send,
            skipped: report.skipped,
            ages: forecast.ages,
            unsettled: report.unsettled,
            spent: Spent { confirmed: tally.confirmed, possible: tally.possible.total() },
            charges: Figures::of(&forecast.charges, |calls| calls),
            charge_share,
            history,
            money: forecast.price.as_ref().map(|price| Amounts {
                currency: price.currency.code(),
                price: price.per_call,
                figures: Figures::of(&forecast.charges, |calls| price.of(calls)),
                saved: price.of(forecast.funnel.saved()),
            }),
            rate: forecast.pace.rate,
            seconds: forecast.pace.seconds,
            nights: forecast.pace.nights.map(|(nights, _)| nights),
            budget: forecast.fit.map(|fit| Budget {
                max_charges: fit.max_charges,
                remaining: fit.remaining,
                fits: fit.fits(),
                stops_after_calls: fit.stops_after,
                stops_at_record: report.stops_at.map(|at| at.record),
                stops_at_line: report.stops_at.map(|at| at.line),
            }),
            braked: forecast.braked,
            warnings: report.warnings.iter().map(|(what, rows)| (what.code(), rows)).collect(),
            findings: report.findings,
            exit: report.exit,
        }
    }

    /// As text, one field a line.
    ///
    /// # Errors
    /// What serde says.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}
