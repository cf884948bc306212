//! The witness: a small file beside the ledger that records how much the ledger contains.
//!
//! SQLite truncates a damaged WAL without an error, treats a missing WAL as an empty one, and reads
//! an old copy like any other ledger. In each case facts are gone unnoticed, and answers that were
//! paid for are bought again. So after each commit, the new size of the ledger is written to a
//! second file. A ledger that contains less than its witness says has lost facts.
//!
//! Must hold: the witness never claims more than was committed. Whatever a crash leaves of the
//! witness is therefore a lower bound, and no write after the first needs a sync. A missing or torn
//! witness proves nothing.
//!
//! Never: contains a NIK, a name or a secret.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::OptionalExtension;

use super::connect::{IMMUTABLE, connect};
use super::files::has_wal;
use crate::fs::paths::beside;
use crate::fs::trusted;
use crate::ledger::checked_line::{checked, with_checksum};
use crate::ledger::private_files::{private_file, sync_parent};
use crate::ledger::{LedgerError, LedgerName, key};
use crate::model::attempt::{AttemptId, Batch};

/// First word of the witness, with the version of its format.
const HEADING: &str = "ceknik-witness-1";

/// Contents of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WitnessRecord {
    /// Id of the ledger's key.
    pub(super) key_id: String,
    /// Number of facts that the ledger had ever recorded.
    pub(super) facts: u64,
    /// Number of the latest attempt.
    pub(super) latest: AttemptId,
    /// Number of facts in the ledger file itself, without its WAL, at the last start.
    pub(super) filed: u64,
    /// Length of the ledger file in bytes at the last start; 0 if the file was not created yet, 1
    /// if the length could not be determined.
    pub(super) bytes: u64,
}

/// The open witness file of a ledger that is written to.
pub(super) struct Witness {
    file: File,
    path: PathBuf,
    says: WitnessRecord,
}

impl WitnessRecord {
    /// Reads the witness of a ledger. Returns `None` if it does not exist or cannot be parsed.
    pub(super) fn read(ledger: &Path) -> Option<Self> {
        Self::parse(&trusted::read(&path_of(ledger)).ok()?)
    }

    /// Refuses to treat an emptied or removed ledger as a new ledger.
    pub(super) fn refuse_if_emptied(
        this: Option<&Self>,
        ledger: &Path,
        key: &Path,
    ) -> Result<(), LedgerError> {
        Self::refuse_if_removed(this, ledger)?;
        // A first start creates the key, the witness and the ledger, in this order, and may do so
        // at this moment. So the witness is read again after the key was found.
        if this.is_none() && ledger.exists() && key.exists() && Self::read(ledger).is_none() {
            return Err(lost(ledger, "is empty, but its key has been used before".to_owned()));
        }
        Ok(())
    }

