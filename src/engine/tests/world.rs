//! A world in virtual time around the real dispatcher, which checks after every step what must hold.
//!
//! The ledger is a list of durable facts: a crash leaves nothing else. The vendor is a function.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::facts::{Facts, number};
use super::vendor::{Answer, Call};
use crate::engine::{Candidate, Dispatcher, Options, Outcome, Ticket};
use crate::model::attempt::{AttemptId, Batch, WallMs};
use crate::model::class::Class;
use crate::model::money::Charge;
use crate::model::reply::Reply;
use crate::model::stop::{Signal, StopReason};
use crate::rules::body::{BodyKind, BodyTrial};
use crate::rules::breaker::BreakerPolicy;
use crate::rules::classify::{charge, classify};
use crate::rules::pairs::PairTable;
use crate::rules::retry::{MOST_SENDS, RetryPolicy, Tick};
use crate::rules::tally::SoFar;
use crate::rules::testing::{key, subject};
use crate::rules::throttle::ThrottlePolicy;

/// No run of a test takes more steps.
const MOST_STEPS: usize = 200_000;
const WALL: WallMs = WallMs(0);

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(super) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Unlimited, four at a time, the program's own waits.
pub(super) fn options() -> Options {
    let (base, cap, max_outage) = (ms(500), secs(60), secs(1800));
    Options {
        concurrency: 4,
        retry: RetryPolicy { max_attempts: 6, base, cap },
        breaker: BreakerPolicy { base: base * 4, cap, max_outage },
        throttle: ThrottlePolicy { rate: None, base, cap, max_outage },
        max_charges: None,
        max_calls: None,
        most_mismatches: None,
        deadline: None,
        deadline_at: None,
        body: BodyTrial::Proved(BodyKind::Json),
        seed: 1,
    }
}

/// A row of this pair.
pub(super) fn candidate(record: usize, pair: u64) -> Candidate {
    let subject = subject(&format!("32750101{pair:08}"), "BUDI");
    Candidate { record: record as u64 + 1, pair: key(pair), subject }
}

/// What goes wrong, and how slow the rest is.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    /// A commit takes so long.
    pub(super) commit: Duration,
    /// The commits, counted from 1 over all starts, that fail.
    pub(super) failing: BTreeSet<usize>,
    /// A failed commit takes its facts with it, and none succeeds after it in that start.
    pub(super) writer_gone: bool,
    /// The reader pauses so long after so many rows.
    pub(super) reader: Option<(usize, Duration)>,
    /// Timers fire so late.
    pub(super) late: Duration,
}

/// A call that the world saw leave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) pair: u64,
    pub(super) at: Tick,
    pub(super) body: BodyKind,
}

struct Flight {
    ticket: Ticket,
    arrives: Tick,
    reply: Reply,
}

struct Commit {
    batch: Batch,
    done: Tick,
    fails: bool,
}

/// One start of the run.
struct Start {
    run: Dispatcher,
    now: Tick,
    next_row: usize,
    rows_ready: Tick,
    flights: Vec<Flight>,
    commit: Option<Commit>,
    last_second: VecDeque<Tick>,
    /// Nothing may leave before.
    hold: Tick,
    incident: Option<Tick>,
    calls: u64,
    ledger_failed: bool,
    /// Pairs that had no end when it began.
    to_send: u64,
    wakes_in_vain: usize,
    /// The test wants to look at this time.
    look_at: Option<Tick>,
}

/// One run over all its starts.
pub(super) struct World {
    pub(super) options: Options,
    pub(super) faults: Faults,
    pub(super) facts: Facts,
    /// The pairs of the rows.
    pub(super) rows: Vec<u64>,
    /// Those of them that the survey did not see.
    pub(super) unseen: BTreeSet<u64>,
    /// Calls that left in this start.
    pub(super) sent: Vec<Sent>,
    /// What the vendor's invoice says.
    pub(super) billed: u64,
    /// Attempts that were or may be charged and are no longer in flight.
    used: u64,
    commits: usize,
    calls_of_pair: BTreeMap<u64, usize>,
    vendor: Box<dyn FnMut(&Call) -> Answer>,
    start: Option<Start>,
}

