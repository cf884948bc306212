//! The traits of a ledger, which each kind of ledger implements.
//!
//! Must hold: each kind passes the suite in `testing/conformance.rs`.
//!
//! Never: names a storage.

use std::collections::BTreeMap;
use std::future::{Future, Pending, pending};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::error::{LedgerError, LedgerName};
use super::nouns::{
    AttemptDetail, FoundRun, OpenRun, OwnAttempt, Purgeable, Purged, Recorded, RunId, RunRef,
    Standing, StartEnd, StartRequest, Unrecorded,
};
use super::record::{
    CallsInTime, FailureCount, PossibleCharge, RunQuery, RunRecord, StartSums, VerdictsOf,
};
use super::status::{ProgressNote, Status};
use super::workers::{Beat, News, Others, Slots, SlotsWish};
use crate::model::attempt::{AttemptId, Batch, PairKey, StartId, WallMs};
use crate::model::class::ResultCode;
use crate::rules::body::BodyKind;
use crate::rules::estimate::History;
use crate::rules::pair_key::PairHasher;
use crate::rules::pair_table::{PairIndex, SortedKeys};
use crate::rules::rate::Remembered;
use crate::rules::vendor_clock::VendorClock;

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

    /// Gives the ledger a sign of life of this worker, and returns its answer, for which it waits
    /// as long as the ledger does not answer. Never called where one process at a time writes
    /// ([`Ledger::lease`] is `None`).
    ///
    /// # Errors
    /// Returns [`LedgerError::Unreachable`] if the ledger did not answer for too long.
    fn beat(
        &mut self,
        beat: Beat,
    ) -> impl Future<Output = Result<News, LedgerError>> + Unpin + 'static {
        let _ = beat;
        let never: Pending<Result<News, LedgerError>> = pending();
        never
    }

    /// Asks for slots of the rate that all workers of the account share. Returns `None` if the
    /// ledger does not answer. Never called where one process at a time writes.
    fn take_slots(
        &mut self,
        wish: SlotsWish,
    ) -> impl Future<Output = Option<Slots>> + Unpin + 'static {
        let _ = wish;
        let never: Pending<Option<Slots>> = pending();
        never
    }

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
/// use ceknik::rules::pair_table::PairTable;
///
/// fn fold(facts: &mut impl Facts, run: RunRef, table: &mut PairTable) -> Result<(), LedgerError> {
///     let keys = table.keys();
///     facts.visit_earlier(&run, &keys, &mut |at, standing| {
///         table.set_version(at, standing.version);
///         if let Some(fact) = standing.end {
///             table.apply_earlier(at, fact.attempt, Some(fact.end));
///         }
///     })?;
///     let RunRef::Open(id) = run else { return Ok(()) };
///     facts.visit_own(id, &keys, &mut |at, own| {
///         if let Some(at) = at {
///             table.settle(at, own.attempt, own.class, own.voided);
///         }
///     })
/// }
/// ```
pub trait Facts {
    /// Finds the run that [`Ledger::open_run`] would continue or begin, or the finished run that is
    /// not to begin anew, without writing.
    fn find_run(&mut self, opening: &StartRequest) -> Result<FoundRun, LedgerError>;

