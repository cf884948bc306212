//! The dispatcher: the one owner of a run's state, told of events and of the time.
//!
//! What must hold:
//! - a call leaves only with a [`Ticket`], and a ticket exists only when its intent is durable;
//! - intents without a durable settlement never exceed the concurrency: what a crash leaves in doubt;
//! - budget is reserved before the intent, and a pair that is under way or has an end is never planned;
//! - an answer counts (table, tally) only when its settlement is durable.
//!
//! It does no IO and never waits: `engine::verify` drives it, and a test can do the same in
//! microseconds. How replies are taken is in `engine::settle`.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::Options;
use super::gate::Gate;
use super::report::{Pause, Snapshot, Stats};
use super::work::{Applied, Candidate, Job, Ticket, Waiting};
use crate::model::attempt::{AttemptId, Batch, Intent, WallMs};
use crate::model::money::{Charge, Tally};
use crate::model::stop::StopReason;
use crate::rules::body::BodyTrial;
use crate::rules::brake::FirstVerdicts;
use crate::rules::breaker::{Breaker, Permit};
use crate::rules::budget::{Budget, Reservation};
use crate::rules::pairs::{PairIndex, PairTable};
use crate::rules::retry::{RetryPolicy, Tick};
use crate::rules::streaks::Streaks;
use crate::rules::tally::SoFar;
use crate::rules::throttle::Throttle;

/// Intents are made durable at most so far ahead of their sends.
const AHEAD: Duration = Duration::from_millis(20);
/// Retries that may wait, for each slot; more rows are not taken then.
const WAITING_PER_SLOT: usize = 16;

/// The one owner of a run's state.
pub struct Dispatcher {
    pub(super) table: PairTable,
    pub(super) tally: Tally,
    pub(super) stats: Stats,
    pub(super) budget: Budget,
    pub(super) breaker: Breaker,
    pub(super) throttle: Throttle,
    pub(super) streaks: Streaks,
    pub(super) verdicts: FirstVerdicts,
    pub(super) body: BodyTrial,
    pub(super) retry: RetryPolicy,
    pub(super) waiting: Waiting,
    /// The row that has to go before any other: under trial for its body kind.
    pub(super) urgent: Option<Job>,
    pub(super) in_flight: HashMap<AttemptId, PairIndex>,
    /// Facts to be handed to the ledger next, and what they change once durable.
    pub(super) outbox: Batch,
    pub(super) applied: Vec<Applied>,
    pub(super) stop: Option<StopReason>,
    ledger_failed: bool,
    random: SplitMix,
    gate: Gate,
    concurrency: usize,
    most_mismatches: Option<u8>,
    deadline: Option<Tick>,
    deadline_at: Option<WallMs>,
    row: Option<Job>,
    rows_ended: bool,
    next_attempt: AttemptId,
    /// Tickets whose intents are in the outbox, at the ledger, and durable.
    planned: Vec<Ticket>,
    committing: Option<Committing>,
    unsent: VecDeque<Ticket>,
}

/// What waits for the ledger's word.
struct Committing {
    tickets: Vec<Ticket>,
    applied: Vec<Applied>,
}

/// What a run leaves behind.
pub struct Outcome {
    /// Every pair of the file with what is known of it now.
    pub table: PairTable,
    /// What the run cost so far, all its starts together.
    pub tally: Tally,
    /// Counters of this start.
    pub stats: Stats,
    /// Why it stopped, if it did.
    pub stop: Option<StopReason>,
    /// The first verdicts of the run, all its starts together.
    pub verdicts: FirstVerdicts,
    /// What is known of the body kind now.
    pub body: BodyTrial,
}

