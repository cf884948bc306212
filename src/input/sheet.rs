//! A workbook's sheet, turned once into text that is read like any other: one line a row, empty rows too.
//!
//! Must hold: cells are read as a stream; the text's rows are the sheet's rows; which cells were numbers is kept, since
//! a spreadsheet rounds long ones. A hostile file can't take the machine: sizes are bounded before and while it is read.
//! Never: computes a formula (the value stored with it is read), or takes a sheet where several could be meant.

mod bounds;
mod cells;
mod choose;

pub use choose::SheetSpec;

use super::error::{InputError, Problem};
use super::form::Unsupported;
use super::source::{Source, unnamed_file};
use crate::contain::contained;
use crate::rules::columns::Wanted;
use bounds::Bounds;
use calamine::{Reader, Xlsx, XlsxError};
use cells::SheetRow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

/// What a sheet's text does not say.
#[derive(Debug, Default)]
pub struct Sheet {
    /// Its name.
    pub name: String,
    /// Other visible sheets that have cells, fit to be shown.
    pub others: Vec<String>,
    /// For each row, which of its first cells are numbers: one bit a column.
    numbers: Vec<u64>,
    /// The columns of numbers beyond these, of rows that have any.
    far_numbers: HashMap<u64, Vec<usize>>,
}

impl Sheet {
    /// Whether a cell is a number: row from 1, column from 0.
    pub fn is_number(&self, row: u64, column: usize) -> bool {
        match number_bit(column) {
            Some(bit) => {
                let at = row.checked_sub(1).and_then(|row| usize::try_from(row).ok());
                at.and_then(|at| self.numbers.get(at)).is_some_and(|bits| bits & bit != 0)
            }
            None => self.far_numbers.get(&row).is_some_and(|columns| columns.contains(&column)),
        }
    }

    fn note(&mut self, row: &SheetRow) {
        self.numbers.resize(row.index, 0);
        let (mut bits, mut far) = (0, Vec::new());
        for column in row.numbers() {
            match number_bit(column) {
                Some(bit) => bits |= bit,
                None => far.push(column),
            }
        }
        self.numbers.push(bits);
        if !far.is_empty() {
            self.far_numbers.insert(row.index as u64 + 1, far);
        }
    }
}

fn number_bit(column: usize) -> Option<u64> {
    u32::try_from(column).ok().and_then(|column| 1_u64.checked_shl(column))
}

/// Why a workbook can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// It can't be taken apart; the text says why.
    #[error("the workbook can't be read: {0}")]
    Damaged(String),
    /// It is larger than any customer file, in some measure that the text says.
    #[error("the workbook holds {0}: this is no customer file")]
    TooLarge(&'static str),
    /// It has no sheet to read.
    #[error("the workbook has no sheet with cells")]
    Empty,
    /// The sheet asked for is not there; those that are.
    #[error("the workbook has no sheet {0:?}; it has {1}")]
    NoSuchSheet(String, String),
    /// Several sheets could be meant.
    #[error("more than one sheet could be meant: {0}")]
    Several(String),
}

impl SheetError {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Damaged(_) => {
                "open it in a spreadsheet program and save it again, as .xlsx or as \"CSV UTF-8\""
            }
            Self::TooLarge(_) => "save the sheet alone as \"CSV UTF-8\", and give that file",
            Self::Empty => "was the export interrupted?",
            Self::NoSuchSheet(..) | Self::Several(_) => {
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
    /// The columns that the user named.
    pub wanted: Wanted<'a>,
}

/// Reads a sheet of the workbook `source` into an unnamed file in `folder`.
///
/// # Errors
/// If it is no workbook, can't be read, is too large, or its sheet can't be told.
pub(super) fn unfold(
    source: &Source,
    options: Options<'_>,
    folder: &Path,
) -> Result<Source, InputError> {
    let spool = unnamed_file(folder)
        .map_err(|error| source.error(Problem::Io("make a file to keep its rows in", error)))?;
    // A defect of the reader on a hostile file is an error and not the end.
    let sheet = contained(|| read(source, options, &spool))
        .unwrap_or_else(|| Err(damaged("it is not built as it should be")))
        .map_err(|problem| source.error(problem))?;
    Ok(source.with_sheet(spool, sheet))
}

/// Of a file that is cut off or changed on its way.
const BROKEN_ZIP: &str = "it is cut off, or changed on its way";

fn damaged(why: impl Into<String>) -> Problem {
    Problem::Sheet(SheetError::Damaged(why.into()))
}

fn too_large(what: &'static str) -> Problem {
    Problem::Sheet(SheetError::TooLarge(what))
}

/// What the reader of workbooks says, without the cells' contents that some of its messages quote.
fn broken(error: &XlsxError) -> Problem {
    damaged(match error {
        XlsxError::Zip(_) => BROKEN_ZIP.to_owned(),
        XlsxError::Io(error) => error.to_string(),
        XlsxError::Password => "it is locked with a password".to_owned(),
        XlsxError::Xml(_) | XlsxError::XmlAttr(_) | XlsxError::Encoding(_) => {
            "its XML is broken".to_owned()
        }
        XlsxError::XmlEof(part) => format!("it ends inside <{part}>"),
        XlsxError::FileNotFound(_) | XlsxError::RelationshipNotFound => {
            "a part of it is missing".to_owned()
        }
        _ => "a part of it is not as it should be".to_owned(),
    })
}

fn read(source: &Source, options: Options<'_>, spool: &File) -> Result<Sheet, Problem> {
    let open = || source.open_file().map(BufReader::new).map_err(|e| Problem::Io("open it", e));
    let bounds = Bounds::default();
    tell_workbook(open()?)?;
    bounds::check(open()?, &bounds)?;
    let mut workbook = Xlsx::new(open()?).map_err(|error| broken(&error))?;
    let mut sheet = choose::choose(&mut workbook, options)?;
    let mut to = BufWriter::with_capacity(256 * 1024, spool);
    let kept = |error| Problem::Io("keep its rows in a file", error);
    let mut kept_bytes = 0;
    let mut rows = cells::Rows::of(&mut workbook, &sheet.name, &bounds)?;
    while let Some(row) = rows.next_row()? {
        sheet.note(&row);
        kept_bytes += row.write(&mut to).map_err(kept)?;
        if kept_bytes > bounds.kept {
            return Err(too_large("more text than any sheet of customers"));
        }
    }
    to.flush().map_err(kept)?;
    Ok(sheet)
}

/// Tells a workbook that we read from other things in a ZIP file.
fn tell_workbook(file: BufReader<File>) -> Result<(), Problem> {
    let archive = zip::ZipArchive::new(file).map_err(|_| damaged(BROKEN_ZIP))?;
    // Some writers name parts in another case, with backslashes, or with a number.
    let plain = |name: &str| name.to_ascii_lowercase().replace('\\', "/");
    let names: Vec<_> = archive.file_names().filter_map(Result::ok).map(|n| plain(&n)).collect();
    let has = |ending: &str| names.iter().any(|name| name.ends_with(ending));
    if names.iter().any(|name| name.contains("xl/workbook") && name.ends_with(".xml")) {
        Ok(())
    } else if has("xl/workbook.bin") {
        Err(Unsupported::Xlsb.into())
    } else if has("content.xml") && has("mimetype") {
        Err(Unsupported::Ods.into())
    } else {
        Err(Unsupported::Zip.into())
    }
}

#[cfg(test)]
mod tests;
