//! The beats of a worker: a task that gives signs of life over a connection of its own, hears of
//! the other workers, and declares those dead that are silent.
//!
//! Must hold: a beat never waits for a batch or for a long read, because it has another connection.
//! A worker declares another one dead only right after its own beat.

use std::sync::Arc;
use std::time::Duration;

use tokio::join;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_postgres::{Client, Row};

use super::access::Access;
use super::batch::id;
use super::error::{failed, is_temporary, unreachable_server};
use super::outage::Outage;
use super::reap::reap_silent_workers;
use crate::ledger::{BEATS_IN_A_LEASE, Beat, LedgerError, News, RunId};
use crate::model::attempt::{StartId, WallMs};

/// The clock that tells the time of facts.
pub(super) type Clock = Arc<dyn Fn() -> WallMs + Send + Sync>;

/// Number of beats that may wait. The dispatcher gives one at a time.
const WAITING: usize = 4;

/// Gives a sign of life. A worker that was silent for a while has not been alive for a whole lease.
const BEAT: &str = "UPDATE beats SET
        since = CASE WHEN seen_at < clock_timestamp() - lease / 5 THEN clock_timestamp() ELSE since END,
        seen_at = clock_timestamp(), rate = $2, left_over = $3
    WHERE start = $1";

/// Reads the workers that have not ended: the living ones, and those that are to be declared dead.
/// The first one is the asking worker.
const WORKERS: &str = "SELECT s.id, s.run, s.account = me.account, s.generation, b.rate,
        b.seen_at >= clock_timestamp() - b.lease AS lives
    FROM starts me JOIN starts s ON s.ended_at IS NULL JOIN beats b ON b.start = s.id
    WHERE me.id = $1 AND (s.id = me.id OR b.seen_at >= clock_timestamp() - b.lease
        OR s.reaped_at IS NULL OR s.reaped_at < b.seen_at)
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

/// The handle of the task. The task ends with its handle.
pub(super) struct Beats {
    give: mpsc::Sender<Given>,
}

impl Beats {
    /// Starts the task.
    pub(super) fn start(access: Arc<Access>, me: Me, patience: Duration, clock: Clock) -> Self {
        let (give, given) = mpsc::channel(WAITING);
        let (client, beat, outage) = (None, Beat::default(), Outage::new(patience));
        let heart = Heart { access, me, clock, client, beat, outage };
        tokio::spawn(heart.beat_until_the_end(given));
        Self { give }
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
                Err(LedgerError::Locked(_)) => continue,
                Err(error) => {
                    self.client = None;
                    self.outage.begins();
                    if is_temporary(&error) && !self.outage.is_over() {
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
        let Self { access, me, client, .. } = self;
        let client = match client {
            Some(client) => client,
            None => client.insert(access.connect_for_beats().await?),
        };
        let failed = |error| failed(&access.name, "written", &error);
        let left = i64::try_from(self.beat.left).unwrap_or(i64::MAX);
        let me_id = id(me.start);
        let (rate, of_me): (_, [&(dyn tokio_postgres::types::ToSql + Sync); 1]) =
            (self.beat.rate, [&me_id]);
        let beat: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&me_id, &rate, &left];
        let (beaten, workers) =
            join!(biased; client.execute(BEAT, &beat), client.query(WORKERS, &of_me));
        beaten.map_err(failed)?;
        let workers = workers.map_err(failed)?;
        let is_silent = |row: &Row| !row.get::<_, bool>(5) && row.get::<_, i32>(0) != me_id;
        if workers.iter().any(is_silent) {
            reap_silent_workers(client, me.start, (self.clock)()).await.map_err(failed)?;
        }
        Ok(news(*me, &workers))
    }
}

/// Makes the news for a worker from the rows of [`WORKERS`].
fn news(me: Me, workers: &[Row]) -> News {
    let start = |row: &Row| StartId(row.get::<_, i32>(0).cast_unsigned());
    let own = workers.iter().find(|row| start(row) == me.start);
    let living: Vec<&Row> =
        workers.iter().filter(|row| row.get::<_, bool>(5) || start(row) == me.start).collect();
    let run = me.run.0.cast_signed();
    let of_run = living.iter().filter(|row| row.get::<_, i64>(1) == run);
    let of_account: Vec<_> = living.iter().filter(|row| row.get::<_, bool>(2)).collect();
    News {
        generation: own.map_or(0, |row| row.get::<_, i32>(3).cast_unsigned()),
        has_ended: own.is_none(),
        members: of_run.map(|row| start(row)).collect(),
        sharers: u32::try_from(of_account.len()).unwrap_or(u32::MAX),
        rate: of_account.iter().filter_map(|row| row.get::<_, Option<f64>>(4)).reduce(f64::min),
    }
}
