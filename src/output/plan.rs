//! The content of a plan, and its form as JSON.
//!
//! Must hold: the shape of the JSON is versioned, and documented in docs/json.md. Counts are whole
//! numbers, and amounts of money are in minor units.
//!
//! Never: holds the content of a cell, unless it is masked. Headers and labels are masked before
//! they get here.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::model::exit_code::ExitCode;
use crate::model::finding::{Finding, Skipped, Spot};
use crate::model::funnel::Funnel;
use crate::model::row::WarningCounts;
use crate::rules::estimate::{Basis, Charges, History};
use crate::rules::forecast::Forecast;

/// Content of a plan.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The calls that would be sent, their price and their time.
    pub forecast: &'a Forecast,
    /// Origin that the ledger belongs to.
    pub origin: &'a str,
    /// Way in which the input is read.
    pub file: FileForm,
    /// Number of rows with each warning.
    pub warnings: &'a WarningCounts,
    /// Records that are not rows.
    pub skipped: Skipped,
    /// Findings about the file.
    pub findings: &'a [Finding],
    /// Number of calls without an answer, of starts that have not ended.
    pub unsettled: u64,
    /// Row at which the budget would stop the run, if it would.
    pub stops_at: Option<&'a Spot>,
    /// Exit code of the command.
    pub exit: ExitCode,
}

/// Way in which a file is read.
#[derive(Debug, Clone, Serialize)]
pub struct FileForm {
    /// Name of the input in messages.
    pub input: String,
    /// `csv`, `csv.gz` or `xlsx`.
    pub format: &'static str,
    /// Encoding of a text; `None` for a workbook.
    pub encoding: Option<&'static str>,
    /// Character between the fields of a text; `None` for a workbook.
    pub delimiter: Option<String>,
    /// Name of the workbook's sheet, fit to be shown; `None` for a text.
    pub sheet: Option<String>,
    /// The two columns that are sent.
    pub columns: FileColumns,
    /// All headers, fit to be shown. Empty if the file has no header.
    pub seen: Vec<String>,
}

/// The two columns that are sent.
#[derive(Debug, Clone, Serialize)]
pub struct FileColumns {
    /// Column of the NIK.
    pub id: FileColumn,
    /// Column of the name.
    pub name: FileColumn,
}

/// A chosen column, with the reason for the choice.
#[derive(Debug, Clone, Serialize)]
pub struct FileColumn {
    /// Number of the column, from 1.
    pub index: usize,
    /// Header of the column, fit to be shown; `None` if the file has no header.
    pub header: Option<String>,
    /// Reason for the choice.
    pub why: String,
}

/// Forecast of the charges, in calls or in money.
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
    /// Version of the shape as JSON. Fields are only added within a version.
    pub const VERSION: u32 = 1;

    /// Returns the plan as JSON, with one field per line.
    ///
    /// # Errors
    /// The error of `serde_json`, if the plan cannot be serialized.
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
        // A `BTreeMap` puts its fields into the order of their names.
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
