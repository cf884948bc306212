//! The results as a workbook, for people: every cell a text, verdicts in words, a summary at the end.
//!
//! Must hold: no cell of the input or the vendor is a formula, a link or a number to the
//! spreadsheet; memory does not grow with the rows; what is put aside has no name and ends with us.
//! Never: ends the program where the disk is full.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, IgnoreError, Workbook as Book, Worksheet, XlsxError,
};

use super::format::Format as Form;
use super::overview::{Line, Overview, in_words};
use super::results::{COLUMNS, Cells, OwnColumns, RowResult, RowSource};
use crate::contain::contained;
use crate::input::Layout;
use crate::model::money::Charge;
use crate::model::outcome::Outcome;
use crate::model::reply::Texts;
use crate::model::row::Rejection;

/// The most that a cell holds, in UTF-16 units.
const LONGEST_CELL: usize = 32_767;
/// How a cell ends that was cut.
const CUT: &str = " […cut]";
/// About what a cell takes in a sheet beside its own text.
const CELL_BYTES: u64 = 48;
/// The built-in number formats for a text, and for a whole number with separators.
const TEXT: u8 = 49;
const COUNT: u8 = 3;
/// How wide columns are, in characters: at least, at most, and that of the NIKs.
const NARROW: usize = 12;
const WIDE: usize = 40;
const NIK_WIDTH: f64 = 19.0;
/// `ck_outcome` and the other columns that are added.
const OUR_WIDTHS: [f64; 12] =
    [15.0, 10.0, 12.0, 12.0, 24.0, 20.0, 24.0, 20.0, 16.0, 40.0, 12.0, 12.0];

/// What a sheet holds, at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Rows, the header among them.
    pub(super) rows: u32,
    /// Bytes of its XML, about: half of what a ZIP entry may hold.
    pub(super) bytes: u64,
    /// Columns.
    pub(super) columns: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rows: 1_048_576, bytes: 1 << 31, columns: Form::MOST_COLUMNS as u16 }
    }
}

/// Writes the results as a workbook.
pub struct Workbook<W: Write> {
    to: W,
    book: Book,
    limits: Limits,
    columns: OwnColumns,
    heads: Vec<Head>,
    styles: Styles,
    /// Sheets so far; the last is written to.
    sheets: usize,
    /// Rows and bytes of the last sheet.
    rows: u32,
    bytes: u64,
}

/// The head of a column.
struct Head {
    text: String,
    width: f64,
    is_count: bool,
}

struct Styles {
    text: Format,
    bold: Format,
    count: Format,
}

impl<W: Write + Send> Workbook<W> {
    pub(super) fn new(to: W, layout: &Layout, folder: &Path, limits: Limits) -> io::Result<Self> {
        let columns = OwnColumns::of(layout);
        let mut book = Book::new();
        book.set_tempdir(folder).map_err(io_error)?;
        let text = Format::new().set_num_format_index(TEXT);
        let styles = Styles {
            bold: text.clone().set_bold(),
            text,
            count: Format::new().set_num_format_index(COUNT),
        };
        let heads = heads(layout, &columns);
        let mut workbook =
            Self { to, book, limits, columns, heads, styles, sheets: 0, rows: 0, bytes: 0 };
        workbook.begin_sheet()?;
        Ok(workbook)
    }

    pub(super) fn row(&mut self, cells: &Cells, result: &RowResult<'_>) -> io::Result<()> {
        if self.rows >= self.limits.rows || self.bytes >= self.limits.bytes {
            self.end_sheet()?;
            self.begin_sheet()?;
        }
        caught(|| self.write_row(cells, result))
    }

    /// Writes the summary, and all of it to its destination.
    pub(super) fn finish(mut self, overview: &Overview<'_>) -> io::Result<W> {
        self.end_sheet()?;
        let Self { book, to, styles, .. } = &mut self;
        caught(|| {
            write_overview(book, styles, overview)?;
            let begun = ExcelDateTime::from_timestamp(overview.begun.0 / 1000)?;
            book.set_properties(&DocProperties::new().set_creation_datetime(&begun));
            book.save_to_writer(to)
        })?;
        Ok(self.to)
    }

