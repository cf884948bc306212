//! The way of a worker's batches to the server. [`crate::ledger::recording`] decides what is
//! offered, and again.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::batch::{attempt_of, id, number_of, send};
use super::error::{lost_to_another, unreachable_server};
use super::session::Session;
use super::statements::Statements;
use crate::ledger::recording::{self, KnownStart, Port, Told, Writing};
use crate::ledger::{LedgerError, LedgerName, Recorded, Unrecorded};
use crate::model::attempt::{AttemptId, Batch, StartId};

/// Longest time that the server may take for one batch, before the connection counts as broken.
const BATCH_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause before a transaction that was given up because of another one is tried again.
const SHORT_PAUSE: Duration = Duration::from_millis(10);

impl Session {
    /// Records a batch of the start that is under way.
    pub(super) async fn record(&mut self, batch: Batch) -> Result<Recorded, Box<Unrecorded>> {
        let Some(mut own) = self.own.take() else {
            return Err(Box::new(Unrecorded { error: LedgerError::WriterGone, batch }));
        };
        let facts = own.facts_of(&batch);
        let told = recording::record(self, &mut own.writing, batch).await;
        own.note_result(facts, &told, Instant::now());
        self.own = Some(own);
        told
    }

    /// Forgets that the latest batch was confirmed, as if the server's answer had been lost.
    #[cfg(test)]
    pub(super) fn forget_the_latest_answer(&mut self) {
        if let Some(own) = &mut self.own {
            own.writing.confirmed -= 1;
            own.writing.is_unsure = true;
        }
    }
}

impl Port for Session {
    fn name(&self) -> LedgerName {
        self.access.name.clone()
    }

    async fn offer(&mut self, writing: &Writing, batch: &Batch) -> Result<Told, LedgerError> {
        let write_failed = self.write_failed();
        let Self { client, statements, access, .. } = self;
        let sent = async {
            let statements = match statements {
                Some(statements) => statements,
                None => statements.insert(Statements::prepare(client).await?),
            };
            send(client, statements, writing, batch).await
        };
        match timeout(BATCH_TIMEOUT, sent).await {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(error)) if lost_to_another(&error) => Ok(Told::InTheWay),
            Ok(Err(error)) => Err(write_failed(error)),
            Err(_) => Err(unreachable_server(&access.name, "it does not answer".to_owned())),
        }
    }

    async fn known(&mut self, start: StartId) -> Result<Option<KnownStart>, LedgerError> {
        let query = "SELECT batch, generation, ended_at IS NOT NULL FROM starts WHERE id = $1";
        let failed = self.read_failed();
        let row = within(self.client.query_opt(query, &[&id(start)]), &self.access.name).await?;
        let row = row.map_err(failed)?;
        Ok(row.map(|row| KnownStart {
            batch: row.get::<_, i64>(0).cast_unsigned(),
            generation: row.get::<_, i32>(1).cast_unsigned(),
            has_ended: row.get(2),
        }))
    }

    async fn recorded_among(
        &mut self,
        attempts: Vec<AttemptId>,
    ) -> Result<Vec<AttemptId>, LedgerError> {
        let asked: Vec<i64> = attempts.into_iter().map(number_of).collect();
        let query = "SELECT attempt FROM intents WHERE attempt = ANY($1)";
        let failed = self.read_failed();
        let there = within(self.client.query(query, &[&asked]), &self.access.name).await?;
        let there = there.map_err(failed)?;
        Ok(there.iter().map(|row| attempt_of(row.get(0))).collect())
    }

    async fn wait(&mut self, error: LedgerError) -> Result<(), LedgerError> {
        self.wait_for_server(error).await
    }

    async fn wait_for_others(&mut self) -> bool {
        let may_wait = !self.outage.is_over();
        if may_wait {
            self.outage.begins();
            sleep(SHORT_PAUSE).await;
        }
        may_wait
    }

    fn has_answered(&mut self) {
        self.outage.ends();
    }
}

/// Waits for an answer, but not longer than for that of a batch.
async fn within<T>(answer: impl Future<Output = T>, name: &LedgerName) -> Result<T, LedgerError> {
    let silent = |_| unreachable_server(name, "it does not answer".to_owned());
    timeout(BATCH_TIMEOUT, answer).await.map_err(silent)
}

/// Returns the error for a batch that was handed over after the thread had ended.
pub(super) fn writer_gone() -> Box<Unrecorded> {
    Box::new(Unrecorded { error: LedgerError::WriterGone, batch: Batch::default() })
}
