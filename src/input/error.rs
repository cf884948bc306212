//! Errors that make an input unusable: the problem, its place, and advice on how to solve it.
//!
//! Never: holds cell contents. In paths and headers, long runs of digits are masked.

use super::form::Unsupported;
use super::sheet::SheetError;
use super::stream::PackedError;
use crate::model::subject::mask_digits;
use crate::rules::columns::ColumnError;
use std::fmt;
use std::io;

/// Place in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
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
    place: Option<Place>,
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
    pub(super) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Returns the place of the problem, if the problem has one.
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    /// Returns the problem.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Returns advice on how to solve the problem, if there is any.
    pub fn hint(&self) -> Option<String> {
        let hint = match &*self.problem {
            Problem::Missing => "check the path; - reads standard input",
            Problem::NotAFile(_) => "name a file, or use - to read a stream from standard input",
            Problem::Io(_, error) if error.kind() == io::ErrorKind::PermissionDenied => {
                "check the permissions"
            }
            Problem::Io(doing, _) if doing.starts_with("make") || doing.starts_with("keep") => {
                "make room for it; `plan` keeps it in the folder that TMPDIR names, `run` beside its output"
            }
            Problem::Io(..) => return None,
            Problem::Empty => "was the export interrupted?",
            Problem::Unsupported(form) => form.hint(),
            Problem::Nul => {
                "save the file as \"CSV UTF-8\"; if it is UTF-16 text, say so: --encoding utf-16le"
            }
            Problem::Packed(PackedError::Damaged) => "get the file again, and unpack it",
            Problem::Packed(PackedError::Bomb) => {
                "if it is one all the same, unpack it first: gunzip FILE"
            }
            Problem::Sheet(error) => error.hint(),
            Problem::NoSheets => "leave --sheet out (also CEKNIK_SHEET, and sheet in ceknik.toml)",
            Problem::TooLong(_) | Problem::OpenQuote => {
                "look for a lone quotation mark (\") in this record and remove or double it"
            }
            Problem::TooWide(_) => "is the separator right? Give it with --delimiter",
            Problem::Columns(error) => {
                let flags = error.typed_flags();
                let part = if flags.is_empty() { "" } else { ": " };
                return Some(format!("{}{part}{flags}", error.hint()));
            }
            Problem::HeaderBelow(line) => {
                return Some(format!("remove the lines above line {line}"));
            }
            Problem::Changed => "start again, and leave the file alone meanwhile",
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)?;
        if let Some(Place { line, record, byte, .. }) = self.place {
            match record {
                0 => write!(f, ", line {line} (byte {byte})")?,
                _ => write!(f, ", line {line} (record {record}, byte {byte})")?,
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
    #[error("can't {0}: {1}")]
    Io(&'static str, io::Error),
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
    #[error("a sheet is named, and this is no workbook: it has no sheets")]
    NoSheets,
    /// The file has a NUL byte, which does not occur in text.
    #[error("there is a NUL byte here: this is not plain text")]
    Nul,
    /// A record is longer than this many bytes.
    #[error("a record that starts here is longer than {0} bytes")]
    TooLong(usize),
    /// A record has more than this many cells.
    #[error("a record that starts here has more than {0} cells")]
    TooWide(usize),
    /// The file ends inside a quoted cell.
    #[error("a quote that is opened in this record is never closed")]
    OpenQuote,
    /// The NIK column and the name column cannot be chosen.
    #[error(transparent)]
    Columns(#[from] ColumnError),
    /// The headers seem to be below other rows, in this line.
    #[error("the headers seem to stand in line {0}, below other rows")]
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
            _ => Self::Sheet(SheetError::Damaged("a part of it can't be read")),
        }
    }

    /// Converts an error that a stream returned.
    pub(super) fn of_reading(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<PackedError>()) {
            Some(packed) => Self::Packed(*packed),
            None => Self::Io("read it", error),
        }
    }
}
