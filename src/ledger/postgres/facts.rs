//! Reads facts back: the standings of the pairs of a file, and the attempts of a run.
//!
//! Must hold: an attempt has its settlement; without one, it is in doubt if its worker was declared
//! dead. A worker leaves the attempts of others that are open out, and knows that their pairs are
//! open. A reader that is no worker takes them for lost: that is the worst case.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use tokio::sync::mpsc::Sender;
use tokio_postgres::Row;

use super::batch::{attempt_of, number_of};
use super::codes::class_of;
use super::session::Session;
use super::status::settled_and_lost;
use crate::ledger::codes::{KILLED, end_codes, text_columns};
use crate::ledger::{
    AttemptDetail, EarlierFact, HISTORY, LedgerError, OwnAttempt, RunId, RunRef, Standing,
};
use crate::model::attempt::{AttemptId, PairKey, PairVersion, WallMs};
use crate::model::class::Class;
use crate::model::texts::Texts;
use crate::rules::estimate::History;

/// Number of rows that are handed over together.
const CHUNK: usize = 4096;
/// Number of pairs that can be swept in about the time of one look-up.
const SWEEP_ADVANTAGE: usize = 20;
/// Number of keys that one query looks up.
const KEYS_IN_A_QUERY: usize = 5000;
/// Average number of bytes that the table `pairs` needs for a pair.
const BYTES_OF_A_PAIR: i64 = 128;

/// Runs whose facts are told apart by their starts.
pub(super) struct Runs {
    run_of_start: BTreeMap<u32, RunId>,
    taken_over: BTreeSet<RunId>,
    own: Option<RunId>,
}

impl Runs {
    /// Returns the standing of a pair from a row of [`standings_query`]; `None` if a later version
    /// stored it, or it is damaged.
    fn standing(&self, row: &Row) -> Option<(PairKey, Standing)> {
        let version = PairVersion(u16::try_from(row.get::<_, i32>(1)).unwrap_or(u16::MAX));
        let attempt: Option<i64> = row.get(2);
        let class = match row.get::<_, Option<i16>>(3) {
            Some(code) => Some(class_of(code)?),
            None => None,
        };
        let end = class.and_then(Class::end);
        let at: Option<i64> = row.get(4);
        let fact = attempt.zip(end).and_then(|(attempt, end)| {
            let attempt = attempt_of(attempt);
            let run = self.run_of_start.get(&attempt.start().0).copied();
            let taken_over = run.is_some_and(|run| self.taken_over.contains(&run));
            let fact = EarlierFact { attempt, end, at: WallMs(at.unwrap_or(0)), taken_over };
            (run.is_none() || run != self.own).then_some(fact)
        });
        Some((pair_of(row, 0)?, Standing { version, is_open: row.get(5), end: fact }))
    }
}

/// A fact of another run that was recorded until a moment.
#[derive(Clone, Copy)]
pub(super) struct FactThen {
    /// Version that the pair had once the attempt was granted.
    version: i32,
    pub(super) fact: EarlierFact,
}

impl FactThen {
    /// Returns the later one of two facts of a pair: its attempts are granted one after the other.
    pub(super) fn later_of(self, other: Self) -> Self {
        let place = |of: &Self| (of.version, of.fact.attempt);
        if place(&self) > place(&other) { self } else { other }
    }
}

/// Returns the query for the standings of pairs, with a condition on the pairs `p`.
fn standings_query(condition: &str, takes_open_for_lost: bool) -> String {
    let killed = KILLED.code();
    if !takes_open_for_lost {
        return format!(
            "SELECT p.pair, p.version, p.ended, p.class, p.at, p.open FROM pairs p {condition}"
        );
    }
    format!(
        "SELECT p.pair, p.version,
            CASE WHEN p.open THEN p.attempt ELSE p.ended END,
            CASE WHEN p.open THEN {killed}::int2 ELSE p.class END,
            CASE WHEN p.open THEN (SELECT i.at FROM intents i WHERE i.attempt = p.attempt)
                 ELSE p.at END,
            false
         FROM pairs p {condition}"
    )
}