impl Dispatcher {
    /// A dispatcher for the pairs of a file, some of them known, in a run that has come so far.
    /// Attempts are numbered from `next_attempt`.
    pub fn new(options: &Options, table: PairTable, run: SoFar, next_attempt: AttemptId) -> Self {
        Self {
            table,
            tally: run.tally,
            stats: Stats::default(),
            budget: Budget::new(options.max_charges, options.max_calls, &run.tally),
            breaker: Breaker::new(options.breaker.clone()),
            throttle: Throttle::new(options.throttle.clone()),
            streaks: Streaks::default(),
            verdicts: run.verdicts,
            body: options.body,
            retry: options.retry.clone(),
            waiting: Waiting::default(),
            urgent: None,
            in_flight: HashMap::new(),
            outbox: Batch::default(),
            applied: Vec::new(),
            stop: None,
            ledger_failed: false,
            random: SplitMix(options.seed),
            gate: Gate::new(options.throttle.rate),
            concurrency: options.concurrency,
            most_mismatches: options.most_mismatches,
            deadline: options.deadline,
            deadline_at: options.deadline_at,
            row: None,
            rows_ended: false,
            next_attempt,
            planned: Vec::new(),
            committing: None,
            unsent: VecDeque::new(),
        }
    }

    /// Whether the next row can be taken.
    pub fn wants_row(&self) -> bool {
        self.row.is_none()
            && !self.rows_ended
            && self.stop.is_none()
            && self.waiting.len() < self.concurrency * WAITING_PER_SLOT
    }

    /// Whether a row is at hand that is to be sent.
    pub const fn has_row(&self) -> bool {
        self.row.is_some()
    }

    /// Takes the next row. One whose pair is known or under way is passed over.
    pub fn offer(&mut self, row: Candidate) {
        let Some(at) = self.table.find(&row.pair) else {
            // The survey did not see this pair: the file is another one now.
            return self.stop(StopReason::InputChanged);
        };
        let state = self.table.state(at);
        if state.end.is_none() && !state.under_way {
            self.table.set_under_way(at, true);
            self.row = Some(Job { at, row, refused_in: None });
        }
    }

    /// There are no more rows.
    pub const fn rows_ended(&mut self) {
        self.rows_ended = true;
    }

    /// Starts nothing more: lets calls in flight end. The first reason stays.
    pub fn stop(&mut self, reason: StopReason) {
        if self.stop.is_none() {
            tracing::warn!(reason = reason.name(), "stopping: nothing more is started");
            self.stop = Some(reason);
            self.drop_work();
        }
    }

    /// Lets time pass: deadline, outages that took too long, the rate that climbs back. Also looks
    /// at the first verdicts: those of earlier starts stop this one before its first call.
    pub fn advance(&mut self, now: Tick, wall: WallMs) {
        let late = self.deadline.is_some_and(|deadline| now >= deadline)
            || self.deadline_at.is_some_and(|deadline| wall >= deadline);
        let given_up = late
            .then_some(StopReason::Deadline)
            .or_else(|| self.breaker.given_up(now))
            .or_else(|| self.throttle.given_up(now))
            .or_else(|| self.most_mismatch().then_some(StopReason::Mismatches));
        if let Some(reason) = given_up.filter(|_| self.has_work()) {
            self.stop(reason);
        }
        if self.throttle.advance(now) {
            self.gate.set_rate(self.throttle.rate(), now);
        }
        if self.stop.is_some() || self.paused(now) {
            self.recall_unsent(now, wall);
        }
    }

    /// Turns waiting work into intents, as many as there are slots. True when it took all the work
    /// at hand and has room for more.
    pub fn plan(&mut self, now: Tick, wall: WallMs) -> bool {
        while self.stop.is_none() && self.may_plan(now) {
            let Some(job) = self.next_job(now) else { return self.wants_row() };
            match self.budget.reserve() {
                Reservation::Granted => self.open(job, wall),
                Reservation::Wait => {
                    self.urgent = Some(job);
                    break;
                }
                Reservation::Refused(reason) => {
                    self.urgent = Some(job);
                    self.stop(reason);
                }
            }
        }
        false
    }

