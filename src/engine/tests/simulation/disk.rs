//! The ledger's files, and what a kill leaves of them: the bytes as they stand, nothing closed and
//! nothing merged, a write that was under way cut off anywhere.

use std::fs;
use std::path::PathBuf;

use super::super::world::ms;
use crate::ledger::{LedgerError, Location, SqliteLedger};
use crate::model::attempt::WallMs;

/// Memory where there is some: a sync costs nothing there.
const FAST: &str = "/dev/shm";

/// A place for one ledger, which moves on with each kill.
pub(super) struct Disk {
    folder: tempfile::TempDir,
    kills: u32,
}

impl Disk {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir_in(FAST).or_else(|_| tempfile::tempdir()).unwrap();
        let disk = Self { folder, kills: 0 };
        // A key that is the same each time: the pairs' keys follow from it.
        fs::write(disk.location().key, format!("ceknik-key-1 {}\n", "5a".repeat(32))).unwrap();
        disk
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn location(&self) -> Location {
        let ledger = self.file(&format!("{}/ledger", self.kills));
        Location { ledger, key: self.file("key"), origin: "simulation".to_owned() }
    }

    pub(super) fn open(&self, now: i64) -> Result<SqliteLedger, LedgerError> {
        SqliteLedger::open(&self.location(), ms(0), || WallMs(now))
    }

    /// How long the file of uncollected writes is.
    pub(super) fn written(&self) -> u64 {
        fs::metadata(self.wal()).map_or(0, |file| file.len())
    }

    /// The process is gone, and with it all that was written after `cut`.
    pub(super) fn kill(&mut self, ledger: Option<SqliteLedger>, cut: Option<u64>) {
        let (old, wal) = (self.location().ledger, self.wal());
        self.kills += 1;
        let new = self.location().ledger;
        fs::create_dir(new.parent().unwrap()).unwrap();
        if old.exists() {
            fs::copy(&old, new).unwrap();
        }
        if let Ok(mut bytes) = fs::read(wal) {
            bytes.truncate(cut.unwrap_or(u64::MAX) as usize);
            fs::write(self.wal(), bytes).unwrap();
        }
        // Only now is it closed, as a kill would not have it.
        drop(ledger);
        let _ = old.parent().map(fs::remove_dir_all);
    }

    /// All bytes that a ledger left on the disk.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let files = [self.location().ledger, self.wal()];
        files.iter().filter_map(|file| fs::read(file).ok()).flatten().collect()
    }

    fn wal(&self) -> PathBuf {
        self.location().ledger.with_file_name("ledger-wal")
    }
}
