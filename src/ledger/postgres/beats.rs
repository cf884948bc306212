//! The beats of a worker: a task that gives signs of life over a connection of its own, hears of
//! the other workers, and declares those dead that are silent.
//!
//! Must hold: a beat never waits for a batch or for a long read, because it has another connection.
//! A worker declares another one dead only if it has looked at its beats for a whole lease, right
//! after beats of its own.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::join;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{timeout, timeout_at};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row};

use super::access::Access;
use super::batch::id;
use super::codes::class_of;
use super::error::{failed, unreachable_server};
use super::hearsay::{self, Hearsay, hear, tell_source, tell_stop};
use super::outage::Outage;
use super::reap::declare_dead_if_silent;
use super::room;
use super::slots::SlotsTask;
use crate::ledger::codes::codes_of;
use crate::ledger::observed::{Observed, ObservedBeat};
use crate::ledger::{
    BEATS_IN_A_LEASE, Beat, LedgerError, News, RunId, Slots, SlotsWish, SourceNews,
};
use crate::model::attempt::{StartId, WallMs};
use crate::rules::body::BodyKind;
use crate::rules::first_verdicts::{Earliest, FIRST, FirstVerdicts};
use crate::rules::room::{Fellow, Granted, Room, RoomWish, Unheard};

/// The clock that tells the time of facts.
pub(super) type Clock = Arc<dyn Fn() -> WallMs + Send + Sync>;

/// Number of beats that may wait. The dispatcher gives one at a time, and one at the end of a round.
const WAITING: usize = 16;

/// Longest time in which silent workers are declared dead.
const LONGEST_REAP: Duration = Duration::from_secs(600);

/// Gives a sign of life.
const BEAT: &str = "UPDATE beats SET number = number + 1, seen_at = clock_timestamp(),
        is_dead = false, rate = $2, left_over = $3, verdicts = $4, body = $5
    WHERE start = $1";

/// Reads the workers that have not ended and were not declared dead, the asking one first.
const WORKERS: &str = "SELECT s.id, s.run, s.account = me.account, s.generation, b.rate, b.number,
        s.is_leaving, extract(epoch FROM b.lease)::float8, b.left_over, b.body, b.unused
    FROM starts me JOIN starts s ON s.ended_at IS NULL JOIN beats b ON b.start = s.id
    WHERE me.id = $1 AND NOT b.is_dead
    ORDER BY s.id <> me.id, s.id";

/// The worker that beats.
#[derive(Debug, Clone, Copy)]
pub(super) struct Me {
    pub(super) start: StartId,
    pub(super) run: RunId,
    pub(super) lease: Duration,
}

/// A beat that waits for its answer.
struct Given {
    beat: Beat,
    answer: oneshot::Sender<Result<News, LedgerError>>,
}

/// What the task has observed last.
#[derive(Default)]
struct Seen {
    /// The workers that are silent.
    silent: Mutex<BTreeSet<StartId>>,
    /// Number of living workers that use the account.
    sharers: Arc<AtomicUsize>,
    /// The latest start, as far as it was known when this worker found a reason to stop.
    newest: AtomicU32,
}

/// A handle of the task. The task ends with its last handle.
#[derive(Clone)]
pub(super) struct Beats {
    give: mpsc::Sender<Given>,
    slots: SlotsTask,
    seen: Arc<Seen>,
}

impl Beats {
    /// Starts the task.
    pub(super) fn start(access: Arc<Access>, me: Me, patience: Duration, clock: Clock) -> Self {
        let (give, given) = mpsc::channel(WAITING);
        let seen = Arc::new(Seen::default());
        let slots = SlotsTask::start(Arc::clone(&access), me.start, Arc::clone(&seen.sharers));
        let leaves_at_once = Arc::clone(&access.leaves_at_once);
        let heart = Heart {
            access,
            me,
            clock,
            client: None,
            beat: Beat::default(),
            outage: Outage::new(patience, leaves_at_once),
            observed: Observed::new(me.lease),
            begun: Instant::now(),
            seen: Arc::clone(&seen),
            tried: 0,
            has_stopped: false,
            unheard: Unheard::default(),
            reaping: None,
            silent_since: None,
        };
        tokio::spawn(heart.beat_until_the_end(given));
        Self { give, slots, seen }
    }

