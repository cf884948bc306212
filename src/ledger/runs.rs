//! Runs and their starts.
//!
//! What must hold: the same identity goes on with its open run; a file that changed makes a new
//! run that takes the open one over; the attempts of a start are one unbroken stretch of numbers,
//! since one process at a time writes.

use rusqlite::{Connection, OptionalExtension, params};

use super::facts::UNSETTLED;
use super::sqlite::{reading, writing};
use super::sums::{RUN, START};
use super::{Ending, LedgerError, OpenRun, Opening, RunId, SqliteLedger};
use crate::model::attempt::{AttemptId, WallMs};
use crate::model::money::Charge;

impl SqliteLedger {
    /// The open run of this identity, or a new one.
    pub(super) fn begin(&mut self, opening: &Opening) -> Result<OpenRun, LedgerError> {
        let next_attempt = self.next_attempt()?;
        let transaction = self.connection.transaction().map_err(writing)?;
        let open = open_run(&transaction, opening)?;
        let run = match open {
            Some(id) => id,
            None => new_run(&transaction, opening)?,
        };
        let earlier_starts = starts(&transaction, run)?;
        transaction
            .execute(
                "INSERT INTO starts (run, first_attempt, started_at) VALUES (?1, ?2, ?3)",
                params![run, next_attempt.0, opening.at.0],
            )
            .and_then(|_| {
                transaction.execute(
                    "UPDATE starts SET sum = sum_of(id, run, first_attempt) WHERE id = ?1",
                    [transaction.last_insert_rowid()],
                )
            })
            .map_err(writing)?;
        let begun = read_run(&transaction, run, earlier_starts, next_attempt)?;
        transaction.commit().map_err(writing)?;
        Ok(begun)
    }

    /// The run that [`Self::begin`] would give.
    pub(super) fn find(&self, opening: &Opening) -> Result<OpenRun, LedgerError> {
        let next_attempt = self.next_attempt()?;
        if let Some(run) = open_run(&self.connection, opening)? {
            return read_run(&self.connection, run, starts(&self.connection, run)?, next_attempt);
        }
        Ok(OpenRun {
            id: RunId(0),
            earlier_starts: 0,
            created_at: opening.at,
            answers_since: opening.at.before(opening.reuse),
            reask_since: opening.at.before(opening.reask_after),
            superseded: open_run_of_path(&self.connection, opening)?.map(RunId),
            next_attempt,
        })
    }

    /// Notes how the latest start of a run ended.
    pub(super) fn note_start_ended(
        &mut self,
        run: &OpenRun,
        ending: &Ending,
    ) -> Result<(), LedgerError> {
        self.connection
            .execute(
                "UPDATE starts SET ended_at = ?2, stop = ?3, exit = ?4
                 WHERE id = (SELECT max(id) FROM starts WHERE run = ?1)",
                params![run.id.0, ending.at.0, ending.stop, ending.exit],
            )
            .map(drop)
            .map_err(writing)
    }

    /// Notes that a run is over.
    pub(super) fn note_run_ended(
        &mut self,
        run: &OpenRun,
        ending: &Ending,
    ) -> Result<(), LedgerError> {
        self.connection
            .execute(
                "UPDATE runs SET state = 'finished', ended_at = ?2, exit = ?3 WHERE id = ?1",
                params![run.id.0, ending.at.0, ending.exit],
            )
            .map(drop)
            .map_err(writing)
    }

    /// Settles as in doubt every intent that a dead process left without a settlement.
    pub(super) fn settle_dangling(&mut self, now: WallMs) -> Result<(), LedgerError> {
        self.connection
            .execute(
                "INSERT INTO settlements (id, class, charge, at, sum)
                 SELECT id, ?1, ?2, ?3, sum_of(id, ?1, ?2, NULL, ?3, NULL, NULL, NULL, NULL, NULL,
                    NULL, NULL)
                 FROM intents
                 WHERE id >= coalesce(
                     (SELECT first_attempt FROM starts ORDER BY id DESC LIMIT 1), 0)
                   AND NOT EXISTS (SELECT 1 FROM settlements s WHERE s.id = intents.id)",
                params![UNSETTLED.code(), Charge::Unknown.code(), now.0],
            )
            .map(drop)
            .map_err(writing)
    }

