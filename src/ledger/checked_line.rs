//! A line that ends in its checksum, so that a torn write is noticed.

use crate::model::hex::hex;

/// Appends the checksum and a newline.
pub(super) fn with_checksum(line: &str) -> String {
    format!("{line} {}\n", checksum(line))
}

/// Returns the line without its checksum; `None` if the checksum is wrong.
pub(super) fn checked(text: &str) -> Option<&str> {
    let (line, check) = text.strip_suffix('\n')?.rsplit_once(' ')?;
    (check == checksum(line)).then_some(line)
}

/// Returns the checksum of a line: 64 bits of its hash, in hexadecimal.
fn checksum(line: &str) -> String {
    hex(&blake3::hash(line.as_bytes()).as_bytes()[..8])
}
