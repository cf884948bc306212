//! Shows a ledger: its runs, its doubts, and its charges by day.
//!
//! Never: writes, or takes the lock.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;

use super::ledger::SqliteLedger;
use super::note;
use crate::ledger::codes::{codes_of, doubt_codes};
use crate::ledger::{
    CallsInTime, DAY_MS, DayTotal, Doubt, FailureCount, HISTORY, LedgerError, LedgerName, RunId,
    RunLine, RunQuery, RunRecord, ShowLedger, StartSums, Status, VerdictsOf,
};
use crate::model::attempt::{PairKey, StartId, WallMs};
use crate::model::class::{Class, ResultCode};
use crate::model::money::Tally;
use crate::rules::estimate::History;
use crate::rules::tally::count;
use crate::rules::vendor_clock::VendorClock;

impl ShowLedger for SqliteLedger {
    fn name(&self) -> &LedgerName {
        &self.name
    }

    fn read_one_moment(&mut self) -> Result<(), LedgerError> {
        if self.connection.is_autocommit() {
            self.connection.execute_batch("BEGIN")?;
        }
        self.moment = Some(OnceCell::new());
        Ok(())
    }

    fn status(&self, utc_offset_ms: i64, most_doubts: u64) -> Result<Status, LedgerError> {
        Ok(Status {
            origin: self.stamped_origin()?,
            runs: self.run_lines()?,
            doubts: self.doubts(most_doubts)?,
            doubts_total: self.number(&format!(
                "SELECT count(*) FROM settlements WHERE class IN ({})",
                doubt_codes()
            ))?,
            // Attempts of all starts are counted, so that the remains of a damaged ledger are shown
            // too.
            workers: Vec::new(),
            under_way: note::run_under_way(&self.path).into_iter().collect(),
            unsettled: self.unsettled_from(0)?,
            days: self.days(utc_offset_ms)?,
            learned: self.read_rate(None)?,
            vendor_clock: self.vendor_clock()?,
        })
    }

    fn vendor_clock(&self) -> Result<VendorClock, LedgerError> {
        Ok(VendorClock::of(&self.clock_samples()?))
    }

    fn run_record(&self, run: RunId) -> Result<Option<RunRecord>, LedgerError> {
        self.read_record(&RunQuery::Number(run))
    }

    fn start_sums(&self, run: RunId) -> Result<BTreeMap<StartId, StartSums>, LedgerError> {
        self.read_sums(run)
    }

    fn calls(&self, from: WallMs, to: WallMs) -> Result<CallsInTime, LedgerError> {
        self.read_calls(from, to)
    }

    fn origin(&self) -> Result<String, LedgerError> {
        self.stamped_origin()
    }

    fn run_ids(&self) -> Result<Vec<RunId>, LedgerError> {
        self.read_run_ids()
    }

    fn run_calls(&self, run: RunId) -> Result<CallsInTime, LedgerError> {
        self.read_run_calls(run)
    }

    fn run_failures(&self, run: RunId) -> Result<Vec<FailureCount>, LedgerError> {
        self.read_failures(run)
    }

    fn run_latencies(&self, run: RunId) -> Result<Vec<(u32, u64)>, LedgerError> {
        self.read_latencies(run)
    }

    fn visit_verdicts(
        &self,
        of: VerdictsOf,
        visit: &mut dyn FnMut(PairKey, ResultCode),
    ) -> Result<(), LedgerError> {
        self.read_verdicts(of, visit)
    }

    fn check_nothing_lost(&self) -> Result<(), LedgerError> {
        self.check_witness()
    }
}

impl SqliteLedger {
    /// Counts the attempts without a settlement, from this number on.
    pub(super) fn unsettled_from(&self, attempt: u64) -> Result<u64, LedgerError> {
        self.unsettled_within(attempt..u64::MAX >> 1)
    }

    /// Counts the attempts with these numbers.
    pub(super) fn intents_within(&self, attempts: Range<u64>) -> Result<u64, LedgerError> {
        let Range { start, end } = attempts;
        self.number(&format!("SELECT count(*) FROM intents WHERE id >= {start} AND id < {end}"))
    }

    /// Counts the attempts with these numbers without a settlement.
    pub(super) fn unsettled_within(&self, attempts: Range<u64>) -> Result<u64, LedgerError> {
        let Range { start, end } = attempts;
        self.number(&format!(
            "SELECT count(*) FROM intents WHERE id >= {start} AND id < {end}
             AND NOT EXISTS (SELECT 1 FROM settlements s WHERE s.id = intents.id)"
        ))
    }

