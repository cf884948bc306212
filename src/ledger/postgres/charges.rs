//! Reads the calls of a time and the charges that are not certain, and measures the vendor's clock.

use tokio::sync::mpsc::Sender;
use tokio_postgres::Row;

use super::batch::attempt_of;
use super::codes::class_of;
use super::facts::{UNSETTLED, pair_of};
use super::session::Session;
use super::status::settled_and_lost;
use crate::ledger::codes::{codes_of, doubt_codes, text_columns};
use crate::ledger::{
    CallsInTime, DayTotal, LedgerError, MinuteOfCalls, OpenCalls, PossibleCharge, RunId,
};
use crate::model::attempt::{StartId, WallMs};
use crate::model::money::{Charge, Tally};
use crate::model::texts::Texts;
use crate::rules::classify::charge;
use crate::rules::tally::count;
use crate::rules::vendor_clock::{ClockSample, MINUTE_CHARS, MOST_SAMPLES};

impl Session {
    /// Reads the calls of a time. See [`crate::ledger::ShowLedger::calls`].
    pub(super) async fn read_calls(
        &mut self,
        from: WallMs,
        to: WallMs,
    ) -> Result<CallsInTime, LedgerError> {
        if self.reads_one_moment {
            return self.read_calls_of_a_moment(from, to).await;
        }
        self.begin_reading().await?;
        let calls = self.read_calls_of_a_moment(from, to).await;
        self.end_reading().await?;
        calls
    }

    async fn read_calls_of_a_moment(
        &self,
        from: WallMs,
        to: WallMs,
    ) -> Result<CallsInTime, LedgerError> {
        let minutes = self.read_minutes(from, to, None).await?;
        let purged = "SELECT day::int8, class, attempts FROM purged_days";
        let purged = self.tallies(purged).await?;
        Ok(CallsInTime {
            minutes,
            purged: purged.into_iter().map(|(day, tally)| DayTotal { day, tally }).collect(),
            open: self.read_open(from, to, None).await?,
        })
    }

    /// Reads the calls that were sent in this time and are not settled: of one run, or of all.
    pub(super) async fn read_open(
        &self,
        from: WallMs,
        to: WallMs,
        run: Option<RunId>,
    ) -> Result<Vec<OpenCalls>, LedgerError> {
        let query = format!(
            "SELECT start, run, at / 60000, count(*) FROM ({UNSETTLED}) o
             WHERE at >= $1 AND at < $2 AND ($3::int8 IS NULL OR run = $3) GROUP BY 1, 2, 3"
        );
        let run = run.map(|run| run.0.cast_signed());
        let rows = self.client.query(&query, &[&from.0, &to.0, &run]).await;
        let open = |row: &Row| OpenCalls {
            start: StartId(row.get::<_, i32>(0).cast_unsigned()),
            run: RunId(row.get::<_, i64>(1).cast_unsigned()),
            at: WallMs(row.get::<_, i64>(2) * 60_000),
            calls: row.get::<_, i64>(3).cast_unsigned(),
        };
        Ok(rows.map_err(self.read_failed())?.iter().map(open).collect())
    }

    /// Reads the calls of a time by minute: of one run, or of all.
    pub(super) async fn read_minutes(
        &self,
        from: WallMs,
        to: WallMs,
        run: Option<RunId>,
    ) -> Result<Vec<MinuteOfCalls>, LedgerError> {
        let query = format!(
            "SELECT t.id, t.run, left(s.handle_time, {MINUTE_CHARS}), c.at / 60000, c.class, count(*)
             FROM (SELECT attempt, class, CASE WHEN class IN ({})
                    THEN (SELECT i.at FROM intents i WHERE i.attempt = a.attempt) ELSE at END AS at
                FROM ({}) a) c
                JOIN starts t ON t.id = (c.attempt >> 32)::int
                LEFT JOIN settlements s USING (attempt)
             WHERE c.at >= $1 AND c.at < $2 AND ($3::int8 IS NULL OR t.run = $3)
             GROUP BY 1, 2, 3, 4, 5",
            doubt_codes(),
            settled_and_lost()
        );
        let run = run.map(|run| run.0.cast_signed());
        let rows = self.client.query(&query, &[&from.0, &to.0, &run]).await;
        let rows = rows.map_err(self.read_failed())?;
        let minute = |row: &Row| {
            let mut tally = Tally::default();
            count(&mut tally, class_of(row.get(4))?, row.get::<_, i64>(5).cast_unsigned());
            Some(MinuteOfCalls {
                start: StartId(row.get::<_, i32>(0).cast_unsigned()),
                run: RunId(row.get::<_, i64>(1).cast_unsigned()),
                vendor_minute: row.get(2),
                at: WallMs(row.get::<_, i64>(3) * 60_000),
                tally,
            })
        };
        Ok(rows.iter().filter_map(minute).collect())
    }

    /// Reads the attempts whose charge is unknown. See [`crate::ledger::Facts::visit_possible`].
    pub(super) async fn read_possible(
        &self,
        give: &Sender<Vec<PossibleCharge>>,
    ) -> Result<(), LedgerError> {
        let texts: Vec<String> =
            text_columns().split(", ").map(|text| format!("s.{text}")).collect();
        let query = format!(
            "SELECT i.attempt, t.run, i.record, i.pair, i.at, c.class, s.http, {}
             FROM ({}) c JOIN intents i USING (attempt)
                JOIN starts t ON t.id = (c.attempt >> 32)::int LEFT JOIN settlements s USING (attempt)
             WHERE c.class IN ({}) ORDER BY i.attempt",
            texts.join(", "),
            settled_and_lost(),
            codes_of(|class| charge(class) == Charge::Unknown)
        );
        let query = self.client.prepare(&query).await.map_err(self.read_failed())?;
        let possible = |row: &Row| {
            Some(PossibleCharge {
                attempt: attempt_of(row.get(0)),
                run: RunId(row.get::<_, i64>(1).cast_unsigned()),
                record: row.get::<_, i64>(2).cast_unsigned(),
                pair: pair_of(row, 3)?,
                sent_at: WallMs(row.get(4)),
                class: class_of(row.get(5))?,
                http: row.get::<_, Option<i32>>(6).and_then(|http| u16::try_from(http).ok()),
                texts: Texts::try_collect(|text| row.try_get(7 + text as usize)).ok()?,
            })
        };
        let none: [i32; 0] = [];
        self.read_chunks(&query, none, give, possible).await
    }

    /// Reads the latest answers in which the vendor gave its own time.
    pub(super) async fn clock_samples(&self) -> Result<Vec<ClockSample>, LedgerError> {
        let query = format!(
            "SELECT handle_time, at FROM settlements WHERE handle_time IS NOT NULL
             ORDER BY attempt DESC LIMIT {MOST_SAMPLES}"
        );
        let sample =
            |row: &Row| ClockSample { handle_time: row.get(0), answered_at: WallMs(row.get(1)) };
        Ok(self.rows(&query).await?.iter().map(sample).collect())
    }
}
