//! Reads facts back: what is known of the pairs of a file, and the outcome of each attempt.
//!
//! Facts of other runs come from two places, and neither needs an index in random key order on the
//! hot path. The first is `standings`, which is merged in key order when a run ends. A small file
//! looks its keys up there one by one, and a large file sweeps the table beside its own sorted
//! keys. The second is a sweep of the attempts since the last merge.

use std::collections::BTreeSet;
use std::ops::Range;

use rusqlite::{Row, params};

use super::ledger::SqliteLedger;
use super::sums::{INTENT, SETTLEMENT, STANDING, damaged};
use crate::ledger::codes::{KILLED, end_codes, text_columns};
use crate::ledger::{
    AttemptDetail, EarlierFact, Facts, FoundRun, LedgerError, OwnAttempt, PossibleCharge,
    Purgeable, RunId, RunQuery, RunRecord, RunRef, Standing, StartRequest, remembered,
};
use crate::model::attempt::{AttemptId, PairKey, WallMs};
use crate::model::class::Class;
use crate::model::texts::Texts;
use crate::rules::estimate::History;
use crate::rules::pair_table::{PairIndex, SortedKeys};
use crate::rules::rate::Remembered;

/// Number of standings that can be swept in about the time of one look-up.
const SWEEP_ADVANTAGE: u64 = 20;
/// Largest distance between two attempt numbers that are read by one query.
const DENSE: u64 = 8;

/// A stored fact that gave a pair an end.
struct Stored {
    attempt: AttemptId,
    run: RunId,
    class: u8,
    at: WallMs,
}

/// Callback for a stored fact about one of the wanted pairs.
type Tell<'a> = dyn FnMut(PairIndex, &Stored) + 'a;

impl Stored {
    /// Reads the columns after the pair.
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            attempt: AttemptId(row.get(1)?),
            run: RunId(row.get(2)?),
            class: row.get(3)?,
            at: WallMs(row.get(4)?),
        })
    }

    /// Visits the fact if it gave its pair an end. `taken_over` are the runs that were taken over.
    fn visit_end(
        &self,
        pair: PairIndex,
        taken_over: &BTreeSet<RunId>,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) {
        let Self { attempt, run, class, at } = *self;
        if let Some(end) = Class::from_code(class).and_then(Class::end) {
            let taken_over = taken_over.contains(&run);
            visit(pair, EarlierFact { attempt, end, at, taken_over }.into());
        }
    }
}

impl Facts for SqliteLedger {
    fn find_run(&mut self, opening: &StartRequest) -> Result<FoundRun, LedgerError> {
        self.find(opening)
    }

    fn find_record(&mut self, wanted: &RunQuery<'_>) -> Result<Option<RunRecord>, LedgerError> {
        self.read_record(wanted)
    }

    fn visit_earlier_then(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) -> Result<(), LedgerError> {
        if self.is_latest_run(run)? {
            return self.visit_earlier(&RunRef::Open(run), keys, visit);
        }
        let taken_over = self.taken_over(&RunRef::Open(run))?;
        self.sweep_earlier_then(run, keys, &mut |at, stored| {
            stored.visit_end(at, &taken_over, visit);
        })
    }

    fn visit_possible(&mut self, visit: &mut dyn FnMut(PossibleCharge)) -> Result<(), LedgerError> {
        self.read_possible(visit)
    }

    fn visit_earlier(
        &mut self,
        run: &RunRef,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) -> Result<(), LedgerError> {
        let own = run.begun();
        let taken_over = self.taken_over(run)?;
        let mut tell = |at: PairIndex, stored: &Stored| {
            if Some(stored.run) == own {
                return;
            }
            stored.visit_end(at, &taken_over, visit);
        };
        if (keys.as_slice().len() as u64).saturating_mul(SWEEP_ADVANTAGE) < self.attempts_ever()? {
            self.look_up_standings(keys, &mut tell)?;
        } else {
            self.sweep_standings(keys, &mut tell)?;
        }
        self.sweep_unmerged(own, keys, &mut tell)
    }

