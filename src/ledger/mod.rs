//! The ledger: a durable record of every call that was about to be sent, and of its outcome. Only
//! the ledger decides which pairs have been paid for.
//!
//! Must hold: a fact that was acknowledged survives a power cut. Facts are only ever added, and
//! only [`Ledger::purge`] removes any. [`open`] and [`preview`] refuse a ledger that belongs to
//! another origin or key, or has an unknown version. No fact contains a NIK, a name or a secret.
//!
//! Never: names a storage in a trait. Only [`open`], [`preview`] and [`look`] choose one.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use crate::model::attempt::{AttemptId, Batch, StartId, WallMs};
use crate::model::class::{Class, End};
use crate::model::exit_code::ExitCode;
use crate::model::money::Tally;
use crate::model::texts::Texts;
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

/// Largest number of attempts, counted back from the latest, that [`Facts::history`] reads. More
/// would hardly change the share of charged answers, and a large ledger is not read to its end.
pub const HISTORY: u64 = 1_000_000;
/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;

/// Opens a ledger for writing, and creates it if it does not exist. Attempts that a dead process
/// left without a settlement are settled as in doubt. `now` is called after the lock is taken, and
/// returns the time of these settlements.
///
/// # Errors
/// - [`LedgerError::Locked`] if another process holds the ledger for longer than `lock_wait`.
/// - [`LedgerError::Origin`] or [`LedgerError::Key`] if the ledger belongs to another origin or
///   key, or its key is missing.
/// - [`LedgerError::Version`] if the file is no ledger, or its version or cleaning rules are
///   unknown.
/// - [`LedgerError::Lost`] if the ledger contains fewer facts than its witness recorded.
/// - [`LedgerError::File`] or [`LedgerError::Storage`] if a file cannot be used, or the contents
///   are damaged.
pub fn open<F: FnOnce() -> WallMs>(
    location: &Location,
    lock_wait: Duration,
    now: F,
) -> Result<impl Ledger + use<F>, LedgerError> {
    sqlite::SqliteLedger::open(location, lock_wait, now)
}

/// Reads a ledger as the next start would find it, without taking the lock. Writes nothing. A
/// ledger that does not exist yet is no error: [`Preview::read`] then returns `None`.
///
/// # Errors
/// Returns the errors of [`open`], except for [`LedgerError::Locked`].
pub fn preview(location: &Location) -> Result<impl Preview + use<>, LedgerError> {
    sqlite::SqlitePreview::of(location)
}

/// Opens a ledger to show its contents. Takes no lock, needs no key, and opens a damaged ledger
/// too, as far as it can be read.
///
/// # Errors
/// - [`LedgerError::Missing`] if there is no ledger.
/// - [`LedgerError::Lost`] if there is none, or an empty file, but the witness recorded facts.
/// - [`LedgerError::Version`] if the file is no ledger, or its version is unknown.
/// - [`LedgerError::Storage`] if the file cannot be opened or read.
pub fn look(path: &Path) -> Result<impl Shown + use<>, LedgerError> {
    sqlite::SqliteLedger::look(path)
}

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

/// Description of a start and its input, with which the start opens its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
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
}

/// The run on whose behalf facts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunRef {
    /// The run has not begun.
    New {
        /// The open run of the same path, if any, whose answers the new run will take over.
        takes_over: Option<CutShort>,
    },
    /// The run has begun and is open.
    Open(RunId),
}

/// An open run that a new run takes over: same path, but other bytes or columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutShort {
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
    pub fn to_begin(opening: &Opening, takes_over: Option<CutShort>) -> Self {
        Self {
            run: RunRef::New { takes_over },
            earlier_starts: 0,
            created_at: opening.at,
            answers_since: opening.at.before(opening.reuse),
            reask_since: opening.at.before(opening.reask_after),
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
    /// The run as it was before this start.
    pub found: FoundRun,
}

/// A fact of another run that gave a pair an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// Number of the attempt.
    pub attempt: AttemptId,
    /// End that the attempt gave the pair.
    pub end: End,
    /// Time of the settlement; of the intent, if there is no settlement.
    pub at: WallMs,
    /// True if the run that is reading took over the run of the attempt.
    pub taken_over: bool,
}

/// An attempt of the run that is reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own {
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
pub struct Detail {
    /// Number of the attempt.
    pub attempt: AttemptId,
    /// Class of the settlement.
    pub class: Class,
    /// The vendor's texts.
    pub texts: Texts,
}

/// The end of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Time of the end.
    pub at: WallMs,
    /// Reason for stopping early; `None` if the start reached its end.
    pub stop: Option<&'static str>,
    /// Exit code of the process.
    pub exit: ExitCode,
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
}

/// Confirmation that facts are durable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Attempts whose intents were not granted: another start has the pair, or knows a later fact
    /// about the pair. These attempts must not be sent. A ledger with one writing process at a time
    /// refuses none.
    pub refused: Vec<AttemptId>,
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

