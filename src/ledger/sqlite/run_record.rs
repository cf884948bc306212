//! Reads the record of a run with its starts.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, params};

use super::ledger::SqliteLedger;
use super::start::Start;
use super::sums::{RUN, SETTLEMENT};
use crate::ledger::codes::end_codes;
use crate::ledger::{
    Identity, LedgerError, RunId, RunQuery, RunRecord, StartNotes, StartRecord, StartSums,
};
use crate::model::attempt::{StartId, WallMs};
use crate::model::class::Class;
use crate::rules::tally::count;

impl SqliteLedger {
    /// Finds a run that has begun. See [`crate::ledger::Facts::find_record`].
    pub(super) fn read_record(
        &self,
        wanted: &RunQuery<'_>,
    ) -> Result<Option<RunRecord>, LedgerError> {
        let Some(id) = self.wanted_run(wanted)? else { return Ok(None) };
        let query = format!(
            "SELECT label, input_rows, state, created_at, ended_at, fingerprint, columns,
                answers_since, reask_since FROM runs r WHERE {RUN} AND +id = ?1"
        );
        let record = |row: &Row<'_>| {
            Ok(RunRecord {
                id: RunId(id),
                label: row.get(0)?,
                rows: row.get(1)?,
                state: row.get(2)?,
                created_at: WallMs(row.get(3)?),
                ended_at: row.get::<_, Option<i64>>(4)?.map(WallMs),
                // One start at a time is under way.
                finished_by: None,
                identity: Identity { fingerprint: row.get(5)?, columns: row.get(6)? },
                answers_since: WallMs(row.get(7)?),
                reask_since: WallMs(row.get(8)?),
                starts: Vec::new(),
            })
        };
        let record = self.connection.query_row(&query, [id], record).optional()?;
        let Some(record) = record else { return Ok(None) };
        let starts = self.numbered_starts(RunId(id))?;
        let starts = starts.map(|(id, _)| self.start_record(id)).collect::<Result<_, _>>()?;
        Ok(Some(RunRecord { starts, ..record }))
    }

    /// Returns the starts of a run with their numbers.
    pub(super) fn numbered_starts(
        &self,
        run: RunId,
    ) -> Result<impl Iterator<Item = (StartId, Start)>, LedgerError> {
        let starts = (1..).map(StartId).zip(self.starts()?);
        Ok(starts.filter(move |(_, start)| start.run == run))
    }

    /// Returns the number of the run that is wanted, if there is one.
    fn wanted_run(&self, wanted: &RunQuery<'_>) -> Result<Option<u64>, LedgerError> {
        Ok(match wanted {
            RunQuery::Number(run) => Some(run.0),
            RunQuery::Input(_) if self.version()? < 4 => None,
            RunQuery::Input(sha256) => {
                let query = "SELECT max(run) FROM starts WHERE input_sha256 = ?1";
                self.connection.query_row(query, [sha256], |row| row.get(0))?
            }
            RunQuery::Identity(Identity { fingerprint, columns }) => {
                let named = wanted.named();
                let query = format!(
                    "SELECT id FROM runs r WHERE {RUN} AND +fingerprint = ?1
                        AND (+columns = ?2 OR substr(columns, 1, length(?3)) = ?3)
                     ORDER BY id DESC LIMIT 1"
                );
                let values = params![fingerprint, columns, named];
                self.connection.query_row(&query, values, |row| row.get(0)).optional()?
            }
        })
    }

    fn start_record(&self, id: StartId) -> Result<StartRecord, LedgerError> {
        let notes = match self.version()? < 4 {
            true => "NULL, NULL, NULL, NULL, NULL, NULL",
            false => "settings, survey, version, operator, input_sha256, summary",
        };
        let query =
            format!("SELECT started_at, ended_at, stop, exit, {notes} FROM starts WHERE id = ?1");
        let record = |row: &Row<'_>| {
            Ok(StartRecord {
                id,
                host: None,
                began_at: WallMs(row.get(0)?),
                ended_at: row.get::<_, Option<i64>>(1)?.map(WallMs),
                stop: row.get(2)?,
                exit: row.get(3)?,
                notes: notes_of(row)?,
                summary: row.get(9)?,
                pauses: Vec::new(),
            })
        };
        let record = self.connection.query_row(&query, [id.0], record)?;
        Ok(StartRecord { pauses: self.pauses_of(id)?, ..record })
    }

    /// Returns the sums of each start of a run. See [`crate::ledger::ShowLedger::start_sums`].
    pub(super) fn read_sums(
        &self,
        run: RunId,
    ) -> Result<BTreeMap<StartId, StartSums>, LedgerError> {
        self.numbered_starts(run)?.map(|(id, start)| Ok((id, self.sums_of(&start)?))).collect()
    }

    fn sums_of(&self, start: &Start) -> Result<StartSums, LedgerError> {
        let ends = end_codes();
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT s.class, count(*), count(*) FILTER (WHERE s.class IN ({ends})
                    AND NOT EXISTS (SELECT 1 FROM voids v WHERE v.id = s.id))
             FROM settlements s WHERE s.id >= ?1 AND s.id < ?2 AND {SETTLEMENT} GROUP BY 1"
        ))?;
        let numbers = start.attempts();
        let mut sums = StartSums::default();
        let mut rows = statement.query([numbers.start, numbers.end])?;
        while let Some(row) = rows.next()? {
            if let Some(class) = Class::from_code(row.get(0)?) {
                count(&mut sums.tally, class, row.get(1)?);
                sums.ended_pairs += row.get::<_, u64>(2)?;
            }
        }
        match start.intents {
            // Each attempt of a start that was sealed is settled.
            Some(intents) => {
                sums.purged = intents.saturating_sub(self.intents_within(numbers)?);
            }
            None => sums.unsettled = self.unsettled_within(numbers)?,
        }
        Ok(sums)
    }
}

/// Reads the notes of a start, from the columns 4 to 8. Returns `None` if an earlier
/// version made the start.
pub(super) fn notes_of(row: &Row<'_>) -> rusqlite::Result<Option<StartNotes>> {
    let Some(settings) = row.get(4)? else { return Ok(None) };
    let text = |column| row.get::<_, Option<String>>(column).map(Option::unwrap_or_default);
    Ok(Some(StartNotes {
        settings,
        survey: text(5)?,
        version: text(6)?,
        operator: text(7)?,
        input_sha256: text(8)?,
    }))
}
