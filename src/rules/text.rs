//! Classes of characters that NIKs, names and headers share.
//!
//! Never: judges a text; it only knows single characters.

/// Whether nobody can see the character: controls, zero-width characters, marks of text direction, the BOM.
/// Ask `char::is_whitespace` first: tabs and newlines are controls too.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{FEFF}'
            | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
}
