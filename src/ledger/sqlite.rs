//! The SQLite file: where it is, how it is opened, what it is stamped with.
//!
//! What must hold: WAL with `synchronous=FULL` (a commit that returned survives a power cut), files
//! of mode 0600 in folders of 0700, and no ledger is opened that was made for another origin, under
//! another key, or by a version that this one does not know.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::ffi::SQLITE_READONLY_ROLLBACK;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::files::{beside, is_empty, plain, private_file, private_parent, sync_parent};
use super::witness::{Testimony, Witness};
use super::{LedgerError, key, lock, lock::Lock, sums, witness};
use crate::model::attempt::WallMs;
use crate::model::subject::mask_path;
use crate::rules::pair::{CLEANING_VERSION, PairHasher};

/// Marks the file as ours ("CkNk").
const APPLICATION_ID: i64 = 0x436b_4e6b;
/// The version of the tables below.
const USER_VERSION: i64 = 2;

/// Intents and settlements are two tables that are only ever appended to: an intent without a
/// settlement is in flight, or in doubt once its process is gone. `standings` is derived: the latest
/// end of each pair over all attempts up to `meta.merged_to`.
const SCHEMA: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL, columns TEXT NOT NULL, path BLOB NOT NULL,
    label TEXT NOT NULL, account BLOB NOT NULL, input_rows INTEGER NOT NULL,
    created_at INTEGER NOT NULL, answers_since INTEGER NOT NULL, reask_since INTEGER NOT NULL,
    superseded INTEGER, state TEXT NOT NULL DEFAULT 'open', ended_at INTEGER, exit INTEGER,
    sum INTEGER);
CREATE TABLE starts (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL, first_attempt INTEGER NOT NULL,
    started_at INTEGER NOT NULL, ended_at INTEGER, stop TEXT, exit INTEGER, sum INTEGER);
CREATE TABLE intents (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL, pair BLOB NOT NULL, record INTEGER NOT NULL,
    at INTEGER NOT NULL, sum INTEGER);
CREATE TABLE settlements (
    id INTEGER PRIMARY KEY, class INTEGER NOT NULL, charge INTEGER NOT NULL, http INTEGER,
    at INTEGER NOT NULL, status TEXT, result TEXT, order_no TEXT, handle_time TEXT, remark TEXT,
    request_id TEXT, reason TEXT, sum INTEGER);
CREATE TABLE voids (id INTEGER PRIMARY KEY);
CREATE TABLE standings (
    pair BLOB PRIMARY KEY, attempt INTEGER NOT NULL, run INTEGER NOT NULL, class INTEGER NOT NULL,
    at INTEGER NOT NULL, sum INTEGER) WITHOUT ROWID;
CREATE TABLE purged_days (day INTEGER NOT NULL, class INTEGER NOT NULL, attempts INTEGER NOT NULL,
    PRIMARY KEY (day, class)) WITHOUT ROWID;
";

/// Where a ledger is, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The ledger file.
    pub ledger: PathBuf,
    /// Its key file.
    pub key: PathBuf,
    /// The name of the origin that its answers come from.
    pub origin: String,
}

impl Location {
    /// All files that the ledger is kept in, each with what it is.
    pub fn files(&self) -> [(&'static str, PathBuf); 7] {
        let Self { ledger, key, .. } = self;
        [
            ("ledger", ledger.clone()),
            ("ledger's key", key.clone()),
            ("ledger's witness", witness::path_of(ledger)),
            ("ledger's lock", lock::path_of(ledger)),
            ("ledger's WAL", beside(ledger, "-wal")),
            ("ledger's index", beside(ledger, "-shm")),
            ("ledger's journal", beside(ledger, "-journal")),
        ]
    }
}

/// A ledger in one SQLite file.
pub struct SqliteLedger {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) hasher: PairHasher,
    /// What the witness said before the ledger was opened.
    pub(super) testimony: Option<Testimony>,
    /// None where it is only read.
    pub(super) witness: Option<Witness>,
    _lock: Option<Lock>,
}

