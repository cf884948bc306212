//! Shows a shared ledger: its runs, its doubts, and its charges by day.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::codes::class_of;
use super::error::unreachable_server;
use super::living::{COUNTS_AS_LIVING, LIVES};
use super::meta;
use super::session::Session;
use crate::ledger::codes::{KILLED, doubt_codes};
use crate::ledger::status::runs_under_way;
use crate::ledger::{
    AttemptDetail, DAY_MS, DayTotal, Doubt, LedgerError, RunId, RunLine, Status, WorkerLine,
    remembered,
};
use crate::model::attempt::{AttemptId, WallMs};
use crate::model::money::Tally;
use crate::rules::tally::count;
use crate::rules::vendor_clock::VendorClock;

/// Most moments in which the same details are read, if the connection breaks in each.
const MOST_MOMENTS: u32 = 20;

impl Session {
    /// Reads everything that is shown, as of one moment.
    pub(super) async fn read_status(
        &mut self,
        utc_offset_ms: i64,
        most_doubts: u64,
    ) -> Result<Status, LedgerError> {
        self.begin_reading().await?;
        let status = async {
            let origin = meta::get(&self.client, &self.access.name, "origin").await?;
            let (runs, workers) = (self.run_lines().await?, self.worker_lines().await?);
            let now = self.server_time().await?;
            let rates = meta::remembered_rates(&self.client, &self.access.name, None).await?;
            Ok(Status {
                learned: remembered::latest(rates.iter().map(String::as_str)),
                under_way: runs_under_way(&workers, &runs, now),
                origin: origin.unwrap_or_default(),
                runs,
                doubts: self.doubts(most_doubts).await?,
                doubts_total: self.count_doubts().await?,
                unsettled: self.count_unsettled().await?,
                workers,
                days: self.days(utc_offset_ms).await?,
                vendor_clock: VendorClock::of(&self.clock_samples().await?),
            })
        };
        let status = status.await;
        self.end_reading().await?;
        status
    }

