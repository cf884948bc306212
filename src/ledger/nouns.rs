//! The nouns of a ledger: runs, starts and facts, as the traits pass them.

use std::time::Duration;

use super::error::LedgerError;
use crate::model::attempt::{AttemptId, Batch, PairVersion, StartId, WallMs};
use crate::model::class::{Class, End};
use crate::model::exit_code::ExitCode;
use crate::model::money::Tally;
use crate::model::texts::Texts;

/// Largest number of attempts, counted back from the latest, that `Facts::history` reads. More
/// would hardly change the share of charged answers, and a large ledger is not read to its end.
pub(crate) const HISTORY: u64 = 1_000_000;
/// Milliseconds in a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// Number of a run in its ledger, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// Properties of the input that identify a run, together with the ledger's origin. A start whose
/// identity equals that of an open run continues that run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Keyed hash of the input's bytes.
    pub fingerprint: [u8; 16],
    /// The chosen columns, and everything else that decides how the bytes are read.
    pub columns: String,
}

/// Text between the columns of an identity and the hash of the name given with `--once`.
const NAME: &str = " once=";

impl Identity {
    /// Returns the identity of a run that has this hash of a name. Such a run is not begun anew.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { columns: self.columns + NAME + name, ..self }
    }

    /// Checks whether this is the identity of a run that `wanted` means: the same one, or one that has a
    /// name if `wanted` has none.
    pub(crate) fn is_of(&self, wanted: &Self) -> bool {
        self.fingerprint == wanted.fingerprint
            && (self.columns == wanted.columns || self.columns.starts_with(&wanted.with_any_name()))
    }

    /// Returns the beginning of the columns of all named runs that have this identity otherwise.
    pub(crate) fn with_any_name(&self) -> String {
        self.columns.clone() + NAME
    }
}

/// Notes that a start makes of itself when it begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StartNotes {
    /// Settings that were in effect, as JSON.
    pub settings: String,
    /// Result of the survey, with its findings, as JSON.
    pub survey: String,
    /// Version of the program.
    pub version: String,
    /// Person or account that ran the program.
    pub operator: String,
    /// SHA-256 of the input's bytes as they are in the file, in hexadecimal.
    pub input_sha256: String,
}

/// Description of a start and its input, with which the start opens its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartRequest {
    /// Identity of the run.
    pub identity: Identity,
    /// Keyed hash of the input's path. Finds the open run of a file that has changed.
    pub path: [u8; 16],
    /// Name of the input in `status`. The caller masks digits that may be a NIK.
    pub label: String,
    /// Keyed hash of the account's id.
    pub account: [u8; 16],
    /// Number of rows in the input.
    pub rows: u64,
    /// Time of the opening.
    pub at: WallMs,
    /// Greatest age of an answer that is reused. Only the first start of a run sets this age.
    pub reuse: Duration,
    /// Age from which a "not sure" or "failed" answer is asked for again. Only the first start of a
    /// run sets this age.
    pub reask_after: Duration,
    /// Role of the start: what it may do if the run has not begun, or has finished.
    pub role: StartRole,
    /// True if the start keeps to a budget, which it shares with the other workers of its run.
    pub is_limited: bool,
    /// Rules that decide whether a pair is done, in words of this program. All workers of a run on a
    /// shared ledger have the same.
    pub rules: String,
    /// Notes that the start makes of itself.
    pub notes: StartNotes,
}

/// Role of a start in its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartRole {
    /// It begins the run, and a finished run anew.
    Begins,
    /// It begins the run, and leaves a finished run as it is. The name of the run is part of the
    /// identity.
    BeginsOnce,
    /// It only helps a run that another worker has begun. Only on a shared ledger.
    Joins {
        /// Time since when a run must have finished to count as the one that was to be helped.
        finished_since: WallMs,
    },
}

