//! The findings: their limits and their texts.
//!
//! Must hold: the most serious findings come first.

use super::{FileCounts, FirstPlaces, Sign};
use crate::model::finding::{Finding, FindingClass, Skipped, Spot};
use crate::model::money::number;
use crate::model::row::{Rejection, Warning};
use crate::rules::headers::HeaderKey;

/// Percentage of rows with a NIK in scientific notation, or with a rounded NIK, above which the
/// file is stopped.
const LOST_DIGITS_PERCENT: u64 = 1;
/// Percentage of NIKs with the last digit 0 from which on the file is stopped. About 10 is normal.
const LAST_ZERO_PERCENT: u64 = 30;
/// Number of NIKs below which their digits say nothing about the column.
const TELLING_NIKS: u64 = 50;
/// Number of NIKs that are numbers to the spreadsheet below which their last digits say nothing.
const TELLING_NUMBERS: u64 = 10;
/// Percentage that counts as most of the rows or NIKs.
const MOST_PERCENT: u64 = 50;
/// Percentage of NIKs with a woman's birth day below which the numbers cannot be people's.
const WOMEN_PERCENT: u64 = 2;

/// Facts about a file besides its rows.
#[derive(Clone, Debug, Default)]
pub struct FileFacts {
    /// Key of the NIK column's header.
    pub id_header: Option<HeaderKey>,
    /// Number of headers that more than one column has.
    pub repeated_headers: u64,
    /// `true` if the text was read as Windows-1252 because of its bytes, and no encoding was named.
    pub guessed_windows_1252: bool,
    /// Records that are not rows.
    pub skipped: Skipped,
    /// Number of formulas in the sheet whose values were never stored.
    pub unstored: u64,
    /// Number of cells that refer to a text which is not in the workbook.
    pub lost: u64,
    /// Names of other visible sheets of the workbook that have cells, fit to be shown.
    pub other_sheets: Vec<String>,
}

/// A finding that stops the whole file, with its texts.
struct Stop {
    code: &'static str,
    /// Rest of the message, after "N of M".
    what: &'static str,
    hint: &'static str,
    sign: Option<Sign>,
}

const EXPORT_AGAIN: &str = "export the data again from the original system, with the NIK column set to Text; saving this file as CSV again cannot bring the digits back";
const OTHER_COLUMN: &str =
    "choose the column with the number of the person's own card (KTP): --id-column NAME";

const QUOTES: Stop = Stop {
    code: "file_lone_quotes",
    what: "rows: one cell holds other rows with their NIKs, because a quotation mark (\") is never closed",
    hint: "remove the single quotation mark (\") at the place shown and at the next one, or double it",
    sign: Some(Sign::Rejection(Rejection::QuoteSwallowedRows)),
};
const SCIENTIFIC: Stop = Stop {
    code: "file_scientific",
    what: "rows: the NIK is in scientific notation (like 3.27501E+15), so its last digits are lost",
    hint: EXPORT_AGAIN,
    sign: Some(Sign::Rejection(Rejection::ExcelScientific)),
};
const ROUNDED: Stop = Stop {
    code: "file_rounded",
    what: "rows: the NIK is stored as a number that is too large for a spreadsheet, so its last digit is rounded",
    hint: EXPORT_AGAIN,
    sign: Some(Sign::Rejection(Rejection::ExcelRounded)),
};
const LAST_ZERO: Stop = Stop {
    code: "file_last_digit_zero",
    what: "NIKs end in 0 (about one in ten is normal): a spreadsheet has replaced their last digit by 0",
    hint: EXPORT_AGAIN,
    sign: Some(Sign::LastZero),
};
const FAMILY_CARDS: Stop = Stop {
    code: "file_family_cards",
    what: "NIKs: the birth year is very recent, and almost no NIK is a woman's; these look like family-card numbers (No KK)",
    hint: OTHER_COLUMN,
    sign: Some(Sign::LateYear),
};
const EMPLOYEE_NUMBERS: Stop = Stop {
    code: "file_employee_numbers",
    what: "rows: the NIK column holds a number that looks like an employee number",
    hint: OTHER_COLUMN,
    sign: Some(Sign::EmployeeNumber),
};
const SWAPPED: Stop = Stop {
    code: "file_columns_swapped",
    what: "rows: the NIK column holds letters and the name column holds a NIK, so the columns are swapped",
    hint: "swap --id-column and --name-column, or the headers in the file",
    sign: Some(Sign::Swapped),
};
const MOSTLY_REJECTED: Stop = Stop {
    code: "file_mostly_rejected",
    what: "rows: rejected by ceknik's own checks; the columns may be the wrong ones",
    hint: "look at the reasons in the list, and choose the columns with --id-column and --name-column",
    // The reasons are separate findings, with their own places.
    sign: None,
};

