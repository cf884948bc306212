//! A shared ledger on a PostgreSQL server: how it is opened, and the traits of a ledger.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::access::Access;
use super::beats::{Beats, Clock, Me};
use super::error::failed;
use super::facts::{FactThen, is_look_up_faster};
use super::location::SharedLocation;
use super::meta;
use super::purge::OPEN_AND_TAKEN_OVER;
use super::run_record::WantedRun;
use super::runs::Beginning;
use super::session::Session;
use super::worker::Worker;
use crate::ledger::{
    AttemptDetail, Facts, FoundRun, Ledger, LedgerError, LedgerName, OpenRun, Others, OwnAttempt,
    PossibleCharge, Purgeable, Purged, RunId, RunQuery, RunRecord, RunRef, Standing, StartEnd,
    StartRequest, StartRole, key, remembered,
};
use crate::model::attempt::{AttemptId, PairKey, StartId, WallMs};
use crate::rules::body::BodyKind;
use crate::rules::estimate::History;
use crate::rules::pair_key::{PairHasher, truncate};
use crate::rules::pair_table::{PairIndex, SortedKeys};
use crate::rules::rate::Remembered;

/// Interval between two attempts to do what living workers are in the way of.
const POLL: Duration = Duration::from_millis(100);

/// A ledger on a server.
pub(crate) struct PgLedger {
    pub(super) worker: Worker,
    pub(super) name: LedgerName,
    hasher: PairHasher,
    /// Role of this program in the database.
    role: String,
    lease: Duration,
    /// Longest time for which the server is offered facts while it does not answer.
    patience: Duration,
    /// Longest wait for living workers that are in the way.
    lock_wait: Duration,
    now: Clock,
    /// Difference between the clocks of the server and of this machine, in milliseconds.
    pub(super) shift_ms: i64,
    /// The beats of the start that is under way.
    pub(super) beats: Option<Beats>,
    /// True once the user wants to leave at once.
    leaves_at_once: Arc<AtomicBool>,
}

/// The handle through which a start sends batches to the server.
pub(crate) struct PgJournal {
    pub(super) ledger: PgLedger,
}

impl PgLedger {
    /// Opens a ledger for writing. See [`crate::ledger::open`].
    pub(in crate::ledger) fn open(
        location: &SharedLocation,
        lock_wait: Duration,
        now: impl Fn() -> WallMs + Send + Sync + 'static,
    ) -> Result<Self, LedgerError> {
        let ledger = Self::connect(location, true)?;
        ledger.worker.ask(async |session: &mut Session| {
            session.check_rights().await?;
            session.access.warn_if_a_failover_forgets(&session.client).await?;
            session.record_late_files().await?;
            session.check_witnesses().await
        })?;
        Ok(Self { lock_wait, now: Arc::new(now), ..ledger })
    }

    /// Makes the times of all facts those of the server's clock, so that the clocks of several
    /// machines need not agree.
    pub(in crate::ledger) fn keep_server_time(mut self) -> Result<Self, LedgerError> {
        let now = Arc::clone(&self.now);
        let shift = self.worker.ask(async move |session: &mut Session| {
            let clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8";
            let row = session.client.query_one(clock, &[]).await.map_err(session.read_failed())?;
            Ok(row.get::<_, i64>(0) - now().0)
        })?;
        let now = Arc::clone(&self.now);
        self.now = Arc::new(move || WallMs(now().0 + shift));
        self.shift_ms = shift;
        Ok(self)
    }

    /// Returns an opening with its times on the server's clock.
    fn in_server_time(&self, opening: &StartRequest) -> StartRequest {
        let on_server = |at: WallMs| WallMs(at.0 + self.shift_ms);
        let role = match opening.role {
            StartRole::Joins { finished_since } => {
                StartRole::Joins { finished_since: on_server(finished_since) }
            }
            other => other,
        };
        StartRequest { at: on_server(opening.at), role, ..opening.clone() }
    }

