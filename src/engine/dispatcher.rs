//! The dispatcher: owns all state of a run and makes all decisions.
//!
//! It is given the time and the events. Its decisions are carried out by its [`Hands`]: those of
//! `engine::verify` use tokio, and those of a test use vectors. Its parts `work`, `intents`, `pace`
//! and `watch` keep their own invariants.
//!
//! Must hold:
//! - budget is reserved before the intent, and a pair that is under way or has an end is never
//!   planned;
//! - intents without a durable settlement never exceed the concurrency, so that a crash leaves no
//!   more pairs than that in doubt;
//! - an answer counts (in the table and the tally) only when its settlement is durable.
//!
//! Never: does IO or waits.

mod replies;
mod workers;

use super::fleet::Fleet;
use super::intents::{Committed, Effect, Intents, Next, Ticket};
use super::notice::{Notice, Notices};
use super::pace::Pace;
use super::report::{Pause, Snapshot, Stats};
use super::watch::Watch;
use super::work::{Candidate, Job, Work};
use super::{Deadline, EngineOptions};
use crate::ledger::{Beat, LedgerError, News, Recorded, Slots, SlotsWish, Unrecorded};
use crate::model::attempt::{Batch, StartId, Tick, WallMs};
use crate::model::class::{Class, ResultCode};
use crate::model::money::{Charge, Tally};
use crate::model::reply::Reply;
use crate::model::stop::{Reach, Signal, StopReason};
use crate::rules::body::BodyTrial;
use crate::rules::budget::{Budget, Reservation};
use crate::rules::first_verdicts::FirstVerdicts;
use crate::rules::pair_table::{Holder, PairTable};
use crate::rules::rate::Learned;
use crate::rules::retry::RetryPolicy;
use crate::rules::tally::{RunTotals, count};

/// The actions that the dispatcher decides on.
pub trait Hands {
    /// Sends a call. Its reply comes back as [`Event::Replied`].
    fn send(&mut self, ticket: Ticket);

    /// Hands facts to the ledger. The ledger's result comes back as [`Event::Recorded`]. Until
    /// then, no other facts are handed over.
    fn record(&mut self, batch: Batch);

    /// Gives the ledger a sign of life. The ledger's answer comes back as [`Event::Heard`]. Until
    /// then, no other beat is given. Never called where one process at a time writes.
    fn beat(&mut self, beat: Beat);

    /// Asks the ledger for slots of a shared rate. Its answer comes back as [`Event::Slots`]. Until
    /// then, no others are asked for. Never called where one process at a time writes.
    fn take_slots(&mut self, wish: SlotsWish);

    /// Returns the next row, if it is available.
    fn next_row(&mut self) -> NextRow;

    /// Gives up all calls under way.
    fn abandon(&mut self);
}

/// The next row of the file.
#[derive(Debug)]
pub enum NextRow {
    /// The next row.
    Row(Candidate),
    /// The next row is still being read.
    NotYet,
    /// There are no more rows.
    End,
    /// The rows broke off for this reason.
    Broken(StopReason),
}

/// An event that the dispatcher reacts to.
#[derive(Debug)]
pub enum Event {
    /// A call got this reply.
    Replied(Ticket, Reply),
    /// The ledger's result for the facts that were handed over last.
    Recorded(Result<Recorded, Box<Unrecorded>>),
    /// The ledger's answer to the last beat.
    Heard(Result<News, LedgerError>),
    /// The ledger's answer to the last wish for slots; `None` if it did not answer.
    Slots(Option<Slots>),
    /// A signal asks to stop. The first signal lets calls in flight end, and the second does not
    /// wait for them.
    Signal(Signal),
}

/// The result of a turn: the work that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The next event must be waited for.
    Wait {
        /// Time of the next turn if no event comes before; `None` if only an event can change
        /// anything.
        until: Option<Tick>,
        /// True if a row that becomes available also calls for a turn.
        wants_row: bool,
    },
    /// Nothing is left: all work is done or stopped, and every fact is durable or the ledger was
    /// given up.
    Done,
}

