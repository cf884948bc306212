//! Runs and starts: finding or creating the run of a start, and recording how both end.
//!
//! Must hold: a start with the identity of an open run continues that run. A file whose bytes or
//! columns have changed begins a new run, which takes over the open run of the same path. Changes
//! of runs and starts lock the row `gate`, so that they come one after the other.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::batch::id;
use super::beats::Beats;
use super::codes::class_of;
use super::hearsay::{begin_account, tell_stop};
use super::living::COUNTS_AS_LIVING;
use super::own_start::OwnStart;
use super::reap::lose_open_attempts;
use super::room::take_back;
use super::session::Session;
use crate::ledger::codes::KILLED;
use crate::ledger::{
    FoundRun, Identity, LedgerError, OpenRun, RunId, RunRef, StartEnd, StartNotes, StartRequest,
    SupersededRun,
};
use crate::model::attempt::{StartId, WallMs};
use crate::model::money::Tally;
use crate::model::stop::StopReason;
use crate::rules::tally::count;

/// Begins a transaction that changes runs or starts. The ones before it are waited for.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '30s';
    SELECT value FROM meta WHERE name = 'gate' FOR UPDATE";

/// A start that is about to begin.
#[derive(Clone)]
pub(super) struct Beginning {
    pub(super) opening: StartRequest,
    /// Hash that finds the open run of a file that has changed. Two roles of the database have
    /// their own files of the same path.
    pub(super) lineage: [u8; 16],
    pub(super) host: String,
    pub(super) lease: Duration,
}

impl Session {
    /// Carries out `act` in a transaction that changes runs or starts. If `act` fails, nothing is
    /// changed.
    pub(super) async fn in_gate<T>(
        &mut self,
        act: impl AsyncFnOnce(&mut Self) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let failed = self.write_failed();
        let told = match self.client.batch_execute(BEGIN).await.map_err(&failed) {
            Ok(()) => act(self).await,
            Err(error) => Err(error),
        };
        let end = if told.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.client.batch_execute(end).await.map_err(&failed);
        let told = told?;
        ended.map(|()| told)
    }

    /// Records a new start. A run that has finished gets none. See
    /// [`crate::ledger::Ledger::open_run`].
    ///
    /// # Errors
    /// [`LedgerError::UnderWay`] if living workers are in the way.
    pub(super) async fn begin_start(
        &mut self,
        beginning: &Beginning,
    ) -> Result<OpenRun, LedgerError> {
        let Beginning { opening, lineage, .. } = beginning;
        let run = self
            .in_gate(async |session| {
                let mut found = session.locate(opening, *lineage).await?;
                let id = match found.run {
                    RunRef::Finished { run: id, .. } => {
                        let began_at = opening.at;
                        return Ok(OpenRun { id, start: StartId(0), began_at, found });
                    }
                    RunRef::Open(id) => {
                        session.check_fellow_workers(id, opening).await?;
                        id
                    }
                    RunRef::New { .. } if opening.role.joins() => {
                        return Err(LedgerError::NothingToJoin(session.access.name.clone()));
                    }
                    RunRef::New { takes_over } => {
                        let older = takes_over.map(|older| older.run);
                        if let Some(older) = older {
                            session.check_nobody_works_on(older, opening.at).await?;
                            session.add_tally(&mut found).await?;
                        }
                        session.add_run(beginning, &found, older).await?
                    }
                };
                let start = session.add_start(id, beginning).await?;
                Ok(OpenRun { id, start, began_at: opening.at, found })
            })
            .await?;
        self.own = (run.start > StartId(0))
            .then(|| OwnStart::begin(run.start, opening.at, self.files.as_ref()));
        Ok(run)
    }

    /// Finds the run of an opening. See [`crate::ledger::Facts::find_run`].
    pub(super) async fn find(
        &self,
        opening: &StartRequest,
        lineage: [u8; 16],
    ) -> Result<FoundRun, LedgerError> {
        let mut found = self.locate(opening, lineage).await?;
        self.add_tally(&mut found).await?;
        Ok(found)
    }

    /// Adds the costs of the run that a new run takes over.
    async fn add_tally(&self, found: &mut FoundRun) -> Result<(), LedgerError> {
        if let RunRef::New { takes_over: Some(older) } = &mut found.run {
            older.tally = self.tally_of(older.run).await?;
        }
        Ok(())
    }