impl World {
    pub(super) fn new(
        options: Options,
        rows: impl IntoIterator<Item = u64>,
        vendor: impl FnMut(&Call) -> Answer + 'static,
    ) -> Self {
        Self {
            options,
            faults: Faults { commit: ms(5), ..Faults::default() },
            facts: Facts::default(),
            rows: rows.into_iter().collect(),
            unseen: BTreeSet::new(),
            sent: Vec::new(),
            billed: 0,
            used: 0,
            commits: 0,
            calls_of_pair: BTreeMap::new(),
            vendor: Box::new(vendor),
            start: None,
        }
    }

    /// Starts the run, or starts it once more.
    pub(super) fn begin(&mut self) {
        let in_doubt = self.facts.settle_killed();
        assert!(in_doubt <= self.options.concurrency, "{in_doubt} in doubt after a crash");
        let (table, so_far) = self.read();
        let to_send = table.to_send();
        let next = self.facts.intents.last_key_value().map_or(1, |(last, _)| last + 1);
        self.sent.clear();
        self.start = Some(Start {
            run: Dispatcher::new(&self.options, table, so_far, AttemptId(next)),
            now: Tick::ZERO,
            next_row: 0,
            rows_ready: Tick::ZERO,
            flights: Vec::new(),
            commit: None,
            last_second: VecDeque::new(),
            hold: Tick::ZERO,
            incident: None,
            calls: 0,
            ledger_failed: false,
            to_send,
            wakes_in_vain: 0,
            look_at: None,
        });
    }

    /// What a start reads of the ledger.
    pub(super) fn read(&self) -> (PairTable, SoFar) {
        let seen = self.rows.iter().filter(|pair| !self.unseen.contains(pair)).copied();
        self.facts.fold(seen, &self.options.retry)
    }

    /// Plays a start to its end.
    pub(super) fn play(&mut self) -> Outcome {
        self.begin();
        self.play_on()
    }

    /// Plays the rest of a start.
    pub(super) fn play_on(&mut self) -> Outcome {
        let ended = (0..MOST_STEPS).any(|_| self.step());
        assert!(ended, "no end after {MOST_STEPS} steps");
        self.end()
    }

    /// Plays a start for so many steps, and crashes then: the commit under way may be durable.
    pub(super) fn crash_after(&mut self, steps: usize, durable: bool) -> Option<Outcome> {
        self.begin();
        if (0..steps).any(|_| self.step()) {
            return Some(self.end());
        }
        let start = self.start.take()?;
        self.used += start.flights.len() as u64;
        if let Some(commit) = start.commit.filter(|commit| durable && !commit.fails) {
            self.facts.record(&commit.batch);
        }
        assert!(self.facts.open() <= self.options.concurrency);
        None
    }

    /// Plays a start for so many steps, and signals then, once or twice.
    pub(super) fn interrupt_after(&mut self, steps: usize, twice: bool) -> Outcome {
        self.begin();
        if (0..steps).any(|_| self.step()) {
            return self.end();
        }
        self.run().stop(StopReason::Interrupted(Signal::Interrupt));
        if twice {
            self.abandon();
        }
        self.play_on()
    }

    /// Plays until this time of the start.
    pub(super) fn play_until(&mut self, time: Tick) {
        self.start().look_at = Some(time);
        while self.now() < time {
            assert!(!self.step(), "it ended before");
        }
    }

    pub(super) fn run(&mut self) -> &mut Dispatcher {
        &mut self.start().run
    }

    pub(super) fn now(&self) -> Tick {
        self.start.as_ref().map_or(Tick::ZERO, |start| start.now)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.start.as_ref().map_or(0, |start| start.flights.len())
    }

    /// The second signal.
    pub(super) fn abandon(&mut self) {
        let start = self.start.as_mut().expect("a start");
        self.used += start.flights.len() as u64;
        start.flights.clear();
        start.run.abandon(WALL);
    }

    fn start(&mut self) -> &mut Start {
        self.start.as_mut().expect("a start")
    }