    /// Checks whether a worker has been silent for a whole lease.
    pub(super) fn is_silent(&self, start: StartId) -> bool {
        self.seen.silent.lock().is_ok_and(|silent| silent.contains(&start))
    }

    /// Returns the latest start, as far as it was known when this worker found a reason to stop.
    pub(super) fn newest(&self) -> StartId {
        StartId(self.seen.newest.load(Ordering::Relaxed))
    }

    /// Gives a beat at once, and returns the future of its answer.
    pub(super) fn give(&self, beat: Beat) -> oneshot::Receiver<Result<News, LedgerError>> {
        let (answer, told) = oneshot::channel();
        // A beat that is not taken drops the sender, which tells that nobody answers.
        let _ = self.give.try_send(Given { beat, answer });
        told
    }

    /// Asks for slots, and returns the future of the answer.
    pub(super) fn take_slots(&self, wish: SlotsWish) -> oneshot::Receiver<Option<Slots>> {
        self.slots.take(wish)
    }
}

/// The state of the task.
struct Heart {
    access: Arc<Access>,
    me: Me,
    clock: Clock,
    client: Option<Client>,
    /// What the worker told last. Changes stay in it until the ledger has answered.
    beat: Beat,
    outage: Outage,
    observed: Observed,
    /// Moment from which the time of the observations is counted.
    begun: Instant,
    seen: Arc<Seen>,
    /// Number of beats that this task has tried.
    tried: i64,
    /// True after this worker has found a reason to stop.
    has_stopped: bool,
    /// Other workers of the run that may have unused room.
    unheard: Unheard,
    /// The task that declares silent workers dead.
    reaping: Option<JoinHandle<()>>,
    /// Moment since which a silent worker has not been declared dead.
    silent_since: Option<Instant>,
}

impl Heart {
    /// Beats when the worker asks for it, and by itself where the worker is busy otherwise.
    async fn beat_until_the_end(mut self, mut given: mpsc::Receiver<Given>) {
        let interval = self.me.lease / BEATS_IN_A_LEASE;
        let (mut waiting, mut beats_at) = (None, Instant::now() + interval);
        loop {
            match timeout_at(beats_at.into(), given.recv()).await {
                Ok(None) => return,
                Ok(Some(Given { beat, answer })) => {
                    (self.beat, waiting) = (beat.with_changes_of(self.beat), Some(answer));
                    self.has_stopped |= beat.stop.is_some();
                }
                Err(_) => {}
            }
            beats_at = Instant::now() + interval;
            let told = match self.beat_in_time().await {
                Ok(news) => {
                    self.outage.ends();
                    self.beat = self.beat.without_changes();
                    Ok(news)
                }
                Err(error) => {
                    // Whatever it is, it may pass: a row that is locked, a session that was ended.
                    self.outage.begins();
                    if !self.outage.is_over() {
                        continue;
                    }
                    Err(error)
                }
            };
            if let Some(answer) = waiting.take() {
                // Nobody waits any more if the round has ended.
                let _ = answer.send(told);
            }
        }
    }