    /// Connects to a ledger, and checks that it belongs to the expected origin and key.
    pub(super) fn connect(location: &SharedLocation, writes: bool) -> Result<Self, LedgerError> {
        let access = Access::new(location, writes)?;
        let leaves_at_once = Arc::clone(&access.leaves_at_once);
        let worker = Worker::start(access, location.patience)?;
        let name = location.url.name();
        let (there, ledger) = (location.clone(), name.clone());
        let key = worker.ask(async move |session: &mut Session| {
            meta::check_version(&session.client, &ledger).await?;
            let key = key::read(&there.key)?;
            let key = key.ok_or_else(|| key::missing(&there.key, &ledger))?;
            meta::check_stamps(&session.client, &ledger, &there, &key).await?;
            session.find_files(&there.key).await?;
            Ok(key)
        })?;
        Ok(Self { leaves_at_once, ..Self::new(worker, name, key, location) })
    }

    /// Opens a ledger to show it, without its key. See [`crate::ledger::open_to_show`].
    pub(in crate::ledger) fn open_to_show(location: &SharedLocation) -> Result<Self, LedgerError> {
        let worker = Worker::start(Access::new(location, false)?, location.patience)?;
        let name = location.url.name();
        let (ledger, key) = (name.clone(), location.key.clone());
        worker.ask(async move |session: &mut Session| {
            meta::check_version(&session.client, &ledger).await?;
            session.find_files(&key).await
        })?;
        Ok(Self::new(worker, name, [0; 32], location))
    }

    /// Makes a ledger that has no clock yet. One that is only read needs none.
    fn new(worker: Worker, name: LedgerName, key: [u8; 32], location: &SharedLocation) -> Self {
        let SharedLocation { url, lease, patience, .. } = location;
        let role = url.connection.get_user().unwrap_or_default().to_owned();
        let (lock_wait, hasher, now) =
            (Duration::ZERO, PairHasher::new(key), Arc::new(|| WallMs(0)));
        let (lease, patience) = (*lease, *patience);
        let (shift_ms, beats, leaves_at_once) = (0, None, Arc::default());
        Self {
            worker,
            name,
            hasher,
            role,
            lease,
            patience,
            lock_wait,
            now,
            shift_ms,
            beats,
            leaves_at_once,
        }
    }

    /// Returns the hash that finds the open run of a file that has changed.
    fn lineage(&self, opening: &StartRequest) -> [u8; 16] {
        let mut stream = self.hasher.stream();
        stream.update(b"lineage\0").update(self.role.as_bytes()).update(b"\0");
        truncate(&stream.update(&opening.path).finalize())
    }

    /// Carries out a task that living workers may be in the way of, and waits for them.
    fn ask_until_free<T: Send + 'static>(
        &self,
        act: impl AsyncFn(&mut Session) -> Result<T, LedgerError> + Send + Clone + 'static,
    ) -> Result<T, LedgerError> {
        let begun = Instant::now();
        // A worker that may be dead is observed for a lease, so that it is known.
        let longest = |lease: Option<Duration>| {
            lease.map_or(Duration::ZERO, |lease| lease.max(self.lease) * 5 / 4)
        };
        loop {
            let act = act.clone();
            let told = self.worker.ask(async move |session: &mut Session| act(session).await);
            let may_be_dead = match &told {
                Err(LedgerError::UnderWay { may_be_dead, .. }) => *may_be_dead,
                Err(LedgerError::Locked(..)) => None,
                _ => return told,
            };
            if begun.elapsed() >= self.lock_wait.max(longest(may_be_dead)) {
                return told;
            }
            std::thread::sleep(POLL.min(self.lease / 15));
        }
    }
}

impl Facts for PgLedger {
    fn find_run(&mut self, opening: &StartRequest) -> Result<FoundRun, LedgerError> {
        let (opening, lineage) = (self.in_server_time(opening), self.lineage(opening));
        self.worker
            .ask_patiently(async move |session: &mut Session| session.find(&opening, lineage).await)
    }

    fn find_record(&mut self, wanted: &RunQuery<'_>) -> Result<Option<RunRecord>, LedgerError> {
        let wanted = WantedRun::of(wanted);
        self.worker
            .ask_patiently(async move |session: &mut Session| session.read_record(&wanted).await)
    }

