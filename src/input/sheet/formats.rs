//! The number formats of a workbook: plain numbers, dates, times or spans of time.
//!
//! Must hold: a style that is missing or damaged is the general one; a number is a date only where its own format says so.

use super::package::{Package, Part};
use super::xml::{attribute, text_attribute};
use quick_xml::events::{BytesStart, Event};
use std::collections::HashMap;

/// A number format, to be written into another workbook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum NumberFormat {
    /// None of its own.
    #[default]
    General,
    /// One that every spreadsheet knows by number.
    BuiltIn(u8),
    /// One that is spelled out, such as `"Rp"#,##0`.
    Code(String),
}

/// The kind of value that a format makes of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shows {
    /// A number.
    #[default]
    Number,
    /// A day, perhaps with the time of the day.
    Date,
    /// Hours that may be more than a day has.
    Span,
}

/// A number format by its place in [`Formats::list`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FormatId(pub(super) u16);

/// The number formats of a workbook.
#[derive(Debug)]
pub(super) struct Formats {
    /// Each of them once, and what it shows. The first is the general one, the second the built-in day.
    list: Vec<(NumberFormat, Shows)>,
    places: HashMap<NumberFormat, FormatId>,
    /// The format of each style of cells.
    styles: Vec<FormatId>,
}

/// Formats that are told apart. Real workbooks have a few dozen.
const MOST_FORMATS: u16 = 2000;
/// Characters of the longest format that a spreadsheet takes.
const LONGEST_CODE: usize = 255;
/// The number of the first format that is spelled out.
const FIRST_OWN: u32 = 164;
/// The built-in day's place in the list.
pub(super) const DAY: FormatId = FormatId(1);

impl Default for Formats {
    fn default() -> Self {
        let mut formats = Self { list: Vec::new(), places: HashMap::new(), styles: Vec::new() };
        formats.put(NumberFormat::General, Shows::Number);
        formats.put(NumberFormat::BuiltIn(14), Shows::Date);
        formats
    }
}

impl Formats {
    /// Those of the styles' part. What can't be read is general.
    pub(super) fn read(package: &mut Package, part: Option<Part>) -> Self {
        let mut formats = Self::default();
        let most = package.bounds.frame;
        let Some(Ok(mut xml)) = part.map(|part| package.xml(part, most)) else { return formats };
        let (mut codes, mut in_cells) = (HashMap::new(), false);
        while let Ok(event) = xml.next() {
            match event {
                Event::Start(e) | Event::Empty(e) => match e.local_name().as_ref() {
                    "numFmt" => {
                        let id = number(&e, "numFmtId");
                        codes.extend(id.zip(text_attribute(&e, "formatCode")));
                    }
                    "cellXfs" => in_cells = true,
                    "xf" if in_cells => {
                        let id = formats.add(number(&e, "numFmtId").unwrap_or(0), &codes);
                        formats.styles.push(id);
                    }
                    _ => {}
                },
                Event::End(e) if e.local_name().as_ref() == "cellXfs" => break,
                Event::Eof => break,
                _ => {}
            }
        }
        formats
    }

    /// The format of a style.
    pub(super) fn of_style(&self, style: usize) -> FormatId {
        self.styles.get(style).copied().unwrap_or_default()
    }

    /// The kind of value that a format shows.
    pub(super) fn shows(&self, id: FormatId) -> Shows {
        self.list.get(usize::from(id.0)).map(|(_, shows)| *shows).unwrap_or_default()
    }

    /// Each of them.
    pub(super) fn list(self) -> Vec<NumberFormat> {
        self.list.into_iter().map(|(format, _)| format).collect()
    }

    fn add(&mut self, id: u32, codes: &HashMap<u32, String>) -> FormatId {
        let code = codes.get(&id).filter(|code| is_sound(code));
        match (code, u8::try_from(id)) {
            (Some(code), _) if code.eq_ignore_ascii_case(GENERAL) => FormatId::default(),
            (Some(code), _) => self.put(NumberFormat::Code(code.clone()), shown_by(code)),
            (None, Ok(0)) => FormatId::default(),
            (None, Ok(known)) if id < FIRST_OWN => {
                self.put(NumberFormat::BuiltIn(known), shown_by_number(known))
            }
            _ => FormatId::default(),
        }
    }

    fn put(&mut self, format: NumberFormat, shows: Shows) -> FormatId {
        if let Some(known) = self.places.get(&format) {
            return *known;
        }
        let Some(at) = u16::try_from(self.list.len()).ok().filter(|at| *at < MOST_FORMATS) else {
            return FormatId::default();
        };
        self.list.push((format.clone(), shows));
        self.places.insert(format, FormatId(at));
        FormatId(at)
    }
}

fn number(element: &BytesStart<'_>, name: &str) -> Option<u32> {
    attribute(element, name)?.trim().parse().ok()
}

