//! NIK: cleaning that cannot change which number is meant, then the checks.
//!
//! Layout of the 16 digits: PPRRDD (place of first registration) DDMMYY (birth date, women's day + 40) SSSS (serial).
//!
//! Must hold: cleaning is idempotent, and a text that is 16 digits already is never changed by it.
//! Never: corrects a NIK, guesses lost digits, or compares regencies and districts with a current list (people keep
//! the codes of regencies that no longer exist).

use crate::model::row::{DigitsLook, NikLook, Rejection, Warning, Warnings};
use crate::model::subject::{NIK_DIGITS, Nik};
use crate::model::text::is_invisible;
use std::borrow::Cow;

/// The first number that a spreadsheet's or data frame's floating point can't hold exactly.
const FIRST_INEXACT: u64 = 1 << 53;

/// Numbers of village software for people without a NIK begin with 00 to 08; the registry never issued them.
const TEMPORARY_UP_TO: u8 = 8;

/// Beginnings of filler numbers. No NIK begins so: day 78 and month 89 don't exist.
const COUNTED_UP: [&[u8]; 2] = [b"0123456789", b"1234567890"];

/// The lengths of employee numbers: a company's own, and the 18 digits of a civil servant's (NIP).
const EMPLOYEE_DIGITS: [usize; 10] = [4, 5, 6, 7, 8, 9, 10, 11, 12, 18];

/// What the user wants sent in spite of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NikPolicy {
    /// Send NIKs with serial 0000.
    pub send_truncated: bool,
    /// Send NIKs whose birth date can't exist.
    pub send_odd_dates: bool,
    /// Send temporary NIKs, as versions before 0.2 did: for the runs that they began.
    pub send_temporary: bool,
}

/// What the checks found in one NIK cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NikReading {
    /// Passed, or why not.
    pub result: Result<(Nik, Warnings), Rejection>,
    /// What the cell looks like, for the findings about the whole file.
    pub look: NikLook,
}

/// Cleans and checks a cell.
///
/// # Errors
/// Why the cell can't be sent.
pub fn check_nik(raw: &str, policy: &NikPolicy) -> Result<(Nik, Warnings), Rejection> {
    read_nik(raw, policy).result
}

/// Like [`check_nik`], and says what the cell looks like.
pub fn read_nik(raw: &str, policy: &NikPolicy) -> NikReading {
    read_cleaned(&clean_nik(raw), is_decimal(raw), policy)
}

/// Like [`read_nik`], for a cell that is a number to the spreadsheet.
pub fn read_number(raw: &str, policy: &NikPolicy) -> NikReading {
    let cleaned = clean_nik(raw);
    if is_inexact(&cleaned) {
        return NikReading { result: Err(Rejection::ExcelRounded), look: NikLook::Rounded };
    }
    read_cleaned(&cleaned, true, policy)
}

/// Checks a cleaned cell. `is_number`: it was a number, which may have lost its last digit.
fn read_cleaned(cleaned: &str, is_number: bool, policy: &NikPolicy) -> NikReading {
    let look = match look_at(cleaned) {
        NikLook::Digits(look) => NikLook::Digits(DigitsLook { number: is_number, ..look }),
        other => other,
    };
    let result = match look {
        NikLook::Scientific => Err(Rejection::ExcelScientific),
        NikLook::Rounded => Err(Rejection::ExcelRounded),
        _ => check_digits(cleaned, policy),
    };
    let result = result.map(|(nik, mut warnings)| {
        warnings
            .extend((is_number && cleaned.ends_with('0')).then_some(Warning::NikNumberEndsInZero));
        (nik, warnings)
    });
    NikReading { result, look }
}

/// Whether a cell is a number that a program wrote as a decimal (`3275014101900001.0`).
fn is_decimal(raw: &str) -> bool {
    raw.len() > NIK_DIGITS && decimal(raw.trim()).is_some()
}

/// What a cell looks like, without judging the digits: enough to tell a column of NIKs from another.
pub fn look_of(raw: &str) -> NikLook {
    look_at(&clean_nik(raw))
}

