//! Starts: which attempts each start made, and whether all of them are still there.
//!
//! Must hold: the attempts of a start are numbered without a gap, beginning with its first attempt.
//! A start that is over is sealed: its row contains the number of intents that the start made. So a
//! missing attempt is noticed, and its call is not made again. Until a start is sealed, the witness
//! protects its latest attempts. Starts are never removed, so no number is used twice.

use std::cell::OnceCell;
use std::ops::Range;

use rusqlite::{OptionalExtension, params};

use super::ledger::SqliteLedger;
use super::start::Start;
use super::sums::{INTENT, START, START_OF_VERSION_2, damaged};
use crate::ledger::codes::KILLED;
use crate::ledger::{LedgerError, OpenRun, RunId, StartEnd, StartNotes, StartRequest};
use crate::model::attempt::{AttemptId, StartId, WallMs};
use crate::model::money::Charge;

impl SqliteLedger {
    /// Returns all starts, in ascending order. The query has no condition on the run, and the
    /// caller compares the runs: with a condition before the checksum, SQLite would skip a damaged
    /// row without checking it.
    pub(super) fn starts(&self) -> Result<Vec<Start>, LedgerError> {
        if let Some(known) = self.moment.as_ref().and_then(OnceCell::get) {
            return Ok(known.clone());
        }
        let starts = self.read_starts()?;
        if let Some(moment) = &self.moment {
            // Nobody else has set them.
            let _ = moment.set(starts.clone());
        }
        Ok(starts)
    }

    fn read_starts(&self) -> Result<Vec<Start>, LedgerError> {
        let is_old = self.version()? < 3;
        let (intents, sum) =
            if is_old { ("NULL", START_OF_VERSION_2) } else { ("s.intents", START) };
        let query = format!(
            "SELECT s.id, s.run, s.first_attempt, {intents} FROM starts s WHERE {sum} ORDER BY s.id"
        );
        let mut statement = self.connection.prepare_cached(&query)?;
        let mut rows = statement.query([])?;
        let mut starts: Vec<Start> = Vec::new();
        while let Some(row) = rows.next()? {
            let id: u64 = row.get(0)?;
            let start =
                Start { run: RunId(row.get(1)?), first_attempt: row.get(2)?, intents: row.get(3)? };
            let after = starts.last().map_or(0, |before| before.first_attempt);
            // Starts are never removed, and the numbers of attempts only increase.
            if id != starts.len() as u64 + 1 || start.first_attempt < after {
                return Err(damaged().into());
            }
            if let Some(before) = starts.last_mut().filter(|_| is_old) {
                // In version 2 the numbers of attempts continued from start to start.
                before.intents = Some(start.first_attempt - after);
            }
            starts.push(start);
        }
        Ok(starts)
    }

    /// Returns the starts of one run. Refuses a ledger whose last starts are missing: the latest
    /// attempt must belong to a start, and both to the same run.
    pub(super) fn starts_of(&self, run: RunId) -> Result<Vec<Start>, LedgerError> {
        let mut starts = self.starts()?;
        let query =
            format!("SELECT i.id, i.run FROM intents i WHERE {INTENT} ORDER BY i.id DESC LIMIT 1");
        let latest = self.connection.query_row(&query, [], |row| Ok((row.get(0)?, row.get(1)?)));
        if let Some((attempt, run)) = latest.optional()?.map(|(attempt, run)| (attempt, RunId(run)))
        {
            let owner = starts.iter().rfind(|start| start.first_attempt <= attempt);
            if owner.is_none_or(|start| start.run != run || !start.attempts().contains(&attempt)) {
                return Err(damaged().into());
            }
        }
        starts.retain(|start| start.run == run);
        Ok(starts)
    }

