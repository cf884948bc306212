//! Tests of the asynchronous loop, with a paused clock, a vendor of futures and a journal in
//! memory.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::story::{candidate, deadline_after, ms, options, secs};
use super::vendor::{Answer, CUT, Call, MATCH};
use crate::api::Verifier;
use crate::engine::{
    Delivery, Dispatcher, EngineOptions, Notice, Observer, RunState, Snapshot, verify,
};
use crate::ledger::{Journal, LedgerError, Recorded, Unrecorded};
use crate::model::attempt::{Batch, StartId, Tick};
use crate::model::reply::Reply;
use crate::model::stop::{Signal, StopReason};
use crate::model::subject::Subject;
use crate::rules::body::BodyKind;
use crate::rules::pair_table::PairTable;
use crate::rules::tally::RunTotals;
use crate::rules::testing::key;

/// A vendor that answers after a delay, and counts the calls that are open at once.
struct Vendor<F> {
    act: F,
    start: Instant,
    open: Cell<usize>,
    most_open: Cell<usize>,
}

impl<F: Fn(&Call) -> Answer> Verifier for Vendor<F> {
    async fn verify(&self, subject: &Subject, body: BodyKind) -> Reply {
        let pair = subject.nik.number() % 100_000_000;
        let Answer { reply, after, .. } =
            (self.act)(&Call { pair, nth: 1, body, at: self.start.elapsed() });
        self.open.set(self.open.get() + 1);
        self.most_open.set(self.most_open.get().max(self.open.get()));
        sleep(after).await;
        self.open.set(self.open.get() - 1);
        reply
    }
}

/// A journal in memory. From the commit with the number `fails_from` on, it refuses all facts.
struct Memory {
    facts: Rc<RefCell<Vec<Batch>>>,
    takes: Duration,
    fails_from: usize,
    commits: usize,
}

type Commit = Pin<Box<dyn Future<Output = Result<Recorded, Box<Unrecorded>>>>>;

impl Journal for Memory {
    type Ledger = usize;

    fn record(
        &mut self,
        batch: Batch,
    ) -> impl Future<Output = Result<Recorded, Box<Unrecorded>>> + Unpin + 'static {
        self.commits += 1;
        let fails = self.commits >= self.fails_from;
        let (facts, takes) = (Rc::clone(&self.facts), self.takes);
        let commit: Commit = Box::pin(async move {
            sleep(takes).await;
            if fails {
                return Err(Box::new(Unrecorded { error: LedgerError::WriterGone, batch }));
            }
            facts.borrow_mut().push(batch);
            Ok(Recorded::default())
        });
        commit
    }

    fn finish(self) -> Result<usize, LedgerError> {
        Ok(self.commits)
    }
}

/// The parts of a run that a test checks.
struct Seen {
    state: RunState,
    ledger: Result<usize, LedgerError>,
    batches: Vec<Batch>,
    most_open: usize,
    took: Duration,
    watcher: Watcher,
}

/// What an observer has seen.
#[derive(Default)]
struct Watcher {
    glimpses: usize,
    notices: Vec<Notice>,
}

impl Observer for Watcher {
    fn progress(&mut self, _: &Snapshot) {
        self.glimpses += 1;
    }

    fn notice(&mut self, notice: Notice, _: Tick) {
        self.notices.push(notice);
    }
}

/// The setup of a run.
struct Setup {
    options: EngineOptions,
    pairs: u64,
    fails_from: usize,
    /// Times at which signals come.
    signals: Vec<Duration>,
    /// True if the reader delivers [`Delivery::End`].
    reader_ends: bool,
}

impl Setup {
    fn of(pairs: u64) -> Self {
        let (fails_from, signals) = (usize::MAX, Vec::new());
        Self { options: options(), pairs, fails_from, signals, reader_ends: true }
    }