    fn visit_earlier_then(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) -> Result<(), LedgerError> {
        let until = self
            .worker
            .ask_patiently(async move |session: &mut Session| session.read_until_of(run).await)?;
        let Some(until) = until else { return self.visit_earlier(&RunRef::Open(run), keys, visit) };
        let mut latest = BTreeMap::new();
        self.worker.read_rows(
            async move |session, give| session.read_earlier_then(run, until, give).await,
            &mut |(pair, then): (PairKey, FactThen)| {
                if let Some(at) = keys.find(&pair) {
                    let kept = latest.entry(at).or_insert(then);
                    *kept = then.later_of(*kept);
                }
            },
        )?;
        latest.into_iter().for_each(|(at, then)| visit(at, then.fact.into()));
        Ok(())
    }

    fn visit_possible(&mut self, visit: &mut dyn FnMut(PossibleCharge)) -> Result<(), LedgerError> {
        self.worker.read_rows(
            async move |session, give| session.read_possible(give).await,
            &mut |possible| visit(possible),
        )
    }

    fn visit_earlier(
        &mut self,
        run: &RunRef,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) -> Result<(), LedgerError> {
        let pairs =
            self.worker.ask_patiently(async |session: &mut Session| session.pairs_about().await)?;
        let wanted = keys.as_slice();
        let wanted = is_look_up_faster(wanted.len(), pairs)
            .then(|| wanted.iter().map(|key| key.0.to_vec()).collect());
        let run = *run;
        self.worker.read_rows(
            async move |session, give| session.read_standings(run, wanted, give).await,
            &mut |(pair, standing)| {
                if let Some(at) = keys.find(&pair) {
                    visit(at, standing);
                }
            },
        )
    }

    fn visit_own(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(Option<PairIndex>, OwnAttempt),
    ) -> Result<(), LedgerError> {
        self.worker.read_rows(
            async move |session, give| session.read_own(run, give).await,
            &mut |(pair, own)| visit(keys.find(&pair), own),
        )
    }

    fn details(&mut self, attempts: &[AttemptId]) -> Result<Vec<AttemptDetail>, LedgerError> {
        let attempts = attempts.to_vec();
        self.worker
            .ask(async move |session: &mut Session| session.read_details_again(&attempts).await)
    }

    fn history(&mut self) -> Result<History, LedgerError> {
        self.worker.ask_patiently(async |session: &mut Session| session.read_history().await)
    }

    fn unsettled(&mut self) -> Result<u64, LedgerError> {
        self.worker.ask_patiently(async |session: &mut Session| session.count_unsettled().await)
    }

    fn remembered_rate(
        &mut self,
        account: Option<&[u8; 16]>,
    ) -> Result<Option<Remembered>, LedgerError> {
        let name = account.map(remembered::name_of);
        let texts = self.worker.ask_patiently(async move |session: &mut Session| {
            meta::remembered_rates(&session.client, &session.access.name, name.as_deref()).await
        })?;
        Ok(remembered::latest(texts.iter().map(String::as_str)))
    }

    fn purgeable(&mut self, before: WallMs) -> Result<Purgeable, LedgerError> {
        let before = WallMs(before.0 + self.shift_ms);
        self.worker
            .ask_patiently(async move |session: &mut Session| session.count_removable(before).await)
    }
}

impl Ledger for PgLedger {
    type Journal = PgJournal;

    fn hasher(&self) -> PairHasher {
        self.hasher.clone()
    }

    fn open_run(&mut self, opening: &StartRequest) -> Result<OpenRun, LedgerError> {
        let beginning = Beginning {
            opening: self.in_server_time(opening),
            lineage: self.lineage(opening),
            host: host_name(),
            lease: self.lease,
        };
        let run = self.ask_until_free(async move |session: &mut Session| {
            session.once(async |session| session.begin_start(&beginning).await).await
        })?;
        let me = Me { start: run.start, run: run.id, lease: self.lease };
        let (patience, clock) = (self.patience, Arc::clone(&self.now));
        if run.start > StartId(0) {
            self.beats = Some(self.worker.ask(async move |session: &mut Session| {
                let access = Arc::clone(&session.access);
                let beats = Beats::start(access, me, patience, clock);
                session.beats = Some(beats.clone());
                Ok(beats)
            })?);
        }
        Ok(run)
    }

    fn leaving_flag(&self) -> Option<Arc<AtomicBool>> {
        Some(Arc::clone(&self.leaves_at_once))
    }

