//! The rows that the engine has in hand: the next one, and those that wait for their retry.
//!
//! Must hold: a row is in one place at a time, and their number is bounded: one at hand, one that goes first, and
//! the retries: no row is taken while so many a slot wait.

use std::collections::BTreeMap;

use crate::model::attempt::PairKey;
use crate::model::subject::Subject;
use crate::rules::body::BodyKind;
use crate::rules::pairs::PairIndex;
use crate::rules::retry::Tick;

/// Retries that may wait, for each slot; more rows are not taken then.
const WAITING_PER_SLOT: usize = 16;

/// A row that passed our own checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its data record, 1-based.
    pub record: u64,
    /// Its pair.
    pub pair: PairKey,
    /// What would be sent.
    pub subject: Subject,
}

/// A pair that is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) at: PairIndex,
    pub(super) row: Candidate,
    /// The body kind in which its arguments were not found, while none is proved.
    pub(super) refused_in: Option<BodyKind>,
}

/// All rows in hand.
pub(super) struct Work {
    row: Option<Job>,
    /// The row that has to go before any other: under trial for its body kind, or held by the budget.
    urgent: Option<Job>,
    /// By the time of the retry; of those with the same time, the first that came goes first.
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

    /// True if the next row can be taken.
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

    /// There are no more rows.
    pub(super) const fn end_rows(&mut self) {
        self.rows_ended = true;
    }

    /// Keeps a row that has to go before any other.
    pub(super) fn put_first(&mut self, job: Job) {
        self.urgent = Some(job);
    }

    /// Keeps a row until its time; it holds no slot.
    pub(super) fn wait_until(&mut self, at: Tick, job: Job) {
        self.ever_waited += 1;
        self.waiting.insert((at, self.ever_waited), job);
    }

    /// The row that is to be sent next: the urgent one, a retry that is due, the row at hand.
    pub(super) fn next(&mut self, now: Tick) -> Option<Job> {
        if self.urgent.is_none() && self.next_due().is_some_and(|due| due <= now) {
            return self.waiting.pop_first().map(|(_, job)| job);
        }
        self.urgent.take().or_else(|| self.row.take())
    }

    /// The time of the next retry.
    pub(super) fn next_due(&self) -> Option<Tick> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// Rows that wait for their retry.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// True if nothing is in hand, and nothing will come.
    pub(super) fn is_over(&self) -> bool {
        self.rows_ended && self.row.is_none() && self.urgent.is_none() && self.waiting.is_empty()
    }

    /// Gives up all that is in hand.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Job> {
        let waiting = std::mem::take(&mut self.waiting).into_values();
        waiting.chain(self.urgent.take()).chain(self.row.take())
    }
}