impl SqliteLedger {
    /// Opens a ledger to write, making it where there is none; settles as in doubt what a dead
    /// process left in flight. `now` is asked once the ledger is ours.
    ///
    /// # Errors
    /// [`LedgerError`]: held by another process, of another origin, key or version, or unusable.
    pub fn open(
        location: &Location,
        lock_wait: Duration,
        now: impl FnOnce() -> WallMs,
    ) -> Result<Self, LedgerError> {
        private_parent(&location.ledger)?;
        let lock = Lock::take(&location.ledger, lock_wait)?;
        let testimony = Testimony::read(&location.ledger);
        let key = key_to_write(location, testimony.as_ref())?;
        if let Some(says) = &testimony {
            says.check_file(&key, &location.ledger)?;
        }
        drop(private_file(&location.ledger)?);
        // SQLite believes what stands beside it: a journal that somebody else put there would be rolled back into it.
        for ending in ["-wal", "-journal", "-shm"] {
            let beside = beside(&location.ledger, ending);
            if beside.symlink_metadata().is_ok() {
                drop(private_file(&beside)?);
            }
        }
        let connection = Connection::open(plain(&location.ledger)).map_err(opening)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(opening)?;
        sums::teach(&connection).map_err(opening)?;
        let mut ledger = Self {
            connection,
            path: location.ledger.clone(),
            hasher: PairHasher::new(key),
            testimony,
            witness: None,
            _lock: Some(lock),
        };
        // What is refused stays as it is: its WAL too.
        ledger.fold_on_close(false)?;
        let is_made = ledger.is_made(location, &key)?;
        configure(&ledger.connection).map_err(|source| damaged(&location.ledger, source))?;
        if !is_made {
            ledger.stamp(&location.origin, &key)?;
            sync_parent(&location.ledger)?;
        }
        ledger.fold_on_close(true)?;
        ledger.settle_dangling(now())?;
        ledger.witness = Some(Witness::of(&ledger, &key)?);
        Ok(ledger)
    }

    /// A ledger that is only read.
    pub(super) fn reader(
        connection: Connection,
        path: &Path,
        testimony: Option<Testimony>,
    ) -> Result<Self, LedgerError> {
        sums::teach(&connection).map_err(opening)?;
        let (path, hasher) = (path.to_owned(), PairHasher::new([0; 32]));
        Ok(Self { connection, path, hasher, testimony, witness: None, _lock: None })
    }

    /// Opens a ledger to look at it, without its lock: a run may be under way.
    ///
    /// # Errors
    /// [`LedgerError`]: not there, of another version, or unusable.
    pub fn look(path: &Path) -> Result<Self, LedgerError> {
        let testimony = Testimony::read(path);
        if !path.exists() {
            Testimony::check_gone(testimony.as_ref(), path)?;
            return Err(LedgerError::Missing(path.to_owned()));
        }
        let connection = Connection::open_with_flags(plain(path), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(opening)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(opening)?;
        let ledger = Self::reader(connection, path, testimony)?;
        if ledger.is_blank()? {
            Testimony::check_gone(ledger.testimony.as_ref(), path)?;
            // Its first start was cut off before there was anything to look at.
            return Err(LedgerError::Missing(path.to_owned()));
        }
        ledger.check_kind()?;
        Ok(ledger)
    }

    /// For the simulation, which reads the facts by words of its own and makes the storage fail.
    #[cfg(test)]
    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Makes pair keys and fingerprints under this ledger's key.
    pub fn hasher(&self) -> PairHasher {
        self.hasher.clone()
    }

    /// The ledger file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The origin that the ledger is stamped with.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn origin(&self) -> Result<String, LedgerError> {
        Ok(self.meta("origin")?.unwrap_or_default())
    }

    /// A value of the `meta` table.
    pub(super) fn meta<T: rusqlite::types::FromSql>(
        &self,
        name: &str,
    ) -> Result<Option<T>, LedgerError> {
        self.connection
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
            .optional()
            .map_err(reading)
    }

    pub(super) fn is_blank(&self) -> Result<bool, LedgerError> {
        let count = self
            .connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
        match count {
            // Killed while it was made: the next start, which may write, rolls it back to nothing.
            Err(error) if is_to_be_rolled_back(&error) => Ok(true),
            count => count.map(|n| n == 0).map_err(|source| damaged(&self.path, source)),
        }
    }