    /// Finds the run of an opening, without the costs of the run that it takes over.
    async fn locate(
        &self,
        opening: &StartRequest,
        lineage: [u8; 16],
    ) -> Result<FoundRun, LedgerError> {
        let failed = self.read_failed();
        let Identity { fingerprint, columns } = &opening.identity;
        let is_same = "fingerprint = $1 AND columns = $2";
        let open = select_latest_run(&format!("state = 'open' AND {is_same}"));
        let open = self.client.query_opt(&open, &[&&fingerprint[..], &columns]).await;
        let mut same = open.map_err(&failed)?;
        if let (None, Some(since)) = (&same, opening.role.counts_finished_since()) {
            let finished = format!("state = 'finished' AND ended_at >= $3 AND {is_same}");
            let values: [&(dyn ToSql + Sync); 3] = [&&fingerprint[..], columns, &since.0];
            let finished = self.client.query_opt(&select_latest_run(&finished), &values).await;
            same = finished.map_err(&failed)?;
        }
        if let Some(row) = same {
            return Ok(found_run(&row));
        }
        let older = select_latest_run("state = 'open' AND lineage = $1");
        let older = self.client.query_opt(&older, &[&&lineage[..]]).await.map_err(&failed)?;
        let takes_over = older.map(|row| SupersededRun {
            run: run_of(&row),
            file_changed: row.get::<_, &[u8]>(1) != fingerprint,
            tally: Tally::default(),
        });
        Ok(FoundRun::new_run(opening, takes_over))
    }

