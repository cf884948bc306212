//! A shared ledger and its witnesses: the check when the ledger is opened.

use super::batch::id;
use super::session::Session;
use super::witness::{WitnessRecord, read_witnesses};
use crate::ledger::LedgerError;

impl Session {
    /// Refuses a ledger that lacks a batch which a witness of this machine recorded.
    ///
    /// # Errors
    /// [`LedgerError::Lost`].
    pub(super) async fn check_witnesses(&self) -> Result<(), LedgerError> {
        let Some(files) = &self.files else { return Ok(()) };
        self.check_holds(&read_witnesses(files)).await
    }

    /// Checks the witnesses for a reader. The check is skipped on a standby, which may be behind, and
    /// while late answers are not recorded yet.
    ///
    /// # Errors
    /// [`LedgerError::Lost`].
    pub(super) async fn check_witnesses_as_reader(&mut self) -> Result<(), LedgerError> {
        if self.reads_one_moment {
            // The witnesses are of now, and a worker may have confirmed a batch meanwhile.
            self.end_reading().await?;
        }
        let row = self.client.query_one("SELECT pg_is_in_recovery()", &[]).await;
        let is_standby: bool = row.map_err(self.read_failed())?.get(0);
        let has_late = self.files.as_ref().is_some_and(|files| !files.all_late().is_empty());
        if is_standby || has_late { Ok(()) } else { self.check_witnesses().await }
    }

    async fn check_holds(&self, witnesses: &[WitnessRecord]) -> Result<(), LedgerError> {
        let starts: Vec<i32> = witnesses.iter().map(|says| id(says.start)).collect();
        let look = "SELECT id, began_at, batch FROM starts WHERE id = ANY($1)";
        let rows = self.client.query(look, &[&starts]).await.map_err(self.read_failed())?;
        for says in witnesses {
            let row = rows.iter().find(|row| row.get::<_, i32>(0) == id(says.start));
            let held = row.filter(|row| row.get::<_, i64>(1) == says.began_at.0);
            let held = held.map(|row| row.get::<_, i64>(2).cast_unsigned());
            if held.is_some_and(|held| held >= says.batch) {
                continue;
            }
            let (start, batch) = (says.start.0, says.batch);
            let holds = held.map_or("does not know this worker".to_owned(), |n| format!("has {n}"));
            let what = format!(
                "has lost data: it had confirmed {batch} batches of worker {start} to this machine, and now {holds}"
            );
            return Err(LedgerError::Lost { ledger: self.access.name.clone(), what });
        }
        Ok(())
    }
}
