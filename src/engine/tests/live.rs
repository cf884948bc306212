//! Plays one start in virtual time: the shipped dispatcher and its loop, with hands that a test
//! controls.
//!
//! Stories and simulated lives use the same code; they differ in their [`Surroundings`]. The
//! invariants are checked here, at every send and every commit, against the [`Book`] and the
//! vendor's log.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::book::{Book, Sale, Terms};
use super::vendor::Answer;
use super::{Halt, Step, must};
use crate::engine::{Dispatcher, EngineOptions, Event, Hands, NextRow, RunState, Ticket, Turn};
use crate::ledger::{Beat, Recorded, SlotsWish, Unrecorded};
use crate::model::attempt::{AttemptId, Batch, PairKey, Tick, WallMs};
use crate::model::reply::Reply;
use crate::model::stop::Signal;
use crate::rules::classify::classify;

/// Maximum number of steps of a start.
const MOST_STEPS: usize = 200_000;

/// An event whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Replies,
    Commit,
    Rows,
    Signal,
}

/// The surroundings of a start, which a test defines.
pub(super) trait Surroundings {
    fn wall(&self) -> WallMs;

    /// Sets the time that the start has reached.
    fn time_passes(&mut self, now: Tick);

    /// Counts one more step. The process may be killed after the step.
    fn step(&mut self) -> Step {
        Ok(())
    }

    /// Returns the vendor's answer to a call, and writes the call into the vendor's log.
    fn answer(&mut self, ticket: &Ticket, at: Tick) -> Step<Answer>;

    /// Returns the time that a batch needs to reach the disk, and the time that the result needs to
    /// come back.
    fn commit_takes(&mut self) -> (Duration, Duration);

    /// Records a batch, or fails to record it.
    fn commit(&mut self, batch: Batch) -> Step<Result<Recorded, Box<Unrecorded>>>;

    /// Returns the pause that the reader makes after each row.
    fn reader_pauses(&mut self) -> Duration {
        Duration::ZERO
    }

    /// Returns the time by which a timer fires late.
    fn timer_is_late(&mut self) -> Duration {
        Duration::ZERO
    }

    /// Chooses which of these events happens first.
    fn pick(&mut self, due: &[Due]) -> Due {
        due[0]
    }

    /// Returns the book and the vendor's log.
    fn books(&mut self) -> (&mut Book, &BTreeMap<u64, Sale>);

    /// Checks for a sabotage: each batch is reported as durable as soon as it is handed over.
    fn tells_early(&self) -> bool {
        false
    }

    /// Checks for a sabotage: `Retry-After` is ignored.
    fn is_deaf(&self) -> bool {
        false
    }

    /// Counts an event, so that a test can prove that the event occurred.
    fn saw(&mut self, _what: &'static str) {}

    /// Prints what happens, if the output is wanted.
    fn tell(&self, _what: impl FnOnce() -> String) {}
}

/// The limits that are checked. They are those that the user asked for, also under a sabotage.
pub(super) struct Limits {
    pub(super) options: EngineOptions,
    pub(super) terms: Terms,
}

struct Flight {
    ticket: Ticket,
    arrives: Tick,
    reply: Reply,
}

/// A batch under way: first to the disk, and then its result on the way back.
enum Commit {
    Going { batch: Batch, done: Tick, back: Duration },
    Told { word: Result<Recorded, Box<Unrecorded>>, at: Tick },
}

/// The vectors that replace tokio, and the data by which the start is checked from outside.
struct Outside {
    now: Tick,
    limits: Limits,
    rows: VecDeque<NextRow>,
    rows_ready: Tick,
    flights: Vec<Flight>,
    commits: VecDeque<Commit>,
    signals: VecDeque<Tick>,
    signals_heard: usize,
    refusals: usize,
    last_second: VecDeque<Tick>,
    /// Time before which nothing may leave.
    hold: Tick,
    calls: u64,
    wakes_in_vain: usize,
    /// Time at which the clock has to stop, because a test wants to look at the start.
    look_at: Option<Tick>,
    /// The reason why the start ended in the middle of a turn.
    halt: Option<Halt>,
}

/// A start under way.
pub(super) struct Live {
    run: Dispatcher,
    outside: Outside,
}

/// The state that a start leaves, and how often the ledger refused facts.
pub(super) struct Played {
    pub(super) state: RunState,
    pub(super) refusals: usize,
}

impl Live {
    pub(super) fn new(
        run: Dispatcher,
        limits: Limits,
        rows: VecDeque<NextRow>,
        signals: impl IntoIterator<Item = Tick>,
    ) -> Self {
        let outside = Outside {
            now: Tick::ZERO,
            limits,
            rows,
            rows_ready: Tick::ZERO,
            flights: Vec::new(),
            commits: VecDeque::new(),
            signals: signals.into_iter().collect(),
            signals_heard: 0,
            refusals: 0,
            last_second: VecDeque::new(),
            hold: Tick::ZERO,
            calls: 0,
            wakes_in_vain: 0,
            look_at: None,
            halt: None,
        };
        Self { run, outside }
    }

