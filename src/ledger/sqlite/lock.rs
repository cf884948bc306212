//! The lock of a ledger: an advisory lock (`flock`) on a file beside the ledger.
//!
//! Must hold: only one process at a time writes to a ledger. The operating system releases the lock
//! when the process ends, however it ends. The lock file stays.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::fs::paths::beside;
use crate::ledger::private_files::private_file;
use crate::ledger::{LedgerError, LedgerName};

/// Interval between two attempts to take the lock.
const POLL: Duration = Duration::from_millis(100);

/// The right to write to one ledger, until this value is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock. Waits at most `wait` if another process holds it.
    ///
    /// # Errors
    /// - [`LedgerError::Locked`] if another process still holds the lock.
    /// - [`LedgerError::File`] if the lock file cannot be opened or locked.
    pub(super) fn take(ledger: &Path, wait: Duration) -> Result<Self, LedgerError> {
        let path = path_of(ledger);
        let file = private_file(&path)?;
        let deadline = Instant::now() + wait;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(source)) => {
                    return Err(LedgerError::File { path, act: "locked", source });
                }
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(POLL.min(wait));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(LedgerError::Locked(LedgerName::of_file(ledger)));
                }
            }
        }
    }
}

/// Returns the path of the lock file.
pub(super) fn path_of(ledger: &Path) -> PathBuf {
    beside(ledger, ".lock")
}