    /// Finds a run that has begun, with its starts. Returns `None` if there is no such run.
    fn find_record(&mut self, wanted: &RunQuery<'_>) -> Result<Option<RunRecord>, LedgerError>;

    /// Visits what [`Self::visit_earlier`] told when the output of this run was made last: facts of
    /// other runs that were recorded later are left out. Of each pair, the latest fact comes last.
    fn visit_earlier_then(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) -> Result<(), LedgerError>;

    /// Visits all attempts whose charge is unknown, in ascending order.
    fn visit_possible(&mut self, visit: &mut dyn FnMut(PossibleCharge)) -> Result<(), LedgerError>;

    /// Visits the standings of these pairs: the facts of other runs that gave a pair an end, the
    /// latest fact of a pair last, and the version of each pair. Pairs without either are left out.
    /// The end may be missing if this run itself gave the pair one.
    fn visit_earlier(
        &mut self,
        run: &RunRef,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) -> Result<(), LedgerError>;

    /// Visits all attempts of this run, in ascending order. The index is `None` if the pair is not
    /// among `keys`. The open attempts of other workers are left out.
    fn visit_own(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(Option<PairIndex>, OwnAttempt),
    ) -> Result<(), LedgerError>;

    /// Returns the details of these attempts, in ascending order of attempt. Attempts without a
    /// settlement are left out.
    fn details(&mut self, attempts: &[AttemptId]) -> Result<Vec<AttemptDetail>, LedgerError>;

    /// Returns the share of charged answers among the latest million attempts. Only attempts
    /// that received a result code count.
    fn history(&mut self) -> Result<History, LedgerError>;

    /// Counts the attempts without a settlement of starts that have not ended. These calls are in
    /// flight, or in doubt if the process of their start is dead.
    fn unsettled(&mut self) -> Result<u64, LedgerError>;

    /// Returns what the latest run of an account has learned of the vendor's limits; `None` if
    /// nothing is stored. Without an account, the latest run of any account counts.
    fn remembered_rate(
        &mut self,
        account: Option<&[u8; 16]>,
    ) -> Result<Option<Remembered>, LedgerError>;

    /// Counts what [`Ledger::purge`] would remove, without writing.
    fn purgeable(&mut self, before: WallMs) -> Result<Purgeable, LedgerError>;
}

/// A ledger that is open for writing. One start at a time writes to a ledger in a file; several
/// workers write to a shared ledger.
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
/// use ceknik::ledger::{
///     self, Facts, FileLocation, Identity, Journal, Ledger, Location, StartRequest, StartRole,
/// };
/// use ceknik::model::attempt::{
///     AttemptId, Batch, Intent, PairKey, PairVersion, Settlement, WallMs,
/// };
/// use ceknik::model::class::{Class, ResultCode};
/// use ceknik::rules::pair_table::{PairIndex, PairTable};
/// # use ceknik::model::{money::Charge, texts::Texts};
///
/// let folder = tempfile::tempdir()?;
/// let (ledger, key) = (folder.path().join("my.ledger"), folder.path().join("my.ledger.key"));
/// let origin = "https://vendor.example:443".to_owned();
/// let location = Location::File(FileLocation { ledger, key, origin });
/// let mut ledger = ledger::open(&location, Duration::ZERO, ceknik::clock::now)?;
/// let at = ceknik::clock::now();
/// let run = ledger.open_run(&StartRequest {
///     identity: Identity { fingerprint: [1; 16], columns: "id=2 name=1".to_owned() },
///     path: [2; 16],
///     label: "customers.csv".to_owned(),
///     account: [3; 16],
///     rows: 1,
///     at,
///     reuse: Duration::from_secs(30 * 86_400),
///     reask_after: Duration::from_secs(86_400),
///     role: StartRole::Begins,
///     is_limited: false,
///     rules: String::new(),
///     notes: Default::default(),
/// })?;
///
/// let (attempt, pair) = (AttemptId::of(run.start, 1), PairKey([4; 16]));
/// let (version, record) = (PairVersion::NONE, 1);
/// let intent = Intent { attempt, pair, version, record, at };
/// let (class, charge) = (Class::Answered(ResultCode::Match), Charge::Charged);
/// let texts = Texts::default();
/// let (http, took_ms) = (Some(200), Some(85));
/// let answer = Settlement { attempt, class, charge, http, took_ms, texts, at };
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
/// ledger.visit_own(run.id, &keys, &mut |at, own| found.push((at, own.class)))?;
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
    fn open_run(&mut self, opening: &StartRequest) -> Result<OpenRun, LedgerError>;

    /// Returns the flag that is set once the user wants to leave at once: a server that does not
    /// answer is no longer waited for. `None` if there is nothing to wait for.
    fn leaving_flag(&self) -> Option<Arc<AtomicBool>> {
        None
    }

    /// Returns the writer of a note that says how far the run is, for [`ShowLedger::status`]. `None`
    /// if the ledger knows it anyway, or the note cannot be written.
    fn progress_note(&self) -> Option<ProgressNote> {
        None
    }

    /// Returns a time of this machine's clock by the clock of the ledger. Only a shared ledger has a
    /// clock of its own.
    fn time_of(&self, here: WallMs) -> WallMs {
        here
    }

    /// Returns the length of a worker's lease; `None` if one process at a time writes.
    fn lease(&self) -> Option<Duration> {
        None
    }

    /// Returns the other workers of this run.
    fn others(&mut self, run: &OpenRun) -> Result<Others, LedgerError> {
        let _ = run;
        Ok(Others::default())
    }

    /// Notes that this worker leaves its run, which it has not finished. Returns the other living
    /// workers that do not leave: if there are none, this one was the last.
    fn leave(&mut self, run: &OpenRun) -> Result<Others, LedgerError> {
        self.others(run)
    }

    /// Begins to read: until [`Self::end_reading`], everything that is read belongs to one moment.
    /// What other workers record meanwhile is not seen.
    fn begin_reading(&mut self) -> Result<(), LedgerError> {
        Ok(())
    }

    /// Ends what [`Self::begin_reading`] began. Does nothing if nothing was begun.
    fn end_reading(&mut self) -> Result<(), LedgerError> {
        Ok(())
    }

    /// Turns the ledger into a journal for the facts of this start.
    ///
    /// # Errors
    /// Returns [`LedgerError::File`] if the writer's thread cannot be started.
    fn into_journal(self, run: &OpenRun) -> Result<Self::Journal, LedgerError>;

    /// Records that the start has ended. Each of its intents must be settled. The run stays open
    /// for another start.
    fn end_start(&mut self, run: &OpenRun, ending: &StartEnd) -> Result<(), LedgerError>;