    /// Plays the start to its end.
    pub(super) fn play(&mut self, world: &mut impl Surroundings) -> Step {
        for _ in 0..MOST_STEPS {
            if self.step(world)? {
                return Ok(());
            }
        }
        Err(Halt::Broken(format!("no end after {MOST_STEPS} steps")))
    }

    /// Plays one turn of the loop, and moves on to the next event. Returns `true` at the end.
    pub(super) fn step(&mut self, world: &mut impl Surroundings) -> Step<bool> {
        let Self { run, outside } = self;
        let (now, wall) = (outside.now, world.wall());
        let before = outside.commits.len();
        let turn = run.turn(now, wall, &mut Doing { outside, world });
        outside.check()?;
        must(run.snapshot(now).in_flight == outside.flights.len(), || {
            "the dispatcher counts other calls in flight".to_owned()
        })?;
        world.step()?;
        if world.tells_early() && outside.commits.len() > before {
            let word = Event::Recorded(Ok(Recorded::default()));
            run.on(word, now, wall, &mut Doing { outside, world });
        }
        let (until, wants_row) = match turn {
            Turn::Done if outside.commits.is_empty() => return Ok(true),
            Turn::Done => (None, false),
            Turn::Wait { until, wants_row } => (until, wants_row),
        };
        if let Some(due) = outside.wait(until, wants_row, world)? {
            self.happen(due, world)?;
        }
        Ok(false)
    }

    fn happen(&mut self, due: Due, world: &mut impl Surroundings) -> Step {
        let Self { run, outside } = self;
        let (now, wall) = (outside.now, world.wall());
        match due {
            // The dispatcher asks for rows in each turn.
            Due::Rows => {}
            Due::Replies => {
                for (ticket, reply) in outside.arrived(world) {
                    let event = Event::Replied(ticket, reply);
                    run.on(event, now, wall, &mut Doing { outside, world });
                    world.step()?;
                }
            }
            Due::Commit => {
                if let Some(word) = outside.go_on_with_commit(world)?
                    && !(world.tells_early() && word.is_ok())
                {
                    let event = Event::Recorded(word);
                    run.on(event, now, wall, &mut Doing { outside, world });
                }
                world.step()?;
            }
            Due::Signal => {
                outside.signals.pop_front();
                self.signal(world)?;
            }
        }
        Ok(())
    }

    /// Delivers a signal. The first signal lets calls in flight end, and the second stops at once.
    pub(super) fn signal(&mut self, world: &mut impl Surroundings) -> Step {
        let Self { run, outside } = self;
        outside.signals_heard += 1;
        world.saw(if outside.signals_heard > 1 { "a second signal" } else { "a signal" });
        world.tell(|| "a signal".to_owned());
        let (now, wall, event) = (outside.now, world.wall(), Event::Signal(Signal::Interrupt));
        run.on(event, now, wall, &mut Doing { outside, world });
        let waits = outside.signals_heard > 1 && !outside.flights.is_empty();
        must(!waits, || "a second signal waits for calls in flight".to_owned())
    }

    pub(super) fn now(&self) -> Tick {
        self.outside.now
    }

    pub(super) fn run(&self) -> &Dispatcher {
        &self.run
    }

    pub(super) fn in_flight(&self) -> usize {
        self.outside.flights.len()
    }

    /// Returns the batch that has not reached the disk yet if the process is killed now.
    pub(super) fn into_commit(self) -> Option<Batch> {
        self.outside.commits.into_iter().find_map(|commit| match commit {
            Commit::Going { batch, .. } => Some(batch),
            Commit::Told { .. } => None,
        })
    }

    /// Makes the clock stop at this time, whatever happens before or after.
    pub(super) fn look_at(&mut self, time: Tick) {
        self.outside.look_at = Some(time);
    }

