//! A workbook's sheet, turned once into text that is read like any other: one line a row, empty rows too.
//!
//! Must hold: cells are read as a stream; the text's rows are the sheet's rows; what the text does not say is kept beside
//! it. Only what is read can refuse a workbook. A hostile file can't take the machine: sizes are bounded while it is read.
//! Never: computes a formula (the value stored with it is read), or takes a sheet where several could be meant.

mod book;
mod cells;
mod choose;
mod dates;
mod formats;
mod package;
mod sets;
mod texts;
mod typed;
mod xml;

pub use choose::SheetSpec;
pub use formats::NumberFormat;
pub use typed::{TypedCell, TypedRows};

use super::error::{InputError, Problem};
use super::source::{Source, SourceReader};
use crate::fs::unnamed_file;
use crate::panics::contained;
use crate::rules::columns::Wanted;
use book::{Book, SheetPart};
use cells::{Kind, Lists, Rows, SheetRow};
use choose::{Chosen, choose};
use formats::Formats;
use package::{Bounds, Package};
use sets::{CellSet, RowSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use texts::Texts;

/// What a sheet's text does not say.
#[derive(Debug, Default)]
pub struct Sheet {
    /// Its name.
    pub name: String,
    /// Other visible sheets that have cells, fit to be shown.
    pub others: Vec<String>,
    /// Its number formats; typed cells refer to them.
    pub formats: Vec<NumberFormat>,
    /// Formulas whose values were never stored.
    pub unstored: u64,
    /// Cells that refer to a text that is not there.
    pub lost: u64,
    numbers: CellSet,
    formulas: CellSet,
    hidden: RowSet,
    /// The cells that are no texts, in the order of the rows.
    typed: Option<Arc<File>>,
}

impl Sheet {
    /// Returns `true` if a cell is a number, and no day: row from 1, column from 0.
    pub fn is_number(&self, row: u64, column: usize) -> bool {
        self.numbers.contains(row, column)
    }

    /// Returns `true` if a cell is a formula whose value was never stored: row from 1, column from 0.
    pub fn is_unstored(&self, row: u64, column: usize) -> bool {
        self.formulas.contains(row, column)
    }

    /// Returns `true` if the spreadsheet does not show a row: from 1.
    pub fn is_hidden(&self, row: u64) -> bool {
        self.hidden.contains(row)
    }

    /// The cells that are no texts, from the first row on.
    ///
    /// # Errors
    /// The system's error.
    pub fn typed_rows(&self) -> io::Result<Option<TypedRows>> {
        let file = self.typed.as_ref().map(Arc::clone);
        file.map(|file| TypedRows::new(SourceReader::of(file))).transpose()
    }

    /// Notes what a row's text does not say. `line`: its place in the text, from 1.
    fn note(&mut self, row: &SheetRow, line: u64) {
        if row.is_hidden {
            self.hidden.insert(line);
        }
        for (column, cell) in row.cells.iter().enumerate() {
            match cell.kind {
                Kind::Number(..) => self.numbers.insert(line, column),
                Kind::Unstored => {
                    self.formulas.insert(line, column);
                    self.unstored += 1;
                }
                Kind::Lost => self.lost += 1,
                Kind::Text(_) | Kind::Time(..) | Kind::Truth(_) => {}
            }
        }
    }
}

/// Why a workbook can't be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SheetError {
    /// It can't be taken apart; the text says why.
    #[error("the workbook can't be read: {0}")]
    Damaged(&'static str),
    /// It is larger than any customer file, in some measure that the text says.
    #[error("the workbook holds {0}: this is no customer file")]
    TooLarge(&'static str),
    /// It has no sheet with rows at all, but charts, macros or sheets that lead nowhere.
    #[error("the workbook has no sheet with rows that can be read")]
    NoWorksheet,
    /// It has no sheet to read.
    #[error("the workbook has no sheet with cells")]
    Empty,
    /// The sheet asked for is not there; those that are.
    #[error("the workbook has no sheet {0:?}; it has {1}")]
    NoSuchSheet(String, String),
    /// Several sheets could be meant.
    #[error("more than one sheet could be meant: {list}")]
    Several {
        /// The number of the first of them.
        first: usize,
        /// Each with its number.
        list: String,
    },
}

impl SheetError {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Damaged(_) | Self::NoWorksheet => {
                "open it in a spreadsheet program and save it again, as .xlsx or as \"CSV UTF-8\""
            }
            Self::TooLarge(_) => "save the sheet alone as \"CSV UTF-8\", and give that file",
            Self::Empty => "was the export interrupted?",
            Self::NoSuchSheet(..) | Self::Several { .. } => {
                "name the sheet: --sheet NAME, or its number from 1"
            }
        }
    }
}

/// Which sheet, and which columns tell it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The sheet, if it is not to be found.
    pub sheet: Option<&'a SheetSpec>,
    /// The first row is data.
    pub no_header: bool,
    /// The columns that the user named.
    pub wanted: Wanted<'a>,
}

