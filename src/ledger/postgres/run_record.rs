//! Reads the record of a run with its starts.

use std::collections::BTreeMap;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::codes::class_of;
use super::facts::UNSETTLED;
use super::session::Session;
use super::status::settled_and_lost;
use crate::ledger::codes::end_codes;
use crate::ledger::{
    Identity, LedgerError, RunId, RunQuery, RunRecord, StartNotes, StartRecord, StartSums,
};
use crate::model::attempt::{StartId, WallMs};
use crate::model::pause::{Pause, PauseKind};
use crate::rules::tally::count;

/// The run that is wanted, with owned values: the thread of the ledger reads it.
#[derive(Clone)]
pub(super) struct WantedRun {
    /// Condition on the runs `r`.
    condition: &'static str,
    values: WantedValues,
}

#[derive(Clone)]
enum WantedValues {
    Number(i64),
    Input(String),
    Identity(Vec<u8>, String, String),
}

impl WantedRun {
    pub(super) fn of(wanted: &RunQuery<'_>) -> Self {
        let (condition, values) = match wanted {
            RunQuery::Number(run) => ("id = $1", WantedValues::Number(run.0.cast_signed())),
            RunQuery::Input(sha256) => (
                "id = (SELECT max(run) FROM starts WHERE input_sha256 = $1)",
                WantedValues::Input((*sha256).to_owned()),
            ),
            RunQuery::Identity(Identity { fingerprint, columns }) => (
                "fingerprint = $1 AND (columns = $2 OR starts_with(columns, $3))",
                WantedValues::Identity(fingerprint.to_vec(), columns.clone(), wanted.named()),
            ),
        };
        Self { condition, values }
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        match &self.values {
            WantedValues::Number(number) => vec![number],
            WantedValues::Input(sha256) => vec![sha256],
            WantedValues::Identity(fingerprint, columns, named) => {
                vec![fingerprint, columns, named]
            }
        }
    }
}

impl Session {
    /// Finds a run that has begun. See [`crate::ledger::Facts::find_record`].
    pub(super) async fn read_record(
        &self,
        wanted: &WantedRun,
    ) -> Result<Option<RunRecord>, LedgerError> {
        let failed = self.read_failed();
        let query = format!(
            "SELECT id, label, input_rows, state, created_at, ended_at, fingerprint, columns,
                answers_since, reask_since, ended_by
             FROM runs r WHERE {} ORDER BY id DESC LIMIT 1",
            wanted.condition
        );
        let row = self.client.query_opt(&query, &wanted.values()).await.map_err(&failed)?;
        let Some(row) = row else { return Ok(None) };
        let id: i64 = row.get(0);
        let fingerprint: &[u8] = row.get(6);
        let record = RunRecord {
            id: RunId(id.cast_unsigned()),
            label: row.get(1),
            rows: row.get::<_, i64>(2).cast_unsigned(),
            state: row.get(3),
            created_at: WallMs(row.get(4)),
            ended_at: row.get::<_, Option<i64>>(5).map(WallMs),
            finished_by: row.get::<_, Option<i32>>(10).map(|id| StartId(id.cast_unsigned())),
            identity: Identity {
                fingerprint: fingerprint.try_into().unwrap_or_default(),
                columns: row.get(7),
            },
            answers_since: WallMs(row.get(8)),
            reask_since: WallMs(row.get(9)),
            starts: self.start_records(id).await?,
        };
        Ok(Some(record))
    }

