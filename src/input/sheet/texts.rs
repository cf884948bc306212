//! Reads the texts that the sheets of a workbook share, and decodes the texts of a workbook.
//!
//! Must hold: memory is that of the texts themselves and of one index for each. Phonetic text,
//! which only says how another text is pronounced, is left out.

use quick_xml::events::Event;

use super::bounds::{BoundExceeded, Bounds};
use super::package::{Package, Part};
use super::xml::{LONGEST_TEXT, Xml, cut_off};
use crate::input::error::{Problem, damaged, too_large};

/// Shared texts, to which cells refer by index.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// All texts, one directly after the other.
    all: String,
    /// End of each text in `all`.
    ends: Vec<usize>,
}

impl Texts {
    /// Reads the part with the shared texts.
    pub(super) fn read(package: &mut Package, part: Option<Part>) -> Result<Self, Problem> {
        let part = part.ok_or_else(|| damaged("its list of texts is missing"))?;
        let Bounds { strings, texts: most, .. } = package.bounds;
        let mut xml = package.xml(part, strings)?;
        let mut texts = Self::default();
        loop {
            match xml.next()? {
                Event::Start(e) if e.local_name().as_ref() == "si" => {
                    rich_text(&mut xml, "si", &mut texts.all)?;
                    texts.ends.push(texts.all.len());
                }
                Event::Empty(e) if e.local_name().as_ref() == "si" => {
                    texts.ends.push(texts.all.len());
                }
                Event::End(e) if e.local_name().as_ref() == "sst" => break,
                Event::Empty(e) if e.local_name().as_ref() == "sst" => break,
                Event::Eof => return Err(cut_off()),
                _ => {}
            }
            if texts.ends.len() > most {
                return Err(too_large("more texts than any sheet of customers"));
            }
        }
        xml.finish()?;
        Ok(texts)
    }

    /// Returns the text at an index, from 0.
    pub(super) fn get(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)?;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        self.all.get(start.unwrap_or(0)..end)
    }
}

/// Appends a text of several pieces, up to the end tag of the element `holder`.
pub(super) fn rich_text(xml: &mut Xml<'_>, holder: &str, text: &mut String) -> Result<(), Problem> {
    // True inside an element with phonetic text.
    let mut aloud = false;
    let start = text.len();
    loop {
        if text.len() - start > LONGEST_TEXT {
            return Err(BoundExceeded::Text.into());
        }
        match xml.next()? {
            Event::Start(e) => match e.local_name().as_ref() {
                "t" if !aloud => xml.text_of("t", text)?,
                "rPh" => aloud = true,
                _ => {}
            },
            Event::End(e) if e.local_name().as_ref() == holder => break,
            Event::End(e) if e.local_name().as_ref() == "rPh" => aloud = false,
            Event::Eof => return Err(cut_off()),
            _ => {}
        }
    }
    unescape(text, start);
    Ok(())
}

/// Replaces escapes such as `_x000D_` by their characters, in `text` from the byte `start` on. A
/// workbook writes such escapes for characters that XML cannot contain.
pub(super) fn unescape(text: &mut String, start: usize) {
    let Some(escaped) = text.get(start..).filter(|t| t.contains("_x")) else { return };
    let mut units: Vec<u16> = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(letter) = rest.chars().next() {
        match escaped_unit(rest) {
            Some(unit) => {
                units.push(unit);
                rest = rest.get(ESCAPE..).unwrap_or_default();
            }
            None => {
                units.extend_from_slice(letter.encode_utf16(&mut [0; 2]));
                rest = rest.get(letter.len_utf8()..).unwrap_or_default();
            }
        }
    }
    // An escape may be half of a surrogate pair, without the other half. Then the text stays as it
    // is written.
    if let Ok(plain) = String::from_utf16(&units) {
        text.truncate(start);
        text.push_str(&plain);
    }
}

/// Length of an escape such as `_x000D_` in bytes.
const ESCAPE: usize = 7;

/// Decodes the escape at the beginning of a text to a UTF-16 code unit, if there is one.
fn escaped_unit(text: &str) -> Option<u16> {
    let inner = text.get(..ESCAPE)?.strip_prefix("_x")?.strip_suffix('_')?;
    let is_hex = inner.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(inner, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_characters() {
        for (written, read) in [
            ("a_x000D_b", "a\rb"),
            ("_x005F_x000D_", "_x000D_"),
            ("_xD83D__xDE00_", "😀"),
            ("_xD83D_", "_xD83D_"),
            ("_x00_ _x000g_ x", "_x00_ _x000g_ x"),
            ("é_x0041_é", "éAé"),
            ("", ""),
        ] {
            let mut text = format!("_x0042_{written}");
            unescape(&mut text, 7);
            assert_eq!(text, format!("_x0042_{read}"));
        }
    }
}
