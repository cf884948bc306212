//! Converts a sheet of a workbook once into text, which is then read like any other text. Each row
//! of the sheet becomes a line, also an empty row.
//!
//! Must hold: cells are read as a stream. The rows of the text have the numbers of the sheet's
//! rows. Facts that the text does not contain are kept beside it. Only a part that is read can make
//! a workbook unusable. A hostile file cannot use up memory or disk: sizes are bounded while the
//! file is read.
//!
//! Never: computes a formula (the value stored with the formula is read), or chooses a sheet where
//! more than one fits.

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

/// Facts about a sheet that its text does not contain.
#[derive(Debug, Default)]
pub struct Sheet {
    /// Name of the sheet. For results of this program in several sheets, the name of the first.
    pub name: String,
    /// Names of the other visible sheets that have cells or are damaged, masked for display.
    pub others: Vec<String>,
    /// Number formats of the workbook. Typed cells refer to them by index.
    pub formats: Vec<NumberFormat>,
    /// Number of formulas without a stored value.
    pub unstored: u64,
    /// Number of cells that refer to a shared text that does not exist.
    pub lost: u64,
    numbers: CellSet,
    formulas: CellSet,
    hidden: RowSet,
    /// Unnamed file of the typed cells, in the order of the rows.
    typed: Option<Arc<File>>,
}

impl Sheet {
    /// Returns `true` if a cell is a number that is not shown as a date or time. Rows count from 1,
    /// columns from 0.
    pub fn is_number(&self, row: u64, column: usize) -> bool {
        self.numbers.contains(row, column)
    }

    /// Returns `true` if a cell is a formula without a stored value. Rows count from 1, columns
    /// from 0.
    pub fn is_unstored(&self, row: u64, column: usize) -> bool {
        self.formulas.contains(row, column)
    }

    /// Returns `true` if the spreadsheet hides a row. Rows count from 1.
    pub fn is_hidden(&self, row: u64) -> bool {
        self.hidden.contains(row)
    }

    /// Opens a reader of the typed cells, at the first row. Returns `None` if no typed cells were
    /// kept.
    ///
    /// # Errors
    /// Returns the system's error if the unnamed file cannot be read.
    pub fn typed_rows(&self) -> io::Result<Option<TypedRows>> {
        let file = self.typed.as_ref().map(Arc::clone);
        file.map(|file| TypedRows::new(SourceReader::of(file))).transpose()
    }

    /// Records the facts about a row that its text does not contain. `line` is the row's number in
    /// the text, from 1.
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

/// Reasons why a workbook cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SheetError {
    /// The workbook's file or one of its parts is broken. The text is the reason.
    #[error("the workbook can't be read: {0}")]
    Damaged(&'static str),
    /// The workbook is larger than any customer file. The text says which bound was exceeded.
    #[error("the workbook holds {0}: this is no customer file")]
    TooLarge(&'static str),
    /// The workbook has no sheet with rows: only charts, macros, or sheets whose part is missing.
    #[error("the workbook has no sheet with rows that can be read")]
    NoWorksheet,
    /// No visible sheet has a filled cell.
    #[error("the workbook has no sheet with cells")]
    Empty,
    /// The workbook does not have the sheet that the user named: that name, and a list of the
    /// visible sheets.
    #[error("the workbook has no sheet {0:?}; it has {1}")]
    NoSuchSheet(String, String),
    /// More than one sheet fits, and the user has to choose.
    #[error("more than one sheet could be meant: {list}")]
    Several {
        /// Number of the first sheet that fits, as `--sheet` accepts it: from 1, visible sheets
        /// only.
        first: usize,
        /// All sheets that fit, each with its number and name.
        list: String,
    },
}

impl SheetError {
    /// Returns advice on how to solve the problem.
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

/// Options for the choice of the sheet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The sheet that the user named. `None`: find it.
    pub sheet: Option<&'a SheetSpec>,
    /// The first row is data, not a header.
    pub no_header: bool,
    /// The columns that the user named.
    pub wanted: Wanted<'a>,
}

/// Reads a sheet of the workbook `source` into two unnamed files in `folder`: its text and its
/// typed cells. Returns a source that reads the text.
///
/// # Errors
/// The problem is [`Problem::Unsupported`] if the ZIP file is no `.xlsx` workbook,
/// [`Problem::Sheet`] if the workbook is damaged or too large or its sheet cannot be chosen, and
/// [`Problem::Io`] if the unnamed files cannot be made or written.
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
    // A library may panic on a hostile file. `contained` catches the panic, and it becomes an
    // error.
    let mut sheet = contained(|| read(file, options, Bounds::default(), &text, &typed))
        .unwrap_or_else(|| Err(damaged("it is not built as it should be")))
        .map_err(|problem| source.error(problem))?;
    sheet.typed = Some(Arc::new(typed));
    Ok(source.with_sheet(text, sheet))
}

/// Checks whether a workbook holds results that this program wrote. Returns `false` for a workbook
/// that cannot be read.
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

/// Reason in [`SheetError::Damaged`] for a ZIP file that is cut off or was changed in transit.
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
            // Several sheets of results are one table. Only the header of the first sheet is kept.
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

/// Writer of rows as lines of text, with their typed cells in a second file.
struct RowWriter<'a> {
    text: BufWriter<&'a File>,
    typed: BufWriter<&'a File>,
    /// Number of rows written, empty ones included.
    lines: u64,
    /// Bytes of text written so far, about: without quotes and empty lines.
    bytes: u64,
    /// Bound of `bytes`.
    most: u64,
}

impl RowWriter<'_> {
    /// Writes a row as the line `index`, from 0. Rows that are missing before it become empty
    /// lines.
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
