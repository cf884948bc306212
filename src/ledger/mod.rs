//! The ledger: durable facts, and nothing else decides what was paid.
//!
//! Must hold: a fact that was acknowledged survives a power cut; facts are only ever added; a
//! ledger of another origin, key or version is refused. No fact holds a NIK, a name or a secret.
//!
//! The traits speak of facts, runs and starts, and of no storage. `sqlite` keeps a ledger in one
//! file. [`open`], [`preview`] and [`look`] alone choose what a ledger is kept in.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use crate::model::attempt::{AttemptId, Batch, StartId, WallMs};
use crate::model::class::{Class, End};
use crate::model::money::Tally;
use crate::model::reply::Texts;
use crate::rules::body::BodyKind;
use crate::rules::estimate::History;
use crate::rules::pair::PairHasher;
use crate::rules::pairs::{PairIndex, SortedKeys};

mod error;
mod sqlite;
mod status;
#[cfg(test)]
pub(crate) mod testing;

pub use error::{LedgerError, LedgerName};
pub use sqlite::Location;
pub use status::{DayTotal, Doubt, RunLine, Status};

/// The number of the latest attempts that the history of charges rests on: a share needs no more, and a large ledger is not
/// read to its end.
pub const HISTORY: u64 = 1_000_000;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Opens a ledger to write, making it where there is none. Settles as in doubt what dead starts left in flight. `now`
/// is asked once nobody else can write.
///
/// # Errors
/// [`LedgerError`]: held by another process, of another origin, key or version, or unusable.
pub fn open<F: FnOnce() -> WallMs>(
    location: &Location,
    lock_wait: Duration,
    now: F,
) -> Result<impl Ledger + use<F>, LedgerError> {
    sqlite::SqliteLedger::open(location, lock_wait, now)
}

/// Looks at a ledger as the next start would find it, and refuses what a start refuses. Writes nothing.
///
/// # Errors
/// [`LedgerError`]: of another origin, key or version, or unusable. That there is none yet is no error.
pub fn preview(location: &Location) -> Result<impl Preview + use<>, LedgerError> {
    sqlite::SqlitePreview::of(location)
}

/// Opens a ledger to show what is in it. Takes no lock, needs no key, and shows a damaged ledger too.
///
/// # Errors
/// [`LedgerError`]: not there, of another version, or unusable.
pub fn look(path: &Path) -> Result<impl Shown + use<>, LedgerError> {
    sqlite::SqliteLedger::look(path)
}

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

/// The run that a reader of facts belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunRef {
    /// It is not begun. When it is, it takes over the answers of the open run of the same path.
    New {
        /// That run, if there is one.
        takes_over: Option<CutShort>,
    },
    /// It is open.
    Open(RunId),
}

/// An open run of the same path, whose bytes or columns were others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutShort {
    /// Its number.
    pub run: RunId,
    /// True if the file has other bytes now; else it is only read in another way.
    pub file_changed: bool,
    /// Its costs.
    pub tally: Tally,
}

/// A run as a start finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRun {
    /// The run's number.
    pub run: RunRef,
    /// The number of starts it had before.
    pub earlier_starts: u64,
    /// When it first started.
    pub created_at: WallMs,
    /// Answers younger than this are reused; fixed at the first start.
    pub answers_since: WallMs,
    /// "not sure" and "failed" younger than this are not asked again; fixed at the first start.
    pub reask_since: WallMs,
}

impl FoundRun {
    /// The run that would begin with this opening.
    pub fn to_begin(opening: &Opening, takes_over: Option<CutShort>) -> Self {
        Self {
            run: RunRef::New { takes_over },
            earlier_starts: 0,
            created_at: opening.at,
            answers_since: opening.at.before(opening.reuse),
            reask_since: opening.at.before(opening.reask_after),
        }
    }

    /// True if an earlier start of this run, or of one that it takes over, may have written an output.
    pub const fn had_starts(&self) -> bool {
        self.earlier_starts > 0 || matches!(self.run, RunRef::New { takes_over: Some(_) })
    }
}

/// A run with a start of it that is under way: who may record its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// The run.
    pub id: RunId,
    /// The start: its attempts bear its number.
    pub start: StartId,
    /// The run as it was before this start.
    pub found: FoundRun,
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
    /// Its class.
    pub class: Class,
    /// When it was settled.
    pub at: WallMs,
    /// Whether it is a refusal that no longer counts.
    pub voided: bool,
}

/// A settled attempt with its texts, still concealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its class.
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

/// The result of a purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Attempts removed.
    pub attempts: u64,
    /// Attempts as old that were kept: in doubt, or of an open run.
    pub kept: u64,
    /// True if what is removed is gone from the files too. A reader holds it there, until the next purge or run folds it in.
    pub wiped: bool,
}

/// Facts that are durable now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Attempts whose intents were not granted: another start has the pair, or knows more of it. They must not be
    /// sent. A ledger that one process at a time writes refuses none.
    pub refused: Vec<AttemptId>,
}

