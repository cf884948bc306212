//! Reads a ledger as the next run would find it, without taking the lock.
//!
//! Must hold: everything that is read belongs to one consistent state, also while a run is under
//! way. A ledger that `run` would refuse is refused here with the same message. Facts are read by
//! the same code as in `run`.
//!
//! Never: writes a byte, to the ledger or beside it. There is one exception: if a ledger was copied
//! with its WAL but without SQLite's `-shm` index, SQLite creates the index, because it cannot read
//! the WAL otherwise.

use super::connect::{IMMUTABLE, connect};
use super::files::{Stamp, has_wal, is_empty};
use super::ledger::SqliteLedger;
use super::location::FileLocation;
use super::witness::WitnessRecord;
use crate::ledger::{Facts, LedgerError, LedgerName, Preview, key};
use crate::rules::pair_key::PairHasher;

/// A ledger as the next start would find it.
pub(crate) struct SqlitePreview {
    location: FileLocation,
    key: [u8; 32],
    /// True if the ledger has been created.
    is_there: bool,
}

/// The facts of one moment.
struct PreviewRead {
    ledger: SqliteLedger,
    /// State of the ledger file, if it was opened without SQLite's own locks.
    unlocked: Option<Stamp>,
}

impl SqlitePreview {
    /// Opens a ledger for a preview. See [`crate::ledger::preview`].
    pub(crate) fn of(location: &FileLocation) -> Result<Self, LedgerError> {
        let record = WitnessRecord::read(&location.ledger);
        let is_new = is_empty(&location.ledger);
        if is_new {
            WitnessRecord::refuse_if_emptied(record.as_ref(), &location.ledger, &location.key)?;
        }
        let key = match key::read(&location.key)? {
            Some(key) => key,
            // No facts exist under any key, so a placeholder is enough.
            None if is_new => [0; 32],
            None => {
                return Err(key::missing(&location.key, &LedgerName::of_file(&location.ledger)));
            }
        };
        if let Some(record) = &record {
            record.check_file(&key, &location.ledger)?;
        }
        let preview = Self { location: location.clone(), key, is_there: !is_new };
        // The file may be blank: its first start may have been interrupted before it recorded
        // anything.
        let checked = preview.read_file(|ledger| ledger.check_created(location, &key))?;
        Ok(Self { is_there: checked.unwrap_or(false), ..preview })
    }

    /// Opens the ledger file. With `beside_runs`, SQLite's own locks are used, so that a run that
    /// begins meanwhile cannot disturb the reader.
    fn open(&self, beside_runs: bool) -> Result<PreviewRead, LedgerError> {
        let path = &self.location.ledger;
        // The witness is read before the ledger. So the ledger contains everything that the witness
        // recorded, even if a run writes to both meanwhile.
        let record = WitnessRecord::read(path);
        // A reader of a WAL database creates files beside it, if there are none. If the WAL is
        // empty, no process is writing, and the ledger file alone contains all facts.
        let unlocked = if beside_runs || has_wal(path) { None } else { Stamp::of(path) };
        let connection = match &unlocked {
            Some(_) => connect(path, IMMUTABLE)?,
            None => connect(path, "readonly_shm=1").or_else(|_| connect(path, "mode=ro"))?,
        };
        Ok(PreviewRead { ledger: SqliteLedger::reader(connection, path, record)?, unlocked })
    }
}

impl Preview for SqlitePreview {
    fn hasher(&self) -> PairHasher {
        PairHasher::new(self.key)
    }

    fn read<T, E: From<LedgerError>>(
        &self,
        mut read: impl FnMut(&mut dyn Facts) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        self.read_file(|ledger| read(ledger))
    }
}

impl SqlitePreview {
    fn read_file<T, E: From<LedgerError>>(
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

impl PreviewRead {
    /// Checks whether everything that was read belongs to one moment: no run that began meanwhile
    /// has written to the ledger file.
    fn held(&self) -> bool {
        self.unlocked.is_none() || Stamp::of(&self.ledger.path) == self.unlocked
    }
}
