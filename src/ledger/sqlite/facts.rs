//! Reading facts back: what is known of a file's pairs, and what each attempt drew.
//!
//! Two ways to the facts of other runs, both without a random-key index on the hot path: the
//! `standings`, merged in key order at each run's end (looked up one by one for a small file, swept
//! beside the sorted keys for a large one), and a sweep of the attempts since the last merge.

use std::collections::BTreeSet;
use std::ops::Range;

use rusqlite::{Row, params};

use super::SqliteLedger;
use super::sums::{INTENT, SETTLEMENT, STANDING, damaged};
use crate::ledger::{Detail, Earlier, Facts, FoundRun, LedgerError, Opening, Own, RunId, RunRef};
use crate::model::attempt::{AttemptId, PairKey, WallMs};
use crate::model::class::{Class, End, Lost};
use crate::model::reply::Texts;
use crate::rules::estimate::History;
use crate::rules::pairs::{PairIndex, SortedKeys};

/// A look-up costs about as much as sweeping this many standings.
const SWEEP_ADVANTAGE: u64 = 20;
/// Attempts whose numbers are at most so far apart are read as one stretch.
const DENSE: u64 = 8;
/// What an intent without a settlement is once its process is gone: a reader calls it so, and the next start
/// makes it a fact.
pub(super) const UNSETTLED: Class = Class::InDoubt(Lost::Killed);

/// One stored fact that gave a pair an end.
struct Stored {
    attempt: AttemptId,
    run: RunId,
    class: u8,
    at: WallMs,
}

/// Takes a stored fact of one of the pairs that are asked for.
type Tell<'a> = dyn FnMut(PairIndex, &Stored) + 'a;

impl Stored {
    /// From the columns after the pair.
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            attempt: AttemptId(row.get(1)?),
            run: RunId(row.get(2)?),
            class: row.get(3)?,
            at: WallMs(row.get(4)?),
        })
    }
}

impl Facts for SqliteLedger {
    fn find_run(&mut self, opening: &Opening) -> Result<FoundRun, LedgerError> {
        self.find(opening)
    }

    fn earlier(
        &mut self,
        run: &RunRef,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Earlier),
    ) -> Result<(), LedgerError> {
        let own = match run {
            RunRef::Open(id) => Some(*id),
            RunRef::New { .. } => None,
        };
        let taken_over = self.taken_over(run)?;
        let mut tell = |at: PairIndex, stored: &Stored| {
            if Some(stored.run) == own {
                return;
            }
            if let Some(end) = Class::from_code(stored.class).and_then(Class::end) {
                let taken_over = taken_over.contains(&stored.run);
                let Stored { attempt, at: when, .. } = *stored;
                visit(at, Earlier { attempt, end, at: when, taken_over });
            }
        };
        if (keys.as_slice().len() as u64).saturating_mul(SWEEP_ADVANTAGE) < self.attempts_ever()? {
            self.look_up_standings(keys, &mut tell)?;
        } else {
            self.sweep_standings(keys, &mut tell)?;
        }
        self.sweep_unmerged(own, keys, &mut tell)
    }

    fn own(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(Option<PairIndex>, Own),
    ) -> Result<(), LedgerError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT i.id, i.pair, coalesce(s.class, ?3), coalesce(s.at, i.at), v.id IS NOT NULL,
                    i.run, s.id IS NULL
                 FROM intents i
                 LEFT JOIN settlements s ON s.id = i.id LEFT JOIN voids v ON v.id = i.id
                 WHERE i.id >= ?1 AND i.id < ?2 AND {INTENT} AND {SETTLEMENT} ORDER BY i.id"
        ))?;
        for start in self.starts_of(run)? {
            let Range { start: mut expected, end } = start.attempts();
            let mut rows = statement.query(params![expected, end, UNSETTLED.code()])?;
            while let Some(row) = rows.next()? {
                let (pair, own) = own(row)?;
                // An attempt that is left out is made again by this run, and one that is another's by that one. What
                // a start that is over did is settled.
                let is_lost = row.get(6)? && start.intents.is_some();
                if own.attempt.0 != expected || row.get::<_, u64>(5)? != run.0 || is_lost {
                    return Err(damaged().into());
                }
                expected += 1;
                visit(keys.find(&pair), own);
            }
            if start.intents.is_some() && expected < end {
                return Err(damaged().into());
            }
        }
        Ok(())
    }

    fn history(&mut self) -> Result<History, LedgerError> {
        self.read_history()
    }

    fn unsettled(&mut self) -> Result<u64, LedgerError> {
        self.unsettled_from(self.first_unsettled()?)
    }
}