    fn begin_sheet(&mut self) -> io::Result<()> {
        let Self { book, heads, styles, .. } = self;
        let name = match self.sheets {
            0 => "Results".to_owned(),
            n => format!("Results {}", n + 1),
        };
        caught(|| {
            let sheet = book.add_worksheet_with_constant_memory()?;
            sheet.set_name(&name)?.set_freeze_panes(1, 0)?;
            for (at, head) in (0..).zip(heads.iter()) {
                let style = if head.is_count { &styles.count } else { &styles.text };
                sheet.set_column_width(at, head.width)?.set_column_format(at, style)?;
                sheet.write_string_with_format(0, at, fitting(&head.text), &styles.bold)?;
            }
            Ok(())
        })?;
        self.sheets += 1;
        self.rows = 1;
        self.bytes = 0;
        Ok(())
    }

    /// What is said of a whole sheet: a filter on all of it, and that its digits are texts.
    fn end_sheet(&mut self) -> io::Result<()> {
        let last_column = u16::try_from(self.heads.len().saturating_sub(1)).unwrap_or(u16::MAX);
        let (last_row, index) = (self.rows.saturating_sub(1), self.sheets.saturating_sub(1));
        let book = &mut self.book;
        caught(|| {
            let sheet = book.worksheet_from_index(index)?;
            sheet.autofilter(0, 0, last_row, last_column)?;
            let as_text = IgnoreError::NumberStoredAsText;
            sheet.ignore_error_range(0, 0, last_row, last_column, as_text)?;
            Ok(())
        })
    }

    fn write_row(&mut self, cells: &Cells, result: &RowResult<'_>) -> Result<(), XlsxError> {
        let mut line = Record {
            sheet: self.book.worksheet_from_index(self.sheets.saturating_sub(1))?,
            row: self.rows,
            column: 0,
            bytes: 0,
            text: &self.styles.text,
        };
        self.columns.each(cells.iter(), |cell, _| line.text(&String::from_utf8_lossy(cell)))?;
        let Texts { status, result: code, order_no, handle_time, remark, request_id, reason: _ } =
            result.texts.as_ref();
        line.text(in_words(result.outcome).0)?;
        line.given(code)?;
        line.text(charged(result.charged))?;
        line.number(result.possible)?;
        for text in [order_no, handle_time, remark, request_id, status] {
            line.given(text)?;
        }
        line.text(&explained(result))?;
        line.text(source(result.source))?;
        line.number(result.attempts)?;
        line.surplus(self.columns.surplus(cells), self.limits.columns)?;
        self.bytes += line.bytes;
        self.rows += 1;
        Ok(())
    }
}

/// A row in the making.
struct Record<'a> {
    sheet: &'a mut Worksheet,
    row: u32,
    column: u16,
    bytes: u64,
    text: &'a Format,
}

impl Record<'_> {
    fn text(&mut self, cell: &str) -> Result<(), XlsxError> {
        if !cell.is_empty() {
            self.sheet.write_string(self.row, self.column, fitting(cell))?;
            self.bytes += cell.len() as u64 + CELL_BYTES;
        }
        self.column += 1;
        Ok(())
    }

    fn given(&mut self, text: &Option<String>) -> Result<(), XlsxError> {
        self.text(text.as_deref().unwrap_or_default())
    }

    fn number(&mut self, number: u8) -> Result<(), XlsxError> {
        self.sheet.write_number(self.row, self.column, number)?;
        self.bytes += CELL_BYTES;
        self.column += 1;
        Ok(())
    }

    /// Cells that were too many stand behind ours; those that no column is left for share the last.
    fn surplus<'c>(
        &mut self,
        mut cells: impl Iterator<Item = &'c [u8]>,
        columns: u16,
    ) -> Result<(), XlsxError> {
        while let Some(cell) = cells.next() {
            let mut cell = String::from_utf8_lossy(cell).into_owned();
            if self.column + 1 >= columns {
                for more in cells.by_ref() {
                    cell.push_str(" | ");
                    cell.push_str(&String::from_utf8_lossy(more));
                }
            }
            // These columns have no format of their own.
            if !cell.is_empty() {
                let fitting = fitting(&cell);
                self.sheet.write_string_with_format(self.row, self.column, fitting, self.text)?;
            }
            self.bytes += cell.len() as u64 + CELL_BYTES;
            self.column += 1;
        }
        Ok(())
    }
}

