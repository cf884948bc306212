//! The ends of pairs, computed anew from the facts.
//!
//! Must hold: the latest attempt of a pair is the one that was granted last. The version rises with each
//! grant; the number of an attempt is that of its start first, and two starts may take turns.

use crate::ledger::codes::{KILLED, end_codes};

/// Returns the statement that computes the ends of pairs anew. `pairs` is a query for these pairs,
/// in one column `pair`.
pub(super) fn compute_ends(pairs: &str) -> String {
    let (ends, killed) = (end_codes(), KILLED.code());
    format!(
        "WITH asked AS ({pairs}), ends AS (
            SELECT i.pair, i.attempt, coalesce(s.class, {killed}::int2) AS class,
                coalesce(s.at, o.at) AS at,
                row_number() OVER (PARTITION BY i.pair ORDER BY i.version DESC, i.attempt DESC) AS n
            FROM intents i JOIN asked USING (pair) LEFT JOIN settlements s USING (attempt)
                LEFT JOIN orphans o USING (attempt)
            WHERE (s.attempt IS NOT NULL OR o.attempt IS NOT NULL)
                AND coalesce(s.class, {killed}::int2) IN ({ends})
                AND NOT EXISTS (SELECT 1 FROM voids v WHERE v.attempt = i.attempt))
         UPDATE pairs p SET ended = e.attempt, class = e.class, at = e.at, prior = b.attempt
            FROM asked a LEFT JOIN ends e ON e.pair = a.pair AND e.n = 1
                LEFT JOIN ends b ON b.pair = a.pair AND b.n = 2
            WHERE p.pair = a.pair"
    )
}
