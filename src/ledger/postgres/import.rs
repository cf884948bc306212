//! Takes a ledger in a file over, in one transaction.
//!
//! Must hold: only a ledger without starts takes another over, since two ledgers cannot be merged.
//! Numbers of runs, starts and attempts stay as they are.

use tokio_postgres::types::ToSql;

use super::batch::{Settlements, add_pauses, number_of};
use super::session::Session;
use super::statements::{PAUSE, insert_settlements};
use crate::ledger::codes::end_codes;
use crate::ledger::transfer::{MovedAttempt, MovedDay, MovedRun, MovedStart};
use crate::ledger::{LedgerError, StartNotes};

impl Session {
    /// Begins the transaction, and refuses a ledger that has been used.
    pub(super) async fn begin_import(&mut self) -> Result<(), LedgerError> {
        let failed = self.write_failed();
        self.client
            .batch_execute(
                "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '10min';
                 LOCK TABLE starts IN EXCLUSIVE MODE",
            )
            .await
            .map_err(&failed)?;
        let used = "SELECT EXISTS (SELECT 1 FROM starts)";
        if self.client.query_one(used, &[]).await.map_err(&failed)?.get(0) {
            return Err(LedgerError::Refused {
                ledger: self.access.name.clone(),
                what: "has runs in this ledger already, and two ledgers cannot be merged"
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// Adds the runs, the starts, the totals of purged days, and the body kind that works.
    pub(super) async fn import_runs(
        &mut self,
        runs: &[MovedRun],
        starts: &[MovedStart],
        days: &[MovedDay],
    ) -> Result<(), LedgerError> {
        let failed = self.write_failed();
        for run in runs {
            let superseded = run.superseded.map(u64::cast_signed);
            let (rows, id) = (run.rows.cast_signed(), run.id.cast_signed());
            let ended_at = run.ended_at.map(|at| at.0);
            let exit = run.exit.map(i16::from);
            let values: [&(dyn ToSql + Sync); 14] = [
                &id,
                &run.fingerprint,
                &run.columns,
                &run.path,
                &run.label,
                &run.account,
                &rows,
                &run.created_at.0,
                &run.answers_since.0,
                &run.reask_since.0,
                &superseded,
                &run.state,
                &ended_at,
                &exit,
            ];
            let add = "INSERT INTO runs (id, fingerprint, columns, lineage, label, account,
                    input_rows, created_at, answers_since, reask_since, superseded, state, ended_at,
                    exit)
                OVERRIDING SYSTEM VALUE
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
            self.client.execute(add, &values).await.map_err(&failed)?;
        }
        self.import_starts(starts).await?;
        for day in days {
            let number = i32::try_from(day.day).unwrap_or(i32::MAX);
            let (class, attempts) = (i16::from(day.class), day.attempts.cast_signed());
            let add = "INSERT INTO purged_days VALUES ($1, $2, $3)";
            self.client.execute(add, &[&number, &class, &attempts]).await.map_err(&failed)?;
        }
        Ok(())
    }

    /// Adds the starts with their notes and pauses.
    async fn import_starts(&mut self, starts: &[MovedStart]) -> Result<(), LedgerError> {
        let failed = self.write_failed();
        for start in starts {
            let (id, run) = (start.id.0.cast_signed(), start.run.cast_signed());
            // A start that was killed has no end of its own. Its attempts are settled all the same.
            let ended_at = start.ended_at.map(|at| at.0);
            let exit = start.exit.map(i16::from);
            let notes = start.notes.as_ref();
            let note = |text: fn(&StartNotes) -> &String| notes.map(text);
            let values: [&(dyn ToSql + Sync); 12] = [
                &id,
                &run,
                &start.started_at.0,
                &ended_at,
                &start.stop,
                &exit,
                &note(|notes| &notes.settings),
                &note(|notes| &notes.survey),
                &note(|notes| &notes.version),
                &note(|notes| &notes.operator),
                &note(|notes| &notes.input_sha256),
                &start.summary,
            ];
            // One start at a time wrote to the ledger in a file: what others had found out by its
            // begin is what its output shows.
            let add = "INSERT INTO starts (id, run, account, host, began_at, ended_at, stop, exit,
                    settings, survey, version, operator, input_sha256, summary, read_until)
                OVERRIDING SYSTEM VALUE
                VALUES ($1, $2, '', '', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $3)";
            self.client.execute(add, &values).await.map_err(&failed)?;
            let add = self.client.prepare(PAUSE).await.map_err(&failed)?;
            add_pauses(&self.client, &add, id, &start.pauses).await.map_err(&failed)?;
        }
        Ok(())
    }

    /// Adds attempts.
    pub(super) async fn import_attempts(
        &mut self,
        attempts: &[MovedAttempt],
    ) -> Result<(), LedgerError> {
        let failed = self.write_failed();
        let numbers: Vec<i64> =
            attempts.iter().map(|moved| number_of(moved.settlement.attempt)).collect();
        let pairs: Vec<&[u8]> = attempts.iter().map(|moved| &moved.pair.0[..]).collect();
        let records: Vec<i64> = attempts.iter().map(|moved| moved.record.cast_signed()).collect();
        let times: Vec<i64> = attempts.iter().map(|moved| moved.at.0).collect();
        let values: [&(dyn ToSql + Sync); 4] = [&numbers, &pairs, &records, &times];
        let add = "INSERT INTO intents SELECT a, p, 0, r, t FROM
            unnest($1::int8[], $2::bytea[], $3::int8[], $4::int8[]) AS x(a, p, r, t)";
        self.client.execute(add, &values).await.map_err(&failed)?;
        let facts: Vec<_> = attempts.iter().map(|moved| &moved.settlement).collect();
        let add = self.client.prepare(&insert_settlements("")).await.map_err(&failed)?;
        Settlements::of(&facts).send(&self.client, &add).await.map_err(&failed)?;
        let voided = attempts.iter().filter(|moved| moved.voided);
        let voids: Vec<i64> = voided.map(|moved| number_of(moved.settlement.attempt)).collect();
        let add = "INSERT INTO voids SELECT unnest($1::int8[])";
        self.client.execute(add, &[&voids]).await.map(drop).map_err(&failed)
    }

    /// Makes the pairs from the facts, and ends the transaction.
    pub(super) async fn end_import(&mut self) -> Result<(), LedgerError> {
        let ends = end_codes();
        let script = format!(
            "WITH ends AS (
                SELECT i.pair, i.attempt, s.class, s.at,
                    row_number() OVER (PARTITION BY i.pair ORDER BY i.attempt DESC) AS n
                FROM intents i JOIN settlements s USING (attempt)
                WHERE s.class IN ({ends}) AND NOT EXISTS
                    (SELECT 1 FROM voids v WHERE v.attempt = i.attempt))
             INSERT INTO pairs (pair, attempt, version, open, class, ended, at, prior)
             SELECT p.pair, p.attempt, p.version, false, e.class, e.attempt, e.at, b.attempt
             FROM (SELECT pair, max(attempt) AS attempt,
                     least(count(*), 65535)::int AS version
                   FROM intents GROUP BY pair) p
                LEFT JOIN ends e ON e.pair = p.pair AND e.n = 1
                LEFT JOIN ends b ON b.pair = p.pair AND b.n = 2;
             SELECT setval(pg_get_serial_sequence('runs', 'id'), greatest((SELECT max(id) FROM runs), 1),
                    EXISTS (SELECT 1 FROM runs)),
                setval(pg_get_serial_sequence('starts', 'id'), greatest((SELECT max(id) FROM starts), 1),
                    EXISTS (SELECT 1 FROM starts));
             COMMIT"
        );
        self.client.batch_execute(&script).await.map_err(self.write_failed())?;
        // The server does it by itself some time later.
        let _ = self.client.batch_execute("ANALYZE pairs, intents, settlements, starts").await;
        Ok(())
    }

    /// Gives an import up. The ledger is as it was.
    pub(super) async fn give_up_import(&mut self) {
        // A transaction that is not ended is given up with the session.
        let _ = self.client.batch_execute("ROLLBACK").await;
    }
}