/// Returns the findings that stop the file before the first call. A file without rows has none.
pub fn stop_findings(counts: &FileCounts, spots: &FirstPlaces, facts: &FileFacts) -> Vec<Finding> {
    // Rows that the user leaves out say nothing about the others.
    let left_out = counts.rejections.get(Rejection::RowHidden);
    let (rows, niks) = (counts.rows.saturating_sub(left_out), counts.niks);
    let rejected = counts.rejected() - left_out;
    let telling = niks >= TELLING_NIKS;
    let few_women = counts.women * 100 < WOMEN_PERCENT * niks;
    let cards = (telling && at_least(counts.late_years, MOST_PERCENT, niks))
        || facts.id_header.as_ref().is_some_and(HeaderKey::is_family_card);
    let employees = counts.employee_numbers;
    let (numbers, number_zeros) = (counts.numbers, counts.numbers_last_zero);
    // For numbers a few cells are enough: nothing else makes most of them end in 0.
    let zeros = (telling && at_least(counts.last_zero, LAST_ZERO_PERCENT, niks))
        || (numbers >= TELLING_NUMBERS && at_least(number_zeros, MOST_PERCENT, numbers));
    let (lost, most) = (LOST_DIGITS_PERCENT, MOST_PERCENT);
    let swallowed = counts.rejections.get(Rejection::QuoteSwallowedRows);
    [
        (QUOTES, swallowed, rows, swallowed > 0),
        (SCIENTIFIC, counts.scientific, rows, over(counts.scientific, lost, rows)),
        (ROUNDED, counts.rounded, rows, over(counts.rounded, lost, rows)),
        (LAST_ZERO, counts.last_zero, niks, zeros),
        (FAMILY_CARDS, counts.late_years, niks, niks > 0 && few_women && cards),
        (EMPLOYEE_NUMBERS, employees, rows, over(employees, most, rows)),
        (SWAPPED, counts.swapped, rows, over(counts.swapped, most, rows)),
        (MOSTLY_REJECTED, rejected, rows, over(rejected, most, rows)),
    ]
    .into_iter()
    .filter(|(.., stops)| *stops)
    .map(|(Stop { code, what, hint, sign }, count, of, _)| Finding {
        code,
        class: FindingClass::Stop,
        count,
        of,
        message: format!("{} of {} {what}", number(count), number(of)),
        hint,
        places: sign.map(|sign| spots.of(sign)).unwrap_or_default(),
    })
    .collect()
}

/// Returns all findings of a file, the most serious first: those that stop the file; rows that are
/// not sent, or sent and perhaps wasted; and things that are good to know.
pub fn findings(counts: &FileCounts, spots: &FirstPlaces, facts: &FileFacts) -> Vec<Finding> {
    let mut all = stop_findings(counts, spots, facts);
    let rows = counts.rows;
    if facts.guessed_windows_1252 {
        let message = "the text is not UTF-8 and was read as Windows-1252".to_owned();
        let hint = "check the names with accents in the output; give the encoding with --encoding, or save the file as \"CSV UTF-8\"";
        all.push(about_file("encoding_windows_1252", message, hint));
    }
    if !facts.other_sheets.is_empty() {
        let sheets: Vec<_> = facts.other_sheets.iter().map(|name| format!("\"{name}\"")).collect();
        let message = format!("other sheets of the workbook are not read: {}", sheets.join(", "));
        let hint = "if they hold customers too, run each sheet with --sheet NAME, or put all customers in one sheet";
        all.push(about_file("sheets_left_out", message, hint));
    }
    all.extend(sheet_findings(counts, facts));
    if rows == 0 {
        let message = "the file has no row to check".to_owned();
        all.push(about_file(
            "no_rows",
            message,
            "the export may have been interrupted; export the file again",
        ));
    }
    all.extend(counts.rejections.iter().map(|(rejection, count)| Finding {
        code: rejection.code(),
        class: FindingClass::Warn,
        count,
        of: rows,
        message: of_rows(count, rows, "is not sent", "are not sent"),
        hint: rejection.explain(),
        places: spots.of(Sign::Rejection(rejection)),
    }));
    all.extend(counts.warnings.iter().map(|(warning, count)| Finding {
        code: warning.code(),
        class: FindingClass::Warn,
        count,
        of: rows,
        message: of_rows(count, rows, "is sent, but looks odd", "are sent, but look odd"),
        hint: warning.explain(),
        places: spots.of(Sign::Warning(warning)),
    }));
    all.extend(notes(counts, spots, facts));
    all
}

/// Returns the finding about NIKs that occur in the file with different names:
/// `count` of `of` pairs.
pub fn several_names_finding(count: u64, of: u64, places: Vec<Spot>) -> Finding {
    let message = match count {
        1 => "1 NIK is in this file with two names: only one can be right, but both are charged"
            .to_owned(),
        n => format!(
            "{} of {} rows have a NIK that is in this file with another name too: only one name can be right, but \
             each is charged",
            number(n),
            number(of)
        ),
    };
    Finding {
        code: Warning::NikSeveralNames.code(),
        class: FindingClass::Warn,
        count,
        of,
        message,
        hint: "compare the names with the card, and remove the wrong rows",
        places,
    }
}

