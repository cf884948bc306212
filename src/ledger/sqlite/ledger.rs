//! A ledger in an SQLite file: its path, how it is opened, and the stamp in its `meta` table that
//! says for which origin and key it was created.
//!
//! Must hold: the database runs in WAL mode with `synchronous=FULL`, so that a commit that returned
//! survives a power cut. Files have mode 0600, folders that are created here 0700. No ledger is
//! opened that was created for another origin, under another key, or by a version that this program
//! does not know.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension};

use super::error::{is_to_be_rolled_back, not_a_ledger};
use super::files::{is_empty, plain};
use super::location::FileLocation;
use super::lock::Lock;
use super::start::Start;
use super::witness::{Witness, WitnessRecord};
use super::{connect, schema, sums};
use crate::fs::paths::beside;
use crate::fs::trusted::FileId;
use crate::ledger::private_files::{private_file, private_parent, sync_parent};
use crate::ledger::{LedgerError, LedgerName, key};
use crate::model::attempt::WallMs;
use crate::rules::pair_key::{CLEANING_VERSION, PairHasher};

/// A ledger in one SQLite file.
pub(crate) struct SqliteLedger {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) name: LedgerName,
    pub(super) hasher: PairHasher,
    /// Contents of the witness, read before the ledger was opened.
    pub(super) record: Option<WitnessRecord>,
    /// The witness to update after each commit; `None` if the ledger is only read.
    pub(super) witness: Option<Witness>,
    /// Identity of the ledger file, to notice when it is moved or replaced. `None` if the ledger is
    /// only read.
    pub(super) file: Option<FileId>,
    /// True once SQLite's own check of the B-trees has been run.
    pub(super) trees_checked: bool,
    /// The right to write; `None` if the ledger is only read.
    pub(super) lock: Option<Lock>,
    /// The starts, once they have been read, while everything belongs to one moment.
    pub(super) moment: Option<OnceCell<Vec<Start>>>,
}

impl SqliteLedger {
    /// Opens a ledger for writing. See [`crate::ledger::open`].
    pub(in crate::ledger) fn open(
        location: &FileLocation,
        lock_wait: Duration,
        now: impl Fn() -> WallMs,
    ) -> Result<Self, LedgerError> {
        private_parent(&location.ledger)?;
        let lock = Lock::take(&location.ledger, lock_wait, &now)?;
        let record = WitnessRecord::read(&location.ledger);
        let key = key_to_write(location, record.as_ref())?;
        if let Some(says) = &record {
            says.check_file(&key, &location.ledger)?;
        }
        drop(private_file(&location.ledger)?);
        // SQLite trusts the files beside the ledger: it would roll back into the ledger a journal
        // that another user put there.
        for ending in ["-wal", "-journal", "-shm"] {
            let beside = beside(&location.ledger, ending);
            if beside.symlink_metadata().is_ok() {
                drop(private_file(&beside)?);
            }
        }
        let connection = Connection::open(plain(&location.ledger))?;
        connection.busy_timeout(Duration::from_secs(5))?;
        sums::register_functions(&connection)?;
        let mut ledger = Self {
            connection,
            path: location.ledger.clone(),
            name: LedgerName::of_file(&location.ledger),
            hasher: PairHasher::new(key),
            record,
            witness: None,
            file: FileId::of(&location.ledger).ok(),
            trees_checked: false,
            lock: Some(lock),
            moment: None,
        };
        // If the ledger is refused below, its files must stay as they are. Closing the connection
        // must not checkpoint the WAL.
        ledger.checkpoint_on_close(false)?;
        let check_created = ledger.check_created(location, &key)?;
        configure(&ledger.connection).map_err(|source| not_a_ledger(&ledger.name, source))?;
        if check_created {
            ledger.bring_up_to_date(location)?;
        } else {
            ledger.stamp(&location.origin, &key)?;
            sync_parent(&location.ledger)?;
        }
        ledger.checkpoint_on_close(true)?;
        // This process holds the lock, so every start that has not ended is dead.
        ledger.settle_dead_starts(now())?;
        ledger.witness = Some(ledger.open_witness(&key)?);
        Ok(ledger)
    }

    /// Creates a ledger that only reads through this connection.
    pub(super) fn reader(
        connection: Connection,
        path: &Path,
        record: Option<WitnessRecord>,
    ) -> Result<Self, LedgerError> {
        sums::register_functions(&connection)?;
        let (path, name) = (path.to_owned(), LedgerName::of_file(path));
        let hasher = PairHasher::new([0; 32]);
        let trees_checked = false;
        Ok(Self {
            connection,
            path,
            name,
            hasher,
            record,
            witness: None,
            file: None,
            trees_checked,
            lock: None,
            moment: None,
        })
    }

    /// Opens a ledger to show it. A run may be under way. See [`crate::ledger::open_to_show`].
    pub(in crate::ledger) fn open_to_show(path: &Path) -> Result<Self, LedgerError> {
        let record = WitnessRecord::read(path);
        let missing = || LedgerError::Missing(LedgerName::of_file(path));
        if !path.exists() {
            WitnessRecord::refuse_if_removed(record.as_ref(), path)?;
            return Err(missing());
        }
        let connection = connect::to_look(path)?;
        let ledger = Self::reader(connection, path, record)?;
        if ledger.is_blank()? {
            WitnessRecord::refuse_if_removed(ledger.record.as_ref(), path)?;
            // The first start was interrupted before it created any table: there is nothing to
            // show.
            return Err(missing());
        }
        ledger.check_kind()?;
        Ok(ledger)
    }

