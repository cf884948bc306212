//! What makes a file unusable: what happened, where, and what to do.
//!
//! Never: holds cell contents. Paths and headers are shown with long runs of digits masked.

use super::form::Unsupported;
use super::sheet::SheetError;
use super::stream::PackedError;
use crate::model::subject::mask_digits;
use crate::rules::columns::ColumnError;
use std::fmt;
use std::io;

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line of the text, from 1.
    pub line: u64,
    /// The row of a spreadsheet that opens the file, from 1: fewer than lines where cells hold line ends.
    pub row: u64,
    /// The data record, from 1; 0 is the header.
    pub record: u64,
    /// The byte of the text as UTF-8, from 0.
    pub byte: u64,
}

/// Why an input can't be used.
#[derive(Debug)]
pub struct InputError {
    label: String,
    place: Option<Place>,
    problem: Box<Problem>,
}

impl InputError {
    pub(super) fn new(label: &str, problem: impl Into<Problem>) -> Self {
        Self {
            label: mask_digits(label).into_owned(),
            place: None,
            problem: Box::new(problem.into()),
        }
    }

    pub(super) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Where in it, if the problem has a place.
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    /// What happened.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// What to do about it, if we know.
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

// No source: the text is whole, and a chain would say it twice.
impl std::error::Error for InputError {}

/// What happened.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// There is no such file.
    #[error("no such file")]
    Missing,
    /// It is there, but is no regular file; the text says what it is.
    #[error("this is {0}, not a regular file")]
    NotAFile(&'static str),
    /// The system refused; the text says what we were doing.
    #[error("can't {0}: {1}")]
    Io(&'static str, io::Error),
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// It is in a form that we don't read.
    #[error("{0}")]
    Unsupported(#[from] Unsupported),
    /// It is packed, and can't be unpacked.
    #[error("{0}")]
    Packed(#[from] PackedError),
    /// It is a workbook, and can't be read.
    #[error("{0}")]
    Sheet(#[from] SheetError),
    /// A sheet is named, and it has none.
    #[error("a sheet is named, and this is no workbook: it has no sheets")]
    NoSheets,
    /// It has a NUL byte, which no text has.
    #[error("there is a NUL byte here: this is not plain text")]
    Nul,
    /// One record is absurdly long.
    #[error("a record that starts here is longer than {0} bytes")]
    TooLong(usize),
    /// One record has absurdly many cells.
    #[error("a record that starts here has more than {0} cells")]
    TooWide(usize),
    /// The file ends inside a quoted cell.
    #[error("a quote that is opened in this record is never closed")]
    OpenQuote,
    /// The columns can't be told.
    #[error(transparent)]
    Columns(#[from] ColumnError),
    /// The headers seem to stand further down; the line.
    #[error("the headers seem to stand in line {0}, below other rows")]
    HeaderBelow(u64),
    /// The file is narrower than it was when its layout was read.
    #[error("the file has changed since its columns were read")]
    Changed,
}

impl Problem {
    /// The problem of a part that is needed once more.
    pub(super) fn repeated(&self) -> Self {
        match self {
            Self::Sheet(error) => Self::Sheet(error.clone()),
            _ => Self::Sheet(SheetError::Damaged("a part of it can't be read")),
        }
    }

    /// What an error of a stream means.
    pub(super) fn of_reading(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<PackedError>()) {
            Some(packed) => Self::Packed(*packed),
            None => Self::Io("read it", error),
        }
    }
}
