//! The room of the workers in the budget of their run. [`crate::rules::room`] decides what a worker
//! gets.
//!
//! Must hold: `granted` of a run is the sum of the room of all its starts, and never exceeds the
//! budget. Whoever changes the room of a start has locked its beats, and then its run. The unused
//! room of a start that ends, or whose worker is declared dead, goes back.

use tokio::join;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};

use super::batch::id;
use crate::ledger::RunId;
use crate::model::attempt::StartId;
use crate::rules::room::{Granted, RoomWish};

/// A wish, with what is needed to fulfil it.
pub(super) struct Asked {
    pub(super) start: StartId,
    pub(super) run: RunId,
    pub(super) wish: RoomWish,
    /// Number of the wish. Each wish of a start has a higher one than those before.
    pub(super) number: i64,
    /// Number of workers of the run.
    pub(super) workers: u64,
}

/// Fulfils the wish of a worker. Returns the room that it has now, and that of the whole run.
/// Returns `None` if a later wish was fulfilled before, or the start has ended.
pub(super) async fn fulfil(client: &Client, asked: &Asked) -> Result<Option<Granted>, Error> {
    let Asked { wish, number, workers, .. } = *asked;
    let (start, run) = (id(asked.start), asked.run.0.cast_signed());
    let (the_start, the_run): ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 1]) =
        ([&start], [&run]);
    let room = "SELECT b.room, b.wish, s.ended_at IS NOT NULL FROM beats b
        JOIN starts s ON s.id = b.start WHERE b.start = $1 FOR UPDATE OF b";
    let granted = "SELECT granted FROM runs WHERE id = $1 FOR UPDATE";
    let fulfilled = async {
        let (begun, room, granted) = join!(
            biased;
            client.batch_execute("BEGIN"),
            client.query_one(room, &the_start),
            client.query_one(granted, &the_run),
        );
        begun?;
        let (of_start, granted) = (room?, granted?);
        let (room, last): (i64, i64) = (of_start.get(0), of_start.get(1));
        if number <= last || of_start.get(2) {
            return Ok(None);
        }
        let granted: i64 = granted.get(0);
        let told = wish.fulfil(room.cast_unsigned(), granted.cast_unsigned(), workers);
        let unused = wish.unused + told.room.saturating_sub(wish.keep);
        let (room, granted) = (told.room.cast_signed(), told.of_run.cast_signed());
        // Room that a crash of the server forgets could be given twice.
        client.batch_execute("SET LOCAL synchronous_commit = on").await?;
        let of_worker = "UPDATE beats SET room = $2, unused = $3, wish = $4 WHERE start = $1";
        let of_run = "UPDATE runs SET granted = $2 WHERE id = $1";
        let unused = unused.cast_signed();
        client.execute(of_worker, &[&start, &room, &unused, &number]).await?;
        client.execute(of_run, &[&run, &granted]).await?;
        Ok(Some(told))
    };
    let fulfilled = fulfilled.await;
    let end = if fulfilled.is_ok() { "COMMIT" } else { "ROLLBACK" };
    client.batch_execute(end).await?;
    fulfilled
}

/// Takes the unused room of a start back. Its open attempts may be charged, so they use room.
pub(super) async fn take_back(client: &Client, start: i32) -> Result<(), Error> {
    let room = "SELECT room FROM beats WHERE start = $1 FOR UPDATE";
    let room = client.query_opt(room, &[&start]).await?.map_or(0, |row| row.get::<_, i64>(0));
    if room == 0 {
        return Ok(());
    }
    let used = "SELECT count(*) FROM intents i LEFT JOIN settlements s USING (attempt)
        WHERE i.attempt >= $1::int8 << 32 AND i.attempt < ($1::int8 + 1) << 32
            AND (s.attempt IS NULL OR s.charge <> 0)";
    let used: i64 = client.query_one(used, &[&i64::from(start)]).await?.get(0);
    let kept = used.min(room);
    let of_worker = "UPDATE beats SET room = $2, unused = 0 WHERE start = $1";
    let of_run = "UPDATE runs r SET granted = r.granted - $2 FROM starts s
        WHERE s.id = $1 AND r.id = s.run";
    client.execute(of_worker, &[&start, &kept]).await?;
    client.execute(of_run, &[&start, &(room - kept)]).await.map(drop)
}
