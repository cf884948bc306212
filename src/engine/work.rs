//! Holds the rows that the engine works on: the next row, the urgent row, and the rows that wait
//! for a retry.
//!
//! Must hold: a row is in one place at a time, and the number of rows is bounded. There is at most
//! one next row and one urgent row. No next row is taken while `WAITING_PER_SLOT` retries wait for
//! each slot.

use std::collections::BTreeMap;

use crate::model::attempt::{PairKey, Tick};
use crate::model::subject::Subject;
use crate::rules::body::BodyKind;
use crate::rules::pair_table::PairIndex;

/// Number of waiting retries, for each slot, from which on no more rows are taken.
const WAITING_PER_SLOT: usize = 16;

/// A row that passed the program's own checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Number of its data record, from 1.
    pub record: u64,
    /// Key of its pair.
    pub pair: PairKey,
    /// The NIK and the name that would be sent.
    pub subject: Subject,
}

/// A row that is to be sent, with the place of its pair in the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) at: PairIndex,
    pub(super) row: Candidate,
    /// The body kind in which the vendor did not find an argument, as long as no body kind is
    /// proved.
    pub(super) refused_in: Option<BodyKind>,
}

/// All rows that the engine works on.
pub(super) struct Work {
    row: Option<Job>,
    /// The row that has to go before any other, because its body kind is on trial or the budget had
    /// no room for it.
    urgent: Option<Job>,
    /// Rows that wait for a retry, in the order of their times. Of the rows with the same time, the
    /// first that came goes first.
    waiting: BTreeMap<(Tick, u64), Job>,
    ever_waited: u64,
    most_waiting: usize,
    rows_ended: bool,
}

impl Work {
    pub(super) fn new(concurrency: usize) -> Self {
        Self {
            row: None,
            urgent: None,
            waiting: BTreeMap::new(),
            ever_waited: 0,
            most_waiting: concurrency * WAITING_PER_SLOT,
            rows_ended: false,
        }
    }

    /// Checks whether the next row can be taken.
    pub(super) fn wants_row(&self) -> bool {
        self.row.is_none() && !self.rows_ended && self.waiting.len() < self.most_waiting
    }

    pub(super) const fn has_row(&self) -> bool {
        self.row.is_some()
    }

    /// Takes the next row.
    pub(super) fn take(&mut self, row: Job) {
        self.row = Some(row);
    }

    /// Records that there are no more rows.
    pub(super) const fn end_rows(&mut self) {
        self.rows_ended = true;
    }

    /// Keeps a row that has to go before any other.
    pub(super) fn put_first(&mut self, job: Job) {
        self.urgent = Some(job);
    }

    /// Keeps a row until the time of its retry. A waiting row holds no slot.
    pub(super) fn wait_until(&mut self, at: Tick, job: Job) {
        self.ever_waited += 1;
        self.waiting.insert((at, self.ever_waited), job);
    }

    /// Returns the row that is to be sent next: the urgent row, a retry that is due, or the next
    /// row of the input.
    pub(super) fn next(&mut self, now: Tick) -> Option<Job> {
        if self.urgent.is_none() && self.next_due().is_some_and(|due| due <= now) {
            return self.waiting.pop_first().map(|(_, job)| job);
        }
        self.urgent.take().or_else(|| self.row.take())
    }

    /// Returns the time of the next retry.
    pub(super) fn next_due(&self) -> Option<Tick> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// Returns the number of rows that wait for a retry.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Checks whether there are no rows and none will come.
    pub(super) fn is_over(&self) -> bool {
        self.rows_ended && self.row.is_none() && self.urgent.is_none() && self.waiting.is_empty()
    }

    /// Gives up all rows and returns them.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Job> {
        let waiting = std::mem::take(&mut self.waiting).into_values();
        waiting.chain(self.urgent.take()).chain(self.row.take())
    }
}