    /// Reads the share of charged answers. See [`crate::ledger::Facts::history`].
    pub(super) fn read_history(&self) -> Result<History, LedgerError> {
        let tallies = self.tallies(&format!(
            "SELECT 0, class, count(*) FROM
                (SELECT class FROM settlements ORDER BY id DESC LIMIT {HISTORY})
             WHERE class IN ({}) GROUP BY class",
            codes_of(|class| matches!(class, Class::Answered(_)))
        ))?;
        let tally = tallies.into_values().next().unwrap_or_default();
        Ok(History { answers: tally.calls, charged: tally.confirmed })
    }

    /// Returns the number that a query selects.
    fn number(&self, query: &str) -> Result<u64, LedgerError> {
        Ok(self.connection.query_row(query, [], |row| row.get(0))?)
    }

    /// Reads all runs, oldest first.
    fn run_lines(&self) -> Result<Vec<RunLine>, LedgerError> {
        let mut tallies = self.tallies(
            "SELECT i.run, s.class, count(*) FROM intents i JOIN settlements s ON s.id = i.id
             GROUP BY 1, 2",
        )?;
        let mut statement = self.connection.prepare(
            "SELECT r.id, r.label, r.input_rows, r.state, r.created_at, r.ended_at,
                    (SELECT count(*) FROM starts s WHERE s.run = r.id), l.stop, l.exit
                 FROM runs r LEFT JOIN starts l
                    ON l.id = (SELECT max(id) FROM starts s WHERE s.run = r.id)
                 ORDER BY r.id",
        )?;
        let rows = statement.query_map([], |row| {
            let id: u64 = row.get(0)?;
            Ok(RunLine {
                id: RunId(id),
                label: row.get(1)?,
                rows: row.get(2)?,
                state: row.get(3)?,
                created_at: WallMs(row.get(4)?),
                ended_at: row.get::<_, Option<i64>>(5)?.map(WallMs),
                starts: row.get(6)?,
                last_stop: row.get(7)?,
                last_exit: row.get(8)?,
                tally: tallies.remove(&i64::try_from(id).unwrap_or(-1)).unwrap_or_default(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Reads the latest attempts in doubt, at most `most`, latest first.
    fn doubts(&self, most: u64) -> Result<Vec<Doubt>, LedgerError> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT i.run, i.record, i.at, s.class FROM settlements s
                 JOIN intents i ON i.id = s.id WHERE s.class IN ({})
                 ORDER BY s.id DESC LIMIT ?1",
            doubt_codes()
        ))?;
        let doubts = statement.query_map([most], |row| {
            let doubt = |class| {
                Ok(Doubt {
                    run: RunId(row.get(0)?),
                    record: row.get(1)?,
                    at: WallMs(row.get(2)?),
                    class,
                })
            };
            Class::from_code(row.get(3)?).map(doubt).transpose()
        })?;
        Ok(doubts.filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }

    /// Reads the tally of each day, purged days included.
    fn days(&self, utc_offset_ms: i64) -> Result<Vec<DayTotal>, LedgerError> {
        let tallies = self.tallies(&format!(
            "SELECT day, class, sum(attempts) FROM (
                SELECT (at + {utc_offset_ms}) / {DAY_MS} AS day, class, count(*) AS attempts
                FROM settlements GROUP BY 1, 2
                UNION ALL SELECT day, class, attempts FROM purged_days)
             GROUP BY 1, 2",
        ))?;
        Ok(tallies.into_iter().map(|(day, tally)| DayTotal { day, tally }).collect())
    }

    /// Reads one tally for each group. The query must select the group, the class and the number of
    /// attempts.
    pub(super) fn tallies(&self, query: &str) -> Result<BTreeMap<i64, Tally>, LedgerError> {
        let mut statement = self.connection.prepare(query)?;
        let mut rows = statement.query([])?;
        let mut tallies: BTreeMap<i64, Tally> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let class = row.get(1)?;
            if let Some(class) = Class::from_code(class) {
                let group = row.get(0)?;
                let attempts = row.get(2)?;
                count(tallies.entry(group).or_default(), class, attempts);
            }
        }
        Ok(tallies)
    }
}
