//! The place of a ledger: a file, or a server that several machines share.

use std::path::PathBuf;

use super::LedgerName;
pub use super::postgres::SharedLocation;
pub use super::sqlite::FileLocation;

/// Place of a ledger, and the origin that the ledger belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file of SQLite, for one process at a time.
    File(FileLocation),
    /// A schema on a PostgreSQL server.
    Shared(Box<SharedLocation>),
}

impl Location {
    /// Returns the name of the origin from which the answers in the ledger come.
    pub fn origin(&self) -> &str {
        match self {
            Self::File(file) => &file.origin,
            Self::Shared(shared) => &shared.origin,
        }
    }

    /// Returns the name of the ledger, fit to be shown.
    pub fn name(&self) -> LedgerName {
        match self {
            Self::File(file) => LedgerName::of_file(&file.ledger),
            Self::Shared(shared) => shared.url.name(),
        }
    }

    /// Returns the files on this machine that belong to the ledger, each with a description.
    pub fn files(&self) -> Vec<(&'static str, PathBuf)> {
        match self {
            Self::File(file) => file.files().into(),
            Self::Shared(shared) => vec![("ledger's key", shared.key.clone())],
        }
    }
}