/// The owner of all state of a run.
pub struct Dispatcher {
    table: PairTable,
    tally: Tally,
    /// Number of matches of the run, over all its starts.
    matches: u64,
    /// Number of pairs of the run that have no end yet, as far as it is known.
    left_in_run: u64,
    budget: Budget,
    work: Work,
    intents: Intents,
    pace: Pace,
    watch: Watch,
    body: BodyTrial,
    /// True if the user chose the body kind, so that no answer has proved it.
    is_body_chosen: bool,
    retry: RetryPolicy,
    concurrency: usize,
    deadline: Option<Deadline>,
    stop: Option<StopReason>,
    was_interrupted: bool,
    /// This worker among others; `None` where one process at a time writes to the ledger.
    fleet: Option<Fleet>,
    /// Number of pairs that this worker has still to send in its round, as far as it knows.
    left: u64,
    /// Number of verdicts that the other workers were told of.
    told_verdicts: u32,
    /// Reason to stop that the other workers must be told.
    untold_stop: Option<StopReason>,
    /// The reason why the ledger no longer answers, if it gave one.
    silence: Option<LedgerError>,
    notices: Notices,
}

/// The state that a start leaves behind.
pub struct RunState {
    /// Every pair of the file, with its current state.
    pub table: PairTable,
    /// Costs of the run so far, over all its starts.
    pub tally: Tally,
    /// Counters of this start.
    pub stats: Stats,
    /// The reason why the run stopped, if it stopped before its end.
    pub stop: Option<StopReason>,
    /// The first verdicts of the run, over all its starts.
    pub verdicts: FirstVerdicts,
    /// Current knowledge of the body kind that the vendor accepts.
    pub body: BodyTrial,
    /// Limits of the vendor that this start has found out.
    pub learned: Learned,
    /// The reason why the ledger refused facts, if it refused any.
    pub failure: Option<LedgerError>,
}

impl Dispatcher {
    /// Creates a dispatcher for the pairs of a file. `table` contains what is known of each pair,
    /// and `run` the costs and verdicts of earlier starts.
    pub fn new(options: &EngineOptions, table: PairTable, run: RunTotals, start: StartId) -> Self {
        Self {
            left_in_run: table.to_send(),
            table,
            tally: run.tally,
            matches: run.matches,
            budget: match options.lease {
                None => Budget::new(options.max_charges, options.max_calls, &run.tally),
                Some(_) => Budget::shared(options.max_charges, options.max_calls),
            },
            work: Work::new(options.concurrency),
            intents: Intents::new(start),
            pace: Pace::new(options),
            watch: Watch::new(run.verdicts, options.most_mismatches, options.lease.is_some()),
            body: options.body,
            is_body_chosen: options.body.is_proved(),
            retry: options.retry,
            concurrency: options.concurrency,
            deadline: options.deadline,
            stop: None,
            was_interrupted: false,
            fleet: options.lease.map(|lease| Fleet::new(start, lease)),
            left: 0,
            told_verdicts: 0,
            untold_stop: None,
            silence: None,
            notices: Notices::default(),
        }
    }

    /// Does everything that can be done now, and returns the work that is left.
    pub fn turn(&mut self, now: Tick, wall: WallMs, hands: &mut impl Hands) -> Turn {
        self.advance(now, wall);
        // Sends come first, because each send makes room for one more intent.
        while let Some(ticket) = self.next_send(now, wall) {
            hands.send(ticket);
        }
        self.take_rows(hands);
        while self.plan(now, wall) && self.take_rows(hands) {}
        self.intents.note_pauses(self.pace.take_pauses(now, wall));
        if let Some(batch) = self.intents.take_batch() {
            hands.record(batch);
        }
        if let Some(wish) = self.take_slots_wish(now, wall) {
            hands.take_slots(wish);
        }
        if let Some(beat) = self.take_beat(now, wall) {
            hands.beat(beat);
        }
        let is_at_end = self.stop.is_some() || !self.has_work();
        if is_at_end && self.intents.is_over() {
            return Turn::Done;
        }
        Turn::Wait { until: self.next_wake(now), wants_row: self.wants_row() }
    }

    /// Takes an event into account.
    pub fn on(&mut self, event: Event, now: Tick, wall: WallMs, hands: &mut impl Hands) {
        match event {
            Event::Replied(ticket, reply) => self.replied(ticket, reply, now, wall),
            Event::Recorded(Ok(recorded)) => self.committed(&recorded, now, wall),
            Event::Recorded(Err(unrecorded)) => self.not_committed(*unrecorded),
            Event::Heard(Ok(news)) => self.heard(&news, now, wall),
            Event::Heard(Err(error)) => self.hears_nothing(error),
            Event::Slots(told) => self.pace.hear_slots(told, now, wall),
            Event::Signal(signal) => {
                if std::mem::replace(&mut self.was_interrupted, true) {
                    hands.abandon();
                    self.abandon(wall);
                } else if self.stop.is_some() {
                    // The user is told that the calls under way are still waited for.
                    let in_flight = self.intents.in_flight();
                    let reason = StopReason::Interrupted(signal);
                    self.notices.add(Notice::Stopping { reason, in_flight });
                }
                self.stop(StopReason::Interrupted(signal));
            }
        }
    }

