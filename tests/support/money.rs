//! Charges, as an output, a ledger and a summary show them.

use serde_json::Value;

use super::Row;

/// Calls that the vendor has confirmed as charged, and calls that it may have charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charges {
    pub confirmed: u64,
    pub possible: u64,
}

impl Charges {
    /// Adds up the charges of the rows of an output.
    pub fn of_rows(rows: &[Row]) -> Self {
        let charged = rows.iter().filter(|row| row["ck_charged"] == "yes").count();
        let possible = rows.iter().map(|row| row["ck_possible"].parse::<u64>().unwrap()).sum();
        Self { confirmed: charged as u64, possible }
    }

    /// Returns the charges of the first run of a ledger, from its `status --json`. A ledger without
    /// a run has no charges.
    pub fn of_first_run(status: &Value) -> Self {
        let runs = status["runs"].as_array().unwrap();
        let first = runs.iter().find(|shown| shown["run"] == 1);
        first.map_or(Self { confirmed: 0, possible: 0 }, |run| Self::of_tally(&run["tally"]))
    }

    /// Returns the charges in a tally of `status --json`, or in the `spending` of a summary.
    pub fn of_tally(tally: &Value) -> Self {
        let possible = tally["possible"].as_object().unwrap().values();
        Self {
            confirmed: tally["confirmed"].as_u64().unwrap(),
            possible: possible.map(|calls| calls.as_u64().unwrap()).sum(),
        }
    }

    /// Returns the bounds of the debt that a summary shows.
    pub fn owed(summary: &Value) -> Self {
        let owed = |name: &str| summary["spending"][name].as_u64().unwrap();
        let (least, most) = (owed("owed_at_least"), owed("owed_at_most"));
        Self { confirmed: least, possible: most - least }
    }

    /// Adds calls that the vendor may have charged.
    pub fn with_possible(self, calls: u64) -> Self {
        Self { possible: self.possible + calls, ..self }
    }

    /// Returns `true` if the number of calls that the vendor has billed lies within these bounds.
    pub fn covers(self, billed: u64) -> bool {
        (self.confirmed..=self.confirmed + self.possible).contains(&billed)
    }
}
