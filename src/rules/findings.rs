//! What a file shows as a whole: counts fed row by row, and what they mean before the first call.
//!
//! Must hold: the counts are those of every row that was fed, in any order.
//! Never: decides what to do about a finding; a flag may override it.

mod kinds;
mod spots;

pub use kinds::{FileFacts, findings, several_names_finding, stop_findings};
pub use spots::{Sign, SpotLog};

use crate::model::row::{NikLook, Reading, RejectionCounts, WarningCounts};

/// What the rows of a file added up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// All rows.
    pub rows: u64,
    /// Rows that passed.
    pub passed: u64,
    /// Rows that did not, by reason.
    pub rejections: RejectionCounts,
    /// Rows that passed with a warning, by warning.
    pub warnings: WarningCounts,
    /// Rows that the workbook does not show.
    pub hidden: u64,
    /// Rows whose name was changed by cleaning.
    pub names_changed: u64,
    /// NIK cells in scientific notation.
    pub scientific: u64,
    /// NIK cells that hold a number too large to be exact.
    pub rounded: u64,
    /// NIK cells that look like employee numbers.
    pub employee_numbers: u64,
    /// Rows with letters in the NIK cell and a NIK in the name's.
    pub swapped: u64,
    /// NIK cells of 16 digits, rejected ones among them.
    pub niks: u64,
    /// Those of them whose last digit is 0.
    pub last_zero: u64,
    /// Those of them that are numbers to the spreadsheet.
    pub numbers: u64,
    /// Those of the numbers whose last digit is 0.
    pub numbers_last_zero: u64,
    /// NIK cells of 16 digits with a woman's day.
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
            NikLook::Digits(look) => {
                self.niks += 1;
                self.last_zero += u64::from(look.last_zero);
                self.numbers += u64::from(look.number);
                self.numbers_last_zero += u64::from(look.number && look.last_zero);
                self.women += u64::from(look.woman);
                self.late_years += u64::from(look.late_year);
            }
            NikLook::Scientific => self.scientific += 1,
            NikLook::Rounded => self.rounded += 1,
            NikLook::EmployeeNumber => self.employee_numbers += 1,
            NikLook::Swapped => self.swapped += 1,
            NikLook::Words | NikLook::Other => {}
        }
    }

    /// Rows that did not pass.
    pub fn rejected(&self) -> u64 {
        self.rejections.total()
    }
}

#[cfg(test)]
mod tests;