    /// The facts to be made durable next; none while others still are on their way.
    pub fn take_batch(&mut self) -> Option<Batch> {
        // A ledger that refused facts is asked once more, when all answers are in.
        let refused = self.ledger_failed && !self.in_flight.is_empty();
        if refused || self.committing.is_some() || self.outbox.is_empty() {
            return None;
        }
        self.committing = Some(Committing {
            tickets: std::mem::take(&mut self.planned),
            applied: std::mem::take(&mut self.applied),
        });
        Some(std::mem::take(&mut self.outbox))
    }

    /// The facts taken last are durable: answers count, intents may be sent.
    pub fn committed(&mut self) {
        if let Some(Committing { tickets, applied }) = self.committing.take() {
            self.apply(&applied);
            self.unsent.extend(tickets);
        }
    }

    /// The facts taken last could not be recorded: nothing more is sent. Answers among them are
    /// offered once more, intents are dropped: none of them has left.
    pub fn not_committed(&mut self, mut batch: Batch) {
        self.ledger_failed = true;
        self.stop(StopReason::Storage);
        let Some(Committing { tickets, mut applied }) = self.committing.take() else { return };
        for ticket in tickets.into_iter().chain(std::mem::take(&mut self.planned)) {
            self.budget.settle(Charge::Free, false);
            self.table.set_under_way(ticket.job.at, false);
        }
        batch.settlements.append(&mut self.outbox.settlements);
        batch.voids.append(&mut self.outbox.voids);
        self.outbox = Batch { intents: Vec::new(), ..batch };
        applied.append(&mut self.applied);
        self.applied = applied;
    }

    /// The next call that may leave now.
    pub fn next_send(&mut self, now: Tick) -> Option<Ticket> {
        if self.stop.is_some() || self.throttle.paused_until() > now {
            return None;
        }
        self.unsent.front()?;
        let permit = self.breaker.permit(now);
        if !matches!(permit, Permit::Free | Permit::Probe) || self.gate.check(now).is_err() {
            return None;
        }
        let mut ticket = self.unsent.pop_front()?;
        ticket.sent_at = now;
        if permit == Permit::Probe {
            ticket.probe = true;
            self.breaker.probe_sent();
        }
        self.stats.retries += u64::from(self.table.state(ticket.job.at).spent.sends > 0);
        self.in_flight.insert(ticket.attempt, ticket.job.at);
        Some(ticket)
    }