    /// The stretches of attempt numbers `from..to` that belong to this run's starts.
    pub(super) fn stretches(&self, run: RunId) -> Result<Vec<(u64, u64)>, LedgerError> {
        let mut statement = self
            .connection
            .prepare_cached(&format!(
                "SELECT first_attempt, (SELECT n.first_attempt FROM starts n WHERE n.id > s.id
                    ORDER BY n.id LIMIT 1)
                 FROM starts s WHERE +run = ?1 AND {START} ORDER BY s.id",
            ))
            .map_err(reading)?;
        let rows = statement
            .query_map([run.0], |row| {
                Ok((row.get(0)?, row.get::<_, Option<u64>>(1)?.unwrap_or(i64::MAX as u64)))
            })
            .map_err(reading)?;
        rows.collect::<Result<_, _>>().map_err(reading)
    }

    /// The highest number that an attempt ever had, as far as is known.
    pub(super) fn last_attempt(&self) -> Result<u64, LedgerError> {
        self.next_attempt().map(|next| next.0 - 1)
    }

    /// One more than any attempt ever had, purged ones too.
    fn next_attempt(&self) -> Result<AttemptId, LedgerError> {
        let highest: Option<u64> = self
            .connection
            .query_row("SELECT max(id) FROM intents", [], |row| row.get(0))
            .map_err(reading)?;
        let started: Option<u64> = self
            .connection
            .query_row("SELECT max(first_attempt) FROM starts", [], |row| row.get(0))
            .map_err(reading)?;
        let purged: Option<u64> = self.meta("purged_to")?;
        let highest = highest.max(purged).unwrap_or(0) + 1;
        Ok(AttemptId(highest.max(started.unwrap_or(1))))
    }
}

fn open_run(connection: &Connection, opening: &Opening) -> Result<Option<u64>, LedgerError> {
    let identity = &opening.identity;
    connection
        .query_row(
            &format!(
                "SELECT id FROM runs r WHERE {RUN} AND state = 'open' AND +fingerprint = ?1
                    AND +columns = ?2 ORDER BY id DESC LIMIT 1"
            ),
            params![identity.fingerprint, identity.columns],
            |row| row.get(0),
        )
        .optional()
        .map_err(reading)
}

/// The open run of this path, whatever its bytes and columns: a new run of the path supersedes it.
fn open_run_of_path(
    connection: &Connection,
    opening: &Opening,
) -> Result<Option<u64>, LedgerError> {
    connection
        .query_row(
            "SELECT id FROM runs WHERE state = 'open' AND path = ?1 ORDER BY id DESC LIMIT 1",
            [opening.path],
            |row| row.get(0),
        )
        .optional()
        .map_err(reading)
}

fn starts(connection: &Connection, run: u64) -> Result<u64, LedgerError> {
    connection
        .query_row("SELECT count(*) FROM starts WHERE run = ?1", [run], |row| row.get(0))
        .map_err(reading)
}

fn read_run(
    connection: &Connection,
    run: u64,
    earlier_starts: u64,
    next_attempt: AttemptId,
) -> Result<OpenRun, LedgerError> {
    connection
        .query_row(
            "SELECT created_at, answers_since, reask_since, superseded FROM runs WHERE id = ?1",
            [run],
            |row| {
                Ok(OpenRun {
                    id: RunId(run),
                    earlier_starts,
                    created_at: WallMs(row.get(0)?),
                    answers_since: WallMs(row.get(1)?),
                    reask_since: WallMs(row.get(2)?),
                    superseded: row.get::<_, Option<u64>>(3)?.map(RunId),
                    next_attempt,
                })
            },
        )
        .map_err(reading)
}

/// A new run; the open run of the same path, whose bytes or columns were others, is superseded.
fn new_run(transaction: &rusqlite::Transaction<'_>, opening: &Opening) -> Result<u64, LedgerError> {
    let superseded = open_run_of_path(transaction, opening)?;
    if let Some(id) = superseded {
        transaction
            .execute(
                "UPDATE runs SET state = 'superseded', ended_at = ?2 WHERE id = ?1",
                params![id, opening.at.0],
            )
            .map_err(writing)?;
    }
    transaction
        .execute(
            "INSERT INTO runs (fingerprint, columns, path, label, account, input_rows, created_at,
                answers_since, reask_since, superseded)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                opening.identity.fingerprint,
                opening.identity.columns,
                opening.path,
                opening.label,
                opening.account,
                opening.rows,
                opening.at.0,
                opening.at.before(opening.reuse).0,
                opening.at.before(opening.reask_after).0,
                superseded,
            ],
        )
        .map_err(writing)?;
    let id = transaction.last_insert_rowid();
    transaction
        .execute(
            "UPDATE runs SET sum = sum_of(id, fingerprint, columns, created_at, answers_since,
                reask_since) WHERE id = ?1",
            [id],
        )
        .map_err(writing)?;
    u64::try_from(id).map_err(|_| writing(rusqlite::Error::StatementChangedRows(0)))
}