    /// Adds a start of a run, and returns its number.
    pub(super) fn add_start(
        connection: &rusqlite::Connection,
        run: RunId,
        opening: &StartRequest,
    ) -> Result<StartId, LedgerError> {
        let StartNotes { settings, survey, version, operator, input_sha256 } = &opening.notes;
        let id: u32 =
            connection
                .query_row("SELECT coalesce(max(id), 0) + 1 FROM starts", [], |row| row.get(0))?;
        let first = AttemptId::of(StartId(id), 1);
        connection.execute(
            "INSERT INTO starts (id, run, first_attempt, started_at, sum, settings, survey, version,
                operator, input_sha256)
             VALUES (?1, ?2, ?3, ?4, sum_of(?1, ?2, ?3, NULL), ?5, ?6, ?7, ?8, ?9)",
            params![
                id,
                run.0,
                first.0,
                opening.at.0,
                settings,
                survey,
                version,
                operator,
                input_sha256
            ],
        )?;
        Ok(StartId(id))
    }

    /// Settles as in doubt the attempts that dead starts left in flight, and seals these starts.
    /// This process holds the lock, so every start that is not sealed is dead.
    pub(super) fn settle_dead_starts(&mut self, now: WallMs) -> Result<(), LedgerError> {
        let starts = self.starts()?;
        // If the last start is missing, its number would be used again.
        if self.last_attempt()?.start().0 as usize > starts.len() {
            return Err(damaged().into());
        }
        let transaction = self.connection.transaction()?;
        for (id, start) in (1..).map(StartId).zip(&starts) {
            if start.intents.is_none() {
                let Range { start: first, end } = start.attempts();
                transaction.execute(
                    "INSERT INTO settlements (id, class, charge, at, sum)
                         SELECT id, ?1, ?2, ?3, sum_of(id, ?1, ?2, NULL, ?3, NULL, NULL, NULL,
                            NULL, NULL, NULL, NULL)
                         FROM intents i WHERE id >= ?4 AND id < ?5
                            AND NOT EXISTS (SELECT 1 FROM settlements s WHERE s.id = i.id)",
                    params![KILLED.code(), Charge::Unknown.code(), now.0, first, end],
                )?;
                seal(&transaction, id)?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Records how a start ended, and seals the start.
    pub(super) fn note_start_ended(
        &mut self,
        run: &OpenRun,
        ending: &StartEnd,
    ) -> Result<(), LedgerError> {
        let transaction = self.connection.transaction()?;
        transaction.execute(
            "UPDATE starts SET ended_at = ?2, stop = ?3, exit = ?4, summary = ?5 WHERE id = ?1",
            params![run.start.0, ending.at.0, ending.stop, ending.exit.number(), ending.summary],
        )?;
        seal(&transaction, run.start)?;
        Ok(transaction.commit()?)
    }

    /// Returns the number of attempts ever made by starts that are over, purged attempts included.
    pub(super) fn attempts_ever(&self) -> Result<u64, LedgerError> {
        Ok(self.starts()?.iter().filter_map(|start| start.intents).sum())
    }

    /// Returns the number of the first attempt that may be without a settlement: the first attempt
    /// of the first start that is not over.
    pub(super) fn first_unsettled(&self) -> Result<u64, LedgerError> {
        let starts = self.starts()?;
        let open = starts.iter().find(|start| start.intents.is_none());
        Ok(open.map_or(u64::MAX >> 1, |start| start.first_attempt))
    }

    /// Returns the highest number that an attempt ever had, purged attempts included.
    pub(super) fn last_attempt(&self) -> Result<AttemptId, LedgerError> {
        let highest: Option<u64> =
            self.connection.query_row("SELECT max(id) FROM intents", [], |row| row.get(0))?;
        let purged: Option<u64> = self.meta("purged_to")?;
        Ok(AttemptId(highest.max(purged).unwrap_or(0)))
    }
}

/// Stores in a start's row how many intents the start made.
fn seal(connection: &rusqlite::Connection, start: StartId) -> Result<(), LedgerError> {
    let first: u64 = connection.query_row(
        "SELECT first_attempt FROM starts WHERE id = ?1",
        [start.0],
        |row| row.get(0),
    )?;
    let end = AttemptId::of(AttemptId(first).start().next(), 0);
    connection.execute(
        "UPDATE starts SET intents = n, sum = sum_of(id, run, first_attempt, n)
         FROM (SELECT coalesce(max(i.id) + 1 - ?2, 0) AS n FROM intents i WHERE i.id >= ?2 AND i.id < ?3)
         WHERE starts.id = ?1",
        params![start.0, first, end.0],
    )?;
    Ok(())
}
