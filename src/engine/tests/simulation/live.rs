//! The stage that sends: the real dispatcher, driven as `engine::verify` drives it, in virtual time,
//! with a vendor that is simulated and commits that are not.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::super::world::{ms, secs};
use super::book::{Terms, millis};
use super::swarm::Kind;
use super::vendor::Answer;
use super::world::{Flags, World};
use super::{Halt, Sabotage, Step, must};
use crate::engine::{Candidate, Dispatcher, Outcome, Ticket};
use crate::ledger::RunId;
use crate::model::attempt::{Batch, PairKey, WallMs};
use crate::model::class::Class;
use crate::model::reply::Reply;
use crate::model::stop::{Signal, StopReason};
use crate::rules::classify::classify;
use crate::rules::retry::Tick;

/// No start takes more steps.
const MOST_STEPS: usize = 100_000;

/// What it leaves behind.
pub(super) struct Left {
    pub(super) outcome: Outcome,
    /// Facts could not be recorded.
    pub(super) failed: bool,
    /// The ledger's writer is gone.
    pub(super) gone: bool,
}

struct Flight {
    attempt: u64,
    pair: PairKey,
    ticket: Ticket,
    arrives: Tick,
    reply: Reply,
}

/// A batch on its way: first to the disk, then back to the engine.
struct Commit {
    batch: Batch,
    due: Tick,
    /// What is told; `None` while it is not done.
    told: Option<Result<(), Batch>>,
}

/// How a commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// SQLite refuses the first statement, this once.
    Once,
    /// The disk is full: it fails somewhere in its middle, or not at all.
    Full,
    /// From now on all fail.
    ForGood,
    /// The writer's thread ends, before its commit or after it.
    Gone { durable: bool },
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Replies,
    Commit,
    Rows,
    Signal,
}

/// A start under way.
pub(super) struct Live<'a> {
    world: &'a mut World,
    flags: &'a Flags,
    terms: Terms,
    run: Dispatcher,
    now: Tick,
    /// The world's clock when it began.
    epoch: Duration,
    rows: VecDeque<Option<Candidate>>,
    rows_ready: Tick,
    flights: Vec<Flight>,
    commit: Option<Commit>,
    signals: VecDeque<Tick>,
    interrupted: bool,
    failed: bool,
    /// The ledger refused the same facts again, and nothing is in flight.
    given_up: bool,
    /// What has broken for good.
    broken: Option<Failure>,
    last_second: VecDeque<Tick>,
    /// The deadline as the wall clock shows it.
    deadline_at: Option<i64>,
    /// Nothing may leave before.
    hold: Tick,
    /// When the latest "slower" came.
    refused_at: Option<Tick>,
    calls: u64,
    wakes_in_vain: usize,
}

impl<'a> Live<'a> {
    pub(super) fn new(
        world: &'a mut World,
        flags: &'a Flags,
        terms: Terms,
        run: Dispatcher,
        rows: VecDeque<Option<Candidate>>,
    ) -> Self {
        let World { swarm, dice, .. } = world;
        let mut signals = BTreeSet::new();
        if swarm.is_on(Kind::Signal, dice) {
            let first = dice.below(1500);
            signals.insert(ms(first));
            signals.extend(dice.one_in(2).then(|| ms(first + 1 + dice.below(150))));
        }
        Self {
            epoch: world.clock,
            deadline_at: flags.options.deadline.map(|span| world.wall() + millis(span)),
            signals: signals.into_iter().collect(),
            world,
            flags,
            terms,
            run,
            now: Tick::ZERO,
            rows,
            rows_ready: Tick::ZERO,
            flights: Vec::new(),
            commit: None,
            interrupted: false,
            failed: false,
            given_up: false,
            broken: None,
            last_second: VecDeque::new(),
            hold: Tick::ZERO,
            refused_at: None,
            calls: 0,
            wakes_in_vain: 0,
        }
    }

    /// Plays it to its end.
    pub(super) fn go(mut self) -> Step<Left> {
        for _ in 0..MOST_STEPS {
            if !self.given_up {
                self.turn()?;
            }
            let is_done = self.run.is_done() && self.commit.is_none();
            if self.given_up || is_done {
                let Self { run, failed, broken, .. } = self;
                let gone = matches!(broken, Some(Failure::Gone { .. }));
                return Ok(Left { outcome: run.into_outcome(), failed, gone });
            }
            let event = self.wait()?;
            self.world.clock = self.epoch + self.now;
            if let Some(event) = event {
                self.happen(event)?;
            }
        }
        Err(Halt::Broken(format!("no end after {MOST_STEPS} steps")))
    }

