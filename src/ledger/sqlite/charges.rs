//! Reads the calls of a time and the charges that are not certain, and measures the vendor's clock.

use std::ops::Range;

use rusqlite::{Row, params};

use super::ledger::SqliteLedger;
use super::start::Start;
use super::sums::{INTENT, SETTLEMENT, damaged};
use crate::ledger::codes::{codes_of, doubt_codes, text_columns};
use crate::ledger::{
    CallsInTime, DayTotal, LedgerError, MinuteOfCalls, OpenCalls, PossibleCharge, RunId,
};
use crate::model::attempt::{AttemptId, PairKey, StartId, WallMs};
use crate::model::class::Class;
use crate::model::money::{Charge, Tally};
use crate::model::texts::Texts;
use crate::rules::classify::charge;
use crate::rules::tally::count;
use crate::rules::vendor_clock::{ClockSample, MINUTE_CHARS, MOST_SAMPLES};

impl SqliteLedger {
    /// Visits the attempts whose charge is unknown. See [`crate::ledger::Facts::visit_possible`].
    pub(super) fn read_possible(
        &self,
        visit: &mut dyn FnMut(PossibleCharge),
    ) -> Result<(), LedgerError> {
        let (texts, unknown) = (text_columns(), codes_of(|class| charge(class) == Charge::Unknown));
        let mut statement = self.connection.prepare(&format!(
            "SELECT i.id, i.run, i.record, i.pair, i.at, s.class, s.http, {texts}
             FROM settlements s JOIN intents i ON i.id = s.id
             WHERE {INTENT} AND {SETTLEMENT} AND s.class IN ({unknown}) ORDER BY i.id"
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            visit(PossibleCharge {
                attempt: AttemptId(row.get(0)?),
                run: RunId(row.get(1)?),
                record: row.get(2)?,
                pair: PairKey(row.get(3)?),
                sent_at: WallMs(row.get(4)?),
                class: Class::from_code(row.get(5)?).ok_or_else(damaged)?,
                http: row.get(6)?,
                texts: Texts::try_collect(|text| row.get(7 + text as usize))?,
            });
        }
        Ok(())
    }

    /// Reads the calls of a time. See [`crate::ledger::ShowLedger::calls`].
    pub(super) fn read_calls(&self, from: WallMs, to: WallMs) -> Result<CallsInTime, LedgerError> {
        // Everything is read as of one moment: a purge moves calls from one sum to another.
        let is_begun = !self.connection.is_autocommit();
        let _moment = match is_begun {
            true => None,
            false => Some(self.connection.unchecked_transaction()?),
        };
        let mut calls = CallsInTime::default();
        for (id, start) in (1..).map(StartId).zip(self.starts()?) {
            self.add_calls(id, &start, from..to, &mut calls)?;
        }
        calls.purged = self
            .tallies("SELECT day, class, attempts FROM purged_days")?
            .into_iter()
            .map(|(day, tally)| DayTotal { day, tally })
            .collect();
        Ok(calls)
    }

    /// Adds the calls of one start in this time.
    pub(super) fn add_calls(
        &self,
        id: StartId,
        start: &Start,
        time: Range<WallMs>,
        calls: &mut CallsInTime,
    ) -> Result<(), LedgerError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT substr(handle_time, 1, {MINUTE_CHARS}), at / 60000, class, count(*)
             FROM (SELECT s.handle_time, s.class, CASE WHEN s.class IN ({})
                    THEN (SELECT i.at FROM intents i WHERE i.id = s.id) ELSE s.at END AS at
                FROM settlements s WHERE s.id >= ?1 AND s.id < ?2)
             WHERE at >= ?3 AND at < ?4 GROUP BY 1, 2, 3",
            doubt_codes()
        ))?;
        let numbers = start.attempts();
        let values = params![numbers.start, numbers.end, time.start.0, time.end.0];
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            let Some(class) = Class::from_code(row.get(2)?) else { continue };
            let mut tally = Tally::default();
            count(&mut tally, class, row.get(3)?);
            calls.minutes.push(MinuteOfCalls {
                start: id,
                run: start.run,
                vendor_minute: row.get(0)?,
                at: WallMs(row.get::<_, i64>(1)? * 60_000),
                tally,
            });
        }
        // Each attempt of a start that was sealed is settled.
        match start.intents {
            Some(_) => Ok(()),
            None => self.add_open(id, start, time, &mut calls.open),
        }
    }

    /// Adds the calls of one start that were sent in this time and are not settled.
    fn add_open(
        &self,
        id: StartId,
        start: &Start,
        time: Range<WallMs>,
        open: &mut Vec<OpenCalls>,
    ) -> Result<(), LedgerError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT at / 60000, count(*) FROM intents
             WHERE id >= ?1 AND id < ?2 AND at >= ?3 AND at < ?4
                AND NOT EXISTS (SELECT 1 FROM settlements s WHERE s.id = intents.id) GROUP BY 1",
        )?;
        let numbers = start.attempts();
        let values = params![numbers.start, numbers.end, time.start.0, time.end.0];
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            let at = WallMs(row.get::<_, i64>(0)? * 60_000);
            open.push(OpenCalls { start: id, run: start.run, at, calls: row.get(1)? });
        }
        Ok(())
    }

    /// Reads the latest answers in which the vendor gave its own time.
    pub(super) fn clock_samples(&self) -> Result<Vec<ClockSample>, LedgerError> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT handle_time, at FROM settlements WHERE handle_time IS NOT NULL
             ORDER BY id DESC LIMIT {MOST_SAMPLES}"
        ))?;
        let sample = |row: &Row<'_>| {
            Ok(ClockSample { handle_time: row.get(0)?, answered_at: WallMs(row.get(1)?) })
        };
        Ok(statement.query_map([], sample)?.collect::<Result<_, _>>()?)
    }
}
