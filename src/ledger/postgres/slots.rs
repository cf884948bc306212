//! The slots of a rate that all workers of an account share: each wish moves the next free slot of
//! the account on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};

use super::access::Access;
use super::batch::id;
use super::error::failed;
use crate::ledger::{LedgerError, Slots, SlotsWish};
use crate::model::attempt::StartId;

/// Takes slots, or begins a pause. `$2` is the time that the slots take, `$3` the time for which
/// all have to pause from now on, and `$4` how far ahead the next free slot may be: a clock of the
/// server that is set back must not hold the workers.
const TAKE: &str = "UPDATE pace p SET
        paused_until = CASE WHEN $3::float8 > 0
            THEN greatest(p.paused_until, clock_timestamp() + make_interval(secs => $3))
            ELSE p.paused_until END,
        next_slot = CASE WHEN $2::float8 > 0 AND p.paused_until <= clock_timestamp()
            THEN least(greatest(p.next_slot, clock_timestamp()),
                clock_timestamp() + make_interval(secs => $4)) + make_interval(secs => $2)
            ELSE p.next_slot END
    FROM starts me WHERE me.id = $1 AND p.account = me.account
    RETURNING extract(epoch FROM p.paused_until - clock_timestamp())::float8,
        extract(epoch FROM p.next_slot - make_interval(secs => $2) - clock_timestamp())::float8";

/// Shortest time by which the next free slot may be ahead.
const LEAST_AHEAD: f64 = 10.0;
/// Number of slots that each worker may have ahead at any rate.
const AHEAD: f64 = 16.0;

/// Number of wishes that may wait. The dispatcher makes one at a time.
const WAITING: usize = 4;
/// Longest time for one wish.
const LONGEST: Duration = Duration::from_secs(2);

/// A wish that waits for its answer.
struct Wish {
    wish: SlotsWish,
    answer: oneshot::Sender<Option<Slots>>,
}

/// A handle of the task that takes slots. It has a connection of its own, so that no wish waits for
/// a beat. The task ends with its last handle.
#[derive(Clone)]
pub(super) struct SlotsTask(mpsc::Sender<Wish>);

impl SlotsTask {
    /// Starts the task. `workers` is the number of workers that use the account.
    pub(super) fn start(access: Arc<Access>, start: StartId, workers: Arc<AtomicUsize>) -> Self {
        let (give, given) = mpsc::channel(WAITING);
        tokio::spawn(answer_wishes(access, start, workers, given));
        Self(give)
    }

    /// Makes a wish, and returns the future of its answer.
    pub(super) fn take(&self, wish: SlotsWish) -> oneshot::Receiver<Option<Slots>> {
        let (answer, told) = oneshot::channel();
        // A wish that is not taken drops the sender, which tells that nobody answers.
        let _ = self.0.try_send(Wish { wish, answer });
        told
    }
}

async fn answer_wishes(
    access: Arc<Access>,
    start: StartId,
    workers: Arc<AtomicUsize>,
    mut given: mpsc::Receiver<Wish>,
) {
    let mut line = None;
    while let Some(Wish { wish, answer }) = given.recv().await {
        let workers = workers.load(Ordering::Relaxed);
        // Connecting takes longer than a wish may take if some hosts are dead.
        let connected = match line.take() {
            Some(connected) => Ok(connected),
            None => connect(&access).await,
        };
        let mut told = None;
        if let Ok((client, statement)) = connected {
            let taken = take(&client, &statement, start, wish, workers);
            told = timeout(LONGEST, taken).await.ok().and_then(Result::ok).flatten();
            line = told.map(|_| (client, statement));
        }
        // Nobody waits any more if the round has ended.
        let _ = answer.send(told);
    }
}

/// Connects, and prepares the statement.
async fn connect(access: &Access) -> Result<(Client, Statement), LedgerError> {
    let client = access.connect_for_beats().await?;
    let statement = client.prepare(TAKE).await;
    let statement = statement.map_err(|error| failed(&access.name, "opened", &error))?;
    Ok((client, statement))
}

/// Takes slots for a worker.
async fn take(
    client: &Client,
    statement: &Statement,
    start: StartId,
    wish: SlotsWish,
    workers: usize,
) -> Result<Option<Slots>, Error> {
    let span = f64::from(wish.calls) / wish.rate;
    let pause = wish.pause.map_or(0.0, |pause| pause.as_secs_f64());
    let ahead = LEAST_AHEAD.max(AHEAD * workers.max(1) as f64 / wish.rate) + span;
    let values: [&(dyn ToSql + Sync); 4] = [&id(start), &span, &pause, &ahead];
    let row = client.query_opt(statement, &values).await?;
    Ok(row.map(|row| {
        let (paused, first): (f64, f64) = (row.get(0), row.get(1));
        let time = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        match time(paused) {
            Duration::ZERO if wish.calls > 0 => Slots::From(time(first)),
            paused => Slots::Paused(paused),
        }
    }))
}