    /// Refuses a missing or empty ledger if its witness says that the ledger file existed.
    pub(super) fn refuse_if_removed(this: Option<&Self>, ledger: &Path) -> Result<(), LedgerError> {
        match this {
            Some(says) if says.bytes > 0 => {
                Err(lost(ledger, format!("is gone or empty; it had {}", says.held())))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a ledger file that is older or shorter than it was, if there is a WAL beside it.
    /// SQLite would replay the WAL over the file, and so hide the loss. Must be called before
    /// SQLite opens the file.
    pub(super) fn check_file(&self, key: &[u8; 32], ledger: &Path) -> Result<(), LedgerError> {
        if !has_wal(ledger) || self.key_id != key::id(key) {
            return Ok(());
        }
        let bytes = fs::metadata(ledger).map_or(0, |file| file.len());
        if bytes < self.bytes {
            let was = self.bytes;
            return Err(lost(
                ledger,
                format!("was cut: it has {bytes} bytes, and had {was} before"),
            ));
        }
        match filed(ledger) {
            Some(filed) if filed < self.filed => {
                let was = self.filed;
                Err(lost(
                    ledger,
                    format!("is an old copy: it has {filed} entries, and had {was} before"),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Describes what the ledger contained, for a message.
    pub(super) fn held(&self) -> String {
        let entries = if self.facts == 1 { "entry" } else { "entries" };
        format!("at least {} {entries}, up to {}", self.facts, self.latest)
    }

    /// Parses the line of a witness, and checks its checksum.
    fn parse(text: &str) -> Option<Self> {
        let mut words = checked(text)?.strip_prefix(HEADING)?.split_ascii_whitespace();
        let key_id = words.next()?.to_owned();
        let mut number = || words.next()?.parse().ok();
        Some(Self {
            key_id,
            facts: number()?,
            latest: AttemptId(number()?),
            filed: number()?,
            bytes: number()?,
        })
    }

    /// Formats the line of the witness. All lines have the same length, because each overwrites the
    /// line before.
    pub(super) fn line(&self) -> String {
        let Self { key_id, facts, latest: AttemptId(latest), filed, bytes } = self;
        with_checksum(&format!(
            "{HEADING} {key_id} {facts:020} {latest:020} {filed:020} {bytes:020}"
        ))
    }
}

impl Witness {
    /// Writes the witness of a ledger that is about to be created, and makes it durable.
    pub(super) fn of_new(ledger: &Path, key: &[u8; 32]) -> Result<(), LedgerError> {
        let key_id = key::id(key);
        let says = WitnessRecord { key_id, facts: 0, latest: AttemptId(0), filed: 0, bytes: 0 };
        Self::open(ledger, says).and_then(|witness| witness.sync())
    }

    /// Writes the witness of a ledger that exists, or is about to exist for the first time
    /// (`is_first`).
    pub(super) fn resume(
        ledger: &Path,
        says: WitnessRecord,
        is_first: bool,
    ) -> Result<Self, LedgerError> {
        let witness = Self::open(ledger, says)?;
        // From now on, the witness proves that the ledger file existed.
        if is_first {
            witness.sync()?;
        }
        Ok(witness)
    }

    /// Records that these facts were committed. On an error, the old contents are still a lower
    /// bound.
    pub(super) fn saw(&mut self, batch: &Batch) {
        self.says.facts += batch.facts();
        let latest = batch.intents.iter().map(|intent| intent.attempt).max();
        self.says.latest = latest.map_or(self.says.latest, |latest| latest.max(self.says.latest));
        if let Err(error) = self.file.write_all_at(self.says.line().as_bytes(), 0) {
            tracing::debug!(%error, "the ledger's witness could not be written");
        }
    }

    /// Opens the witness file, or creates it, and writes its line.
    fn open(ledger: &Path, says: WitnessRecord) -> Result<Self, LedgerError> {
        let path = path_of(ledger);
        let (file, line) = (private_file(&path)?, says.line());
        let written =
            file.write_all_at(line.as_bytes(), 0).and_then(|()| file.set_len(line.len() as u64));
        match written {
            Ok(()) => Ok(Self { file, path, says }),
            Err(source) => Err(LedgerError::File { path, act: "written", source }),
        }
    }

    /// Makes the witness and its name durable.
    fn sync(&self) -> Result<(), LedgerError> {
        self.file.sync_all().map_err(|source| {
            let path = self.path.clone();
            LedgerError::File { path, act: "synced", source }
        })?;
        sync_parent(&self.path)
    }
}

/// Returns the number of facts in the ledger file alone, without its WAL. Returns `None` if a power
/// cut may have torn the file: the WAL repairs that, and any other damage is reported when the file
/// is opened next.
fn filed(ledger: &Path) -> Option<u64> {
    let file = connect(ledger, IMMUTABLE).ok()?;
    let number = |query| file.query_row(query, [], |row| row.get::<_, u64>(0)).optional();
    match number("SELECT count(*) FROM sqlite_schema").ok()?? {
        0 => Some(0),
        _ => Some(number("SELECT value FROM meta WHERE name = 'facts'").ok()?.unwrap_or(0)),
    }
}

/// Returns the error for lost facts.
pub(super) fn lost(ledger: &Path, what: String) -> LedgerError {
    LedgerError::Lost { ledger: LedgerName::of_file(ledger), what }
}

/// Returns the path of the witness.
pub(super) fn path_of(ledger: &Path) -> PathBuf {
    beside(ledger, ".witness")
}