impl StartRole {
    /// Returns the time since when a finished run counts as the run of the start; `None` if it is
    /// begun anew.
    pub const fn counts_finished_since(self) -> Option<WallMs> {
        match self {
            Self::Begins => None,
            Self::BeginsOnce => Some(WallMs(0)),
            Self::Joins { finished_since } => Some(finished_since),
        }
    }

    /// Checks whether the start only helps a run that another worker has begun.
    pub const fn joins(self) -> bool {
        matches!(self, Self::Joins { .. })
    }
}

/// The run on whose behalf facts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunRef {
    /// The run has not begun.
    New {
        /// The open run of the same path, if any, whose answers the new run will take over.
        takes_over: Option<SupersededRun>,
    },
    /// The run has begun and is open.
    Open(RunId),
    /// The run has finished, and its name says that it is not to begin anew.
    Finished {
        /// Number of the run.
        run: RunId,
        /// Exit code with which the run finished.
        exit: ExitCode,
    },
}

impl RunRef {
    /// Returns the number of the run, if it has begun.
    pub const fn begun(&self) -> Option<RunId> {
        match self {
            Self::New { .. } => None,
            Self::Open(id) | Self::Finished { run: id, .. } => Some(*id),
        }
    }

    /// Returns the reference to a finished run from its stored exit code. A run finishes with
    /// exit code 0 or 3 only.
    pub(super) const fn finished(run: RunId, exit: Option<u8>) -> Self {
        Self::Finished { run, exit: Self::exit_of_finished(exit) }
    }

    /// Returns the exit code of a finished run from its stored form.
    pub(super) const fn exit_of_finished(exit: Option<u8>) -> ExitCode {
        match exit {
            Some(0) => ExitCode::Complete,
            _ => ExitCode::SomeWithoutVerdict,
        }
    }
}

/// An open run that a new run takes over: same path, but other bytes or columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SupersededRun {
    /// Number of the open run.
    pub run: RunId,
    /// True if the file's bytes have changed; false if only the way of reading them has.
    pub file_changed: bool,
    /// Costs of the open run. Attempts without a settlement count as in doubt.
    pub tally: Tally,
}

/// A run as a start finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRun {
    /// Number of the run; for a run that has not begun, the run that it takes over.
    pub run: RunRef,
    /// Number of earlier starts of this run.
    pub earlier_starts: u64,
    /// Time of the first start.
    pub created_at: WallMs,
    /// Time from which answers are young enough to be reused. Fixed at the first start.
    pub answers_since: WallMs,
    /// Time from which "not sure" and "failed" answers are young enough not to be asked for again.
    /// Fixed at the first start.
    pub reask_since: WallMs,
}

impl FoundRun {
    /// Returns the run that would begin with this opening.
    pub fn new_run(opening: &StartRequest, takes_over: Option<SupersededRun>) -> Self {
        Self {
            run: RunRef::New { takes_over },
            earlier_starts: 0,
            created_at: opening.at,
            answers_since: opening.at.before(opening.reuse),
            reask_since: opening.at.before(opening.reask_after),
        }
    }

    /// Returns the number of starts of this run, the one under way included. A finished run gets no
    /// further start.
    pub const fn starts(&self) -> u64 {
        match self.run {
            RunRef::Finished { .. } => self.earlier_starts,
            RunRef::New { .. } | RunRef::Open(_) => self.earlier_starts + 1,
        }
    }

    /// Checks whether an earlier start of this run, or of a run that it takes over, may have
    /// written an output.
    pub const fn had_starts(&self) -> bool {
        self.earlier_starts > 0 || matches!(self.run, RunRef::New { takes_over: Some(_) })
    }
}

/// A run with a start under way, which may record facts of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// Number of the run.
    pub id: RunId,
    /// Number of the start, which is part of the number of each of its attempts.
    pub start: StartId,
    /// Time at which the start began, by the clock of the ledger.
    pub began_at: WallMs,
    /// The run as it was before this start.
    pub found: FoundRun,
}

