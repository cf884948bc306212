//! The witness: a small file beside the ledger that says how much the ledger held.
//!
//! SQLite cuts a damaged WAL off without a word, takes a missing one for an empty one, and reads an old copy like any
//! other ledger: facts are gone, nobody is told, and what they say was paid for is bought again. So after each commit a
//! second file is told what the ledger now holds. A ledger that holds less has lost facts.
//!
//! Must hold: it never claims more than was committed, so whatever a crash makes of it, it is a lower bound, and needs
//! no sync of its own after the first. A missing or torn one proves nothing. It holds no NIK, no name and no secret.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::connect::{IMMUTABLE, connect};
use super::files::{has_wal, private_file, sync_parent};
use super::{Location, SqliteLedger, key};
use crate::fs::paths::beside;
use crate::fs::trusted;
use crate::ledger::{LedgerError, LedgerName};
use crate::model::attempt::{AttemptId, Batch};

const HEADING: &str = "ceknik-witness-1";

/// What a witness says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Testimony {
    /// Whose key the ledger rests on.
    key_id: String,
    /// The ledger held so many facts.
    facts: u64,
    /// The latest attempt among them.
    latest: AttemptId,
    /// So many of them were in the ledger file itself, past its WAL.
    filed: u64,
    /// The ledger file was so long; 0: it was not made yet.
    bytes: u64,
}

/// The hand that writes it.
pub(super) struct Witness {
    file: File,
    path: PathBuf,
    says: Testimony,
}

impl Testimony {
    /// What the witness of a ledger says, if there is one that can be understood.
    pub(super) fn read(ledger: &Path) -> Option<Self> {
        Self::parse(&trusted::read(&path_of(ledger)).ok()?)
    }

    /// Refuses to take an emptied ledger, or none, for one that is still to be made.
    pub(super) fn check_blank(this: Option<&Self>, location: &Location) -> Result<(), LedgerError> {
        let Location { ledger, key, .. } = location;
        Self::check_gone(this, ledger)?;
        // A first start makes the key, the witness and the ledger, in this order; one may do so in this moment.
        if this.is_none() && ledger.exists() && key.exists() && Self::read(ledger).is_none() {
            return Err(lost(ledger, "is empty, and its key is not new".to_owned()));
        }
        Ok(())
    }