    /// Beats once, within half a lease. Connecting has a bound of its own, which is longer if some
    /// hosts are dead.
    async fn beat_in_time(&mut self) -> Result<News, LedgerError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => self.access.connect_for_beats().await?,
        };
        let why = "it does not answer in time".to_owned();
        let silent = unreachable_server(&self.access.name, why);
        let told = timeout(self.me.lease / 2, self.beat_once(&client)).await;
        let told = told.unwrap_or(Err(silent));
        if told.is_ok() {
            self.client = Some(client);
        }
        told
    }

    async fn beat_once(&mut self, client: &Client) -> Result<News, LedgerError> {
        self.tried += 1;
        let Self { access, me, beat, observed, begun, seen, .. } = self;
        let failed = |error| failed(&access.name, "written", &error);
        let newest = StartId(seen.newest.load(Ordering::Relaxed));
        let left = i64::try_from(beat.left).unwrap_or(i64::MAX);
        let verdicts = i32::try_from(beat.verdicts.recorded).unwrap_or(i32::MAX);
        let body = beat.body.map(BodyKind::name);
        let of_me: [&(dyn ToSql + Sync); 1] = [&id(me.start)];
        let signs: [&(dyn ToSql + Sync); 5] = [&id(me.start), &beat.rate, &left, &verdicts, &body];
        let asked = begun.elapsed();
        let (beaten, told_stop, told_source, heard, workers) = join!(
            biased;
            client.execute(BEAT, &signs),
            tell_stop(client, me.start, beat.stop, newest),
            tell_source(client, me.start, beat.source),
            hear(client, me.start),
            client.query(WORKERS, &of_me)
        );
        beaten.and(told_stop).and(told_source).map_err(failed)?;
        let (heard, workers) = (heard.map_err(failed)?, workers.map_err(failed)?);
        let others = workers.iter().filter(|row| start(row) != me.start);
        let beats = others.map(|row| ObservedBeat {
            start: start(row),
            number: row.get::<_, i64>(5).cast_unsigned(),
            lease: Duration::try_from_secs_f64(row.get(7)).unwrap_or(me.lease),
        });
        let gone = observed.look(beats, asked, begun.elapsed());
        let gone_starts: BTreeSet<StartId> = gone.iter().map(|(start, _)| *start).collect();
        let fellows = Fellows { me: *me, workers: &workers, silent: &gone_starts };
        seen.sharers.store(fellows.of_account().count(), Ordering::Relaxed);
        if let Some(newest) = workers.iter().map(start).max().filter(|_| !self.has_stopped) {
            seen.newest.store(newest.0, Ordering::Relaxed);
        }
        let mut news = fellows.news(heard.as_ref());
        news.room = match beat.room {
            Some(wish) => {
                let told = fellows.fulfil(client, wish, self.tried).await.map_err(failed)?;
                told.map(|told| Room {
                    total: told.room,
                    may_grow: self
                        .unheard
                        .may_grow(wish.max.saturating_sub(told.of_run), &fellows.others_of_run()),
                })
            }
            None => None,
        };
        if beat.verdicts.wants_first && heard.is_some_and(|heard| heard.verdicts >= FIRST as i64) {
            news.verdicts = first_verdicts(client, me.run).await.map_err(failed)?;
        }
        let is_oldest = fellows.living().map(start).min() == Some(me.start);
        if let Ok(mut silent) = seen.silent.lock() {
            *silent = gone_starts;
        }
        self.declare_dead(gone, is_oldest);
        Ok(news)
    }

    /// Lets silent workers be declared dead, over a connection of their own: that may take longer
    /// than a beat. The oldest worker does it at once, and the others if it has not done it soon.
    fn declare_dead(&mut self, gone: Vec<(StartId, u64)>, is_oldest: bool) {
        if gone.is_empty() {
            self.silent_since = None;
            return;
        }
        let since = *self.silent_since.get_or_insert_with(Instant::now);
        let is_late = since.elapsed() >= self.me.lease / 5;
        let is_busy = self.reaping.as_ref().is_some_and(|task| !task.is_finished());
        if is_busy || !(is_oldest || is_late) {
            return;
        }
        let (access, now) = (Arc::clone(&self.access), (self.clock)());
        self.reaping = Some(tokio::spawn(async move {
            let declared = async {
                let client = access.connect().await?;
                let declared = declare_dead_if_silent(&client, &gone, now).await;
                declared.map_err(|error| failed(&access.name, "written", &error))
            };
            let silent = || unreachable_server(&access.name, "it does not answer".to_owned());
            let declared = timeout(LONGEST_REAP, declared).await;
            if let Err(error) = declared.unwrap_or_else(|_| Err(silent())) {
                // The next beat tries again.
                tracing::warn!(%error, "a silent worker could not be declared dead yet");
            }
        }));
    }
}

