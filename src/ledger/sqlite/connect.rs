//! Connections that only read: one read transaction each, so that all that is read is of one moment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::files::{has_wal, plain};
use crate::ledger::LedgerError;

/// Opens the file alone, and takes nothing beside it into account.
pub(super) const IMMUTABLE: &str = "immutable=1";

/// Opens to read, and begins a read transaction.
pub(super) fn connect(path: &Path, how: &str) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri(path, how), flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(32);
    // Sorts of its own stay in memory: nothing is written anywhere.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.execute_batch("BEGIN")?;
    let begun = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    match begun {
        // What it is instead is told by the check that follows.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => Ok(connection),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(connection),
    }
}

/// Opens to look, beside runs that may be under way. On a mount that is read-only no files can be made beside the ledger, as
/// a reader makes them: where its WAL is empty, the file alone is all of it.
pub(super) fn to_look(path: &Path) -> Result<Connection, LedgerError> {
    let connection = Connection::open_with_flags(plain(path), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let tried = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    match tried.map_err(|error| error.sqlite_error_code()) {
        Err(Some(ErrorCode::CannotOpen)) if !has_wal(path) => connect(path, IMMUTABLE),
        _ => Ok(connection),
    }
}

/// A path as SQLite reads it in a URI.
fn uri(path: &Path, how: &str) -> PathBuf {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    // Before an absolute path stands an empty host, so that none is read out of it.
    let mut uri = if path.is_absolute() { b"file://".to_vec() } else { b"file:".to_vec() };
    for &byte in plain(path).as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02x}").bytes()),
            _ => uri.push(byte),
        }
    }
    uri.extend(format!("?{how}").bytes());
    std::ffi::OsString::from_vec(uri).into()
}
