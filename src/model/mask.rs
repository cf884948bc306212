//! Texts made fit for messages: digits that may be a NIK are hidden, and characters that control a
//! terminal are replaced.
//!
//! Must hold: no masked text contains a whole NIK.

use std::borrow::Cow;
use std::path::Path;

use super::characters::{is_separator, is_unsafe_for_terminal};
use super::subject::{NIK_DIGITS, Nik};

/// Length of the shortest run of digits that [`mask_digits`] hides. A birth date has six digits.
const MASKED_RUN: usize = 6;
/// Fewest digits in separated groups (`3275.0141…`) that [`mask_digits`] hides together. A date has
/// eight digits.
const MASKED_GROUPS: usize = 12;

/// Makes a text such as a header or a label fit for one line of a message. Each run of six or more
/// ASCII digits becomes `******`, unless it is a recent date. So do groups of digits that may form a
/// NIK together. Each character that could control a terminal becomes `?`.
pub fn mask_digits(text: &str) -> Cow<'_, str> {
    mask_runs(text, MASKED_RUN, MASKED_GROUPS)
}

/// Masks a text as [`mask_digits`] does, but hides only digits that may be a whole NIK. This is for
/// texts that are useful only when they are complete: a path with a date, a command to paste.
pub fn mask_niks(text: &str) -> Cow<'_, str> {
    mask_runs(text, NIK_DIGITS - 1, NIK_DIGITS - 1)
}

/// Makes a path fit for messages. The name of a file or folder may contain a NIK.
pub fn mask_path(path: &Path) -> String {
    mask_niks(&path.display().to_string()).into_owned()
}

/// Number of characters that [`mask_cell`] shows of a cell.
const MASKED_CHARS: usize = 24;

/// Returns the shape of a customer's cell, fit for messages. The shape shows the user of a
/// spreadsheet what is wrong, but not the content. Digits become `#` and letters become `x`. A cell
/// that is a NIK is masked by [`Nik::masked`].
pub fn mask_cell(cell: &str) -> String {
    let trimmed = cell.trim();
    if let Some(nik) = trimmed.as_bytes().try_into().ok().and_then(Nik::from_digits) {
        return nik.masked();
    }
    // In a number, the E of the exponent is what is wrong. It stays visible.
    let is_number = trimmed.chars().all(|c| c.is_ascii_digit() || ".,+-eE".contains(c));
    let mask = |c: char| match c {
        'e' | 'E' if is_number => c,
        _ if c.is_numeric() => '#',
        _ if c.is_alphabetic() => 'x',
        _ if c.is_ascii_punctuation() || c == ' ' => c,
        _ => '?',
    };
    let mut shape: String = trimmed.chars().take(MASKED_CHARS).map(mask).collect();
    if trimmed.chars().nth(MASKED_CHARS).is_some() {
        shape.push('…');
    }
    shape
}

/// Most characters that may stand between two groups of digits, as in ` - `.
const LONGEST_JOINT: usize = 3;

/// Hides each run of at least `run` digits, and all digits of joined groups that have at least
/// `groups` digits in total.
fn mask_runs(text: &str, run: usize, groups: usize) -> Cow<'_, str> {
    let is_digit = |c: char| c.is_ascii_digit();
    let fit = text.replace(is_unsafe_for_terminal, "?");
    let mut out = String::with_capacity(fit.len());
    let mut rest = fit.as_str();
    while let Some(start) = rest.find(is_digit) {
        let (before, tail) = rest.split_at(start);
        let (digits, after) = tail.split_at(groups_end(tail));
        out.push_str(before);
        let count = digits.bytes().filter(u8::is_ascii_digit).count();
        // No province has the code 20, so this is one date or two.
        let is_date = digits.starts_with("20") && count <= NIK_DIGITS;
        if count >= groups && !is_date {
            out.push_str("******");
        } else {
            for piece in digits.split_inclusive(|c| !is_digit(c)) {
                let (group, joint) = piece.split_at(piece.trim_end_matches(|c| !is_digit(c)).len());
                let is_hidden = group.len() >= run && !is_recent_date(group);
                out.push_str(if is_hidden { "******" } else { group });
                out.push_str(joint);
            }
        }
        rest = after;
    }
    out.push_str(rest);
    if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

/// Checks whether digits are a month or a day since 2015, as in `nasabah_20261031.csv` or
/// `nasabah_202610.csv`. Six such digits are no birth date of a NIK, because its month would be above
/// 12. Eight of them alone are half of a NIK at most.
fn is_recent_date(digits: &str) -> bool {
    let number = |range| digits.get(range).and_then(|part: &str| part.parse::<u8>().ok());
    let is_day = || number(6..8).is_some_and(|day| (1..=31).contains(&day));
    number(0..2) == Some(20)
        && number(2..4).is_some_and(|year| year >= 15)
        && number(4..6).is_some_and(|month| (1..=12).contains(&month))
        && (digits.len() == 6 || (digits.len() == 8 && is_day()))
}