/// Reads the key of a pair from a column; `None` if it is damaged.
pub(super) fn pair_of(row: &Row, column: usize) -> Option<PairKey> {
    let bytes: &[u8] = row.get(column);
    bytes.try_into().map(PairKey).ok()
}

impl Session {
    /// Reads which run each start belongs to, and which runs `run` took over.
    pub(super) async fn runs(&self, run: RunRef) -> Result<Runs, LedgerError> {
        let failed = self.read_failed();
        let rows = self.client.query("SELECT id, run FROM starts", &[]).await.map_err(&failed)?;
        let run_of_start = rows.iter().map(|row| {
            let (start, run): (i32, i64) = (row.get(0), row.get(1));
            (start.cast_unsigned(), RunId(run.cast_unsigned()))
        });
        let (own, older) = match run {
            RunRef::Open(id) | RunRef::Finished { run: id, .. } => (Some(id), None),
            RunRef::New { takes_over } => (None, takes_over.map(|older| older.run)),
        };
        let chain = "WITH RECURSIVE chain (id) AS (
                SELECT coalesce($2, (SELECT superseded FROM runs WHERE id = $1))
                UNION SELECT r.superseded FROM runs r JOIN chain c ON r.id = c.id)
             SELECT id FROM chain WHERE id IS NOT NULL";
        let number = |run: RunId| run.0.cast_signed();
        let (own_number, older) = (own.map(number), older.map(number));
        let rows = self.client.query(chain, &[&own_number, &older]).await.map_err(&failed)?;
        let taken_over = rows.iter().map(|row| RunId(row.get::<_, i64>(0).cast_unsigned()));
        Ok(Runs { run_of_start: run_of_start.collect(), taken_over: taken_over.collect(), own })
    }

    /// Returns the approximate number of pairs in the ledger.
    pub(super) async fn pairs_about(&self) -> Result<usize, LedgerError> {
        let size = "SELECT pg_relation_size('pairs')";
        let row = self.client.query_one(size, &[]).await.map_err(self.read_failed())?;
        Ok(usize::try_from(row.get::<_, i64>(0) / BYTES_OF_A_PAIR).unwrap_or(usize::MAX))
    }

    /// Reads the standings of pairs: of these keys, or of all pairs if `keys` is `None`.
    pub(super) async fn read_standings(
        &self,
        run: RunRef,
        keys: Option<Vec<Vec<u8>>>,
        give: &Sender<Vec<(PairKey, Standing)>>,
    ) -> Result<(), LedgerError> {
        let runs = self.runs(run).await?;
        let Some(keys) = keys else {
            let all = self
                .client
                .prepare(&standings_query("", self.takes_open_for_lost()))
                .await
                .map_err(self.read_failed())?;
            let none: [i32; 0] = [];
            return self.read_chunks(&all, none, give, |row| runs.standing(row)).await;
        };
        let query = standings_query("WHERE p.pair = ANY($1)", self.takes_open_for_lost());
        let some = self.client.prepare(&query).await.map_err(self.read_failed())?;
        for keys in keys.chunks(KEYS_IN_A_QUERY) {
            self.read_chunks(&some, [keys], give, |row| runs.standing(row)).await?;
        }
        Ok(())
    }

    /// Returns the moment whose facts the latest output of a run shows; `None` if no start of it has
    /// ended.
    pub(super) async fn read_until_of(&self, run: RunId) -> Result<Option<WallMs>, LedgerError> {
        // The choice of the start is that of `RunRecord::output_start`.
        let query = "SELECT t.read_until FROM starts t JOIN runs r ON r.id = t.run
            WHERE t.run = $1 AND t.ended_at IS NOT NULL
            ORDER BY (t.id = r.ended_by) IS TRUE DESC, t.ended_at DESC, t.id DESC LIMIT 1";
        let row = self.client.query_opt(query, &[&run.0.cast_signed()]).await;
        let row = row.map_err(self.read_failed())?;
        Ok(row.and_then(|row| row.get::<_, Option<i64>>(0)).map(WallMs))
    }

    /// Reads the facts of other runs that were recorded until this moment, in no particular order.
    pub(super) async fn read_earlier_then(
        &self,
        run: RunId,
        until: WallMs,
        give: &Sender<Vec<(PairKey, FactThen)>>,
    ) -> Result<(), LedgerError> {
        let runs = self.runs(RunRef::Open(run)).await?;
        let query = format!(
            "SELECT i.pair, i.version, i.attempt, c.class, c.at
             FROM ({}) c JOIN intents i USING (attempt)
                JOIN starts t ON t.id = (c.attempt >> 32)::int
             WHERE c.at <= $1 AND t.run <> $2 AND c.class IN ({})
                AND NOT EXISTS (SELECT 1 FROM voids v WHERE v.attempt = c.attempt)",
            settled_and_lost(),
            end_codes()
        );
        let earlier = self.client.prepare(&query).await.map_err(self.read_failed())?;
        let read = |row: &Row| {
            let attempt = attempt_of(row.get(2));
            let of = runs.run_of_start.get(&attempt.start().0)?;
            let fact = EarlierFact {
                attempt,
                end: class_of(row.get(3))?.end()?,
                at: WallMs(row.get(4)),
                taken_over: runs.taken_over.contains(of),
            };
            Some((pair_of(row, 0)?, FactThen { version: row.get(1), fact }))
        };
        self.read_chunks(&earlier, [until.0, run.0.cast_signed()], give, read).await
    }

    /// Reads the attempts of a run, in ascending order.
    pub(super) async fn read_own(
        &self,
        run: RunId,
        give: &Sender<Vec<(PairKey, OwnAttempt)>>,
    ) -> Result<(), LedgerError> {
        let failed = self.read_failed();
        let starts = "SELECT id FROM starts WHERE run = $1 ORDER BY id";
        let starts = self.client.query(starts, &[&run.0.cast_signed()]).await.map_err(&failed)?;
        let known = match self.takes_open_for_lost() {
            true => "",
            false => "AND (s.attempt IS NOT NULL OR o.attempt IS NOT NULL)",
        };
        let query = format!(
            "SELECT i.attempt, i.pair, coalesce(s.class, {}::int2), coalesce(s.at, o.at, i.at),
                    v.attempt IS NOT NULL
             FROM intents i LEFT JOIN settlements s USING (attempt)
                LEFT JOIN orphans o USING (attempt) LEFT JOIN voids v USING (attempt)
             WHERE i.attempt >= $1 AND i.attempt < $2 {known} ORDER BY i.attempt",
            KILLED.code()
        );
        let own = self.client.prepare(&query).await.map_err(&failed)?;
        let read = |row: &Row| {
            let attempt = attempt_of(row.get(0));
            let class = class_of(row.get(2))?;
            let (at, voided) = (WallMs(row.get(3)), row.get(4));
            Some((pair_of(row, 1)?, OwnAttempt { attempt, class, at, voided }))
        };
        for start in starts {
            let first = i64::from(start.get::<_, i32>(0)) << 32;
            self.read_chunks(&own, [first, first + (1 << 32)], give, read).await?;
        }
        Ok(())
    }

    /// Reads the rows of a statement, and hands them over in chunks. A row that a later version
    /// stored, for which `read` returns `None`, is an error: its call would be made again.
    pub(super) async fn read_chunks<T, P>(
        &self,
        statement: &tokio_postgres::Statement,
        values: impl IntoIterator<Item = P, IntoIter: ExactSizeIterator>,
        give: &Sender<Vec<T>>,
        read: impl Fn(&Row) -> Option<T>,
    ) -> Result<(), LedgerError>
    where
        P: tokio_postgres::types::BorrowToSql,
    {
        let failed = self.read_failed();
        let rows = self.client.query_raw(statement, values).await.map_err(&failed)?;
        let mut rows = std::pin::pin!(rows);
        let mut chunk = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(&failed)? {
            let row = read(&row).ok_or_else(|| LedgerError::Version {
                ledger: self.access.name.clone(),
                what: "has data of a later version, or damaged data".to_owned(),
            })?;
            chunk.push(row);
            if chunk.len() == CHUNK && give.send(std::mem::take(&mut chunk)).await.is_err() {
                return Ok(());
            }
        }
        // Nobody reads any more: there is nobody to tell.
        let _ = give.send(chunk).await;
        Ok(())
    }

    /// Reads the details of attempts. See [`crate::ledger::Ledger::details`].
    pub(super) async fn read_details(
        &self,
        attempts: &[AttemptId],
    ) -> Result<Vec<AttemptDetail>, LedgerError> {
        let wanted: Vec<i64> = attempts.iter().copied().map(number_of).collect();
        let (texts, killed) = (text_columns(), KILLED.code());
        let nulls = texts.split(", ").map(|_| "NULL::text").collect::<Vec<_>>().join(", ");
        let query = format!(
            "SELECT attempt, class, {texts} FROM settlements WHERE attempt = ANY($1)
             UNION ALL
             SELECT o.attempt, {killed}::int2, {nulls} FROM orphans o WHERE o.attempt = ANY($1)
                AND NOT EXISTS (SELECT 1 FROM settlements s WHERE s.attempt = o.attempt)
             ORDER BY 1"
        );
        let rows = self.client.query(&query, &[&wanted]).await.map_err(self.read_failed())?;
        let detail = |row: &Row| {
            let attempt = attempt_of(row.get(0));
            let class = class_of(row.get(1))?;
            let texts = Texts::try_collect(|text| row.try_get(2 + text as usize)).ok()?;
            Some(AttemptDetail { attempt, class, texts })
        };
        Ok(rows.iter().filter_map(detail).collect())
    }

    /// Reads the share of charged answers. See [`crate::ledger::Facts::history`].
    pub(super) async fn read_history(&self) -> Result<History, LedgerError> {
        let query = format!(
            "SELECT class, count(*) FROM
                (SELECT class FROM settlements ORDER BY attempt DESC LIMIT {HISTORY}) latest
             GROUP BY class"
        );
        let rows = self.client.query(&query, &[]).await.map_err(self.read_failed())?;
        let mut tally = crate::model::money::Tally::default();
        for row in rows {
            let class = class_of(row.get(0)).filter(|class| matches!(class, Class::Answered(_)));
            let calls = row.get::<_, i64>(1).cast_unsigned();
            class
                .into_iter()
                .for_each(|class| crate::rules::tally::count(&mut tally, class, calls));
        }
        Ok(History { answers: tally.calls, charged: tally.confirmed })
    }

    /// Counts the attempts of all starts that are neither settled nor declared lost.
    pub(super) async fn count_unsettled(&self) -> Result<u64, LedgerError> {
        let query = format!("SELECT count(*) FROM ({UNSETTLED}) o");
        let row = self.client.query_one(&query, &[]).await.map_err(self.read_failed())?;
        Ok(row.get::<_, i64>(0).cast_unsigned())
    }
}

/// Query for the attempts that are neither settled nor declared lost, of starts that have not ended.
pub(super) const UNSETTLED: &str = "SELECT i.attempt, i.at, s.id AS start, s.run
    FROM starts s JOIN intents i ON i.attempt >= greatest(s.low, s.id::int8 << 32)
        AND i.attempt < (s.id::int8 + 1) << 32
    WHERE s.ended_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM settlements t WHERE t.attempt = i.attempt)
        AND NOT EXISTS (SELECT 1 FROM orphans o WHERE o.attempt = i.attempt)";

/// Decides whether looking keys up one by one is faster than a sweep.
pub(super) const fn is_look_up_faster(keys: usize, pairs: usize) -> bool {
    keys.saturating_mul(SWEEP_ADVANTAGE) < pairs
}
