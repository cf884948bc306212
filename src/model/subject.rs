//! A checked NIK and a checked name: what is bought.
//!
//! Must hold: a value of these types has passed the rules, since only this crate's rules construct them.
//! Never: `Debug` shows a whole NIK or any part of a name, and there is no `Display` to print them by mistake.

use super::text::{is_separator, is_unfit};
use std::borrow::Cow;
use std::fmt;
use std::path::Path;

/// Digits in a NIK.
pub const NIK_DIGITS: usize = 16;

/// Shortest run of digits that `mask_digits` hides: a birth date is six digits.
const MASKED_RUN: usize = 6;
/// Fewest digits in groups (`3275.0141…`) that `mask_digits` hides together: a date is eight.
const MASKED_GROUPS: usize = 12;

/// A NIK: 16 ASCII digits that have passed the checks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nik([u8; NIK_DIGITS]);

impl Nik {
    /// Takes 16 ASCII digits. `None` if any byte is not one.
    pub(crate) fn from_digits(digits: [u8; NIK_DIGITS]) -> Option<Self> {
        digits.iter().all(u8::is_ascii_digit).then_some(Self(digits))
    }

    /// The 16 digits as text.
    pub fn as_str(&self) -> &str {
        // The constructor admits ASCII digits only, so the fallback is never taken.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The NIK as a number, for compact keys. Below 10^16, so it fits.
    pub fn number(&self) -> u64 {
        self.0.iter().fold(0, |n, digit| n * 10 + u64::from(digit & 0x0f))
    }

    /// The NIK of such a number; `None` where it has more digits.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::from_digits(format!("{number:016}").as_bytes().try_into().ok()?)
    }

    /// The NIK with its birth date hidden, fit for messages: `327501******0001`.
    pub fn masked(&self) -> String {
        let text = self.as_str();
        let (place, serial) =
            (text.get(..6).unwrap_or_default(), text.get(12..).unwrap_or_default());
        format!("{place}******{serial}")
    }
}

impl fmt::Debug for Nik {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nik({})", self.masked())
    }
}

/// A name, cleaned, exactly as it is sent.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Box<str>);

impl Name {
    /// Takes a text that has passed the rules.
    pub(crate) fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The name as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(hidden)")
    }
}

/// A checked NIK and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The NIK.
    pub nik: Nik,
    /// The name.
    pub name: Name,
}

/// Fit for one line of a message (a header, a label): each run of six or more ASCII digits is `******`, and so are
/// groups of digits that may be a NIK together; what would steer a terminal is `?`.
pub fn mask_digits(text: &str) -> Cow<'_, str> {
    mask_runs(text, MASKED_RUN, MASKED_GROUPS)
}

/// The same, hiding only what may be a whole NIK, for texts that are of use when they are whole: a dated
/// path, a command to paste.
pub fn mask_niks(text: &str) -> Cow<'_, str> {
    mask_runs(text, NIK_DIGITS - 1, NIK_DIGITS - 1)
}

/// A path fit for messages: a file or folder may be named by a NIK.
pub fn mask_path(path: &Path) -> String {
    mask_niks(&path.display().to_string()).into_owned()
}

/// Characters of a masked cell.
const MASKED_CHARS: usize = 24;

/// A cell of a customer file fit for messages: its shape, which tells a spreadsheet's user what is wrong, without what it
/// says. Digits are `#`, letters `x`; a NIK is masked as everywhere.
pub fn mask_cell(cell: &str) -> String {
    let trimmed = cell.trim();
    if let Some(nik) = trimmed.as_bytes().try_into().ok().and_then(Nik::from_digits) {
        return nik.masked();
    }
    // In a number the E of its exponent is what is wrong.
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

/// Characters that may stand between two groups of digits, as in ` - `.
const LONGEST_JOINT: usize = 3;

fn mask_runs(text: &str, run: usize, groups: usize) -> Cow<'_, str> {
    let is_digit = |c: char| c.is_ascii_digit();
    let fit = text.replace(is_unfit, "?");
    let mut out = String::with_capacity(fit.len());
    let mut rest = fit.as_str();
    while let Some(start) = rest.find(is_digit) {
        let (before, tail) = rest.split_at(start);
        let (digits, after) = tail.split_at(groups_end(tail));
        out.push_str(before);
        let count = digits.bytes().filter(u8::is_ascii_digit).count();
        // No province is 20: a date, or two.
        let is_date = digits.starts_with("20") && count <= NIK_DIGITS;
        if count >= groups && !is_date {
            out.push_str("******");
        } else {
            for piece in digits.split_inclusive(|c| !is_digit(c)) {
                let (group, joint) = piece.split_at(piece.trim_end_matches(|c| !is_digit(c)).len());
                out.push_str(if group.len() >= run { "******" } else { group });
                out.push_str(joint);
            }
        }
        rest = after;
    }
    out.push_str(rest);
    if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

/// Where the groups of digits end that a text begins with.
fn groups_end(text: &str) -> usize {
    let (mut end, mut joint) = (0, 0);
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() {
            (end, joint) = (at + 1, 0);
        } else if joint < LONGEST_JOINT && (is_separator(c) || c == '?') {
            // A `?` stands for a character that was taken out.
            joint += 1;
        } else {
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn masks_the_birth_date_everywhere_it_prints() {
        let nik = Nik::from_digits(*b"3275014101900001").unwrap();
        assert_eq!(nik.as_str(), "3275014101900001");
        assert_eq!(nik.number(), 3_275_014_101_900_001);
        assert_eq!(nik.masked(), "327501******0001");
        let subject = Subject { nik, name: Name::new("BUDI SANTOSO") };
        assert_eq!(
            format!("{subject:?}"),
            "Subject { nik: Nik(327501******0001), name: Name(hidden) }"
        );
    }

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
            let longest = mask_digits(&text).split(|c: char| !c.is_ascii_digit()).map(str::len).max();
            prop_assert!(longest.unwrap_or(0) < MASKED_RUN);
        }
    }
}
