//! The ledger: durable facts, and nothing else decides what was paid.
//!
//! What must hold: a fact that was acknowledged survives a power cut; facts are only ever added;
//! one process at a time writes; a ledger of another origin, key or version is refused. No fact
//! holds a NIK, a name or a secret.
//!
//! The traits speak of facts and runs, not of SQL: a ledger shared by several machines can follow.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::attempt::{AttemptId, Batch, WallMs};
use crate::model::class::{Class, End};
use crate::model::money::Tally;
use crate::model::reply::Texts;
use crate::model::subject::mask_path;
use crate::rules::body::BodyKind;
use crate::rules::pairs::{PairIndex, SortedKeys};

mod facts;
mod files;
mod journal;
mod key;
mod lock;
mod preview;
mod purge;
mod runs;
mod sqlite;
mod status;
mod sums;
#[cfg(test)]
mod tests;
mod witness;

pub use journal::SqliteJournal;
pub use lock::Lock;
pub use preview::{Preview, Snapshot};
pub use purge::Purged;
pub use sqlite::{Location, SqliteLedger};
pub use status::{DayTotal, Doubt, HISTORY, RunLine, Status};

/// A run's number in its ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// What makes a run the same run: with the ledger's own origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Keyed hash of the input's bytes.
    pub fingerprint: [u8; 16],
    /// How the input was read: the chosen columns.
    pub columns: String,
}

/// What a start brings to its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Which run it is.
    pub identity: Identity,
    /// Keyed hash of the input's path: finds the open run of a file that changed.
    pub path: [u8; 16],
    /// What `status` calls the input; digits that may be a NIK are masked by the caller.
    pub label: String,
    /// Keyed hash of the account's id.
    pub account: [u8; 16],
    /// Rows of the input.
    pub rows: u64,
    /// Now.
    pub at: WallMs,
    /// How old a reused answer may be, for a new run.
    pub reuse: Duration,
    /// How young a "not sure" or "failed" is not asked again, for a new run.
    pub reask_after: Duration,
}

/// A run that has begun or goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// Its number; 0 while it is not begun.
    pub id: RunId,
    /// How many starts it had before this one.
    pub earlier_starts: u64,
    /// When it first started.
    pub created_at: WallMs,
    /// Answers younger than this are reused; fixed at the first start.
    pub answers_since: WallMs,
    /// "not sure" and "failed" younger than this are not asked again; fixed at the first start.
    pub reask_since: WallMs,
    /// The open run of the same path that this one took over.
    pub superseded: Option<RunId>,
    /// What is told of that one, at the first start of this.
    pub cut_short: Option<CutShort>,
    /// The number of the next attempt.
    pub next_attempt: AttemptId,
}

/// An open run that is superseded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutShort {
    /// Whether the file has other bytes now; else it is only read in another way.
    pub file_changed: bool,
    /// What it has cost.
    pub tally: Tally,
}

/// The latest fact of an earlier run that gave a pair an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// Its attempt.
    pub attempt: AttemptId,
    /// The end it gave.
    pub end: End,
    /// When.
    pub at: WallMs,
    /// Whether its run was taken over by this one.
    pub taken_over: bool,
}

/// A settled attempt of this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own {
    /// The attempt.
    pub attempt: AttemptId,
    /// What it drew.
    pub class: Class,
    /// When it was settled.
    pub at: WallMs,
    /// Whether it is a refusal that no longer counts.
    pub voided: bool,
}

/// What a settled attempt drew, with its texts, still concealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The attempt.
    pub attempt: AttemptId,
    /// What kind of reply.
    pub class: Class,
    /// The vendor's texts.
    pub texts: Texts,
}

/// How a start ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: WallMs,
    /// Why it stopped; `None`: it came to its end.
    pub stop: Option<&'static str>,
    /// With which exit code.
    pub exit: u8,
}

/// Facts that could not be made durable, handed back: an answer among them may have been paid for.
#[derive(Debug)]
pub struct Unrecorded {
    /// Why.
    pub error: LedgerError,
    /// The facts; empty where the writer took them with it.
    pub batch: Batch,
}

impl Unrecorded {
    fn writer_gone() -> Box<Self> {
        Box::new(Self { error: LedgerError::WriterGone, batch: Batch::default() })
    }
}

/// Takes facts while a run is under way.
pub trait Journal {
    /// What runs and facts are kept in.
    type Ledger;