    fn time_of(&self, here: WallMs) -> WallMs {
        WallMs(here.0 + self.shift_ms)
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.lease)
    }

    fn others(&mut self, run: &OpenRun) -> Result<Others, LedgerError> {
        let run = run.clone();
        self.worker.ask(async move |session: &mut Session| session.look_at_others(&run).await)
    }

    fn leave(&mut self, run: &OpenRun) -> Result<Others, LedgerError> {
        let run = run.clone();
        self.worker
            .ask_patiently(async move |session: &mut Session| session.note_leaving(&run).await)
    }

    fn begin_reading(&mut self) -> Result<(), LedgerError> {
        self.worker.ask_patiently(async |session: &mut Session| session.begin_reading().await)
    }

    fn end_reading(&mut self) -> Result<(), LedgerError> {
        self.worker.ask(async |session: &mut Session| match session.reads_one_moment {
            true => session.once(async |session| session.end_reading().await).await,
            false => Ok(()),
        })
    }

    fn into_journal(self, _: &OpenRun) -> Result<PgJournal, LedgerError> {
        Ok(PgJournal { ledger: self })
    }

    fn end_start(&mut self, run: &OpenRun, ending: &StartEnd) -> Result<(), LedgerError> {
        self.note_ended(run, ending, false)
    }

    fn end_run(&mut self, run: &OpenRun, ending: &StartEnd) -> Result<(), LedgerError> {
        self.note_ended(run, ending, true)
    }

    fn remembered_body(&mut self) -> Result<Option<BodyKind>, LedgerError> {
        let body = self.worker.ask_patiently(async |session: &mut Session| {
            meta::get(&session.client, &session.access.name, "body").await
        })?;
        Ok(body.as_deref().and_then(BodyKind::from_name))
    }

    fn remember_body(&mut self, kind: BodyKind) -> Result<(), LedgerError> {
        self.worker.ask_patiently(async move |session: &mut Session| {
            meta::set(&session.client, &session.access.name, "body", kind.name()).await
        })
    }

    fn remember_rate(&mut self, account: &[u8; 16], rate: Remembered) -> Result<(), LedgerError> {
        let (name, text) = (remembered::name_of(account), remembered::to_text(rate));
        self.worker.ask_patiently(async move |session: &mut Session| {
            meta::set(&session.client, &session.access.name, &name, &text).await
        })
    }

    fn purge(&mut self, before: WallMs, utc_offset_ms: i64) -> Result<Purged, LedgerError> {
        self.purge_except(before, utc_offset_ms, OPEN_AND_TAKEN_OVER)
    }
}

impl PgLedger {
    fn note_ended(
        &mut self,
        run: &OpenRun,
        ending: &StartEnd,
        ends_run: bool,
    ) -> Result<(), LedgerError> {
        let (run, ending) = (run.clone(), ending.clone());
        // The beats end with their last handle.
        self.beats = None;
        self.worker.ask_patiently(async move |session: &mut Session| {
            session.note_ended(&run, &ending, ends_run).await
        })
    }

    /// Removes old attempts of all runs except those that the query `kept_runs` selects.
    pub(super) fn purge_except(
        &mut self,
        before: WallMs,
        utc_offset_ms: i64,
        kept_runs: &'static str,
    ) -> Result<Purged, LedgerError> {
        let now = (self.now)();
        let before = WallMs(before.0 + self.shift_ms);
        self.ask_until_free(async move |session: &mut Session| {
            let (attempts, old) =
                session.remove_before(before, utc_offset_ms, kept_runs, now).await?;
            // Frees the room of the removed rows. They are removed all the same if that fails.
            for table in ["pairs", "intents", "settlements"] {
                let vacuum = session.client.batch_execute(&format!("VACUUM {table}")).await;
                if let Err(error) = vacuum {
                    let error = failed(&session.access.name, "written", &error);
                    tracing::warn!(%error, "the room of the removed rows is not free yet");
                }
            }
            Ok(Purged { attempts, kept: old.saturating_sub(attempts), wiped: true, shrunk: None })
        })
    }
}

/// Returns the name of this machine, by which `status` tells starts apart.
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
