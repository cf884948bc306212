//! The slots of a rate that all workers of an account share: each wish moves the next free slot of
//! the account on.

use std::time::Duration;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};

use super::batch::id;
use crate::ledger::{Slots, SlotsWish};
use crate::model::attempt::StartId;

/// Takes slots, or begins a pause. `$2` is the time that the slots take, `$3` the time for which
/// all have to pause from now on, and `$4` how far ahead the next free slot may be: a clock of the
/// server that is set back must not hold the workers.
const TAKE: &str = "UPDATE pace p SET
        paused_until = CASE WHEN $3::float8 > 0
            THEN greatest(p.paused_until, clock_timestamp() + make_interval(secs => $3))
            ELSE p.paused_until END,
        next_slot = CASE WHEN $2::float8 > 0 AND p.paused_until <= clock_timestamp()
            THEN least(greatest(p.next_slot, clock_timestamp()),
                clock_timestamp() + make_interval(secs => $4)) + make_interval(secs => $2)
            ELSE p.next_slot END
    FROM starts me WHERE me.id = $1 AND p.account = me.account
    RETURNING extract(epoch FROM p.paused_until - clock_timestamp())::float8,
        extract(epoch FROM p.next_slot - make_interval(secs => $2) - clock_timestamp())::float8";

/// Shortest time by which the next free slot may be ahead.
const LEAST_AHEAD: f64 = 10.0;
/// Number of slots that each worker may have ahead at any rate.
const AHEAD: f64 = 16.0;

/// Prepares the statement that takes slots.
pub(super) async fn prepare(client: &Client) -> Result<Statement, Error> {
    client.prepare(TAKE).await
}

/// Takes slots for a worker. `workers` is the number of workers that use the account.
pub(super) async fn take(
    client: &Client,
    take: &Statement,
    start: StartId,
    wish: SlotsWish,
    workers: usize,
) -> Result<Option<Slots>, Error> {
    let span = f64::from(wish.calls) / wish.rate;
    let pause = wish.pause.map_or(0.0, |pause| pause.as_secs_f64());
    let ahead = LEAST_AHEAD.max(AHEAD * workers.max(1) as f64 / wish.rate) + span;
    let values: [&(dyn ToSql + Sync); 4] = [&id(start), &span, &pause, &ahead];
    let row = client.query_opt(take, &values).await?;
    Ok(row.map(|row| {
        let (paused, first): (f64, f64) = (row.get(0), row.get(1));
        let time = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        match time(paused) {
            Duration::ZERO if wish.calls > 0 => Slots::From(time(first)),
            paused => Slots::Paused(paused),
        }
    }))
}
