//! Cells of a CSV that a spreadsheet opens: no cell is a formula of a stranger, no long number loses
//! its digits.
//!
//! Must hold: a cell that begins with one of `= + - @ TAB CR LF` never reaches a spreadsheet as it
//! is (OWASP, "CSV injection"). Never: for machines, who get each cell byte for byte.

use std::borrow::Cow;

/// A number of so many digits is shown as `3.27501E+15`, and loses those beyond the fifteenth.
const LONG: usize = 12;
/// A spreadsheet takes no longer text within a formula.
const LONGEST_LITERAL: usize = 255;

/// A cell as it is safe for a spreadsheet. `is_id`: it stands in the column of the NIKs.
///
/// A number that a spreadsheet would change becomes `="3275…"`, the one way of a CSV to say that
/// digits are text: a NIK always, other cells where they have 12 digits or a leading zero. Our own
/// reading of a NIK takes it off again. All else that begins like a formula gets a leading `'`.
pub(super) fn spreadsheet_safe(cell: &[u8], is_id: bool) -> Cow<'_, [u8]> {
    if begins_formula(cell) {
        return if is_text_of_digits(cell) { Cow::Borrowed(cell) } else { marked(cell) };
    }
    // Most cells are a text already.
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

/// Also line ends, and the wide forms of the signs that Asian input methods type.
fn begins_formula(cell: &[u8]) -> bool {
    const WIDE: [&[u8]; 4] = ["＝".as_bytes(), "＋".as_bytes(), "－".as_bytes(), "＠".as_bytes()];
    matches!(cell.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\n'))
        || WIDE.iter().any(|sign| cell.starts_with(sign))
}

/// `="3275…"`: what this program writes, and what people write to keep their NIKs.
fn is_text_of_digits(cell: &[u8]) -> bool {
    let inner = cell.strip_prefix(b"=\"").and_then(|rest| rest.strip_suffix(b"\""));
    inner.is_some_and(|inner| inner.len() <= LONGEST_LITERAL && is_digits(inner))
}

/// Whether a spreadsheet would read a number, and show another text than this. Spaces around a number, those outside of
/// ASCII too, do not make it a text.
fn is_at_risk(cell: &[u8], is_id: bool) -> bool {
    let bare: Vec<u8> = cell.iter().copied().filter(u8::is_ascii_graphic).collect();
    if is_id {
        // Separators, a decimal point and an exponent are a number's too.
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
            // Formulas of others.
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
            // No formula: what is not the first byte, and what a person has marked as text.
            ("a=b", "a=b", "a=b"),
            ("'3275014107900001", "'3275014107900001", "'3275014107900001"),
            ("=\"3275014107900001\"", "=\"3275014107900001\"", "=\"3275014107900001\""),
            // Digits that must stay.
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