    /// When to look again if nothing happens before.
    pub fn wake_at(&mut self, now: Tick) -> Option<Tick> {
        if self.stop.is_some() {
            // What has not left is taken back at once; all else is in flight or at the ledger.
            return (!self.unsent.is_empty()).then_some(now);
        }
        let mut times = vec![self.breaker.gives_up_at(), self.throttle.gives_up_at()];
        times.push(self.deadline);
        times.push(self.waiting.next_due());
        if self.has_work() {
            times.push(Some(self.throttle.paused_until()));
            if let Permit::NotBefore(at) = self.breaker.permit(now) {
                times.push(Some(at));
            }
        }
        if !self.unsent.is_empty() {
            times.push(self.gate.check_again_at());
        }
        if self.throttle.rate() != self.throttle.asked() {
            times.push(Some(self.throttle.climbs_at()));
        }
        times.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// Whether nothing is left to do: all work done, or stopped, and every fact durable.
    pub fn is_done(&self) -> bool {
        let idle = self.in_flight.is_empty()
            && self.unsent.is_empty()
            && self.planned.is_empty()
            && self.committing.is_none()
            && self.outbox.is_empty();
        idle && (self.stop.is_some() || (self.rows_ended && !self.has_work()))
    }

    /// Whether more of the first verdicts are mismatches than the user bears.
    fn most_mismatch(&self) -> bool {
        self.most_mismatches.is_some_and(|percent| self.verdicts.mismatches_over(percent))
    }

    /// Whether anything waits to be sent, or may still come.
    fn has_work(&self) -> bool {
        !self.rows_ended
            || self.row.is_some()
            || self.urgent.is_some()
            || self.waiting.len() > 0
            || !self.unsent.is_empty()
    }

    /// A glimpse for the progress.
    pub fn snapshot(&self, now: Tick) -> Snapshot {
        let pause = match self.stop {
            Some(reason) => Some(Pause::Draining(reason)),
            None if self.breaker.is_open() => Some(Pause::Outage(self.breaker.why())),
            None => (self.throttle.paused_until() > now).then_some(Pause::Throttled),
        };
        Snapshot {
            now,
            finished: self.stats.finished,
            sent: self.stats.sent,
            matches: self.stats.matches,
            mismatches: self.stats.mismatches,
            tally: self.tally,
            in_flight: self.in_flight.len(),
            waiting: self.waiting.len(),
            pause,
        }
    }

    /// What the run leaves behind. Answers that could not be made durable are in doubt: so will the
    /// next start find them.
    pub fn into_outcome(mut self) -> Outcome {
        for lost in std::mem::take(&mut self.applied) {
            self.apply(&[lost.lost()]);
        }
        let Self { table, tally, stats, stop, verdicts, body, .. } = self;
        Outcome { table, tally, stats, stop, verdicts, body }
    }

    /// Whether one more intent may be made.
    fn may_plan(&self, now: Tick) -> bool {
        let ahead = self.unsettled_intents();
        let outstanding = ahead + self.in_flight.len();
        if outstanding >= self.concurrency || self.throttle.paused_until() > now + AHEAD {
            return false;
        }
        let most_ahead = match self.breaker.permit(now) {
            Permit::NotBefore(_) | Permit::Probing => 0,
            Permit::Probe => 1,
            Permit::Free if !self.body.is_proved() => 1_usize.saturating_sub(outstanding),
            Permit::Free => match self.throttle.rate() {
                Some(rate) => (rate * AHEAD.as_secs_f64()).ceil() as usize,
                None => self.concurrency,
            },
        };
        ahead < most_ahead
    }

    /// Intents that are made and have not left.
    fn unsettled_intents(&self) -> usize {
        let committing = self.committing.as_ref().map_or(0, |c| c.tickets.len());
        self.planned.len() + committing + self.unsent.len()
    }

    fn next_job(&mut self, now: Tick) -> Option<Job> {
        if let Some(job) = self.urgent.take() {
            return Some(job);
        }
        self.waiting.pop_due(now).or_else(|| self.row.take())
    }

    fn open(&mut self, job: Job, wall: WallMs) {
        let attempt = self.next_attempt;
        self.next_attempt = AttemptId(attempt.0 + 1);
        let (pair, record) = (job.row.pair, job.row.record);
        self.outbox.intents.push(Intent { attempt, pair, record, at: wall });
        let body = self.body.kind(job.refused_in);
        self.planned.push(Ticket { attempt, job, body, probe: false, sent_at: Tick::ZERO });
    }

    /// A long pause: an intent that stays unsent through it would be in doubt after a crash.
    fn paused(&self, now: Tick) -> bool {
        let long = now + Duration::from_secs(1);
        match self.breaker.permit(now) {
            Permit::NotBefore(_) | Permit::Probing => true,
            Permit::Free | Permit::Probe => self.throttle.paused_until() > long,
        }
    }

    /// Settles as not sent every intent that is durable and has not left.
    fn recall_unsent(&mut self, now: Tick, wall: WallMs) {
        for ticket in std::mem::take(&mut self.unsent) {
            self.recall(ticket, now, wall);
        }
    }

    /// Forgets work that will not be done in this start.
    fn drop_work(&mut self) {
        let jobs = self.waiting.drain().chain(self.urgent.take()).chain(self.row.take());
        for job in jobs {
            self.table.set_under_way(job.at, false);
        }
    }

    /// A number in `0.0..1.0` for the next jitter.
    pub(super) fn jitter(&mut self) -> f64 {
        self.random.next()
    }

    /// Lets the gate follow the throttle.
    pub(super) fn slow_down(&mut self, now: Tick) {
        self.gate.set_rate(self.throttle.rate(), now);
    }
}

/// A small seeded generator: jitter has to be spread, not secret.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