    /// Begins to read: what others write from now on is not seen.
    pub(super) async fn begin_reading(&mut self) -> Result<(), LedgerError> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
            SET LOCAL idle_in_transaction_session_timeout = '10min'";
        self.client.batch_execute(begin).await.map_err(self.read_failed())?;
        self.read_until = Some(self.server_time().await?);
        self.healed = self.count_healed().await?;
        self.reads_one_moment = true;
        Ok(())
    }

    /// Returns the time at which the transaction began.
    async fn server_time(&self) -> Result<WallMs, LedgerError> {
        let now = self.rows("SELECT (extract(epoch FROM now()) * 1000)::int8").await?;
        Ok(now.first().map_or(WallMs(0), |row| WallMs(row.get(0))))
    }

    /// Counts the late answers: those to attempts that were declared lost before.
    async fn count_healed(&self) -> Result<i64, LedgerError> {
        let query = "SELECT count(*) FROM orphans o
            WHERE EXISTS (SELECT 1 FROM settlements s WHERE s.attempt = o.attempt)";
        let rows = self.rows(query).await?;
        Ok(rows.first().map_or(0, |row| row.get(0)))
    }

    /// Reads the details of attempts. If the connection breaks in a moment of reading, goes on in
    /// another moment, as long as no late answer came in between: apart from these, what is known
    /// of an attempt never changes.
    pub(super) async fn read_details_again(
        &mut self,
        attempts: &[AttemptId],
    ) -> Result<Vec<AttemptDetail>, LedgerError> {
        if !self.reads_one_moment {
            return self.patiently(async |session| session.read_details(attempts).await).await;
        }
        for _ in 0..MOST_MOMENTS {
            let told = self.once(async |session| session.read_details(attempts).await).await;
            let Err(error @ LedgerError::Unreachable { .. }) = told else {
                self.outage.ends();
                return told;
            };
            let (why, before) = (error.to_string(), self.healed);
            self.reads_one_moment = false;
            self.wait_for_server(error).await?;
            self.patiently(async |session| session.begin_reading().await).await?;
            if self.healed != before {
                return Err(unreachable_server(&self.access.name, why));
            }
        }
        let why = "the connection breaks again and again".to_owned();
        Err(unreachable_server(&self.access.name, why))
    }

    /// Ends what [`Self::begin_reading`] began.
    pub(super) async fn end_reading(&mut self) -> Result<(), LedgerError> {
        self.reads_one_moment = false;
        self.client.batch_execute("COMMIT").await.map_err(self.read_failed())
    }

    pub(super) async fn rows(&self, query: &str) -> Result<Vec<Row>, LedgerError> {
        self.client.query(query, &[]).await.map_err(self.read_failed())
    }

    async fn run_lines(&self) -> Result<Vec<RunLine>, LedgerError> {
        let mut tallies = self
            .tallies(&format!(
                "SELECT t.run, c.class, count(*) FROM ({}) c
                    JOIN starts t ON t.id = (c.attempt >> 32)::int GROUP BY 1, 2",
                settled_and_lost()
            ))
            .await?;
        let query = "SELECT r.id, r.label, r.input_rows, r.state, r.created_at, r.ended_at,
                (SELECT count(*) FROM starts s WHERE s.run = r.id), l.stop, l.exit
             FROM runs r LEFT JOIN starts l
                ON l.id = (SELECT max(id) FROM starts s WHERE s.run = r.id)
             ORDER BY r.id";
        let line = |row: &Row| {
            let id: i64 = row.get(0);
            RunLine {
                id: RunId(id.cast_unsigned()),
                label: row.get(1),
                rows: row.get::<_, i64>(2).cast_unsigned(),
                state: row.get(3),
                created_at: WallMs(row.get(4)),
                ended_at: row.get::<_, Option<i64>>(5).map(WallMs),
                starts: row.get::<_, i64>(6).cast_unsigned(),
                last_stop: row.get(7),
                last_exit: row.get::<_, Option<i16>>(8).and_then(|exit| u8::try_from(exit).ok()),
                tally: tallies.remove(&id).unwrap_or_default(),
            }
        };
        Ok(self.rows(query).await?.iter().map(line).collect())
    }

    async fn worker_lines(&self) -> Result<Vec<WorkerLine>, LedgerError> {
        let query = format!(
            "SELECT s.run, s.host, s.began_at, {LIVES}, b.left_over, (SELECT count(*) FROM intents i
                WHERE i.attempt >= s.id::int8 << 32 AND i.attempt < (s.id::int8 + 1) << 32
                    AND i.at > (extract(epoch FROM now()) * 1000)::int8 - 60000)
             FROM starts s JOIN beats b ON b.start = s.id WHERE {COUNTS_AS_LIVING} ORDER BY s.id"
        );
        let line = |row: &Row| WorkerLine {
            run: RunId(row.get::<_, i64>(0).cast_unsigned()),
            host: row.get(1),
            since: WallMs(row.get(2)),
            lives: row.get(3),
            left: row.get::<_, i64>(4).cast_unsigned(),
            recent_calls: row.get::<_, i64>(5).cast_unsigned(),
        };
        Ok(self.rows(&query).await?.iter().map(line).collect())
    }

    async fn doubts(&self, most: u64) -> Result<Vec<Doubt>, LedgerError> {
        let query = format!(
            "SELECT t.run, i.record, i.at, c.class FROM ({}) c JOIN intents i USING (attempt)
                JOIN starts t ON t.id = (c.attempt >> 32)::int
             WHERE c.class IN ({}) ORDER BY c.attempt DESC LIMIT {most}",
            settled_and_lost(),
            doubt_codes()
        );
        let doubt = |row: &Row| {
            Some(Doubt {
                run: RunId(row.get::<_, i64>(0).cast_unsigned()),
                record: row.get::<_, i64>(1).cast_unsigned(),
                at: WallMs(row.get(2)),
                class: class_of(row.get(3))?,
            })
        };
        Ok(self.rows(&query).await?.iter().filter_map(doubt).collect())
    }

    async fn count_doubts(&self) -> Result<u64, LedgerError> {
        let (all, doubts) = (settled_and_lost(), doubt_codes());
        let query = format!("SELECT count(*) FROM ({all}) c WHERE c.class IN ({doubts})");
        let rows = self.rows(&query).await?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).cast_unsigned()))
    }

    async fn days(&self, utc_offset_ms: i64) -> Result<Vec<DayTotal>, LedgerError> {
        let query = format!(
            "SELECT day, class, sum(attempts)::int8 FROM (
                SELECT (c.at + {utc_offset_ms}) / {DAY_MS} AS day, c.class, count(*) AS attempts
                FROM ({}) c GROUP BY 1, 2
                UNION ALL SELECT day, class, attempts FROM purged_days) d
             GROUP BY 1, 2",
            settled_and_lost()
        );
        let tallies = self.tallies(&query).await?;
        Ok(tallies.into_iter().map(|(day, tally)| DayTotal { day, tally }).collect())
    }

    /// Reads one tally for each group. The query must select the group, the class and the number of
    /// attempts.
    pub(super) async fn tallies(&self, query: &str) -> Result<BTreeMap<i64, Tally>, LedgerError> {
        let mut tallies: BTreeMap<i64, Tally> = BTreeMap::new();
        for row in self.rows(query).await? {
            let (group, attempts): (i64, i64) = (row.get(0), row.get(2));
            if let Some(class) = class_of(row.get(1)) {
                count(tallies.entry(group).or_default(), class, attempts.cast_unsigned());
            }
        }
        Ok(tallies)
    }
}

/// Returns the query for all attempts that are settled or declared lost.
pub(super) fn settled_and_lost() -> String {
    format!(
        "SELECT attempt, class, at FROM settlements
         UNION ALL
         SELECT o.attempt, {}::int2, o.at FROM orphans o
         WHERE NOT EXISTS (SELECT 1 FROM settlements s WHERE s.attempt = o.attempt)",
        KILLED.code()
    )
}