    async fn start_records(&self, run: i64) -> Result<Vec<StartRecord>, LedgerError> {
        let failed = self.read_failed();
        let query = "SELECT id, host, began_at, ended_at, stop, exit, settings, survey, version,
                operator, input_sha256, summary
            FROM starts WHERE run = $1 ORDER BY id";
        let rows = self.client.query(query, &[&run]).await.map_err(&failed)?;
        let mut pauses = self.pauses_of(run).await?;
        let start = |row: &Row| {
            let id: i32 = row.get(0);
            StartRecord {
                id: StartId(id.cast_unsigned()),
                host: Some(row.get(1)),
                began_at: WallMs(row.get(2)),
                ended_at: row.get::<_, Option<i64>>(3).map(WallMs),
                stop: row.get(4),
                exit: row.get::<_, Option<i16>>(5).and_then(|exit| u8::try_from(exit).ok()),
                notes: notes_of(row),
                summary: row.get(11),
                pauses: pauses.remove(&id).unwrap_or_default(),
            }
        };
        Ok(rows.iter().map(start).collect())
    }

    /// Returns the sums of each start of a run. See [`crate::ledger::ShowLedger::start_sums`].
    pub(super) async fn read_sums(
        &self,
        run: RunId,
    ) -> Result<BTreeMap<StartId, StartSums>, LedgerError> {
        let query = format!(
            "SELECT t.id, c.class, count(*), count(*) FILTER (WHERE c.class IN ({})
                AND NOT EXISTS (SELECT 1 FROM voids v WHERE v.attempt = c.attempt))
             FROM starts t JOIN ({}) c
                ON c.attempt >= t.id::int8 << 32 AND c.attempt < (t.id::int8 + 1) << 32
             WHERE t.run = $1 GROUP BY 1, 2",
            end_codes(),
            settled_and_lost()
        );
        let (number, failed) = (run.0.cast_signed(), self.read_failed());
        let rows = self.client.query(&query, &[&number]).await.map_err(&failed)?;
        let mut sums: BTreeMap<StartId, StartSums> = BTreeMap::new();
        for row in rows {
            let Some(class) = class_of(row.get(1)) else { continue };
            let of_start = sums.entry(start_of(&row)).or_default();
            count(&mut of_start.tally, class, row.get::<_, i64>(2).cast_unsigned());
            of_start.ended_pairs += row.get::<_, i64>(3).cast_unsigned();
        }
        let open = format!("SELECT start, count(*) FROM ({UNSETTLED}) o WHERE run = $1 GROUP BY 1");
        for row in self.client.query(&open, &[&number]).await.map_err(&failed)? {
            let of_start = sums.entry(start_of(&row)).or_default();
            of_start.unsettled = row.get::<_, i64>(1).cast_unsigned();
        }
        Ok(sums)
    }

    /// Reads the pauses of each start of a run. Those of an unknown kind are left out.
    async fn pauses_of(&self, run: i64) -> Result<BTreeMap<i32, Vec<Pause>>, LedgerError> {
        let query = "SELECT p.start, p.number, p.kind, p.at, p.until, p.rate
            FROM pauses p JOIN starts t ON t.id = p.start WHERE t.run = $1 ORDER BY 1, 2";
        let rows = self.client.query(query, &[&run]).await.map_err(self.read_failed())?;
        let mut pauses: BTreeMap<i32, Vec<Pause>> = BTreeMap::new();
        for row in rows {
            let Some(kind) = PauseKind::from_word(row.get(2)) else { continue };
            pauses.entry(row.get(0)).or_default().push(Pause {
                number: row.get::<_, i32>(1).cast_unsigned(),
                kind,
                at: WallMs(row.get(3)),
                until: row.get::<_, Option<i64>>(4).map(WallMs),
                rate: row.get(5),
            });
        }
        Ok(pauses)
    }
}

/// Returns the start in the first column of a row.
fn start_of(row: &Row) -> StartId {
    StartId(row.get::<_, i32>(0).cast_unsigned())
}

/// Reads the notes of a start. Returns `None` if an earlier version made the start.
fn notes_of(row: &Row) -> Option<StartNotes> {
    let text = |column: usize| row.get::<_, Option<String>>(column);
    Some(StartNotes {
        settings: text(6)?,
        survey: text(7).unwrap_or_default(),
        version: text(8).unwrap_or_default(),
        operator: text(9).unwrap_or_default(),
        input_sha256: text(10).unwrap_or_default(),
    })
}
