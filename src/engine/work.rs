//! The rows that the engine has in hand: the next one, and those that wait for their retry.
//!
//! What must hold: a row is in one place at a time, and their number is bounded: one at hand, one that goes first, and
//! so many retries a slot. Here and in a ticket are the only places of a run that hold a NIK and a name.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

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
    waiting: BinaryHeap<Reverse<Due>>,
    /// How many ever waited: of those with the same time the first goes first.
    sequence: u64,
    most_waiting: usize,
    rows_ended: bool,
}

impl Work {
    pub(super) fn new(concurrency: usize) -> Self {
        Self {
            row: None,
            urgent: None,
            waiting: BinaryHeap::new(),
            sequence: 0,
            most_waiting: concurrency * WAITING_PER_SLOT,
            rows_ended: false,
        }
    }

    /// Whether the next row can be taken.
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
        self.sequence += 1;
        self.waiting.push(Reverse(Due { at, sequence: self.sequence, job }));
    }

    /// The row that is to be sent next: the urgent one, a retry that is due, the row at hand.
    pub(super) fn next(&mut self, now: Tick) -> Option<Job> {
        if self.urgent.is_none() && self.next_due().is_some_and(|due| due <= now) {
            return self.waiting.pop().map(|Reverse(due)| due.job);
        }
        self.urgent.take().or_else(|| self.row.take())
    }

    /// When the next retry is due.
    pub(super) fn next_due(&self) -> Option<Tick> {
        self.waiting.peek().map(|Reverse(due)| due.at)
    }

    /// Rows that wait for their retry.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing is in hand, and nothing will come.
    pub(super) fn is_over(&self) -> bool {
        self.rows_ended && self.row.is_none() && self.urgent.is_none() && self.waiting.is_empty()
    }

    /// Gives up all that is in hand.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Job> {
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|Reverse(due)| due.job);
        waiting.chain(self.urgent.take()).chain(self.row.take())
    }
}

/// A row with the time of its retry.
struct Due {
    at: Tick,
    sequence: u64,
    job: Job,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}
