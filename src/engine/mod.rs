//! The engine: rows in, facts out, one owner of all state.
//!
//! [`verify`] drives the [`Dispatcher`]: it feeds it rows, makes its facts durable, sends the calls
//! that it permits, and tells it what came back. All waiting is here; all decisions are there.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::api::Verifier;
use crate::ledger::{Journal, LedgerError, Unrecorded};
use crate::model::attempt::WallMs;
use crate::model::stop::{Signal, StopReason};
use crate::rules::body::BodyTrial;
use crate::rules::breaker::BreakerPolicy;
use crate::rules::retry::{RetryPolicy, Tick};
use crate::rules::throttle::ThrottlePolicy;

mod dispatcher;
mod gate;
mod report;
mod settle;
#[cfg(test)]
mod tests;
mod work;

pub use dispatcher::{Dispatcher, Outcome};
pub use gate::Gate;
pub use report::{Pause, Snapshot, Stats};
pub use work::{Candidate, Ticket};

/// How often the progress is shown.
const GLIMPSE: Duration = Duration::from_millis(200);

/// How a run is to go.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most calls in flight.
    pub concurrency: usize,
    /// When rows are asked again.
    pub retry: RetryPolicy,
    /// What is done when the source is down.
    pub breaker: BreakerPolicy,
    /// The rate, and what is done when it was too high.
    pub throttle: ThrottlePolicy,
    /// Confirmed and possible charges of the run, at the most.
    pub max_charges: Option<u64>,
    /// Calls of this start, at the most.
    pub max_calls: Option<u64>,
    /// The run stops where more of its first verdicts than this share, in percent, are mismatches.
    pub most_mismatches: Option<u8>,
    /// Nothing is started after this.
    pub deadline: Option<Tick>,
    /// The same on the wall clock: a machine may sleep, and its clock be set.
    pub deadline_at: Option<WallMs>,
    /// What is known of the body kind.
    pub body: BodyTrial,
    /// Of the jitter.
    pub seed: u64,
}

/// Rows as they are read, in their order; `None` when the input turned out not to be what was
/// surveyed.
pub type Rows = mpsc::Receiver<Option<Vec<Candidate>>>;

/// Signals that ask to stop: the first drains, the second stops at once.
pub type Signals = mpsc::Receiver<Signal>;

/// What [`verify`] leaves behind.
pub struct Verified<L> {
    /// The run's state.
    pub outcome: Outcome,
    /// The ledger, if its writer gave it back.
    pub ledger: Result<L, LedgerError>,
    /// Why facts could not be recorded, if so.
    pub failure: Option<LedgerError>,
}

/// Sends what is not known. Ends when every pair has its end, or the run is stopped, and all facts
/// are durable (or the ledger refuses them).
pub async fn verify<V: Verifier, J: Journal>(
    mut run: Dispatcher,
    verifier: &V,
    mut journal: J,
    rows: &mut Rows,
    signals: &mut Signals,
    mut glimpse: impl FnMut(&Snapshot),
) -> Verified<J::Ledger> {
    let start = Instant::now();
    let mut feed = Feed { rows, buffer: Vec::new().into_iter(), changed: false };
    let (mut flights, mut commit) = (FuturesUnordered::new(), None);
    let (mut failure, mut interrupted) = (None, false);
    let mut shown = start;
    loop {
        let (now, wall) = (start.elapsed(), WallMs::now());
        run.advance(now, wall);
        // Sends come first: each makes room for one more intent.
        while let Some(ticket) = run.next_send(now) {
            // Boxed: the client's future is large, and would be moved about.
            flights.push(Box::pin(send(verifier, ticket)));
        }
        feed.give(&mut run);
        while run.plan(now, wall) && feed.give(&mut run) {}
        if commit.is_none() {
            commit = run.take_batch().map(|batch| journal.record(batch));
        }
        if shown.elapsed() >= GLIMPSE {
            shown = Instant::now();
            glimpse(&run.snapshot(now));
        }
        if run.is_done() {
            break;
        }
        let wake = run.wake_at(now).map_or(GLIMPSE, |at| (at - now).min(GLIMPSE));
        tokio::select! {
            Some((ticket, reply)) = flights.next(), if !flights.is_empty() => {
                let (now, wall) = (start.elapsed(), WallMs::now());
                run.replied(ticket, reply, now, wall);
                while let Some((ticket, reply)) = ready(flights.next()).await {
                    run.replied(ticket, reply, now, wall);
                }
            }
            told = wait(&mut commit), if commit.is_some() => {
                commit = None;
                match told {
                    Ok(()) => run.committed(),
                    Err(refused) => {
                        let Unrecorded { error, batch } = *refused;
                        // Answers are offered once more; a ledger that refuses them again is left.
                        let again = failure.replace(error).is_some();
                        run.not_committed(batch);
                        if again && flights.is_empty() {
                            break;
                        }
                    }
                }
            }
            () = feed.fill(), if feed.is_empty() && run.wants_row() => {}
            Some(signal) = signals.recv() => {
                if std::mem::replace(&mut interrupted, true) {
                    flights.clear();
                    run.abandon(WallMs::now());
                }
                run.stop(StopReason::Interrupted(signal));
            }
            () = tokio::time::sleep(wake) => {}
        }
    }
    glimpse(&run.snapshot(start.elapsed()));
    drop(flights);
    Verified { outcome: run.into_outcome(), ledger: journal.finish(), failure }
}

/// Sends one call.
async fn send<V: Verifier>(verifier: &V, ticket: Ticket) -> (Ticket, crate::model::reply::Reply) {
    let reply = verifier.verify(ticket.subject(), ticket.body()).await;
    (ticket, reply)
}

/// Waits for a commit that is under way.
async fn wait<C: Future + Unpin>(commit: &mut Option<C>) -> C::Output {
    match commit {
        Some(commit) => commit.await,
        None => std::future::pending().await,
    }
}

/// What a stream has ready now, without waiting: answers that came together settle together.
async fn ready<T>(next: impl Future<Output = Option<T>>) -> Option<T> {
    let mut next = pin!(next);
    std::future::poll_fn(|cx| match next.as_mut().poll(cx) {
        std::task::Poll::Ready(item) => std::task::Poll::Ready(item),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

/// Rows on their way from the reader to the dispatcher.
struct Feed<'a> {
    rows: &'a mut Rows,
    buffer: std::vec::IntoIter<Candidate>,
    /// The reader said that the input is another one now.
    changed: bool,
}

impl Feed<'_> {
    fn is_empty(&self) -> bool {
        self.buffer.len() == 0 && !self.changed
    }

    /// Gives rows as long as they are wanted and at hand. True when it gave one that is to be sent.
    fn give(&mut self, run: &mut Dispatcher) -> bool {
        while run.wants_row() {
            match self.buffer.next() {
                Some(row) => run.offer(row),
                None if self.changed => run.stop(StopReason::InputChanged),
                None => match self.rows.try_recv() {
                    Ok(rows) => self.take(rows),
                    Err(mpsc::error::TryRecvError::Empty) => return false,
                    Err(mpsc::error::TryRecvError::Disconnected) => run.rows_ended(),
                },
            }
        }
        run.has_row()
    }

    /// Waits until the reader has more, or is done.
    async fn fill(&mut self) {
        if let Some(rows) = self.rows.recv().await {
            self.take(rows);
        }
    }

    fn take(&mut self, rows: Option<Vec<Candidate>>) {
        match rows {
            Some(rows) => self.buffer = rows.into_iter(),
            None => self.changed = true,
        }
    }
}
