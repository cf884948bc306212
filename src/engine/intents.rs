//! The border between the engine and the ledger: holds intents until their calls are sent, and
//! settlements until they are durable.
//!
//! Must hold:
//! - a call leaves only with a [`Ticket`], and a ticket is made only of an intent that the ledger
//!   has granted; no other file can make a ticket;
//! - one batch is under way at a time, and facts that gather meanwhile form the next batch;
//! - a settlement has an effect only once it is durable;
//! - a batch that the ledger refused is offered once more, without its intents, when all answers
//!   are in. If the ledger refuses the batch again, the ledger is given up.

use std::collections::{HashMap, VecDeque};

use super::work::Job;
use crate::ledger::{LedgerError, Recorded, Unrecorded};
use crate::model::attempt::{
    AttemptId, Batch, Intent, PairVersion, Settlement, StartId, Tick, WallMs,
};
use crate::model::class::{Class, Lost};
use crate::model::pause::Pause;
use crate::model::subject::Subject;
use crate::rules::body::BodyKind;
use crate::rules::pair_table::PairIndex;

/// The permission for one send: the intent for it is durable.
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    intent: Planned,
}

impl Ticket {
    /// Returns the NIK and the name to send.
    pub const fn subject(&self) -> &Subject {
        &self.intent.job.row.subject
    }

    /// Returns the kind of body in which the NIK and the name are sent.
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

/// An intent with its row and its body kind.
#[derive(Debug, PartialEq, Eq)]
struct Planned {
    attempt: AttemptId,
    job: Job,
    body: BodyKind,
}

/// A call that is in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    pub(super) at: PairIndex,
    /// True if this call is a probe, which finds out for all rows whether the source answers.
    pub(super) is_probe: bool,
    pub(super) sent_at: Tick,
}

/// The change that a settlement makes once it is durable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effect {
    pub(super) at: PairIndex,
    pub(super) attempt: AttemptId,
    pub(super) class: Class,
    /// True if the refusal was caused by the body kind and not by the row. The pair then gets no
    /// end.
    pub(super) voided: bool,
    pub(super) next: Next,
}

/// The next step of a row after one of its attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The row is asked again in this start.
    Again,
    /// The engine is done with the row.
    Done,
    /// The engine is done with the row, and its pair may not be asked again in this run.
    GivenUp,
}

/// The intents and effects of the batch that the ledger is recording.
struct Committing {
    intents: Vec<Planned>,
    effects: Vec<Effect>,
    /// True if this worker was declared dead after the batch was handed over.
    is_outlived: bool,
}

/// Consequences of a batch that is durable.
#[derive(Default)]
pub(super) struct Committed {
    /// Effects of the settlements in the batch.
    pub(super) effects: Vec<Effect>,
    /// Pairs whose intents were granted.
    pub(super) granted: Vec<PairIndex>,
    /// Rows whose intents were not granted.
    pub(super) refused: Vec<Job>,
    /// Granted intents that must not be sent, because this worker was declared dead meanwhile.
    pub(super) outlived: Vec<Ticket>,
}

/// State of the ledger: whether it still records facts.
enum LedgerState {
    /// The ledger records facts.
    Accepting,
    /// The ledger refused facts once. They are offered again when no call is in flight.
    RefusedOnce(LedgerError),
    /// The ledger refused the facts again and is given up.
    GivenUp(LedgerError),
}

