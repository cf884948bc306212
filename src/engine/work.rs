//! The engine's units of work: a row that passed, a job, a ticket to send.
//!
//! These are the only places in a run where a NIK and a name are held, and their number is bounded
//! by the concurrency and by the retries that may wait.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::attempt::{AttemptId, PairKey};
use crate::model::class::{Class, Lost};
use crate::model::subject::Subject;
use crate::rules::body::BodyKind;
use crate::rules::pairs::PairIndex;
use crate::rules::retry::Tick;

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

/// The permission for one send: its intent is durable.
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    pub(super) attempt: AttemptId,
    pub(super) job: Job,
    pub(super) body: BodyKind,
    /// Whether it asks for all, to see if the source answers.
    pub(super) probe: bool,
    /// When it left.
    pub(super) sent_at: Tick,
}

impl Ticket {
    /// What to send.
    pub const fn subject(&self) -> &Subject {
        &self.job.row.subject
    }

    /// In which kind of body.
    pub const fn body(&self) -> BodyKind {
        self.body
    }
}

/// What a settlement changes once it is durable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Applied {
    pub(super) at: PairIndex,
    pub(super) attempt: AttemptId,
    pub(super) class: Class,
    /// The pair may not be asked again in this run.
    pub(super) gives_up: bool,
    /// The engine is done with the pair's row.
    pub(super) leaves: bool,
    /// The refusal was of the body kind, not of the row: no end.
    pub(super) voided: bool,
}

impl Applied {
    /// The same attempt as the next start will find it, its settlement not being durable.
    pub(super) const fn lost(self) -> Self {
        let class = Class::InDoubt(Lost::Killed);
        Self { class, gives_up: false, leaves: true, voided: false, ..self }
    }
}

/// Rows that wait for their retry; they hold no slot.
#[derive(Default)]
pub(super) struct Waiting {
    heap: BinaryHeap<Reverse<Due>>,
    sequence: u64,
}

struct Due {
    at: Tick,
    sequence: u64,
    job: Job,
}

impl Waiting {
    pub(super) fn push(&mut self, at: Tick, job: Job) {
        self.sequence += 1;
        self.heap.push(Reverse(Due { at, sequence: self.sequence, job }));
    }

    /// The row that has waited longest past its time.
    pub(super) fn pop_due(&mut self, now: Tick) -> Option<Job> {
        if self.next_due()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(due)| due.job)
    }

    pub(super) fn next_due(&self) -> Option<Tick> {
        self.heap.peek().map(|Reverse(due)| due.at)
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Takes all that wait.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Job> {
        std::mem::take(&mut self.heap).into_iter().map(|Reverse(due)| due.job)
    }
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
