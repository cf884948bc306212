//! Classes of characters that NIKs, names, headers and displayed texts have in common.
//!
//! Never: judges a whole text. Each check looks at a single character.

/// Checks whether a character is invisible: a control character, a zero-width character, a mark of
/// text direction, the byte order mark. Call `char::is_whitespace` first, because tabs and newlines
/// are control characters too.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{FEFF}'
            | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
}

/// Checks whether a character must not appear in a line on a terminal: it controls the terminal,
/// ends the line, or makes the line look like another text.
pub(crate) fn is_unsafe_for_terminal(c: char) -> bool {
    is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Checks whether a character may stand between groups of digits in a number.
pub(crate) fn is_separator(c: char) -> bool {
    matches!(c, '.' | '-' | '_' | ' ' | '\u{A0}')
}

/// Makes lines of ours safe for a terminal. They may contain a text from outside, so each character
/// that could control the terminal is replaced by `?`. Newlines stay.
pub fn terminal_safe(lines: &str) -> String {
    lines.replace(|c| c != '\n' && is_unsafe_for_terminal(c), "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_replaced() {
        for (text, shown) in [
            ("rows 1\n  é · … ₀\u{A0}x\n", "rows 1\n  é · … ₀\u{A0}x\n"),
            ("a\u{1B}[2Jb\rc\td\u{7F}\u{9B}e", "a?[2Jb?c?d??e"),
            ("a\u{202E}b\u{2066}c\u{2028}d\u{200B}e\0", "a?b?c?d?e?"),
        ] {
            assert_eq!(terminal_safe(text), shown);
        }
    }
}