/// Strips what surrounds the digits: invisible characters, spaces, quotes, a formula's `="…"`, separators, a trailing
/// `.0`. A text that holds anything else comes back in a state that the checks refuse.
pub fn clean_nik(raw: &str) -> Cow<'_, str> {
    // Most cells by far. Also what makes cleaning leave a good NIK alone.
    let bare = raw.trim_matches([' ', '\'']);
    if bare.bytes().all(|b| b.is_ascii_digit()) {
        return Cow::Borrowed(bare);
    }
    let visible = raw.chars().filter(|c| !c.is_whitespace() && !is_invisible(*c));
    let mut text: String = visible.map(to_ascii_digit).collect();
    // To a fixed point: a quote may stand inside a separator and the reverse. Each turn shortens the text.
    loop {
        let bare = unwrap(&text);
        if is_scientific(bare) || is_rounded(bare) {
            return Cow::Owned(bare.to_owned());
        }
        if let Some(whole) = decimal(bare) {
            return Cow::Owned(whole.to_owned());
        }
        let joined: String = bare.chars().filter(|c| !matches!(c, '-' | '.')).collect();
        if joined.len() == text.len() {
            return Cow::Owned(joined);
        }
        text = joined;
    }
}

/// Full-width digits, as Asian input methods type them.
fn to_ascii_digit(c: char) -> char {
    match c {
        '\u{FF10}'..='\u{FF19}' => char::from_u32(u32::from(c) - 0xFF10 + 0x30).unwrap_or(c),
        _ => c,
    }
}

/// Takes off leading apostrophes (a spreadsheet's mark of text), pairs of quotes, and `="…"`.
fn unwrap(text: &str) -> &str {
    let mut rest = text;
    loop {
        let inner = rest.strip_prefix(['\'', '’', '‘', '`']).unwrap_or(rest);
        let inner = wrapped(inner, "=\"", "\"").unwrap_or(inner);
        let inner = wrapped(inner, "\"", "\"").unwrap_or(inner);
        let inner = wrapped(inner, "“", "”").unwrap_or(inner);
        // The apostrophe at the front is gone by now; this one closed the pair.
        let inner = inner.strip_suffix(['\'', '’']).unwrap_or(inner);
        if inner.len() == rest.len() {
            return rest;
        }
        rest = inner;
    }
}

fn wrapped<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    text.strip_prefix(open)?.strip_suffix(close)
}

/// `3.27501E+15`, `3,27501e15`: digits with perhaps a fraction, an exponent.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return false;
    };
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let mantissa = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    all_digits(whole) && all_digits(fraction) && all_digits(exponent)
}

/// The part before `.0` or `.00`, where that is what the text is: a number that a program wrote as a decimal.
/// Told from a separator so that the zero is never taken for a digit of the NIK.
fn decimal(text: &str) -> Option<&str> {
    let whole = text.strip_suffix(".0").or_else(|| text.strip_suffix(".00"))?;
    all_digits(whole).then_some(whole)
}

/// A decimal of a NIK's length that no longer tells which NIK it was.
fn is_rounded(text: &str) -> bool {
    decimal(text).is_some_and(is_inexact)
}