    /// Refuses to continue if the path no longer names the file that this process writes to.
    pub(super) fn check_place(&self) -> Result<(), LedgerError> {
        let is_there = self.file.is_none() || FileId::of(&self.path).ok() == self.file;
        if is_there { Ok(()) } else { Err(LedgerError::Moved(self.name.clone())) }
    }

    /// Returns the origin in the stamp; an empty text if there is none.
    pub(super) fn stamped_origin(&self) -> Result<String, LedgerError> {
        Ok(self.meta("origin")?.unwrap_or_default())
    }

    /// Returns a value of the `meta` table.
    pub(super) fn meta<T: rusqlite::types::FromSql>(
        &self,
        name: &str,
    ) -> Result<Option<T>, LedgerError> {
        let query = "SELECT value FROM meta WHERE name = ?1";
        Ok(self.connection.query_row(query, [name], |row| row.get(0)).optional()?)
    }

    /// Checks whether the database has no tables yet.
    pub(super) fn is_blank(&self) -> Result<bool, LedgerError> {
        let count = self
            .connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
        match count {
            // The process that created the tables was killed before its first commit. The next
            // start can write, and rolls the file back to an empty database.
            Err(error) if is_to_be_rolled_back(&error) => Ok(true),
            count => count.map(|n| n == 0).map_err(|source| not_a_ledger(&self.name, source)),
        }
    }

    /// Creates the tables, and stamps the ledger with its origin, the id of its key and the
    /// versions.
    fn stamp(&mut self, origin: &str, key: &[u8; 32]) -> Result<(), LedgerError> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch(schema::TABLES)?;
        transaction.execute_batch(schema::PAUSES)?;
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

    /// Checks whether the ledger has been created. Refuses a file that is not a ledger for this
    /// location, and a ledger that has lost facts.
    pub(super) fn check_created(
        &self,
        location: &FileLocation,
        key: &[u8; 32],
    ) -> Result<bool, LedgerError> {
        if self.is_blank()? {
            WitnessRecord::refuse_if_emptied(
                self.record.as_ref(),
                &location.ledger,
                &location.key,
            )?;
            return Ok(false);
        }
        self.check_kind()?;
        self.check_stamp(location, key)?;
        self.check_witness()?;
        Ok(true)
    }

    /// Sets whether SQLite checkpoints the WAL into the ledger file when this connection closes.
    pub(super) fn checkpoint_on_close(&self, folds: bool) -> Result<(), LedgerError> {
        let keeps = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        self.connection.set_db_config(keeps, !folds)?;
        Ok(())
    }

    /// Checks that the file is a ledger of a version that this program can read.
    pub(super) fn check_kind(&self) -> Result<(), LedgerError> {
        let refuse = |what: String| Err(LedgerError::Version { ledger: self.name.clone(), what });
        if self.pragma("application_id")? != schema::APPLICATION_ID {
            return refuse("is a database of another program".to_owned());
        }
        let (version, known) = (self.version()?, schema::OLDEST..=schema::VERSION);
        if !known.contains(&version) {
            let (oldest, newest) = known.into_inner();
            return refuse(format!(
                "has version {version}, and this ceknik knows versions {oldest} to {newest}"
            ));
        }
        Ok(())
    }

    /// Returns the version of the tables.
    pub(super) fn version(&self) -> Result<i64, LedgerError> {
        self.pragma("user_version")
    }

    /// Returns the integer value of a pragma.
    pub(super) fn pragma(&self, name: &str) -> Result<i64, LedgerError> {
        self.connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|source| not_a_ledger(&self.name, source))
    }

    /// Checks that the stamp has the expected origin, key and cleaning rules.
    pub(super) fn check_stamp(
        &self,
        location: &FileLocation,
        key: &[u8; 32],
    ) -> Result<(), LedgerError> {
        // Every ledger has an origin. If none is found, the table is damaged.
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
            let what = "was made with other rules for cleaning NIKs and names".to_owned();
            return Err(LedgerError::Version { ledger: self.name.clone(), what });
        }
        Ok(())
    }
}

/// Returns the key of a ledger that is to be written. For a new ledger, creates the key and then
/// the witness, so that both exist before the ledger does.
fn key_to_write(
    location: &FileLocation,
    record: Option<&WitnessRecord>,
) -> Result<[u8; 32], LedgerError> {
    let is_new = is_empty(&location.ledger);
    if is_new {
        WitnessRecord::refuse_if_emptied(record, &location.ledger, &location.key)?;
    }
    let key = match key::read(&location.key)? {
        Some(key) => key,
        None if is_new => {
            private_parent(&location.key)?;
            key::create(&location.key)?
        }
        None => return Err(key::missing(&location.key, &LedgerName::of_file(&location.ledger))),
    };
    // A key that came back from a backup may be readable by everybody, which is corrected here. The
    // mode cannot be changed on a read-only mount, so an error is ignored.
    let _ = private_file(&location.key);
    if is_new && record.is_none() {
        Witness::of_new(&location.ledger, &key)?;
    }
    Ok(key)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Only macOS needs `fullfsync`: there, a plain sync may leave the bytes in the disk's volatile
    // cache.
    connection.pragma_update(None, "fullfsync", "ON")?;
    connection.pragma_update(None, "checkpoint_fullfsync", "ON")?;
    // The WAL grows by 16 MB between checkpoints. A small page cache is enough for appends and
    // sweeps.
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "cache_size", -4_000)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}
