//! What the ledger can tell a person: its runs, what is in doubt, charges by day.
//!
//! Reads only, without the lock. Days are those of an offset that the caller gives: the invoice is
//! the vendor's, and so is its midnight.

use std::collections::BTreeMap;

use super::facts::{codes_of, doubt_codes};
use super::sqlite::reading;
use super::{LedgerError, RunId, SqliteLedger};
use crate::model::attempt::WallMs;
use crate::model::class::Class;
use crate::model::money::Tally;
use crate::rules::estimate::History;
use crate::rules::tally::count;

const DAY_MS: i64 = 86_400_000;
/// How many of the latest attempts the history of charges rests on: a share needs no more, and a large ledger is not
/// read to its end.
pub const HISTORY: u64 = 1_000_000;

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The origin that the ledger belongs to.
    pub origin: String,
    /// The runs, oldest first.
    pub runs: Vec<RunLine>,
    /// The latest rows in doubt, newest first.
    pub doubts: Vec<Doubt>,
    /// How many attempts are in doubt in all.
    pub doubts_total: u64,
    /// Attempts without a settlement: in flight, where a run is under way.
    pub unsettled: u64,
    /// What was paid on which day (days since 1970-01-01), purged days too.
    pub days: Vec<DayTotal>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLine {
    /// Its number.
    pub id: RunId,
    /// What it was called when it began.
    pub label: String,
    /// Rows of its input.
    pub rows: u64,
    /// `open`, `finished` or `superseded`.
    pub state: String,
    /// When it first started.
    pub created_at: WallMs,
    /// When it ended, if it has.
    pub ended_at: Option<WallMs>,
    /// How many starts it had.
    pub starts: u64,
    /// Why its latest start stopped, if it did.
    pub last_stop: Option<String>,
    /// The exit code of its latest start.
    pub last_exit: Option<u8>,
    /// What it cost.
    pub tally: Tally,
}

/// One attempt in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The run that sent it.
    pub run: RunId,
    /// The data record of its row.
    pub record: u64,
    /// When it was sent.
    pub at: WallMs,
    /// How its answer was lost.
    pub class: Class,
}

/// One day's tally.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayTotal {
    /// Days since 1970-01-01.
    pub day: i64,
    /// What was sent, and what it cost.
    pub tally: Tally,
}

impl SqliteLedger {
    /// Reads all of it; lists at most so many doubts.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn status(&self, utc_offset_ms: i64, most_doubts: u64) -> Result<Status, LedgerError> {
        Ok(Status {
            origin: self.origin()?,
            runs: self.run_lines()?,
            doubts: self.doubts(most_doubts)?,
            doubts_total: self.number(&format!(
                "SELECT count(*) FROM settlements WHERE class IN ({})",
                doubt_codes()
            ))?,
            // Of all, not from the latest start on: what is left of a damaged ledger is shown too.
            unsettled: self.unsettled_from(0)?,
            days: self.days(utc_offset_ms)?,
        })
    }

    /// Calls of the latest start that have no settlement.
    pub(super) fn unsettled(&self) -> Result<u64, LedgerError> {
        self.unsettled_from(self.latest_start()?)
    }

    fn unsettled_from(&self, attempt: u64) -> Result<u64, LedgerError> {
        self.number(&format!(
            "SELECT count(*) FROM intents WHERE id >= {attempt}
             AND NOT EXISTS (SELECT 1 FROM settlements s WHERE s.id = intents.id)"
        ))
    }

    /// How often the vendor charged for its latest answers: of the latest [`HISTORY`] attempts, those that drew a
    /// result code.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn history(&self) -> Result<History, LedgerError> {
        let tallies = self.tallies(&format!(
            "SELECT 0, class, count(*) FROM
                (SELECT class FROM settlements ORDER BY id DESC LIMIT {HISTORY})
             WHERE class IN ({}) GROUP BY class",
            codes_of(|class| matches!(class, Class::Answered(_)))
        ))?;
        let tally = tallies.into_values().next().unwrap_or_default();
        Ok(History { answers: tally.calls, charged: tally.confirmed })
    }

    fn number(&self, query: &str) -> Result<u64, LedgerError> {
        self.connection.query_row(query, [], |row| row.get(0)).map_err(reading)
    }

    fn run_lines(&self) -> Result<Vec<RunLine>, LedgerError> {
        let mut tallies = self.tallies(
            "SELECT i.run, s.class, count(*) FROM intents i JOIN settlements s ON s.id = i.id
             GROUP BY 1, 2",
        )?;
        let mut statement = self
            .connection
            .prepare(
                "SELECT r.id, r.label, r.input_rows, r.state, r.created_at, r.ended_at,
                    (SELECT count(*) FROM starts s WHERE s.run = r.id), l.stop, l.exit
                 FROM runs r LEFT JOIN starts l
                    ON l.id = (SELECT max(id) FROM starts s WHERE s.run = r.id)
                 ORDER BY r.id",
            )
            .map_err(reading)?;
        let rows = statement
            .query_map([], |row| {
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
            })
            .map_err(reading)?;
        rows.collect::<Result<_, _>>().map_err(reading)
    }

    fn doubts(&self, most: u64) -> Result<Vec<Doubt>, LedgerError> {
        let mut statement = self
            .connection
            .prepare(&format!(
                "SELECT i.run, i.record, i.at, s.class FROM settlements s
                 JOIN intents i ON i.id = s.id WHERE s.class IN ({})
                 ORDER BY s.id DESC LIMIT ?1",
                doubt_codes()
            ))
            .map_err(reading)?;
        let mut rows = statement.query([most]).map_err(reading)?;
        let mut doubts = Vec::new();
        while let Some(row) = rows.next().map_err(reading)? {
            let class = row.get(3).map_err(reading)?;
            let Some(class) = Class::from_code(class) else { continue };
            doubts.push(Doubt {
                run: RunId(row.get(0).map_err(reading)?),
                record: row.get(1).map_err(reading)?,
                at: WallMs(row.get(2).map_err(reading)?),
                class,
            });
        }
        Ok(doubts)
    }

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

    /// Tallies by the first column of a query of (group, class, number of attempts).
    fn tallies(&self, query: &str) -> Result<BTreeMap<i64, Tally>, LedgerError> {
        let mut statement = self.connection.prepare(query).map_err(reading)?;
        let mut rows = statement.query([]).map_err(reading)?;
        let mut tallies: BTreeMap<i64, Tally> = BTreeMap::new();
        while let Some(row) = rows.next().map_err(reading)? {
            let class = row.get(1).map_err(reading)?;
            if let Some(class) = Class::from_code(class) {
                let group = row.get(0).map_err(reading)?;
                let attempts = row.get(2).map_err(reading)?;
                count(tallies.entry(group).or_default(), class, attempts);
            }
        }
        Ok(tallies)
    }
}
