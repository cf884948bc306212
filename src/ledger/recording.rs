//! Records the batches of one worker on a ledger that other workers write to as well, and offers a
//! batch again while the ledger does not answer. [`Port`] is the way to the ledger.
//!
//! Must hold: a batch whose answer is lost is offered again with the same number, and nothing of it
//! is recorded twice. A worker that was declared dead meanwhile gets no intent of its batch granted,
//! and goes on with the next batch. Intents that were granted without the worker's knowledge are
//! settled as not sent.

use std::collections::{BTreeMap, BTreeSet};

use super::{LedgerError, LedgerName, Recorded, Unrecorded};
use crate::model::attempt::{AttemptId, Batch, Intent, Settlement, StartId};
use crate::model::class::{Class, NotSent};
use crate::model::texts::Texts;
use crate::rules::classify::charge;

/// State of a worker that records batches.
#[derive(Debug, Clone)]
pub(crate) struct Writing {
    pub(crate) start: StartId,
    /// Number of times that this worker was declared dead, as far as its batches have noticed.
    pub(crate) generation: u32,
    /// Number of the latest batch that is known to be durable.
    pub(crate) confirmed: u64,
    /// Intents that are granted and not settled.
    pub(crate) open: BTreeMap<AttemptId, Intent>,
    /// True if some of the next batch may be recorded already: its answer was lost, or only its
    /// settlements counted.
    pub(crate) is_unsure: bool,
}

impl Writing {
    pub(crate) const fn new(start: StartId) -> Self {
        Self { start, generation: 0, confirmed: 0, open: BTreeMap::new(), is_unsure: false }
    }

    /// Returns the number of the batch that is offered next.
    pub(crate) const fn number(&self) -> u64 {
        self.confirmed + 1
    }

    /// Returns the lowest attempt that may be open once this batch is recorded.
    pub(crate) fn lowest_open(&self, batch: &Batch) -> AttemptId {
        let lowest_new = batch.intents.first().map(|intent| intent.attempt);
        self.open.keys().next().copied().or(lowest_new).unwrap_or(AttemptId(0))
    }

    /// Takes into account that a batch is durable, with these intents granted.
    fn confirm(&mut self, batch: &Batch, granted: Vec<AttemptId>) -> Recorded {
        let granted: BTreeSet<AttemptId> = granted.into_iter().collect();
        let (granted, refused): (Vec<&Intent>, Vec<&Intent>) =
            batch.intents.iter().partition(|intent| granted.contains(&intent.attempt));
        let refused = refused.into_iter().map(|intent| intent.attempt).collect();
        self.confirmed += 1;
        self.is_unsure = false;
        self.open.extend(granted.into_iter().map(|intent| (intent.attempt, intent.clone())));
        self.settle(batch);
        Recorded { refused, ..Recorded::default() }
    }

    /// Returns the answers in a batch, each with the intent of its call.
    pub(crate) fn answers_in(&self, batch: &Batch) -> Vec<Answered> {
        let intent_of = |attempt: AttemptId| {
            let own = || batch.intents.iter().find(|intent| intent.attempt == attempt);
            self.open.get(&attempt).or_else(own).cloned()
        };
        let answered = |fact: &Settlement| {
            Some(Answered { intent: intent_of(fact.attempt)?, settlement: fact.clone() })
        };
        batch.settlements.iter().filter_map(answered).collect()
    }

    fn settle(&mut self, batch: &Batch) {
        for fact in &batch.settlements {
            self.open.remove(&fact.attempt);
        }
    }
}

/// A settled attempt, with everything that a ledger has to know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) intent: Intent,
    pub(crate) settlement: Settlement,
}

/// Result of one attempt to record a batch.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// The batch is durable, and these intents are granted.
    Durable(Vec<AttemptId>),
    /// The answers are durable. The worker was declared dead meanwhile, or its start was ended, and
    /// no intent is granted.
    Fenced,
    /// Another transaction was in the way, and nothing is recorded.
    InTheWay,
}

/// A start as the ledger knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownStart {
    /// Number of its latest batch.
    pub(crate) batch: u64,
    /// Number of times that its worker was declared dead.
    pub(crate) generation: u32,
    pub(crate) has_ended: bool,
}

/// The way of a worker to the ledger.
pub(crate) trait Port {
    /// Returns the name of the ledger.
    fn name(&self) -> LedgerName;

    /// Offers a batch once, with the number [`Writing::number`].
    async fn offer(&mut self, writing: &Writing, batch: &Batch) -> Result<Told, LedgerError>;

    /// Reads how the ledger knows a start; `None` if it does not know it.
    async fn known(&mut self, start: StartId) -> Result<Option<KnownStart>, LedgerError>;

    /// Returns those of these attempts whose intents are recorded.
    async fn recorded_among(
        &mut self,
        attempts: Vec<AttemptId>,
    ) -> Result<Vec<AttemptId>, LedgerError>;

