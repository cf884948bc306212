//! The dispatcher of a worker: what it tells the other workers, what it hears, and how it begins
//! another round.
//!
//! Must hold: an intent that was granted before this worker was declared dead is never sent. Where
//! one process at a time writes to the ledger, nothing here has an effect.

use super::super::work::Work;
use super::Dispatcher;
use crate::ledger::{Beat, LedgerError, News};
use crate::model::attempt::{PairKey, StartId, Tick, WallMs};
use crate::model::stop::StopReason;
use crate::rules::pair_table::PairTable;
use crate::rules::tally::RunTotals;

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
        self.table = table;
        self.tally = run.tally;
        self.budget.begin_round(&run.tally);
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
    pub(in crate::engine) fn last_beat(&self) -> Option<Beat> {
        self.fleet.as_ref().map(|_| Beat { rate: self.pace.asked(), left: 0 })
    }

    /// Returns the beat that is due, if one is.
    pub(super) fn take_beat(&mut self, now: Tick, wall: WallMs) -> Option<Beat> {
        let is_due = self.fleet.as_mut().is_some_and(|fleet| fleet.beats(now, wall));
        let left = if self.has_work() { self.left } else { 0 };
        is_due.then(|| Beat { rate: self.pace.asked(), left })
    }

    /// Takes the ledger's answer to the last beat into account.
    pub(super) fn heard(&mut self, news: &News, now: Tick, wall: WallMs) {
        let Some(fleet) = &mut self.fleet else { return };
        let heard = fleet.heard(news);
        self.pace.share(news.rate, news.sharers, now);
        if news.has_ended {
            return self.stop(StopReason::TakenOver);
        }
        if heard.has_new_deal {
            self.count_left();
        }
        if !heard.was_revived {
            return;
        }
        tracing::warn!("this worker was silent for too long: what it had not sent is taken back");
        self.intents.outlive();
        for ticket in self.intents.recall_unsent() {
            self.recall(ticket, now, wall);
        }
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