/// Returns the findings that only a workbook can have.
fn sheet_findings(counts: &FileCounts, facts: &FileFacts) -> Vec<Finding> {
    let left_out = counts.rejections.get(Rejection::RowHidden);
    let (hidden, rows) = (counts.hidden.saturating_sub(left_out), counts.rows);
    let warn = |code, count, of, message, hint| Finding {
        code,
        class: FindingClass::Warn,
        count,
        of,
        message,
        hint,
        places: Vec::new(),
    };
    let (unstored, lost) = (facts.unstored, facts.lost);
    let all = [
        warn(
            "rows_hidden",
            hidden,
            rows,
            of_rows(hidden, rows, HIDDEN_ONE, HIDDEN_MANY),
            "unhide them in the spreadsheet and check them; to leave them out: --visible-rows",
        ),
        warn(
            "formulas_without_values",
            unstored,
            unstored,
            match unstored {
                1 => "1 cell is a formula whose value was never stored".to_owned(),
                n => format!("{} cells are formulas whose values were never stored", number(n)),
            },
            "open the file in a spreadsheet program, save it, and run it again; until then such a cell counts as empty",
        ),
        warn(
            "texts_missing",
            lost,
            lost,
            match lost {
                1 => "1 cell refers to a text that is not in the workbook, and counts as empty"
                    .to_owned(),
                n => format!(
                    "{} cells refer to texts that are not in the workbook, and count as empty",
                    number(n)
                ),
            },
            "open the file in a spreadsheet program, look at these cells, and save it again",
        ),
    ];
    all.into_iter().filter(|finding| finding.count > 0).collect()
}

const HIDDEN_ONE: &str = "is hidden in the workbook, by a filter or by hand, and would be sent too";
const HIDDEN_MANY: &str =
    "are hidden in the workbook, by a filter or by hand, and would be sent too";

/// Returns the findings that are good to know.
fn notes(counts: &FileCounts, spots: &FirstPlaces, facts: &FileFacts) -> Vec<Finding> {
    let Skipped { titles, blank, totals, numbered } = facts.skipped;
    let headers = facts.repeated_headers;
    let cleaned = Finding {
        code: "names_cleaned",
        class: FindingClass::Info,
        count: counts.names_changed,
        of: counts.rows,
        message: of_rows(counts.names_changed, counts.rows, CLEANED_ONE, CLEANED_MANY),
        hint: "the column ck_reason of the output shows the name that was sent",
        places: spots.of(Sign::NameCleaned),
    };
    let note = |code, count, one, many, hint| Finding {
        code,
        class: FindingClass::Info,
        count,
        of: count,
        message: format!("{} {}", number(count), if count == 1 { one } else { many }),
        hint,
        places: Vec::new(),
    };
    let all = [
        cleaned,
        note(
            "titles_skipped",
            titles,
            "row above the headers is left out",
            "rows above the headers are left out",
            "nothing to do, if these are titles",
        ),
        note(
            "blank_rows_skipped",
            blank,
            "blank row is left out",
            "blank rows are left out",
            "nothing to do",
        ),
        note(
            "totals_skipped",
            totals,
            "row with a total (TOTAL) is left out",
            "rows with a total (TOTAL) are left out",
            "nothing to do, if these are totals",
        ),
        note(
            "numbered_skipped",
            numbered,
            "row below the last customer holds only its number, and is left out",
            "rows below the last customer hold only their numbers, and are left out",
            "nothing to do, if these rows are meant to be empty",
        ),
        note(
            "headers_duplicate",
            headers,
            "header is above more than one column",
            "headers are above more than one column",
            "check the columns that were chosen",
        ),
    ];
    all.into_iter().filter(|finding| finding.count > 0).collect()
}

const CLEANED_ONE: &str =
    "has its name cleaned before it is sent (spaces, invisible characters, apostrophes)";
const CLEANED_MANY: &str =
    "have their names cleaned before they are sent (spaces, invisible characters, apostrophes)";

fn of_rows(count: u64, of: u64, one: &str, many: &str) -> String {
    let what = if count == 1 { one } else { many };
    format!("{} of {} rows {what}", number(count), number(of))
}

fn about_file(code: &'static str, message: String, hint: &'static str) -> Finding {
    let class = FindingClass::Warn;
    Finding { code, class, count: 1, of: 1, message, hint, places: Vec::new() }
}

/// Checks whether `count` is at least `percent` percent of `of`.
fn at_least(count: u64, percent: u64, of: u64) -> bool {
    u128::from(count) * 100 >= u128::from(percent) * u128::from(of)
}

/// Checks whether `count` is more than `percent` percent of `of`. Computed in 128 bits, in which no
/// count overflows.
fn over(count: u64, percent: u64, of: u64) -> bool {
    u128::from(count) * 100 > u128::from(percent) * u128::from(of)
}
