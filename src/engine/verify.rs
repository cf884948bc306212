//! Runs the dispatcher on tokio: waits for calls, commits, rows, signals and the clock.
//!
//! Never: decides anything. It reports events to the dispatcher, and does what the dispatcher
//! wants.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::{Instant, sleep};

use super::dispatcher::{Dispatcher, Event, Hands, NextRow, Turn};
use super::intents::Ticket;
use super::notice::Observer;
use super::work::Candidate;
use super::{Delivery, Rows, Signals};
use crate::api::Verifier;
use crate::clock;
use crate::ledger::{Beat, Journal, LedgerError, News, Recorded, Slots, SlotsWish, Unrecorded};
use crate::model::attempt::Batch;
use crate::model::reply::Reply;
use crate::model::stop::StopReason;

/// Interval at which the progress is shown.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Sends all pairs that have no end yet and fall to this worker, and tells `observer` about it. Ends when each of them has its end or the run is stopped, and all
/// facts are durable (or the ledger refuses them). `start` is the moment from which the dispatcher
/// counts the time. Returns the ledger.
///
/// # Errors
/// [`LedgerError::WriterGone`] if the ledger's writer has ended.
pub async fn verify<V: Verifier, J: Journal>(
    run: &mut Dispatcher,
    verifier: &V,
    journal: J,
    rows: &mut Rows,
    signals: &mut Signals,
    start: Instant,
    observer: &mut impl Observer,
) -> Result<J::Ledger, LedgerError> {
    let feed = Feed { rows, buffer: Vec::new().into_iter(), last: None };
    let flights = FuturesUnordered::new();
    let (commit, beat, slots) = (None, None, None);
    let mut work = TokioHands { verifier, journal, flights, commit, beat, slots, feed };
    let mut shown = Instant::now();
    while let Turn::Wait { until, wants_row } = run.turn(start.elapsed(), clock::now(), &mut work) {
        if shown.elapsed() >= PROGRESS_INTERVAL {
            shown = Instant::now();
            observer.progress(&run.snapshot(start.elapsed()));
        }
        let longest = until.map_or(PROGRESS_INTERVAL, |at| {
            at.saturating_sub(start.elapsed()).min(PROGRESS_INTERVAL)
        });
        let event = work.wait(signals, wants_row, longest).await;
        let (now, wall) = (start.elapsed(), clock::now());
        // Answers that came together are settled together, and before a signal that would abandon
        // their calls.
        while let Some(reply) = work.next_ready_reply() {
            run.on(reply, now, wall, &mut work);
        }
        if let Some(event) = event {
            run.on(event, now, wall, &mut work);
        }
        while let Some(notice) = run.take_notice() {
            observer.notice(notice, now);
        }
    }
    let now = start.elapsed();
    while let Some(notice) = run.take_notice() {
        observer.notice(notice, now);
    }
    observer.progress(&run.snapshot(now));
    let TokioHands { mut journal, flights, .. } = work;
    drop(flights);
    if let Some(beat) = run.last_beat() {
        // Nobody waits for the answer.
        drop(journal.beat(beat));
    }
    journal.finish()
}

type Flight<'a> = Pin<Box<dyn Future<Output = (Ticket, Reply)> + 'a>>;
type Commit = Pin<Box<dyn Future<Output = Result<Recorded, Box<Unrecorded>>>>>;
type Answer = Pin<Box<dyn Future<Output = Result<News, LedgerError>>>>;
type SlotsAnswer = Pin<Box<dyn Future<Output = Option<Slots>>>>;

/// Everything that the loop waits for.
struct TokioHands<'a, V, J> {
    verifier: &'a V,
    journal: J,
    flights: FuturesUnordered<Flight<'a>>,
    commit: Option<Commit>,
    /// The ledger's answer to the beat under way.
    beat: Option<Answer>,
    /// The ledger's answer to the wish for slots under way.
    slots: Option<SlotsAnswer>,
    feed: Feed<'a>,
}

