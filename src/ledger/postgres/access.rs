//! The access to the server of a shared ledger: how a session on it is made.
//!
//! Must hold: a session is only made on a server that keeps what it confirms (`fsync` and
//! `full_page_writes` are on), of a version that is known to work.
//!
//! Never: logs a statement with its values.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustls_tokio_postgres::MakeRustlsConnect;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config};

use super::error::{failed, is_temporary, unreachable_server};
use super::location::SharedLocation;
use crate::ledger::{LedgerError, LedgerName};
use crate::tls;

/// Longest time until a session can be used: connecting, the login and the first statements.
const OPENING_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest time until a session on one of several hosts can be used, before the next one is tried.
const OPENING_TIMEOUT_OF_SEVERAL: Duration = Duration::from_secs(5);
/// Oldest version of PostgreSQL that is used, in the form of `server_version_num`.
const OLDEST_SERVER: i32 = 140_000;

/// Everything that is needed to connect.
pub(super) struct Access {
    pub(super) name: LedgerName,
    /// Settings of the connection to each host.
    hosts: Vec<Config>,
    /// Place of the host that was connected to last, which is tried first.
    latest_host: AtomicUsize,
    schema: String,
    tls: MakeRustlsConnect,
    pub(super) writes: bool,
    pub(super) lease: Duration,
    /// True once the user wants to leave at once: a server that does not answer is not waited for.
    pub(super) leaves_at_once: Arc<AtomicBool>,
}

impl Access {
    /// Prepares the access to a server. A session for reading may be on a standby.
    pub(super) fn new(location: &SharedLocation, writes: bool) -> Result<Self, LedgerError> {
        let SharedLocation { url, password, ca_cert, .. } = location;
        let name = url.name();
        let refused = |error: tls::TlsError| LedgerError::Refused {
            ledger: name.clone(),
            what: format!("cannot be used: {error}"),
        };
        let roots = tls::certificates(ca_cert.as_deref()).map_err(refused)?;
        let tls = if url.is_encrypted {
            tls::trusting_the_system_and(roots)
        } else {
            tls::trusting_nobody()
        };
        let mut hosts = url.hosts();
        for host in &mut hosts {
            if let Some(password) = password {
                host.password(password.as_str());
            }
            if !writes {
                host.target_session_attrs(TargetSessionAttrs::Any);
            }
        }
        let tls = MakeRustlsConnect::new(tls.map_err(refused)?);
        Ok(Self {
            name,
            hosts,
            latest_host: AtomicUsize::new(0),
            schema: url.schema.clone(),
            tls,
            writes,
            lease: location.lease,
            leaves_at_once: Arc::default(),
        })
    }

    /// Connects to the first host that can be used, and checks the server. A server that accepts and
    /// then says nothing is an error. The host that was used last is tried first, so that a host
    /// that is dead costs time only once.
    pub(super) async fn connect(&self) -> Result<Client, LedgerError> {
        let number = self.hosts.len();
        let longest = if number > 1 { OPENING_TIMEOUT_OF_SEVERAL } else { OPENING_TIMEOUT };
        let first = self.latest_host.load(Ordering::Relaxed);
        let mut failure = None;
        for (at, host) in self.hosts.iter().enumerate().cycle().skip(first).take(number) {
            let silent = || {
                unreachable_server(
                    &self.name,
                    "it accepts the connection, but does not answer".to_owned(),
                )
            };
            match timeout(longest, self.open(host)).await.unwrap_or_else(|_| Err(silent())) {
                Ok(client) => {
                    self.latest_host.store(at, Ordering::Relaxed);
                    return Ok(client);
                }
                // A refusal tells more than a host that cannot be reached.
                Err(error) if failure.as_ref().is_none_or(is_temporary) => failure = Some(error),
                Err(_) => {}
            }
        }
        Err(failure.unwrap_or(LedgerError::WriterGone))
    }

    /// Connects for the beats of a worker. They need not survive a crash of the server, and a
    /// batch that is confirmed later makes everything durable that they decided.
    pub(super) async fn connect_for_beats(&self) -> Result<Client, LedgerError> {
        let client = self.connect().await?;
        let hasty = client.batch_execute("SET synchronous_commit = off").await;
        hasty.map(|()| client).map_err(|error| failed(&self.name, "opened", &error))
    }

    /// Warns if the address names several hosts, and the server does not wait for any of the others
    /// before it confirms a commit.
    ///
    /// # Errors
    /// The server's error.
    pub(super) async fn warn_if_a_failover_forgets(
        &self,
        client: &Client,
    ) -> Result<(), LedgerError> {
        let waits = "SELECT current_setting('synchronous_standby_names') <> ''";
        let row = client.query_one(waits, &[]).await;
        let waits: bool = row.map_err(|error| failed(&self.name, "read", &error))?.get(0);
        if self.hosts.len() > 1 && !waits {
            tracing::warn!(
                "the server of the ledger does not wait for a synchronous standby (synchronous_standby_names is empty): \
                 after a failover, calls that you paid for may be lost from the ledger"
            );
        }
        Ok(())
    }

    async fn open(&self, host: &Config) -> Result<Client, LedgerError> {
        let failed = |error| failed(&self.name, "opened", &error);
        let (client, connection) = host.connect(self.tls.clone()).await.map_err(failed)?;
        // The task ends with the connection. Each statement under way gets the error.
        tokio::spawn(connection);
        let set = format!(
            "SET search_path = {}; SET lock_timeout = '100ms';
             SET idle_in_transaction_session_timeout = '5s';
             SET statement_timeout = 0; SET idle_session_timeout = 0;
             SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 2;
             SET tcp_keepalives_count = 3; SET tcp_user_timeout = '10s';
             SET default_transaction_isolation = 'read committed'",
            self.schema
        );
        client.batch_execute(&set).await.map_err(failed)?;
        self.check_server(&client).await?;
        Ok(client)
    }

    /// Refuses a server on which what was confirmed may be lost.
    async fn check_server(&self, client: &Client) -> Result<(), LedgerError> {
        let setting = "SELECT current_setting('server_version_num')::int,
                              current_setting('fsync')::bool AND current_setting('full_page_writes')::bool,
                              current_setting('synchronous_commit') IN ('off', 'local'),
                              current_setting('server_encoding') IN ('UTF8', 'SQL_ASCII')";
        let failed = |error| failed(&self.name, "opened", &error);
        let row = client.query_one(setting, &[]).await.map_err(failed)?;
        let refuse = |what: String| Err(LedgerError::Refused { ledger: self.name.clone(), what });
        let (version, is_durable, is_hasty): (i32, bool, bool) =
            (row.get(0), row.get(1), row.get(2));
        if version < OLDEST_SERVER {
            return refuse(format!(
                "is PostgreSQL {}, and ceknik needs 14 or newer",
                version / 10_000
            ));
        }
        if !row.get::<_, bool>(3) {
            return refuse(
                "has a database that is not encoded in UTF-8, and the vendor's texts need that"
                    .to_owned(),
            );
        }
        if self.writes && !is_durable {
            return refuse(
                "has fsync or full_page_writes switched off: the record of paid calls could be lost"
                    .to_owned(),
            );
        }
        if self.writes && is_hasty {
            client.batch_execute("SET synchronous_commit = on").await.map_err(failed)?;
        }
        Ok(())
    }
}
