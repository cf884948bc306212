//! Runs: which one a start belongs to, and how it ends.
//!
//! What must hold: the same identity goes on with its open run; a file that changed makes a new run that takes the
//! open one over.

use rusqlite::{OptionalExtension, Transaction, params};

use super::facts::UNSETTLED;
use super::sums::{INTENT, RUN, SETTLEMENT};
use super::{SqliteLedger, reading, writing};
use crate::ledger::{CutShort, Ending, FoundRun, LedgerError, OpenRun, Opening, RunId, RunRef};
use crate::model::attempt::WallMs;
use crate::model::class::Class;
use crate::model::money::Tally;
use crate::rules::tally::count;

impl SqliteLedger {
    /// See [`crate::ledger::Ledger::open_run`].
    pub(super) fn begin_start(&mut self, opening: &Opening) -> Result<OpenRun, LedgerError> {
        // Nobody else writes meanwhile.
        let found = self.find(opening)?;
        let transaction = self.connection.transaction().map_err(writing)?;
        let id = match found.run {
            RunRef::Open(id) => id,
            RunRef::New { takes_over } => {
                new_run(&transaction, opening, &found, takes_over.map(|older| older.run))?
            }
        };
        let start = Self::add_start(&transaction, id, opening.at)?;
        transaction.commit().map_err(writing)?;
        Ok(OpenRun { id, start, found })
    }

    /// See [`crate::ledger::Facts::find_run`].
    pub(super) fn find(&self, opening: &Opening) -> Result<FoundRun, LedgerError> {
        if let Some((id, found)) = self.open_run_of_identity(opening)? {
            let starts = self.starts()?;
            let earlier = starts.iter().filter(|start| start.run == id);
            return Ok(FoundRun { earlier_starts: earlier.count() as u64, ..found });
        }
        let takes_over = match self.open_run_of_path(opening)? {
            Some((run, file_changed)) => {
                Some(CutShort { run, file_changed, tally: self.tally_of(run)? })
            }
            None => None,
        };
        Ok(FoundRun {
            run: RunRef::New { takes_over },
            earlier_starts: 0,
            created_at: opening.at,
            answers_since: opening.at.before(opening.reuse),
            reask_since: opening.at.before(opening.reask_after),
        })
    }

    /// The costs of a run.
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
        for start in self.starts_of(run)? {
            let attempts = start.attempts();
            let mut rows = statement
                .query(params![attempts.start, attempts.end, UNSETTLED.code()])
                .map_err(reading)?;
            while let Some(row) = rows.next().map_err(reading)? {
                let class = Class::from_code(row.get(0).map_err(reading)?);
                let attempts = row.get(1).map_err(reading)?;
                class.into_iter().for_each(|class| count(&mut tally, class, attempts));
            }
        }
        Ok(tally)
    }

    /// Notes that a run is over.
    pub(super) fn note_run_ended(
        &mut self,
        run: RunId,
        ending: &Ending,
    ) -> Result<(), LedgerError> {
        self.connection
            .execute(
                "UPDATE runs SET state = 'finished', ended_at = ?2, exit = ?3 WHERE id = ?1",
                params![run.0, ending.at.0, ending.exit],
            )
            .map(drop)
            .map_err(writing)
    }

    /// The open run of this identity; how often it was started is not counted here.
    fn open_run_of_identity(
        &self,
        opening: &Opening,
    ) -> Result<Option<(RunId, FoundRun)>, LedgerError> {
        let identity = &opening.identity;
        self.connection
            .query_row(
                &format!(
                    "SELECT id, created_at, answers_since, reask_since FROM runs r
                     WHERE {RUN} AND state = 'open' AND +fingerprint = ?1 AND +columns = ?2
                     ORDER BY id DESC LIMIT 1"
                ),
                params![identity.fingerprint, identity.columns],
                |row| {
                    let id = RunId(row.get(0)?);
                    let found = FoundRun {
                        run: RunRef::Open(id),
                        earlier_starts: 0,
                        created_at: WallMs(row.get(1)?),
                        answers_since: WallMs(row.get(2)?),
                        reask_since: WallMs(row.get(3)?),
                    };
                    Ok((id, found))
                },
            )
            .optional()
            .map_err(reading)
    }

    /// The open run of this path, whatever its bytes and columns, and whether its bytes are others: a new run of the
    /// path supersedes it.
    fn open_run_of_path(&self, opening: &Opening) -> Result<Option<(RunId, bool)>, LedgerError> {
        self.connection
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
}

/// A new run; the open run of the same path, whose bytes or columns were others, is superseded.
fn new_run(
    transaction: &Transaction<'_>,
    opening: &Opening,
    found: &FoundRun,
    takes_over: Option<RunId>,
) -> Result<RunId, LedgerError> {
    let superseded = takes_over.map(|older| older.0);
    if let Some(id) = superseded {
        transaction
            .execute(
                "UPDATE runs SET state = 'superseded', ended_at = ?2 WHERE id = ?1",
                params![id, opening.at.0],
            )
            .map_err(writing)?;
    }
    let id: u64 = transaction
        .query_row("SELECT coalesce(max(id), 0) + 1 FROM runs", [], |row| row.get(0))
        .map_err(reading)?;
    transaction
        .execute(
            "INSERT INTO runs (id, fingerprint, columns, path, label, account, input_rows, created_at,
                answers_since, reask_since, superseded, sum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, sum_of(?1, ?2, ?3, ?8, ?9, ?10))",
            params![
                id,
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
    Ok(RunId(id))
}
