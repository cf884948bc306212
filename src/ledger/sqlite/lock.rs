//! The lock of a ledger: an advisory lock (`flock`) on a file beside the ledger.
//!
//! Must hold: only one process at a time writes to a ledger. The operating system releases the lock
//! when the process ends, however it ends. The lock file stays.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::note::{self, Note, path_of};
use crate::ledger::private_files::private_file;
use crate::ledger::{LedgerError, LedgerName};
use crate::model::attempt::WallMs;

/// Interval between two attempts to take the lock.
const POLL: Duration = Duration::from_millis(100);
/// Shortest time for which the lock is tried: `status` holds it for the moment in which it looks
/// whether anybody does.
const LEAST_WAIT: Duration = Duration::from_millis(50);

/// The right to write to one ledger, until this value is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    path: PathBuf,
    since: WallMs,
}

impl Lock {
    /// Takes the lock. Waits at most `wait` if another process holds it.
    ///
    /// # Errors
    /// - [`LedgerError::Locked`] if another process still holds the lock.
    /// - [`LedgerError::File`] if the lock file cannot be opened or locked.
    pub(super) fn take(
        ledger: &Path,
        wait: Duration,
        now: impl FnOnce() -> WallMs,
    ) -> Result<Self, LedgerError> {
        let path = path_of(ledger);
        let file = private_file(&path)?;
        let wait = wait.max(LEAST_WAIT);
        let deadline = Instant::now() + wait;
        loop {
            match file.try_lock() {
                Ok(()) => {
                    let lock = Self { _file: file, path, since: now() };
                    // The note is only shown.
                    let _ = lock.note();
                    return Ok(lock);
                }
                Err(TryLockError::Error(source)) => {
                    return Err(LedgerError::File { path, act: "locked", source });
                }
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(POLL.min(wait / 5));
                }
                Err(TryLockError::WouldBlock) => {
                    let name = LedgerName::of_file(ledger);
                    return Err(LedgerError::Locked(name, note::holder_of(&file)));
                }
            }
        }
    }

    /// Returns the writer of the note in the lock file.
    pub(super) fn note(&self) -> Result<Note, LedgerError> {
        Note::begin(&self.path, self.since)
    }
}