    const fn wall(&self) -> WallMs {
        WallMs(self.world.wall())
    }

    /// What the driver does before it waits.
    fn turn(&mut self) -> Step {
        let (now, wall) = (self.now, self.wall());
        self.run.advance(now, wall);
        self.world.step()?;
        while let Some(ticket) = self.run.next_send(now) {
            self.world.step()?;
            self.send(ticket)?;
            self.world.step()?;
        }
        self.feed();
        while self.run.plan(now, wall) && self.feed() {}
        self.world.step()?;
        if self.commit.is_none()
            && let Some(batch) = self.run.take_batch()
        {
            let due = now + ms(self.world.dice.below(30));
            if self.world.sabotage == Some(Sabotage::SendFirst) {
                self.run.committed();
            }
            self.commit = Some(Commit { batch, due, told: None });
        }
        self.world.step()
    }

    /// Gives rows as the driver does. True when one is at hand that is to be sent.
    fn feed(&mut self) -> bool {
        while self.run.wants_row() {
            if self.now < self.rows_ready {
                return false;
            }
            match self.rows.pop_front() {
                Some(Some(row)) => self.run.offer(row),
                Some(None) => self.run.stop(StopReason::InputChanged),
                None => self.run.rows_ended(),
            }
            let World { swarm, dice, .. } = &mut *self.world;
            if swarm.strikes(Kind::Reader, dice) {
                self.rows_ready = self.now + ms(dice.below(2000));
            }
        }
        self.run.has_row()
    }

    fn send(&mut self, ticket: Ticket) -> Step {
        let (attempt, pair, now) = (ticket.attempt.0, ticket.job.row.pair, self.now);
        self.check_send(attempt, pair)?;
        let who = self.world.by_pair.get(&pair).copied();
        let Some(who) = who else { return must(false, || "a pair of nobody's".to_owned()) };
        let person = &self.world.people[who];
        let subject = ticket.subject();
        let is_theirs = subject.nik.as_str() == person.nik && subject.name.as_str() == person.name;
        must(is_theirs, || format!("attempt {attempt} sends another customer"))?;
        let World { vendor, people, .. } = &mut *self.world;
        let Answer { reply, after } =
            vendor.answer(&people[who], (self.terms.run, attempt), ticket.body(), self.now);
        let class = classify(&reply);
        self.calls += u64::from(class.was_sent());
        self.world.saw(class.name());
        self.world.tell(|| format!("attempt {attempt} asks for customer {who}: {}", class.name()));
        self.flights.push(Flight { attempt, pair, ticket, arrives: now + after, reply });
        let in_flight = self.flights.len();
        let most = self.flags.options.concurrency;
        must(in_flight <= most, || format!("{in_flight} in flight of {most}"))?;
        let calls = self.calls;
        must(self.flags.options.max_calls.is_none_or(|most| calls <= most), || {
            format!("{calls} calls in one start")
        })
    }

    fn check_send(&mut self, attempt: u64, pair: PairKey) -> Step {
        let (now, hold) = (self.now, self.hold);
        let fact = self.world.book.facts.get(&attempt);
        let is_durable = fact.is_some_and(|fact| fact.pair == pair && fact.settled.is_none());
        // Where the guard is taken out, what follows from it has to show.
        let blind = self.world.sabotage == Some(Sabotage::SendFirst);
        must(is_durable || blind, || format!("attempt {attempt} is sent before its intent"))?;
        let twice = self.flights.iter().any(|flight| flight.pair == pair);
        must(!twice, || "a pair is in flight twice".to_owned())?;
        self.world.book.check_send(pair, attempt, &self.terms)?;
        must(now >= hold, || format!("sent at {now:?} in a pause until {hold:?}"))?;
        let late = self.flags.options.deadline.is_some_and(|deadline| now >= deadline);
        let late = late || self.deadline_at.is_some_and(|at| self.world.wall() >= at);
        must(!late, || "sent after the deadline".to_owned())?;
        self.last_second.push_back(now);
        while self.last_second.front().is_some_and(|at| *at + secs(1) <= now) {
            self.last_second.pop_front();
        }
        let Some(rate) = self.flags.options.throttle.rate else { return Ok(()) };
        let (sent, most) = (self.last_second.len(), rate + (rate / 100.0).max(1.0));
        must(sent as f64 <= most.ceil(), || format!("{sent} in a second of {rate}/s"))
    }