/// The heads of all columns; where the input has none, its columns are numbered.
fn heads(layout: &Layout, columns: &OwnColumns) -> Vec<Head> {
    let own = columns.places().map(|at| {
        let text = match &layout.header {
            Some(header) => header.get(at).map(|cell| String::from_utf8_lossy(cell).into_owned()),
            None => Some(format!("Column {}", at + 1)),
        };
        let text = text.unwrap_or_default();
        let width = match at {
            _ if columns.is_id(at) => NIK_WIDTH,
            _ if at == layout.name.index => WIDE as f64,
            _ => text.chars().count().clamp(NARROW, WIDE) as f64,
        };
        Head { text, width, is_count: false }
    });
    let ours = COLUMNS.into_iter().zip(OUR_WIDTHS).map(|(name, width)| {
        let is_count = ["ck_possible", "ck_attempts"].contains(&name);
        Head { text: name.to_owned(), width, is_count }
    });
    own.chain(ours).collect()
}

fn write_overview(
    book: &mut Book,
    styles: &Styles,
    overview: &Overview<'_>,
) -> Result<(), XlsxError> {
    let sheet = book.add_worksheet_with_constant_memory()?;
    sheet.set_name("Summary")?;
    sheet.set_column_width(0, 26)?.set_column_width(1, 24)?.set_column_width(2, 80)?;
    for (row, line) in (0..).zip(overview.lines()) {
        match line {
            Line::Heading(text) => sheet.write_string_with_format(row, 0, text, &styles.bold)?,
            Line::Count(label, number, note) => {
                // A spreadsheet's numbers are exact up to 2^53: more rows than there can be.
                sheet.write_string(row, 0, label)?;
                sheet.write_number_with_format(row, 1, number as f64, &styles.count)?;
                sheet.write_string(row, 2, note)?
            }
            Line::Text(label, text) => {
                sheet.write_string(row, 0, label)?;
                sheet.write_string_with_format(row, 1, fitting(&text), &styles.text)?
            }
        };
    }
    Ok(())
}

const fn charged(charge: Charge) -> &'static str {
    match charge {
        Charge::Charged => "Yes",
        Charge::Free => "No",
        Charge::Unknown => "Unknown",
    }
}

const fn source(source: RowSource) -> &'static str {
    match source {
        RowSource::Call => "Call",
        RowSource::Duplicate => "Duplicate",
        RowSource::Ledger => "Earlier run",
        RowSource::Nowhere => "",
    }
}

/// The reason; where our own check said no, with how to mend it.
fn explained<'a>(result: &'a RowResult<'_>) -> Cow<'a, str> {
    let why = match result.outcome {
        Outcome::Rejected => Rejection::ALL.iter().find(|why| why.code() == result.reason),
        _ => None,
    };
    match why {
        Some(why) => Cow::Owned(format!("{}: {}", why.code(), why.explain())),
        None => Cow::Borrowed(&result.reason),
    }
}

/// As much of a text as a cell holds; the cut is marked.
fn fitting(text: &str) -> Cow<'_, str> {
    // No text has more UTF-16 units than UTF-8 bytes.
    if text.len() <= LONGEST_CELL || text.encode_utf16().count() <= LONGEST_CELL {
        return Cow::Borrowed(text);
    }
    let mut room = LONGEST_CELL - CUT.encode_utf16().count();
    let kept = text.chars().take_while(|letter| {
        let fits = letter.len_utf16() <= room;
        room = room.saturating_sub(letter.len_utf16());
        fits
    });
    Cow::Owned(kept.chain(CUT.chars()).collect())
}

/// What the library says, as the system's error where it is one. Its texts may name a folder.
fn io_error(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) | XlsxError::TempFileError(_, error) => error,
        XlsxError::ZipError(error) => error.into(),
        error => io::Error::other(format!("the workbook: {error}")),
    }
}

/// Runs a step of the library, which ends the thread where its file cannot be written: that is an
/// error like any other, and the workbook is given up.
fn caught(step: impl FnOnce() -> Result<(), XlsxError>) -> io::Result<()> {
    let ended = contained(step).ok_or_else(|| {
        let what = "the rows cannot be put aside in the output's folder (is the disk full?)";
        io::Error::new(io::ErrorKind::StorageFull, what)
    })?;
    ended.map_err(io_error)
}

#[cfg(test)]
mod tests;
