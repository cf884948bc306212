//! SQLite's errors as errors of a ledger.

use rusqlite::ffi;

use crate::ledger::{LedgerError, LedgerName};

/// SQLite's I/O errors that occur while reading. All other I/O errors count as failed writes.
const READ_ERRORS: [i32; 2] = [ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_SHORT_READ];

impl From<rusqlite::Error> for LedgerError {
    fn from(source: rusqlite::Error) -> Self {
        let code = source.sqlite_error().map_or(0, |error| error.extended_code);
        let (act, is_damaged) = match code & 0xff {
            ffi::SQLITE_CANTOPEN => ("opened", false),
            ffi::SQLITE_CORRUPT => ("read", true),
            _ if READ_ERRORS.contains(&code) => ("read", false),
            ffi::SQLITE_IOERR
            | ffi::SQLITE_FULL
            | ffi::SQLITE_READONLY
            | ffi::SQLITE_CONSTRAINT => ("written", false),
            _ => ("used", false),
        };
        let source = match source {
            // The message of this error contains the path, which may contain a NIK.
            rusqlite::Error::SqliteFailure(error, _) if act == "opened" => {
                rusqlite::Error::SqliteFailure(error, None)
            }
            other => other,
        };
        Self::Storage { act, is_damaged, source: Box::new(source) }
    }
}

/// Checks for the error of a read-only connection with a rollback journal beside it. A journal
/// exists only until WAL mode is set.
pub(super) fn is_to_be_rolled_back(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_READONLY_ROLLBACK)
}

/// Converts SQLite's error: to [`LedgerError::Version`] if the file is no database, else to a
/// storage error.
pub(super) fn not_a_ledger(name: &LedgerName, source: rusqlite::Error) -> LedgerError {
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => LedgerError::Version {
            ledger: name.clone(),
            what: "is not a ledger, or is damaged".to_owned(),
        },
        _ => source.into(),
    }
}
