//! Words of a command that a person pastes into a shell.
//!
//! Must hold: no word contains a whole NIK.

use super::mask::mask_niks;

/// Quotes a word for a shell, if necessary, and masks NIKs in it.
///
/// ```
/// use ceknik::model::shell::quoted;
///
/// assert_eq!(quoted("data/in.csv"), "data/in.csv");
/// assert_eq!(quoted("data nasabah.xlsx"), "'data nasabah.xlsx'");
/// assert_eq!(quoted("it's.csv"), r"'it'\''s.csv'");
/// assert_eq!(quoted(""), "''");
/// ```
pub fn quoted(word: &str) -> String {
    let shown = mask_niks(word);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+*".contains(c);
    if !shown.is_empty() && shown.chars().all(is_plain) {
        return shown.into_owned();
    }
    format!("'{}'", shown.replace('\'', r"'\''"))
}