/// Reads the first verdicts of a run; `None` if they are not all there yet.
async fn first_verdicts(client: &Client, run: RunId) -> Result<Option<FirstVerdicts>, Error> {
    let verdicts = codes_of(FirstVerdicts::is_verdict);
    let rows = client.query(&hearsay::first_verdicts(run, &verdicts, FIRST), &[]).await?;
    let mut earliest = Earliest::default();
    for row in &rows {
        if let Some(class) = class_of(row.get(1)) {
            earliest.answered(WallMs(row.get(0)), class);
        }
    }
    Ok(Some(earliest.counted()).filter(|verdicts| verdicts.are_in()))
}

/// Returns the start in the first column of a row.
fn start(row: &Row) -> StartId {
    StartId(row.get::<_, i32>(0).cast_unsigned())
}

/// The workers that a worker has read: the rows of [`WORKERS`].
struct Fellows<'a> {
    me: Me,
    workers: &'a [Row],
    silent: &'a BTreeSet<StartId>,
}

impl Fellows<'_> {
    fn living(&self) -> impl Iterator<Item = &Row> {
        self.workers.iter().filter(|row| !self.silent.contains(&start(row)))
    }

    fn of_account(&self) -> impl Iterator<Item = &Row> {
        self.living().filter(|row| row.get::<_, bool>(2))
    }

    /// Returns the workers of the run that have not ended. The silent ones are among them.
    fn of_run(&self) -> impl Iterator<Item = &Row> {
        let run = self.me.run.0.cast_signed();
        self.workers.iter().filter(move |row| row.get::<_, i64>(1) == run)
    }

    fn news(&self, heard: Option<&Hearsay>) -> News {
        let own = self.workers.iter().find(|row| start(row) == self.me.start);
        let members = self
            .of_run()
            .filter(|row| !self.silent.contains(&start(row)) && !row.get::<_, bool>(6))
            .map(start);
        // The oldest worker that has something to send tries whether the source answers again.
        let has_left = |row: &&Row| row.get::<_, i64>(8) > 0;
        let prober = self.of_account().filter(has_left).map(start).min();
        let pause = heard.map_or(0.0, |heard| heard.pause);
        let others = self.of_account().filter(|row| start(row) != self.me.start);
        News {
            generation: own.map_or(0, |row| row.get::<_, i32>(3).cast_unsigned()),
            has_ended: own.is_none(),
            members: members.collect(),
            rate: others.filter_map(|row| row.get::<_, Option<f64>>(4)).reduce(f64::min),
            workers: self.of_account().count() as u32,
            pause: Duration::try_from_secs_f64(pause).unwrap_or_default(),
            source: SourceNews {
                is_down: heard.is_some_and(|heard| heard.is_source_down),
                is_prober: prober.is_none_or(|prober| prober == self.me.start),
            },
            stop: heard.and_then(|heard| heard.stop),
            body: self.living().find_map(|row| BodyKind::from_name(row.get::<_, Option<&str>>(9)?)),
            verdicts: None,
            room: None,
        }
    }

    /// Fulfils the wish of this worker for room.
    async fn fulfil(
        &self,
        client: &Client,
        wish: RoomWish,
        number: i64,
    ) -> Result<Option<Granted>, Error> {
        let (Me { start, run, .. }, workers) = (self.me, self.of_run().count() as u64);
        room::fulfil(client, &room::Asked { start, run, wish, number, workers }).await
    }

    /// Returns the other workers of the run that were not declared dead.
    fn others_of_run(&self) -> Vec<Fellow> {
        let others = self.of_run().filter(|row| start(row) != self.me.start);
        let fellow = |row: &Row| Fellow {
            start: start(row),
            beats: row.get::<_, i64>(5).cast_unsigned(),
            unused: row.get::<_, i64>(10).cast_unsigned(),
        };
        others.map(fellow).collect()
    }
}
