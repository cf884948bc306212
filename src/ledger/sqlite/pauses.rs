//! The pauses of starts.

use rusqlite::{Connection, Row, params};

use super::ledger::SqliteLedger;
use crate::ledger::LedgerError;
use crate::model::attempt::{StartId, WallMs};
use crate::model::pause::{Pause, PauseKind};

/// Adds pauses that have begun, and the ends of those that are over.
pub(super) fn add_pauses(
    connection: &Connection,
    start: StartId,
    pauses: &[Pause],
) -> rusqlite::Result<()> {
    for Pause { number, kind, at, until, rate } in pauses {
        connection
            .prepare_cached(
                "INSERT INTO pauses (start, number, kind, at, until, rate)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (start, number) DO UPDATE SET until = excluded.until",
            )?
            .execute(params![start.0, number, kind.word(), at.0, until.map(|at| at.0), rate])?;
    }
    Ok(())
}

impl SqliteLedger {
    /// Reads the pauses of a start, in their order. Those of an unknown kind are left out.
    pub(super) fn pauses_of(&self, start: StartId) -> Result<Vec<Pause>, LedgerError> {
        if self.version()? < 4 {
            return Ok(Vec::new());
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT number, kind, at, until, rate FROM pauses WHERE start = ?1 ORDER BY number",
        )?;
        let pause = |row: &Row<'_>| {
            let Some(kind) = PauseKind::from_word(row.get_ref(1)?.as_str()?) else {
                return Ok(None);
            };
            Ok(Some(Pause {
                number: row.get(0)?,
                kind,
                at: WallMs(row.get(2)?),
                until: row.get::<_, Option<i64>>(3)?.map(WallMs),
                rate: row.get(4)?,
            }))
        };
        let pauses = statement.query_map([start.0], pause)?;
        Ok(pauses.filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }
}
