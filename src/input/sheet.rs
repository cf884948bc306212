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
mod bounds;
mod cells;
mod choose;
mod dates;
mod formats;
mod package;
mod sets;
mod texts;
mod typed;
mod xml;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use book::Book;
use bounds::Bounds;
use cells::{Kind, Rows, SheetRow, WorkbookContext};
pub use choose::{ChoiceOptions, SheetSpec};
use choose::{Chosen, choose};
use formats::Formats;
pub use formats::NumberFormat;
use package::Package;
use sets::{CellSet, RowSet};
use texts::Texts;
pub use typed::{TypedCell, TypedRows};

use super::error::{BROKEN_ZIP, Problem, damaged, too_large};
use super::reader::SourceReader;
use crate::fs::unnamed_file;
use crate::panics::catch_panic;

/// Facts about a sheet that its text does not contain.
#[derive(Debug, Default)]
pub struct Sheet {
    /// Name of the sheet. For results of this program in several sheets, the name of the first.
    pub name: String,
    /// Number of the sheet among all sheets of the workbook, from 1. `None` if several sheets of
    /// results of this program are one table.
    pub place: Option<usize>,
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
    pub fn is_formula_without_value(&self, row: u64, column: usize) -> bool {
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
                Kind::FormulaWithoutValue => {
                    self.formulas.insert(line, column);
                    self.unstored += 1;
                }
                Kind::MissingText => self.lost += 1,
                Kind::Text(_) | Kind::Time(..) | Kind::Truth(_) => {}
            }
        }
    }
}

/// Converts the chosen sheet of a workbook to text. Returns the text in an unnamed file in `folder`,
/// and the facts that the text does not contain.
///
/// # Errors
/// - [`Problem::Unsupported`]: the ZIP file is no `.xlsx` workbook.
/// - [`Problem::Sheet`]: the workbook is damaged or too large, or its sheet cannot be chosen.
/// - [`Problem::Spool`]: the unnamed files cannot be made or written.
pub(super) fn to_text(
    workbook: SourceReader,
    options: ChoiceOptions<'_>,
    folder: &Path,
) -> Result<(File, Sheet), Problem> {
    let spool = || {
        unnamed_file(folder)
            .map_err(|error| Problem::Spool("make a temporary file for its rows", error))
    };
    let (text, typed) = (spool()?, spool()?);
    // A library may panic on a hostile file. `contained` catches the panic, and it becomes an
    // error.
    let mut sheet = catch_panic(|| read(workbook, options, Bounds::default(), &text, &typed))
        .unwrap_or_else(|| Err(damaged("its structure is wrong")))?;
    sheet.typed = Some(Arc::new(typed));
    Ok((text, sheet))
}

/// Checks whether a workbook holds results that this program wrote. Returns `false` for a workbook
/// that cannot be read.
pub fn holds_results(path: &Path) -> bool {
    let looked = catch_panic(|| -> Result<bool, Problem> {
        let file = File::open(path).map_err(|_| damaged(BROKEN_ZIP))?;
        let mut package = Package::open(SourceReader::of(Arc::new(file)), Bounds::default())?;
        let book = Book::read(&mut package)?;
        let texts = Texts::read(&mut package, book.texts);
        let formats = Formats::default();
        let lists = || WorkbookContext { texts: &texts, formats: &formats, is_1904: false };
        Ok(choose::holds_results(&mut package, &book.sheets, lists))
    });
    looked.is_some_and(|looked| looked.unwrap_or(false))
}

fn read(
    file: SourceReader,
    options: ChoiceOptions<'_>,
    bounds: Bounds,
    text: &File,
    typed: &File,
) -> Result<Sheet, Problem> {
    let mut package = Package::open(file, bounds)?;
    let Book { sheets, is_1904, texts, styles } = Book::read(&mut package)?;
    let texts = Texts::read(&mut package, texts);
    let formats = Formats::read(&mut package, styles);
    let lists = || WorkbookContext { texts: &texts, formats: &formats, is_1904 };
    let Chosen { sheets, place, others } = choose(&mut package, &sheets, options, lists)?;
    let name = sheets.first().map(|sheet| sheet.name.clone()).unwrap_or_default();
    let place = place.map(|index| index + 1);
    let mut sheet = Sheet { name, place, others, ..Sheet::default() };
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
        let kept = |error| Problem::Spool("write its rows to a temporary file", error);
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
        flushed.map_err(|error| Problem::Spool("write its rows to a temporary file", error))
    }
}

#[cfg(test)]
mod tests;
