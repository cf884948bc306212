//! Reads the cells of a sheet as rows of text, one row at a time.
//!
//! Must hold: rows come in their order, each with its index in the sheet. A number is written
//! without loss of digits and without an exponent. Only the rows and cells of a sheet are used. The
//! size that the sheet declares, for example, is ignored.

use std::io::{self, Write};

use quick_xml::events::{BytesStart, Event};

use super::book::{SheetPart, is_true};
use super::dates;
use super::formats::{DAY, FormatId, Formats, ShownAs};
use super::package::Package;
use super::texts::{Texts, rich_text, unescape};
use super::xml::{Xml, attribute, cut_off};
use crate::input::error::{Problem, damaged, too_large};
use crate::input::records::RECORD_BYTES;

/// Number of rows of the largest sheet that a spreadsheet opens.
const MOST_ROWS: usize = 1_048_576;
/// Number of columns of the largest sheet that a spreadsheet opens.
const MOST_COLUMNS: usize = 16_384;
/// Bytes of the longest cell: 32,767 characters of up to four bytes.
const LONGEST_CELL: usize = 4 * 32_767;

/// Bytes of the longest row, which is read as one record of the text.
const LONGEST_ROW: usize = RECORD_BYTES;

/// Kind of a cell in the spreadsheet, with its value if that is not a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Text(FormatId),
    Number(f64, FormatId),
    /// A number that is shown as a date or a time, in days from 1900.
    Time(f64, FormatId),
    Truth(bool),
    /// A formula without a stored value.
    FormulaWithoutValue,
    /// A cell that refers to a shared text that does not exist.
    MissingText,
}

impl Default for Kind {
    fn default() -> Self {
        Self::Text(FormatId::default())
    }
}

/// Cell of a sheet: its text and its kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SheetCell {
    pub(super) text: String,
    pub(super) kind: Kind,
}

impl SheetCell {
    /// Creates a cell that is a text.
    fn text(text: &str, format: FormatId) -> Self {
        // The text is read back as records, where a NUL byte is an error.
        let text = if text.contains('\0') { text.replace('\0', "") } else { text.to_owned() };
        Self { text, kind: Kind::Text(format) }
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty() && matches!(self.kind, Kind::Text(_))
    }
}

/// Row of a sheet.
#[derive(Debug, Default)]
pub(super) struct SheetRow {
    /// Index of the row in the sheet, from 0.
    pub(super) index: usize,
    /// The spreadsheet hides the row.
    pub(super) is_hidden: bool,
    /// Cells up to the last filled one, from column 0.
    pub(super) cells: Vec<SheetCell>,
}

impl SheetRow {
    /// Returns the texts of the cells.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().map(|cell| cell.text.as_str())
    }

    /// Returns `true` if any cell has a text.
    pub(super) fn has_text(&self) -> bool {
        self.texts().any(|text| !text.is_empty())
    }

    /// Writes the row as a line of CSV, up to its last text. Returns the number of bytes, about:
    /// without quotes, and with one byte for each cell.
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<u64> {
        let last = self.cells.iter().rposition(|cell| !cell.text.is_empty());
        let width = last.map_or(0, |last| last + 1);
        for (column, text) in self.texts().take(width).enumerate() {
            if column > 0 {
                to.write_all(b",")?;
            }
            if text.contains([',', '"', '\n', '\r']) {
                write!(to, "\"{}\"", text.replace('"', "\"\""))?;
            } else {
                to.write_all(text.as_bytes())?;
            }
        }
        to.write_all(b"\n")?;
        Ok(self.texts().map(|text| text.len() as u64 + 1).sum())
    }

    /// Puts a cell in its column. It replaces a cell that is already there.
    fn put(&mut self, column: usize, cell: SheetCell) {
        if column >= self.cells.len() {
            self.cells.resize_with(column + 1, Default::default);
        }
        if let Some(place) = self.cells.get_mut(column) {
            *place = cell;
        }
    }
}

/// Facts about the workbook that its cells depend on.
pub(super) struct WorkbookContext<'a> {
    /// The shared texts, or the reason why they cannot be read. That is an error only if a cell
    /// needs one of them.
    pub(super) texts: &'a Result<Texts, Problem>,
    pub(super) formats: &'a Formats,
    /// Days count from 1904 instead of 1900.
    pub(super) is_1904: bool,
}

/// Reader of the rows that have a filled cell.
pub(super) struct Rows<'a> {
    /// The XML inside `sheetData`. `None` at the end.
    xml: Option<Xml<'a>>,
    lists: WorkbookContext<'a>,
    /// Index after the latest row.
    next: usize,
    /// Number of cells that may still be read.
    left: u64,
}

impl<'a> Rows<'a> {
    /// Opens the rows of a sheet.
    pub(super) fn of(
        package: &'a mut Package,
        sheet: &SheetPart,
        lists: WorkbookContext<'a>,
    ) -> Result<Self, Problem> {
        let (most, left) = (package.bounds.sheet, package.bounds.cells);
        let mut xml = package.xml(sheet.part, most)?;
        let has_rows = loop {
            match xml.next()? {
                Event::Start(e) if e.local_name().as_ref() == "sheetData" => break true,
                Event::Empty(e) if e.local_name().as_ref() == "sheetData" => break false,
                Event::Eof => break false,
                _ => {}
            }
        };
        Ok(Self { xml: has_rows.then_some(xml), lists, next: 0, left })
    }

