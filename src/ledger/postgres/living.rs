//! The workers of a shared ledger: who lives, who is in the way of what, and the end of starts that
//! will never come back.
//!
//! Must hold: an open run with living workers is not superseded, and nothing is purged while a
//! worker lives. Silent starts are ended then: what they know of the pairs no longer holds, so they
//! get no intent granted if they come back.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_postgres::Row;

use super::batch::id;
use super::reap::declare_dead;
use super::session::Session;
use crate::ledger::{Delivered, LedgerError, Member, OpenRun, Others, RunId, RunRef};
use crate::model::attempt::{StartId, WallMs};

/// Condition for a start `s` with beats `b`: its worker lives.
pub(super) const LIVES: &str = "s.ended_at IS NULL AND NOT b.is_dead
    AND b.seen_at >= clock_timestamp() - b.lease";
/// Condition for a start `s` with beats `b`: nobody has declared its worker dead.
pub(super) const COUNTS_AS_LIVING: &str = "s.ended_at IS NULL AND NOT b.is_dead";

impl Session {
    /// Checks that a run may get one more worker. A worker that keeps to a budget works alone,
    /// because nobody else knows what it is about to spend.
    pub(super) async fn check_limits(
        &self,
        run: RunId,
        is_limited: bool,
    ) -> Result<(), LedgerError> {
        let workers = self.others(LIVES, &format!("s.run = {}", run.0)).await?;
        let is_in_the_way = |row: &&Row| is_limited || row.get::<_, bool>(4);
        match workers.iter().find(is_in_the_way) {
            None => Ok(()),
            Some(worker) => Err(self.under_way(
                worker,
                "a run with --max-charges or --max-cost has one worker at a time",
            )),
        }
    }

    /// Checks that no worker lives on this run, and ends its silent starts.
    pub(super) async fn check_nobody_works_on(
        &self,
        run: RunId,
        now: WallMs,
    ) -> Result<(), LedgerError> {
        let of_run = format!("s.run = {}", run.0);
        let why = "the file has changed, and its new version would take the run over";
        self.check_nobody_lives(&of_run, why, now).await
    }

    /// Checks that no worker lives on the whole ledger, and ends all silent starts.
    pub(super) async fn check_nobody_works(&self, now: WallMs) -> Result<(), LedgerError> {
        self.check_nobody_lives("true", "a purge needs the ledger alone", now).await
    }

    async fn check_nobody_lives(
        &self,
        which: &str,
        why: &str,
        now: WallMs,
    ) -> Result<(), LedgerError> {
        if let Some(worker) = self.others(LIVES, which).await?.first() {
            return Err(self.under_way(worker, why));
        }
        let failed = self.write_failed();
        let silent = format!("s.ended_at IS NULL AND s.id <> {} AND {which}", self.own_start());
        let all = format!("SELECT s.id, s.low FROM starts s WHERE {silent} FOR UPDATE");
        for row in self.client.query(&all, &[]).await.map_err(&failed)? {
            declare_dead(&self.client, &row, now).await.map_err(&failed)?;
        }
        let end =
            format!("UPDATE starts s SET ended_at = {}, stop = 'silent' WHERE {silent}", now.0);
        self.client.execute(&end, &[]).await.map(drop).map_err(&failed)
    }

    /// Returns the number of the start that this process has under way; 0 if there is none.
    fn own_start(&self) -> i32 {
        self.writing.as_ref().map_or(0, |writing| id(writing.start))
    }

    /// Reads the other workers that two conditions select.
    async fn others(&self, lives: &str, which: &str) -> Result<Vec<Row>, LedgerError> {
        let query = format!(
            "SELECT s.run, s.host, s.began_at, s.id, s.is_limited, b.left_over
             FROM starts s JOIN beats b ON b.start = s.id
             WHERE {lives} AND s.id <> {} AND {which} ORDER BY s.id",
            self.own_start()
        );
        self.client.query(&query, &[]).await.map_err(self.read_failed())
    }

    fn under_way(&self, worker: &Row, why: &str) -> LedgerError {
        let (run, host): (i64, &str) = (worker.get(0), worker.get(1));
        let since = Timestamp::from_millisecond(worker.get(2)).unwrap_or_default();
        let since = since.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M");
        LedgerError::UnderWay {
            ledger: self.access.name.clone(),
            what: format!("is in use: run {run} is under way on {host} since {since}, and {why}"),
        }
    }

    /// Reads the other workers of a run. See [`crate::ledger::Ledger::others`].
    pub(super) async fn read_others(&self, run: &OpenRun) -> Result<Others, LedgerError> {
        let member = |row: &Row| Member {
            start: StartId(row.get::<_, i32>(3).cast_unsigned()),
            host: row.get(1),
            left: row.get::<_, i64>(5).cast_unsigned(),
        };
        let which = format!("s.run = {}", run.id.0);
        let all = self.others(COUNTS_AS_LIVING, &which).await?;
        let is_silent = |row: &&Row| {
            self.beats.as_ref().is_some_and(|beats| beats.is_silent(member(row).start))
        };
        let living = all.iter().filter(|row| !is_silent(row)).map(member).collect();
        let query = "SELECT (SELECT coalesce(sum(generation), 0) FROM starts WHERE run = r.id),
                r.state = 'finished', r.exit, r.output,
                coalesce((SELECT host FROM starts WHERE id = r.ended_by), '')
            FROM runs r WHERE id = $1";
        let number = run.id.0.cast_signed();
        let row = self.client.query_one(query, &[&number]).await.map_err(self.read_failed())?;
        let exit = row.get::<_, Option<i16>>(2).and_then(|exit| u8::try_from(exit).ok());
        let delivered = row.get::<_, bool>(1).then(|| Delivered {
            exit: RunRef::exit_of_finished(exit),
            host: row.get(4),
            output: row.get(3),
        });
        let declared_dead = row.get::<_, i64>(0).cast_unsigned();
        Ok(Others { living, declared_dead, delivered })
    }
}