    /// Returns a snapshot for the progress display.
    pub fn snapshot(&self, now: Tick) -> Snapshot {
        let stats = &self.watch.stats;
        Snapshot {
            now,
            left: self.left_in_run,
            sent: stats.sent,
            matches: self.matches,
            tally: self.tally,
            in_flight: self.intents.in_flight(),
            waiting: self.work.waiting(),
            pause: self.stop.map(Pause::Draining).or_else(|| self.pace.pause(now)),
        }
    }

    /// Takes the oldest notice for the user.
    pub fn take_notice(&mut self) -> Option<Notice> {
        self.notices.take().or_else(|| self.pace.take_notice())
    }

    /// Returns the state that the run leaves behind. Answers that could not be made durable are in
    /// doubt, because the next start will find them in doubt.
    pub fn into_state(mut self) -> RunState {
        let intents = std::mem::replace(&mut self.intents, Intents::new(StartId(0)));
        let (lost, failure) = intents.into_unrecorded();
        lost.for_each(|effect| self.apply(effect));
        let Self { table, tally, watch, stop, body, pace, silence, .. } = self;
        let failure = failure.or(silence);
        let learned = pace.learned();
        let (stats, verdicts) = watch.into_parts();
        RunState { table, tally, stats, stop, verdicts, body, learned, failure }
    }

    /// Lets time pass: checks the deadline and the length of outages, and lets the rate
    /// change. Also checks the first verdicts, so that the verdicts of earlier starts stop this start
    /// before its first call.
    fn advance(&mut self, now: Tick, wall: WallMs) {
        let is_late = self.deadline.is_some_and(|deadline| deadline.has_passed(now, wall));
        let too_many = self.watch.has_too_many_mismatches();
        let given_up = is_late
            .then_some(StopReason::Deadline)
            .or_else(|| self.pace.given_up(now))
            .or_else(|| too_many.then_some(StopReason::Mismatches));
        if let Some(reason) = given_up.filter(|_| self.has_work()) {
            self.stop(reason);
        }
        self.pace.advance(now);
        // An intent that stays unsent through a long pause would be in doubt after a crash.
        let is_paused = self.pace.is_long_pause(now) || !self.has_lease(now, wall);
        if self.stop.is_some() || is_paused {
            for ticket in self.intents.recall_unsent() {
                self.recall(ticket, now, wall);
            }
        }
    }

    /// Returns the ticket of the next call that may leave now.
    fn next_send(&mut self, now: Tick, wall: WallMs) -> Option<Ticket> {
        let may_send = self.stop.is_none() && self.has_lease(now, wall);
        let at = self.intents.next_unsent().filter(|_| may_send)?;
        let is_probe = self.pace.permits_send(now, wall)?;
        self.watch.stats.retries += u64::from(self.table.state(at).spent.sends > 0);
        self.intents.send(is_probe, now)
    }

    /// Takes rows as long as they are wanted and available. Returns `true` if there is a row to be
    /// sent.
    fn take_rows(&mut self, hands: &mut impl Hands) -> bool {
        while self.wants_row() {
            match hands.next_row() {
                NextRow::Row(row) => self.offer(row),
                NextRow::NotYet => return false,
                NextRow::End => self.work.end_rows(),
                NextRow::Broken(reason) => self.stop(reason),
            }
        }
        self.work.has_row()
    }

    fn wants_row(&self) -> bool {
        self.stop.is_none() && self.work.wants_row()
    }

    /// Takes the next row. A row whose pair is known or under way is skipped.
    fn offer(&mut self, row: Candidate) {
        let Some(at) = self.table.find(&row.pair) else {
            // The survey did not see this pair, so the file has changed.
            return self.stop(StopReason::InputChanged);
        };
        let state = self.table.state(at);
        if state.end.is_none() && state.holder == Holder::Nobody && self.takes(&row.pair) {
            self.table.set_holder(at, Holder::Engine);
            self.work.take(Job { at, row, refused_in: None });
        }
    }

