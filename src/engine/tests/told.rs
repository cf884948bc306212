//! What a worker does with what the ledger tells it: a batch that was fenced, and news that are
//! older than what is known.

use std::collections::VecDeque;
use std::time::Duration;

use super::story::options;
use crate::engine::{Candidate, Dispatcher, EngineOptions, Event, Hands, NextRow, Ticket};
use crate::ledger::{Beat, News, Recorded, SlotsWish};
use crate::model::attempt::{Batch, StartId, Tick, WallMs};
use crate::model::stop::{BudgetLimit, StopReason};
use crate::rules::body::{BodyKind, BodyTrial};
use crate::rules::pair_key::PairHasher;
use crate::rules::pair_table::PairTable;
use crate::rules::room::{Room, RoomWish};
use crate::rules::tally::RunTotals;
use crate::rules::testing::subject;

/// Hands that note what they are told to do.
#[derive(Default)]
struct Noted {
    rows: VecDeque<Candidate>,
    is_at_end: bool,
    sends: usize,
    batch: Option<Batch>,
    beat: Option<Beat>,
}

impl Hands for Noted {
    fn send(&mut self, _: Ticket) {
        self.sends += 1;
    }

    fn record(&mut self, batch: Batch) {
        self.batch = Some(batch);
    }

    fn beat(&mut self, beat: Beat) {
        self.beat = Some(beat);
    }

    fn take_slots(&mut self, _: SlotsWish) {}

    fn next_row(&mut self) -> NextRow {
        match self.rows.pop_front() {
            Some(row) => NextRow::Row(row),
            None if self.is_at_end => NextRow::End,
            None => NextRow::NotYet,
        }
    }

    fn abandon(&mut self) {}
}

/// A worker with eight rows, whose run may cause forty charges.
struct Worker {
    dispatcher: Dispatcher,
    hands: Noted,
    now: Tick,
}

impl Worker {
    fn new() -> (Self, Vec<Candidate>) {
        let hasher = PairHasher::new([7; 32]);
        let candidate = |n: u64| {
            let subject = subject(&format!("32730115108000{n:02}"), &format!("WARGA {n}"));
            Candidate { record: n, pair: hasher.pair(&subject), subject }
        };
        let rows: Vec<Candidate> = (1..=8).map(candidate).collect();
        let options = EngineOptions {
            concurrency: 8,
            max_charges: Some(40),
            body: BodyTrial::Proved(BodyKind::Json),
            lease: Some(Duration::from_secs(15)),
            ..options()
        };
        let table = PairTable::new(rows.iter().map(|row| row.pair).collect());
        let (run, start) = (RunTotals::default(), StartId(1));
        let mut dispatcher = Dispatcher::new(&options, PairTable::default(), run, start);
        dispatcher.begin_round(table, RunTotals::default(), &[]);
        (Self { dispatcher, hands: Noted::default(), now: Tick::ZERO }, rows)
    }

    /// Gives the dispatcher a turn, and returns the number of intents that it hands over.
    fn turn(&mut self) -> usize {
        self.now += Duration::from_millis(10);
        (self.hands.batch, self.hands.beat) = (None, None);
        let wall = WallMs(self.now.as_millis() as i64);
        let _ = self.dispatcher.turn(self.now, wall, &mut self.hands);
        self.hands.batch.as_ref().map_or(0, |batch| batch.intents.len())
    }

    fn on(&mut self, event: Event) {
        let wall = WallMs(self.now.as_millis() as i64);
        self.dispatcher.on(event, self.now, wall, &mut self.hands);
    }

    /// Lets the ledger answer the beat under way.
    fn hear(&mut self, generation: u32, room: Room) {
        let news =
            News { generation, members: vec![StartId(1)], room: Some(room), ..News::default() };
        self.on(Event::Heard(Ok(news)));
    }
}

