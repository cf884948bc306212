//! Errors that make an input unusable: the problem and its place.
//!
//! Never: holds cell contents. In paths and headers, long runs of digits are masked.

use std::{fmt, io};

use crate::model::mask::mask_digits;
use crate::rules::columns::ColumnError;

/// Place in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputPlace {
    /// Line of the text, from 1.
    pub line: u64,
    /// Row in a spreadsheet that opens the file, from 1. The row is smaller than `line` if cells
    /// above contain line ends, or if the file begins with a separator line (`sep=;`).
    pub row: u64,
    /// Number of the data record, from 1. The header is 0.
    pub record: u64,
    /// Offset in bytes in the unpacked text as UTF-8, from 0.
    pub byte: u64,
}

/// Error of an input that cannot be used.
#[derive(Debug)]
pub struct InputError {
    label: String,
    place: Option<InputPlace>,
    problem: Box<Problem>,
}

impl InputError {
    /// Creates an error without a place. `label` is the name of the input in messages. Its long
    /// runs of digits are masked.
    pub(super) fn new(label: &str, problem: impl Into<Problem>) -> Self {
        Self {
            label: mask_digits(label).into_owned(),
            place: None,
            problem: Box::new(problem.into()),
        }
    }

    /// Adds the place of the problem.
    pub(super) fn at(mut self, place: InputPlace) -> Self {
        self.place = Some(place);
        self
    }

    /// Returns the place of the problem, if the problem has one.
    pub fn place(&self) -> Option<InputPlace> {
        self.place
    }

    /// Returns the problem.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)?;
        if let Some(InputPlace { line, record, byte, .. }) = self.place {
            match record {
                0 => write!(f, ", line {line} (byte {byte})")?,
                _ => write!(f, ", line {line} (row {record}, byte {byte})")?,
            }
        }
        write!(f, ": {}", self.problem)
    }
}

// There is no `source()`: the message already contains the cause, and a printed chain of errors
// would repeat it.
impl std::error::Error for InputError {}

