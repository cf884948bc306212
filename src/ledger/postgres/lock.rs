//! The lock of a shared ledger: one start at a time writes to it.
//!
//! Must hold: the server releases the lock when the session ends. Who loses the session and with it
//! the lock is noticed by the generation of its start, so that its later intents are refused.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use super::error::failed;
use crate::ledger::{LedgerError, LedgerName};

/// Interval between two attempts to take the lock.
const POLL: Duration = Duration::from_millis(100);
/// Longest wait for the answer to the last statement of a session.
const GOODBYE: Duration = Duration::from_secs(5);
/// First half of the lock's number, which no other program is likely to use.
const CEKNIK: i32 = 0x63656b;

/// Takes the lock.
///
/// # Errors
/// [`LedgerError::Locked`] if another session holds the lock.
pub(super) async fn take(client: &Client, name: &LedgerName) -> Result<(), LedgerError> {
    let query = "SELECT coalesce(pg_try_advisory_lock($1, current_schema()::regnamespace::oid::int), false)";
    let row = client.query_one(query, &[&CEKNIK]).await;
    match row.map_err(|error| failed(name, "opened", &error))?.get(0) {
        true => Ok(()),
        false => Err(LedgerError::Locked(name.clone())),
    }
}

/// Takes the lock, and waits at most `wait` if another session holds it.
pub(super) async fn take_within(
    client: &Client,
    name: &LedgerName,
    wait: Duration,
) -> Result<(), LedgerError> {
    let deadline = Instant::now() + wait;
    loop {
        match take(client, name).await {
            Err(LedgerError::Locked(_)) if Instant::now() < deadline => sleep(POLL.min(wait)).await,
            told => return told,
        }
    }
}

/// Releases the lock, before a session ends: the server ends it only some time later.
pub(super) async fn release(client: &Client) {
    // A server that does not answer is left: it releases the lock when it ends the session.
    let _ = timeout(GOODBYE, client.batch_execute("SELECT pg_advisory_unlock_all()")).await;
}

/// Identity of a session on the server.
pub(super) struct Backend {
    process: i32,
    began: String,
}

impl Backend {
    /// Returns the identity of this session.
    pub(super) async fn of(client: &Client, name: &LedgerName) -> Result<Self, LedgerError> {
        let query =
            "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        let row = client.query_one(query, &[]).await;
        let row = row.map_err(|error| failed(name, "opened", &error))?;
        Ok(Self { process: row.get(0), began: row.get(1) })
    }
}

/// Ends another session of this program on the server, if it is still there.
pub(super) async fn end_session(client: &Client, backend: &Backend) {
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE pid = $1 AND backend_start::text = $2";
    // A server may not permit this. Then the session ends by itself, when its keepalives fail.
    let _ = client.query(end, &[&backend.process, &backend.began]).await;
}