/// Returns the end of the groups of digits that a text begins with.
fn groups_end(text: &str) -> usize {
    let (mut end, mut joint) = (0, 0);
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() {
            (end, joint) = (at + 1, 0);
        } else if joint < LONGEST_JOINT && (is_separator(c) || c == '?') {
            // A `?` takes the place of a character that was removed.
            joint += 1;
        } else {
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_digits_make_a_nik() {
        assert!(Nik::from_digits(*b"327501410190000x").is_none());
    }

    #[test]
    fn mask_digits_hides_long_runs_only() {
        for (text, masked) in [
            ("nik", "nik"),
            ("phone 12345", "phone 12345"),
            ("a123456b", "a******b"),
            ("3275014101900001.csv", "******.csv"),
            ("1 123456 é 7654321", "1 ****** é ******"),
            ("a-3275.0141.0790.0001.csv", "a-******.csv"),
            ("32-75_01 41.07.90\u{200B}0001", "******"),
            ("3275..0141 - 0790 é", "****** é"),
            ("3275\u{A0}-\u{A0}0141 - 0790  0001", "******"),
            ("3275    0141    0790", "3275    0141    0790"),
            ("2026-11-28 10.30.csv", "2026-11-28 10.30.csv"),
            ("2026-11-01_2026-11-30.csv", "2026-11-01_2026-11-30.csv"),
            ("20.3275.0141.0790.0001", "******"),
            ("nasabah_20261031.csv", "nasabah_20261031.csv"),
            ("nasabah_202610.csv", "nasabah_202610.csv"),
            (
                "a19901031b201231c20261301d20260132e2026103f202610310",
                "a******b******c******d******e******f******",
            ),
            ("a\nb\u{1B}[2J\u{202E}\u{2066}c", "a?b?[2J??c"),
            ("", ""),
        ] {
            assert_eq!(mask_digits(text), masked);
        }
    }

    #[test]
    fn mask_cell_keeps_the_shape() {
        for (cell, masked) in [
            ("3275014101900001", "327501******0001"),
            (" 3275014101900001 ", "327501******0001"),
            ("327501410190000", "###############"),
            ("3,27501E+15", "#,#####E+##"),
            ("'3275.0141.0190.0001", "'####.####.####.####"),
            ("BUDI SANTOSO, S.E.", "xxxx xxxxxxx, x.x."),
            ("JOSÉ\u{200B}２\u{1B}[0m", "xxxx?#?[#x"),
            ("", ""),
            (&"A".repeat(30), "xxxxxxxxxxxxxxxxxxxxxxxx…"),
        ] {
            assert_eq!(mask_cell(cell), masked, "{cell:?}");
        }
    }

    #[test]
    fn mask_niks_leaves_dates_and_amounts() {
        for (text, masked) in [
            ("--max-cost=5000000", "--max-cost=5000000"),
            ("out_20261123.csv", "out_20261123.csv"),
            ("d/3275014101900001.csv", "d/******.csv"),
            ("d/3275.0141.0190.0001.csv", "d/******.csv"),
            ("d/500.000_20261123\r.csv", "d/500.000_20261123?.csv"),
            ("327501410190001", "******"),
            ("3275.0141.0190.001", "******"),
            ("3275.0141.0190.00", "3275.0141.0190.00"),
            ("201234567890123", "******"),
            ("20123456789012", "20123456789012"),
        ] {
            assert_eq!(mask_niks(text), masked);
            assert_eq!(mask_path(Path::new(text)), masked);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn masked_never_holds_the_birth_date(digits in "[0-9]{16}") {
            let nik = Nik::from_digits(digits.as_bytes().try_into().unwrap()).unwrap();
            let masked = nik.masked();
            prop_assert_eq!(&masked[6..12], "******");
            prop_assert_eq!(masked.len(), NIK_DIGITS);
        }

        #[test]
        fn mask_cell_never_shows_serial_and_birth_date(before in ".{0,9}", digits in "[1-9]{16}", after in ".{0,9}") {
            let masked = mask_cell(&format!("{before}{digits}{after}"));
            let shown = masked.chars().filter(char::is_ascii_digit).count();
            prop_assert!(shown == 0 || (shown == 10 && masked.contains("******")), "{masked}");
        }

        #[test]
        fn mask_digits_leaves_no_long_run(text in ".{0,20}[0-9]{0,20}.{0,20}") {
            let masked = mask_digits(&text);
            let runs = masked.split(|c: char| !c.is_ascii_digit());
            for run in runs {
                prop_assert!(run.len() < MASKED_RUN || is_recent_date(run), "{masked}");
            }
        }
    }
}
