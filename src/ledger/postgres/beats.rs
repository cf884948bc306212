//! The beats of a worker: a task that gives signs of life over a connection of its own, hears of
//! the other workers, and declares those dead that are silent.
//!
//! Must hold: a beat never waits for a batch or for a long read, because it has another connection.
//! A worker declares another one dead only right after its own beat.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::join;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::access::Access;
use super::batch::id;
use super::error::{failed, unreachable_server};
use super::outage::Outage;
use super::reap::declare_dead_if_silent;
use crate::ledger::observed::{Observed, ObservedBeat};
use crate::ledger::{BEATS_IN_A_LEASE, Beat, LedgerError, News, RunId};
use crate::model::attempt::{StartId, WallMs};

/// The clock that tells the time of facts.
pub(super) type Clock = Arc<dyn Fn() -> WallMs + Send + Sync>;

/// Number of beats that may wait. The dispatcher gives one at a time, and one at the end of a round.
const WAITING: usize = 16;

/// Gives a sign of life.
const BEAT: &str = "UPDATE beats SET number = number + 1, seen_at = clock_timestamp(),
        is_dead = false, rate = $2, left_over = $3
    WHERE start = $1";

/// Reads the workers that have not ended and were not declared dead, the asking one first.
const WORKERS: &str = "SELECT s.id, s.run, s.account = me.account, s.generation, b.rate, b.number,
        s.is_leaving, extract(epoch FROM b.lease)::float8
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

/// The workers that are silent, as the task has observed last.
type Silent = Arc<Mutex<BTreeSet<StartId>>>;

/// A handle of the task. The task ends with its last handle.
#[derive(Clone)]
pub(super) struct Beats {
    give: mpsc::Sender<Given>,
    silent: Silent,
}

impl Beats {
    /// Starts the task.
    pub(super) fn start(access: Arc<Access>, me: Me, patience: Duration, clock: Clock) -> Self {
        let (give, given) = mpsc::channel(WAITING);
        let (client, beat, outage) = (None, Beat::default(), Outage::new(patience));
        let (observed, begun, silent) =
            (Observed::new(me.lease), Instant::now(), Silent::default());
        let shared = Arc::clone(&silent);
        let heart = Heart { access, me, clock, client, beat, outage, observed, begun, silent };
        tokio::spawn(heart.beat_until_the_end(given));
        Self { give, silent: shared }
    }

    /// Checks whether a worker has been silent for a whole lease.
    pub(super) fn is_silent(&self, start: StartId) -> bool {
        self.silent.lock().is_ok_and(|silent| silent.contains(&start))
    }

    /// Gives a beat at once, and returns the future of its answer.
    pub(super) fn give(&self, beat: Beat) -> oneshot::Receiver<Result<News, LedgerError>> {
        let (answer, told) = oneshot::channel();
        // A beat that is not taken drops the sender, which tells that nobody answers.
        let _ = self.give.try_send(Given { beat, answer });
        told
    }
}

/// The state of the task.
struct Heart {
    access: Arc<Access>,
    me: Me,
    clock: Clock,
    client: Option<Client>,
    /// What the worker told last.
    beat: Beat,
    outage: Outage,
    observed: Observed,
    /// Moment from which the time of the observations is counted.
    begun: Instant,
    silent: Silent,
}

impl Heart {
    /// Beats when the worker asks for it, and by itself where the worker is busy otherwise.
    async fn beat_until_the_end(mut self, mut given: mpsc::Receiver<Given>) {
        let interval = self.me.lease / BEATS_IN_A_LEASE;
        let mut waiting = None;
        loop {
            match timeout(interval, given.recv()).await {
                Ok(None) => return,
                Ok(Some(Given { beat, answer })) => (self.beat, waiting) = (beat, Some(answer)),
                Err(_) => {}
            }
            let told = match timeout(self.me.lease / 2, self.beat_once()).await {
                Ok(told) => told,
                Err(_) => Err(unreachable_server(
                    &self.access.name,
                    "it does not answer a sign of life".to_owned(),
                )),
            };
            let told = match told {
                Ok(news) => {
                    self.outage.ends();
                    Ok(news)
                }
                Err(error) => {
                    // Whatever it is, it may pass: a row that is locked, a session that was ended.
                    self.client = None;
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

    async fn beat_once(&mut self) -> Result<News, LedgerError> {
        let Self { access, me, client, observed, begun, silent, .. } = self;
        let client = match client {
            Some(client) => client,
            None => client.insert(access.connect_for_beats().await?),
        };
        let failed = |error| failed(&access.name, "written", &error);
        let left = i64::try_from(self.beat.left).unwrap_or(i64::MAX);
        let of_me: [&(dyn ToSql + Sync); 1] = [&id(me.start)];
        let beat: [&(dyn ToSql + Sync); 3] = [&id(me.start), &self.beat.rate, &left];
        let asked = begun.elapsed();
        let (beaten, workers) =
            join!(biased; client.execute(BEAT, &beat), client.query(WORKERS, &of_me));
        beaten.map_err(failed)?;
        let workers = workers.map_err(failed)?;
        let others = workers.iter().filter(|row| start(row) != me.start);
        let beats = others.map(|row| ObservedBeat {
            start: start(row),
            number: row.get::<_, i64>(5).cast_unsigned(),
            lease: Duration::try_from_secs_f64(row.get(7)).unwrap_or(me.lease),
        });
        let gone = observed.look(beats, asked, begun.elapsed());
        let gone_starts: BTreeSet<StartId> = gone.iter().map(|(start, _)| *start).collect();
        let news = news(*me, &workers, &gone_starts);
        if let Ok(mut silent) = silent.lock() {
            *silent = gone_starts;
        }
        if !gone.is_empty()
            && let Err(error) = declare_dead_if_silent(client, &gone, (self.clock)()).await
        {
            // The beat was answered all the same, and the next one tries again.
            let error = failed(error);
            tracing::warn!(%error, "a silent worker could not be declared dead yet");
            self.client = None;
        }
        Ok(news)
    }
}

/// Returns the start in the first column of a row.
fn start(row: &Row) -> StartId {
    StartId(row.get::<_, i32>(0).cast_unsigned())
}

/// Makes the news for a worker from the rows of [`WORKERS`].
fn news(me: Me, workers: &[Row], silent: &BTreeSet<StartId>) -> News {
    let own = workers.iter().find(|row| start(row) == me.start);
    let living: Vec<&Row> = workers.iter().filter(|row| !silent.contains(&start(row))).collect();
    let run = me.run.0.cast_signed();
    let of_run = living.iter().filter(|row| row.get::<_, i64>(1) == run && !row.get::<_, bool>(6));
    let of_account: Vec<_> = living.iter().filter(|row| row.get::<_, bool>(2)).collect();
    News {
        generation: own.map_or(0, |row| row.get::<_, i32>(3).cast_unsigned()),
        has_ended: own.is_none(),
        members: of_run.map(|row| start(row)).collect(),
        sharers: u32::try_from(of_account.len()).unwrap_or(u32::MAX),
        rate: of_account.iter().filter_map(|row| row.get::<_, Option<f64>>(4)).reduce(f64::min),
    }
}
