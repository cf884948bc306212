//! Declares silent workers dead: their open attempts are in doubt from then on, until an answer
//! comes after all.
//!
//! Must hold: a worker that has beaten since it was observed is not declared dead, and neither is
//! one whose batch is being committed: its row is locked.

use tokio_postgres::{Client, Error, Row};

use super::room::take_back;
use crate::ledger::codes::KILLED;
use crate::model::attempt::{StartId, WallMs};

/// Finds and locks the workers that have not beaten since they were observed. A beat that comes in
/// this moment waits, and then hears that its worker was declared dead.
const SILENT: &str = "SELECT s.id, s.low
    FROM unnest($1::int4[], $2::int8[]) AS o(start, number)
        JOIN starts s ON s.id = o.start JOIN beats b ON b.start = s.id
    WHERE s.ended_at IS NULL AND NOT b.is_dead AND b.number = o.number
    ORDER BY s.id FOR UPDATE OF s, b SKIP LOCKED";

/// Declares workers dead, each with the number of beats with which it was observed.
pub(super) async fn declare_dead_if_silent(
    client: &Client,
    silent: &[(StartId, u64)],
    now: WallMs,
) -> Result<(), Error> {
    let (starts, numbers): (Vec<i32>, Vec<i64>) =
        silent.iter().map(|(start, n)| (start.0.cast_signed(), n.cast_signed())).unzip();
    client.batch_execute("BEGIN").await?;
    let declared = async {
        for row in client.query(SILENT, &[&starts, &numbers]).await? {
            declare_dead(client, &row, now).await?;
            tracing::warn!(
                start = row.get::<_, i32>(0),
                "a worker has been silent for too long: its calls without an answer are in doubt"
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
    let start: i32 = row.get(0);
    let next = "UPDATE starts SET generation = generation + 1 WHERE id = $1";
    client.execute(next, &[&start]).await?;
    client.execute("UPDATE beats SET is_dead = true WHERE start = $1", &[&start]).await?;
    lose_open_attempts(client, row, now).await?;
    take_back(client, start).await
}

/// Declares the open attempts of a start lost. `row` holds the start and its lowest open attempt.
pub(super) async fn lose_open_attempts(
    client: &Client,
    row: &Row,
    now: WallMs,
) -> Result<(), Error> {
    let (start, low): (i32, i64) = (row.get(0), row.get(1));
    let first = i64::from(start) << 32;
    let lose = format!(
        "WITH o AS (INSERT INTO orphans
            SELECT i.attempt, $3 FROM intents i
            WHERE i.attempt >= $1 AND i.attempt < $2 AND NOT EXISTS
                (SELECT 1 FROM settlements s WHERE s.attempt = i.attempt)
            ON CONFLICT (attempt) DO NOTHING RETURNING attempt)
         UPDATE pairs p SET version = p.version + 1, open = false, prior = p.ended,
            ended = o.attempt, class = {}, at = $3
         FROM o JOIN intents i USING (attempt)
         WHERE p.pair = i.pair AND p.attempt = o.attempt AND p.open",
        KILLED.code()
    );
    client.execute(&lose, &[&first.max(low), &(first + (1 << 32)), &now.0]).await?;
    Ok(())
}
