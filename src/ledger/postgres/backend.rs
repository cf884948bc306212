//! The identity of a session on the server, by which a later session of this program ends it.

use tokio_postgres::Client;

use super::error::failed;
use crate::ledger::{LedgerError, LedgerName};

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
