//! Read-only connections to a ledger file.
//!
//! Must hold: each connection of [`connect`] reads in one transaction, so that everything that is
//! read belongs to one moment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::files::{has_wal, plain};
use crate::ledger::LedgerError;

/// URI parameter that opens the ledger file alone, without the WAL and without locks.
pub(super) const IMMUTABLE: &str = "immutable=1";

/// Opens a ledger file for reading, and begins a read transaction. `how` is an SQLite URI
/// parameter.
pub(super) fn connect(path: &Path, how: &str) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri(path, how), flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(32);
    // Keeps SQLite's own sorts in memory, so that nothing is written anywhere.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.execute_batch("BEGIN")?;
    let begun = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    match begun {
        // The file is no database. The caller's check of its kind reports what is wrong.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => Ok(connection),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(connection),
    }
}

/// Opens a ledger file for reading while runs may be under way. A reader of a WAL database creates
/// files beside it, which is impossible on a read-only mount. There, a ledger whose WAL is empty is
/// read from the ledger file alone.
pub(super) fn to_look(path: &Path) -> Result<Connection, LedgerError> {
    let connection = Connection::open_with_flags(plain(path), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let tried = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    match tried.map_err(|error| error.sqlite_error_code()) {
        Err(Some(ErrorCode::CannotOpen)) if !has_wal(path) => connect(path, IMMUTABLE),
        _ => Ok(connection),
    }
}

/// Encodes a path and a parameter as an SQLite URI.
fn uri(path: &Path, how: &str) -> PathBuf {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    // An absolute path needs `file://` with an empty host before it. After a bare `file:`, the
    // first part of a path that begins with two slashes would be read as a host.
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
