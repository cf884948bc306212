//! A session on the server of a shared ledger: how it is made, and what belongs to it.
//!
//! Must hold: a session is only made on a server that keeps what it confirms (`fsync` and
//! `full_page_writes` are on), of a version that is known to work.
//!
//! Never: logs a statement with its values.

use std::time::Duration;

use rustls_tokio_postgres::MakeRustlsConnect;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::config::TargetSessionAttrs;

use super::batch::Writing;
use super::error::{failed, unreachable_server};
use super::location::SharedLocation;
use super::lock::Backend;
use super::outage::Outage;
use crate::ledger::{LedgerError, LedgerName};
use crate::tls;

/// Longest time until a session can be used: connecting, the login and the first statements.
const OPENING_TIMEOUT: Duration = Duration::from_secs(20);
/// Oldest version of PostgreSQL that is used, in the form of `server_version_num`.
const OLDEST_SERVER: i32 = 140_000;

/// Everything that is needed to connect.
pub(super) struct Access {
    pub(super) name: LedgerName,
    connection: tokio_postgres::Config,
    schema: String,
    tls: MakeRustlsConnect,
    writes: bool,
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
        let mut connection = url.connection.clone();
        if let Some(password) = password {
            connection.password(password.as_str());
        }
        if !writes {
            connection.target_session_attrs(TargetSessionAttrs::Any);
        }
        let tls = MakeRustlsConnect::new(tls.map_err(refused)?);
        Ok(Self { name, connection, schema: url.schema.clone(), tls, writes })
    }

    /// Connects, and checks the server. A server that accepts and then says nothing is an error.
    pub(super) async fn connect(&self) -> Result<Client, LedgerError> {
        let silent = || unreachable_server(&self.name, "it accepts, and says nothing".to_owned());
        timeout(OPENING_TIMEOUT, self.open()).await.unwrap_or_else(|_| Err(silent()))
    }

    async fn open(&self) -> Result<Client, LedgerError> {
        let failed = |error| failed(&self.name, "opened", &error);
        let (client, connection) =
            self.connection.connect(self.tls.clone()).await.map_err(failed)?;
        // The task ends with the connection. Each statement under way gets the error.
        tokio::spawn(connection);
        let set = format!(
            "SET search_path = {}; SET lock_timeout = '100ms';
             SET idle_in_transaction_session_timeout = '10min';
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
                "is PostgreSQL {}, and 14 is the oldest that is used",
                version / 10_000
            ));
        }
        if !row.get::<_, bool>(3) {
            return refuse(
                "has a database that is not encoded in UTF-8, which every text of a vendor needs"
                    .to_owned(),
            );
        }
        if self.writes && !is_durable {
            return refuse(
                "has fsync or full_page_writes switched off: what was paid for could be lost"
                    .to_owned(),
            );
        }
        if self.writes && is_hasty {
            client.batch_execute("SET synchronous_commit = on").await.map_err(failed)?;
        }
        Ok(())
    }
}

/// A session, which belongs to the thread of the ledger.
pub(super) struct Session {
    pub(super) access: Access,
    pub(super) client: Client,
    /// State of the start that is recorded; `None` before the start and after its end.
    pub(super) writing: Option<Writing>,
    /// True if this session took the lock.
    pub(super) has_lock: bool,
    /// True while everything that is read belongs to one moment.
    pub(super) reads_one_moment: bool,
    /// Time since which the server has not answered.
    pub(super) outage: Outage,
    /// Identity of this session on the server.
    pub(super) backend: Backend,
}

impl Session {
    pub(super) async fn new(access: Access, patience: Duration) -> Result<Self, LedgerError> {
        let client = access.connect().await?;
        let backend = Backend::of(&client, &access.name).await?;
        let outage = Outage::new(patience);
        let (writing, has_lock, reads_one_moment) = (None, false, false);
        Ok(Self { access, client, writing, has_lock, reads_one_moment, outage, backend })
    }

    /// Returns the error of the ledger for an error of a statement that reads.
    pub(super) fn read_failed(&self) -> impl Fn(tokio_postgres::Error) -> LedgerError + use<> {
        let name = self.access.name.clone();
        move |error| failed(&name, "read", &error)
    }

    /// Returns the error of the ledger for an error of a statement that writes.
    pub(super) fn write_failed(&self) -> impl Fn(tokio_postgres::Error) -> LedgerError + use<> {
        let name = self.access.name.clone();
        move |error| failed(&name, "written", &error)
    }
}
