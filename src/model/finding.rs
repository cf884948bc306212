//! What a file shows before the first call: each finding with its class, its figures and the first places.
//!
//! Must hold: codes are stable, since scripts read them in the JSON of `plan`.
//! Never: holds a cell; values are masked before they get here.

use serde::Serialize;

/// What a finding means for the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingClass {
    /// Nothing of the file is sent, unless forced.
    Stop,
    /// Worth a look: rows that are not sent, or that are sent and perhaps wasted.
    Warn,
    /// Good to know.
    Info,
}

impl FindingClass {
    /// The word in messages and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

/// A place where a finding shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spot {
    /// The line of the text, from 1; of a workbook the row.
    pub line: u64,
    /// The data record, from 1; 0 is the header.
    pub record: u64,
    /// The cell as a spreadsheet that opens the file names it, such as `B1042`.
    pub cell: String,
    /// What stands there, masked.
    pub value: String,
}

/// How many places of a finding are kept.
pub const SPOTS: usize = 5;

/// One thing that the file shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The stable code.
    pub code: &'static str,
    /// What it means.
    pub class: FindingClass,
    /// How many rows show it; 1 where it is about the file as a whole.
    pub count: u64,
    /// Out of how many; `count` of `of` is its share.
    pub of: u64,
    /// What was found, with the figures.
    pub message: String,
    /// How to mend it, in words of a spreadsheet's user.
    pub hint: &'static str,
    /// The first places, [`SPOTS`] at most.
    pub places: Vec<Spot>,
}

/// Records that are no rows: nothing of them could be sent, and they are not in the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Above the header.
    pub titles: u64,
    /// Without any filled cell (`;;;;`).
    pub blank: u64,
    /// A TOTAL footer.
    pub totals: u64,
    /// Behind the last row with data: nothing but a number that continues 1, 2, 3 …
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