    /// On to what happens next; `None` is a timer.
    fn wait(&mut self) -> Step<Option<Event>> {
        let now = self.now;
        let World { swarm, dice, skew, .. } = &mut *self.world;
        if swarm.strikes(Kind::Clock, dice) && dice.one_in(4) {
            *skew += dice.pick(&[-3_600_000, 3_600_000]);
        }
        let late = if swarm.strikes(Kind::Late, dice) { ms(dice.below(300)) } else { ms(0) };
        let wake = self.run.wake_at(now).map(|at| if at > now { at + late } else { at });
        let replies = self.flights.iter().map(|flight| flight.arrives).min();
        let commit = self.commit.as_ref().map(|commit| commit.due);
        let rows = self.run.wants_row().then_some(self.rows_ready);
        let signal = self.signals.front().copied();
        let events = [
            (replies, Event::Replies),
            (commit, Event::Commit),
            (rows, Event::Rows),
            (signal, Event::Signal),
        ];
        let events = events.into_iter().filter_map(|(at, event)| Some((at?, event)));
        let events: Vec<(Tick, Event)> = events.collect();
        let first = events.iter().map(|(at, _)| *at).min();
        let Some(next) = [first, wake].into_iter().flatten().min() else {
            return Err(Halt::Broken("not done, and nothing will happen".to_owned()));
        };
        let in_vain = first.is_none_or(|event| event > now) && next <= now;
        self.wakes_in_vain = if in_vain { self.wakes_in_vain + 1 } else { 0 };
        let spins = self.wakes_in_vain;
        must(spins <= 1, || "it spins".to_owned())?;
        self.now = now.max(next);
        let due: Vec<Event> =
            events.into_iter().filter(|(at, _)| *at <= self.now).map(|(_, event)| event).collect();
        Ok((!due.is_empty()).then(|| self.world.dice.pick(&due)))
    }

    fn happen(&mut self, event: Event) -> Step {
        match event {
            Event::Replies => self.take_replies(),
            Event::Commit => self.go_on_with_commit(),
            // The driver looks at the rows in each turn.
            Event::Rows => Ok(()),
            Event::Signal => {
                self.signals.pop_front();
                self.signal();
                Ok(())
            }
        }
    }

    /// The first signal drains, the second stops at once.
    fn signal(&mut self) {
        let twice = std::mem::replace(&mut self.interrupted, true);
        self.world.saw(if twice { "a second signal" } else { "a signal" });
        self.world.tell(|| "a signal".to_owned());
        if twice {
            self.flights.clear();
            self.run.abandon(self.wall());
        }
        self.run.stop(StopReason::Interrupted(Signal::Interrupt));
    }

    fn take_replies(&mut self) -> Step {
        let (now, wall) = (self.now, self.wall());
        let (mut due, rest): (Vec<_>, Vec<_>) =
            self.flights.drain(..).partition(|flight| flight.arrives <= now);
        self.flights = rest;
        due.sort_by_key(|flight| flight.arrives);
        for Flight { ticket, reply, .. } in due {
            self.note_pause(&ticket, &reply);
            let reply = match (self.world.sabotage, reply) {
                (Some(Sabotage::DeafToWishes), Reply::Response(mut response)) => {
                    response.retry_after = None;
                    Reply::Response(response)
                }
                (_, reply) => reply,
            };
            self.run.replied(ticket, reply, now, wall);
            self.world.step()?;
        }
        Ok(())
    }

    /// Until when nothing may leave after this reply.
    fn note_pause(&mut self, ticket: &Ticket, reply: &Reply) {
        let now = self.now;
        if let Reply::Response(response) = reply
            && let Some(wish) = response.retry_after
        {
            self.hold = self.hold.max(now + wish);
        }
        if classify(reply) == Class::Throttled {
            // What had left before an earlier refusal came may belong to the same incident.
            if self.refused_at.is_none_or(|at| ticket.sent_at > at) {
                self.hold = self.hold.max(now + self.flags.options.throttle.base);
            }
            self.refused_at = Some(now);
        }
    }

