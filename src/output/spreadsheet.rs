//! Makes the cells of a CSV safe for a spreadsheet: no text of the input becomes a formula, and no
//! long number loses digits.
//!
//! Must hold: a cell that begins with one of `= + - @ TAB CR LF` is never written as it is (OWASP,
//! "CSV injection"). The one exception is a text of digits such as `="3275…"`.
//!
//! Never: changes a cell of a CSV for machines, which get each cell byte for byte.

use std::borrow::Cow;

/// Number of digits from which a spreadsheet shows a number as `3.27501E+15`. Digits beyond the
/// fifteenth are lost.
const LONG: usize = 12;
/// Length of the longest text that a spreadsheet accepts within a formula.
const LONGEST_LITERAL: usize = 255;

/// Returns a cell as it is safe for a spreadsheet. `is_id` is true if the cell is in the column of
/// the NIKs.
///
/// A number that a spreadsheet would change becomes `="3275…"`, which is the only way to mark
/// digits as text in a CSV. In the column of the NIKs this applies to every number, and elsewhere
/// to numbers with 12 digits or more or with a leading zero. The mark is removed when ceknik reads
/// a NIK. Any other cell that begins like a formula gets a leading `'`.
pub(super) fn spreadsheet_safe(cell: &[u8], is_id: bool) -> Cow<'_, [u8]> {
    if begins_formula(cell) {
        return if is_text_of_digits(cell) { Cow::Borrowed(cell) } else { marked(cell) };
    }
    // Most cells begin with a letter, and need no further check.
    if cell.first().is_none_or(u8::is_ascii_alphabetic) || !is_at_risk(cell, is_id) {
        Cow::Borrowed(cell)
    } else if cell.len() > LONGEST_LITERAL {
        marked(cell)
    } else {
        Cow::Owned([b"=\"", cell, b"\""].concat())
    }
}

fn marked(cell: &[u8]) -> Cow<'_, [u8]> {
    Cow::Owned([b"'", cell].concat())
}

/// Checks whether a cell begins with a sign that may begin a formula. Tabs, line ends, and the
/// full-width signs of Asian input methods count too.
fn begins_formula(cell: &[u8]) -> bool {
    const WIDE: [&[u8]; 4] = ["＝".as_bytes(), "＋".as_bytes(), "－".as_bytes(), "＠".as_bytes()];
    matches!(cell.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\n'))
        || WIDE.iter().any(|sign| cell.starts_with(sign))
}

/// Checks whether a cell has the form `="3275…"`. This program writes it, and people write it to
/// keep all digits of their NIKs.
fn is_text_of_digits(cell: &[u8]) -> bool {
    let inner = cell.strip_prefix(b"=\"").and_then(|rest| rest.strip_suffix(b"\""));
    inner.is_some_and(|inner| inner.len() <= LONGEST_LITERAL && is_digits(inner))
}

/// Checks whether a spreadsheet would read a cell as a number and show another text. A number stays
/// a number if there are spaces around it, even spaces outside of ASCII.
fn is_at_risk(cell: &[u8], is_id: bool) -> bool {
    let bare: Vec<u8> = cell.iter().copied().filter(u8::is_ascii_graphic).collect();
    if is_id {
        // A number may also contain separators, a sign, a decimal point and an exponent.
        return bare.iter().any(u8::is_ascii_digit)
            && bare.iter().all(|byte| b"0123456789.,-+eE".contains(byte));
    }
    is_digits(&bare) && (bare.len() >= LONG || (bare.len() > 1 && bare.starts_with(b"0")))
}

fn is_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_as_a_spreadsheet_gets_them() {
        for (cell, as_id, elsewhere) in [
            ("", "", ""),
            ("BUDI", "BUDI", "BUDI"),
            // Texts that would become formulas.
            ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
            ("=1+1", "'=1+1", "'=1+1"),
            ("+62 812", "'+62 812", "'+62 812"),
            ("-", "'-", "'-"),
            ("-5", "'-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx", "'\tx"),
            ("\rx", "'\rx", "'\rx"),
            ("\n=1+1", "'\n=1+1", "'\n=1+1"),
            ("＝1+1", "'＝1+1", "'＝1+1"),
            ("=", "'=", "'="),
            ("=\"1\"&A1&\"1\"", "'=\"1\"&A1&\"1\"", "'=\"1\"&A1&\"1\""),
            ("=\"\"", "'=\"\"", "'=\"\""),
            // No formulas: a sign that is not the first byte, and cells that a person has marked as
            // text.
            ("a=b", "a=b", "a=b"),
            ("'3275014107900001", "'3275014107900001", "'3275014107900001"),
            ("=\"3275014107900001\"", "=\"3275014107900001\"", "=\"3275014107900001\""),
            // Digits that must not be lost.
            ("3275014107900001", "=\"3275014107900001\"", "=\"3275014107900001\""),
            (" 3275014107900001 ", "=\" 3275014107900001 \"", "=\" 3275014107900001 \""),
            ("327501410790", "=\"327501410790\"", "=\"327501410790\""),
            ("32750141079", "=\"32750141079\"", "32750141079"),
            ("1", "=\"1\"", "1"),
            ("01", "=\"01\"", "=\"01\""),
            ("0", "=\"0\"", "0"),
            ("081234567890", "=\"081234567890\"", "=\"081234567890\""),
            ("3275.0141.0790.0001", "=\"3275.0141.0790.0001\"", "3275.0141.0790.0001"),
            ("3275014107900001.0", "=\"3275014107900001.0\"", "3275014107900001.0"),
            ("3,27501E+15", "=\"3,27501E+15\"", "3,27501E+15"),
            ("2026-11-23 10:00:00", "2026-11-23 10:00:00", "2026-11-23 10:00:00"),
            ("3275014107900001\n", "=\"3275014107900001\n\"", "=\"3275014107900001\n\""),
            (
                "3275014107900001\u{A0}",
                "=\"3275014107900001\u{A0}\"",
                "=\"3275014107900001\u{A0}\"",
            ),
            (
                "\u{A0}3275014107900001",
                "=\"\u{A0}3275014107900001\"",
                "=\"\u{A0}3275014107900001\"",
            ),
            ("32750141 A", "32750141 A", "32750141 A"),
            (" ", " ", " "),
        ] {
            let safe = |is_id| String::from_utf8(spreadsheet_safe(cell.as_bytes(), is_id).into());
            assert_eq!(safe(true).unwrap(), as_id, "{cell:?} as a NIK");
            assert_eq!(safe(false).unwrap(), elsewhere, "{cell:?} elsewhere");
        }
        let endless = "1".repeat(LONGEST_LITERAL + 1);
        let marked = format!("'{endless}");
        assert_eq!(spreadsheet_safe(endless.as_bytes(), true), marked.as_bytes());
        assert_eq!(spreadsheet_safe(&[0xff, b'='], true), &[0xff, b'='][..]);
    }
}
