//! The files that a worker keeps beside the key of a shared ledger: its witness, and answers that it
//! could not record.
//!
//! Never: names a file after a customer. The names hold the id of the ledger and of the start.

use std::path::{Path, PathBuf};

use crate::fs::paths::{beside, folder_of};
use crate::model::attempt::StartId;

/// Number of characters of the ledger's id that are part of a name.
const SHORT: usize = 8;
/// End of the name of a file with answers that could not be recorded.
const LATE: &str = ".late";

/// Names of the files of one ledger.
#[derive(Debug, Clone)]
pub(super) struct LocalFiles {
    key: PathBuf,
    /// Id of the ledger, which tells ledgers with the same key apart.
    pub(super) ledger: String,
}

impl LocalFiles {
    pub(super) fn new(key: &Path, ledger: String) -> Self {
        Self { key: key.to_owned(), ledger }
    }

    /// Returns the path of the witness with this number.
    pub(super) fn witness(&self, number: u32) -> PathBuf {
        beside(&self.key, &format!("{}{number}.witness", self.prefix()))
    }

    /// Returns the path of the file with the late answers of a start.
    pub(super) fn late(&self, start: StartId) -> PathBuf {
        beside(&self.key, &format!("{}{}{LATE}", self.prefix(), start.0))
    }

    /// Returns the paths of all files with late answers, in the order of their names.
    pub(super) fn all_late(&self) -> Vec<PathBuf> {
        let begin = beside(&self.key, &self.prefix());
        let begin = begin.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_late = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with(&begin) && name.ends_with(LATE)
        };
        // Where the folder cannot be read, no worker could have left a file in it.
        let all = std::fs::read_dir(folder_of(&self.key)).into_iter().flatten().flatten();
        let mut late: Vec<PathBuf> = all.map(|file| file.path()).filter(is_late).collect();
        late.sort();
        late
    }

    fn prefix(&self) -> String {
        format!(".{}-", self.ledger.get(..SHORT).unwrap_or(&self.ledger))
    }
}