    /// Waits before the ledger is asked again after this error.
    ///
    /// # Errors
    /// Returns the error if asking again has no use, or the ledger has not answered for too long.
    async fn wait(&mut self, error: LedgerError) -> Result<(), LedgerError>;

    /// Waits a little while another transaction is in the way. Returns `false` if it has been in
    /// the way for too long.
    async fn wait_for_others(&mut self) -> bool;

    /// Notes that the ledger has answered.
    fn has_answered(&mut self);
}

/// Records a batch of facts durably. While the ledger does not answer, offers the batch again.
pub(crate) async fn record<P: Port>(
    port: &mut P,
    writing: &mut Writing,
    mut batch: Batch,
) -> Result<Recorded, Box<Unrecorded>> {
    batch.settlements.iter_mut().for_each(|fact| fact.texts.cut_long());
    loop {
        let told = match offer(port, writing, &batch).await {
            Ok(Told::Durable(granted)) => Ok(writing.confirm(&batch, granted)),
            Ok(Told::Fenced) => fenced(port, writing, &batch).await,
            Ok(Told::InTheWay) if port.wait_for_others().await => continue,
            Ok(Told::InTheWay) => Err(others_in_the_way(port.name())),
            Err(error) => Err(error),
        };
        let waited = match told {
            Ok(recorded) => {
                port.has_answered();
                return Ok(recorded);
            }
            Err(error) => port.wait(error).await,
        };
        if let Err(error) = waited {
            return Err(Box::new(Unrecorded { error, batch }));
        }
    }
}

/// Offers a batch once. A ledger that names an error has not recorded the batch. A ledger that does
/// not answer may have, and a batch that was fenced has its settlements recorded.
async fn offer<P: Port>(
    port: &mut P,
    writing: &mut Writing,
    batch: &Batch,
) -> Result<Told, LedgerError> {
    let told = port.offer(writing, batch).await;
    writing.is_unsure |= matches!(told, Ok(Told::Fenced) | Err(LedgerError::Unreachable { .. }));
    told
}

/// Takes into account that a batch was fenced, because another worker has declared this one dead,
/// or has ended its start. The answers in the batch are durable, and none of its intents is granted.
/// The number of the batch is used again, because the ledger has not counted it.
async fn fenced<P: Port>(
    port: &mut P,
    writing: &mut Writing,
    batch: &Batch,
) -> Result<Recorded, LedgerError> {
    let known = port.known(writing.start).await?;
    let latest = known.map_or(0, |known| known.batch);
    if latest < writing.confirmed || known.is_none() {
        return Err(lost_batches(port.name(), writing.confirmed, latest));
    }
    writing.settle(batch);
    recall_granted(port, writing, batch).await?;
    let has_ended = known.is_none_or(|known| known.has_ended);
    if let Some(known) = known {
        writing.generation = known.generation;
    }
    let refused = batch.intents.iter().map(|intent| intent.attempt).collect();
    Ok(Recorded { refused, was_fenced: true, taken_over: has_ended })
}

/// Settles as not sent the intents of a batch that are recorded all the same: the batch was durable
/// before the worker was declared dead, and only its answer was lost.
async fn recall_granted<P: Port>(
    port: &mut P,
    writing: &mut Writing,
    batch: &Batch,
) -> Result<(), LedgerError> {
    let asked = batch.intents.iter().map(|intent| intent.attempt).collect();
    let there = port.recorded_among(asked).await?;
    let granted = batch.intents.iter().filter(|intent| there.contains(&intent.attempt));
    let recalled = Batch { settlements: granted.map(recall).collect(), ..Batch::default() };
    // It is fenced too, and its settlements count all the same.
    if !recalled.is_empty() && matches!(offer(port, writing, &recalled).await?, Told::InTheWay) {
        return Err(others_in_the_way(port.name()));
    }
    writing.is_unsure = false;
    Ok(())
}

/// Returns the error for a ledger that holds fewer batches of a start than it confirmed.
pub(crate) fn lost_batches(ledger: LedgerName, confirmed: u64, holds: u64) -> LedgerError {
    let what = format!(
        "has lost answers of this run: it had confirmed {confirmed} batches, and now has {holds}"
    );
    LedgerError::Lost { ledger, what }
}

/// Returns the error for a transaction that is given up because of others, again and again.
fn others_in_the_way(ledger: LedgerName) -> LedgerError {
    let why = "other transactions block this one again and again".to_owned();
    LedgerError::Unreachable { ledger, why }
}

/// Returns the settlement of an intent whose call was not sent.
fn recall(intent: &Intent) -> Settlement {
    let class = Class::NotSent(NotSent::Recalled);
    Settlement {
        attempt: intent.attempt,
        class,
        charge: charge(class),
        http: None,
        took_ms: None,
        texts: Texts::default(),
        at: intent.at,
    }
}
