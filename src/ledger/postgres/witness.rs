//! The witness of a shared ledger: a small file beside the key that records which batches the server
//! has confirmed to the workers of this machine.
//!
//! A database that is set back, to a backup or to a standby that was behind, has forgotten what was
//! bought since. A start whose ledger lacks a batch of which a witness knows is refused.
//!
//! Must hold: a witness never claims more than the server has confirmed. So a torn or missing one
//! proves nothing, and no write after the first needs a sync. Each worker of a machine has a file of
//! its own, which it holds locked.
//!
//! Never: contains a NIK, a name or a secret.

use std::fs::{File, TryLockError};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::local_files::LocalFiles;
use crate::fs::trusted;
use crate::ledger::LedgerError;
use crate::ledger::checked_line::{checked, with_checksum};
use crate::ledger::private_files::{private_file, sync_parent};
use crate::model::attempt::{StartId, WallMs};

/// First word of the witness, with the version of its format.
const HEADING: &str = "ceknik-shared-witness-1";
/// Most workers of one ledger on one machine that have a witness.
const MOST: u32 = 64;

/// Contents of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WitnessRecord {
    ledger: String,
    pub(super) start: StartId,
    /// Time at which the start began, which tells it apart from another one of the same number.
    pub(super) began_at: WallMs,
    /// Number of the latest batch that the server has confirmed.
    pub(super) batch: u64,
}

impl WitnessRecord {
    fn read(path: &Path) -> Option<Self> {
        Self::parse(&trusted::read(path).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = checked(text)?.strip_prefix(HEADING)?.split_ascii_whitespace();
        Some(Self {
            ledger: words.next()?.to_owned(),
            start: StartId(words.next()?.parse().ok()?),
            began_at: WallMs(words.next()?.parse().ok()?),
            batch: words.next()?.parse().ok()?,
        })
    }

    /// Formats the line. All lines have the same length, because each overwrites the line before.
    fn line(&self) -> String {
        let Self { ledger, start, began_at, batch } = self;
        let (start, began_at) = (start.0, began_at.0);
        with_checksum(&format!("{HEADING} {ledger} {start:010} {began_at:020} {batch:020}"))
    }
}

/// The open witness of a worker.
pub(super) struct Witness {
    file: File,
    says: WitnessRecord,
}

impl Witness {
    /// Begins the witness of a start that the server has confirmed.
    ///
    /// # Errors
    /// [`LedgerError::File`] if the folder of the key cannot be written.
    pub(super) fn begin(
        files: &LocalFiles,
        start: StartId,
        began_at: WallMs,
    ) -> Result<Self, LedgerError> {
        let says = WitnessRecord { ledger: files.ledger.clone(), start, began_at, batch: 0 };
        let mut failure = None;
        for number in 1..=MOST {
            let path = files.witness(number);
            let file = match private_file(&path) {
                Ok(file) => file,
                Err(error) => {
                    // Only this file may be another user's.
                    failure.get_or_insert(error);
                    continue;
                }
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                // Without locks two workers share a witness: what it says is true of one of them.
                Err(TryLockError::Error(error)) if trusted::has_no_locks(&error) => {}
                Err(TryLockError::Error(source)) => {
                    return Err(LedgerError::File { path, act: "locked", source });
                }
            }
            let failed = |source| LedgerError::File { path: path.clone(), act: "written", source };
            let line = says.line();
            file.write_all_at(line.as_bytes(), 0).map_err(failed)?;
            file.set_len(line.len() as u64).and_then(|()| file.sync_all()).map_err(failed)?;
            sync_parent(&path)?;
            return Ok(Self { file, says });
        }
        let source = std::io::Error::other(format!("{MOST} other workers have a witness already"));
        let full = LedgerError::File { path: files.witness(MOST), act: "used", source };
        Err(failure.unwrap_or(full))
    }

    /// Records that the server has confirmed this batch.
    pub(super) fn confirm(&mut self, batch: u64) {
        self.says.batch = batch;
        if let Err(error) = self.file.write_all_at(self.says.line().as_bytes(), 0) {
            tracing::debug!(%error, "the witness of the ledger could not be written");
        }
    }
}

/// Reads what the witnesses of this machine record about a ledger. Must be called before the ledger
/// is read, because a worker may write to both meanwhile.
pub(super) fn read_witnesses(files: &LocalFiles) -> Vec<WitnessRecord> {
    let records = (1..=MOST).filter_map(|number| WitnessRecord::read(&files.witness(number)));
    records.filter(|says| says.ledger == files.ledger).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_says_what_was_confirmed_last() {
        let folder = tempfile::tempdir().unwrap();
        let files = LocalFiles::new(&folder.path().join("my.key"), "0123456789".to_owned());
        let mut first = Witness::begin(&files, StartId(7), WallMs(1000)).unwrap();
        let second = Witness::begin(&files, StartId(8), WallMs(2000)).unwrap();
        first.confirm(12);
        let told = |files: &LocalFiles| {
            let says = read_witnesses(files);
            says.iter().map(|says| (says.start.0, says.batch)).collect::<Vec<_>>()
        };
        assert_eq!(told(&files), [(7, 12), (8, 0)]);
        // A file that no worker holds is used again.
        drop(first);
        let third = Witness::begin(&files, StartId(9), WallMs(3000)).unwrap();
        assert_eq!(told(&files), [(9, 0), (8, 0)]);
        drop((second, third));
        let other = LocalFiles::new(&folder.path().join("my.key"), "0123456x".to_owned());
        assert_eq!(told(&other), []);
    }

    #[test]
    fn a_torn_witness_proves_nothing() {
        let says = WitnessRecord {
            ledger: "0123".to_owned(),
            start: StartId(7),
            began_at: WallMs(1000),
            batch: 12,
        };
        let line = says.line();
        assert_eq!(WitnessRecord::parse(&line), Some(says));
        for torn in [&line[..line.len() - 1], &line[1..], &line.replace("12", "13"), "", "\n"] {
            assert_eq!(WitnessRecord::parse(torn), None, "{torn}");
        }
    }
}
