//! The place of a ledger: the paths of its files.

use std::path::PathBuf;

use super::{note, witness};
use crate::fs::paths::beside;

/// Paths of a ledger's files, and the origin that the ledger belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLocation {
    /// Path of the ledger file.
    pub ledger: PathBuf,
    /// Path of the key file.
    pub key: PathBuf,
    /// Name of the origin from which the answers in the ledger come.
    pub origin: String,
}

impl FileLocation {
    /// Returns all files that belong to the ledger, each with a description.
    pub fn files(&self) -> [(&'static str, PathBuf); 8] {
        let Self { ledger, key, .. } = self;
        [
            ("ledger", ledger.clone()),
            ("ledger's key", key.clone()),
            ("ledger's witness", witness::path_of(ledger)),
            ("ledger's lock", note::path_of(ledger)),
            ("ledger's WAL", beside(ledger, "-wal")),
            ("ledger's index", beside(ledger, "-shm")),
            ("ledger's journal", beside(ledger, "-journal")),
            ("copy of the older ledger", beside(ledger, ".v2")),
        ]
    }
}