    /// Hands facts over; they are durable when the future says so. All of a batch, or nothing.
    fn record(
        &mut self,
        batch: Batch,
    ) -> impl Future<Output = Result<(), Box<Unrecorded>>> + Unpin + 'static;

    /// Waits for what was handed over and gives the ledger back.
    ///
    /// # Errors
    /// [`LedgerError`] where the writer is gone.
    fn finish(self) -> Result<Self::Ledger, LedgerError>;
}

/// What is known, to be read.
pub trait Facts {
    /// The facts of other runs that gave one of these pairs an end, the latest of a pair last.
    ///
    /// # Errors
    /// [`LedgerError`] of the storage; so for all that follow.
    fn earlier(
        &mut self,
        run: &OpenRun,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Earlier),
    ) -> Result<(), LedgerError>;

    /// All settled attempts of this run, in their order.
    fn own(
        &mut self,
        run: &OpenRun,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(Option<PairIndex>, Own),
    ) -> Result<(), LedgerError>;
}

/// Runs and facts.
pub trait Ledger: Facts + Sized {
    /// Takes facts while a run is under way.
    type Journal: Journal<Ledger = Self>;

    /// The run that [`Ledger::open_run`] would give, found without writing: of a new one the number is 0.
    ///
    /// # Errors
    /// [`LedgerError`] of the storage; so for all that follow.
    fn find_run(&mut self, opening: &Opening) -> Result<OpenRun, LedgerError>;

    /// Begins a run, or goes on with the open one of the same identity.
    fn open_run(&mut self, opening: &Opening) -> Result<OpenRun, LedgerError>;

    /// Begins to take facts of this run.
    fn into_journal(self, run: &OpenRun) -> Result<Self::Journal, LedgerError>;

    /// The details of these attempts, in rising order of attempt; those not there are left out.
    fn details(&mut self, attempts: &[AttemptId]) -> Result<Vec<Detail>, LedgerError>;

    /// The start has ended; the run goes on another time.
    fn end_start(&mut self, run: &OpenRun, ending: &Ending) -> Result<(), LedgerError>;

    /// The run has ended: its output is in place.
    fn end_run(&mut self, run: &OpenRun, ending: &Ending) -> Result<(), LedgerError>;

    /// The body kind that worked last time.
    fn remembered_body(&mut self) -> Result<Option<BodyKind>, LedgerError>;

    /// Remembers the body kind that works.
    fn remember_body(&mut self, kind: BodyKind) -> Result<(), LedgerError>;
}

/// Why the ledger cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// No place for it is known.
    #[error("no folder for the ledger is known: neither XDG_STATE_HOME nor HOME is set")]
    NoFolder,
    /// Another process holds it.
    #[error("another run holds the ledger {}", mask_path(.0))]
    Locked(PathBuf),
    /// It belongs to another origin.
    #[error("the ledger {} belongs to {theirs}, not to {ours}", mask_path(.path))]
    Origin {
        /// The ledger.
        path: PathBuf,
        /// Whose it is.
        theirs: String,
        /// Who we are.
        ours: String,
    },
    /// Its key is missing, unreadable, or another one.
    #[error("the key file {} {what}", mask_path(.path))]
    Key {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// It is of a version, or a kind, that this program does not know.
    #[error("the ledger {} {what}", mask_path(.path))]
    Version {
        /// The ledger.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// It holds less than it did.
    #[error("the ledger {} {what}", mask_path(.path))]
    Lost {
        /// The ledger.
        path: PathBuf,
        /// What is gone.
        what: String,
    },
    /// It is not there.
    #[error("there is no ledger at {}", mask_path(.0))]
    Missing(PathBuf),
    /// A file or folder of it cannot be used, or is not ours.
    #[error("{} cannot be {act}: {source}", mask_path(.path))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: opened, created …
        act: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The storage failed: disk full, damaged, read-only.
    #[error("the ledger could not be {act}: {source}")]
    Storage {
        /// What was tried: read, written.
        act: &'static str,
        /// What SQLite said. Its messages hold no stored values.
        source: rusqlite::Error,
    },
    /// The writer thread is gone.
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
            | Self::File { .. }
            | Self::Storage { .. }
            | Self::WriterGone => 18,
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Storage { source, .. } if is_damage(source) => {
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

/// Whether the file itself is at fault, not the disk beneath it.
fn is_damage(source: &rusqlite::Error) -> bool {
    source.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt)
}
