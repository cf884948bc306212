//! One writer at a time: an advisory lock on a file beside the ledger.
//!
//! The lock goes with the process, however it ends; the file stays.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::files::private_file;
use super::{LedgerError, LedgerName};
use crate::fs::paths::beside;

/// How often a held lock is tried again.
const POLL: Duration = Duration::from_millis(100);

/// The right to write to one ledger.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, waiting for it at most so long.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] when another process keeps it.
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

/// The file that is locked.
pub(super) fn path_of(ledger: &Path) -> PathBuf {
    beside(ledger, ".lock")
}
