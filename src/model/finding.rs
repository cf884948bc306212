//! Findings about a file before the first call: each with its class, its figures and its first
//! places.
//!
//! Must hold: codes are stable, because scripts read them in the JSON of `plan`.
//!
//! Never: holds the content of a cell. Values are masked before they get here.

use serde::Serialize;

/// Consequence of a finding for the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingClass {
    /// Nothing of the file is sent, unless the user forces it.
    Stop,
    /// Rows are not sent, or are sent and may be wasted. The user should look at them.
    Warn,
    /// Information that needs no action.
    Info,
}

impl FindingClass {
    /// Returns the word for messages and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

/// Place at which a finding shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spot {
    /// Line of the text, from 1. In a workbook, the row of the sheet.
    pub line: u64,
    /// Number of the data record, from 1. The header has the number 0.
    pub record: u64,
    /// Name of the cell in a spreadsheet that opens the file, such as `B1042`.
    pub cell: String,
    /// Content of the cell, masked.
    pub value: String,
}

/// Most places that are kept for a finding.
pub const SPOTS: usize = 5;

/// One finding about a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// Consequence for the file.
    pub class: FindingClass,
    /// Number of rows that show the finding. 1 if the finding is about the file as a whole.
    pub count: u64,
    /// Number of rows that could show the finding, so that `count` of `of` is its share.
    pub of: u64,
    /// Text about the finding, with its figures.
    pub message: String,
    /// Remedy, in the words of a user of a spreadsheet.
    pub hint: &'static str,
    /// First places, [`SPOTS`] at most.
    pub places: Vec<Spot>,
}

/// Records that are not rows: nothing in them could be sent, and they are not in the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Records above the header.
    pub titles: u64,
    /// Records without any filled cell (`;;;;`).
    pub blank: u64,
    /// Footers with totals (TOTAL).
    pub totals: u64,
    /// Records below the last row with data that hold nothing but the next row number (1, 2, 3 …).
    pub numbered: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_json() {
        for class in [FindingClass::Stop, FindingClass::Warn, FindingClass::Info] {
            assert_eq!(serde_json::to_value(class).unwrap(), class.word());
        }
    }
}
