//! Results of our own checks of one row: rejected (not sent, free), passed with warnings (sent,
//! reported), or passed.
//!
//! Must hold: codes are stable, because users have them in their output files. Texts are written
//! for a person with a spreadsheet.
//!
//! Never: puts the content of a cell into a rejection or a warning.

use enumset::{EnumSet, EnumSetType};

use super::subject::Subject;

/// Defines an enum whose variants have a stable code and an explanation of one line, a list of all
/// variants, and a type that counts rows by variant. They are defined together, so that they cannot
/// drift apart.
macro_rules! coded {
    (
        $(#[$meta:meta])*
        $type:ident, $(#[$counted:meta])* $counts:ident { $( $variant:ident = $code:literal, $explain:literal; )+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type {
            $( #[doc = $explain] $variant, )+
        }

        impl $type {
            /// All variants, each once, in the order of declaration.
            pub const ALL: &[$type] = &[ $( $type::$variant, )+ ];

            /// Returns the stable code, as written to `ck_reason` and to the summary.
            pub fn code(self) -> &'static str {
                match self { $( $type::$variant => $code, )+ }
            }

            /// Returns one line about the cause and its remedy.
            pub fn explain(self) -> &'static str {
                match self { $( $type::$variant => $explain, )+ }
            }
        }

        $(#[$counted])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $counts([u64; $type::ALL.len()]);

        impl $counts {
            /// Returns the number of rows with this variant.
            pub fn get(&self, one: $type) -> u64 {
                self.0[one as usize]
            }

            /// Returns the variants that occurred and their numbers of rows, in the order of
            /// declaration.
            pub fn iter(&self) -> impl Iterator<Item = ($type, u64)> {
                $type::ALL.iter().map(|&one| (one, self.get(one))).filter(|&(_, count)| count > 0)
            }
        }
    };
}

coded! {
    /// Reason why our own checks refused a row. Nothing is sent for the row.
    Rejection,
    /// Number of rows by rejection.
    RejectionCounts {
        NikEmpty = "nik_empty", "the NIK cell is empty: fill it in, unless the row is a section title or a signature";
        NikLength = "nik_length", "the NIK does not have exactly 16 digits: compare it with the card";
        NikNotDigits = "nik_not_digits", "the NIK cell holds characters that are not digits: correct it, unless the row is a section title or a signature";
        ExcelScientific = "excel_scientific",
            "the spreadsheet turned the NIK into a number like 3.27501E+15, and its last digits are lost: export the data again from the original system, with the NIK column set to Text";
        ExcelRounded = "excel_rounded",
            "the NIK was stored as a number that is too large to be exact, so its last digit may be wrong: export the data again from the original system, with the NIK column set to Text";
        NikPlaceholder = "nik_placeholder", "this is not a real NIK (all digits are the same, or 1234567890…): get the NIK from the card";
        ExcelTruncated = "excel_truncated",
            "the NIK ends in 0000, which is never issued, because the spreadsheet replaced its last digits by zeros: export the data again from the original system, with the NIK column set to Text";
        NikTemporary = "nik_temporary",
            "the NIK begins with 00 to 08, as only temporary numbers of village software do: use the number on the card";
        NikDate = "nik_date",
            "digits 7 to 12 are the birth date DDMMYY (day + 40 for women) and this day or month does not exist: compare the NIK with the card";
        NameEmpty = "name_empty", "the name cell is empty: fill it in";
        NameNotAName = "name_not_a_name", "the name has no letters: correct it, and check that the two columns are not swapped";
        NamePlaceholder = "name_placeholder",
            "the name cell holds what a program writes for a missing value (#N/A, NULL): correct the formula or the export";
        FormulaWithoutValue = "formula_without_value",
            "the cell is a formula whose value was never stored: open the file in a spreadsheet program, save it, and run it again";
        RowHidden = "row_hidden", "the row is hidden in the workbook, and --visible-rows leaves it out";
        QuoteSwallowedRows = "quote_swallowed_rows",
            "a single quotation mark (\") joins the rows below it into this cell: remove the mark or double it";
        RaggedRow = "ragged_row",
            "the row has the wrong number of cells, usually because a cell contains a comma or a semicolon: put that cell in \"quotes\"";
        NotUtf8 = "not_utf8", "the NIK or the name is not valid UTF-8: save the file as \"CSV UTF-8\"";
    }
}

coded! {
    #[derive(EnumSetType)]
    #[enumset(no_super_impls)]
    /// Oddity in a row that is sent all the same.
    Warning,
    /// Number of rows by warning. A row with two warnings counts under both.
    WarningCounts {
        NikDayPastMonthEnd = "nik_day_past_month_end", "the birth date in the NIK is after the end of its month: compare the NIK with the card";
        NikTemporarySent = "nik_temporary_sent",
            "the NIK begins with 00 to 08, as only temporary numbers do: it is sent because this run began before ceknik rejected such NIKs";
        NikProvinceUnknown = "nik_province_unknown", "the first two digits of the NIK are not a known province: compare the NIK with the card";
        NikRegencyOdd = "nik_regency_odd", "digits 3 and 4 of the NIK (the regency) are 00 or 70: compare the NIK with the card";
        NikDistrictZero = "nik_district_zero", "digits 5 and 6 of the NIK (the district) are 00: compare the NIK with the card";
        NikSerialZero = "nik_serial_zero", "the NIK ends in 0000, which is never issued: it is sent because you asked for it";
        NikDateOdd = "nik_date_odd", "the birth date in the NIK does not exist: it is sent because you asked for it";
        NikNumberEndsInZero = "nik_number_ends_in_zero",
            "the NIK is stored as a number and ends in 0, so its last digit may be lost: compare the NIK with the card";
        NikSeveralNames = "nik_several_names", "the same NIK is in this file with different names: only one name can be right";
        NameHasDigits = "name_has_digits", "the name has digits: compare it with the card";
        NameHasComma = "name_has_comma", "the name has a comma, perhaps before a title (S.E., S.H.): if titles are not on the card, remove them first, because a mismatch is charged too; try a few rows with --limit";
        NameHasBrackets = "name_has_brackets", "the name has brackets: compare it with the card";
        NameHasAt = "name_has_at", "the name has an @ and may be an e-mail address: compare it with the card";
        NameMojibake = "name_mojibake", "the name has damaged characters (Ã, â€™): the file was once read with a wrong encoding, so export it again as UTF-8";
        NameOneLetter = "name_one_letter", "the name has only one letter: compare it with the card";
        NameOver60 = "name_over_60", "the name has more than 60 letters and may be two names or an address: compare it with the card";
        NameIsHeader = "name_is_header", "the name is the same as the header of its column: if the row is a second header, remove it";
    }
}

/// Set of warnings, each at most once, in the order of declaration.
pub type Warnings = EnumSet<Warning>;

/// A row that passed the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Pair that would be sent.
    pub subject: Subject,
    /// Oddities of the row.
    pub warnings: Warnings,
    /// True if cleaning changed the name. The output then shows the name that was sent.
    pub name_changed: bool,
}

