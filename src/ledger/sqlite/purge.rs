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
use crate::ledger::codes::doubt_codes;
use crate::ledger::{DAY_MS, LedgerError, Purged};
use crate::model::attempt::WallMs;

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
        let doubts = doubt_codes();
        transaction.execute_batch("CREATE TEMP TABLE to_remove (id INTEGER PRIMARY KEY)")?;
        // The attempts that a run took over count as its own: while the run is open they are kept,
        // however old, so that their calls are not made again.
        let attempts = transaction.execute(
            &format!(
                "INSERT INTO to_remove
                     WITH RECURSIVE kept_runs (id) AS (SELECT id FROM runs WHERE state = 'open'
                        UNION SELECT r.superseded FROM runs r JOIN kept_runs l ON r.id = l.id)
                     SELECT i.id FROM intents i JOIN settlements s ON s.id = i.id
                     WHERE {INTENT} AND {SETTLEMENT} AND s.at < ?1 AND s.class NOT IN ({doubts})
                        AND i.run IN (SELECT id FROM runs EXCEPT SELECT id FROM kept_runs)"
            ),
            [before.0],
        )?;
        let old: u64 = transaction.query_row(
            "SELECT count(*) FROM settlements WHERE at < ?1",
            [before.0],
            |row| row.get(0),
        )?;
        transaction.execute(
            "INSERT INTO purged_days (day, class, attempts)
                 SELECT (at + ?1) / ?2, class, count(*) FROM settlements
                 WHERE id IN (SELECT id FROM to_remove) GROUP BY 1, 2
                 ON CONFLICT (day, class) DO UPDATE SET attempts = attempts + excluded.attempts",
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
        let busy: i64 =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(Purged { attempts, kept: old.saturating_sub(attempts), wiped: busy == 0 })
    }
}
