//! The SQLite file: where it is, how it is opened, what it is stamped with.
//!
//! Must hold: WAL with `synchronous=FULL` (a commit that returned survives a power cut), files
//! of mode 0600 in folders of 0700, and no ledger is opened that was made for another origin, under
//! another key, or by a version that this one does not know.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, ffi};

mod connect;
mod facts;
mod files;
mod journal;
mod key;
mod lock;
mod preview;
mod purge;
mod runs;
mod schema;
mod starts;
mod status;
mod sums;
#[cfg(test)]
pub(super) mod tests;
mod upgrade;
mod witness;

pub(super) use preview::SqlitePreview;

use super::{LedgerError, LedgerName};
use crate::fs::paths::beside;
use crate::fs::trusted::FileId;
use crate::model::attempt::WallMs;
use crate::rules::pair::{CLEANING_VERSION, PairHasher};
use files::{is_empty, plain, private_file, private_parent, sync_parent};
use lock::Lock;
use witness::{Testimony, Witness};

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
    pub fn files(&self) -> [(&'static str, PathBuf); 8] {
        let Self { ledger, key, .. } = self;
        [
            ("ledger", ledger.clone()),
            ("ledger's key", key.clone()),
            ("ledger's witness", witness::path_of(ledger)),
            ("ledger's lock", lock::path_of(ledger)),
            ("ledger's WAL", beside(ledger, "-wal")),
            ("ledger's index", beside(ledger, "-shm")),
            ("ledger's journal", beside(ledger, "-journal")),
            ("copy of the older ledger", beside(ledger, ".v2")),
        ]
    }
}

/// A ledger in one SQLite file.
pub(crate) struct SqliteLedger {
    connection: Connection,
    path: PathBuf,
    name: LedgerName,
    hasher: PairHasher,
    /// The witness's words before the ledger was opened.
    testimony: Option<Testimony>,
    /// None where it is only read.
    witness: Option<Witness>,
    /// The file that its path named when it was opened; `None` where it is only read.
    file: Option<FileId>,
    /// Set once the trees that lead to the facts were looked at.
    trees_checked: bool,
    _lock: Option<Lock>,
}

impl SqliteLedger {
    /// See [`crate::ledger::open`].
    pub(super) fn open(
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
        let connection = Connection::open(plain(&location.ledger))?;
        connection.busy_timeout(Duration::from_secs(5))?;
        sums::teach(&connection)?;
        let mut ledger = Self {
            connection,
            path: location.ledger.clone(),
            name: LedgerName::of_file(&location.ledger),
            hasher: PairHasher::new(key),
            testimony,
            witness: None,
            file: FileId::of(&location.ledger).ok(),
            trees_checked: false,
            _lock: Some(lock),
        };
        // What is refused stays as it is: its WAL too.
        ledger.fold_on_close(false)?;
        let is_made = ledger.is_made(location, &key)?;
        configure(&ledger.connection).map_err(|source| not_a_ledger(&ledger.name, source))?;
        if is_made {
            ledger.bring_up_to_date(location)?;
        } else {
            ledger.stamp(&location.origin, &key)?;
            sync_parent(&location.ledger)?;
        }
        ledger.fold_on_close(true)?;
        // We hold the lock: whatever start has not ended is dead.
        ledger.settle_dead_starts(now())?;
        ledger.witness = Some(Witness::of(&ledger, &key)?);
        Ok(ledger)
    }

    /// A ledger that is only read.
    fn reader(
        connection: Connection,
        path: &Path,
        testimony: Option<Testimony>,
    ) -> Result<Self, LedgerError> {
        sums::teach(&connection)?;
        let (path, name) = (path.to_owned(), LedgerName::of_file(path));
        let hasher = PairHasher::new([0; 32]);
        let trees_checked = false;
        Ok(Self {
            connection,
            path,
            name,
            hasher,
            testimony,
            witness: None,
            file: None,
            trees_checked,
            _lock: None,
        })
    }

    /// See [`crate::ledger::look`]: a run may be under way.
    pub(super) fn look(path: &Path) -> Result<Self, LedgerError> {
        let testimony = Testimony::read(path);
        let missing = || LedgerError::Missing(LedgerName::of_file(path));
        if !path.exists() {
            Testimony::check_gone(testimony.as_ref(), path)?;
            return Err(missing());
        }
        let connection = connect::to_look(path)?;
        let ledger = Self::reader(connection, path, testimony)?;
        if ledger.is_blank()? {
            Testimony::check_gone(ledger.testimony.as_ref(), path)?;
            // Its first start was cut off before there was anything to look at.
            return Err(missing());
        }
        ledger.check_kind()?;
        Ok(ledger)
    }

    /// Refuses to go on where the path no longer names the file that is written to.
    fn check_place(&self) -> Result<(), LedgerError> {
        let is_there = self.file.is_none() || FileId::of(&self.path).ok() == self.file;
        if is_there { Ok(()) } else { Err(LedgerError::Moved(self.name.clone())) }
    }