    /// Returns the next row with a filled cell, or `None` at the end. The part is then read to its
    /// end, so that its checksum is compared.
    pub(super) fn next_row(&mut self) -> Result<Option<SheetRow>, Problem> {
        let Some(mut xml) = self.xml.take() else { return Ok(None) };
        loop {
            let row = match xml.next()? {
                Event::Start(e) if e.local_name().as_ref() == "row" => begun(&e, self.next),
                Event::Empty(e) if e.local_name().as_ref() == "row" => {
                    self.next = begun(&e, self.next).index + 1;
                    continue;
                }
                Event::End(e) if e.local_name().as_ref() == "sheetData" => {
                    xml.finish()?;
                    return Ok(None);
                }
                Event::Eof => return Err(cut_off()),
                _ => continue,
            };
            let row = read_row(&mut xml, row, &self.lists)?;
            if row.index >= MOST_ROWS || row.cells.len() > MOST_COLUMNS {
                return Err(damaged("a cell is outside of every sheet"));
            }
            if row.index < self.next && !row.cells.is_empty() {
                return Err(damaged("its rows are out of order"));
            }
            self.next = self.next.max(row.index + 1);
            if row.cells.is_empty() {
                continue;
            }
            let used = row.cells.len() as u64;
            self.left = self.left.checked_sub(used).ok_or(too_large("far too many cells"))?;
            self.xml = Some(xml);
            return Ok(Some(row));
        }
    }
}

/// Creates a row from its start tag. `next` is the row's index if the tag does not contain it. A
/// row of height 0 is hidden too.
fn begun(element: &BytesStart<'_>, next: usize) -> SheetRow {
    let place =
        attribute(element, "r").and_then(|r| r.trim().parse::<usize>().ok()?.checked_sub(1));
    let is_hidden = attribute(element, "hidden").is_some_and(|value| is_true(&value))
        || attribute(element, "ht").is_some_and(|height| height.trim().parse() == Ok(0.0));
    SheetRow { index: place.unwrap_or(next), is_hidden, cells: Vec::new() }
}

/// Reads the cells of a row.
fn read_row(
    xml: &mut Xml<'_>,
    mut row: SheetRow,
    lists: &WorkbookContext<'_>,
) -> Result<SheetRow, Problem> {
    let (mut next, mut is_placed, mut bytes) = (0, false, 0);
    loop {
        let (place, draft, is_whole) = match xml.next()? {
            Event::Start(e) if e.local_name().as_ref() == "c" => {
                (place_of(&e), Draft::of(&e), false)
            }
            Event::Empty(e) if e.local_name().as_ref() == "c" => {
                (place_of(&e), Draft::of(&e), true)
            }
            Event::End(e) if e.local_name().as_ref() == "row" => break,
            Event::Eof => return Err(cut_off()),
            _ => continue,
        };
        let column = place.map_or(next, |(_, column)| column);
        if let Some((index, _)) = place.filter(|_| !is_placed) {
            // The reference of the first cell that has one (`B3`) wins over the row's own number.
            row.index = index;
            is_placed = true;
        }
        next = column + 1;
        let cell = if is_whole { SheetCell::default() } else { draft.read(xml, lists)? };
        if column >= MOST_COLUMNS {
            return Err(damaged("a cell is outside of every sheet"));
        }
        if cell.text.len() > LONGEST_CELL {
            return Err(too_large("a cell that is longer than a spreadsheet allows"));
        }
        bytes += cell.text.len();
        if bytes > LONGEST_ROW {
            return Err(too_large("a row that is longer than any customer's row"));
        }
        if !cell.is_empty() {
            row.put(column, cell);
        }
    }
    Ok(row)
}

/// Parses the reference of a cell to its row and column, from 0: `B3` is (2, 1).
fn place_of(element: &BytesStart<'_>) -> Option<(usize, usize)> {
    let place = attribute(element, "r")?;
    let place = place.trim();
    let split = place.find(|c: char| c.is_ascii_digit())?;
    let (letters, digits) = place.split_at_checked(split)?;
    let letters = letters.bytes().filter(|byte| *byte != b'$');
    let column = letters.map(|byte| byte.to_ascii_uppercase()).try_fold(0_usize, |sum, byte| {
        let value = byte.checked_sub(b'A').filter(|value| *value < 26)?;
        sum.checked_mul(26)?.checked_add(usize::from(value) + 1)
    })?;
    let row = digits.trim_start_matches('$').parse::<usize>().ok()?;
    Some((row.checked_sub(1)?, column.checked_sub(1)?))
}

/// Attributes of a cell's start tag.
struct Draft {
    /// Index of the cell's style.
    style: usize,
    kind: DraftKind,
}

