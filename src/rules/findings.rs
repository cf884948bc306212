//! What a file shows as a whole: counts fed row by row, and the damage that stops it before the first call.
//!
//! Must hold: the counts are those of every row that was fed, in any order.
//! Never: decides what to do about a finding; a flag may override it.

use crate::model::row::{NikLook, Reading, RejectionCounts, WarningCounts};

/// Scientific notation in more than this share of the rows, in percent, stops the file.
const SCIENTIFIC_PERCENT: u64 = 1;
/// A last digit 0 in this share of the NIKs or more, in percent, stops the file. About 10 is normal.
const LAST_ZERO_PERCENT: u64 = 30;
/// Below this many NIKs the last digits say nothing.
const LAST_ZERO_LEAST: u64 = 50;
/// Rejections in more than this share of the rows, in percent, stop the file.
const REJECTED_PERCENT: u64 = 50;

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
    /// Rows whose name was changed by cleaning.
    pub names_changed: u64,
    /// NIK cells in scientific notation.
    pub scientific: u64,
    /// NIK cells of 16 digits, rejected ones among them.
    pub niks: u64,
    /// Those of them whose last digit is 0.
    pub last_zero: u64,
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
            NikLook::Digits { last_zero } => {
                self.niks += 1;
                self.last_zero += u64::from(last_zero);
            }
            NikLook::Scientific => self.scientific += 1,
            NikLook::Rounded | NikLook::Other => {}
        }
    }

    /// Rows that did not pass.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejections.total()
    }
}

/// Which kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// NIKs were turned into scientific notation.
    Scientific,
    /// Too many NIKs end in 0.
    LastZero,
    /// Too few rows can be sent.
    MostlyRejected,
}

/// A reason to stop the whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which kind of damage.
    pub kind: FindingKind,
    /// How many rows show it.
    pub count: u64,
    /// Out of how many.
    pub of: u64,
}

impl Finding {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.kind {
            FindingKind::Scientific => "file_scientific",
            FindingKind::LastZero => "file_last_digit_zero",
            FindingKind::MostlyRejected => "file_mostly_rejected",
        }
    }

    /// What was found, with the figures.
    #[must_use]
    pub fn message(&self) -> String {
        let (count, of) = (self.count, self.of);
        match self.kind {
            FindingKind::Scientific => {
                format!(
                    "{count} of {of} rows have the NIK in scientific notation (like 3.27501E+15): its last digits are lost"
                )
            }
            FindingKind::LastZero => {
                format!(
                    "{count} of {of} NIKs end in 0, where about one in ten is normal: a spreadsheet has zeroed their last digit"
                )
            }
            FindingKind::MostlyRejected => {
                format!("{count} of {of} rows fail our own checks: is this the right column?")
            }
        }
    }

    /// How to mend it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.kind {
            FindingKind::Scientific | FindingKind::LastZero => {
                "export again from the source system with the NIK column set to Text; saving this file as CSV once more can't bring the digits back"
            }
            FindingKind::MostlyRejected => {
                "look at the reasons by count, and choose the columns with --id-column and --name-column"
            }
        }
    }
}

/// The reasons to stop before the first call. A file without rows has none.
#[must_use]
pub fn stop_findings(counts: &FileCounts) -> Vec<Finding> {
    let found = |kind, count, of, stops: bool| stops.then_some(Finding { kind, count, of });
    let (rows, rejected) = (counts.rows, counts.rejected());
    [
        found(
            FindingKind::Scientific,
            counts.scientific,
            rows,
            over(counts.scientific, SCIENTIFIC_PERCENT, rows),
        ),
        found(
            FindingKind::LastZero,
            counts.last_zero,
            counts.niks,
            counts.niks >= LAST_ZERO_LEAST
                && at_least(counts.last_zero, LAST_ZERO_PERCENT, counts.niks),
        ),
        found(FindingKind::MostlyRejected, rejected, rows, over(rejected, REJECTED_PERCENT, rows)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether `count` is `percent` of `of` or more.
fn at_least(count: u64, percent: u64, of: u64) -> bool {
    u128::from(count) * 100 >= u128::from(percent) * u128::from(of)
}

/// Whether `count` is more than `percent` of `of`. In 128 bits, where no count overflows.
fn over(count: u64, percent: u64, of: u64) -> bool {
    u128::from(count) * 100 > u128::from(percent) * u128::from(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::row::{Checked, Rejection, Warning, Warnings};
    use crate::model::subject::Subject;
    use crate::rules::name::check_name;
    use crate::rules::nik::{NikPolicy, check_nik};

    fn counts(rows: u64, niks: u64, last_zero: u64, scientific: u64, rejected: u64) -> FileCounts {
        let mut counts = FileCounts { rows, niks, last_zero, scientific, ..FileCounts::default() };
        (0..rejected).for_each(|_| counts.rejections.add(Rejection::NikLength));
        counts
    }

    #[test]
    fn stops_at_the_limits() {
        for (what, counts, codes) in [
            ("nothing", counts(0, 0, 0, 0, 0), ""),
            ("a plain file", counts(1000, 1000, 100, 0, 100), ""),
            ("1 % scientific", counts(1000, 990, 99, 10, 10), ""),
            ("over 1 % scientific", counts(1000, 989, 98, 11, 11), "file_scientific"),
            ("few NIKs", counts(49, 49, 49, 0, 0), ""),
            ("under 30 % zeros", counts(100, 100, 29, 0, 0), ""),
            ("30 % zeros", counts(100, 100, 30, 0, 0), "file_last_digit_zero"),
            ("50 NIKs, 15 zeros", counts(50, 50, 15, 0, 0), "file_last_digit_zero"),
            ("half rejected", counts(100, 100, 0, 0, 50), ""),
            ("over half rejected", counts(101, 100, 0, 0, 51), "file_mostly_rejected"),
            (
                "all at once",
                counts(100, 50, 50, 50, 100),
                "file_scientific file_last_digit_zero file_mostly_rejected",
            ),
            ("one bad row", counts(1, 0, 0, 1, 1), "file_scientific file_mostly_rejected"),
        ] {
            let found = stop_findings(&counts);
            assert_eq!(
                found.iter().map(Finding::code).collect::<Vec<_>>().join(" "),
                codes,
                "{what}"
            );
            for finding in found {
                assert!(finding.message().contains(&finding.count.to_string()), "{what}");
                assert!(!finding.hint().is_empty());
            }
        }
    }

    #[test]
    fn counts_what_it_is_fed() {
        let mut counts = FileCounts::default();
        let (nik, _) = check_nik("3275014101900010", &NikPolicy::default()).unwrap();
        let name = check_name("BUDI", None).unwrap().name;
        let warnings: Warnings = [Warning::NameHasComma].into_iter().collect();
        let checked = Checked { subject: Subject { nik, name }, warnings, name_changed: true };
        counts.add(&Reading { checked: Ok(checked), look: NikLook::Digits { last_zero: true } });
        counts.add(&Reading {
            checked: Err(Rejection::ExcelTruncated),
            look: NikLook::Digits { last_zero: true },
        });
        counts
            .add(&Reading { checked: Err(Rejection::ExcelScientific), look: NikLook::Scientific });
        counts.add(&Reading { checked: Err(Rejection::RaggedRow), look: NikLook::Other });

        assert_eq!((counts.rows, counts.passed, counts.rejected()), (4, 1, 3));
        assert_eq!((counts.niks, counts.last_zero, counts.scientific), (2, 2, 1));
        assert_eq!(counts.names_changed, 1);
        assert_eq!(counts.warnings.get(Warning::NameHasComma), 1);
    }
}