    fn stamp(&mut self, origin: &str, key: &[u8; 32]) -> Result<(), LedgerError> {
        let transaction = self.connection.transaction().map_err(writing)?;
        transaction.execute_batch(SCHEMA).map_err(writing)?;
        let stamps = [
            ("origin", origin.to_owned()),
            ("key_id", key::id(key)),
            ("cleaning", CLEANING_VERSION.to_string()),
        ];
        for (name, value) in stamps {
            transaction
                .execute("INSERT INTO meta VALUES (?1, ?2)", [name, &value])
                .map_err(writing)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(writing)?;
        transaction.pragma_update(None, "user_version", USER_VERSION).map_err(writing)?;
        transaction.commit().map_err(writing)
    }

    /// Whether it was made at all. Refuses what is not ours, or has lost facts.
    pub(super) fn is_made(&self, location: &Location, key: &[u8; 32]) -> Result<bool, LedgerError> {
        if self.is_blank()? {
            Testimony::check_blank(self.testimony.as_ref(), location)?;
            return Ok(false);
        }
        self.check_kind()?;
        self.check_stamp(location, key)?;
        self.check_whole()?;
        Ok(true)
    }

    /// Whether the end of this connection folds the WAL into the file.
    fn fold_on_close(&self, folds: bool) -> Result<(), LedgerError> {
        let keeps = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        self.connection.set_db_config(keeps, !folds).map(drop).map_err(opening)
    }

    /// A ledger of ours, of a version that we know.
    fn check_kind(&self) -> Result<(), LedgerError> {
        let pragma = |name| {
            self.connection
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                .map_err(|source| damaged(&self.path, source))
        };
        let refuse = |what: String| Err(LedgerError::Version { path: self.path.clone(), what });
        if pragma("application_id")? != APPLICATION_ID {
            return refuse("is a database of another program".to_owned());
        }
        match pragma("user_version")? {
            USER_VERSION => Ok(()),
            other => refuse(format!("is of version {other}, this program knows {USER_VERSION}")),
        }
    }

    fn check_stamp(&self, location: &Location, key: &[u8; 32]) -> Result<(), LedgerError> {
        let theirs = self.origin()?;
        if theirs != location.origin {
            let ours = location.origin.clone();
            return Err(LedgerError::Origin { path: self.path.clone(), theirs, ours });
        }
        if self.meta::<String>("key_id")?.as_deref() != Some(&key::id(key)) {
            let what = format!("is not the key of the ledger {}", mask_path(&self.path));
            return Err(LedgerError::Key { path: location.key.clone(), what });
        }
        let cleaning: Option<String> = self.meta("cleaning")?;
        if cleaning.as_deref() != Some(&CLEANING_VERSION.to_string()) {
            let what = "was made under other rules of cleaning NIKs and names".to_owned();
            return Err(LedgerError::Version { path: self.path.clone(), what });
        }
        Ok(())
    }
}

/// The key of a ledger that is to be written. For a new ledger it is made, and so is its witness: both before the ledger.
fn key_to_write(
    location: &Location,
    testimony: Option<&Testimony>,
) -> Result<[u8; 32], LedgerError> {
    let is_new = is_empty(&location.ledger);
    if is_new {
        Testimony::check_blank(testimony, location)?;
    }
    let key = match key::read(&location.key)? {
        Some(key) => key,
        None if is_new => {
            private_parent(&location.key)?;
            key::create(&location.key)?
        }
        None => return Err(key::missing(location)),
    };
    // As a backup brings it back, it may be open to all. Where it cannot be changed, on a read-only mount, it need not be.
    let _ = private_file(&location.key);
    if is_new && testimony.is_none() {
        Witness::of_new(&location.ledger, &key)?;
    }
    Ok(key)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Elsewhere a sync is one; on macOS it would leave the bytes in the disk's own memory.
    connection.pragma_update(None, "fullfsync", "ON")?;
    connection.pragma_update(None, "checkpoint_fullfsync", "ON")?;
    // 16 MB of WAL between checkpoints; appends and sweeps need little cache.
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "cache_size", -4_000)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}

pub(super) const fn reading(source: rusqlite::Error) -> LedgerError {
    LedgerError::Storage { act: "read", source }
}

pub(super) const fn writing(source: rusqlite::Error) -> LedgerError {
    LedgerError::Storage { act: "written", source }
}

pub(super) const fn opening(source: rusqlite::Error) -> LedgerError {
    LedgerError::Storage { act: "opened", source }
}

/// A rollback journal stands beside a file that is only read. There is one only until the WAL is set up.
fn is_to_be_rolled_back(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_READONLY_ROLLBACK)
}

/// A file that SQLite says is no database is told apart from storage that failed.
fn damaged(path: &Path, source: rusqlite::Error) -> LedgerError {
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => LedgerError::Version {
            path: path.to_owned(),
            what: "is not a ledger, or is damaged".to_owned(),
        },
        _ => LedgerError::Storage { act: "opened", source },
    }
}