    /// Plays the run, with a reader that delivers one row at a time.
    async fn play(self, act: impl Fn(&Call) -> Answer) -> Seen {
        let start = Instant::now();
        let vendor = Vendor { act, start, open: Cell::new(0), most_open: Cell::new(0) };
        let facts = Rc::new(RefCell::new(Vec::new()));
        let journal = Memory {
            facts: Rc::clone(&facts),
            takes: ms(3),
            fails_from: self.fails_from,
            commits: 0,
        };
        let table = PairTable::new((0..self.pairs).map(key).collect());
        let mut run = Dispatcher::new(&self.options, table, RunTotals::default(), StartId(1));
        let (rows_in, mut rows) = mpsc::channel(1);
        let (signals_in, mut signals) = mpsc::channel(2);
        let mut watcher = Watcher::default();
        let reader = async move {
            for pair in 0..self.pairs {
                sleep(ms(1)).await;
                let rows = Delivery::Rows(vec![candidate(pair as usize, pair)]);
                if rows_in.send(rows).await.is_err() {
                    return;
                }
            }
            if self.reader_ends {
                let _ = rows_in.send(Delivery::End).await;
            }
        };
        let user = async move {
            for at in self.signals {
                tokio::time::sleep_until(start + at).await;
                let _ = signals_in.send(Signal::Interrupt).await;
            }
        };
        let main = async {
            let ledger =
                verify(&mut run, &vendor, journal, &mut rows, &mut signals, start, &mut watcher)
                    .await;
            (ledger, start.elapsed())
        };
        // A reader that waits for a run which has stopped is given up.
        let reader = tokio::time::timeout(secs(1000), reader);
        let ((ledger, took), _, ()) = tokio::join!(main, reader, user);
        let state = run.into_state();
        Seen {
            state,
            ledger,
            batches: facts.take(),
            most_open: vendor.most_open.get(),
            took,
            watcher,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_run_keeps_its_slots_busy() {
    let seen = Setup::of(40).play(|_| Answer::say(MATCH).after(100)).await;
    let outcome = seen.state;
    assert_eq!((outcome.stop, outcome.tally.confirmed, seen.most_open), (None, 40, 4));
    let intents: usize = seen.batches.iter().map(|batch| batch.intents.len()).sum();
    let settlements: usize = seen.batches.iter().map(|batch| batch.settlements.len()).sum();
    assert_eq!((intents, settlements), (40, 40));
    assert!(seen.took < ms(40 / 4 * 110 + 50), "{:?}", seen.took);
    assert!(seen.watcher.glimpses >= 5 && outcome.failure.is_none());
    assert_eq!(seen.watcher.notices, []);
    assert_eq!(seen.ledger.unwrap(), seen.batches.len());
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_a_send_leaves_free_is_used_at_once() {
    let mut setup = Setup::of(40);
    setup.options.concurrency = 2;
    setup.options.throttle.rate.cap = Some(12.5);
    let seen = setup.play(|_| Answer::say(MATCH).after(96)).await;
    assert!(seen.most_open == 2 && seen.took < ms(40 * 80 + 200), "{:?}", seen.took);
}

#[tokio::test(start_paused = true)]
async fn a_signal_during_a_drain_tells_what_is_waited_for() {
    let mut setup = Setup { signals: vec![secs(2)], ..Setup::of(40) };
    setup.options.deadline = Some(deadline_after(secs(1)));
    let seen = setup.play(|_| Answer::say(MATCH).after(5000)).await;
    let stopping = |reason| Notice::Stopping { reason, in_flight: 4 };
    let interrupted = StopReason::Interrupted(Signal::Interrupt);
    assert_eq!(seen.watcher.notices, [StopReason::Deadline, interrupted].map(stopping));
    assert_eq!(seen.state.tally.confirmed, 4, "one signal abandons no call");
}

#[tokio::test(start_paused = true)]
async fn the_first_signal_drains_and_the_second_abandons() {
    let slow = |_: &Call| Answer::say(MATCH).after(5000);
    let drained = Setup { signals: vec![secs(1)], ..Setup::of(40) }.play(slow).await;
    assert_eq!(drained.state.tally.confirmed, 4);
    let left = Setup { signals: vec![secs(1), secs(2)], ..Setup::of(40) }.play(slow).await;
    assert_eq!(left.state.tally.possible.in_doubt, 4);
    assert!(left.took < ms(2100), "{:?}", left.took);
    let reason = Some(StopReason::Interrupted(Signal::Interrupt));
    assert_eq!((drained.state.stop, left.state.stop), (reason, reason));
    let stopping =
        Notice::Stopping { reason: StopReason::Interrupted(Signal::Interrupt), in_flight: 4 };
    let [drain, abandon] = [&drained, &left].map(|seen| seen.watcher.notices.as_slice());
    assert!(matches!(drain, [told] if *told == stopping), "{drain:?}");
    assert_eq!(abandon, [stopping, Notice::Abandoned { calls: 4 }]);
}

#[tokio::test(start_paused = true)]
async fn the_first_signal_in_a_drain_for_another_reason_leaves_nothing_in_doubt() {
    let mut setup = Setup { signals: vec![secs(2)], ..Setup::of(40) };
    setup.options.deadline = Some(deadline_after(secs(1)));
    let seen = setup.play(|_| Answer::say(MATCH).after(5000)).await;
    let outcome = seen.state;
    assert_eq!((outcome.stop, outcome.tally.confirmed), (Some(StopReason::Deadline), 4));
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_refuses_twice_ends_the_run() {
    let setup = Setup { fails_from: 4, ..Setup::of(40) };
    let seen = setup.play(|call| Answer::say(MATCH).after(100 + call.pair * 30)).await;
    let outcome = seen.state;
    assert_eq!(outcome.stop, Some(StopReason::Storage));
    assert!(outcome.failure.is_some() && seen.took < secs(2), "{:?}", seen.took);
    let in_doubt = outcome.tally.possible.in_doubt;
    assert!((1..=4).contains(&in_doubt), "{in_doubt} in doubt");
    assert_eq!(outcome.tally.confirmed + in_doubt, outcome.stats.sent);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_gone_before_its_last_row_stops_the_run() {
    let setup = Setup { reader_ends: false, ..Setup::of(9) };
    let state = setup.play(|_| Answer::say(MATCH)).await.state;
    // The last row may not be sent yet when the loop notices that the reader is gone.
    let is_near = (8..=9).contains(&state.tally.confirmed);
    assert!(is_near && state.stop == Some(StopReason::Defect), "{:?}", state.stop);
}

#[tokio::test(start_paused = true)]
async fn a_run_of_lost_answers_stops() {
    let seen = Setup::of(100).play(|_| Answer::say(CUT)).await;
    assert_eq!(seen.state.stop, Some(StopReason::LostAnswers));
}
