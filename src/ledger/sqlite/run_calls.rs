//! Reads the calls of one run in the forms that a page about it shows.

use super::ledger::SqliteLedger;
use super::sums::damaged;
use crate::ledger::codes::codes_of;
use crate::ledger::{CallsInTime, FailureCount, LedgerError, RunId, VerdictsOf};
use crate::model::attempt::{PairKey, WallMs};
use crate::model::class::{Class, ResultCode};

impl SqliteLedger {
    /// Reads the calls of a run by minute. See [`crate::ledger::ShowLedger::run_calls`].
    pub(super) fn read_run_calls(&self, run: RunId) -> Result<CallsInTime, LedgerError> {
        let mut calls = CallsInTime::default();
        let always = WallMs(i64::MIN)..WallMs(i64::MAX);
        for (id, start) in self.numbered_starts(run)? {
            self.add_calls(id, &start, always.clone(), &mut calls)?;
        }
        Ok(calls)
    }

    /// Reads the numbers of all runs. See [`crate::ledger::ShowLedger::run_ids`].
    pub(super) fn read_run_ids(&self) -> Result<Vec<RunId>, LedgerError> {
        let mut statement = self.connection.prepare("SELECT id FROM runs ORDER BY id")?;
        let ids = statement.query_map([], |row| row.get(0).map(RunId))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Counts the attempts of a run without a result code. See
    /// [`crate::ledger::ShowLedger::run_failures`].
    pub(super) fn read_failures(&self, run: RunId) -> Result<Vec<FailureCount>, LedgerError> {
        let numbers = self.numbers_of(run)?;
        let query = format!(
            "SELECT s.class, count(*), count(DISTINCT i.pair)
             FROM settlements s JOIN intents i ON i.id = s.id
             WHERE s.class NOT IN ({}) AND {numbers} GROUP BY 1 ORDER BY 1",
            codes_of(|class| matches!(class, Class::Answered(_)))
        );
        let mut statement = self.connection.prepare(&query)?;
        let mut rows = statement.query([])?;
        let mut failures = Vec::new();
        while let Some(row) = rows.next()? {
            let class = Class::from_code(row.get(0)?).ok_or_else(damaged)?;
            failures.push(FailureCount { class, attempts: row.get(1)?, pairs: row.get(2)? });
        }
        Ok(failures)
    }

    /// Counts the calls of a run by the time that they took. See
    /// [`crate::ledger::ShowLedger::run_latencies`].
    pub(super) fn read_latencies(&self, run: RunId) -> Result<Vec<(u32, u64)>, LedgerError> {
        if self.version()? < 4 {
            return Ok(Vec::new());
        }
        let numbers = self.numbers_of(run)?;
        let query = format!(
            "SELECT s.took, count(*) FROM settlements s JOIN intents i ON i.id = s.id
             WHERE s.took IS NOT NULL AND {numbers} GROUP BY 1 ORDER BY 1"
        );
        let mut statement = self.connection.prepare(&query)?;
        let counts = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(counts.collect::<Result<_, _>>()?)
    }

    /// Visits results. See [`crate::ledger::ShowLedger::visit_verdicts`].
    pub(super) fn read_verdicts(
        &self,
        of: VerdictsOf,
        visit: &mut dyn FnMut(PairKey, ResultCode),
    ) -> Result<(), LedgerError> {
        let numbers = match of {
            VerdictsOf::Run(run) => self.numbers_of(run)?,
            VerdictsOf::Before(run) => {
                let first = self.numbered_starts(run)?.next();
                let first = first.map_or(0, |(_, start)| start.attempts().start);
                format!("s.id < {first}")
            }
        };
        let mut statement = self.connection.prepare(&format!(
            "SELECT i.pair, s.class FROM settlements s JOIN intents i ON i.id = s.id
             WHERE s.class IN ({}) AND {numbers} ORDER BY s.id",
            codes_of(|class| matches!(class, Class::Answered(_)))
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(Class::Answered(code)) = Class::from_code(row.get(1)?) {
                visit(PairKey(row.get(0)?), code);
            }
        }
        Ok(())
    }

    /// Returns the condition that settlements `s` with their intents `i` are of this run. Starts of
    /// other runs may lie between its own.
    fn numbers_of(&self, run: RunId) -> Result<String, LedgerError> {
        let starts: Vec<_> =
            self.numbered_starts(run)?.map(|(_, start)| start.attempts()).collect();
        let (first, last) = (starts.first(), starts.last());
        let (first, last) = (first.map_or(0, |own| own.start), last.map_or(0, |own| own.end));
        Ok(format!("s.id >= {first} AND s.id < {last} AND i.run = {}", run.0))
    }
}
