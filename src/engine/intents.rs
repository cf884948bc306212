//! The seam to the ledger: intents on their way to a call, and settlements on their way to count.
//!
//! Must hold:
//! - a call leaves only with a [`Ticket`], and one is made only of an intent that the ledger has granted: no other file
//!   can make one;
//! - one batch is under way at a time; what gathers meanwhile is the next;
//! - a settlement has an effect only once it is durable;
//! - a batch that the ledger refused is offered once more, without its intents, when all answers are in. A ledger that
//!   refuses that too is left.

use std::collections::{HashMap, VecDeque};

use super::work::Job;
use crate::ledger::{LedgerError, Recorded, Unrecorded};
use crate::model::attempt::{AttemptId, Batch, Intent, Settlement, StartId, WallMs};
use crate::model::class::{Class, Lost};
use crate::model::subject::Subject;
use crate::rules::body::BodyKind;
use crate::rules::pairs::PairIndex;
use crate::rules::retry::Tick;

/// The permission for one send: its intent is durable.
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    intent: Planned,
}

impl Ticket {
    /// The NIK and the name to send.
    pub const fn subject(&self) -> &Subject {
        &self.intent.job.row.subject
    }

    /// The kind of body to send it in.
    pub const fn body(&self) -> BodyKind {
        self.intent.body
    }

    pub(super) const fn attempt(&self) -> AttemptId {
        self.intent.attempt
    }

    pub(super) const fn job(&self) -> &Job {
        &self.intent.job
    }

    pub(super) fn into_job(self) -> Job {
        self.intent.job
    }
}

/// An intent that the ledger has not granted yet.
#[derive(Debug, PartialEq, Eq)]
struct Planned {
    attempt: AttemptId,
    job: Job,
    body: BodyKind,
}

/// A call that is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    pub(super) at: PairIndex,
    /// True if it asks for all, to see if the source answers.
    pub(super) is_probe: bool,
    pub(super) sent_at: Tick,
}

/// The change that a settlement makes once it is durable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effect {
    pub(super) at: PairIndex,
    pub(super) attempt: AttemptId,
    pub(super) class: Class,
    /// The refusal was of the body kind, not of the row: no end.
    pub(super) voided: bool,
    pub(super) next: Next,
}

/// The next step of a row after one of its attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is asked again in this start.
    Again,
    /// The engine is done with it.
    Leaves,
    /// The engine is done with it, and its pair may not be asked again in this run.
    GivenUp,
}

/// Facts that wait for the ledger's word.
struct Committing {
    intents: Vec<Planned>,
    effects: Vec<Effect>,
}

/// The ledger's willingness to take facts.
enum Taking {
    Takes,
    RefusedOnce(LedgerError),
    /// It refused the same facts again.
    Left(LedgerError),
}

/// All intents of a start that have no durable settlement, and the settlements that are not durable.
pub(super) struct Intents {
    start: StartId,
    /// The number of those that were made.
    made: u32,
    /// Facts to be handed to the ledger next, and their effects.
    outbox: Batch,
    effects: Vec<Effect>,
    planned: Vec<Planned>,
    committing: Option<Committing>,
    unsent: VecDeque<Ticket>,
    in_flight: HashMap<AttemptId, Flight>,
    taking: Taking,
}

impl Intents {
    pub(super) fn new(start: StartId) -> Self {
        Self {
            start,
            made: 0,
            outbox: Batch::default(),
            effects: Vec::new(),
            planned: Vec::new(),
            committing: None,
            unsent: VecDeque::new(),
            in_flight: HashMap::new(),
            taking: Taking::Takes,
        }
    }

    /// Makes an intent.
    pub(super) fn make(&mut self, job: Job, body: BodyKind, at: WallMs) {
        // A number that was given already would be refused by the ledger, and nothing be sent.
        self.made = self.made.saturating_add(1);
        let attempt = AttemptId::of(self.start, self.made);
        let (pair, record) = (job.row.pair, job.row.record);
        self.outbox.intents.push(Intent { attempt, pair, record, at });
        self.planned.push(Planned { attempt, job, body });
    }

    /// Takes a settlement and its effect.
    pub(super) fn settle(&mut self, settlement: Settlement, effect: Effect) {
        if effect.voided {
            self.outbox.voids.push(effect.attempt);
        }
        self.outbox.settlements.push(settlement);
        self.effects.push(effect);
    }

    /// These refusals no longer count.
    pub(super) fn void(&mut self, attempts: impl IntoIterator<Item = AttemptId>) {
        self.outbox.voids.extend(attempts);
    }