/// Reads a sheet of the workbook `source` into unnamed files in `folder`.
///
/// # Errors
/// If it is no workbook, can't be read, is too large, or its sheet can't be told.
pub(super) fn unfold(
    source: &Source,
    options: Options<'_>,
    folder: &Path,
) -> Result<Source, InputError> {
    let spool = || {
        unnamed_file(folder)
            .map_err(|error| source.error(Problem::Io("make a file to keep its rows in", error)))
    };
    let (text, typed) = (spool()?, spool()?);
    let file = source.open()?;
    // A defect of a library on a hostile file is an error and not the end.
    let mut sheet = contained(|| read(file, options, Bounds::default(), &text, &typed))
        .unwrap_or_else(|| Err(damaged("it is not built as it should be")))
        .map_err(|problem| source.error(problem))?;
    sheet.typed = Some(Arc::new(typed));
    Ok(source.with_sheet(text, sheet))
}

/// Returns `true` if a workbook holds results that this program wrote. One that cannot be read does not.
pub fn holds_results(path: &Path) -> bool {
    let looked = contained(|| -> Result<bool, Problem> {
        let source = Source::file(path).map_err(|_| damaged(BROKEN_ZIP))?;
        let file = source.open().map_err(|_| damaged(BROKEN_ZIP))?;
        let mut package = Package::open(file, Bounds::default())?;
        let book = Book::read(&mut package)?;
        let texts = Texts::read(&mut package, book.texts);
        let formats = Formats::default();
        let lists = || Lists { texts: &texts, formats: &formats, is_1904: false };
        Ok(choose::holds_results(&mut package, &book.sheets, lists))
    });
    looked.is_some_and(|looked| looked.unwrap_or(false))
}

/// The words for a file that is cut off or changed on its way.
const BROKEN_ZIP: &str = "it is cut off, or changed on its way";

fn damaged(why: &'static str) -> Problem {
    Problem::Sheet(SheetError::Damaged(why))
}

fn too_large(what: &'static str) -> Problem {
    Problem::Sheet(SheetError::TooLarge(what))
}

fn read(
    file: SourceReader,
    options: Options<'_>,
    bounds: Bounds,
    text: &File,
    typed: &File,
) -> Result<Sheet, Problem> {
    let mut package = Package::open(file, bounds)?;
    let Book { sheets, is_1904, texts, styles } = Book::read(&mut package)?;
    let texts = Texts::read(&mut package, texts);
    let formats = Formats::read(&mut package, styles);
    let lists = || Lists { texts: &texts, formats: &formats, is_1904 };
    let Chosen { sheets, others } = choose(&mut package, &sheets, options, lists)?;
    let name = sheets.first().map(|sheet| sheet.name.clone()).unwrap_or_default();
    let mut sheet = Sheet { name, others, ..Sheet::default() };
    let mut writer = RowWriter {
        text: BufWriter::with_capacity(256 * 1024, text),
        typed: BufWriter::with_capacity(64 * 1024, typed),
        lines: 0,
        bytes: 0,
        most: package.bounds.kept,
    };
    for (at, part) in sheets.iter().enumerate() {
        let (first, mut is_header) = (writer.lines, at > 0);
        let mut rows = Rows::of(&mut package, part, lists())?;
        while let Some(row) = rows.next_row()? {
            // Of sheets that follow one another only the first one's header counts.
            if !std::mem::take(&mut is_header) {
                let index = first + row.index as u64 - u64::from(at > 0);
                if row.has_text() {
                    writer.write(&row, index)?;
                }
                sheet.note(&row, index + 1);
            }
        }
    }
    writer.finish()?;
    sheet.formats = formats.list();
    Ok(sheet)
}

/// Writes rows as lines, and beside them what the lines do not say.
struct RowWriter<'a> {
    text: BufWriter<&'a File>,
    typed: BufWriter<&'a File>,
    lines: u64,
    bytes: u64,
    most: u64,
}

impl RowWriter<'_> {
    /// Writes a row at its place among the lines, from 0, after empty ones for those that are not there.
    fn write(&mut self, row: &SheetRow, index: u64) -> Result<(), Problem> {
        let kept = |error| Problem::Io("keep its rows in a file", error);
        while self.lines < index {
            self.text.write_all(b"\n").map_err(kept)?;
            self.lines += 1;
        }
        typed::write(row, self.lines, &mut self.typed).map_err(kept)?;
        self.bytes += row.write(&mut self.text).map_err(kept)?;
        self.lines += 1;
        match self.bytes > self.most {
            true => Err(too_large("more text than any sheet of customers")),
            false => Ok(()),
        }
    }

    fn finish(mut self) -> Result<(), Problem> {
        let flushed = self.text.flush().and_then(|()| self.typed.flush());
        flushed.map_err(|error| Problem::Io("keep its rows in a file", error))
    }
}

#[cfg(test)]
mod tests;
