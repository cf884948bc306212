//! Describes an answer that is not the vendor's: its status, its content type and the beginning of
//! its text.
//!
//! Must hold: a description contains no NIK, no name and no credential. It shows the beginning of
//! the text only if that beginning is plain ASCII and contains no four digits in a row, no word of
//! the name that was sent, and no credential.

use std::fmt::Write;

use super::credentials::Credentials;
use crate::model::subject::Subject;

/// Maximum number of characters of the text that a description shows.
const SHOWN: usize = 60;
/// Number of characters that are searched for private data. It is larger than `SHOWN`, because a
/// word that is cut in two at the end of the shown part would not be recognized.
const LOOKED_AT: usize = 400;
/// Longest content type that is shown, in bytes. No real content type is longer.
const LONGEST_KIND: usize = 60;

/// Describes an answer, for example as `HTTP 200, text/html, begins "<html>…"`. `text` is `None` if
/// the body was too large.
pub fn description(
    http: u16,
    content_type: Option<&str>,
    text: Option<&str>,
    subject: &Subject,
    credentials: &Credentials,
) -> String {
    let private = Private { subject, credentials };
    let mut told = format!("HTTP {http}");
    if let Some(kind) = content_type.and_then(kind).filter(|kind| !private.is_in(kind)) {
        let _ = write!(told, ", {kind}");
    }
    match text {
        None => told += ", too large",
        Some(text) if text.trim().is_empty() => told += ", empty",
        Some(text) => {
            if let Some(beginning) = beginning(text, &private) {
                let _ = write!(told, ", begins \"{beginning}\"");
            }
        }
    }
    told
}

/// The data that a description must not reveal.
struct Private<'a> {
    subject: &'a Subject,
    credentials: &'a Credentials,
}

impl Private<'_> {
    /// Checks whether a text may contain any of this data. Four digits in a row may be a part of a
    /// NIK.
    fn is_in(&self, text: &str) -> bool {
        let folded = text.to_lowercase();
        let has = |word: &str| word.len() > 1 && folded.contains(&word.to_lowercase());
        let has_number = text.as_bytes().windows(4).any(|four| four.iter().all(u8::is_ascii_digit));
        has_number
            || self.subject.name.as_str().split(|c: char| !c.is_alphanumeric()).any(has)
            || has(&self.credentials.secret)
            || has(&self.credentials.id)
    }
}

/// Returns the media type of a `Content-Type` header, such as `text/html`, without its parameters.
/// Returns `None` if the type is too long or contains unexpected characters.
fn kind(content_type: &str) -> Option<&str> {
    let kind = content_type.split(';').next()?.trim();
    let is_plain = |c: char| c.is_ascii_alphabetic() || "/+.-".contains(c);
    (!kind.is_empty() && kind.len() <= LONGEST_KIND && kind.chars().all(is_plain)).then_some(kind)
}

fn beginning(text: &str, private: &Private<'_>) -> Option<String> {
    // `LOOKED_AT` characters contain at most `LOOKED_AT` words.
    let words: Vec<&str> = text.split_whitespace().take(LOOKED_AT).collect();
    let looked_at: String = words.join(" ").chars().take(LOOKED_AT).collect();
    let is_plain = looked_at.chars().all(|c| c.is_ascii() && !c.is_ascii_control());
    if !is_plain || private.is_in(&looked_at) {
        return None;
    }
    let shown: String = looked_at.chars().take(SHOWN).collect();
    let is_cut = shown.len() < looked_at.len();
    Some(shown.replace('"', "'") + if is_cut { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::subject;

    #[test]
    fn an_answer_is_described_without_the_customer() {
        let subject = subject("3275014107900001", "SITI N. AMINAH");
        let word = |word: &str| word.to_owned();
        let credentials = Credentials { id: word("an-id-1"), secret: word("a-secret-1") };
        let html = Some("text/html; charset=utf-8");
        let long = "<p>".to_owned() + &"x".repeat(90);
        for (kind, text, told) in [
            (
                html,
                Some("<html>\n <b>down</b>"),
                r#"HTTP 200, text/html, begins "<html> <b>down</b>""#,
            ),
            (html, Some(""), "HTTP 200, text/html, empty"),
            (html, None, "HTTP 200, text/html, too large"),
            (None, Some(r#"{"a":1}"#), r#"HTTP 200, begins "{'a':1}""#),
            (Some("a b"), Some("ok"), r#"HTTP 200, begins "ok""#),
            (Some("text/3275014107900001"), Some("ok"), r#"HTTP 200, begins "ok""#),
            (Some("text/x-siti"), Some("ok"), r#"HTTP 200, begins "ok""#),
            (html, Some("Hi Siti,"), "HTTP 200, text/html"),
            (html, Some("hi aminah"), "HTTP 200, text/html"),
            (html, Some("no 3275 0141"), "HTTP 200, text/html"),
            (html, Some("caf\u{e9}"), "HTTP 200, text/html"),
            (html, Some("\u{1b}[2J"), "HTTP 200, text/html"),
            (html, Some("key a-secret-1"), "HTTP 200, text/html"),
            (html, Some(&(long.clone() + " siti")), "HTTP 200, text/html"),
            (html, Some(&format!("ok{}aminah", " ".repeat(LOOKED_AT - 5))), "HTTP 200, text/html"),
            (html, Some(&long), &format!("HTTP 200, text/html, begins \"{}…\"", &long[..60])),
        ] {
            assert_eq!(description(200, kind, text, &subject, &credentials), told, "{text:?}");
        }
    }
}
