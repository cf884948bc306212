//! Errors of a ledger, each with an exit code.
//!
//! Never: names a type of a storage. The storage's own error is kept as a source.

use std::fmt;
use std::path::{Path, PathBuf};

use super::holder::Holder;
use crate::model::exit_code::ExitCode;
use crate::model::mask::{mask_digits, mask_path};
use crate::model::zone::Zone;

/// Name of a ledger, fit to be shown: digits that may be a NIK are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerName {
    text: String,
    is_shared: bool,
}

impl LedgerName {
    /// Returns the name of a ledger that is kept in a file.
    pub fn of_file(path: &Path) -> Self {
        Self { text: mask_path(path), is_shared: false }
    }

    /// Returns the name of a ledger on a server. `name` contains no user and no password.
    pub(super) fn of_server(name: &str) -> Self {
        Self { text: mask_digits(name).into_owned(), is_shared: true }
    }

    /// Checks whether several machines share the ledger.
    pub const fn is_shared(&self) -> bool {
        self.is_shared
    }
}

impl fmt::Display for LedgerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Describes the holder of a ledger, to follow the ledger's name.
fn by_whom(holder: Option<Holder>) -> String {
    let Some(Holder { process, since }) = holder else { return String::new() };
    format!(": process {process}, since {}", Zone::utc().show(since, "%F %H:%M UTC"))
}

/// An error of the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// No default folder for the ledger is known.
    #[error("no folder for the ledger is known: neither XDG_STATE_HOME nor HOME is set")]
    NoFolder,
    /// Another process holds the lock of the ledger.
    #[error("another command is using the ledger {0}{by}", by = by_whom(*.1))]
    Locked(LedgerName, Option<Holder>),
    /// Another worker of a shared ledger is in the way.
    #[error("the ledger {ledger} {what}")]
    UnderWay {
        /// Name of the ledger.
        ledger: LedgerName,
        /// Description of the worker, which follows the name in the message.
        what: String,
        /// Length of the lease of a worker that may be dead; `None` if it lives.
        may_be_dead: Option<std::time::Duration>,
    },
    /// The ledger belongs to another origin.
    #[error("the ledger {ledger} belongs to {theirs}, not to {ours}")]
    Origin {
        /// Name of the ledger.
        ledger: LedgerName,
        /// Origin that the ledger belongs to.
        theirs: String,
        /// Origin that was expected.
        ours: String,
    },
    /// The key is missing, cannot be parsed or created, or belongs to another ledger.
    #[error("the key file {} {what}", mask_path(.path))]
    Key {
        /// Path of the key file.
        path: PathBuf,
        /// Description of the fault, which follows the path in the message.
        what: String,
    },
    /// The file is no ledger, or its version or its cleaning rules are not those of this program.
    #[error("the ledger {ledger} {what}")]
    Version {
        /// Name of the ledger.
        ledger: LedgerName,
        /// Description of the kind or version, which follows the name in the message.
        what: String,
    },
    /// The ledger contains fewer facts than it did before.
    #[error("the ledger {ledger} {what}")]
    Lost {
        /// Name of the ledger.
        ledger: LedgerName,
        /// Description of the missing facts, which follows the name in the message.
        what: String,
    },
    /// The path no longer names the ledger file that was opened: the file was moved or removed.
    #[error(
        "the ledger {0} is gone from its place: its folder was moved or removed while ceknik wrote to it, so the record \
         of what you paid for is in danger"
    )]
    Moved(LedgerName),
    /// There is no ledger at this path.
    #[error("there is no ledger at {0}")]
    Missing(LedgerName),
    /// The ledger has no open run that a worker could join.
    #[error("the ledger {0} has no open run of this file with the same columns and settings")]
    NothingToJoin(LedgerName),
    /// A file or folder of the ledger cannot be used, or belongs to another user; or the writer's
    /// thread cannot be started.
    #[error("{} cannot be {act}: {source}", mask_path(.path))]
    File {
        /// Path of the file or folder.
        path: PathBuf,
        /// Attempted operation, as a participle: opened, created, synced and so on.
        act: &'static str,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// The storage failed: disk full, damaged, read-only and so on.
    #[error("the ledger could not be {act}: {source}")]
    Storage {
        /// Attempted operation: opened, read or written; used, if it is not known which.
        act: &'static str,
        /// True if the stored facts themselves are damaged, as opposed to a full or failing disk.
        is_damaged: bool,
        /// Error of the storage. Its text contains no stored values.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server of a shared ledger does not answer.
    #[error("the server of the ledger {ledger} cannot be reached: {why}")]
    Unreachable {
        /// Name of the ledger.
        ledger: LedgerName,
        /// Reason, which follows the name in the message.
        why: String,
    },
    /// The server of a shared ledger refuses us, or must not be used.
    #[error("the server of the ledger {ledger} {what}")]
    Refused {
        /// Name of the ledger.
        ledger: LedgerName,
        /// Description of the refusal, which follows the name in the message.
        what: String,
    },
    /// The writer ended early, and took the ledger with it.
    #[error("the part of ceknik that writes the ledger ended early")]
    WriterGone,
}

impl LedgerError {
    /// Returns the exit code of a command that fails with this error.
    pub const fn exit_code(&self) -> ExitCode {
        match self {
            Self::NoFolder | Self::Origin { .. } | Self::Missing(_) | Self::Refused { .. } => {
                ExitCode::Config
            }
            Self::Locked(..) | Self::UnderWay { .. } | Self::NothingToJoin(_) => {
                ExitCode::LedgerBusy
            }
            Self::Key { .. }
            | Self::Version { .. }
            | Self::Lost { .. }
            | Self::Moved(_)
            | Self::File { .. }
            | Self::Storage { .. }
            | Self::Unreachable { .. }
            | Self::WriterGone => ExitCode::Storage,
        }
    }
}