    /// One turn of the loop, and on to what happens next. True at the end.
    pub(super) fn step(&mut self) -> bool {
        self.turn();
        self.check();
        let start = self.start.as_mut().expect("a start");
        if start.run.is_done() {
            return true;
        }
        start.wait(self.faults.late);
        self.deliver_replies();
        self.deliver_commit()
    }

    /// What the driver does before it waits.
    fn turn(&mut self) {
        let now = self.now();
        self.run().advance(now, WALL);
        while let Some(ticket) = self.run().next_send(now) {
            self.send(ticket);
        }
        let start = self.start.as_mut().expect("a start");
        start.feed(&self.rows, &self.faults);
        while start.run.plan(now, WALL) && start.feed(&self.rows, &self.faults) {}
        if start.commit.is_none()
            && let Some(batch) = start.run.take_batch()
        {
            self.commits += 1;
            let gone = start.ledger_failed && self.faults.writer_gone;
            let fails = gone || self.faults.failing.contains(&self.commits);
            start.commit = Some(Commit { batch, done: now + self.faults.commit, fails });
        }
    }

    fn send(&mut self, ticket: Ticket) {
        let (attempt, pair) = (ticket.attempt.0, number(ticket.job.row.pair));
        let start = self.start.as_mut().expect("a start");
        let now = start.now;
        assert_eq!(self.facts.intents.get(&attempt), Some(&pair), "its intent is durable");
        assert!(!self.facts.settled.contains_key(&attempt), "an intent is for one send");
        assert!(!start.flights.iter().any(|flight| number(flight.ticket.job.row.pair) == pair));
        assert!(!self.facts.has_end(pair), "pair {pair} has an end");
        assert!(now >= start.hold, "sent at {now:?} in a pause until {:?}", start.hold);
        let before = self.facts.classes(pair);
        let sends = before.iter().filter(|(class, _)| class.was_sent()).count();
        let tries = before.iter().filter(|(class, _)| class.is_failed_try()).count();
        assert!(sends < usize::from(MOST_SENDS), "{sends} sends of pair {pair}");
        assert!(tries < usize::from(self.options.retry.max_attempts));
        start.check_rate(self.options.throttle.rate);

        let nth = self.calls_of_pair.entry(pair).or_default();
        *nth += 1;
        let call = Call { pair, nth: *nth, body: ticket.body(), at: now };
        let Answer { reply, after, charged } = (self.vendor)(&call);
        self.billed += u64::from(match charge(classify(&reply)) {
            Charge::Charged => true,
            Charge::Free => false,
            Charge::Unknown => charged,
        });
        self.sent.push(Sent { pair, at: now, body: call.body });
        start.flights.push(Flight { ticket, arrives: now + after, reply });
        let in_flight = start.flights.len() as u64;
        let within = |max: Option<u64>, used: u64| max.is_none_or(|max| used + in_flight <= max);
        assert!(within(self.options.max_charges, self.used), "the budget of charges");
        assert!(within(self.options.max_calls, start.calls), "the budget of calls");
    }

    fn check(&self) {
        let start = self.start.as_ref().expect("a start");
        assert!(start.flights.len() <= self.options.concurrency, "too many in flight");
        assert_eq!(start.flights.len(), start.run.in_flight.len());
        assert!(self.facts.open() <= self.options.concurrency, "too many to be in doubt");
    }

    fn deliver_replies(&mut self) {
        let start = self.start.as_mut().expect("a start");
        let now = start.now;
        let (mut due, rest): (Vec<_>, Vec<_>) =
            start.flights.drain(..).partition(|flight| flight.arrives <= now);
        start.flights = rest;
        due.sort_by_key(|flight| flight.arrives);
        for Flight { ticket, reply, .. } in due {
            let class = classify(&reply);
            self.used += u64::from(charge(class) != Charge::Free);
            start.calls += u64::from(class.was_sent());
            start.note_pause(&ticket, &reply, self.options.throttle.base);
            start.run.replied(ticket, reply, now, WALL);
        }
    }

