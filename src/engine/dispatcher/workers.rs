//! The dispatcher of a worker: what it tells the other workers, what it hears, and how it begins
//! another round.
//!
//! Must hold: an intent that was granted before this worker was declared dead is never sent. Where
//! one process at a time writes to the ledger, nothing here has an effect.

use std::time::Duration;

use super::super::work::Work;
use super::Dispatcher;
use crate::ledger::{Beat, LedgerError, News, SlotsWish};
use crate::model::attempt::{PairKey, StartId, Tick, WallMs};
use crate::model::money::Charge;
use crate::model::stop::StopReason;
use crate::rules::body::{BodyKind, BodyTrial};
use crate::rules::pair_table::{Holder, PairTable};
use crate::rules::room::RoomWish;
use crate::rules::tally::RunTotals;

/// Number of verdicts that are told together, until the first verdicts of the run are known.
const TOLD_TOGETHER: u32 = 16;
/// Time for whose calls room is asked for at once.
const ROOM_FOR: Duration = Duration::from_secs(5);
/// Room that is asked for at once for each call that may be in flight, where there is no rate.
const ROOM_FOR_A_SLOT: u64 = 50;

impl Dispatcher {
    /// Gives the table back, so that the facts can be folded into it once more.
    pub fn take_table(&mut self) -> PairTable {
        std::mem::take(&mut self.table)
    }

    /// Takes a table back into which the facts could not be folded.
    pub fn put_table(&mut self, table: PairTable) {
        self.table = table;
    }

    /// Begins another round over the rows. `table` contains what is known of each pair now, `run`
    /// the costs and verdicts of all workers, and `others` the other living workers.
    pub fn begin_round(&mut self, table: PairTable, run: RunTotals, others: &[StartId]) {
        self.left_in_run = table.to_send();
        self.table = table;
        (self.tally, self.matches) = (run.tally, run.matches);
        self.budget.begin_round();
        self.pace.begin_round();
        self.watch.begin_round(run.verdicts);
        self.work = Work::new(self.concurrency);
        if let Some(fleet) = &mut self.fleet {
            fleet.begin_round(others);
        }
        self.count_left();
    }

    /// Returns the number of pairs that this worker has still to send in its round.
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// Stops between two rounds.
    pub fn give_up(&mut self, reason: StopReason) {
        self.stop(reason);
    }

    /// Checks whether the ledger refused facts, or no longer answers.
    pub const fn has_failed(&self) -> bool {
        self.intents.has_failed() || self.silence.is_some()
    }

    /// Checks whether this start has stopped.
    pub const fn has_stopped(&self) -> bool {
        self.stop.is_some()
    }

    /// Returns the reason why this start stopped, if it did.
    pub const fn stop_reason(&self) -> Option<StopReason> {
        self.stop
    }

    /// Returns the beat with which this worker ends a round: it has nothing left to send.
    pub(in crate::engine) fn last_beat(&mut self) -> Option<Beat> {
        self.fleet.as_mut()?.end_round();
        Some(self.make_beat(true))
    }

    /// Returns the beat that is due, if one is.
    pub(super) fn take_beat(&mut self, now: Tick, wall: WallMs) -> Option<Beat> {
        let is_idle = self.stop.is_some() || !self.has_work();
        let verdicts = self.watch.verdict_count();
        let has_verdicts =
            verdicts.wants_first && verdicts.recorded >= self.told_verdicts + TOLD_TOGETHER;
        let wants_room = !is_idle && self.budget.asks_for_room();
        let is_urgent =
            wants_room || has_verdicts || self.untold_stop.is_some() || self.pace.has_untold();
        let is_due = self.fleet.as_mut().is_some_and(|fleet| fleet.beats(is_urgent, now, wall));
        is_due.then(|| self.make_beat(is_idle))
    }

    /// Makes a beat. An idle worker gives its unused room back once everything is recorded.
    fn make_beat(&mut self, is_idle: bool) -> Beat {
        let verdicts = self.watch.verdict_count();
        self.told_verdicts = verdicts.recorded;
        // A worker that can send nothing leaves it to others to try whether the source answers.
        let can_send = !is_idle && !self.budget.is_stuck() && !self.pace.is_cut_off();
        Beat {
            rate: self.pace.told_rate(),
            // The rows that wait for a retry may be the last ones, and are not counted.
            left: if can_send { self.left.max(1) } else { 0 },
            verdicts,
            body: self.proved_body(),
            room: self.room_wish(is_idle),
            source: self.pace.take_untold(),
            stop: self.untold_stop.take(),
        }
    }

