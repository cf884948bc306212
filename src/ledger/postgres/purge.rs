//! Removes stored answers by age, for privacy.
//!
//! Must hold: attempts in doubt are kept, and so are the attempts of open runs and of the runs that
//! those took over. If a later answer for the same pair is removed, a kept attempt becomes the end
//! of the pair again. Daily totals are kept. No worker lives meanwhile, because a pair that is
//! removed begins with version 0 again.

use tokio_postgres::SimpleQueryMessage;

use super::ends::compute_ends;
use super::session::Session;
use crate::ledger::codes::{codes_of, doubt_codes};
use crate::ledger::{DAY_MS, LedgerError, Purgeable};
use crate::model::attempt::WallMs;
use crate::model::money::Charge;
use crate::rules::classify::charge;

/// Open runs, and all runs that they took over.
pub(super) const OPEN_AND_TAKEN_OVER: &str = "WITH RECURSIVE kept (id) AS (
        SELECT id FROM runs WHERE state = 'open'
        UNION SELECT r.superseded FROM runs r JOIN kept k ON r.id = k.id)
    SELECT id FROM kept WHERE id IS NOT NULL";

impl Session {
    /// Removes attempts by age. See [`crate::ledger::Ledger::purge`].
    pub(super) async fn remove_before(
        &mut self,
        before: WallMs,
        utc_offset_ms: i64,
        kept_runs: &'static str,
        now: WallMs,
    ) -> Result<(u64, u64), LedgerError> {
        let removed = self
            .in_gate(async move |session| {
                session.check_nobody_works(now).await?;
                let failed = session.write_failed();
                let script = script(before, utc_offset_ms, kept_runs);
                let told = session.client.simple_query(&script).await.map_err(&failed)?;
                Ok(counts(&told))
            })
            .await?;
        Ok(removed)
    }

    /// Counts what a purge would remove. See [`crate::ledger::Facts::purgeable`].
    pub(super) async fn count_removable(&self, before: WallMs) -> Result<Purgeable, LedgerError> {
        let charged = codes_of(|class| charge(class) == Charge::Charged);
        let query = format!(
            "SELECT count(*), count(*) FILTER (WHERE s.class IN ({charged})), {} {}",
            old(before),
            removable(before, OPEN_AND_TAKEN_OVER)
        );
        let row = self.client.query_one(&query, &[]).await.map_err(self.read_failed())?;
        let [attempts, charged, old] = [0, 1, 2].map(|at| row.get::<_, i64>(at).cast_unsigned());
        Ok(Purgeable { attempts, charged, kept: old.saturating_sub(attempts) })
    }
}

/// Returns the statements of a purge, which select the number of removed attempts, and then the
/// number of all attempts of that age. They contain numbers only, so that nothing has to be quoted.
fn script(before: WallMs, utc_offset_ms: i64, kept_runs: &str) -> String {
    let (removable, old) = (removable(before, kept_runs), old(before));
    let ends = compute_ends("SELECT pair FROM bereft");
    let billing_day = billing_day(utc_offset_ms);
    format!(
        "CREATE TEMP TABLE to_remove (attempt bigint PRIMARY KEY) ON COMMIT DROP;
         INSERT INTO to_remove SELECT s.attempt {removable};
         SELECT count(*) FROM to_remove;
         SELECT {old};
         INSERT INTO purged_days
            SELECT {billing_day}, s.class, count(*)
            FROM settlements s JOIN to_remove USING (attempt) GROUP BY 1, 2
            ON CONFLICT (day, class) DO UPDATE SET attempts = purged_days.attempts + excluded.attempts;
         CREATE TEMP TABLE bereft (pair bytea PRIMARY KEY) ON COMMIT DROP;
         INSERT INTO bereft SELECT DISTINCT i.pair FROM intents i JOIN to_remove USING (attempt);
         DELETE FROM voids v USING to_remove r WHERE v.attempt = r.attempt;
         DELETE FROM orphans o USING to_remove r WHERE o.attempt = r.attempt;
         DELETE FROM settlements s USING to_remove r WHERE s.attempt = r.attempt;
         DELETE FROM intents i USING to_remove r WHERE i.attempt = r.attempt;
         DELETE FROM pairs p USING bereft b WHERE p.pair = b.pair AND NOT p.open
            AND NOT EXISTS (SELECT 1 FROM intents i WHERE i.pair = b.pair);
         {ends}"
    )
}

/// Returns the expression for the number of the day on which the vendor bills a call of the settlement
/// `s`: the day of the vendor's own time if it is that of the call in some zone, or else the day at
/// the offset.
fn billing_day(utc_offset_ms: i64) -> String {
    let name = |days: i64| {
        format!("to_char(date '1970-01-01' + (s.at / {DAY_MS} + {days})::int, 'YYYY-MM-DD')")
    };
    let [before, same, after] = [-1, 0, 1].map(name);
    format!(
        "CASE replace(left(s.handle_time, 10), '/', '-')
            WHEN {before} THEN s.at / {DAY_MS} - 1
            WHEN {same} THEN s.at / {DAY_MS}
            WHEN {after} THEN s.at / {DAY_MS} + 1
            ELSE (s.at + {utc_offset_ms}) / {DAY_MS} END"
    )
}

/// Returns the end of a query for the settlements `s` that a purge removes.
fn removable(before: WallMs, kept_runs: &str) -> String {
    let (doubts, before) = (doubt_codes(), before.0);
    format!(
        "FROM settlements s JOIN starts t
            ON s.attempt >= t.id::int8 << 32 AND s.attempt < (t.id::int8 + 1) << 32
         WHERE s.at < {before} AND s.class NOT IN ({doubts}) AND t.run NOT IN ({kept_runs})"
    )
}

/// Returns the expression for the number of all attempts of that age.
fn old(before: WallMs) -> String {
    let before = before.0;
    format!(
        "(SELECT count(*) FROM settlements WHERE at < {before})
         + (SELECT count(*) FROM orphans o WHERE o.at < {before} AND NOT EXISTS
            (SELECT 1 FROM settlements s WHERE s.attempt = o.attempt))"
    )
}

/// Reads the two counts of [`script`].
fn counts(messages: &[SimpleQueryMessage]) -> (u64, u64) {
    let mut counts = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    });
    (counts.next().unwrap_or(0), counts.next().unwrap_or(0))
}
