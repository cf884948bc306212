//! A look at the ledger through the eyes of the next run: what it would find, without its lock.
//!
//! What must hold: not a byte is written, not to the ledger and not beside it (but for SQLite's own `-shm` index, where a
//! copy with a WAL came without one: there is no reading without it); what is read is one consistent state,
//! also while a run is under way; a ledger that `run` would refuse is refused here with the same words. What is read is
//! read by the code that `run` reads with.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::files::{has_wal, is_empty, plain};
use super::witness::Testimony;
use super::{Location, SqliteLedger, key};
use crate::ledger::{LedgerError, Preview};
use crate::rules::pair::PairHasher;

/// Opens the file alone, and takes nothing beside it into account.
pub(super) const IMMUTABLE: &str = "immutable=1";

/// A ledger as the next start would find it.
pub(crate) struct SqlitePreview {
    location: Location,
    key: [u8; 32],
    /// Whether there are facts.
    is_there: bool,
}

/// The facts at one moment.
struct Snapshot {
    ledger: SqliteLedger,
    /// The file as it was, where it is read without SQLite's own locks.
    unlocked: Option<Stamp>,
}

/// Changes when a file is written to.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    changed: Option<SystemTime>,
}

impl SqlitePreview {
    /// See [`crate::ledger::preview`].
    pub(crate) fn of(location: &Location) -> Result<Self, LedgerError> {
        let testimony = Testimony::read(&location.ledger);
        let is_new = is_empty(&location.ledger);
        if is_new {
            Testimony::check_blank(testimony.as_ref(), location)?;
        }
        let key = match key::read(&location.key)? {
            Some(key) => key,
            // Nothing is known under any key.
            None if is_new => [0; 32],
            None => return Err(key::missing(location)),
        };
        if let Some(testimony) = &testimony {
            testimony.check_file(&key, &location.ledger)?;
        }
        let preview = Self { location: location.clone(), key, is_there: !is_new };
        // Blank: its first start was cut off before there was anything to know.
        let checked = preview.read(|ledger| ledger.is_made(location, &key))?;
        Ok(Self { is_there: checked.unwrap_or(false), ..preview })
    }

    /// `beside_runs`: by SQLite's own locks, which a run that begins in this moment cannot disturb.
    fn open(&self, beside_runs: bool) -> Result<Snapshot, LedgerError> {
        let path = &self.location.ledger;
        // Before the ledger: it holds what this tells of, also where a run goes on meanwhile.
        let testimony = Testimony::read(path);
        // A reader of a WAL file makes files beside it where there are none. Where the WAL is empty, nobody writes, and
        // the file alone is the whole ledger.
        let unlocked = if beside_runs || has_wal(path) { None } else { Stamp::of(path) };
        let connection = match &unlocked {
            Some(_) => connect(path, IMMUTABLE)?,
            None => connect(path, "readonly_shm=1").or_else(|_| connect(path, "mode=ro"))?,
        };
        Ok(Snapshot { ledger: SqliteLedger::reader(connection, path, testimony)?, unlocked })
    }
}

impl Preview for SqlitePreview {
    type Facts = SqliteLedger;

    fn hasher(&self) -> PairHasher {
        PairHasher::new(self.key)
    }

    fn read<T, E: From<LedgerError>>(
        &self,
        mut read: impl FnMut(&mut SqliteLedger) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        if !self.is_there {
            return Ok(None);
        }
        let mut snapshot = self.open(false)?;
        let told = read(&mut snapshot.ledger);
        if snapshot.held() {
            return told.map(Some);
        }
        read(&mut self.open(true)?.ledger).map(Some)
    }
}

impl Snapshot {
    /// Whether all that was read is of one moment: a run that began meanwhile did not write into the file.
    fn held(&self) -> bool {
        self.unlocked.is_none() || Stamp::of(&self.ledger.path) == self.unlocked
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self { bytes: file.len(), changed: file.modified().ok() })
    }
}

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
