//! The workers of a shared ledger: who lives, who is in the way of what, and the end of starts that
//! will never come back.
//!
//! Must hold: an open run with living workers is not superseded, and nothing is purged while a
//! worker lives. Silent starts are ended then: what they know of the pairs no longer holds, so they
//! get no intent granted if they come back.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::batch::id;
use super::error::unreachable_server;
use super::hearsay::hear;
use super::reap::declare_dead;
use super::session::Session;
use crate::ledger::observed::ObservedBeat;
use crate::ledger::{Delivered, LedgerError, Member, OpenRun, Others, RunId, RunRef, StartRequest};
use crate::model::attempt::{StartId, WallMs};

/// Condition for a start `s` with beats `b`: its worker lives.
pub(super) const LIVES: &str = "s.ended_at IS NULL AND NOT b.is_dead
    AND b.seen_at >= clock_timestamp() - b.lease";
/// Condition for a start `s` with beats `b`: nobody has declared its worker dead.
pub(super) const COUNTS_AS_LIVING: &str = "s.ended_at IS NULL AND NOT b.is_dead";

/// A start that has not ended, and that may be in the way.
struct Unended {
    run: i64,
    host: String,
    began_at: i64,
    start: StartId,
    /// Its beats; `None` if it was declared dead, or never had any.
    beat: Option<ObservedBeat>,
    /// True if its last beat is younger than its lease, by the server's clock.
    is_fresh: bool,
}

impl Session {
    /// Checks that a run may get one more worker: all workers of a run must agree about which pairs
    /// are done, and about whether there is a budget.
    pub(super) async fn check_fellow_workers(
        &mut self,
        run: RunId,
        opening: &StartRequest,
    ) -> Result<(), LedgerError> {
        let which = format!("s.run = {} AND s.rules <> '{}'", run.0, opening.rules);
        let why = "its workers have other flags: all of them need the same --in-doubt, --retry-refused and \
            --max-attempts, and either all or none have --max-charges or --max-cost";
        self.clear_the_way(&which, |_| why, opening.at).await
    }

    /// Checks that no worker lives on this run, and ends its silent starts.
    pub(super) async fn check_nobody_works_on(
        &mut self,
        run: RunId,
        now: WallMs,
    ) -> Result<(), LedgerError> {
        let why = "the file has changed since: the new version would take over that run";
        self.clear_the_way(&format!("s.run = {}", run.0), |_| why, now).await
    }

    /// Checks that no worker lives on the whole ledger, and ends all silent starts.
    pub(super) async fn check_nobody_works(&mut self, now: WallMs) -> Result<(), LedgerError> {
        self.clear_the_way("true", |_| "a purge is possible only while no run is under way", now)
            .await
    }

    /// Checks that no worker has beaten lately, on tables of any version.
    pub(super) async fn check_nobody_lives(&self) -> Result<(), LedgerError> {
        let lives = format!(
            "SELECT EXISTS (SELECT 1 FROM starts s JOIN beats b ON b.start = s.id WHERE {LIVES})"
        );
        let row = self.client.query_one(&lives, &[]).await.map_err(self.read_failed())?;
        if row.get(0) {
            let what =
                "is in use, and an upgrade is possible only while no run is under way".to_owned();
            let ledger = self.access.name.clone();
            return Err(LedgerError::UnderWay { ledger, what, may_be_dead: None });
        }
        Ok(())
    }

    /// Checks that no worker lives whose start the condition on `s` selects, and ends these starts.
    /// If it is not known yet whether they live, the caller has to try again for a lease.
    async fn clear_the_way(
        &mut self,
        which: &str,
        why: impl Fn(&Unended) -> &'static str,
        now: WallMs,
    ) -> Result<(), LedgerError> {
        let unended = self.unended(which).await?;
        let beats: Vec<ObservedBeat> = unended.iter().filter_map(|of| of.beat).collect();
        let silent = self.look_at(&beats);
        let is_in_the_way =
            |of: &&Unended| of.beat.is_some_and(|beat| !silent.contains(&(of.start, beat.number)));
        let in_the_way: Vec<&Unended> = unended.iter().filter(is_in_the_way).collect();
        if let Some(first) = in_the_way.first() {
            let leases = in_the_way.iter().filter_map(|of| of.beat).map(|beat| beat.lease);
            let longest = leases.max().filter(|_| in_the_way.iter().all(|of| !of.is_fresh));
            return Err(self.under_way(first, why(first), longest));
        }
        for of in &unended {
            self.end_silent(of, why(of), now).await?;
        }
        Ok(())
    }

