//! What the workers of a shared ledger tell each other: that the source is down or up again, and
//! that all have to stop. A beat carries it, and the answer to a beat.
//!
//! Must hold: a reason to stop concerns only starts that had begun when it was found. A start that
//! begins later may try again.

use tokio_postgres::{Client, Error};

use super::batch::id;
use crate::ledger::{RunId, SourceChange};
use crate::model::attempt::StartId;
use crate::model::stop::{Reach, StopReason};

/// Tells a reason to stop, unless this worker has heard of another one: `$1` is the worker, and `$3`
/// the latest start that it knew when it found the reason.
const STOP_RUN: &str = "UPDATE runs r SET stop = $2, stop_until = $3
    FROM starts me
    WHERE me.id = $1 AND r.id = me.run AND (r.stop IS NULL OR r.stop_until < me.id)";
const STOP_ACCOUNT: &str = "UPDATE pace p SET stop = $2, stop_until = $3
    FROM starts me
    WHERE me.id = $1 AND p.account = me.account AND (p.stop IS NULL OR p.stop_until < me.id)";
const SOURCE: &str = "UPDATE pace p
    SET down_since = CASE WHEN $2 THEN coalesce(p.down_since, clock_timestamp()) END
    FROM starts me WHERE me.id = $1 AND p.account = me.account";

/// Reads what concerns a worker.
const HEARD: &str = "SELECT coalesce(CASE WHEN p.stop_until >= me.id THEN p.stop END,
            CASE WHEN r.stop_until >= me.id THEN r.stop END),
        p.down_since IS NOT NULL,
        coalesce(extract(epoch FROM p.paused_until - clock_timestamp()), 0)::float8,
        (SELECT coalesce(sum(b.verdicts), 0) FROM starts s JOIN beats b ON b.start = s.id
            WHERE s.run = me.run)
    FROM starts me JOIN runs r ON r.id = me.run LEFT JOIN pace p ON p.account = me.account
    WHERE me.id = $1";

/// What concerns a worker.
pub(super) struct Hearsay {
    pub(super) stop: Option<StopReason>,
    pub(super) is_source_down: bool,
    /// Seconds for which all workers pause; negative after the pause.
    pub(super) pause: f64,
    /// Number of verdicts that all workers of the run have told.
    pub(super) verdicts: i64,
}

/// Tells the others a reason to stop, if it concerns them. `newest` is the latest start that this
/// worker knew when it found the reason.
pub(super) async fn tell_stop(
    client: &Client,
    start: StartId,
    stop: Option<StopReason>,
    newest: StartId,
) -> Result<(), Error> {
    let Some(stop) = stop else { return Ok(()) };
    let tell = match stop.reach() {
        Reach::Worker => return Ok(()),
        Reach::Run => STOP_RUN,
        Reach::Account => STOP_ACCOUNT,
    };
    client.execute(tell, &[&id(start), &stop.name(), &id(newest.max(start))]).await.map(drop)
}

/// Tells the others a change of the source.
pub(super) async fn tell_source(
    client: &Client,
    start: StartId,
    change: Option<SourceChange>,
) -> Result<(), Error> {
    let Some(change) = change else { return Ok(()) };
    let is_down = change == SourceChange::Down;
    client.execute(SOURCE, &[&id(start), &is_down]).await.map(drop)
}

/// Reads what concerns a worker; `None` if the ledger does not know its start.
pub(super) async fn hear(client: &Client, start: StartId) -> Result<Option<Hearsay>, Error> {
    let row = client.query_opt(HEARD, &[&id(start)]).await?;
    Ok(row.map(|row| Hearsay {
        stop: row.get::<_, Option<&str>>(0).and_then(StopReason::told),
        is_source_down: row.get(1),
        pause: row.get(2),
        verdicts: row.get(3),
    }))
}

/// Makes the row of an account. If no worker uses the account, what was known of the source is
/// forgotten: a new start tries it.
pub(super) async fn begin_account(
    client: &Client,
    account: &[u8],
    living: &str,
) -> Result<(), Error> {
    let add = "INSERT INTO pace (account) VALUES ($1) ON CONFLICT (account) DO NOTHING";
    let forget = format!(
        "UPDATE pace SET down_since = NULL
         WHERE account = $1 AND down_since IS NOT NULL AND NOT EXISTS (SELECT 1
            FROM starts s JOIN beats b ON b.start = s.id WHERE s.account = $1 AND {living})"
    );
    client.execute(add, &[&account]).await?;
    client.execute(&forget, &[&account]).await.map(drop)
}

/// Reads the first verdicts of a run, in the order in which they came. All verdicts of the same
/// moment as the last one are among them.
pub(super) fn first_verdicts(run: RunId, codes: &str, most: usize) -> String {
    format!(
        "SELECT c.at, c.class FROM starts t JOIN settlements c
            ON c.attempt >= t.id::int8 << 32 AND c.attempt < (t.id::int8 + 1) << 32
         WHERE t.run = {} AND c.class IN ({codes})
         ORDER BY c.at FETCH FIRST {most} ROWS WITH TIES",
        run.0
    )
}