/// Facts that could not be made durable, handed back: an answer among them may have been paid for.
#[derive(Debug)]
pub struct Unrecorded {
    /// Why.
    pub error: LedgerError,
    /// The facts; empty where the writer took them with it.
    pub batch: Batch,
}

/// Takes facts of one start while it is under way.
pub trait Journal {
    /// What runs and facts are kept in.
    type Ledger;

    /// Hands facts over; they are durable when the future says so. All of a batch, or nothing, but for the intents
    /// that are refused.
    fn record(
        &mut self,
        batch: Batch,
    ) -> impl Future<Output = Result<Recorded, Box<Unrecorded>>> + Unpin + 'static;

    /// Waits for what was handed over and gives the ledger back.
    ///
    /// # Errors
    /// [`LedgerError`] where the writer is gone.
    fn finish(self) -> Result<Self::Ledger, LedgerError>;
}

/// Reads facts. An intent without a settlement is read as a doubt: so the next start will find it.
///
/// Each method fails with [`LedgerError`] where the storage cannot be read, or is damaged.
pub trait Facts {
    /// The run that [`Ledger::open_run`] would go on with or begin, found without writing.
    fn find_run(&mut self, opening: &Opening) -> Result<FoundRun, LedgerError>;

    /// The facts of other runs that gave one of these pairs an end, the latest of a pair last. A pair that this run's
    /// own facts end may be left out.
    fn earlier(
        &mut self,
        run: &RunRef,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Earlier),
    ) -> Result<(), LedgerError>;

    /// All settled attempts of this run, in their order.
    fn own(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(Option<PairIndex>, Own),
    ) -> Result<(), LedgerError>;

    /// The share of its latest answers that the vendor charged: of the latest [`HISTORY`] attempts, those that drew a
    /// result code.
    fn history(&mut self) -> Result<History, LedgerError>;

    /// Calls of starts that have not ended which have no answer: in flight, or in doubt if their process is dead.
    fn unsettled(&mut self) -> Result<u64, LedgerError>;
}

/// Runs and facts, to be written by one start at a time.
///
/// Each method fails with [`LedgerError`] where the storage cannot be used.
pub trait Ledger: Facts + Sized {
    /// Takes facts while a start is under way.
    type Journal: Journal<Ledger = Self>;

    /// Makes pair keys and fingerprints under this ledger's key.
    fn hasher(&self) -> PairHasher;

    /// Begins a run, or goes on with the open one of the same identity: a new start of it.
    fn open_run(&mut self, opening: &Opening) -> Result<OpenRun, LedgerError>;

    /// Begins to take facts of this start.
    fn into_journal(self, run: &OpenRun) -> Result<Self::Journal, LedgerError>;

    /// The details of these attempts, in rising order of attempt; those not there are left out.
    fn details(&mut self, attempts: &[AttemptId]) -> Result<Vec<Detail>, LedgerError>;

    /// The start has ended, each of its intents settled; the run goes on another time.
    fn end_start(&mut self, run: &OpenRun, ending: &Ending) -> Result<(), LedgerError>;

    /// The run has ended: its output is in place.
    fn end_run(&mut self, run: &OpenRun, ending: &Ending) -> Result<(), LedgerError>;

    /// The body kind that worked last time.
    fn remembered_body(&mut self) -> Result<Option<BodyKind>, LedgerError>;

    /// Remembers the body kind that works.
    fn remember_body(&mut self, kind: BodyKind) -> Result<(), LedgerError>;

    /// Removes the answers that came before `before`, but for doubts and what open runs rest on; on an error, nothing.
    /// The totals of their days stay; days are those of the offset.
    fn purge(&mut self, before: WallMs, utc_offset_ms: i64) -> Result<Purged, LedgerError>;
}

/// A ledger that is only read, as the next start would find it.
pub trait Preview {
    /// The facts of one moment.
    type Facts: Facts;

    /// Makes pair keys and fingerprints as the next start will.
    fn hasher(&self) -> PairHasher;

    /// Reads the facts of one moment; `None` where there are none. `read` may be called twice, where a run that began
    /// meanwhile changed them: what it returned the first time is dropped.
    ///
    /// # Errors
    /// The error of `read`, and [`LedgerError`] where the storage cannot be read.
    fn read<T, E: From<LedgerError>>(
        &self,
        read: impl FnMut(&mut Self::Facts) -> Result<T, E>,
    ) -> Result<Option<T>, E>;
}

/// A ledger that is shown to a person.
///
/// Each method fails with [`LedgerError`] where the storage cannot be read.
pub trait Shown {
    /// Its name.
    fn name(&self) -> &LedgerName;

    /// Its runs, doubts and charges by day; lists at most so many doubts.
    fn status(&self, utc_offset_ms: i64, most_doubts: u64) -> Result<Status, LedgerError>;

    /// Refuses a ledger that holds less than it did.
    fn check_whole(&self) -> Result<(), LedgerError>;
}