impl<V: Verifier, J: Journal> Hands for TokioHands<'_, V, J> {
    fn send(&mut self, ticket: Ticket) {
        let verifier = self.verifier;
        self.flights.push(Box::pin(async move {
            let reply = verifier.verify(ticket.subject(), ticket.body()).await;
            (ticket, reply)
        }));
    }

    fn record(&mut self, batch: Batch) {
        self.commit = Some(Box::pin(self.journal.record(batch)));
    }

    fn beat(&mut self, beat: Beat) {
        self.beat = Some(Box::pin(self.journal.beat(beat)));
    }

    fn take_slots(&mut self, wish: SlotsWish) {
        self.slots = Some(Box::pin(self.journal.take_slots(wish)));
    }

    fn next_row(&mut self) -> NextRow {
        self.feed.next_row()
    }

    fn abandon(&mut self) {
        self.flights.clear();
    }
}

impl<V: Verifier, J: Journal> TokioHands<'_, V, J> {
    /// Waits for the next event, for at most `longest`. Returns `None` if rows came or the time
    /// passed.
    async fn wait(
        &mut self,
        signals: &mut Signals,
        wants_row: bool,
        longest: Duration,
    ) -> Option<Event> {
        let Self { flights, commit, beat, slots, feed, .. } = self;
        tokio::select! {
            Some((ticket, reply)) = flights.next(), if !flights.is_empty() => {
                Some(Event::Replied(ticket, reply))
            }
            told = poll_fn(|cx| commit.as_mut().map_or(Poll::Pending, |c| c.as_mut().poll(cx))),
                if commit.is_some() =>
            {
                *commit = None;
                Some(Event::Recorded(told))
            }
            heard = poll_fn(|cx| beat.as_mut().map_or(Poll::Pending, |b| b.as_mut().poll(cx))),
                if beat.is_some() =>
            {
                *beat = None;
                Some(Event::Heard(heard))
            }
            told = poll_fn(|cx| slots.as_mut().map_or(Poll::Pending, |s| s.as_mut().poll(cx))),
                if slots.is_some() =>
            {
                *slots = None;
                Some(Event::Slots(told))
            }
            () = feed.fill(), if wants_row && feed.is_empty() => None,
            Some(signal) = signals.recv() => Some(Event::Signal(signal)),
            () = sleep(longest) => None,
        }
    }

    /// Returns an answer that has come already, if there is one.
    fn next_ready_reply(&mut self) -> Option<Event> {
        let came = self.flights.next().now_or_never().flatten();
        came.map(|(ticket, reply)| Event::Replied(ticket, reply))
    }
}

/// Rows on their way from the reader to the dispatcher.
struct Feed<'a> {
    rows: &'a mut Rows,
    buffer: std::vec::IntoIter<Candidate>,
    /// The end of the rows, once it is known: an error is the reason to stop the run.
    last: Option<Result<(), StopReason>>,
}

impl Feed<'_> {
    fn is_empty(&self) -> bool {
        self.buffer.len() == 0 && self.last.is_none()
    }

    fn next_row(&mut self) -> NextRow {
        loop {
            match (self.buffer.next(), self.last) {
                (Some(row), _) => return NextRow::Row(row),
                (None, Some(Ok(()))) => return NextRow::End,
                (None, Some(Err(reason))) => return NextRow::Broken(reason),
                (None, None) => match self.rows.try_recv() {
                    Ok(delivery) => self.take(Some(delivery)),
                    Err(TryRecvError::Empty) => return NextRow::NotYet,
                    Err(TryRecvError::Disconnected) => self.take(None),
                },
            }
        }
    }

    /// Waits until the reader delivers more rows, or ends.
    async fn fill(&mut self) {
        let delivery = self.rows.recv().await;
        self.take(delivery);
    }

    fn take(&mut self, delivery: Option<Delivery>) {
        match delivery {
            Some(Delivery::Rows(rows)) => self.buffer = rows.into_iter(),
            Some(Delivery::End) => self.last = Some(Ok(())),
            Some(Delivery::Failed(reason)) => self.last = Some(Err(reason)),
            None => self.last = Some(Err(StopReason::Defect)),
        }
    }
}