#[test]
fn a_worker_that_was_fenced_plans_nothing_until_it_has_heard() {
    let (mut worker, rows) = Worker::new();
    let mut rows = VecDeque::from(rows);
    assert_eq!(worker.turn(), 0, "no lease yet");
    worker.hear(0, Room { total: 20, may_grow: true });
    worker.hands.rows = rows.drain(..3).collect();
    assert_eq!(worker.turn(), 3);
    let refused = worker.hands.batch.iter().flat_map(|batch| &batch.intents);
    let refused = refused.map(|intent| intent.attempt).collect();
    // More rows come while the batch is under way.
    worker.hands.rows = rows;
    assert_eq!(worker.turn(), 0);
    worker.on(Event::Recorded(Ok(Recorded { refused, was_fenced: true, taken_over: false })));
    assert_eq!(worker.turn(), 0, "nothing of what was planned before");
    let wish = worker.hands.beat.and_then(|beat| beat.room);
    let all = RoomWish { keep: u64::MAX, unused: 0, more: 0, max: 40 };
    assert_eq!(wish, Some(all), "it asks at once what it has left");
    worker.hear(1, Room { total: 2, may_grow: true });
    assert_eq!(worker.turn(), 2, "as much as it has");
    assert_eq!(worker.hands.sends, 0);
}

#[test]
fn news_that_were_asked_for_before_a_fence_are_not_believed() {
    let (mut worker, rows) = Worker::new();
    worker.turn();
    worker.hear(0, Room { total: 8, may_grow: true });
    let mut rows = rows.into_iter();
    worker.hands.rows = rows.by_ref().take(3).collect();
    assert_eq!(worker.turn(), 3);
    let refused = worker.hands.batch.iter().flat_map(|batch| &batch.intents);
    let refused = refused.map(|intent| intent.attempt).collect();
    // A beat is under way when the fence is found.
    worker.now += Duration::from_secs(1);
    worker.turn();
    assert!(worker.hands.beat.is_some());
    worker.on(Event::Recorded(Ok(Recorded { refused, was_fenced: true, taken_over: false })));
    worker.hands.rows = rows.by_ref().take(3).collect();
    worker.hear(0, Room { total: 8, may_grow: true });
    assert_eq!(worker.turn(), 0, "its answer is older");
    worker.hear(1, Room { total: 0, may_grow: true });
    assert_eq!(worker.turn(), 0, "there is nothing left");
}

#[test]
fn the_answer_to_a_beat_before_the_last_one_is_not_believed() {
    let (mut worker, _) = Worker::new();
    worker.turn();
    worker.hands.is_at_end = true;
    let last = worker.dispatcher.last_beat().and_then(|beat| beat.room);
    assert_eq!(last.map(|wish| (wish.keep, wish.more)), Some((0, 0)));
    worker.hear(0, Room { total: 8, may_grow: false });
    // What was given back is not used in the next round.
    worker.dispatcher.begin_round(PairTable::default(), RunTotals::default(), &[]);
    worker.now += Duration::from_secs(2);
    worker.turn();
    assert_eq!(worker.hands.beat.and_then(|beat| beat.room).map(|wish| wish.keep), Some(0));
}

/// A stop that another worker has found is not told again.
#[test]
fn a_stop_is_told_by_who_found_it() {
    let (mut worker, _) = Worker::new();
    worker.turn();
    let stop = Some(StopReason::OutOfQuota);
    worker.on(Event::Heard(Ok(News { members: vec![StartId(1)], stop, ..News::default() })));
    assert_eq!(worker.dispatcher.stop_reason(), stop);
    assert_eq!(worker.dispatcher.last_beat().and_then(|beat| beat.stop), None);

    let (mut finder, _) = Worker::new();
    finder.dispatcher.give_up(StopReason::OutOfQuota);
    assert_eq!(finder.dispatcher.last_beat().and_then(|beat| beat.stop), stop);
    let (mut local, _) = Worker::new();
    local.dispatcher.give_up(StopReason::Budget(BudgetLimit::Calls));
    assert_eq!(local.dispatcher.last_beat().and_then(|beat| beat.stop), None);
}
