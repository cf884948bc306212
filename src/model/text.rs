//! Classes of characters that NIKs, names, headers and shown texts share.
//!
//! Never: judges a text; it only knows single characters.

/// Whether nobody can see the character: controls, zero-width characters, marks of text direction, the BOM.
/// Ask `char::is_whitespace` first: tabs and newlines are controls too.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{FEFF}'
            | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
}

/// Whether the character has no place in one line on a terminal: it steers the terminal, ends the line, or makes it
/// read as another.
pub(crate) fn is_unfit(c: char) -> bool {
    is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Whether the character may stand between a number's groups of digits.
pub(crate) fn is_separator(c: char) -> bool {
    matches!(c, '.' | '-' | '_' | ' ' | '\u{A0}')
}

/// Our own lines fit for a terminal, whatever a stranger's text put into them.
pub fn fit(lines: &str) -> String {
    lines.replace(|c| c != '\n' && is_unfit(c), "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_line_ends_steer_a_terminal() {
        for (text, shown) in [
            ("rows 1\n  é · … ₀\u{A0}x\n", "rows 1\n  é · … ₀\u{A0}x\n"),
            ("a\u{1B}[2Jb\rc\td\u{7F}\u{9B}e", "a?[2Jb?c?d??e"),
            ("a\u{202E}b\u{2066}c\u{2028}d\u{200B}e\0", "a?b?c?d?e?"),
        ] {
            assert_eq!(fit(text), shown);
        }
    }
}
