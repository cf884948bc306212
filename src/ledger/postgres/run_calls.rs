//! Reads the calls of one run in the forms that a page about it shows.

use tokio::sync::mpsc::Sender;

use super::codes::class_of;
use super::facts::pair_of;
use super::meta;
use super::session::Session;
use super::status::settled_and_lost;
use crate::ledger::codes::codes_of;
use crate::ledger::{CallsInTime, FailureCount, LedgerError, RunId, VerdictsOf};
use crate::model::attempt::{PairKey, WallMs};
use crate::model::class::{Class, ResultCode};

/// Condition on the attempts `c` that they are of the starts `t`.
const OF_START: &str = "c.attempt >= t.id::int8 << 32 AND c.attempt < (t.id::int8 + 1) << 32";

impl Session {
    /// Reads the calls of a run by minute. See [`crate::ledger::ShowLedger::run_calls`].
    pub(super) async fn read_run_calls(&self, run: RunId) -> Result<CallsInTime, LedgerError> {
        let (always, run) = ((WallMs(i64::MIN), WallMs(i64::MAX)), Some(run));
        Ok(CallsInTime {
            minutes: self.read_minutes(always.0, always.1, run).await?,
            purged: Vec::new(),
            open: self.read_open(always.0, always.1, run).await?,
        })
    }

    /// Reads the origin of the answers. See [`crate::ledger::ShowLedger::origin`].
    pub(super) async fn read_origin(&self) -> Result<String, LedgerError> {
        let origin = meta::get(&self.client, &self.access.name, "origin").await?;
        Ok(origin.unwrap_or_default())
    }

    /// Reads the numbers of all runs. See [`crate::ledger::ShowLedger::run_ids`].
    pub(super) async fn read_run_ids(&self) -> Result<Vec<RunId>, LedgerError> {
        let rows = self.rows("SELECT id FROM runs ORDER BY id").await?;
        Ok(rows.iter().map(|row| RunId(row.get::<_, i64>(0).cast_unsigned())).collect())
    }

    /// Counts the attempts of a run without a result code. See
    /// [`crate::ledger::ShowLedger::run_failures`].
    pub(super) async fn read_failures(&self, run: RunId) -> Result<Vec<FailureCount>, LedgerError> {
        let query = format!(
            "SELECT c.class, count(*), count(DISTINCT i.pair)
             FROM ({}) c JOIN starts t ON {OF_START} JOIN intents i USING (attempt)
             WHERE t.run = $1 AND c.class NOT IN ({}) GROUP BY 1 ORDER BY 1",
            settled_and_lost(),
            codes_of(|class| matches!(class, Class::Answered(_)))
        );
        let rows = self.client.query(&query, &[&run.0.cast_signed()]).await;
        let rows = rows.map_err(self.read_failed())?;
        let failure = |row: &tokio_postgres::Row| {
            let number = |column| row.get::<_, i64>(column).cast_unsigned();
            Some(FailureCount {
                class: class_of(row.get(0))?,
                attempts: number(1),
                pairs: number(2),
            })
        };
        Ok(rows.iter().filter_map(failure).collect())
    }

    /// Counts the calls of a run by the time that they took. See
    /// [`crate::ledger::ShowLedger::run_latencies`].
    pub(super) async fn read_latencies(&self, run: RunId) -> Result<Vec<(u32, u64)>, LedgerError> {
        let query = format!(
            "SELECT c.took::int8, count(*) FROM settlements c JOIN starts t ON {OF_START}
             WHERE t.run = $1 AND c.took IS NOT NULL GROUP BY 1 ORDER BY 1"
        );
        let rows = self.client.query(&query, &[&run.0.cast_signed()]).await;
        let rows = rows.map_err(self.read_failed())?;
        let count = |row: &tokio_postgres::Row| {
            let took = u32::try_from(row.get::<_, i64>(0)).ok()?;
            Some((took, row.get::<_, i64>(1).cast_unsigned()))
        };
        Ok(rows.iter().filter_map(count).collect())
    }

    /// Reads results. See [`crate::ledger::ShowLedger::visit_verdicts`].
    pub(super) async fn read_verdicts(
        &self,
        of: VerdictsOf,
        give: &Sender<Vec<(PairKey, ResultCode)>>,
    ) -> Result<(), LedgerError> {
        let (condition, run) = match of {
            VerdictsOf::Run(run) => ("t.run = $1", run),
            VerdictsOf::Before(run) => ("t.id < (SELECT min(id) FROM starts WHERE run = $1)", run),
        };
        let query = format!(
            "SELECT i.pair, c.class FROM settlements c JOIN starts t ON {OF_START}
                JOIN intents i USING (attempt)
             WHERE {condition} AND c.class IN ({}) ORDER BY c.attempt",
            codes_of(|class| matches!(class, Class::Answered(_)))
        );
        let query = self.client.prepare(&query).await.map_err(self.read_failed())?;
        self.read_chunks(&query, [run.0.cast_signed()], give, |row| {
            let Class::Answered(code) = class_of(row.get(1))? else { return None };
            Some((pair_of(row, 0)?, code))
        })
        .await
    }
}
