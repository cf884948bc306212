//! Records the batches of a start, and offers a batch again while the server does not answer.
//!
//! Must hold: a batch whose answer is lost is offered again with the same numbers, and nothing of
//! it is recorded twice. A worker that was declared dead meanwhile gets no intent of its batch
//! granted, and goes on with the next batch.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::batch::{Told, attempt_of, id, number_of, send};
use super::error::{is_temporary, lost_to_another, unreachable_server};
use super::session::Session;
use super::statements::Statements;
use crate::ledger::{LedgerError, LedgerName, Recorded, Unrecorded};
use crate::model::attempt::{AttemptId, Batch, Intent, Settlement};
use crate::model::class::{Class, NotSent};
use crate::model::texts::Texts;
use crate::rules::classify::charge;

/// Longest time that the server may take for one batch, before the connection counts as broken.
const BATCH_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause before a transaction that was given up because of another one is tried again.
const SHORT_PAUSE: Duration = Duration::from_millis(10);

impl Session {
    /// Records a batch of facts durably. While the server does not answer, offers the batch again.
    pub(super) async fn record(&mut self, mut batch: Batch) -> Result<Recorded, Box<Unrecorded>> {
        batch.settlements.iter_mut().for_each(|fact| fact.texts.cut_long());
        loop {
            let told = match self.try_to_record(&batch).await {
                Ok(Told::Durable(granted)) => Ok(self.confirm(&batch, &granted)),
                Ok(Told::Fenced) => self.fenced(&batch).await,
                Ok(Told::LostToAnother) if !self.outage.is_over() => {
                    self.outage.begins();
                    sleep(SHORT_PAUSE).await;
                    continue;
                }
                Ok(Told::LostToAnother) => Err(others_in_the_way(&self.access.name)),
                Err(error) => Err(error),
            };
            let waited = match told {
                Ok(recorded) => {
                    self.outage.ends();
                    return Ok(recorded);
                }
                Err(error) => self.wait_for_server(error).await,
            };
            if let Err(error) = waited {
                return Err(Box::new(Unrecorded { error, batch }));
            }
        }
    }

    /// Takes into account that a batch is durable.
    fn confirm(&mut self, batch: &Batch, granted: &[AttemptId]) -> Recorded {
        let granted: BTreeSet<AttemptId> = granted.iter().copied().collect();
        let intents = batch.intents.iter().map(|intent| intent.attempt);
        let refused = intents.filter(|attempt| !granted.contains(attempt)).collect();
        if let Some(writing) = &mut self.writing {
            writing.confirmed += 1;
            writing.is_unsure = false;
            writing.open.extend(granted);
            for fact in &batch.settlements {
                writing.open.remove(&fact.attempt);
            }
        }
        Recorded { refused, taken_over: false }
    }

    /// Forgets that the latest batch was confirmed, as if the server's answer had been lost.
    #[cfg(test)]
    pub(super) fn forget_the_latest_answer(&mut self) {
        if let Some(writing) = &mut self.writing {
            writing.confirmed -= 1;
            writing.is_unsure = true;
        }
    }

    /// Takes into account that a batch was fenced, because another worker has declared this one
    /// dead, or has ended its start. The answers in the batch are durable, and none of its intents
    /// is granted. The number of the batch is used again, because the server has not counted it.
    async fn fenced(&mut self, batch: &Batch) -> Result<Recorded, LedgerError> {
        let read_failed = self.read_failed();
        let name = self.access.name.clone();
        let Some(writing) = &mut self.writing else { return Err(LedgerError::WriterGone) };
        let query = "SELECT batch, generation, ended_at IS NOT NULL FROM starts WHERE id = $1";
        let row = self.client.query_opt(query, &[&id(writing.start)]).await.map_err(read_failed)?;
        let known: i64 = row.as_ref().map_or(-1, |row| row.get(0));
        if known < writing.confirmed {
            let (confirmed, known) = (writing.confirmed, known.max(0));
            let what = format!("has lost batches: it confirmed {confirmed}, and holds {known}");
            return Err(LedgerError::Lost { ledger: name, what });
        }
        let (generation, has_ended) =
            row.map_or((writing.generation, true), |row| (row.get(1), row.get(2)));
        for fact in &batch.settlements {
            writing.open.remove(&fact.attempt);
        }
        if writing.is_unsure {
            self.recall_granted(batch).await?;
        }
        if let Some(writing) = &mut self.writing {
            writing.generation = generation;
        }
        let refused = batch.intents.iter().map(|intent| intent.attempt).collect();
        Ok(Recorded { refused, taken_over: has_ended })
    }

    /// Settles as not sent the intents of a batch that are recorded all the same: the batch was
    /// durable before the start was declared dead, and only its answer was lost.
    async fn recall_granted(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        let read_failed = self.read_failed();
        let asked: Vec<i64> = batch.intents.iter().map(|i| number_of(i.attempt)).collect();
        let query = "SELECT attempt FROM intents WHERE attempt = ANY($1)";
        let there = self.client.query(query, &[&asked]).await.map_err(read_failed)?;
        let there: BTreeSet<_> = there.iter().map(|row| attempt_of(row.get(0))).collect();
        let granted = batch.intents.iter().filter(|intent| there.contains(&intent.attempt));
        let recalled = Batch { settlements: granted.map(recall).collect(), ..Batch::default() };
        if !recalled.is_empty() {
            // It is fenced too, and its settlements count all the same.
            if matches!(self.try_to_record(&recalled).await?, Told::LostToAnother) {
                return Err(others_in_the_way(&self.access.name));
            }
        }
        if let Some(writing) = &mut self.writing {
            writing.is_unsure = false;
        }
        Ok(())
    }

    /// Offers a batch once.
    async fn try_to_record(&mut self, batch: &Batch) -> Result<Told, LedgerError> {
        let name = self.access.name.clone();
        let write_failed = self.write_failed();
        let Some(writing) = &mut self.writing else { return Err(LedgerError::WriterGone) };
        let client = &self.client;
        let sent = async {
            if writing.statements.is_none() {
                writing.statements = Some(Statements::prepare(client).await?);
            }
            let Some(statements) = &writing.statements else { return Ok(Told::LostToAnother) };
            send(client, statements, writing, batch).await
        };
        let silent = || unreachable_server(&name, "it does not answer".to_owned());
        let told = match timeout(BATCH_TIMEOUT, sent).await {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(error)) if lost_to_another(&error) => Ok(Told::LostToAnother),
            Ok(Err(error)) => Err(write_failed(error)),
            Err(_) => Err(silent()),
        };
        // A server that names an error has not committed. A server that is gone may have.
        writing.is_unsure |= told.as_ref().is_err_and(is_temporary);
        told
    }
}

/// Returns the error for a transaction that is given up because of others, again and again.
fn others_in_the_way(ledger: &LedgerName) -> LedgerError {
    unreachable_server(ledger, "other transactions are always in the way".to_owned())
}

/// Returns the settlement of an intent whose call was not sent.
fn recall(intent: &Intent) -> Settlement {
    let class = Class::NotSent(NotSent::Recalled);
    Settlement {
        attempt: intent.attempt,
        class,
        charge: charge(class),
        http: None,
        texts: Texts::default(),
        at: intent.at,
    }
}

/// Returns the error for a batch that was handed over after the thread had ended.
pub(super) fn writer_gone() -> Box<Unrecorded> {
    Box::new(Unrecorded { error: LedgerError::WriterGone, batch: Batch::default() })
}