    /// Ends a start whose worker is silent or dead. It is in the way if it has beaten in this moment.
    async fn end_silent(&self, of: &Unended, why: &str, now: WallMs) -> Result<(), LedgerError> {
        let failed = self.write_failed();
        let lock = "SELECT s.id, s.low, (SELECT CASE WHEN b.is_dead THEN NULL ELSE b.number END
                FROM beats b WHERE b.start = s.id FOR UPDATE)
            FROM starts s WHERE s.id = $1 FOR UPDATE";
        let row = self.client.query_one(lock, &[&id(of.start)]).await.map_err(&failed)?;
        let number = row.get::<_, Option<i64>>(2).map(i64::cast_unsigned);
        if number != of.beat.map(|beat| beat.number) {
            return Err(self.under_way(of, why, None));
        }
        // It was silent for a lease, so its doubts are older than what begins now.
        let before = WallMs(now.0 - 1);
        declare_dead(&self.client, &row, before).await.map_err(&failed)?;
        let end = "UPDATE starts SET ended_at = $2, stop = 'silent' WHERE id = $1";
        let ended = self.client.execute(end, &[&id(of.start), &now.0]).await;
        ended.map(drop).map_err(&failed)
    }

    /// Reads the other starts that have not ended and that a condition on `s` selects.
    async fn unended(&self, which: &str) -> Result<Vec<Unended>, LedgerError> {
        let query = format!(
            "SELECT s.run, s.host, s.began_at, s.id, b.number,
                extract(epoch FROM b.lease)::float8, coalesce({LIVES}, false)
             FROM starts s LEFT JOIN beats b ON b.start = s.id AND NOT b.is_dead
             WHERE s.ended_at IS NULL AND s.id <> {} AND {which} ORDER BY s.id",
            self.own_start()
        );
        let unended = |row: &Row| {
            let start = StartId(row.get::<_, i32>(3).cast_unsigned());
            let beat = row.get::<_, Option<i64>>(4).map(|number| ObservedBeat {
                start,
                number: number.cast_unsigned(),
                lease: Duration::try_from_secs_f64(row.get(5)).unwrap_or_default(),
            });
            let (run, host, began_at) = (row.get(0), row.get(1), row.get(2));
            let is_fresh = row.get(6);
            Unended { run, host, began_at, start, beat, is_fresh }
        };
        let rows = self.client.query(&query, &[]).await.map_err(self.read_failed())?;
        Ok(rows.iter().map(unended).collect())
    }

    /// Returns the number of the start that this process has under way; 0 if there is none.
    fn own_start(&self) -> i32 {
        self.own.as_ref().map_or(0, |own| id(own.writing.start))
    }

    fn under_way(&self, of: &Unended, why: &str, may_be_dead: Option<Duration>) -> LedgerError {
        let Unended { run, host, began_at, .. } = of;
        let since = Timestamp::from_millisecond(*began_at).unwrap_or_default();
        let since = since.strftime("%F %H:%M UTC");
        LedgerError::UnderWay {
            ledger: self.access.name.clone(),
            what: format!("is in use: run {run} is under way on {host} since {since}, and {why}"),
            may_be_dead,
        }
    }

    /// Notes that the worker of a start leaves its run. See [`crate::ledger::Ledger::leave`].
    pub(super) async fn note_leaving(&mut self, run: &OpenRun) -> Result<Others, LedgerError> {
        let start = id(run.start);
        self.check_not_forgotten().await?;
        self.in_gate(async |session| {
            let leaves = "UPDATE starts SET is_leaving = true WHERE id = $1";
            let failed = session.write_failed();
            session.client.execute(leaves, &[&start]).await.map_err(failed)?;
            session.read_others(run).await
        })
        .await
    }

    /// Reads the other workers of a run, and tries only once: whoever waits for them also looks for
    /// signals. If the connection is broken, makes it anew for the next look.
    pub(super) async fn look_at_others(&mut self, run: &OpenRun) -> Result<Others, LedgerError> {
        let told = self
            .once(async |session| {
                if !session.reads_one_moment {
                    session.check_not_forgotten().await?;
                }
                session.read_others(run).await
            })
            .await;
        match told {
            Err(error @ LedgerError::Unreachable { .. }) if !self.reads_one_moment => {
                let again = unreachable_server(&self.access.name, error.to_string());
                self.wait_for_server(error).await.and(Err(again))
            }
            told => {
                self.outage.ends();
                told
            }
        }
    }

    /// Reads the other workers of a run. See [`crate::ledger::Ledger::others`].
    pub(super) async fn read_others(&self, run: &OpenRun) -> Result<Others, LedgerError> {
        let member = |row: &Row| Member {
            start: StartId(row.get::<_, i32>(0).cast_unsigned()),
            host: row.get(1),
            left: row.get::<_, i64>(2).cast_unsigned(),
            joins: row.get(3),
        };
        let query = format!(
            "SELECT s.id, s.host, b.left_over, s.joins FROM starts s JOIN beats b ON b.start = s.id
             WHERE {COUNTS_AS_LIVING} AND NOT s.is_leaving AND s.run = $1 AND s.id <> $2 ORDER BY s.id"
        );
        let values: [&(dyn ToSql + Sync); 2] = [&run.id.0.cast_signed(), &id(run.start)];
        let all = self.client.query(&query, &values).await.map_err(self.read_failed())?;
        let is_silent = |row: &&Row| {
            self.beats.as_ref().is_some_and(|beats| beats.is_silent(member(row).start))
        };
        let living = all.iter().filter(|row| !is_silent(row)).map(member).collect();
        let query = "SELECT (SELECT coalesce(sum(generation), 0) FROM starts WHERE run = r.id),
                r.state = 'finished', r.exit, r.output,
                coalesce((SELECT host FROM starts WHERE id = r.ended_by), ''),
                EXISTS (SELECT 1 FROM starts s WHERE s.id = $2 AND s.ended_at IS NOT NULL)
            FROM runs r WHERE id = $1";
        let row = self.client.query_one(query, &values).await.map_err(self.read_failed())?;
        let exit = row.get::<_, Option<i16>>(2).and_then(|exit| u8::try_from(exit).ok());
        let delivered = row.get::<_, bool>(1).then(|| Delivered {
            exit: RunRef::exit_of_finished(exit),
            host: row.get(4),
            output: row.get(3),
        });
        let declared_dead = row.get::<_, i64>(0).cast_unsigned();
        let heard = hear(&self.client, run.start).await.map_err(self.read_failed())?;
        let stop = heard.and_then(|heard| heard.stop);
        Ok(Others { living, declared_dead, delivered, has_ended: row.get(5), stop })
    }
}