/// Records the facts of one start while the start is under way. [`Ledger`] has an example.
pub trait Journal {
    /// The ledger that the journal writes to.
    type Ledger;

    /// Hands over facts, which are durable once the future returns `Ok`. A batch is recorded as a
    /// whole or not at all, except for intents that are refused ([`Recorded::refused`]).
    ///
    /// # Errors
    /// Returns [`Unrecorded`] with the facts if they could not be written.
    fn record(
        &mut self,
        batch: Batch,
    ) -> impl Future<Output = Result<Recorded, Box<Unrecorded>>> + Unpin + 'static;

    /// Waits until everything that was handed over is recorded, and returns the ledger.
    ///
    /// # Errors
    /// Returns [`LedgerError::WriterGone`] if the writer has ended, and the ledger with the writer.
    fn finish(self) -> Result<Self::Ledger, LedgerError>;
}

/// Reads facts. An intent without a settlement is read as a doubt, as the next start will find it.
///
/// # Errors
/// Each method returns [`LedgerError::Storage`] if the storage cannot be read or is damaged.
///
/// # Examples
/// Facts of other runs are folded first, then those of the run itself, which win:
///
/// ```
/// use ceknik::ledger::{Facts, LedgerError, RunRef};
/// use ceknik::rules::pairs::PairTable;
///
/// fn fold(facts: &mut impl Facts, run: RunRef, table: &mut PairTable) -> Result<(), LedgerError> {
///     let keys = table.keys();
///     facts.earlier(&run, &keys, &mut |at, fact| {
///         table.take_earlier(at, fact.attempt, Some(fact.end));
///     })?;
///     let RunRef::Open(id) = run else { return Ok(()) };
///     facts.own(id, &keys, &mut |at, own| {
///         if let Some(at) = at {
///             table.settle(at, own.attempt, own.class, own.voided);
///         }
///     })
/// }
/// ```
pub trait Facts {
    /// Finds the run that [`Ledger::open_run`] would continue or begin, without writing.
    fn find_run(&mut self, opening: &Opening) -> Result<FoundRun, LedgerError>;

    /// Visits the facts of other runs that gave one of these pairs an end, the latest fact of a
    /// pair last. Pairs to which this run itself gave an end may be left out.
    fn earlier(
        &mut self,
        run: &RunRef,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Earlier),
    ) -> Result<(), LedgerError>;

    /// Visits all attempts of this run, in ascending order. The index is `None` if the pair is not
    /// among `keys`.
    fn own(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(Option<PairIndex>, Own),
    ) -> Result<(), LedgerError>;

    /// Returns the share of charged answers among the latest [`HISTORY`] attempts. Only attempts
    /// that received a result code count.
    fn history(&mut self) -> Result<History, LedgerError>;

    /// Counts the attempts without a settlement of starts that have not ended. These calls are in
    /// flight, or in doubt if the process of their start is dead.
    fn unsettled(&mut self) -> Result<u64, LedgerError>;
}

