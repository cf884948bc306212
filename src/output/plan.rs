//! What is told before the first call: the forecast, which `plan` and `run` share, and the plan as JSON.
//!
//! Must hold: the JSON's shape is versioned and documented in README.md; figures are whole numbers, money in minor
//! units. Never: holds a cell; headers and labels are masked before they get here.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::model::exit_code::ExitCode;
use crate::model::finding::{Finding, Skipped, Spot};
use crate::model::funnel::{Ages, Funnel};
use crate::model::money::{Price, Tally};
use crate::model::row::{RejectionCounts, WarningCounts};
use crate::rules::estimate::{Basis, Charges, Fit, History};

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
    /// Maximum number of calls of the start.
    pub max_calls: Option<u64>,
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

/// All that a plan says.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The calls that would be sent, their price and their time.
    pub forecast: &'a Forecast,
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
    pub stops_at: Option<&'a Spot>,
    /// The exit code.
    pub exit: ExitCode,
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

impl Plan<'_> {
    /// The version of the shape.
    pub const VERSION: u32 = 1;

    /// As text, one field a line.
    ///
    /// # Errors
    /// What serde says.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

impl Serialize for Plan<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Forecast { funnel, rejections, ages, tally, charges, basis, price, pace, .. } =
            self.forecast;
        let Funnel { rows, rejected: _, duplicates, reused, in_doubt, done, to_send } = funnel;
        let rejected: BTreeMap<_, _> =
            rejections.iter().map(|(why, rows)| (why.code(), rows)).collect();
        let warnings: BTreeMap<_, _> =
            self.warnings.iter().map(|(what, rows)| (what.code(), rows)).collect();
        // Maps stand in the order of their names.
        let (confirmed, possible) = (tally.confirmed, tally.possible.total());
        let spent = BTreeMap::from([("confirmed", confirmed), ("possible", possible)]);
        let (charge_share, history) = match basis {
            Basis::Given(share) => (Some(share.percent() / 100.0), None),
            Basis::History(known) => (None, Some(known)),
            Basis::Nothing => (None, None),
        };
        let history = history.map(|History { answers, charged }| {
            BTreeMap::from([("answers", answers), ("charged", charged)])
        });
        let money = price.as_ref().map(|price| Amounts {
            currency: price.currency.code(),
            price: price.per_call,
            figures: Figures::of(charges, |calls| price.of(calls)),
            saved: price.of(funnel.saved()),
        });
        let budget = self.forecast.fit.map(|fit| Budget {
            max_charges: fit.max_charges,
            remaining: fit.remaining,
            fits: fit.fits(),
            stops_after_calls: fit.stops_after,
            stops_at_record: self.stops_at.map(|at| at.record),
            stops_at_line: self.stops_at.map(|at| at.line),
        });
        let mut plan = serializer.serialize_map(None)?;
        plan.serialize_entry("version", &Self::VERSION)?;
        plan.serialize_entry("origin", self.origin)?;
        plan.serialize_entry("file", &self.file)?;
        plan.serialize_entry("rows", rows)?;
        plan.serialize_entry("rejected", &rejected)?;
        plan.serialize_entry("duplicates", duplicates)?;
        plan.serialize_entry("reused", reused)?;
        plan.serialize_entry("in_doubt", in_doubt)?;
        plan.serialize_entry("done", done)?;
        plan.serialize_entry("to_send", to_send)?;
        plan.serialize_entry("skipped", &self.skipped)?;
        plan.serialize_entry("ages", ages)?;
        plan.serialize_entry("unsettled", &self.unsettled)?;
        plan.serialize_entry("spent", &spent)?;
        plan.serialize_entry("charges", &Figures::of(charges, |calls| calls))?;
        plan.serialize_entry("charge_share", &charge_share)?;
        plan.serialize_entry("history", &history)?;
        plan.serialize_entry("money", &money)?;
        plan.serialize_entry("rate", &pace.rate)?;
        plan.serialize_entry("seconds", &pace.seconds)?;
        plan.serialize_entry("nights", &pace.nights.map(|(nights, _)| nights))?;
        plan.serialize_entry("budget", &budget)?;
        plan.serialize_entry("braked", &self.forecast.braked)?;
        plan.serialize_entry("warnings", &warnings)?;
        plan.serialize_entry("findings", self.findings)?;
        plan.serialize_entry("exit", &self.exit)?;
        plan.end()
    }
}
