//! Runs and their starts.
//!
//! What must hold: the same identity goes on with its open run; a file that changed makes a new
//! run that takes the open one over; the attempts of a start are one unbroken stretch of numbers,
//! since one process at a time writes.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::facts::UNSETTLED;
use super::sqlite::{reading, writing};
use super::sums::{INTENT, RUN, SETTLEMENT, START, damaged};
use super::{CutShort, Ending, LedgerError, OpenRun, Opening, RunId, SqliteLedger};
use crate::model::attempt::{AttemptId, WallMs};
use crate::model::class::Class;
use crate::model::money::{Charge, Tally};
use crate::rules::tally::count;

/// One start, its sum checked.
struct Start {
    run: u64,
    first_attempt: u64,
}

impl SqliteLedger {
    /// The open run of this identity, or a new one.
    pub(super) fn begin(&mut self, opening: &Opening) -> Result<OpenRun, LedgerError> {
        // Nobody else writes meanwhile.
        let mut run = self.find(opening)?;
        let transaction = self.connection.transaction().map_err(writing)?;
        if run.id == RunId(0) {
            run.id = new_run(&transaction, opening, &run)?;
        }
        transaction
            .execute(
                "INSERT INTO starts (run, first_attempt, started_at) VALUES (?1, ?2, ?3)",
                params![run.id.0, run.next_attempt.0, opening.at.0],
            )
            .and_then(|_| {
                transaction.execute(
                    "UPDATE starts SET sum = sum_of(id, run, first_attempt) WHERE id = ?1",
                    [transaction.last_insert_rowid()],
                )
            })
            .map_err(writing)?;
        transaction.commit().map_err(writing)?;
        Ok(run)
    }

    /// The run that [`Self::begin`] would give.
    pub(super) fn find(&self, opening: &Opening) -> Result<OpenRun, LedgerError> {
        let next_attempt = self.next_attempt()?;
        if let Some(run) = open_run(&self.connection, opening, next_attempt)? {
            let starts = starts(&self.connection)?;
            let earlier = starts.iter().filter(|start| start.run == run.id.0);
            return Ok(OpenRun { earlier_starts: earlier.count() as u64, ..run });
        }
        let superseded = open_run_of_path(&self.connection, opening)?;
        let cut_short = superseded.map(|(older, file_changed)| {
            self.tally_of(older).map(|tally| CutShort { file_changed, tally })
        });
        Ok(OpenRun {
            id: RunId(0),
            earlier_starts: 0,
            created_at: opening.at,
            answers_since: opening.at.before(opening.reuse),
            reask_since: opening.at.before(opening.reask_after),
            superseded: superseded.map(|(older, _)| older),
            cut_short: cut_short.transpose()?,
            next_attempt,
        })
    }

    /// What a run has cost.
    fn tally_of(&self, run: RunId) -> Result<Tally, LedgerError> {
        let mut statement = self
            .connection
            .prepare_cached(&format!(
                "SELECT coalesce(s.class, ?3), count(*)
                 FROM intents i LEFT JOIN settlements s ON s.id = i.id
                 WHERE i.id >= ?1 AND i.id < ?2 AND {INTENT} AND {SETTLEMENT} GROUP BY 1"
            ))
            .map_err(reading)?;
        let mut tally = Tally::default();
        for (from, to) in self.stretches(run)? {
            let mut rows = statement.query(params![from, to, UNSETTLED.code()]).map_err(reading)?;
            while let Some(row) = rows.next().map_err(reading)? {
                let class = Class::from_code(row.get(0).map_err(reading)?);
                let attempts = row.get(1).map_err(reading)?;
                class.into_iter().for_each(|class| count(&mut tally, class, attempts));
            }
        }
        Ok(tally)
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
        let from = self.latest_start()?;
        self.connection
            .execute(
                "INSERT INTO settlements (id, class, charge, at, sum)
                 SELECT id, ?1, ?2, ?3, sum_of(id, ?1, ?2, NULL, ?3, NULL, NULL, NULL, NULL, NULL,
                    NULL, NULL)
                 FROM intents
                 WHERE id >= ?4 AND NOT EXISTS (SELECT 1 FROM settlements s WHERE s.id = intents.id)",
                params![UNSETTLED.code(), Charge::Unknown.code(), now.0, from],
            )
            .map(drop)
            .map_err(writing)
    }

    /// The first attempt of the latest start: only from there on can an intent be without a settlement.
    pub(super) fn latest_start(&self) -> Result<u64, LedgerError> {
        Ok(starts(&self.connection)?.last().map_or(0, |start| start.first_attempt))
    }

