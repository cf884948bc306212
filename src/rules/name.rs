//! Names: cleaning that cannot change which name is meant, then the checks.
//!
//! The name that is sent is the name that is paid for. So cleaning only does this: convert to NFC;
//! remove invisible characters; replace each run of whitespace by one space, and remove it at the
//! ends; replace typographic apostrophes by `'`, and en and em dashes by `-`.
//!
//! Must hold: cleaning is idempotent.
//!
//! Never: drops a title, expands `M.` or `Muh.`, drops `bin` or `binti`, changes case, or
//! transliterates. A wrong guess would be a charged mismatch.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::headers::HeaderKey;
use crate::model::characters::is_invisible;
use crate::model::row::{Rejection, Warning, Warnings};
use crate::model::subject::{NIK_DIGITS, Name};

/// Number of letters above which a name gets a warning.
const LONG: usize = 60;

/// A name that passed the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameReading {
    /// The name as it would be sent.
    pub name: Name,
    /// Warnings about oddities in the name.
    pub warnings: Warnings,
    /// `true` if cleaning changed the text.
    pub changed: bool,
}

/// Cleans and checks the name in a cell. `header` is the key of the column's header; a cell that
/// equals it gets a warning, since it may be a repeated header row.
///
/// ```
/// use ceknik::model::row::{Rejection, Warning};
/// use ceknik::rules::headers::HeaderKey;
/// use ceknik::rules::name::check_name;
///
/// let header = HeaderKey::of("Nama Lengkap");
/// let reading = check_name("  Siti   Nur’aini, S.E. ", Some(&header)).unwrap();
/// assert_eq!(reading.name.as_str(), "Siti Nur'aini, S.E.");
/// assert!(reading.changed);
/// assert!(reading.warnings.contains(Warning::NameHasComma));
///
/// let repeated = check_name("NAMA LENGKAP", Some(&header)).unwrap();
/// assert!(repeated.warnings.contains(Warning::NameIsHeader));
///
/// assert_eq!(check_name("#N/A", None), Err(Rejection::NamePlaceholder));
/// assert_eq!(check_name("3275014107900001", None), Err(Rejection::NameNotAName));
/// ```
///
/// # Errors
/// Returns [`Rejection::NameEmpty`] if nothing is left after cleaning, [`Rejection::NameNotAName`]
/// if there is no letter or if there are 15 digits or more in a row, and
/// [`Rejection::NamePlaceholder`] if the text only marks a missing value.
pub fn check_name(raw: &str, header: Option<&HeaderKey>) -> Result<NameReading, Rejection> {
    let plain = scan_clean_ascii(raw.as_bytes());
    let (cleaned, found) = match plain {
        Some(found) => (Cow::Borrowed(raw), found),
        None => {
            let cleaned = fold(raw);
            let found = scan(&cleaned);
            (Cow::Owned(cleaned), found)
        }
    };
    if cleaned.is_empty() {
        return Err(Rejection::NameEmpty);
    }
    if found.letters == 0 {
        return Err(Rejection::NameNotAName);
    }
    if is_placeholder(&cleaned) {
        return Err(Rejection::NamePlaceholder);
    }
    let mut warnings = found.warnings;
    // A NIK inside a name belongs to another column, or rows have run together.
    if warnings.contains(Warning::NameHasDigits) && has_nik(&cleaned) {
        return Err(Rejection::NameNotAName);
    }
    warnings.extend((found.letters == 1).then_some(Warning::NameOneLetter));
    warnings.extend((found.letters > LONG).then_some(Warning::NameOver60));
    warnings.extend(header.is_some_and(|key| key.is_of(&cleaned)).then_some(Warning::NameIsHeader));
    let changed = *cleaned != *raw;
    Ok(NameReading { name: Name::new(cleaned), warnings, changed })
}

/// Cleans the name in a cell without checking it.
pub fn clean_name(raw: &str) -> Cow<'_, str> {
    match scan_clean_ascii(raw.as_bytes()) {
        Some(_) => Cow::Borrowed(raw),
        None => Cow::Owned(fold(raw)),
    }
}

/// Findings of a scan of one name.
#[derive(Default)]
struct Found {
    letters: usize,
    warnings: Warnings,
}

const LETTER: u8 = 1;
const DIGIT: u8 = 1 << 1;
const COMMA: u8 = 1 << 2;
const BRACKET: u8 = 1 << 3;
const AT: u8 = 1 << 4;
/// A byte that cannot be judged alone: the text needs [`fold`] and [`scan`].
const ODD: u8 = 1 << 5;