impl SqliteLedger {
    /// See [`crate::ledger::Ledger::details`].
    pub(super) fn read_details(
        &mut self,
        attempts: &[AttemptId],
    ) -> Result<Vec<Detail>, LedgerError> {
        let wanted: BTreeSet<u64> = attempts.iter().map(|attempt| attempt.0).collect();
        let wanted: Vec<u64> = wanted.into_iter().collect();
        let mut details = Vec::with_capacity(wanted.len());
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT id, class, status, result, order_no, handle_time, remark, request_id, reason
                 FROM settlements s WHERE id BETWEEN ?1 AND ?2 AND {SETTLEMENT}"
        ))?;
        let mut read = |wanted: &[u64]| -> rusqlite::Result<()> {
            let mut rows = statement.query([wanted.first(), wanted.last()])?;
            let mut after = None;
            while let Some(row) = rows.next()? {
                let attempt: u64 = row.get(0)?;
                rising(&mut after, attempt)?;
                if wanted.binary_search(&attempt).is_ok() {
                    details.extend(detail(row)?);
                }
            }
            Ok(())
        };
        for near in wanted.chunk_by(|one, next| next - one <= DENSE) {
            read(near)?;
        }
        if details.len() < wanted.len() && !std::mem::replace(&mut self.trees_checked, true) {
            // Never recorded, or out of sight: a tree that is damaged leads past what is in it.
            let found: String =
                self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if found != "ok" {
                return Err(damaged().into());
            }
        }
        Ok(details)
    }

    /// Merges all attempts since the last merge into the standings, in key order: one pass, done
    /// when a run has ended.
    pub(super) fn merge_standings(&mut self) -> Result<(), LedgerError> {
        let merged_to = self.merged_to()?;
        let transaction = self.connection.transaction()?;
        let highest: u64 =
            transaction
                .query_row("SELECT coalesce(max(id), 0) FROM intents", [], |row| row.get(0))?;
        transaction.execute(&merge("i.id > ?1 AND i.id <= ?2"), params![merged_to, highest])?;
        transaction.execute("INSERT OR REPLACE INTO meta VALUES ('merged_to', ?1)", [highest])?;
        Ok(transaction.commit()?)
    }

    pub(super) fn merged_to(&self) -> Result<u64, LedgerError> {
        Ok(self.meta("merged_to")?.unwrap_or(0))
    }

    /// The runs whose answers this one took over: its predecessor's predecessors too.
    fn taken_over(&self, run: &RunRef) -> Result<BTreeSet<RunId>, LedgerError> {
        let mut statement = self.connection.prepare_cached(
            "WITH RECURSIVE chain (id) AS (
                    SELECT CASE WHEN ?2 THEN (SELECT superseded FROM runs WHERE id = ?1) ELSE ?1 END
                    UNION SELECT r.superseded FROM runs r JOIN chain c ON r.id = c.id)
                 SELECT id FROM chain WHERE id IS NOT NULL",
        )?;
        let (from, is_open) = match run {
            RunRef::Open(id) => (Some(id.0), true),
            RunRef::New { takes_over } => (takes_over.map(|older| older.run.0), false),
        };
        let rows = statement.query_map(params![from, is_open], |row| row.get(0).map(RunId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn look_up_standings(&self, keys: &SortedKeys, tell: &mut Tell<'_>) -> rusqlite::Result<()> {
        let neighbour = |which: &str| {
            self.connection.prepare_cached(&format!(
                "SELECT pair, attempt, run, class, at FROM standings WHERE {STANDING} AND {which} LIMIT 1"
            ))
        };
        let mut next = neighbour("pair >= ?1 ORDER BY pair")?;
        let mut before = neighbour("pair < ?1 ORDER BY pair DESC")?;
        for (at, key) in (0..).map(PairIndex).zip(keys.as_slice()) {
            let mut rows = next.query([key.0])?;
            match rows.next()? {
                Some(row) if row.get_ref(0)?.as_blob()? == key.0 => tell(at, &Stored::read(row)?),
                // Where it is not there, both neighbours are looked at: one may be damaged, and be it or hide it.
                _ => drop(before.query([key.0])?.next()?),
            }
        }
        Ok(())
    }

    /// Both are sorted: one step through each.
    fn sweep_standings(&self, keys: &SortedKeys, tell: &mut Tell<'_>) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT pair, attempt, run, class, at FROM standings WHERE {STANDING} ORDER BY pair"
        ))?;
        let mut rows = statement.query([])?;
        let mut wanted = (0..).map(PairIndex).zip(keys.as_slice()).peekable();
        let mut after = None;
        while let Some(row) = rows.next()? {
            let pair = PairKey(row.get(0)?);
            rising(&mut after, pair)?;
            while wanted.next_if(|(_, key)| **key < pair).is_some() {}
            match wanted.next_if(|(_, key)| **key == pair) {
                Some((at, _)) => tell(at, &Stored::read(row)?),
                None if wanted.peek().is_none() => break,
                None => {}
            }
        }
        Ok(())
    }

    fn sweep_unmerged(
        &self,
        not: Option<RunId>,
        keys: &SortedKeys,
        tell: &mut Tell<'_>,
    ) -> Result<(), LedgerError> {
        let unsettled_from = self.first_unsettled()?;
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT i.pair, i.id, i.run, coalesce(s.class, ?3), coalesce(s.at, i.at), s.id IS NULL
                 FROM intents i LEFT JOIN settlements s ON s.id = i.id
                 WHERE i.id > ?1 AND {INTENT} AND {SETTLEMENT} AND i.run IS NOT ?2
                   AND NOT EXISTS (SELECT 1 FROM voids v WHERE v.id = i.id) ORDER BY i.id"
        ))?;
        let not = not.map(|run| run.0);
        let mut rows = statement.query(params![self.merged_to()?, not, UNSETTLED.code()])?;
        while let Some(row) = rows.next()? {
            let (pair, stored) = (PairKey(row.get(0)?), Stored::read(row)?);
            if row.get(5)? && stored.attempt.0 < unsettled_from {
                return Err(damaged().into());
            }
            if let Some(at) = keys.find(&pair) {
                tell(at, &stored);
            }
        }
        Ok(())
    }
}