/// Appearance of the NIK cell as a whole, also in a row that was refused. The findings about the
/// file are counted from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NikShape {
    /// 16 digits after cleaning.
    Digits(DigitTraits),
    /// A number in scientific notation.
    Scientific,
    /// A 16-digit number too large to be exact in a spreadsheet.
    Rounded,
    /// Digits only, as many as an employee number has.
    EmployeeNumber,
    /// Letters, while the name cell holds a NIK.
    Swapped,
    /// Letters, while the name cell holds no NIK.
    Words,
    /// Anything else.
    Other,
}

/// Properties of a 16-digit cell that tell something about its whole column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "signs that have nothing to do with each other")]
pub struct DigitTraits {
    /// The last digit is 0, which damage by a spreadsheet makes common.
    pub last_zero: bool,
    /// The cell is a number to the spreadsheet, or once was.
    pub number: bool,
    /// The day is a woman's (day + 40), which the number of a family card never has.
    pub woman: bool,
    /// The year is 09 to 39. In the number of a family card this is the year of issue. In a NIK it
    /// is the birth year of a child or of a very old person.
    pub late_year: bool,
}

impl NikShape {
    /// Checks whether the cell is a NIK or once was, however damaged.
    pub fn like_nik(self) -> bool {
        matches!(self, Self::Digits(_) | Self::Scientific | Self::Rounded)
    }
}

/// All results of the checks of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The row that passed, or the reason why it was refused.
    pub checked: Result<Checked, Rejection>,
    /// Appearance of the NIK cell. `Other` if the row was refused before its NIK was looked at.
    pub look: NikShape,
    /// Pair that an earlier version would have sent for a row that is refused today. An open run
    /// may have sent it.
    pub sendable_before: Option<Box<Checked>>,
}

impl Reading {
    /// Returns the reading of a row that was refused before its NIK was looked at.
    pub fn refused(why: Rejection) -> Self {
        Self { checked: Err(why), look: NikShape::Other, sendable_before: None }
    }
}

impl RejectionCounts {
    /// Counts one row.
    pub fn add(&mut self, rejection: Rejection) {
        self.0[rejection as usize] += 1;
    }

    /// Returns the number of all rejected rows.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl WarningCounts {
    /// Counts a row under each of its warnings.
    pub fn add(&mut self, warnings: Warnings) {
        if warnings.is_empty() {
            return;
        }
        warnings.iter().for_each(|w| self.0[w as usize] += 1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_plain() {
        let codes: Vec<_> = Rejection::ALL
            .iter()
            .map(|r| r.code())
            .chain(Warning::ALL.iter().map(|w| w.code()))
            .collect();
        assert_eq!(codes.iter().collect::<HashSet<_>>().len(), codes.len());
        for code in codes {
            assert!(
                code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{code}"
            );
        }
    }

    #[test]
    fn explanations_are_one_line() {
        for text in Rejection::ALL
            .iter()
            .map(|r| r.explain())
            .chain(Warning::ALL.iter().map(|w| w.explain()))
        {
            assert!(!text.is_empty() && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn what_looks_like_a_nik() {
        use NikShape::{EmployeeNumber, Other, Rounded, Scientific};
        for (look, is_like) in
            [(Scientific, true), (Rounded, true), (EmployeeNumber, false), (Other, false)]
        {
            assert_eq!(look.like_nik(), is_like, "{look:?}");
        }
    }

    #[test]
    fn counts_add_up() {
        let mut rejections = RejectionCounts::default();
        rejections.add(Rejection::NikDate);
        rejections.add(Rejection::NikDate);
        rejections.add(Rejection::NotUtf8);
        assert_eq!(
            rejections.iter().collect::<Vec<_>>(),
            [(Rejection::NikDate, 2), (Rejection::NotUtf8, 1)]
        );
        assert_eq!(rejections.total(), 3);

        let mut warnings = WarningCounts::default();
        warnings.add([Warning::NameHasAt, Warning::NameHasComma].into_iter().collect());
        warnings.add([Warning::NameHasAt].into_iter().collect());
        assert_eq!(warnings.get(Warning::NameHasAt), 2);
        assert_eq!(warnings.iter().count(), 2);
    }
}
