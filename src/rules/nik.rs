//! NIKs: cleaning that cannot change which number is meant, then the checks.
//!
//! Layout of the 16 digits: PPRRDD (province, regency and district of the first registration)
//! DDMMYY (birth date, day + 40 for women) SSSS (serial number).
//!
//! Must hold: cleaning is idempotent, and never changes a text that is already 16 digits.
//!
//! Never: corrects a NIK, guesses lost digits, or compares regencies and districts with a current
//! list (people keep the codes of regencies that no longer exist).

use std::borrow::Cow;

use crate::model::characters::is_invisible;
use crate::model::row::{DigitTraits, NikShape, Rejection, Warning, Warnings};
use crate::model::subject::{NIK_DIGITS, Nik};

/// First number, 2^53, from which on the floating point of spreadsheets and data frames cannot tell
/// neighbouring whole numbers apart.
const FIRST_INEXACT: u64 = 1 << 53;

/// Largest first two digits of a temporary number. Village software gives such numbers (00 to 08)
/// to people without a NIK; the registry never issued them.
const TEMPORARY_UP_TO: u8 = 8;

/// Beginnings of filler numbers. No NIK begins like this: month 89 and day 78 do not exist.
const COUNTED_UP: [&[u8]; 2] = [b"0123456789", b"1234567890"];

/// Lengths of employee numbers: those of companies, and the 18 digits of a civil servant (NIP).
const EMPLOYEE_DIGITS: [usize; 10] = [4, 5, 6, 7, 8, 9, 10, 11, 12, 18];

/// NIKs that are sent in spite of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NikPolicy {
    /// `true` to send NIKs with the serial number 0000.
    pub send_truncated: bool,
    /// `true` to send NIKs whose birth date cannot exist.
    pub send_odd_dates: bool,
    /// `true` to send temporary NIKs, as versions before 0.2 did. No flag sets this: it serves the
    /// runs that such a version began.
    pub send_temporary: bool,
}

/// Result of the checks of one NIK cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NikReading {
    /// The NIK with its warnings, or the reason for the rejection.
    pub result: Result<(Nik, Warnings), Rejection>,
    /// Look of the cell, for the findings about the whole file.
    pub look: NikShape,
}

/// Cleans and checks the NIK in a cell.
///
/// ```
/// use ceknik::model::row::{Rejection, Warning};
/// use ceknik::rules::nik::{NikPolicy, check_nik};
///
/// let policy = NikPolicy::default();
/// let (nik, warnings) = check_nik("'3275.0141.0790.0001", &policy).unwrap();
/// assert_eq!(nik.as_str(), "3275014107900001");
/// assert!(warnings.is_empty());
/// assert_eq!(nik.masked(), "327501******0001");
///
/// // 30 February: sent, with a warning.
/// let (_, warnings) = check_nik("3275013002900001", &policy).unwrap();
/// assert!(warnings.contains(Warning::NikDayPastMonthEnd));
///
/// assert_eq!(check_nik("3.27501E+15", &policy), Err(Rejection::ExcelScientific));
/// assert_eq!(check_nik("327501410790000", &policy), Err(Rejection::NikLength));
///
/// // No day 32. The user may insist.
/// assert_eq!(check_nik("3275013201900001", &policy), Err(Rejection::NikDate));
/// let lenient = NikPolicy { send_odd_dates: true, ..policy };
/// assert!(check_nik("3275013201900001", &lenient).is_ok());
/// ```
///
/// # Errors
/// Returns the [`Rejection`] that says why the cell cannot be sent: it is empty, is not 16 digits,
/// was damaged by a spreadsheet, or holds a filler, temporary or impossible number that `policy`
/// does not allow.
pub fn check_nik(raw: &str, policy: &NikPolicy) -> Result<(Nik, Warnings), Rejection> {
    read_nik(raw, policy).result
}

/// Cleans and checks the NIK in a cell like [`check_nik`], and also returns the look of the cell.
pub fn read_nik(raw: &str, policy: &NikPolicy) -> NikReading {
    read_cleaned(&clean_nik(raw), is_decimal(raw), policy)
}

/// Cleans and checks a cell that is a number to the spreadsheet. A number too large to be exact is
/// rejected, and one that ends in 0 gets a warning. Otherwise works like [`read_nik`].
pub fn read_number(raw: &str, policy: &NikPolicy) -> NikReading {
    let cleaned = clean_nik(raw);
    if is_inexact(&cleaned) {
        return NikReading { result: Err(Rejection::ExcelRounded), look: NikShape::Rounded };
    }
    read_cleaned(&cleaned, true, policy)
}

/// Checks a cleaned cell. `is_number` is `true` if the cell was a number, which may have lost
/// its last digit.
fn read_cleaned(cleaned: &str, is_number: bool, policy: &NikPolicy) -> NikReading {
    let look = match look_at(cleaned) {
        NikShape::Digits(look) => NikShape::Digits(DigitTraits { number: is_number, ..look }),
        other => other,
    };
    let result = match look {
        NikShape::Scientific => Err(Rejection::ExcelScientific),
        NikShape::Rounded => Err(Rejection::ExcelRounded),
        _ => check_digits(cleaned, policy),
    };
    let result = result.map(|(nik, mut warnings)| {
        warnings
            .extend((is_number && cleaned.ends_with('0')).then_some(Warning::NikNumberEndsInZero));
        (nik, warnings)
    });
    NikReading { result, look }
}

