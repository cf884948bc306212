//! The files of a ledger in SQLite.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::fs::paths::beside;

/// Returns the path in a form that SQLite reads as nothing but a path. SQLite gives `:memory:` and
/// `file:…?…` a special meaning.
pub(super) fn plain(path: &Path) -> PathBuf {
    Path::new(".").join(path)
}

/// Checks whether a file does not exist or has no bytes.
pub(super) fn is_empty(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |file| file.len() == 0)
}

/// Checks whether the WAL of a ledger may contain facts.
pub(super) fn has_wal(ledger: &Path) -> bool {
    !is_empty(&beside(ledger, "-wal"))
}

/// Properties of a file that change when the file is written to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    bytes: u64,
    changed: Option<SystemTime>,
}

impl Stamp {
    /// Returns the state of a file; `None` if it cannot be determined.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self { bytes: file.len(), changed: file.modified().ok() })
    }
}