/// A fact of another run that gave a pair an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlierFact {
    /// Number of the attempt.
    pub attempt: AttemptId,
    /// End that the attempt gave the pair.
    pub end: End,
    /// Time of the settlement; of the intent, if there is no settlement.
    pub at: WallMs,
    /// True if the run that is reading took over the run of the attempt.
    pub taken_over: bool,
}

/// The state of a pair in the ledger, apart from the run that is reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Version of the pair, which the intent of the next call must name.
    pub version: PairVersion,
    /// True if another worker has an open attempt of the pair.
    pub is_open: bool,
    /// Latest fact of another run that gave the pair an end, if there is one.
    pub end: Option<EarlierFact>,
}

impl From<EarlierFact> for Standing {
    /// Returns the standing of a pair in a ledger that keeps no versions.
    fn from(fact: EarlierFact) -> Self {
        Self { version: PairVersion::NONE, is_open: false, end: Some(fact) }
    }
}

/// An attempt of the run that is reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnAttempt {
    /// Number of the attempt.
    pub attempt: AttemptId,
    /// Class of the settlement; in doubt, if there is no settlement.
    pub class: Class,
    /// Time of the settlement; of the intent, if there is no settlement.
    pub at: WallMs,
    /// True if the attempt is a refusal that no longer counts.
    pub voided: bool,
}

/// A settled attempt with the vendor's texts, in which placeholders replace NIK and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptDetail {
    /// Number of the attempt.
    pub attempt: AttemptId,
    /// Class of the settlement.
    pub class: Class,
    /// The vendor's texts.
    pub texts: Texts,
}

/// The end of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartEnd {
    /// Time of the end, by the clock of the ledger ([`super::Ledger::time_of`]).
    pub at: WallMs,
    /// Reason for stopping early; `None` if the start reached its end.
    pub stop: Option<&'static str>,
    /// Exit code of the process.
    pub exit: ExitCode,
    /// Path of the output, masked, if the start wrote one to a file.
    pub output: Option<String>,
    /// Summary of the start as JSON.
    pub summary: Option<String>,
}

/// What a purge would remove now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purgeable {
    /// Number of attempts that would be removed.
    pub attempts: u64,
    /// Number of those that were charged: a later run may buy them again.
    pub charged: u64,
    /// Number of attempts of the same age that would be kept.
    pub kept: u64,
}

/// The result of a purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Number of attempts that were removed.
    pub attempts: u64,
    /// Number of attempts of the same age that were kept, because they are in doubt or because an
    /// open run depends on them.
    pub kept: u64,
    /// True if the removed facts are gone from the ledger's files too. A process that reads the
    /// ledger prevents this: then the facts stay in the files until the next purge or run.
    pub wiped: bool,
    /// Sizes of the ledger's file before and after it was made as small as possible, in bytes;
    /// `None` if it keeps its size.
    pub shrunk: Option<(u64, u64)>,
}

/// Confirmation that facts are durable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Attempts whose intents were not granted: another start has the pair, or knows a later fact
    /// about the pair. These attempts must not be sent. A ledger with one writing process at a time
    /// refuses none.
    pub refused: Vec<AttemptId>,
    /// True if this worker was declared dead before the batch came, so that none of its intents is
    /// granted. Its settlements are recorded all the same.
    pub was_fenced: bool,
    /// True if the ledger holds this start for ended, so that no intent of it is granted any more.
    /// Its settlements are recorded all the same.
    pub taken_over: bool,
}

/// Facts that could not be made durable, and are handed back: an answer among them may have been
/// paid for.
#[derive(Debug)]
pub struct Unrecorded {
    /// Cause of the failure.
    pub error: LedgerError,
    /// The facts. Empty if they were lost with the writer ([`LedgerError::WriterGone`]). Without
    /// the settlements if these could still be written to a ledger that was moved
    /// ([`LedgerError::Moved`]).
    pub batch: Batch,
}