    /// The facts to be made durable next; none while others still are on their way.
    pub(super) fn take_batch(&mut self) -> Option<Batch> {
        let offers = match self.taking {
            Taking::Takes => true,
            Taking::RefusedOnce(_) => self.in_flight.is_empty(),
            Taking::Left(_) => false,
        };
        if !offers || self.committing.is_some() || self.outbox.is_empty() {
            return None;
        }
        let intents = std::mem::take(&mut self.planned);
        let effects = std::mem::take(&mut self.effects);
        self.committing = Some(Committing { intents, effects });
        Some(std::mem::take(&mut self.outbox))
    }

    /// The facts taken last are durable. Returns their effects, and the rows whose intents were not granted.
    pub(super) fn committed(&mut self, recorded: &Recorded) -> (Vec<Effect>, Vec<Job>) {
        let Some(Committing { intents, effects }) = self.committing.take() else {
            return (Vec::new(), Vec::new());
        };
        let mut dropped = Vec::new();
        for intent in intents {
            if recorded.refused.contains(&intent.attempt) {
                dropped.push(intent.job);
            } else {
                self.unsent.push_back(Ticket { intent });
            }
        }
        (effects, dropped)
    }

    /// The facts taken last could not be recorded. The answers among them are kept, to be offered once more. Returns
    /// the rows of the intents, which are dropped: none of them has left.
    pub(super) fn not_committed(&mut self, unrecorded: Unrecorded) -> impl Iterator<Item = Job> {
        let Unrecorded { error, batch } = unrecorded;
        self.taking = match self.taking {
            Taking::RefusedOnce(_) | Taking::Left(_) if self.in_flight.is_empty() => {
                Taking::Left(error)
            }
            _ => Taking::RefusedOnce(error),
        };
        let (intents, mut effects) = match self.committing.take() {
            Some(Committing { intents, effects }) => (intents, effects),
            None => (Vec::new(), Vec::new()),
        };
        let later = std::mem::take(&mut self.outbox);
        self.outbox.settlements = batch.settlements;
        self.outbox.settlements.extend(later.settlements);
        self.outbox.voids = batch.voids;
        self.outbox.voids.extend(later.voids);
        effects.append(&mut self.effects);
        self.effects = effects;
        intents.into_iter().chain(std::mem::take(&mut self.planned)).map(|intent| intent.job)
    }

    /// The pair of the ticket that would leave next.
    pub(super) fn next_unsent(&self) -> Option<PairIndex> {
        self.unsent.front().map(|ticket| ticket.job().at)
    }

    /// The next ticket leaves.
    pub(super) fn send(&mut self, is_probe: bool, sent_at: Tick) -> Option<Ticket> {
        let ticket = self.unsent.pop_front()?;
        let flight = Flight { at: ticket.job().at, is_probe, sent_at };
        self.in_flight.insert(ticket.attempt(), flight);
        Some(ticket)
    }

    /// The call of this attempt is over. `None`: it was given up before.
    pub(super) fn land(&mut self, attempt: AttemptId) -> Option<Flight> {
        self.in_flight.remove(&attempt)
    }

    /// Gives up all calls under way.
    pub(super) fn abandon(&mut self) -> HashMap<AttemptId, Flight> {
        std::mem::take(&mut self.in_flight)
    }

    /// Takes back every ticket that has not left.
    pub(super) fn recall_unsent(&mut self) -> VecDeque<Ticket> {
        std::mem::take(&mut self.unsent)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Intents that are made and have not left.
    pub(super) fn ahead(&self) -> usize {
        let committing = self.committing.as_ref().map_or(0, |c| c.intents.len());
        self.planned.len() + committing + self.unsent.len()
    }

    /// True if nothing is open, or the ledger was left.
    pub(super) fn is_over(&self) -> bool {
        let is_idle = self.in_flight.is_empty()
            && self.ahead() == 0
            && self.committing.is_none()
            && self.outbox.is_empty();
        is_idle || matches!(self.taking, Taking::Left(_))
    }

    /// The effects that never became durable, as the next start will find their attempts, and why the ledger refused
    /// facts, if it did.
    pub(super) fn into_lost(self) -> (impl Iterator<Item = Effect>, Option<LedgerError>) {
        let lost = self.effects.into_iter().map(|effect| Effect {
            class: Class::InDoubt(Lost::Killed),
            voided: false,
            next: Next::Leaves,
            ..effect
        });
        let failure = match self.taking {
            Taking::Takes => None,
            Taking::RefusedOnce(error) | Taking::Left(error) => Some(error),
        };
        (lost, failure)
    }
}
