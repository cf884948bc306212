//! Runs: finding or creating the run of a start, and recording its end.
//!
//! Must hold: a start with the identity of an open run continues that run. A file whose bytes or
//! columns have changed begins a new run, which takes over the open run of the same path.

use rusqlite::{OptionalExtension, Params, Transaction, params};

use super::ledger::SqliteLedger;
use super::sums::{INTENT, RUN, SETTLEMENT};
use crate::ledger::codes::KILLED;
use crate::ledger::{
    FoundRun, Identity, LedgerError, OpenRun, RunId, RunRef, StartEnd, StartRequest, SupersededRun,
};
use crate::model::attempt::WallMs;
use crate::model::class::Class;
use crate::model::money::Tally;
use crate::rules::tally::count;

impl SqliteLedger {
    /// Records a new start. See [`crate::ledger::Ledger::open_run`].
    pub(super) fn begin_start(&mut self, opening: &StartRequest) -> Result<OpenRun, LedgerError> {
        // This process holds the lock, so nothing changes between this read and the transaction.
        let found = self.find(opening)?;
        let transaction = self.connection.transaction()?;
        let id = match found.run {
            RunRef::Open(id) | RunRef::Finished { run: id, .. } => id,
            RunRef::New { takes_over } => {
                new_run(&transaction, opening, &found, takes_over.map(|older| older.run))?
            }
        };
        let start = Self::add_start(&transaction, id, opening)?;
        transaction.commit()?;
        Ok(OpenRun { id, start, began_at: opening.at, found })
    }

    /// Finds the run of an opening. See [`crate::ledger::Facts::find_run`].
    pub(super) fn find(&self, opening: &StartRequest) -> Result<FoundRun, LedgerError> {
        let Identity { fingerprint, columns } = &opening.identity;
        let is_same = "+fingerprint = ?1 AND +columns = ?2";
        let same = match self.latest("open", is_same, params![fingerprint, columns])? {
            None if opening.role.counts_finished_since().is_some() => {
                self.latest("finished", is_same, params![fingerprint, columns])?
            }
            found => found,
        };
        if let Some((id, _, found)) = same {
            let starts = self.starts()?;
            let earlier = starts.iter().filter(|start| start.run == id);
            return Ok(FoundRun { earlier_starts: earlier.count() as u64, ..found });
        }
        // The new run supersedes the open run of the same path, whatever its bytes and columns.
        let takes_over = match self.latest("open", "path = ?1", params![opening.path])? {
            Some((run, older, _)) => {
                let file_changed = older != *fingerprint;
                Some(SupersededRun { run, file_changed, tally: self.tally_of(run)? })
            }
            None => None,
        };
        Ok(FoundRun::new_run(opening, takes_over))
    }

    /// Returns the latest run in a state that matches a condition, with its fingerprint. The starts
    /// of the run are not counted.
    fn latest(
        &self,
        state: &str,
        holds: &str,
        values: impl Params,
    ) -> Result<Option<(RunId, [u8; 16], FoundRun)>, LedgerError> {
        let found = self
            .connection
            .query_row(
                &format!(
                    "SELECT id, fingerprint, created_at, answers_since, reask_since, state, exit
                     FROM runs r WHERE {RUN} AND state = '{state}' AND {holds} ORDER BY id DESC LIMIT 1"
                ),
                values,
                |row| {
                    let id = RunId(row.get(0)?);
                    let found = FoundRun {
                        run: match row.get_ref(5)?.as_str()? {
                            "open" => RunRef::Open(id),
                            _ => RunRef::finished(id, row.get(6)?),
                        },
                        earlier_starts: 0,
                        created_at: WallMs(row.get(2)?),
                        answers_since: WallMs(row.get(3)?),
                        reask_since: WallMs(row.get(4)?),
                    };
                    Ok((id, row.get(1)?, found))
                },
            )
            .optional()?;
        Ok(found)
    }

    /// Returns the costs of a run. Attempts without a settlement count as in doubt.
    fn tally_of(&self, run: RunId) -> Result<Tally, LedgerError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT coalesce(s.class, ?3), count(*)
                 FROM intents i LEFT JOIN settlements s ON s.id = i.id
                 WHERE i.id >= ?1 AND i.id < ?2 AND {INTENT} AND {SETTLEMENT} GROUP BY 1"
        ))?;
        let mut tally = Tally::default();
        for start in self.starts_of(run)? {
            let attempts = start.attempts();
            let mut rows = statement.query(params![attempts.start, attempts.end, KILLED.code()])?;
            while let Some(row) = rows.next()? {
                let class = Class::from_code(row.get(0)?);
                let attempts = row.get(1)?;
                class.into_iter().for_each(|class| count(&mut tally, class, attempts));
            }
        }
        Ok(tally)
    }

    /// Records that a run has finished.
    pub(super) fn note_run_ended(
        &mut self,
        run: RunId,
        ending: &StartEnd,
    ) -> Result<(), LedgerError> {
        self.connection.execute(
            "UPDATE runs SET state = 'finished', ended_at = ?2, exit = ?3 WHERE id = ?1",
            params![run.0, ending.at.0, ending.exit.number()],
        )?;
        Ok(())
    }
}

/// Adds a run, and marks the run that it takes over as superseded.
fn new_run(
    transaction: &Transaction<'_>,
    opening: &StartRequest,
    found: &FoundRun,
    takes_over: Option<RunId>,
) -> Result<RunId, LedgerError> {
    let superseded = takes_over.map(|older| older.0);
    if let Some(id) = superseded {
        transaction.execute(
            "UPDATE runs SET state = 'superseded', ended_at = ?2 WHERE id = ?1",
            params![id, opening.at.0],
        )?;
    }
    let id: u64 =
        transaction.query_row("SELECT coalesce(max(id), 0) + 1 FROM runs", [], |row| row.get(0))?;
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
        )?;
    Ok(RunId(id))
}