/// Reasons why an input cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// There is no such file.
    #[error("no such file")]
    Missing,
    /// The path does not name a regular file. The text names its kind.
    #[error("this is {0}, not a regular file")]
    NotAFile(&'static str),
    /// The system returned an error. The text names the operation that failed.
    #[error("cannot {0}: {1}")]
    Io(&'static str, io::Error),
    /// A temporary file of the input cannot be made or written. The text says for what.
    #[error("cannot {0}: {1}")]
    Spool(&'static str, io::Error),
    /// The file has no record: no bytes, or only a BOM, a separator line or line ends.
    #[error("the file is empty")]
    Empty,
    /// The file is in a form that is not read.
    #[error("{0}")]
    Unsupported(#[from] Unsupported),
    /// The file is packed, and cannot be unpacked.
    #[error("{0}")]
    Packed(#[from] PackedError),
    /// The file is a workbook that cannot be read.
    #[error("{0}")]
    Sheet(#[from] SheetError),
    /// The user named a sheet, and the input is no workbook.
    #[error("a sheet is named, but this file is not a workbook and has no sheets")]
    NoSheets,
    /// The file has a NUL byte, which does not occur in text.
    #[error("there is a NUL byte here, so the file is not plain text")]
    Nul,
    /// A record is longer than this many bytes.
    #[error("the row that begins here is longer than {0} bytes")]
    TooLong(usize),
    /// A record has more than this many cells.
    #[error("the row that begins here has more than {0} cells")]
    TooWide(usize),
    /// The file ends inside a quoted cell.
    #[error("a quotation mark that is opened in this row is never closed")]
    OpenQuote,
    /// The NIK column and the name column cannot be chosen.
    #[error(transparent)]
    Columns(#[from] ColumnError),
    /// The headers seem to be below other rows, in this line.
    #[error("the headers seem to be in line {0}, below other rows")]
    HeaderBelow(u64),
    /// The header is no longer the one that the layout was read from.
    #[error("the file has changed since its columns were read")]
    Changed,
}

impl Problem {
    /// Copies the problem of a workbook's part, for each cell that needs the part. A problem that
    /// cannot be copied becomes [`SheetError::Damaged`].
    pub(super) fn repeated(&self) -> Self {
        match self {
            Self::Sheet(error) => Self::Sheet(error.clone()),
            _ => Self::Sheet(SheetError::Damaged("a part of it cannot be read")),
        }
    }

    /// Converts an error that a stream returned.
    pub(super) fn from_read_error(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<PackedError>()) {
            Some(packed) => Self::Packed(*packed),
            None => Self::Io("read it", error),
        }
    }
}

/// Forms that are recognized, but cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// A ZIP file that is no workbook.
    #[error("this is a ZIP file, not an Excel workbook")]
    Zip,
    /// An old workbook (`.xls`), or a workbook that is locked with a password.
    #[error("this is an old Excel workbook (.xls), or one that is locked with a password")]
    Xls,
    /// A binary workbook (`.xlsb`).
    #[error("this is a binary Excel workbook (.xlsb)")]
    Xlsb,
    /// An OpenDocument workbook (`.ods`), as LibreOffice writes it.
    #[error("this is an OpenDocument spreadsheet (.ods)")]
    Ods,
    /// A PDF.
    #[error("this is a PDF")]
    Pdf,
    /// A web page, which some systems export under `.xls`.
    #[error("this is a web page (HTML), whatever the file's name says")]
    Html,
    /// A gzip file with another gzip file or a ZIP file in it, where a text is expected.
    #[error("this is a gzip file with another packed file or a workbook in it")]
    PackedTwice,
}

/// Largest ratio between the length of a text and the length of its gzip file. Customer files have
/// about 10. Deflate can reach about 1000.
pub(super) const MOST_UNPACKED: u64 = 100;

/// Reasons why a packed file cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackedError {
    /// The file is cut off, or was changed in transit.
    #[error("the gzip file is damaged or cut off")]
    Damaged,
    /// The file unpacks to far more text than any customer file.
    #[error(
        "the gzip file unpacks to more than {MOST_UNPACKED} times its size: this is not a customer file"
    )]
    Bomb,
}

/// Reasons why a workbook cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SheetError {
    /// The workbook's file or one of its parts is broken. The text is the reason.
    #[error("the workbook cannot be read: {0}")]
    Damaged(&'static str),
    /// The workbook is larger than any customer file. The text says which bound was exceeded.
    #[error("the workbook has {0}: this is not a customer file")]
    TooLarge(&'static str),
    /// The workbook has no sheet with rows: only charts, macros, or sheets whose part is missing.
    #[error("the workbook has no sheet with rows that can be read")]
    NoWorksheet,
    /// No visible sheet has a filled cell.
    #[error("no sheet of the workbook has a filled cell")]
    Empty,
    /// The workbook does not have the sheet that the user named: that name, and a list of the
    /// visible sheets.
    #[error("the workbook has no sheet {0:?}; its sheets are {1}")]
    NoSuchSheet(String, String),
    /// More than one sheet fits, and the user has to choose.
    #[error("more than one sheet may have the customers: {list}")]
    Several {
        /// Number of the first sheet that fits, as `--sheet` accepts it: from 1, visible sheets
        /// only.
        first: usize,
        /// All sheets that fit, each with its number and name.
        list: String,
    },
}

/// Reason in [`SheetError::Damaged`] for a ZIP file that is cut off or was changed in transit.
pub(super) const BROKEN_ZIP: &str = "it is cut off, or was changed during the transfer";

/// Makes the problem of a damaged workbook.
pub(super) fn damaged(why: &'static str) -> Problem {
    Problem::Sheet(SheetError::Damaged(why))
}

/// Makes the problem of a workbook that exceeds a bound.
pub(super) fn too_large(what: &'static str) -> Problem {
    Problem::Sheet(SheetError::TooLarge(what))
}