    /// Records that the start and its run have ended. The output must be in place.
    fn end_run(&mut self, run: &OpenRun, ending: &StartEnd) -> Result<(), LedgerError>;

    /// Returns the body kind that worked last time, if one is stored.
    fn remembered_body(&mut self) -> Result<Option<BodyKind>, LedgerError>;

    /// Stores the body kind that works.
    fn remember_body(&mut self, kind: BodyKind) -> Result<(), LedgerError>;

    /// Stores what a run of this account has learned of the vendor's limits.
    fn remember_rate(
        &mut self,
        account: &[u8; 16],
        remembered: Remembered,
    ) -> Result<(), LedgerError>;

    /// Removes attempts that were settled before `before`, except for doubts and for attempts that
    /// an open run depends on. Either all of these attempts are removed or none. Their daily totals
    /// are kept; days begin at midnight at the given UTC offset.
    fn purge(&mut self, before: WallMs, utc_offset_ms: i64) -> Result<Purged, LedgerError>;
}

/// A ledger that is only read, as the next start would find it.
///
/// # Examples
/// ```
/// # use ceknik::ledger::{self, Facts, FileLocation, Location, Preview};
/// # use ceknik::model::attempt::WallMs;
/// # let folder = tempfile::tempdir()?;
/// # let (ledger, key) = (folder.path().join("my.ledger"), folder.path().join("my.ledger.key"));
/// # let origin = "https://vendor.example:443".to_owned();
/// # let location = Location::File(FileLocation { ledger, key, origin });
/// let unsettled = ledger::preview(&location)?.read(|facts| facts.unsettled())?;
/// assert_eq!(unsettled, None, "there is no ledger yet");
///
/// drop(ledger::open(&location, std::time::Duration::ZERO, ceknik::clock::now)?);
/// let unsettled = ledger::preview(&location)?.read(|facts| facts.unsettled())?;
/// assert_eq!(unsettled, Some(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Preview {
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
        read: impl FnMut(&mut dyn Facts) -> Result<T, E>,
    ) -> Result<Option<T>, E>;
}

/// A ledger that is shown to a person. The remains of a damaged ledger can be shown too: call
/// [`ShowLedger::status`] first, and [`ShowLedger::check_nothing_lost`] afterwards.
///
/// # Errors
/// Each method returns [`LedgerError::Storage`] if the storage cannot be read.
pub trait ShowLedger {
    /// Returns the ledger's name, fit to be shown.
    fn name(&self) -> &LedgerName;

    /// Lets everything that is read from now on belong to one moment, whatever runs write meanwhile.
    fn read_one_moment(&mut self) -> Result<(), LedgerError>;

    /// Returns the ledger's runs, doubts and charges by day. Lists at most `most_doubts` doubts,
    /// the latest first. Days begin at midnight at the given UTC offset.
    fn status(&self, utc_offset_ms: i64, most_doubts: u64) -> Result<Status, LedgerError>;

    /// Returns what is known of the vendor's clock.
    fn vendor_clock(&self) -> Result<VendorClock, LedgerError>;

    /// Returns the record of a run; `None` if there is no such run.
    fn run_record(&self, run: RunId) -> Result<Option<RunRecord>, LedgerError>;

    /// Returns the sums over the attempts of each start of a run.
    fn start_sums(&self, run: RunId) -> Result<BTreeMap<StartId, StartSums>, LedgerError>;

    /// Returns the calls from `from` on, and before `to`. A call is at the time at which it was
    /// answered, or sent if no answer came.
    fn calls(&self, from: WallMs, to: WallMs) -> Result<CallsInTime, LedgerError>;

    /// Returns the origin of the answers: the vendor's address, or `sandbox`.
    fn origin(&self) -> Result<String, LedgerError>;

    /// Returns the numbers of all runs, in ascending order.
    fn run_ids(&self) -> Result<Vec<RunId>, LedgerError>;

    /// Returns the calls of a run by minute, with the times of [`Self::calls`]. Purged calls are left
    /// out.
    fn run_calls(&self, run: RunId) -> Result<CallsInTime, LedgerError>;

    /// Counts the attempts of a run that got no result code, by class.
    fn run_failures(&self, run: RunId) -> Result<Vec<FailureCount>, LedgerError>;

    /// Counts the calls of a run by the milliseconds that they took, in ascending order of the time.
    fn run_latencies(&self, run: RunId) -> Result<Vec<(u32, u64)>, LedgerError>;

    /// Visits results in the order of their attempts.
    fn visit_verdicts(
        &self,
        of: VerdictsOf,
        visit: &mut dyn FnMut(PairKey, ResultCode),
    ) -> Result<(), LedgerError>;

    /// Checks that the ledger contains everything that its witness recorded.
    ///
    /// # Errors
    /// Returns [`LedgerError::Lost`] if facts are missing.
    fn check_nothing_lost(&self) -> Result<(), LedgerError>;
}