    pub(super) fn end(self) -> Played {
        Played { state: self.run.into_state(), refusals: self.outside.refusals }
    }
}

/// The hands of one turn.
struct Doing<'a, S> {
    outside: &'a mut Outside,
    world: &'a mut S,
}

impl<S: Surroundings> Hands for Doing<'_, S> {
    fn send(&mut self, ticket: Ticket) {
        // A dead process does nothing more.
        if self.outside.halt.is_none() {
            let sent = self.outside.send(ticket, self.world);
            self.outside.halt = sent.err();
        }
    }

    fn record(&mut self, batch: Batch) {
        let (there, back) = self.world.commit_takes();
        let is_alone = self.outside.commits.is_empty() || self.world.tells_early();
        assert!(is_alone, "one batch is under way at a time");
        let done = self.outside.now + there;
        self.outside.commits.push_back(Commit::Going { batch, done, back });
    }

    fn beat(&mut self, _: Beat) {
        assert!(self.outside.limits.options.lease.is_some(), "one process at a time writes");
    }

    fn take_slots(&mut self, _: SlotsWish) {
        assert!(self.outside.limits.options.lease.is_some(), "one process at a time writes");
    }

    fn next_row(&mut self) -> NextRow {
        let Outside { now, rows, rows_ready, .. } = self.outside;
        if *now < *rows_ready {
            return NextRow::NotYet;
        }
        let row = rows.pop_front().unwrap_or(NextRow::End);
        *rows_ready = *now + self.world.reader_pauses();
        row
    }

    fn abandon(&mut self) {
        self.outside.flights.clear();
    }
}

impl Outside {
    fn check(&mut self) -> Step {
        self.halt.take().map_or(Ok(()), Err)
    }

    fn send(&mut self, ticket: Ticket, world: &mut impl Surroundings) -> Step {
        world.step()?;
        let (attempt, pair) = (ticket.attempt(), ticket.job().row.pair);
        self.check_send(attempt, pair, world)?;
        let Answer { reply, after, .. } = world.answer(&ticket, self.now)?;
        self.calls += u64::from(classify(&reply).was_sent());
        let arrives = self.now + after;
        self.flights.push(Flight { ticket, arrives, reply });
        let (in_flight, options) = (self.flights.len(), &self.limits.options);
        let most = options.concurrency;
        must(in_flight <= most, || format!("{in_flight} in flight of {most}"))?;
        let calls = self.calls;
        let is_within = options.max_calls.is_none_or(|most| calls <= most);
        must(is_within, || format!("{calls} calls in one start"))?;
        world.step()
    }

    fn check_send(
        &mut self,
        attempt: AttemptId,
        pair: PairKey,
        world: &mut impl Surroundings,
    ) -> Step {
        let (now, hold, wall) = (self.now, self.hold, world.wall());
        // With the guard taken out, this check is off: the consequences have to show elsewhere.
        let is_blind = world.tells_early();
        let (book, _) = world.books();
        let fact = book.facts.get(&attempt.0);
        let is_durable = fact.is_some_and(|fact| fact.pair == pair && fact.settled.is_none());
        must(is_durable || is_blind, || format!("{attempt} is sent before its intent"))?;
        let is_twice = self.flights.iter().any(|flight| flight.ticket.job().row.pair == pair);
        must(!is_twice, || "a pair is in flight twice".to_owned())?;
        book.check_send(pair, attempt.0, &self.limits.terms)?;
        must(now >= hold, || format!("sent at {now:?} in a pause until {hold:?}"))?;
        let options = &self.limits.options;
        // Written out here, so that a mistake of the engine is not made twice.
        let is_late = options.deadline.is_some_and(|by| now >= by.after || wall >= by.at);
        must(!is_late, || "sent after the deadline".to_owned())?;
        self.last_second.push_back(now);
        while self.last_second.front().is_some_and(|at| *at + Duration::from_secs(1) <= now) {
            self.last_second.pop_front();
        }
        let Some(rate) = options.throttle.rate.cap else { return Ok(()) };
        let (sent, most) = (self.last_second.len(), rate + (rate / 100.0).max(1.0));
        must(sent as f64 <= most.ceil(), || format!("{sent} in a second of {rate}/s"))
    }

