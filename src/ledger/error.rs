//! The errors of a ledger, with advice for the user.
//!
//! It names no storage's own types: what a storage said is kept as a source.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::model::subject::mask_path;

/// A ledger's name, fit to be shown: what may be a NIK in it is masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerName(String);

impl LedgerName {
    /// The name of a ledger that is kept in a file.
    pub fn of_file(path: &Path) -> Self {
        Self(mask_path(path))
    }
}

impl fmt::Display for LedgerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An error of the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// No place for it is known.
    #[error("no folder for the ledger is known: neither XDG_STATE_HOME nor HOME is set")]
    NoFolder,
    /// Another process holds it.
    #[error("another run holds the ledger {0}")]
    Locked(LedgerName),
    /// It belongs to another origin.
    #[error("the ledger {ledger} belongs to {theirs}, not to {ours}")]
    Origin {
        /// The ledger.
        ledger: LedgerName,
        /// Its origin.
        theirs: String,
        /// Ours.
        ours: String,
    },
    /// Its key is missing, unreadable, or another one.
    #[error("the key file {} {what}", mask_path(.path))]
    Key {
        /// The key file.
        path: PathBuf,
        /// Its fault.
        what: String,
    },
    /// It is of a version, or a kind, that this program does not know.
    #[error("the ledger {ledger} {what}")]
    Version {
        /// The ledger.
        ledger: LedgerName,
        /// Its kind or version.
        what: String,
    },
    /// It holds less than it did.
    #[error("the ledger {ledger} {what}")]
    Lost {
        /// The ledger.
        ledger: LedgerName,
        /// The facts that are gone.
        what: String,
    },
    /// It is no longer where it was when it was opened.
    #[error(
        "the ledger {0} is gone from its place: its folder was moved or removed while ceknik wrote to it, and the record \
         of what was bought is in danger"
    )]
    Moved(LedgerName),
    /// It is not there.
    #[error("there is no ledger at {0}")]
    Missing(LedgerName),
    /// A file or folder of it cannot be used, or is not ours.
    #[error("{} cannot be {act}: {source}", mask_path(.path))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The act that was tried: opened, created …
        act: &'static str,
        /// The system's words.
        source: std::io::Error,
    },
    /// The storage failed: disk full, damaged, read-only.
    #[error("the ledger could not be {act}: {source}")]
    Storage {
        /// The act that was tried: opened, read, written; used, where it may be either.
        act: &'static str,
        /// The stored facts themselves are at fault, not the disk beneath them.
        is_damaged: bool,
        /// The storage's words. They hold no stored values.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The writer is gone.
    #[error("the ledger's writer ended early")]
    WriterGone,
}

impl LedgerError {
    /// The exit code of a run that ends for this.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::NoFolder | Self::Origin { .. } | Self::Missing(_) => 11,
            Self::Locked(_) => 17,
            Self::Key { .. }
            | Self::Version { .. }
            | Self::Lost { .. }
            | Self::Moved(_)
            | Self::File { .. }
            | Self::Storage { .. }
            | Self::WriterGone => 18,
        }
    }

    /// Advice for the user.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Storage { is_damaged: true, .. } => {
                "bring the ledger back from its newest backup, with its .key and .witness; what that \
                 does not hold may have been charged, and would be bought again: ceknik will say so"
            }
            Self::NoFolder => "name a ledger with --ledger FILE",
            Self::Locked(_) => "wait for it to end, or give --lock-wait 10m to wait here",
            Self::Origin { .. } => {
                "each vendor address has a ledger of its own: leave --ledger out, or name another file"
            }
            Self::Key { .. } => {
                "bring the key file back from a backup; without it the stored answers cannot be \
                 told apart, and a new key would buy all of them again"
            }
            Self::Version { .. } => "use the version of ceknik that wrote it, or name another file",
            Self::Lost { .. } => {
                "bring the ledger back from its newest backup, with its -wal, .key and .witness. If \
                 there is none: move the .witness away (to begin anew, the ledger and its .key too), \
                 and know that calls whose facts are gone may have been charged, and are made again"
            }
            Self::Moved(_) => {
                "bring its folder back, with all files in it, before anything is run again: what it holds would be bought \
                 a second time"
            }
            Self::Missing(_) => "the first `ceknik run` makes it; name another with --ledger FILE",
            Self::File { .. } => {
                "look at the file and its folder: what it is, whose, and the free space"
            }
            Self::Storage { .. } | Self::WriterGone => {
                "look at the disk's free space and health; nothing that was recorded is lost, and \
                 the same command goes on from there"
            }
        }
    }
}