    fn visit_own(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(Option<PairIndex>, OwnAttempt),
    ) -> Result<(), LedgerError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT i.id, i.pair, coalesce(s.class, ?3), coalesce(s.at, i.at), v.id IS NOT NULL,
                    i.run, s.id IS NULL
                 FROM intents i
                 LEFT JOIN settlements s ON s.id = i.id LEFT JOIN voids v ON v.id = i.id
                 WHERE i.id >= ?1 AND i.id < ?2 AND {INTENT} AND {SETTLEMENT} ORDER BY i.id"
        ))?;
        let purged_to = self.purged_to_of(run)?;
        for start in self.starts_of(run)? {
            let Range { start: mut expected, end } = start.attempts();
            let mut rows = statement.query(params![expected, end, KILLED.code()])?;
            while let Some(row) = rows.next()? {
                let (pair, own) = visited_attempt(row)?;
                if expected <= purged_to {
                    expected = own.attempt.0;
                }
                // If an attempt is missing, this run would make the call again; if the attempt
                // belongs to another run, that run would. Each attempt of a start that is over has
                // a settlement.
                let is_lost = row.get(6)? && start.intents.is_some();
                if own.attempt.0 != expected || row.get::<_, u64>(5)? != run.0 || is_lost {
                    return Err(damaged().into());
                }
                expected += 1;
                visit(keys.find(&pair), own);
            }
            if start.intents.is_some() && expected < end && end > purged_to + 1 {
                return Err(damaged().into());
            }
        }
        Ok(())
    }

    fn details(&mut self, attempts: &[AttemptId]) -> Result<Vec<AttemptDetail>, LedgerError> {
        self.read_details(attempts)
    }

    fn history(&mut self) -> Result<History, LedgerError> {
        self.read_history()
    }

    fn unsettled(&mut self) -> Result<u64, LedgerError> {
        self.unsettled_from(self.first_unsettled()?)
    }

    fn remembered_rate(
        &mut self,
        account: Option<&[u8; 16]>,
    ) -> Result<Option<Remembered>, LedgerError> {
        self.read_rate(account)
    }

    fn purgeable(&mut self, before: WallMs) -> Result<Purgeable, LedgerError> {
        self.count_removable(before)
    }
}

impl SqliteLedger {
    /// Reads what is remembered of the vendor's limits. See [`Facts::remembered_rate`].
    pub(super) fn read_rate(
        &self,
        account: Option<&[u8; 16]>,
    ) -> Result<Option<Remembered>, LedgerError> {
        let query = "SELECT value FROM meta WHERE name = ?1 OR (?1 IS NULL AND name LIKE ?2)";
        let mut query = self.connection.prepare(query)?;
        let values = (account.map(remembered::name_of), format!("{}%", remembered::NAMES));
        let texts = query.query_map(values, |row| row.get(0))?;
        let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
        Ok(remembered::latest(texts.iter().map(String::as_str)))
    }

    /// Returns the number up to which a purge may have removed attempts of a run; 0 if the run is
    /// open, because a purge keeps its attempts.
    fn purged_to_of(&self, run: RunId) -> Result<u64, LedgerError> {
        let is_open = self.connection.query_row(
            "SELECT state = 'open' FROM runs WHERE id = ?1",
            [run.0],
            |row| row.get(0),
        )?;
        if is_open { Ok(0) } else { Ok(self.meta("purged_to")?.unwrap_or(0)) }
    }