    /// Adds a run, and marks the run that it takes over as superseded.
    async fn add_run(
        &self,
        beginning: &Beginning,
        found: &FoundRun,
        takes_over: Option<RunId>,
    ) -> Result<RunId, LedgerError> {
        let Beginning { opening, lineage, .. } = beginning;
        let failed = self.write_failed();
        let older = takes_over.map(|run| run.0.cast_signed());
        let end = "UPDATE runs SET state = 'superseded', ended_at = $2 WHERE id = $1";
        self.client.execute(end, &[&older, &opening.at.0]).await.map_err(&failed)?;
        let Identity { fingerprint, columns } = &opening.identity;
        let rows = i64::try_from(opening.rows).unwrap_or(i64::MAX);
        let row = self
            .client
            .query_one(
                "INSERT INTO runs (fingerprint, columns, lineage, label, account, input_rows,
                    created_at, answers_since, reask_since, superseded)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
                &[
                    &&fingerprint[..],
                    &columns,
                    &&lineage[..],
                    &opening.label,
                    &&opening.account[..],
                    &rows,
                    &found.created_at.0,
                    &found.answers_since.0,
                    &found.reask_since.0,
                    &older,
                ],
            )
            .await;
        Ok(run_of(&row.map_err(&failed)?))
    }

    async fn add_start(&self, run: RunId, beginning: &Beginning) -> Result<StartId, LedgerError> {
        let Beginning { opening, host, lease, .. } = beginning;
        let failed = self.write_failed();
        let account = &opening.account[..];
        if opening.is_limited {
            self.count_used_room(run).await?;
        }
        let add =
            "INSERT INTO starts (run, account, host, rules, joins, began_at, settings, survey,
                version, operator, input_sha256)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id";
        let (number, joins) = (run.0.cast_signed(), opening.role.joins());
        let StartNotes { settings, survey, version, operator, input_sha256 } = &opening.notes;
        let values: [&(dyn ToSql + Sync); 11] = [
            &number,
            &account,
            host,
            &opening.rules,
            &joins,
            &opening.at.0,
            settings,
            survey,
            version,
            operator,
            input_sha256,
        ];
        let row = self.client.query_one(add, &values).await.map_err(&failed)?;
        let start: i32 = row.get(0);
        let live = "INSERT INTO beats (start, seen_at, lease)
            VALUES ($1, clock_timestamp(), make_interval(secs => $2))";
        self.client.execute(live, &[&start, &lease.as_secs_f64()]).await.map_err(&failed)?;
        // Last, because slots wait for this row.
        let others = format!("{COUNTS_AS_LIVING} AND s.id <> {start}");
        begin_account(&self.client, account, &others).await.map_err(&failed)?;
        Ok(StartId(start.cast_unsigned()))
    }

    /// Counts what a run has used of its budget, if no other start of it has room.
    async fn count_used_room(&self, run: RunId) -> Result<(), LedgerError> {
        let failed = self.write_failed();
        let number = run.0.cast_signed();
        let unended = "SELECT EXISTS (SELECT 1 FROM starts WHERE run = $1 AND ended_at IS NULL)";
        let unended = self.client.query_one(unended, &[&number]).await.map_err(&failed)?;
        if unended.get(0) {
            return Ok(());
        }
        let used = i64::try_from(self.tally_of(run).await?.at_most()).unwrap_or(i64::MAX);
        let put = "UPDATE runs SET granted = $2 WHERE id = $1";
        self.client.execute(put, &[&number, &used]).await.map(drop).map_err(failed)
    }

    /// Returns the costs of a run. Open attempts count as in doubt.
    async fn tally_of(&self, run: RunId) -> Result<Tally, LedgerError> {
        let query = format!(
            "SELECT coalesce(s.class, {}::int2), count(*)
             FROM starts t JOIN intents i
                ON i.attempt >= t.id::int8 << 32 AND i.attempt < (t.id::int8 + 1) << 32
                LEFT JOIN settlements s USING (attempt)
             WHERE t.run = $1 GROUP BY 1",
            KILLED.code()
        );
        let rows = self.client.query(&query, &[&run.0.cast_signed()]).await;
        let mut tally = Tally::default();
        for row in rows.map_err(self.read_failed())? {
            let calls = row.get::<_, i64>(1).cast_unsigned();
            class_of(row.get(0)).into_iter().for_each(|class| count(&mut tally, class, calls));
        }
        Ok(tally)
    }

    /// Records how a start ended. `ends_run` is true if its run has finished too.
    pub(super) async fn note_ended(
        &mut self,
        run: &OpenRun,
        ending: &StartEnd,
        ends_run: bool,
    ) -> Result<(), LedgerError> {
        let (start, number) = (id(run.start), run.id.0.cast_signed());
        let (at, stop, exit) = (ending.at.0, ending.stop, i16::from(ending.exit.number()));
        let (output, summary) = (ending.output.clone(), ending.summary.clone());
        self.check_not_forgotten().await?;
        self.in_gate(async move |session| {
            let failed = session.write_failed();
            // Whatever is not settled by now is lost: nobody would declare it lost later.
            let own = "SELECT id, low FROM starts WHERE id = $1 FOR UPDATE";
            let own = session.client.query_one(own, &[&start]).await.map_err(&failed)?;
            lose_open_attempts(&session.client, &own, ending.at).await.map_err(&failed)?;
            take_back(&session.client, start).await.map_err(&failed)?;
            let told = stop.and_then(StopReason::told);
            let newest = session.beats.as_ref().map_or(StartId(0), Beats::newest);
            tell_stop(&session.client, StartId(start.cast_unsigned()), told, newest)
                .await
                .map_err(&failed)?;
            let end = "UPDATE starts SET ended_at = $2, stop = $3, exit = $4, summary = $5,
                    read_until = $6 WHERE id = $1";
            let read_until = session.read_until.map(|at| at.0);
            let values: [&(dyn ToSql + Sync); 6] =
                [&start, &at, &stop, &exit, &summary, &read_until];
            session.client.execute(end, &values).await.map_err(&failed)?;
            if ends_run {
                let end = "UPDATE runs SET state = 'finished', ended_at = $2, exit = $3,
                        ended_by = $4, output = $5
                    WHERE id = $1 AND state = 'open'";
                let values: [&(dyn ToSql + Sync); 5] = [&number, &at, &exit, &start, &output];
                session.client.execute(end, &values).await.map_err(&failed)?;
            }
            Ok(())
        })
        .await?;
        (self.own, self.beats) = (None, None);
        Ok(())
    }
}

/// Returns the run in the first column of a row.
fn run_of(row: &Row) -> RunId {
    RunId(row.get::<_, i64>(0).cast_unsigned())
}

/// Returns the query for the latest run that matches a condition, in the form of [`found_run`].
fn select_latest_run(condition: &str) -> String {
    format!(
        "SELECT id, fingerprint, created_at, answers_since, reask_since,
            (SELECT count(*) FROM starts s WHERE s.run = r.id), state, exit
         FROM runs r WHERE {condition} ORDER BY id DESC LIMIT 1"
    )
}

fn found_run(row: &Row) -> FoundRun {
    let exit = row.get::<_, Option<i16>>(7).and_then(|exit| u8::try_from(exit).ok());
    FoundRun {
        run: match row.get(6) {
            "open" => RunRef::Open(run_of(row)),
            _ => RunRef::finished(run_of(row), exit),
        },
        earlier_starts: row.get::<_, i64>(5).cast_unsigned(),
        created_at: WallMs(row.get(2)),
        answers_since: WallMs(row.get(3)),
        reask_since: WallMs(row.get(4)),
    }
}