/// A ledger that is open for writing. One start at a time writes to it.
///
/// # Errors
/// Each method returns [`LedgerError::Storage`] if the storage cannot be read or written. The
/// methods that end a start return [`LedgerError::Moved`] if the ledger is no longer at its path.
///
/// # Examples
/// A start records the intent of a call, then the settlement, and reads both back as one attempt:
///
/// ```
/// # use std::time::Duration;
/// use ceknik::ledger::{self, Facts, Identity, Journal, Ledger, Location, Opening};
/// use ceknik::model::attempt::{AttemptId, Batch, Intent, PairKey, Settlement, WallMs};
/// use ceknik::model::class::{Class, ResultCode};
/// use ceknik::rules::pairs::{PairIndex, PairTable};
/// # use ceknik::model::{money::Charge, texts::Texts};
///
/// let folder = tempfile::tempdir()?;
/// let (ledger, key) = (folder.path().join("my.ledger"), folder.path().join("my.ledger.key"));
/// let location = Location { ledger, key, origin: "https://vendor.example:443".to_owned() };
/// let mut ledger = ledger::open(&location, Duration::ZERO, WallMs::now)?;
/// let at = WallMs::now();
/// let run = ledger.open_run(&Opening {
///     identity: Identity { fingerprint: [1; 16], columns: "id=2 name=1".to_owned() },
///     path: [2; 16],
///     label: "customers.csv".to_owned(),
///     account: [3; 16],
///     rows: 1,
///     at,
///     reuse: Duration::from_secs(30 * 86_400),
///     reask_after: Duration::from_secs(86_400),
/// })?;
///
/// let (attempt, pair) = (AttemptId::of(run.start, 1), PairKey([4; 16]));
/// let intent = Intent { attempt, pair, record: 1, at };
/// let (class, charge) = (Class::Answered(ResultCode::Match), Charge::Charged);
/// let texts = Texts::default();
/// let answer = Settlement { attempt, class, charge, http: Some(200), texts, at };
/// let before_the_call = Batch { intents: vec![intent], ..Batch::default() };
/// let after_the_call = Batch { settlements: vec![answer], ..Batch::default() };
/// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// let mut journal = ledger.into_journal(&run)?;
/// for batch in [before_the_call, after_the_call] {
///     runtime.block_on(journal.record(batch)).map_err(|unrecorded| unrecorded.error)?;
/// }
/// let mut ledger = journal.finish()?;
/// let keys = PairTable::new(vec![pair]).keys();
/// let mut found = Vec::new();
/// ledger.own(run.id, &keys, &mut |at, own| found.push((at, own.class)))?;
/// assert_eq!(found, [(Some(PairIndex(0)), class)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Ledger: Facts + Sized {
    /// The journal that records facts while a start is under way.
    type Journal: Journal<Ledger = Self>;

    /// Returns the hasher that makes pair keys and fingerprints under this ledger's key.
    fn hasher(&self) -> PairHasher;

    /// Records a new start of the open run with the same identity, or else of a new run, which
    /// supersedes the open run of the same path.
    fn open_run(&mut self, opening: &Opening) -> Result<OpenRun, LedgerError>;

    /// Turns the ledger into a journal for the facts of this start.
    ///
    /// # Errors
    /// Returns [`LedgerError::File`] if the writer's thread cannot be started.
    fn into_journal(self, run: &OpenRun) -> Result<Self::Journal, LedgerError>;

    /// Returns the details of these attempts, in ascending order of attempt. Attempts without a
    /// settlement are left out.
    fn details(&mut self, attempts: &[AttemptId]) -> Result<Vec<Detail>, LedgerError>;

    /// Records that the start has ended. Each of its intents must be settled. The run stays open
    /// for another start.
    fn end_start(&mut self, run: &OpenRun, ending: &Ending) -> Result<(), LedgerError>;

    /// Records that the start and its run have ended. The output must be in place.
    fn end_run(&mut self, run: &OpenRun, ending: &Ending) -> Result<(), LedgerError>;

    /// Returns the body kind that worked last time, if one is stored.
    fn remembered_body(&mut self) -> Result<Option<BodyKind>, LedgerError>;

    /// Stores the body kind that works.
    fn remember_body(&mut self, kind: BodyKind) -> Result<(), LedgerError>;

    /// Removes attempts that were settled before `before`, except for doubts and for attempts that
    /// an open run depends on. Either all of these attempts are removed or none. Their daily totals
    /// are kept; days begin at midnight at the given UTC offset.
    fn purge(&mut self, before: WallMs, utc_offset_ms: i64) -> Result<Purged, LedgerError>;
}

/// A ledger that is only read, as the next start would find it.
///
/// # Examples
/// ```
/// # use ceknik::ledger::{self, Facts, Location, Preview};
/// # use ceknik::model::attempt::WallMs;
/// # let folder = tempfile::tempdir()?;
/// # let (ledger, key) = (folder.path().join("my.ledger"), folder.path().join("my.ledger.key"));
/// # let location = Location { ledger, key, origin: "https://vendor.example:443".to_owned() };
/// let unsettled = ledger::preview(&location)?.read(|facts| facts.unsettled())?;
/// assert_eq!(unsettled, None, "there is no ledger yet");
///
/// drop(ledger::open(&location, std::time::Duration::ZERO, WallMs::now)?);
/// let unsettled = ledger::preview(&location)?.read(|facts| facts.unsettled())?;
/// assert_eq!(unsettled, Some(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Preview {
    /// Reads the facts of one moment.
    type Facts: Facts;

    /// Returns the hasher that the next start will use. While there is no key yet, the hasher uses
    /// a key of zeros: there are no facts that its hashes could match.
    fn hasher(&self) -> PairHasher;

    /// Calls `read` with the facts of one moment, and returns its result, or `None` if there is no
    /// ledger yet. If a run begins meanwhile and changes the facts, `read` is called a second time,
    /// and its first result is dropped.
    ///
    /// # Errors
    /// Returns the error of `read`, or [`LedgerError`] if the storage cannot be read.
    fn read<T, E: From<LedgerError>>(
        &self,
        read: impl FnMut(&mut Self::Facts) -> Result<T, E>,
    ) -> Result<Option<T>, E>;
}

/// A ledger that is shown to a person. The remains of a damaged ledger can be shown too: call
/// [`Shown::status`] first, and [`Shown::check_whole`] afterwards.
///
/// # Errors
/// Each method returns [`LedgerError::Storage`] if the storage cannot be read.
pub trait Shown {
    /// Returns the ledger's name, fit to be shown.
    fn name(&self) -> &LedgerName;

    /// Returns the ledger's runs, doubts and charges by day. Lists at most `most_doubts` doubts,
    /// the latest first. Days begin at midnight at the given UTC offset.
    fn status(&self, utc_offset_ms: i64, most_doubts: u64) -> Result<Status, LedgerError>;

    /// Checks that the ledger contains everything that its witness recorded.
    ///
    /// # Errors
    /// Returns [`LedgerError::Lost`] if facts are missing.
    fn check_whole(&self) -> Result<(), LedgerError>;
}