/// Class of each byte, for plain ASCII.
const CLASS: [u8; 256] = {
    let mut class = [ODD; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        class[byte as usize] = match byte {
            b'A'..=b'Z' | b'a'..=b'z' => LETTER,
            b'0'..=b'9' => DIGIT,
            b',' => COMMA,
            b'(' | b')' | b'[' | b']' | b'{' | b'}' => BRACKET,
            b'@' => AT,
            b'`' => ODD,
            _ => 0,
        };
        byte += 1;
    }
    class
};

/// Scans plain ASCII that needs no cleaning, in one pass. Returns `None` for all other texts. Most
/// names take this fast path.
fn scan_clean_ascii(raw: &[u8]) -> Option<Found> {
    let mut seen = 0;
    let mut letters = 0;
    // As if a space came before, so that a leading space counts as a double one.
    let mut last = b' ';
    let mut doubled = false;
    for &byte in raw {
        let class = CLASS[usize::from(byte)];
        seen |= class;
        letters += usize::from(class & LETTER);
        doubled |= byte == b' ' && last == b' ';
        last = byte;
    }
    if seen & ODD != 0 || doubled || last == b' ' {
        return None;
    }
    let mut warnings = Warnings::empty();
    if seen & !LETTER != 0 {
        warnings.extend((seen & DIGIT != 0).then_some(Warning::NameHasDigits));
        warnings.extend((seen & COMMA != 0).then_some(Warning::NameHasComma));
        warnings.extend((seen & BRACKET != 0).then_some(Warning::NameHasBrackets));
        warnings.extend((seen & AT != 0).then_some(Warning::NameHasAt));
    }
    Some(Found { letters, warnings })
}

/// Scans any cleaned text, character by character.
fn scan(text: &str) -> Found {
    let mut found = Found::default();
    for c in text.chars() {
        found.letters += usize::from(c.is_alphabetic());
        match c {
            ',' => found.warnings |= Warning::NameHasComma,
            '(' | ')' | '[' | ']' | '{' | '}' => found.warnings |= Warning::NameHasBrackets,
            '@' => found.warnings |= Warning::NameHasAt,
            // UTF-8 that was read as Windows-1252 (`Ã©` for `é`), and the mark of a lost character.
            'Ã' | '\u{FFFD}' => found.warnings |= Warning::NameMojibake,
            _ if c.is_numeric() => found.warnings |= Warning::NameHasDigits,
            _ => {}
        }
    }
    found.warnings.extend(text.contains("â€").then_some(Warning::NameMojibake));
    found
}

/// Checks whether a text is what programs write after a formula failed or an export found nothing.
/// Only the spelling of programs counts: `NAN` may be a person.
fn is_placeholder(name: &str) -> bool {
    const EXACT: &[&str] = &[
        "nan",
        "NaN",
        "None",
        "null",
        "NULL",
        "N/A",
        "n/a",
        "TRUE",
        "FALSE",
        "undefined",
        "(blank)",
    ];
    const ERRORS: &[&str] =
        &["#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"];
    EXACT.contains(&name) || (name.starts_with('#') && ERRORS.contains(&name))
}

fn has_nik(name: &str) -> bool {
    name.as_bytes().split(|byte| !byte.is_ascii_digit()).any(|run| run.len() >= NIK_DIGITS - 1)
}

/// Cleans a text that [`scan_clean_ascii`] does not accept.
fn fold(raw: &str) -> String {
    // Composing is expensive, and text that needs it is rare.
    let out = match is_nfc_quick(raw.chars()) {
        IsNormalized::Yes => fold_chars(raw.chars(), raw.len()),
        IsNormalized::No | IsNormalized::Maybe => fold_chars(raw.nfc(), raw.len()),
    };
    // A letter and its accent may be side by side only now, after a character between
    // them was removed.
    match is_nfc_quick(out.chars()) {
        IsNormalized::Yes => out,
        IsNormalized::No | IsNormalized::Maybe => out.nfc().collect(),
    }
}

fn fold_chars(chars: impl Iterator<Item = char>, bytes: usize) -> String {
    let mut out = String::with_capacity(bytes);
    let mut gap = false;
    for c in chars {
        if c.is_whitespace() {
            gap = true;
        } else if !is_invisible(c) {
            if gap && !out.is_empty() {
                out.push(' ');
            }
            gap = false;
            out.push(match c {
                '’' | '‘' | 'ʼ' | 'ʻ' | '`' | '´' => '\'',
                '–' | '—' => '-',
                other => other,
            });
        }
    }
    out
}

#[cfg(test)]
mod tests;
