//! Findings about a file as a whole: counts that are fed row by row, and their meaning before
//! the first call.
//!
//! Must hold: the counts cover every row that was fed, in any order.
//!
//! Never: decides what to do about a finding; a flag may override it.

mod kinds;
mod spots;

pub use kinds::{FileFacts, findings, several_names_finding, stop_findings};
pub use spots::{FirstPlaces, Sign};

use crate::model::row::{NikShape, Reading, RejectionCounts, WarningCounts};

/// Counts of the rows of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// All rows.
    pub rows: u64,
    /// Rows that passed the checks.
    pub passed: u64,
    /// Rows that were rejected, by reason.
    pub rejections: RejectionCounts,
    /// Rows that passed with a warning, by warning.
    pub warnings: WarningCounts,
    /// Rows that the workbook hides. The caller counts these rows: a [`Reading`] does not
    /// say whether its row is hidden.
    pub hidden: u64,
    /// Rows that passed and whose name was changed by cleaning.
    pub names_changed: u64,
    /// NIK cells in scientific notation.
    pub scientific: u64,
    /// NIK cells with a number too large to be exact in a spreadsheet.
    pub rounded: u64,
    /// NIK cells that look like employee numbers.
    pub employee_numbers: u64,
    /// Rows with letters in the NIK cell and a NIK in the name cell.
    pub swapped: u64,
    /// NIK cells of 16 digits, including those of rejected rows.
    pub niks: u64,
    /// NIK cells of 16 digits whose last digit is 0.
    pub last_zero: u64,
    /// NIK cells of 16 digits that are numbers to the spreadsheet.
    pub numbers: u64,
    /// NIK cells of 16 digits that are numbers to the spreadsheet and whose last digit is 0.
    pub numbers_last_zero: u64,
    /// NIK cells of 16 digits with a woman's birth day (day + 40).
    pub women: u64,
    /// NIK cells of 16 digits with a year from 09 to 39.
    pub late_years: u64,
}

impl FileCounts {
    /// Counts one row.
    pub fn add(&mut self, reading: &Reading) {
        self.rows += 1;
        match &reading.checked {
            Ok(checked) => {
                self.passed += 1;
                self.warnings.add(checked.warnings);
                self.names_changed += u64::from(checked.name_changed);
            }
            Err(rejection) => self.rejections.add(*rejection),
        }
        match reading.look {
            NikShape::Digits(look) => {
                self.niks += 1;
                self.last_zero += u64::from(look.last_zero);
                self.numbers += u64::from(look.number);
                self.numbers_last_zero += u64::from(look.number && look.last_zero);
                self.women += u64::from(look.woman);
                self.late_years += u64::from(look.late_year);
            }
            NikShape::Scientific => self.scientific += 1,
            NikShape::Rounded => self.rounded += 1,
            NikShape::EmployeeNumber => self.employee_numbers += 1,
            NikShape::Swapped => self.swapped += 1,
            NikShape::Words | NikShape::Other => {}
        }
    }

    /// Returns the number of rows that were rejected.
    pub fn rejected(&self) -> u64 {
        self.rejections.total()
    }
}

#[cfg(test)]
mod tests;