/// Tells a number of a NIK's length that is too large to be exact.
fn is_inexact(digits: &str) -> bool {
    // What doesn't fit into 64 bits is too long for a NIK anyway; its length is the better message.
    digits.parse::<u64>().is_ok_and(|n| n >= FIRST_INEXACT && digits.len() == NIK_DIGITS)
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn look_at(cleaned: &str) -> NikLook {
    if all_digits(cleaned) {
        return match <&[u8; NIK_DIGITS]>::try_from(cleaned.as_bytes()) {
            Ok(digits) => NikLook::Digits(digits_look(digits)),
            Err(_) if EMPLOYEE_DIGITS.contains(&cleaned.len()) => NikLook::EmployeeNumber,
            Err(_) => NikLook::Other,
        };
    }
    if is_scientific(cleaned) {
        NikLook::Scientific
    } else if is_rounded(cleaned) {
        NikLook::Rounded
    } else if cleaned.chars().any(char::is_alphabetic) {
        NikLook::Words
    } else {
        NikLook::Other
    }
}

fn digits_look(digits: &[u8; NIK_DIGITS]) -> DigitsLook {
    let [_, _, _, _, _, _, day, _, _, _, year1, year2, .., last] = *digits;
    let late = two(year1, year2);
    DigitsLook {
        last_zero: last == b'0',
        number: false,
        woman: matches!(day, b'4'..=b'7'),
        late_year: (9..=39).contains(&late),
    }
}

fn check_digits(cleaned: &str, policy: &NikPolicy) -> Result<(Nik, Warnings), Rejection> {
    if cleaned.is_empty() {
        return Err(Rejection::NikEmpty);
    }
    let Ok(digits) = <[u8; NIK_DIGITS]>::try_from(cleaned.as_bytes()) else {
        return Err(if all_digits(cleaned) {
            Rejection::NikLength
        } else {
            Rejection::NikNotDigits
        });
    };
    let nik = Nik::from_digits(digits).ok_or(Rejection::NikNotDigits)?;
    let warnings = check_parts(digits, policy)?;
    Ok((nik, warnings))
}

/// The checks of the digits' meaning.
fn check_parts(digits: [u8; NIK_DIGITS], policy: &NikPolicy) -> Result<Warnings, Rejection> {
    if is_filler(&digits) {
        return Err(Rejection::NikPlaceholder);
    }
    let [p1, p2, r1, r2, d1, d2, day1, day2, m1, m2, y1, y2, serial @ ..] = digits;
    let mut warnings = Warnings::empty();
    if serial == *b"0000" {
        if !policy.send_truncated {
            return Err(Rejection::ExcelTruncated);
        }
        warnings |= Warning::NikSerialZero;
    }
    match check_date(two(day1, day2), two(m1, m2), two(y1, y2)) {
        DateLook::Plain => {}
        DateLook::PastMonthEnd => warnings |= Warning::NikDayPastMonthEnd,
        DateLook::Impossible if policy.send_odd_dates => warnings |= Warning::NikDateOdd,
        DateLook::Impossible => return Err(Rejection::NikDate),
    }
    match two(p1, p2) {
        province if province <= TEMPORARY_UP_TO && !policy.send_temporary => {
            return Err(Rejection::NikTemporary);
        }
        province if province <= TEMPORARY_UP_TO => warnings |= Warning::NikTemporarySent,
        province if !is_province(province) => warnings |= Warning::NikProvinceUnknown,
        _ => {}
    }
    warnings.extend(matches!(two(r1, r2), 0 | 70).then_some(Warning::NikRegencyOdd));
    warnings.extend((two(d1, d2) == 0).then_some(Warning::NikDistrictZero));
    Ok(warnings)
}

fn two(tens: u8, ones: u8) -> u8 {
    (tens & 0x0f) * 10 + (ones & 0x0f)
}

fn is_filler(digits: &[u8; NIK_DIGITS]) -> bool {
    let first = digits[0];
    digits.iter().all(|&d| d == first) || COUNTED_UP.iter().any(|run| digits.starts_with(run))
}

enum DateLook {
    Plain,
    PastMonthEnd,
    Impossible,
}

fn check_date(day: u8, month: u8, year: u8) -> DateLook {
    let day = match day {
        1..=31 => day,
        41..=71 => day - 40,
        _ => return DateLook::Impossible,
    };
    let last = match month {
        // The century is unknown, but 1900 aside a leap year is one in both.
        2 if year.is_multiple_of(4) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return DateLook::Impossible,
    };
    if day > last { DateLook::PastMonthEnd } else { DateLook::Plain }
}

/// Today's 38 provinces, citizens abroad (99), and codes of provinces that are gone (09, 10, 54).
fn is_province(code: u8) -> bool {
    matches!(code,
        11..=19 | 21 | 31..=36 | 51..=53 | 61..=65 | 71..=76 | 81 | 82 | 91..=96
        | 99
        | 9 | 10 | 54)
}

#[cfg(test)]
mod tests;