    /// Reads the details of attempts. See [`crate::ledger::Ledger::details`].
    pub(super) fn read_details(
        &mut self,
        attempts: &[AttemptId],
    ) -> Result<Vec<AttemptDetail>, LedgerError> {
        let wanted: BTreeSet<u64> = attempts.iter().map(|attempt| attempt.0).collect();
        let wanted: Vec<u64> = wanted.into_iter().collect();
        let mut details = Vec::with_capacity(wanted.len());
        let texts = text_columns();
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT id, class, {texts} FROM settlements s
                 WHERE id BETWEEN ?1 AND ?2 AND {SETTLEMENT}"
        ))?;
        let mut read = |wanted: &[u64]| -> rusqlite::Result<()> {
            let mut rows = statement.query([wanted.first(), wanted.last()])?;
            let mut after = None;
            while let Some(row) = rows.next()? {
                let attempt: u64 = row.get(0)?;
                check_ascending(&mut after, attempt)?;
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
            // Details that were not found were never recorded, or a damaged B-tree leads past them.
            // SQLite's own check decides, and is run only once for an open ledger.
            self.check_trees()?;
        }
        Ok(details)
    }

    /// Checks the B-trees of the ledger file with SQLite's own check, which reads the whole file.
    ///
    /// # Errors
    /// [`LedgerError::Storage`] if the file is damaged.
    pub(super) fn check_trees(&self) -> Result<(), LedgerError> {
        let check = "PRAGMA quick_check(1)";
        let found: String = self.connection.query_row(check, [], |row| row.get(0))?;
        if found == "ok" { Ok(()) } else { Err(damaged().into()) }
    }

    /// Merges all attempts since the last merge into `standings`, in key order and in one pass.
    /// Called when a run ends.
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

    /// Returns the number of the latest attempt that has been merged into `standings`.
    pub(super) fn merged_to(&self) -> Result<u64, LedgerError> {
        Ok(self.meta("merged_to")?.unwrap_or(0))
    }

    /// Returns the runs whose answers this run took over, directly or through a run in between.
    fn taken_over(&self, run: &RunRef) -> Result<BTreeSet<RunId>, LedgerError> {
        let mut statement = self.connection.prepare_cached(
            "WITH RECURSIVE chain (id) AS (
                    SELECT CASE WHEN ?2 THEN (SELECT superseded FROM runs WHERE id = ?1) ELSE ?1 END
                    UNION SELECT r.superseded FROM runs r JOIN chain c ON r.id = c.id)
                 SELECT id FROM chain WHERE id IS NOT NULL",
        )?;
        let (from, is_open) = match run {
            RunRef::Open(id) | RunRef::Finished { run: id, .. } => (Some(id.0), true),
            RunRef::New { takes_over } => (takes_over.map(|older| older.run.0), false),
        };
        let rows = statement.query_map(params![from, is_open], |row| row.get(0).map(RunId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Looks up the standing of each key, one query per key.
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
                // The key is not there. Reading the neighbours on both sides checks them: a damaged
                // row could be the wanted row, or hide the wanted row.
                _ => drop(before.query([key.0])?.next()?),
            }
        }
        Ok(())
    }

    /// Reads all standings beside the keys. Both are sorted, so one pass over each is enough.
    fn sweep_standings(&self, keys: &SortedKeys, tell: &mut Tell<'_>) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT pair, attempt, run, class, at FROM standings WHERE {STANDING} ORDER BY pair"
        ))?;
        let mut rows = statement.query([])?;
        let mut wanted = (0..).map(PairIndex).zip(keys.as_slice()).peekable();
        let mut after = None;
        while let Some(row) = rows.next()? {
            let pair = PairKey(row.get(0)?);
            check_ascending(&mut after, pair)?;
            while wanted.next_if(|(_, key)| **key < pair).is_some() {}
            match wanted.next_if(|(_, key)| **key == pair) {
                Some((at, _)) => tell(at, &Stored::read(row)?),
                None if wanted.peek().is_none() => break,
                None => {}
            }
        }
        Ok(())
    }

    /// Reads the attempts since the last merge, in ascending order, except for those of run `not`.
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
        let mut rows = statement.query(params![self.merged_to()?, not, KILLED.code()])?;
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

    /// Reads the facts of other runs up to the latest start of a run. See
    /// [`crate::ledger::Facts::visit_earlier_then`].
    fn sweep_earlier_then(
        &self,
        run: RunId,
        keys: &SortedKeys,
        tell: &mut Tell<'_>,
    ) -> Result<(), LedgerError> {
        let starts = self.starts()?;
        let last = starts.iter().rfind(|start| start.run == run).ok_or_else(damaged)?;
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT i.pair, i.id, i.run, coalesce(s.class, ?3), coalesce(s.at, i.at)
                 FROM intents i LEFT JOIN settlements s ON s.id = i.id
                 WHERE i.id < ?1 AND {INTENT} AND {SETTLEMENT} AND i.run <> ?2
                   AND NOT EXISTS (SELECT 1 FROM voids v WHERE v.id = i.id) ORDER BY i.id"
        ))?;
        let values = params![last.attempts().start, run.0, KILLED.code()];
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            if let Some(at) = keys.find(&PairKey(row.get(0)?)) {
                tell(at, &Stored::read(row)?);
            }
        }
        Ok(())
    }

    /// Checks whether no other run has had a start since the latest start of this run.
    fn is_latest_run(&self, run: RunId) -> Result<bool, LedgerError> {
        Ok(self.starts()?.last().is_some_and(|start| start.run == run))
    }
}

/// Returns the statement that merges attempts into `standings`, in key order. The latest end of a
/// pair becomes its standing. `attempts` is a condition on the intents `i`.
pub(super) fn merge(attempts: &str) -> String {
    let ends = end_codes();
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

/// Checks that a row comes after the row before. A damaged B-tree can lead to one row twice, and
/// skip another row.
fn check_ascending<T: Ord + Copy>(after: &mut Option<T>, next: T) -> rusqlite::Result<()> {
    match after.replace(next) {
        Some(before) if before >= next => Err(damaged()),
        _ => Ok(()),
    }
}

/// Reads an attempt and its pair from a row.
fn visited_attempt(row: &Row<'_>) -> rusqlite::Result<(PairKey, OwnAttempt)> {
    let (attempt, at) = (AttemptId(row.get(0)?), WallMs(row.get(3)?));
    let voided = row.get(4)?;
    let class = Class::from_code(row.get(2)?).ok_or_else(damaged)?;
    Ok((PairKey(row.get(1)?), OwnAttempt { attempt, class, at, voided }))
}

/// Reads the details of an attempt from a row; `None` if a later version stored the class.
fn detail(row: &Row<'_>) -> rusqlite::Result<Option<AttemptDetail>> {
    let Some(class) = Class::from_code(row.get(1)?) else { return Ok(None) };
    Ok(Some(AttemptDetail {
        attempt: AttemptId(row.get(0)?),
        class,
        texts: Texts::try_collect(|text| row.get(2 + text as usize))?,
    }))
}
