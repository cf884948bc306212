//! The result of a survey as JSON, as the ledger keeps it.
//!
//! Must hold: fields are only added, because ledgers keep them for years.
//!
//! Never: contains the value of a cell, a header or the name of a sheet, not even masked.

use std::collections::BTreeMap;

use serde::Serialize;

use super::report::by_code;
use crate::model::finding::{Finding, FindingClass, Skipped, Spot};
use crate::model::funnel::Funnel;
use crate::model::row::RejectionCounts;

/// Result of the survey of a file, with the plan for its rows.
#[derive(Debug)]
pub struct SurveyRecord<'a> {
    /// Rows by what was planned for them.
    pub funnel: &'a Funnel,
    /// Rejected rows by reason.
    pub rejected: &'a RejectionCounts,
    /// Rows with a warning, by the code of the warning.
    pub warnings: &'a BTreeMap<&'static str, u64>,
    /// Number of rows whose name was cleaned before it was sent.
    pub names_cleaned: u64,
    /// Records that are not rows.
    pub skipped: Skipped,
    /// Findings about the file.
    pub findings: &'a [Finding],
}

/// Shape of the record.
#[derive(Serialize)]
struct Shape<'a> {
    funnel: &'a Funnel,
    rejected_by_reason: BTreeMap<&'static str, u64>,
    warnings: &'a BTreeMap<&'static str, u64>,
    names_cleaned: u64,
    skipped: Skipped,
    findings: Vec<FindingShape<'a>>,
}

/// A finding. Its message may quote the names of sheets, and is left out.
#[derive(Serialize)]
struct FindingShape<'a> {
    code: &'static str,
    class: FindingClass,
    count: u64,
    of: u64,
    hint: &'static str,
    places: Vec<Place<'a>>,
}

/// Place of a finding, without the value of the cell.
#[derive(Serialize)]
struct Place<'a> {
    line: u64,
    record: u64,
    cell: &'a str,
}

impl SurveyRecord<'_> {
    /// Returns the record as JSON.
    pub fn to_json(&self) -> String {
        let shape = Shape {
            funnel: self.funnel,
            rejected_by_reason: by_code(self.rejected),
            warnings: self.warnings,
            names_cleaned: self.names_cleaned,
            skipped: self.skipped,
            findings: self.findings.iter().map(FindingShape::of).collect(),
        };
        serde_json::to_string(&shape).unwrap_or_default()
    }
}

impl<'a> FindingShape<'a> {
    fn of(finding: &'a Finding) -> Self {
        let Finding { code, class, count, of, hint, places, message: _ } = finding;
        let place =
            |spot: &'a Spot| Place { line: spot.line, record: spot.record, cell: &spot.cell };
        let places = places.iter().map(place).collect();
        Self { code, class: *class, count: *count, of: *of, hint, places }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_places_and_no_values() {
        let spot = Spot { line: 7, record: 6, cell: "B7".to_owned(), value: "xxxx".to_owned() };
        let finding = Finding {
            code: "file_other_sheets",
            class: FindingClass::Info,
            count: 1,
            of: 1,
            message: "1 other sheet: \"Budi\"".to_owned(),
            hint: "name it",
            places: vec![spot],
        };
        let record = SurveyRecord {
            funnel: &Funnel::default(),
            rejected: &RejectionCounts::default(),
            warnings: &BTreeMap::new(),
            names_cleaned: 2,
            skipped: Skipped::default(),
            findings: &[finding],
        };
        let text = record.to_json();
        assert!(text.contains(r#""places":[{"line":7,"record":6,"cell":"B7"}]"#), "{text}");
        assert!(!text.contains("xxxx") && !text.contains("Budi"), "{text}");
    }
}