/// Checks whether a cell is a number that a program wrote as a decimal (`3275014101900001.0`).
fn is_decimal(raw: &str) -> bool {
    raw.len() > NIK_DIGITS && decimal(raw.trim()).is_some()
}

/// Returns the look of a cell without checking the digits: enough to tell a column of NIKs from
/// another column.
pub fn look_of(raw: &str) -> NikShape {
    look_at(&clean_nik(raw))
}

/// Removes what surrounds the digits: invisible characters, spaces, quotes, the `="…"` of a
/// formula, separators, and a trailing `.0`. A text that holds anything else is returned in a state
/// that the checks refuse.
pub fn clean_nik(raw: &str) -> Cow<'_, str> {
    // By far most cells. This also keeps cleaning from changing a good NIK.
    let bare = raw.trim_matches([' ', '\'']);
    if bare.bytes().all(|b| b.is_ascii_digit()) {
        return Cow::Borrowed(bare);
    }
    let visible = raw.chars().filter(|c| !c.is_whitespace() && !is_invisible(*c));
    let mut text: String = visible.map(to_ascii_digit).collect();
    // Repeated until nothing changes: a quote may be inside a separator, or the reverse. Each turn
    // shortens the text.
    loop {
        let bare = strip_quotes(&text);
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

/// Converts a full-width digit, as Asian input methods type it, to an ASCII digit. Other characters
/// are returned unchanged.
fn to_ascii_digit(c: char) -> char {
    match c {
        '\u{FF10}'..='\u{FF19}' => char::from_u32(u32::from(c) - 0xFF10 + 0x30).unwrap_or(c),
        _ => c,
    }
}

/// Removes leading apostrophes (a spreadsheet's mark for text), pairs of quotes, and `="…"`.
fn strip_quotes(text: &str) -> &str {
    let mut rest = text;
    loop {
        let inner = rest.strip_prefix(['\'', '’', '‘', '`']).unwrap_or(rest);
        let inner = wrapped(inner, "=\"", "\"").unwrap_or(inner);
        let inner = wrapped(inner, "\"", "\"").unwrap_or(inner);
        let inner = wrapped(inner, "“", "”").unwrap_or(inner);
        // The apostrophe at the front is already removed; this one closed the pair.
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

/// Checks whether a text is in scientific notation (`3.27501E+15`, `3,27501e15`): digits, perhaps a
/// fraction, and an exponent.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return false;
    };
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let mantissa = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    all_digits(whole) && all_digits(fraction) && all_digits(exponent)
}

/// Returns the part before `.0` or `.00` if the text is a number that a program wrote as a decimal.
/// Called before separators are removed, so that the zero is never taken for a digit of the NIK.
fn decimal(text: &str) -> Option<&str> {
    let whole = text.strip_suffix(".0").or_else(|| text.strip_suffix(".00"))?;
    all_digits(whole).then_some(whole)
}

/// Checks whether a text is a decimal of a NIK's length that no longer tells which NIK it was.
fn is_rounded(text: &str) -> bool {
    decimal(text).is_some_and(is_inexact)
}

/// Checks whether a number of a NIK's length is too large to be exact.
fn is_inexact(digits: &str) -> bool {
    // A number that does not fit into 64 bits is too long for a NIK anyway, and its length is the
    // better message.
    digits.parse::<u64>().is_ok_and(|n| n >= FIRST_INEXACT && digits.len() == NIK_DIGITS)
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn look_at(cleaned: &str) -> NikShape {
    if all_digits(cleaned) {
        return match <&[u8; NIK_DIGITS]>::try_from(cleaned.as_bytes()) {
            Ok(digits) => NikShape::Digits(digits_look(digits)),
            Err(_) if EMPLOYEE_DIGITS.contains(&cleaned.len()) => NikShape::EmployeeNumber,
            Err(_) => NikShape::Other,
        };
    }
    if is_scientific(cleaned) {
        NikShape::Scientific
    } else if is_rounded(cleaned) {
        NikShape::Rounded
    } else if cleaned.chars().any(char::is_alphabetic) {
        NikShape::Words
    } else {
        NikShape::Other
    }
}

fn digits_look(digits: &[u8; NIK_DIGITS]) -> DigitTraits {
    let [_, _, _, _, _, _, day, _, _, _, year1, year2, .., last] = *digits;
    let late = two(year1, year2);
    DigitTraits {
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

/// Checks the meaning of the digits: filler, serial number, birth date and place.
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
        // The century is unknown, but apart from 1900 a leap year is a leap year in both centuries.
        2 if year.is_multiple_of(4) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return DateLook::Impossible,
    };
    if day > last { DateLook::PastMonthEnd } else { DateLook::Plain }
}

/// Checks whether a code belongs to one of the 38 provinces of today, to citizens abroad (99), or
/// to a province that no longer exists (09, 10, 54).
fn is_province(code: u8) -> bool {
    matches!(code,
        11..=19 | 21 | 31..=36 | 51..=53 | 61..=65 | 71..=76 | 81 | 82 | 91..=96
        | 99
        | 9 | 10 | 54)
}

#[cfg(test)]
mod tests;