    /// The same, as far as the witness alone can tell.
    pub(super) fn check_gone(this: Option<&Self>, ledger: &Path) -> Result<(), LedgerError> {
        match this {
            Some(says) if says.bytes > 0 => {
                Err(lost(ledger, format!("is gone or empty; it held {}", says.held())))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a ledger file that is older or shorter than it was beside a WAL, which would be replayed over it and hide
    /// that. To be asked before SQLite opens it.
    pub(super) fn check_file(&self, key: &[u8; 32], ledger: &Path) -> Result<(), LedgerError> {
        if !has_wal(ledger) || self.key_id != key::id(key) {
            return Ok(());
        }
        let bytes = fs::metadata(ledger).map_or(0, |file| file.len());
        if bytes < self.bytes {
            let was = self.bytes;
            return Err(lost(ledger, format!("was cut: it has {bytes} bytes, and had {was}")));
        }
        match filed(ledger) {
            Some(filed) if filed < self.filed => {
                let was = self.filed;
                Err(lost(ledger, format!("is an old copy: it holds {filed} facts, and held {was}")))
            }
            _ => Ok(()),
        }
    }

    fn held(&self) -> String {
        format!("{} facts at least, up to {}", self.facts, self.latest)
    }

    fn parse(text: &str) -> Option<Self> {
        let (line, check) = text.strip_suffix('\n')?.rsplit_once(' ')?;
        let mut words = line.strip_prefix(HEADING)?.split_ascii_whitespace();
        let key_id = words.next()?.to_owned();
        let mut number = || words.next()?.parse().ok();
        let says = Self {
            key_id,
            facts: number()?,
            latest: AttemptId(number()?),
            filed: number()?,
            bytes: number()?,
        };
        (check == check_of(line)).then_some(says)
    }

    /// One line, always of the same length: each overwrites the one before.
    fn line(&self) -> String {
        let Self { key_id, facts, latest: AttemptId(latest), filed, bytes } = self;
        let line = format!("{HEADING} {key_id} {facts:020} {latest:020} {filed:020} {bytes:020}");
        format!("{line} {}\n", check_of(&line))
    }
}

impl Witness {
    /// The witness of a ledger that is about to be made, durable before it.
    pub(super) fn of_new(ledger: &Path, key: &[u8; 32]) -> Result<(), LedgerError> {
        let key_id = key::id(key);
        let says = Testimony { key_id, facts: 0, latest: AttemptId(0), filed: 0, bytes: 0 };
        Self::open(ledger, says).and_then(|witness| witness.sync())
    }

    /// The witness of an open ledger, whose WAL is folded into its file where that can be.
    pub(super) fn of(ledger: &SqliteLedger, key: &[u8; 32]) -> Result<Self, LedgerError> {
        let key_id = key::id(key);
        let earlier = ledger.testimony.as_ref().filter(|says| says.key_id == key_id);
        let (facts, latest) = (ledger.facts()?, ledger.last_attempt()?);
        let folded = ledger
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        let (filed, bytes) = match (folded, earlier) {
            (Ok(0), _) => (facts, fs::metadata(&ledger.path).map_or(0, |file| file.len())),
            // Somebody reads it, or there is no room: what was true is still true.
            (_, Some(says)) => (says.filed, says.bytes),
            (_, None) => (0, 1),
        };
        let says = Testimony { key_id, facts, latest, filed, bytes };
        let witness = Self::open(&ledger.path, says)?;
        // From now on a blank ledger is known to have been one.
        if earlier.is_none_or(|says| says.bytes == 0) {
            witness.sync()?;
        }
        Ok(witness)
    }

    /// These facts were committed. Not told, it is as good a lower bound as before.
    pub(super) fn saw(&mut self, batch: &Batch) {
        self.says.facts += batch.facts();
        let latest = batch.intents.iter().map(|intent| intent.attempt).max();
        self.says.latest = latest.map_or(self.says.latest, |latest| latest.max(self.says.latest));
        if let Err(error) = self.file.write_all_at(self.says.line().as_bytes(), 0) {
            tracing::debug!(%error, "the ledger's witness could not be told");
        }
    }

    fn open(ledger: &Path, says: Testimony) -> Result<Self, LedgerError> {
        let path = path_of(ledger);
        let (file, line) = (private_file(&path)?, says.line());
        let written =
            file.write_all_at(line.as_bytes(), 0).and_then(|()| file.set_len(line.len() as u64));
        match written {
            Ok(()) => Ok(Self { file, path, says }),
            Err(source) => Err(LedgerError::File { path, act: "written", source }),
        }
    }

    fn sync(&self) -> Result<(), LedgerError> {
        self.file.sync_all().map_err(|source| {
            let path = self.path.clone();
            LedgerError::File { path, act: "synced", source }
        })?;
        sync_parent(&self.path)
    }
}

impl SqliteLedger {
    /// Refuses a ledger that holds less than its witness saw.
    pub(super) fn check_witness(&self) -> Result<(), LedgerError> {
        let key_id = self.meta::<String>("key_id")?;
        let says = self.testimony.as_ref().filter(|says| key_id.as_ref() == Some(&says.key_id));
        let Some(says) = says else { return Ok(()) };
        let (facts, latest) = (self.facts()?, self.last_attempt()?);
        if facts >= says.facts && latest >= says.latest {
            return Ok(());
        }
        let held = says.held();
        let what = format!("has lost facts: it held {held}, and holds {facts}, up to {latest}");
        Err(lost(&self.path, what))
    }

    /// How many facts it was given, purged ones too.
    fn facts(&self) -> Result<u64, LedgerError> {
        Ok(self.meta("facts")?.unwrap_or(0))
    }
}

/// How many facts the ledger file holds by itself, without its WAL. None where a power cut may have torn it: the WAL
/// will mend that, and what else is wrong is told by who opens it next.
fn filed(ledger: &Path) -> Option<u64> {
    let file = SqliteLedger::reader(connect(ledger, IMMUTABLE).ok()?, ledger, None).ok()?;
    if file.is_blank().ok()? { Some(0) } else { file.facts().ok() }
}

fn lost(ledger: &Path, what: String) -> LedgerError {
    LedgerError::Lost { ledger: LedgerName::of_file(ledger), what }
}

pub(super) fn path_of(ledger: &Path) -> PathBuf {
    beside(ledger, ".witness")
}

fn check_of(line: &str) -> String {
    key::hex(&blake3::hash(line.as_bytes()).as_bytes()[..8])
}
