//! Removes stored answers by age, for privacy.
//!
//! Must hold: attempts in doubt are kept, and so are the attempts of open runs and of the runs that
//! those took over. If a later answer for the same pair is removed, a kept attempt becomes the
//! pair's standing again. Daily totals are kept. Removed rows are overwritten in the file
//! (`secure_delete`). A damaged row stops the purge.

use rusqlite::params;

use super::facts::merge;
use super::ledger::SqliteLedger;
use super::sums::{INTENT, SETTLEMENT, STANDING};
use crate::ledger::codes::{codes_of, doubt_codes};
use crate::ledger::{DAY_MS, LedgerError, Purgeable, Purged};
use crate::model::attempt::WallMs;
use crate::model::money::Charge;
use crate::rules::classify::charge;

/// The file is made smaller if this part of it, or more, is free: a quarter. It is copied for that.
const SHARE_TO_FREE: i64 = 4;

/// Expression for the number of the day on which the vendor bills a call: the day of the vendor's own
/// time if it is that of the call in some zone, or else the day at the offset `?1`. `?2` is the
/// length of a day.
const BILLING_DAY: &str = "CASE replace(substr(handle_time, 1, 10), '/', '-')
    WHEN date(at / 1000 - 86400, 'unixepoch') THEN at / ?2 - 1
    WHEN date(at / 1000, 'unixepoch') THEN at / ?2
    WHEN date(at / 1000 + 86400, 'unixepoch') THEN at / ?2 + 1
    ELSE (at + ?1) / ?2 END";

impl SqliteLedger {
    /// Removes attempts by age. See [`crate::ledger::Ledger::purge`].
    pub(super) fn remove_before(
        &mut self,
        before: WallMs,
        utc_offset_ms: i64,
    ) -> Result<Purged, LedgerError> {
        self.connection.pragma_update(None, "secure_delete", "ON")?;
        let merged_to = self.merged_to()?;
        let transaction = self.connection.transaction()?;
        transaction.execute_batch("CREATE TEMP TABLE to_remove (id INTEGER PRIMARY KEY)")?;
        let attempts = transaction
            .execute(&format!("INSERT INTO to_remove SELECT i.id {}", removable()), [before.0])?;
        let old: u64 = transaction.query_row(
            "SELECT count(*) FROM settlements WHERE at < ?1",
            [before.0],
            |row| row.get(0),
        )?;
        transaction.execute(
            &format!(
                "INSERT INTO purged_days (day, class, attempts)
                 SELECT {BILLING_DAY}, class, count(*) FROM settlements
                 WHERE id IN (SELECT id FROM to_remove) GROUP BY 1, 2
                 ON CONFLICT (day, class) DO UPDATE SET attempts = attempts + excluded.attempts"
            ),
            params![utc_offset_ms, DAY_MS],
        )?;
        transaction.execute_batch(&format!(
            "INSERT OR REPLACE INTO meta SELECT 'purged_to', max(id) FROM (
                    SELECT max(id) AS id FROM to_remove
                    UNION ALL SELECT value FROM meta WHERE name = 'purged_to')
                 HAVING max(id) IS NOT NULL;
                 CREATE TEMP TABLE pairs_left (pair BLOB PRIMARY KEY) WITHOUT ROWID;
                 INSERT INTO pairs_left SELECT pair FROM standings
                    WHERE {STANDING} AND attempt IN (SELECT id FROM to_remove);
                 DELETE FROM standings WHERE attempt IN (SELECT id FROM to_remove);
                 DELETE FROM voids WHERE id IN (SELECT id FROM to_remove);
                 DELETE FROM intents WHERE id IN (SELECT id FROM to_remove);
                 DELETE FROM settlements WHERE id IN (SELECT id FROM to_remove);
                 DROP TABLE to_remove;",
        ))?;
        transaction.execute(&merge("i.id <= ?1 AND i.pair IN pairs_left"), [merged_to])?;
        transaction.execute_batch("DROP TABLE pairs_left")?;
        let attempts = attempts as u64;
        transaction.commit()?;
        // The removed rows are still in the ledger file and the WAL, until the WAL is checkpointed
        // into the file and truncated. SQLite reports a reader that prevents this in a row, and not
        // as an error. Any other error of the checkpoint comes after the commit: the rows are
        // removed all the same.
        let wiped = self.truncate_wal()?;
        let shrunk = if wiped { self.shrink() } else { None };
        Ok(Purged { attempts, kept: old.saturating_sub(attempts), wiped, shrunk })
    }

    /// Checkpoints the WAL into the file, and empties it. Returns `false` if a reader prevents it.
    fn truncate_wal(&self) -> Result<bool, LedgerError> {
        let busy: i64 =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(busy == 0)
    }

    /// Makes the file smaller by the room of the removed rows, and returns its sizes before and
    /// after. Returns `None` if there is no room for the copy that this needs, or a reader prevents
    /// it: the room is used for later rows.
    fn shrink(&self) -> Option<(u64, u64)> {
        let size = || std::fs::metadata(&self.path).map(|file| file.len()).ok();
        let before = size()?;
        let (free, pages) = (self.pragma("freelist_count").ok()?, self.pragma("page_count").ok()?);
        if free > 0 && free >= pages / SHARE_TO_FREE {
            self.connection.execute_batch("VACUUM").ok()?;
            self.truncate_wal().ok()?;
        }
        Some((before, size()?))
    }

    /// Counts what a purge would remove. See [`crate::ledger::Facts::purgeable`].
    pub(super) fn count_removable(&self, before: WallMs) -> Result<Purgeable, LedgerError> {
        let charged = codes_of(|class| charge(class) == Charge::Charged);
        let query = format!(
            "SELECT count(*), count(*) FILTER (WHERE s.class IN ({charged})),
                (SELECT count(*) FROM settlements WHERE at < ?1) {}",
            removable()
        );
        Ok(self.connection.query_row(&query, [before.0], |row| {
            let (attempts, charged, old): (u64, u64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Purgeable { attempts, charged, kept: old.saturating_sub(attempts) })
        })?)
    }
}

/// Returns the end of a query for the attempts that a purge removes: `i` is the intent, `s` the
/// settlement, and `?1` the time before which they were settled. The attempts that a run took over
/// count as its own: while the run is open they are kept, however old, so that their calls are not
/// made again.
fn removable() -> String {
    let doubts = doubt_codes();
    format!(
        "FROM intents i JOIN settlements s ON s.id = i.id
         WHERE {INTENT} AND {SETTLEMENT} AND s.at < ?1 AND s.class NOT IN ({doubts})
            AND i.run IN (SELECT id FROM runs EXCEPT SELECT id FROM (
                WITH RECURSIVE kept_runs (id) AS (SELECT id FROM runs WHERE state = 'open'
                    UNION SELECT r.superseded FROM runs r JOIN kept_runs l ON r.id = l.id)
                SELECT id FROM kept_runs))"
    )
}