/// All intents of a start without a durable settlement, and all settlements that are not durable.
pub(super) struct Intents {
    start: StartId,
    /// Number of intents that were made so far.
    made: u32,
    /// Facts to be handed to the ledger next.
    outbox: Batch,
    /// Effects of the settlements in `outbox`.
    effects: Vec<Effect>,
    /// The intents in `outbox`.
    planned: Vec<Planned>,
    committing: Option<Committing>,
    unsent: VecDeque<Ticket>,
    in_flight: HashMap<AttemptId, Flight>,
    taking: LedgerState,
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
            taking: LedgerState::Accepting,
        }
    }

    /// Makes an intent. `version` is the version of the pair as the table knows it.
    pub(super) fn make(&mut self, job: Job, body: BodyKind, version: PairVersion, at: WallMs) {
        // A number that was used before would be refused by the ledger, and nothing would be sent.
        self.made = self.made.saturating_add(1);
        let attempt = AttemptId::of(self.start, self.made);
        let (pair, record) = (job.row.pair, job.row.record);
        self.outbox.intents.push(Intent { attempt, pair, version, record, at });
        self.planned.push(Planned { attempt, job, body });
    }

    /// Adds a settlement and its effect to the next batch.
    pub(super) fn settle(&mut self, settlement: Settlement, effect: Effect) {
        if effect.voided {
            self.outbox.voids.push(effect.attempt);
        }
        self.outbox.settlements.push(settlement);
        self.effects.push(effect);
    }

    /// Adds to the next batch that these refusals no longer count.
    pub(super) fn void(&mut self, attempts: impl IntoIterator<Item = AttemptId>) {
        self.outbox.voids.extend(attempts);
    }

    /// Adds pauses that have begun or ended to the next batch.
    pub(super) fn note_pauses(&mut self, pauses: impl IntoIterator<Item = Pause>) {
        self.outbox.pauses.extend(pauses);
    }

    /// Returns the next batch of facts to be made durable. Returns `None` if there are no facts,
    /// while another batch is under way, or if the ledger is not to be asked now.
    pub(super) fn take_batch(&mut self) -> Option<Batch> {
        let offers = match self.taking {
            LedgerState::Accepting => true,
            LedgerState::RefusedOnce(_) => self.in_flight.is_empty(),
            LedgerState::GivenUp(_) => false,
        };
        if !offers || self.committing.is_some() || self.outbox.is_empty() {
            return None;
        }
        let intents = std::mem::take(&mut self.planned);
        let effects = std::mem::take(&mut self.effects);
        self.committing = Some(Committing { intents, effects, is_outlived: false });
        Some(std::mem::take(&mut self.outbox))
    }

    /// Takes into account that the last batch is durable.
    pub(super) fn committed(&mut self, recorded: &Recorded) -> Committed {
        let mut committed = Committed::default();
        let Some(Committing { intents, effects, is_outlived }) = self.committing.take() else {
            return committed;
        };
        committed.effects = effects;
        for intent in intents {
            if recorded.refused.contains(&intent.attempt) {
                committed.refused.push(intent.job);
            } else {
                committed.granted.push(intent.job.at);
                match is_outlived {
                    true => committed.outlived.push(Ticket { intent }),
                    false => self.unsent.push_back(Ticket { intent }),
                }
            }
        }
        committed
    }

    /// Takes into account that the last batch could not be recorded. Its answers are kept, to be
    /// offered once more. Returns the rows of all intents that are dropped: none of their calls has
    /// left.
    pub(super) fn not_committed(&mut self, unrecorded: Unrecorded) -> impl Iterator<Item = Job> {
        let Unrecorded { error, batch } = unrecorded;
        self.taking = match self.taking {
            LedgerState::RefusedOnce(_) | LedgerState::GivenUp(_) if self.in_flight.is_empty() => {
                LedgerState::GivenUp(error)
            }
            _ => LedgerState::RefusedOnce(error),
        };
        let (intents, mut effects) = match self.committing.take() {
            Some(Committing { intents, effects, .. }) => (intents, effects),
            None => (Vec::new(), Vec::new()),
        };
        let later = std::mem::take(&mut self.outbox);
        self.outbox.settlements = batch.settlements;
        self.outbox.settlements.extend(later.settlements);
        self.outbox.voids = batch.voids;
        self.outbox.voids.extend(later.voids);
        self.outbox.pauses = batch.pauses;
        self.outbox.pauses.extend(later.pauses);
        effects.append(&mut self.effects);
        self.effects = effects;
        intents.into_iter().chain(std::mem::take(&mut self.planned)).map(|intent| intent.job)
    }

    /// Returns the pair of the ticket that would leave next.
    pub(super) fn next_unsent(&self) -> Option<PairIndex> {
        self.unsent.front().map(|ticket| ticket.job().at)
    }

    /// Takes the next ticket: its call is in flight from now on.
    pub(super) fn send(&mut self, is_probe: bool, sent_at: Tick) -> Option<Ticket> {
        let ticket = self.unsent.pop_front()?;
        let flight = Flight { at: ticket.job().at, is_probe, sent_at };
        self.in_flight.insert(ticket.attempt(), flight);
        Some(ticket)
    }

    /// Removes the call of this attempt, because its reply has come. Returns `None` if the call was
    /// given up before.
    pub(super) fn finish_call(&mut self, attempt: AttemptId) -> Option<Flight> {
        self.in_flight.remove(&attempt)
    }

    /// Gives up all calls in flight and returns them.
    pub(super) fn abandon(&mut self) -> HashMap<AttemptId, Flight> {
        std::mem::take(&mut self.in_flight)
    }

    /// Notes that this worker was declared dead: the intents under way must not be sent, even if
    /// they are granted.
    pub(super) const fn outlive(&mut self) {
        if let Some(committing) = &mut self.committing {
            committing.is_outlived = true;
        }
    }

    /// Drops the intents of the next batch, which the ledger has not seen, and returns their rows.
    pub(super) fn drop_planned(&mut self) -> impl Iterator<Item = Job> + use<> {
        self.outbox.intents.clear();
        std::mem::take(&mut self.planned).into_iter().map(|intent| intent.job)
    }

    /// Takes back every ticket that has not left.
    pub(super) fn recall_unsent(&mut self) -> VecDeque<Ticket> {
        std::mem::take(&mut self.unsent)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Returns the number of intents that are made and have not left.
    pub(super) fn ahead(&self) -> usize {
        let committing = self.committing.as_ref().map_or(0, |c| c.intents.len());
        self.planned.len() + committing + self.unsent.len()
    }

    /// Checks whether nothing is open, or the ledger was given up.
    pub(super) fn is_over(&self) -> bool {
        let is_idle = self.in_flight.is_empty()
            && self.ahead() == 0
            && self.committing.is_none()
            && self.outbox.is_empty();
        is_idle || matches!(self.taking, LedgerState::GivenUp(_))
    }

    /// Checks whether everything is recorded, apart from the answers to calls in flight.
    pub(super) fn is_recorded(&self) -> bool {
        self.committing.is_none() && self.outbox.is_empty()
    }

    /// Checks whether the ledger has refused facts.
    pub(super) const fn has_failed(&self) -> bool {
        !matches!(self.taking, LedgerState::Accepting)
    }

    /// Returns the effects that never became durable, in the form in which the next start will find
    /// their attempts. Also returns the reason why the ledger refused facts, if it refused any.
    pub(super) fn into_unrecorded(self) -> (impl Iterator<Item = Effect>, Option<LedgerError>) {
        let lost = self.effects.into_iter().map(|effect| Effect {
            class: Class::InDoubt(Lost::Killed),
            voided: false,
            next: Next::Done,
            ..effect
        });
        let failure = match self.taking {
            LedgerState::Accepting => None,
            LedgerState::RefusedOnce(error) | LedgerState::GivenUp(error) => Some(error),
        };
        (lost, failure)
    }
}
