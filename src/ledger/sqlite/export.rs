//! Reads everything that a ledger file holds, for the move to a shared ledger.
//!
//! Must hold: checksums are compared, and attempts get the numbers that their starts give them, also
//! those of version 2, whose numbers contain no start.

use rusqlite::{Row, params};

use super::ledger::SqliteLedger;
use super::run_record::notes_of;
use super::sums::{INTENT, RUN, SETTLEMENT, damaged};
use crate::ledger::LedgerError;
use crate::ledger::codes::text_columns;
use crate::ledger::transfer::{MovedAttempt, MovedDay, MovedRun, MovedStart};
use crate::model::attempt::{AttemptId, PairKey, Settlement, StartId, WallMs};
use crate::model::class::Class;
use crate::model::money::Charge;
use crate::model::texts::Texts;

impl SqliteLedger {
    /// Reads all runs, oldest first.
    pub(in crate::ledger) fn export_runs(&self) -> Result<Vec<MovedRun>, LedgerError> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT id, fingerprint, columns, path, label, account, input_rows, created_at,
                answers_since, reask_since, superseded, state, ended_at, exit
             FROM runs r WHERE {RUN} ORDER BY id"
        ))?;
        let run = |row: &Row<'_>| {
            Ok(MovedRun {
                id: row.get(0)?,
                fingerprint: row.get(1)?,
                columns: row.get(2)?,
                path: row.get(3)?,
                label: row.get(4)?,
                account: row.get(5)?,
                rows: row.get(6)?,
                created_at: WallMs(row.get::<_, Option<i64>>(7)?.ok_or_else(damaged)?),
                answers_since: WallMs(row.get(8)?),
                reask_since: WallMs(row.get(9)?),
                superseded: row.get(10)?,
                state: row.get(11)?,
                ended_at: row.get::<_, Option<i64>>(12)?.map(WallMs),
                exit: row.get(13)?,
            })
        };
        let runs = statement.query_map([], run)?;
        Ok(runs.collect::<Result<_, _>>()?)
    }

    /// Reads all starts, oldest first.
    pub(in crate::ledger) fn export_starts(&self) -> Result<Vec<MovedStart>, LedgerError> {
        // Checks that no start is missing, and their checksums.
        self.starts()?;
        let mut statement = self.connection.prepare(
            "SELECT started_at, ended_at, stop, exit, settings, survey, version, operator,
                input_sha256, summary, id, run FROM starts ORDER BY id",
        )?;
        let start = |row: &Row<'_>| {
            Ok(MovedStart {
                id: StartId(row.get(10)?),
                run: row.get(11)?,
                started_at: WallMs(row.get(0)?),
                ended_at: row.get::<_, Option<i64>>(1)?.map(WallMs),
                stop: row.get(2)?,
                exit: row.get(3)?,
                notes: notes_of(row)?,
                summary: row.get(9)?,
                pauses: Vec::new(),
            })
        };
        let starts: Vec<MovedStart> = statement.query_map([], start)?.collect::<Result<_, _>>()?;
        let with_pauses =
            |start: MovedStart| Ok(MovedStart { pauses: self.pauses_of(start.id)?, ..start });
        starts.into_iter().map(with_pauses).collect()
    }

    /// Visits all attempts, in the order of their starts.
    pub(in crate::ledger) fn export_attempts(
        &self,
        visit: &mut dyn FnMut(MovedAttempt) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let texts = text_columns();
        let mut statement = self.connection.prepare(&format!(
            "SELECT i.id, i.pair, i.record, i.at, s.class, s.charge, s.http, s.at,
                EXISTS (SELECT 1 FROM voids v WHERE v.id = i.id), s.took, {texts}
             FROM intents i LEFT JOIN settlements s ON s.id = i.id
             WHERE i.id >= ?1 AND i.id < ?2 AND {INTENT} AND {SETTLEMENT} ORDER BY i.id"
        ))?;
        for (id, start) in (1..).map(StartId).zip(self.starts()?) {
            let numbers = start.attempts();
            let mut rows = statement.query(params![numbers.start, numbers.end])?;
            while let Some(row) = rows.next()? {
                let n = row.get::<_, u64>(0)? - numbers.start + 1;
                let n = u32::try_from(n).map_err(|_| damaged())?;
                visit(moved_attempt(row, AttemptId::of(id, n))?)?;
            }
        }
        Ok(())
    }

    /// Reads the totals of days that were purged.
    pub(in crate::ledger) fn export_purged_days(&self) -> Result<Vec<MovedDay>, LedgerError> {
        let mut statement =
            self.connection.prepare("SELECT day, class, attempts FROM purged_days")?;
        let day = |row: &Row<'_>| {
            Ok(MovedDay { day: row.get(0)?, class: row.get(1)?, attempts: row.get(2)? })
        };
        let days = statement.query_map([], day)?;
        Ok(days.collect::<Result<_, _>>()?)
    }
}

/// Reads an attempt from a row of [`SqliteLedger::export_attempts`].
fn moved_attempt(row: &Row<'_>, attempt: AttemptId) -> rusqlite::Result<MovedAttempt> {
    let charges = [Charge::Free, Charge::Charged, Charge::Unknown];
    // Each attempt is settled once its start is over.
    let class: Option<u8> = row.get(4)?;
    let charge: Option<u8> = row.get(5)?;
    Ok(MovedAttempt {
        pair: PairKey(row.get(1)?),
        record: row.get(2)?,
        at: WallMs(row.get(3)?),
        settlement: Settlement {
            attempt,
            class: class.and_then(Class::from_code).ok_or_else(damaged)?,
            charge: charges.into_iter().find(|c| Some(c.code()) == charge).ok_or_else(damaged)?,
            http: row.get(6)?,
            took_ms: row.get(9)?,
            at: WallMs(row.get::<_, Option<i64>>(7)?.ok_or_else(damaged)?),
            texts: Texts::try_collect(|text| row.get(10 + text as usize))?,
        },
        voided: row.get(8)?,
    })
}
