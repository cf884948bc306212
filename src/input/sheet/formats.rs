//! Reads the number formats of a workbook, and finds whether a format shows a plain number, a date
//! or a span of time.
//!
//! Must hold: a style that is missing or damaged has the general format. A number is a date only if
//! the format of its own cell says so.

use std::collections::HashMap;

use quick_xml::events::{BytesStart, Event};

use super::package::{Package, Part};
use super::xml::{attribute, text_attribute};

/// Number format of a cell, as it can be written into another workbook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum NumberFormat {
    /// The general format, of a cell without a format.
    #[default]
    General,
    /// A format that every spreadsheet knows by its number.
    BuiltIn(u8),
    /// A format that the workbook defines by its code, such as `"Rp"#,##0`.
    Code(String),
}

/// Kind of value that a format shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ShownAs {
    /// A plain number.
    #[default]
    Number,
    /// A date, a time of day, or both.
    Date,
    /// A span of time, which may have more than 24 hours.
    Span,
}

/// Index of a number format in [`Formats::list`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FormatId(pub(super) u16);

/// Number formats of a workbook.
#[derive(Debug)]
pub(super) struct Formats {
    /// Each format once, with the kind of value that it shows. The first is the general format, the
    /// second the built-in date.
    list: Vec<(NumberFormat, ShownAs)>,
    /// Index of each format in `list`.
    places: HashMap<NumberFormat, FormatId>,
    /// Format of each cell style, in the order of the styles.
    styles: Vec<FormatId>,
}

/// Largest number of distinct formats. Further ones become the general format. Real workbooks have
/// a few dozen.
const MOST_FORMATS: u16 = 2000;
/// Characters of the longest format code that a spreadsheet accepts.
const LONGEST_CODE: usize = 255;
/// Number of the first format that a workbook defines itself. Smaller numbers are built-in formats.
const FIRST_OWN: u32 = 164;
/// Index of the built-in date in the list.
pub(super) const DAY: FormatId = FormatId(1);

impl Default for Formats {
    fn default() -> Self {
        let mut formats = Self { list: Vec::new(), places: HashMap::new(), styles: Vec::new() };
        formats.put(NumberFormat::General, ShownAs::Number);
        formats.put(NumberFormat::BuiltIn(14), ShownAs::Date);
        formats
    }
}

impl Formats {
    /// Reads the formats from the part with the styles. A style that cannot be read has the general
    /// format.
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

    /// Returns the format of a cell style.
    pub(super) fn of_style(&self, style: usize) -> FormatId {
        self.styles.get(style).copied().unwrap_or_default()
    }

    /// Returns the kind of value that a format shows.
    pub(super) fn shows(&self, id: FormatId) -> ShownAs {
        self.list.get(usize::from(id.0)).map(|(_, shows)| *shows).unwrap_or_default()
    }

    /// Returns all formats. A [`FormatId`] is an index into the result.
    pub(super) fn list(self) -> Vec<NumberFormat> {
        self.list.into_iter().map(|(format, _)| format).collect()
    }

    /// Adds the format with the number `id`. `codes` has the codes that the workbook defines.
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

    /// Adds a format if it is new. Returns its index, or that of the general format if there is no
    /// room.
    fn put(&mut self, format: NumberFormat, shows: ShownAs) -> FormatId {
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

/// Returns the value of an attribute as a number.
fn number(element: &BytesStart<'_>, name: &str) -> Option<u32> {
    attribute(element, name)?.trim().parse().ok()
}

/// Checks whether a format code can be written into another workbook. A spreadsheet refuses to open
/// a file with a code that it cannot read.
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

/// Returns the kind of value that a built-in format shows. The formats 27 to 36 and 50 to 58 are
/// for East Asian languages: they are dates in one country and times in another.
const fn shown_by_number(id: u8) -> ShownAs {
    match id {
        14..=22 | 27..=36 | 45 | 47 | 50..=58 => ShownAs::Date,
        46 => ShownAs::Span,
        _ => ShownAs::Number,
    }
}

/// Code of the general format.
const GENERAL: &str = "General";

/// Returns the kind of value that a format code shows. Only the first section of the code counts,
/// without text that is quoted or escaped. Of text in brackets, only a unit of time counts (`[h]`).
fn shown_by(code: &str) -> ShownAs {
    let mut letters = code.chars();
    let mut shows = ShownAs::Number;
    loop {
        // The word "General" is not a date, although it contains letters that occur in date codes.
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
                    return ShownAs::Span;
                }
            }
            'd' | 'm' | 'y' | 'h' | 's' => shows = ShownAs::Date,
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
            ("0", ShownAs::Number),
            ("General", ShownAs::Number),
            ("#,##0.00", ShownAs::Number),
            ("\"Rp\"#,##0", ShownAs::Number),
            ("[$Rp-421]#,##0", ShownAs::Number),
            ("0.00E+00", ShownAs::Number),
            ("0 \"hari\"", ShownAs::Number),
            ("0\\d", ShownAs::Number),
            ("_(* #,##0_);[Red](#,##0)", ShownAs::Number),
            ("[Red]0;[Blue]dd", ShownAs::Number),
            ("@", ShownAs::Number),
            ("yyyy-mm-dd", ShownAs::Date),
            ("DD/MM/YYYY", ShownAs::Date),
            ("[$-421]dd mmmm yyyy", ShownAs::Date),
            ("mmm", ShownAs::Date),
            ("[$-411]ggge\"年\"m\"月\"d\"日\";@", ShownAs::Date),
            ("\"kg\" General", ShownAs::Number),
            ("h:mm AM/PM", ShownAs::Date),
            ("[h]:mm:ss", ShownAs::Span),
            ("[mm]:ss", ShownAs::Span),
        ] {
            assert_eq!(shown_by(code), shows, "{code}");
        }
        for (id, shows) in
            [(1, ShownAs::Number), (14, ShownAs::Date), (46, ShownAs::Span), (49, ShownAs::Number)]
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
