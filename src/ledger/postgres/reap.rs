//! Declares silent workers dead: their open attempts are in doubt from then on, until an answer
//! comes after all.
//!
//! Must hold: only a worker that has itself been alive for a whole lease, and whose last beat is
//! fresh, declares another one dead. After an outage of the server, or of the own machine, all
//! others look dead. A worker whose batch is being committed is not declared dead: its row is
//! locked.

use tokio_postgres::{Client, Error, Row};

use super::batch::id;
use crate::ledger::codes::KILLED;
use crate::model::attempt::{StartId, WallMs};

/// Finds and locks the silent workers that were not declared dead since they were last seen. A beat
/// that comes in this moment waits, and then hears that its worker was declared dead.
const SILENT: &str = "SELECT s.id, s.low FROM starts s JOIN beats b ON b.start = s.id
    WHERE s.ended_at IS NULL AND s.id <> $1 AND b.seen_at < clock_timestamp() - b.lease
        AND (s.reaped_at IS NULL OR s.reaped_at < b.seen_at)
        AND (SELECT m.since < clock_timestamp() - m.lease
                AND m.seen_at > clock_timestamp() - m.lease / 5
             FROM beats m WHERE m.start = $1)
    ORDER BY s.id FOR UPDATE OF s, b SKIP LOCKED";

/// Declares the silent workers dead.
pub(super) async fn reap_silent_workers(
    client: &Client,
    me: StartId,
    now: WallMs,
) -> Result<(), Error> {
    client.batch_execute("BEGIN").await?;
    let declared = async {
        for row in client.query(SILENT, &[&id(me)]).await? {
            declare_dead(client, &row, now).await?;
            tracing::warn!(
                start = row.get::<_, i32>(0),
                "a worker has been silent for too long: what it had in flight is in doubt"
            );
        }
        Ok(())
    };
    let declared = declared.await;
    let end = if declared.is_ok() { "COMMIT" } else { "ROLLBACK" };
    client.batch_execute(end).await?;
    declared
}

/// Declares one worker dead. `row` holds its start and its lowest open attempt. This takes a
/// statement of its own: it must see what the worker committed before its row was locked.
pub(super) async fn declare_dead(client: &Client, row: &Row, now: WallMs) -> Result<(), Error> {
    let (start, low): (i32, i64) = (row.get(0), row.get(1));
    let first = i64::from(start) << 32;
    let lose = format!(
        "WITH o AS (INSERT INTO orphans
            SELECT i.attempt, $3 FROM intents i
            WHERE i.attempt >= $1 AND i.attempt < $2 AND NOT EXISTS
                (SELECT 1 FROM settlements s WHERE s.attempt = i.attempt)
            ON CONFLICT (attempt) DO NOTHING RETURNING attempt)
         UPDATE pairs p SET open = false, prior = p.ended, ended = o.attempt,
            class = {}, at = $3
         FROM o JOIN intents i USING (attempt)
         WHERE p.pair = i.pair AND p.attempt = o.attempt AND p.open",
        KILLED.code()
    );
    let next = "UPDATE starts SET generation = generation + 1, reaped_at = clock_timestamp()
        WHERE id = $1";
    client.execute(next, &[&start]).await?;
    client.execute(&lose, &[&first.max(low), &(first + (1 << 32)), &now.0]).await?;
    Ok(())
}