/// What makes the latest end of each pair its standing, of these attempts `i`, in key order.
pub(super) fn merge(attempts: &str) -> String {
    let ends = codes_of(|class| class.end().is_some());
    format!(
        "INSERT INTO standings (pair, attempt, run, class, at, sum)
         SELECT i.pair, i.id, i.run, s.class, s.at, sum_of(i.pair, i.id, i.run, s.class, s.at)
         FROM intents i JOIN settlements s ON s.id = i.id
         WHERE {INTENT} AND {SETTLEMENT} AND {attempts} AND s.class IN ({ends})
           AND NOT EXISTS (SELECT 1 FROM voids v WHERE v.id = i.id)
         ORDER BY i.pair, i.id
         ON CONFLICT (pair) DO UPDATE SET attempt = excluded.attempt,
            run = excluded.run, class = excluded.class, at = excluded.at, sum = excluded.sum"
    )
}

/// Refuses what does not come after the one before: the tree leads to it twice, and past another.
fn rising<T: Ord + Copy>(after: &mut Option<T>, next: T) -> rusqlite::Result<()> {
    match after.replace(next) {
        Some(before) if before >= next => Err(damaged()),
        _ => Ok(()),
    }
}

fn own(row: &Row<'_>) -> rusqlite::Result<(PairKey, Own)> {
    let (attempt, at) = (AttemptId(row.get(0)?), WallMs(row.get(3)?));
    let voided = row.get(4)?;
    let class = Class::from_code(row.get(2)?).ok_or_else(damaged)?;
    Ok((PairKey(row.get(1)?), Own { attempt, class, at, voided }))
}

fn detail(row: &Row<'_>) -> rusqlite::Result<Option<Detail>> {
    let Some(class) = Class::from_code(row.get(1)?) else { return Ok(None) };
    Ok(Some(Detail {
        attempt: AttemptId(row.get(0)?),
        class,
        texts: Texts {
            status: row.get(2)?,
            result: row.get(3)?,
            order_no: row.get(4)?,
            handle_time: row.get(5)?,
            remark: row.get(6)?,
            request_id: row.get(7)?,
            reason: row.get(8)?,
        },
    }))
}

/// The codes of the doubts, as the queries that look for them list them.
pub(super) fn doubt_codes() -> String {
    codes_of(|class| class.end() == Some(End::InDoubt))
}

/// The codes of some classes, as a query lists them.
pub(super) fn codes_of(wanted: impl Fn(Class) -> bool) -> String {
    let codes: Vec<String> =
        Class::all().filter(|class| wanted(*class)).map(|class| class.code().to_string()).collect();
    codes.join(",")
}