    /// A commit is done, or its word has come back.
    fn go_on_with_commit(&mut self) -> Step {
        let Some(Commit { batch, told, .. }) = self.commit.take() else { return Ok(()) };
        let Some(told) = told else {
            let told = Some(self.execute(batch)?);
            let due = self.now + ms(self.world.dice.below(5));
            self.commit = Some(Commit { batch: Batch::default(), due, told });
            return self.world.step();
        };
        match told {
            Ok(()) if self.world.sabotage == Some(Sabotage::SendFirst) => {}
            Ok(()) => self.run.committed(),
            Err(batch) => {
                self.world.saw("a commit failed");
                let again = std::mem::replace(&mut self.failed, true);
                self.given_up = again && self.flights.is_empty();
                self.run.not_committed(batch);
            }
        }
        self.world.step()
    }

    /// Writes a batch, by the very code of the ledger's writer.
    fn execute(&mut self, batch: Batch) -> Step<Result<(), Batch>> {
        let failure = self.failure();
        let run = RunId(self.terms.run);
        let has_intents = !batch.intents.is_empty();
        if matches!(failure, Some(Failure::Gone { durable: false })) {
            return Ok(Err(Batch::default()));
        }
        self.world.maybe = Some((run, batch.clone()));
        self.set_trap(failure)?;
        let written = self.hurt(batch.clone());
        let told = self.world.write(|ledger| ledger.record(run, written))?;
        self.set_trap(None)?;
        self.world.maybe = None;
        let (intents, settlements) = (batch.intents.len(), batch.settlements.len());
        self.world.tell(|| format!("commit of {intents} and {settlements}: {}", told.is_ok()));
        if let Err(refused) = told {
            return Ok(Err(refused.batch));
        }
        let World { book, vendor, .. } = &mut *self.world;
        book.record(run.0, &batch, &vendor.log)?;
        let (open, most) = (book.open(), self.flags.options.concurrency);
        must(open <= most, || format!("{open} to be in doubt of {most}"))?;
        if let Some(most) = self.flags.options.max_charges.filter(|_| has_intents) {
            let in_flight = self.flights.iter().map(|flight| flight.attempt).collect();
            let used = book.used(run.0, &vendor.log, &in_flight);
            must(used <= most, || format!("{used} charges, reserved ones too, of {most}"))?;
        }
        match failure {
            Some(Failure::Gone { .. }) => Ok(Err(Batch::default())),
            _ => Ok(Ok(())),
        }
    }

    /// Whether this commit fails, and how.
    fn failure(&mut self) -> Option<Failure> {
        if self.broken.is_some() {
            return self.broken;
        }
        let World { swarm, dice, .. } = &mut *self.world;
        if !swarm.strikes(Kind::Commit, dice) {
            return None;
        }
        let durable = dice.one_in(2);
        let failure =
            dice.pick(&[Failure::Once, Failure::Full, Failure::ForGood, Failure::Gone { durable }]);
        self.broken = match failure {
            Failure::Once | Failure::Full => None,
            Failure::ForGood => Some(Failure::ForGood),
            Failure::Gone { .. } => Some(Failure::Gone { durable: false }),
        };
        Some(failure)
    }

    /// Makes SQLite itself fail.
    fn set_trap(&mut self, failure: Option<Failure>) -> Step {
        let connection = self.world.ledger()?.connection();
        let (read_only, full) = match failure {
            Some(Failure::Once | Failure::ForGood) => (1, false),
            Some(Failure::Full) => (0, true),
            Some(Failure::Gone { .. }) | None => (0, false),
        };
        let pages: i64 = match full {
            true => connection
                .pragma_query_value(None, "page_count", |row| row.get(0))
                .map_err(super::broken)?,
            false => 1_000_000,
        };
        let pragmas = format!("PRAGMA query_only = {read_only}; PRAGMA max_page_count = {pages}");
        connection.execute_batch(&pragmas).map_err(super::broken)
    }

    /// What is written of a batch where a guard is taken out.
    fn hurt(&self, mut batch: Batch) -> Batch {
        match self.world.sabotage {
            Some(Sabotage::HalfBatch) if !batch.intents.is_empty() => batch.settlements.clear(),
            Some(Sabotage::DropAnswers) => batch.settlements.clear(),
            _ => {}
        }
        batch
    }
}