/// Returns `true` if a spelled-out format can be written into another workbook: a spreadsheet refuses a file for a format
/// that it can't read.
fn is_sound(code: &str) -> bool {
    const MOST_SECTIONS: usize = 4;
    let (mut letters, mut sections) = (code.chars(), 1);
    let mut ends = true;
    while let Some(letter) = letters.next() {
        ends = match letter {
            '"' => letters.any(|c| c == '"'),
            '[' => letters.any(|c| c == ']'),
            '\\' | '_' | '*' => letters.next().is_some(),
            ';' => {
                sections += 1;
                true
            }
            _ => !letter.is_control(),
        };
        if !ends {
            break;
        }
    }
    ends && !code.is_empty() && sections <= MOST_SECTIONS && code.chars().count() <= LONGEST_CODE
}

/// The kind of value that a built-in format shows. Those of East Asia are dates in one country and times in another.
const fn shown_by_number(id: u8) -> Shows {
    match id {
        14..=22 | 27..=36 | 45 | 47 | 50..=58 => Shows::Date,
        46 => Shows::Span,
        _ => Shows::Number,
    }
}

/// The format of a number that is shown as it is.
const GENERAL: &str = "General";

/// The kind of value that a spelled-out format shows: its first section counts, without what is quoted, escaped or in
/// brackets.
fn shown_by(code: &str) -> Shows {
    let mut letters = code.chars();
    let mut shows = Shows::Number;
    loop {
        // The word for a number's own form is no date, whatever its letters are.
        let rest = letters.as_str();
        if rest.get(..GENERAL.len()).is_some_and(|word| word.eq_ignore_ascii_case(GENERAL)) {
            return shows;
        }
        let Some(letter) = letters.next() else { return shows };
        match letter.to_ascii_lowercase() {
            ';' => return shows,
            '\\' | '_' | '*' => {
                letters.next();
            }
            '"' => {
                letters.by_ref().find(|c| *c == '"');
            }
            '[' => {
                let inner: String = letters.by_ref().take_while(|c| *c != ']').collect();
                let unit = inner.to_ascii_lowercase();
                let first = unit.chars().next().unwrap_or_default();
                if matches!(first, 'h' | 'm' | 's') && unit.chars().all(|c| c == first) {
                    return Shows::Span;
                }
            }
            'd' | 'm' | 'y' | 'h' | 's' => shows = Shows::Date,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_says_what_it_shows() {
        for (code, shows) in [
            ("0", Shows::Number),
            ("General", Shows::Number),
            ("#,##0.00", Shows::Number),
            ("\"Rp\"#,##0", Shows::Number),
            ("[$Rp-421]#,##0", Shows::Number),
            ("0.00E+00", Shows::Number),
            ("0 \"hari\"", Shows::Number),
            ("0\\d", Shows::Number),
            ("_(* #,##0_);[Red](#,##0)", Shows::Number),
            ("[Red]0;[Blue]dd", Shows::Number),
            ("@", Shows::Number),
            ("yyyy-mm-dd", Shows::Date),
            ("DD/MM/YYYY", Shows::Date),
            ("[$-421]dd mmmm yyyy", Shows::Date),
            ("mmm", Shows::Date),
            ("[$-411]ggge\"年\"m\"月\"d\"日\";@", Shows::Date),
            ("\"kg\" General", Shows::Number),
            ("h:mm AM/PM", Shows::Date),
            ("[h]:mm:ss", Shows::Span),
            ("[mm]:ss", Shows::Span),
        ] {
            assert_eq!(shown_by(code), shows, "{code}");
        }
        for (id, shows) in
            [(1, Shows::Number), (14, Shows::Date), (46, Shows::Span), (49, Shows::Number)]
        {
            assert_eq!(shown_by_number(id), shows, "{id}");
        }
    }

    #[test]
    fn a_format_that_no_spreadsheet_reads_is_general() {
        for (code, sound) in [
            ("\"Rp\"#,##0;[Red]-0;0;@", true),
            ("0\\ ", true),
            ("\"Rp#,##0", false),
            ("[Red0", false),
            ("0\\", false),
            ("0;0;0;0;0", false),
            ("", false),
            ("0\u{1}", false),
        ] {
            assert_eq!(is_sound(code), sound, "{code:?}");
        }
        let long = "0".repeat(LONGEST_CODE + 1);
        assert!(!is_sound(&long));
    }

    #[test]
    fn formats_are_kept_once_and_bounded() {
        let mut formats = Formats::default();
        let codes: HashMap<u32, String> =
            (200..200 + 3000).map(|id| (id, format!("0\"{id}\""))).collect();
        let ids: Vec<_> = codes.keys().map(|id| formats.add(*id, &codes)).collect();
        assert!(ids.iter().all(|id| id.0 < MOST_FORMATS));
        assert_eq!(formats.add(14, &codes), DAY);
        assert_eq!(formats.add(15, &codes), FormatId::default(), "there is no room");
        assert_eq!(formats.add(9999, &codes), FormatId::default());
        assert_eq!(formats.list().len(), usize::from(MOST_FORMATS));
    }
}
