//! A look at the ledger through the eyes of the next run: what it would find, without its lock.
//!
//! Must hold: not a byte is written, not to the ledger and not beside it (but for SQLite's own `-shm` index, where a
//! copy with a WAL came without one: there is no reading without it); what is read is one consistent state,
//! also while a run is under way; a ledger that `run` would refuse is refused here with the same words. What is read is
//! read by the code that `run` reads with.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::connect::{IMMUTABLE, connect};
use super::files::{has_wal, is_empty};
use super::witness::Testimony;
use super::{Location, SqliteLedger, key};
use crate::ledger::{LedgerError, Preview};
use crate::rules::pair::PairHasher;

/// A ledger as the next start would find it.
pub(crate) struct SqlitePreview {
    location: Location,
    key: [u8; 32],
    /// Tells if there are facts.
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
    /// Tells if all that was read is of one moment: a run that began meanwhile did not write into the file.
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