    /// Turns waiting rows into intents, as many as there are slots. Returns `true` if it used all
    /// available rows and wants another one.
    fn plan(&mut self, now: Tick, wall: WallMs) -> bool {
        while self.stop.is_none() && self.may_plan(now, wall) {
            let Some(job) = self.work.next(now) else {
                return self.wants_row();
            };
            match self.budget.reserve() {
                Reservation::Granted => {
                    let body = self.body.kind(job.refused_in);
                    let version = self.table.state(job.at).version;
                    self.intents.make(job, body, version, wall);
                }
                Reservation::Wait => {
                    self.work.put_first(job);
                    break;
                }
                Reservation::Refused(reason) => {
                    self.work.put_first(job);
                    self.stop(reason);
                }
            }
        }
        false
    }

    /// Checks whether one more intent may be made.
    fn may_plan(&self, now: Tick, wall: WallMs) -> bool {
        if !self.has_lease(now, wall) {
            return false;
        }
        let ahead = self.intents.ahead();
        let outstanding = ahead + self.intents.in_flight();
        // As long as no body kind is proved, one call is made at a time.
        let most_outstanding = if self.body.is_proved() { self.concurrency } else { 1 };
        outstanding < most_outstanding && self.pace.most_ahead(now).is_none_or(|most| ahead < most)
    }

    /// Takes into account that the facts handed over last are durable: answers count, and intents
    /// may be sent.
    fn committed(&mut self, recorded: &Recorded, now: Tick, wall: WallMs) {
        let Committed { effects, granted, refused, outlived } = self.intents.committed(recorded);
        effects.into_iter().for_each(|effect| self.apply(effect));
        granted.into_iter().for_each(|at| self.table.note_change(at));
        self.watch.stats.elsewhere += refused.len() as u64;
        refused.into_iter().for_each(|job| self.drop_intent(&job));
        outlived.into_iter().for_each(|ticket| self.recall(ticket, now, wall));
        if recorded.was_fenced {
            self.was_fenced(now);
        }
        if recorded.taken_over {
            self.stop(StopReason::TakenOver);
        }
    }

    /// Takes into account that the facts handed over last could not be recorded: nothing more is
    /// sent.
    fn not_committed(&mut self, unrecorded: Unrecorded) {
        self.stop(StopReason::Storage);
        let dropped: Vec<Job> = self.intents.not_committed(unrecorded).collect();
        dropped.iter().for_each(|job| self.drop_intent(job));
    }

    /// Forgets an intent that is not durable and therefore was never sent.
    fn drop_intent(&mut self, job: &Job) {
        self.budget.settle(Charge::Free, false);
        self.table.set_holder(job.at, Holder::Nobody);
    }

    /// Applies the effect of a settlement to the table and the tally.
    fn apply(&mut self, effect: Effect) {
        let Effect { at, attempt, class, voided, next } = effect;
        let had_end = self.table.state(at).end.is_some();
        count(&mut self.tally, class, 1);
        self.matches += u64::from(class == Class::Answered(ResultCode::Match));
        self.table.settle(at, attempt, class, voided);
        if next == Next::GivenUp {
            self.table.give_up(at);
        }
        let has_end = self.table.state(at).end.is_some();
        let ended = u64::from(has_end && !had_end);
        self.watch.stats.finished += ended;
        self.left = self.left.saturating_sub(ended);
        self.left_in_run = self.left_in_run.saturating_sub(ended);
        if next != Next::Again {
            self.table.set_holder(at, Holder::Nobody);
        }
    }

    /// Stops the run: nothing more is started, and calls in flight may end. The first reason is
    /// kept, and told to the other workers if it concerns them.
    fn stop(&mut self, reason: StopReason) {
        if self.stop.is_none() {
            self.untold_stop = (reason.reach() != Reach::Worker).then_some(reason);
            let in_flight = self.intents.in_flight();
            self.notices.add(Notice::Stopping { reason, in_flight });
            self.stop = Some(reason);
            for job in self.work.drain() {
                self.table.set_holder(job.at, Holder::Nobody);
            }
        }
    }

    /// Checks whether anything waits to be sent, or may still come.
    fn has_work(&self) -> bool {
        !self.work.is_over() || self.intents.next_unsent().is_some()
    }

    /// Returns the time of the next turn if no event comes before.
    fn next_wake(&self, now: Tick) -> Option<Tick> {
        let has_unsent = self.intents.next_unsent().is_some();
        if self.stop.is_some() {
            // Unsent intents are recalled at once. Everything else is in flight or with the ledger.
            return has_unsent.then_some(now);
        }
        let times = self.pace.wakes(now, self.has_work(), has_unsent);
        let times = times
            .into_iter()
            .chain([self.deadline.map(|deadline| deadline.after), self.work.next_due()])
            .chain([self.fleet.as_ref().and_then(|fleet| fleet.wakes(now))]);
        times.flatten().filter(|at| *at > now).min()
    }
}