    /// The stretches of attempt numbers `from..to` that belong to this run's starts.
    pub(super) fn stretches(&self, run: RunId) -> Result<Vec<(u64, u64)>, LedgerError> {
        let starts = starts(&self.connection)?;
        self.check_last(&starts)?;
        let ends = starts.iter().skip(1).map(|next| next.first_attempt).chain([i64::MAX as u64]);
        let stretches = starts.iter().zip(ends).filter(|(start, _)| start.run == run.0);
        Ok(stretches.map(|(start, end)| (start.first_attempt, end)).collect())
    }

    /// The last starts are not gone: the latest attempt belongs to the run of the start that it stands under.
    fn check_last(&self, starts: &[Start]) -> Result<(), LedgerError> {
        let latest = self
            .connection
            .query_row(
                &format!(
                    "SELECT i.id, i.run FROM intents i WHERE {INTENT} ORDER BY i.id DESC LIMIT 1"
                ),
                [],
                |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?)),
            )
            .optional()
            .map_err(reading)?;
        let Some((attempt, run)) = latest else { return Ok(()) };
        match starts.iter().rfind(|start| start.first_attempt <= attempt) {
            Some(start) if start.run == run => Ok(()),
            _ => Err(reading(damaged())),
        }
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
        let purged: Option<u64> = self.meta("purged_to")?;
        let highest = highest.max(purged).unwrap_or(0) + 1;
        Ok(AttemptId(highest.max(self.latest_start()?)))
    }
}

/// The open run of this identity; how often it was started is not asked here.
fn open_run(
    connection: &Connection,
    opening: &Opening,
    next_attempt: AttemptId,
) -> Result<Option<OpenRun>, LedgerError> {
    let identity = &opening.identity;
    connection
        .query_row(
            &format!(
                "SELECT id, created_at, answers_since, reask_since, superseded FROM runs r
                 WHERE {RUN} AND state = 'open' AND +fingerprint = ?1 AND +columns = ?2
                 ORDER BY id DESC LIMIT 1"
            ),
            params![identity.fingerprint, identity.columns],
            |row| {
                Ok(OpenRun {
                    id: RunId(row.get(0)?),
                    earlier_starts: 0,
                    created_at: WallMs(row.get(1)?),
                    answers_since: WallMs(row.get(2)?),
                    reask_since: WallMs(row.get(3)?),
                    superseded: row.get::<_, Option<u64>>(4)?.map(RunId),
                    cut_short: None,
                    next_attempt,
                })
            },
        )
        .optional()
        .map_err(reading)
}

/// The open run of this path, whatever its bytes and columns, and whether its bytes are others: a new run of the path
/// supersedes it.
fn open_run_of_path(
    connection: &Connection,
    opening: &Opening,
) -> Result<Option<(RunId, bool)>, LedgerError> {
    connection
        .query_row(
            &format!(
                "SELECT id, fingerprint FROM runs r WHERE {RUN} AND state = 'open' AND path = ?1
                 ORDER BY id DESC LIMIT 1"
            ),
            [opening.path],
            |row| {
                let fingerprint: [u8; 16] = row.get(1)?;
                Ok((RunId(row.get(0)?), fingerprint != opening.identity.fingerprint))
            },
        )
        .optional()
        .map_err(reading)
}

/// All starts, in their order. Whose they are is asked here, not of SQLite: a condition before the sum passes over a
/// damaged row unseen. And a stretch ends where the next start begins, whosever that is: each is read.
fn starts(connection: &Connection) -> Result<Vec<Start>, LedgerError> {
    let query =
        format!("SELECT s.id, s.run, s.first_attempt FROM starts s WHERE {START} ORDER BY s.id");
    let mut statement = connection.prepare_cached(&query).map_err(reading)?;
    let mut rows = statement.query([]).map_err(reading)?;
    let mut starts: Vec<Start> = Vec::new();
    while let Some(row) = rows.next().map_err(reading)? {
        let (id, start) = start(row).map_err(reading)?;
        let after = starts.last().map_or(0, |before| before.first_attempt);
        // None is ever removed, and numbers only rise.
        if id != starts.len() as u64 + 1 || start.first_attempt < after {
            return Err(reading(damaged()));
        }
        starts.push(start);
    }
    Ok(starts)
}

fn start(row: &Row<'_>) -> rusqlite::Result<(u64, Start)> {
    Ok((row.get(0)?, Start { run: row.get(1)?, first_attempt: row.get(2)? }))
}

/// A new run; the open run of the same path, whose bytes or columns were others, is superseded.
fn new_run(
    transaction: &Transaction<'_>,
    opening: &Opening,
    found: &OpenRun,
) -> Result<RunId, LedgerError> {
    let superseded = found.superseded.map(|older| older.0);
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
                found.created_at.0,
                found.answers_since.0,
                found.reask_since.0,
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
    u64::try_from(id).map(RunId).map_err(|_| writing(rusqlite::Error::StatementChangedRows(0)))
}
