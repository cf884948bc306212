//! Takes a ledger in a file over: reads the file, and hands what it holds to the session.

use super::ledger::PgLedger;
use super::session::Session;
use crate::ledger::LedgerError;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::transfer::{Moved, MovedAttempt};

/// Number of attempts that one statement takes over.
const IMPORTED_TOGETHER: usize = 5000;

impl PgLedger {
    /// Takes everything over that a ledger file holds. See [`crate::ledger::import`].
    pub(in crate::ledger) fn import(&self, file: &SqliteLedger) -> Result<Moved, LedgerError> {
        self.worker.ask(async |session: &mut Session| session.begin_import().await)?;
        let moved = self.import_facts(file);
        self.worker.ask(async move |session: &mut Session| match moved {
            Ok(moved) => session.end_import().await.map(|()| moved),
            Err(error) => {
                session.give_up_import().await;
                Err(error)
            }
        })
    }

    fn import_facts(&self, file: &SqliteLedger) -> Result<Moved, LedgerError> {
        let (runs, starts) = (file.export_runs()?, file.export_starts()?);
        let days = file.export_purged_days()?;
        let mut moved = Moved { runs: runs.len() as u64, attempts: 0 };
        self.worker.ask(async move |session: &mut Session| {
            session.import_runs(&runs, &starts, &days).await
        })?;
        let mut chunk = Vec::new();
        file.export_attempts(&mut |attempt| {
            moved.attempts += 1;
            chunk.push(attempt);
            let is_full = chunk.len() == IMPORTED_TOGETHER;
            if is_full { self.import_chunk(std::mem::take(&mut chunk)) } else { Ok(()) }
        })?;
        self.import_chunk(chunk)?;
        Ok(moved)
    }

    fn import_chunk(&self, chunk: Vec<MovedAttempt>) -> Result<(), LedgerError> {
        self.worker.ask(async move |session: &mut Session| session.import_attempts(&chunk).await)
    }
}