    /// True where the ledger refused the answers for good.
    fn deliver_commit(&mut self) -> bool {
        let start = self.start.as_mut().expect("a start");
        let Some(commit) = start.commit.take_if(|commit| commit.done <= start.now) else {
            return false;
        };
        if !commit.fails {
            self.facts.record(&commit.batch);
            start.run.committed();
            return false;
        }
        let again = std::mem::replace(&mut start.ledger_failed, true);
        let batch = if self.faults.writer_gone { Batch::default() } else { commit.batch };
        start.run.not_committed(batch);
        again && start.flights.is_empty()
    }

    /// What the run leaves behind is what the next start will read.
    fn end(&mut self) -> Outcome {
        let start = self.start.take().expect("a start");
        let outcome = start.run.into_outcome();
        let in_doubt = self.facts.settle_killed();
        assert!(in_doubt == 0 || start.ledger_failed, "{in_doubt} left without a settlement");
        assert!(in_doubt <= self.options.concurrency);
        let (table, SoFar { tally, .. }) = self.read();
        assert_eq!(outcome.tally, tally);
        assert_eq!(outcome.stats.finished, start.to_send - outcome.table.to_send());
        let (tickets, never_left) = (self.sent.len() as u64, tally.attempts - tally.calls);
        assert!(outcome.stats.sent <= tickets);
        // What a failed ledger lost is in doubt, also where it never left.
        assert!(start.ledger_failed || tickets <= outcome.stats.sent + never_left);
        if outcome.stop != Some(StopReason::RefusalsInRow) {
            for (ours, read) in outcome.table.states().zip(table.states()) {
                assert_eq!(ours, read);
            }
        }
        assert!(tally.at_least() <= self.billed && self.billed <= tally.at_most());
        outcome
    }
}

impl Start {
    /// Gives rows as the driver does. True when one is at hand that is to be sent.
    fn feed(&mut self, rows: &[u64], faults: &Faults) -> bool {
        while self.run.wants_row() {
            if self.now < self.rows_ready {
                return false;
            }
            let Some(pair) = rows.get(self.next_row) else {
                self.run.rows_ended();
                break;
            };
            self.run.offer(candidate(self.next_row, *pair));
            self.next_row += 1;
            if let Some((every, pause)) = faults.reader
                && self.next_row.is_multiple_of(every)
            {
                self.rows_ready = self.now + pause;
            }
        }
        self.run.has_row()
    }

    /// On to the next event; there has to be one.
    fn wait(&mut self, late: Duration) {
        let wake = self.run.wake_at(self.now).map(|at| if at > self.now { at + late } else { at });
        let rows = self.run.wants_row().then_some(self.rows_ready);
        let commit = self.commit.as_ref().map(|commit| commit.done);
        let replies = self.flights.iter().map(|flight| flight.arrives);
        let event =
            replies.chain(rows).chain(commit).chain(self.look_at.filter(|at| *at > self.now)).min();
        let next = [event, wake].into_iter().flatten().min();
        let next = next.expect("a lost wake-up: not done, and nothing will happen");
        let in_vain = event.is_none_or(|event| event > self.now) && next <= self.now;
        self.wakes_in_vain = if in_vain { self.wakes_in_vain + 1 } else { 0 };
        assert!(self.wakes_in_vain <= 1, "it spins");
        self.now = self.now.max(next);
    }

    fn check_rate(&mut self, rate: Option<f64>) {
        self.last_second.push_back(self.now);
        while self.last_second.front().is_some_and(|at| *at + secs(1) <= self.now) {
            self.last_second.pop_front();
        }
        if let Some(rate) = rate {
            let most = rate + (rate / 100.0).max(1.0) + 1.0;
            assert!(self.last_second.len() as f64 <= most, "over {rate}/s in a second");
        }
    }

    /// Until when nothing may leave after this reply.
    fn note_pause(&mut self, ticket: &Ticket, reply: &Reply, base: Duration) {
        let now = self.now;
        if let Reply::Response(response) = reply
            && let Some(wish) = response.retry_after
        {
            self.hold = self.hold.max(now + wish);
        }
        let of_an_incident = self.incident.is_some_and(|began| ticket.sent_at <= began);
        if classify(reply) == Class::Throttled && !of_an_incident {
            self.incident = Some(now);
            self.hold = self.hold.max(now + base);
        }
    }
}