/// Type of a cell's value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DraftKind {
    /// Index of a shared text.
    Shared,
    /// Text in the cell itself, or an error such as `#N/A`.
    Text,
    Truth,
    /// Date or time in the ISO format, such as `2026-11-23`.
    Day,
    Number,
}

impl Draft {
    fn of(element: &BytesStart<'_>) -> Self {
        let (mut style, mut kind) = (0, DraftKind::Number);
        let mut attributes = element.attributes();
        for found in attributes.with_checks(false).filter_map(Result::ok) {
            match (found.key.local_name().as_ref(), found.value.trim()) {
                ("s", value) => style = value.parse().unwrap_or(0),
                ("t", "s") => kind = DraftKind::Shared,
                ("t", "str" | "inlineStr" | "e") => kind = DraftKind::Text,
                ("t", "b") => kind = DraftKind::Truth,
                ("t", "d") => kind = DraftKind::Day,
                _ => {}
            }
        }
        Self { style, kind }
    }

    /// Reads the cell up to its end tag.
    fn read(self, xml: &mut Xml<'_>, lists: &WorkbookContext<'_>) -> Result<SheetCell, Problem> {
        let (mut value, mut inline, mut has_formula) = (None::<String>, None::<String>, false);
        loop {
            match xml.next()? {
                Event::Start(e) => match e.local_name().as_ref() {
                    "v" => {
                        let mut text = String::new();
                        xml.text_of("v", &mut text)?;
                        unescape(&mut text, 0);
                        value = Some(text);
                    }
                    "is" => rich_text(xml, "is", inline.insert(String::new()))?,
                    "f" => {
                        has_formula = true;
                        xml.text_of("f", &mut String::new())?;
                    }
                    other => {
                        let other = other.to_owned();
                        xml.text_of(&other, &mut String::new())?;
                    }
                },
                Event::Empty(e) => match e.local_name().as_ref() {
                    "v" => value = Some(String::new()),
                    "f" => has_formula = true,
                    _ => {}
                },
                Event::End(e) if e.local_name().as_ref() == "c" => break,
                Event::Eof => return Err(cut_off()),
                _ => {}
            }
        }
        let format = lists.formats.of_style(self.style);
        match (value, inline) {
            (_, Some(text)) => Ok(SheetCell::text(&text, format)),
            (Some(value), None) => self.cell(&value, lists),
            (None, None) if has_formula => {
                Ok(SheetCell { text: String::new(), kind: Kind::FormulaWithoutValue })
            }
            (None, None) => Ok(SheetCell::default()),
        }
    }

    /// Converts a stored value to a cell. A number or date that cannot be parsed becomes a text.
    ///
    /// # Errors
    /// Returns the problem of the shared texts if the cell refers to one and they cannot be read.
    fn cell(self, value: &str, lists: &WorkbookContext<'_>) -> Result<SheetCell, Problem> {
        let bare = value.trim();
        let as_text = |text: &str| SheetCell::text(text, lists.formats.of_style(self.style));
        Ok(match self.kind {
            DraftKind::Shared => {
                let texts = lists.texts.as_ref().map_err(Problem::repeated)?;
                match bare.parse().ok().and_then(|at| texts.get(at)) {
                    Some(text) => as_text(text),
                    None => SheetCell { text: String::new(), kind: Kind::MissingText },
                }
            }
            DraftKind::Text => as_text(value),
            DraftKind::Truth => {
                let truth = is_true(value);
                let text = if truth { "TRUE" } else { "FALSE" };
                SheetCell { text: text.to_owned(), kind: Kind::Truth(truth) }
            }
            DraftKind::Day => match dates::counted(bare) {
                Some(days) => self.time(value, days, lists),
                None => as_text(value),
            },
            DraftKind::Number => match bare.parse::<f64>() {
                Ok(number) if number.is_finite() => self.number(number, lists),
                _ => as_text(value),
            },
        })
    }

    /// Converts a stored number to a cell: a number, or a date or time if the format says so.
    fn number(&self, number: f64, lists: &WorkbookContext<'_>) -> SheetCell {
        let format = lists.formats.of_style(self.style);
        let shows = lists.formats.shows(format);
        let days = match shows {
            // A number below 1 is a time of day, which does not depend on the first day.
            ShownAs::Date if lists.is_1904 && number >= 1.0 => dates::from_1904(number),
            _ => number,
        };
        match dates::shown(days, shows) {
            Some(text) => SheetCell { text, kind: Kind::Time(days, format) },
            // Rust writes the fewest digits that parse to exactly this number, without an exponent.
            None => SheetCell { text: number.to_string(), kind: Kind::Number(number, format) },
        }
    }

    /// Converts a date or time in the ISO format to a cell. The text stays as it is stored.
    fn time(&self, text: &str, days: f64, lists: &WorkbookContext<'_>) -> SheetCell {
        let format = lists.formats.of_style(self.style);
        let format = match lists.formats.shows(format) {
            ShownAs::Date | ShownAs::Span => format,
            ShownAs::Number => DAY,
        };
        SheetCell { kind: Kind::Time(days, format), ..SheetCell::text(text, format) }
    }
}