    fn room_wish(&mut self, is_idle: bool) -> Option<RoomWish> {
        // What could not be recorded may be recorded all the same: the ledger knows better.
        if self.intents.has_failed() {
            return None;
        }
        let lot = self.pace.rate().map_or(ROOM_FOR_A_SLOT * self.concurrency as u64, |rate| {
            (rate * ROOM_FOR.as_secs_f64()).ceil() as u64
        });
        let gives_back = is_idle && self.intents.is_recorded();
        let wish = self.budget.room_wish(lot.max(1), gives_back);
        if gives_back {
            self.budget.drop_unused_room();
        }
        wish.map(|wish| if is_idle { RoomWish { more: 0, ..wish } } else { wish })
    }

    /// Returns the body kind that an answer has proved, here or at another worker.
    fn proved_body(&self) -> Option<BodyKind> {
        match self.body {
            BodyTrial::Proved(kind) if !self.is_body_chosen => Some(kind),
            BodyTrial::Proved(_) | BodyTrial::Trying(_) => None,
        }
    }

    /// Takes the ledger's answer to the last beat into account.
    pub(super) fn heard(&mut self, news: &News, now: Tick, wall: WallMs) {
        let Some(heard) = self.fleet.as_mut().and_then(|fleet| fleet.heard(news)) else { return };
        self.pace.hear(news, now);
        self.body.hear(news.body);
        if let Some(room) = news.room {
            self.budget.give_room(room);
        }
        if let Some(verdicts) = news.verdicts {
            self.watch.hear(verdicts);
        }
        if let Some(reason) = news.stop {
            self.hear_stop(reason);
        }
        if news.has_ended {
            return self.stop(StopReason::TakenOver);
        }
        if heard.has_new_deal {
            self.count_left();
        }
        if !heard.was_revived {
            return;
        }
        tracing::warn!(
            "this worker was silent for too long: other workers take over what it had not sent"
        );
        self.intents.outlive();
        for ticket in self.intents.recall_unsent() {
            self.recall(ticket, now, wall);
        }
    }

    /// Checks whether some facts are not recorded yet.
    pub fn has_unrecorded(&self) -> bool {
        !self.intents.is_recorded()
    }

    /// Stops for a reason that another worker has found. The others know it already.
    pub fn hear_stop(&mut self, reason: StopReason) {
        if self.stop.is_some() {
            return;
        }
        self.stop(reason);
        self.untold_stop = None;
        if reason == StopReason::RefusalsInRow {
            self.intents.void(self.watch.take_retryable_refusals());
        }
    }

    /// Takes into account that a batch was fenced: this worker was declared dead. What it believes
    /// to have may be another's by now, so it plans and sends nothing until it has heard.
    pub(super) fn was_fenced(&mut self, now: Tick) {
        if let Some(fleet) = &mut self.fleet {
            fleet.lose_lease();
        }
        for job in self.intents.drop_planned() {
            self.budget.settle(Charge::Free, false);
            match self.stop {
                None => self.work.wait_until(now, job),
                Some(_) => self.table.set_holder(job.at, Holder::Nobody),
            }
        }
        self.budget.doubt_room();
    }

    /// Returns the wish for slots that is due, if one is.
    pub(super) fn take_slots_wish(&mut self, now: Tick, wall: WallMs) -> Option<SlotsWish> {
        let may_send = self.stop.is_none() && self.has_lease(now, wall);
        let (ahead, in_flight) = match may_send {
            true => (self.intents.ahead(), self.intents.in_flight()),
            false => (0, 0),
        };
        self.pace.take_slots_wish(ahead, in_flight, now, wall)
    }

    /// Takes into account that the ledger has not answered for too long.
    pub(super) fn hears_nothing(&mut self, error: LedgerError) {
        self.silence = Some(error);
        self.stop(StopReason::Storage);
    }

    /// Checks whether calls may be sent now, as far as the other workers are concerned.
    pub(in crate::engine) fn has_lease(&self, now: Tick, wall: WallMs) -> bool {
        self.fleet.as_ref().is_none_or(|fleet| fleet.has_lease(now, wall))
    }

    /// Checks whether a pair falls to this worker.
    pub(super) fn takes(&self, pair: &PairKey) -> bool {
        self.fleet.as_ref().is_none_or(|fleet| fleet.takes(pair))
    }

    /// Counts the pairs that this worker has still to send.
    fn count_left(&mut self) {
        if self.fleet.is_some() {
            self.left = self.table.left_for(|pair| self.takes(pair));
        }
    }
}