    /// Moves the clock to the next event. Returns `None` if no event is due but only a timer.
    fn wait(
        &mut self,
        until: Option<Tick>,
        wants_row: bool,
        world: &mut impl Surroundings,
    ) -> Step<Option<Due>> {
        let now = self.now;
        let late = world.timer_is_late();
        let wake = until.map(|at| if at > now { at + late } else { at });
        let commit = self.commits.front().map(|commit| match commit {
            Commit::Going { done, .. } => *done,
            Commit::Told { at, .. } => *at,
        });
        let events = [
            (self.flights.iter().map(|flight| flight.arrives).min(), Due::Replies),
            (commit, Due::Commit),
            (wants_row.then_some(self.rows_ready), Due::Rows),
            (self.signals.front().copied(), Due::Signal),
        ];
        let events: Vec<(Tick, Due)> =
            events.into_iter().filter_map(|(at, due)| Some((at?, due))).collect();
        let look_at = self.look_at.filter(|at| *at > now);
        let first = events.iter().map(|(at, _)| *at).chain(look_at).min();
        let Some(next) = [first, wake].into_iter().flatten().min() else {
            return Err(Halt::Broken("not done, and nothing will happen".to_owned()));
        };
        let is_in_vain = first.is_none_or(|event| event > now) && next <= now;
        self.wakes_in_vain = if is_in_vain { self.wakes_in_vain + 1 } else { 0 };
        let spins = self.wakes_in_vain;
        must(spins <= 1, || "it spins".to_owned())?;
        self.now = now.max(next);
        world.time_passes(self.now);
        let due: Vec<Due> =
            events.into_iter().filter(|(at, _)| *at <= self.now).map(|(_, due)| due).collect();
        Ok((!due.is_empty()).then(|| world.pick(&due)))
    }

    /// Returns the replies that have come, in their order.
    fn arrived(&mut self, world: &mut impl Surroundings) -> Vec<(Ticket, Reply)> {
        let now = self.now;
        let (mut due, rest): (Vec<_>, Vec<_>) =
            self.flights.drain(..).partition(|flight| flight.arrives <= now);
        self.flights = rest;
        due.sort_by_key(|flight| flight.arrives);
        due.iter().for_each(|flight| self.note_pause(flight));
        let is_deaf = world.is_deaf();
        let heard = |mut reply| {
            if let (Reply::Response(response), true) = (&mut reply, is_deaf) {
                response.retry_after = None;
            }
            reply
        };
        due.into_iter().map(|flight| (flight.ticket, heard(flight.reply))).collect()
    }

    /// Notes the time before which nothing may leave after this reply.
    fn note_pause(&mut self, flight: &Flight) {
        let now = self.now;
        if let Reply::Response(response) = &flight.reply
            && let Some(wish) = response.retry_after
        {
            self.hold = self.hold.max(now + wish);
        }
    }

    /// Moves the first batch on: to the disk, or its result back. Returns the result when it is
    /// back.
    fn go_on_with_commit(
        &mut self,
        world: &mut impl Surroundings,
    ) -> Step<Option<Result<Recorded, Box<Unrecorded>>>> {
        match self.commits.pop_front() {
            Some(Commit::Going { batch, back, .. }) => {
                let word = self.execute(batch, world)?;
                self.commits.push_front(Commit::Told { word, at: self.now + back });
                Ok(None)
            }
            Some(Commit::Told { word, .. }) => {
                if word.is_err() {
                    world.saw("a commit failed");
                    self.refusals += 1;
                }
                Ok(Some(word))
            }
            None => Ok(None),
        }
    }

    /// Records a batch in the ledger and in the book, and checks the limits.
    fn execute(
        &mut self,
        batch: Batch,
        world: &mut impl Surroundings,
    ) -> Step<Result<Recorded, Box<Unrecorded>>> {
        let (intents, settlements) = (batch.intents.len(), batch.settlements.len());
        let word = world.commit(batch)?;
        world.tell(|| format!("commit of {intents} and {settlements}: {}", word.is_ok()));
        let run = self.limits.terms.run;
        let (book, log) = world.books();
        let (open, most) = (book.open(), self.limits.options.concurrency);
        must(open <= most, || format!("{open} to be in doubt of {most}"))?;
        if let Some(most) = self.limits.options.max_charges.filter(|_| intents > 0) {
            let in_flight = self.flights.iter().map(|flight| flight.ticket.attempt().0).collect();
            let used = book.used(run, log, &in_flight);
            must(used <= most, || format!("{used} charges, reserved ones too, of {most}"))?;
        }
        Ok(word)
    }
}