    fn origin(&self) -> Result<String, LedgerError> {
        Ok(self.meta("origin")?.unwrap_or_default())
    }

    /// A value of the `meta` table.
    fn meta<T: rusqlite::types::FromSql>(&self, name: &str) -> Result<Option<T>, LedgerError> {
        let query = "SELECT value FROM meta WHERE name = ?1";
        Ok(self.connection.query_row(query, [name], |row| row.get(0)).optional()?)
    }

    fn is_blank(&self) -> Result<bool, LedgerError> {
        let count = self
            .connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
        match count {
            // Killed while it was made: the next start, which may write, rolls it back to nothing.
            Err(error) if is_to_be_rolled_back(&error) => Ok(true),
            count => count.map(|n| n == 0).map_err(|source| not_a_ledger(&self.name, source)),
        }
    }

    fn stamp(&mut self, origin: &str, key: &[u8; 32]) -> Result<(), LedgerError> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch(schema::TABLES)?;
        let stamps = [
            ("origin", origin.to_owned()),
            ("key_id", key::id(key)),
            ("cleaning", CLEANING_VERSION.to_string()),
        ];
        for (name, value) in stamps {
            transaction.execute("INSERT INTO meta VALUES (?1, ?2)", [name, &value])?;
        }
        transaction.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", schema::VERSION)?;
        Ok(transaction.commit()?)
    }

    /// Whether it was made at all. Refuses what is not ours, or has lost facts.
    fn is_made(&self, location: &Location, key: &[u8; 32]) -> Result<bool, LedgerError> {
        if self.is_blank()? {
            Testimony::check_blank(self.testimony.as_ref(), location)?;
            return Ok(false);
        }
        self.check_kind()?;
        self.check_stamp(location, key)?;
        self.check_witness()?;
        Ok(true)
    }

    /// Whether the end of this connection folds the WAL into the file.
    fn fold_on_close(&self, folds: bool) -> Result<(), LedgerError> {
        let keeps = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        self.connection.set_db_config(keeps, !folds)?;
        Ok(())
    }

    /// A ledger of ours, of a version that we can read.
    fn check_kind(&self) -> Result<(), LedgerError> {
        let refuse = |what: String| Err(LedgerError::Version { ledger: self.name.clone(), what });
        if self.pragma("application_id")? != schema::APPLICATION_ID {
            return refuse("is a database of another program".to_owned());
        }
        let (version, known) = (self.version()?, schema::OLDEST..=schema::VERSION);
        if !known.contains(&version) {
            let (oldest, newest) = known.into_inner();
            return refuse(format!(
                "is of version {version}, this program knows {oldest} to {newest}"
            ));
        }
        Ok(())
    }

    /// The version of its tables.
    fn version(&self) -> Result<i64, LedgerError> {
        self.pragma("user_version")
    }

    fn pragma(&self, name: &str) -> Result<i64, LedgerError> {
        self.connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|source| not_a_ledger(&self.name, source))
    }

    fn check_stamp(&self, location: &Location, key: &[u8; 32]) -> Result<(), LedgerError> {
        // Each has one: where it is not found, what stands around it is damaged.
        let theirs = self.meta::<String>("origin")?.ok_or_else(sums::damaged)?;
        if theirs != location.origin {
            let ours = location.origin.clone();
            return Err(LedgerError::Origin { ledger: self.name.clone(), theirs, ours });
        }
        if self.meta::<String>("key_id")?.as_deref() != Some(&key::id(key)) {
            let what = format!("is not the key of the ledger {}", self.name);
            return Err(LedgerError::Key { path: location.key.clone(), what });
        }
        let cleaning: Option<String> = self.meta("cleaning")?;
        if cleaning.as_deref() != Some(&CLEANING_VERSION.to_string()) {
            let what = "was made under other rules of cleaning NIKs and names".to_owned();
            return Err(LedgerError::Version { ledger: self.name.clone(), what });
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
            // It tells the path, which may hold a NIK.
            rusqlite::Error::SqliteFailure(error, _) if act == "opened" => {
                rusqlite::Error::SqliteFailure(error, None)
            }
            other => other,
        };
        Self::Storage { act, is_damaged, source: Box::new(source) }
    }
}

/// A rollback journal stands beside a file that is only read. There is one only until the WAL is set up.
fn is_to_be_rolled_back(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_READONLY_ROLLBACK)
}

/// A file that SQLite says is no database is told apart from storage that failed.
fn not_a_ledger(name: &LedgerName, source: rusqlite::Error) -> LedgerError {
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => LedgerError::Version {
            ledger: name.clone(),
            what: "is not a ledger, or is damaged".to_owned(),
        },
        _ => source.into(),
    }
}
