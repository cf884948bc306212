//! Waits for a server that does not answer: how long, and how a session is made anew.
//!
//! Must hold: the wait ends. What belongs to one moment is never read in two sessions.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::backend::{Backend, end_session};
use super::error::{is_temporary, unreachable_server};
use super::session::Session;
use crate::ledger::LedgerError;

/// Longest time that a new session may take to end the one before.
const MAKING_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest time that the server may take for one operation of a run.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(600);

impl Session {
    /// Waits a little after an error of the server, and makes the session anew. If that fails, the
    /// old connection stays, whose next statement fails at once.
    ///
    /// # Errors
    /// Returns `error` if it is not temporary, or the server has not answered for too long.
    pub(super) async fn wait_for_server(&mut self, error: LedgerError) -> Result<(), LedgerError> {
        if !is_temporary(&error) || self.outage.is_over() {
            return Err(error);
        }
        if self.outage.begins() {
            tracing::warn!(%error, "ceknik makes no new call until it can write to the ledger again");
        }
        sleep(self.outage.next_pause()).await;
        match self.reconnect().await {
            Err(error) if self.outage.is_over() => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Connects anew. Ends the old session on the server, which may not have noticed that its
    /// connection is broken, and may still hold rows.
    async fn reconnect(&mut self) -> Result<(), LedgerError> {
        let client = self.access.connect().await?;
        let made = async {
            end_session(&client, &self.backend).await;
            Backend::of(&client, &self.access.name).await
        };
        let silent = || unreachable_server(&self.access.name, "it does not answer".to_owned());
        let made = timeout(MAKING_TIMEOUT, made).await.unwrap_or_else(|_| Err(silent()));
        let backend = made?;
        (self.client, self.backend) = (client, backend);
        self.statements = None;
        Ok(())
    }

    /// Carries out an operation once, within bounds of time.
    pub(super) async fn once<T>(
        &mut self,
        act: impl AsyncFnOnce(&mut Self) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let name = self.access.name.clone();
        let silent = || unreachable_server(&name, "it does not answer".to_owned());
        timeout(OPERATION_TIMEOUT, act(self)).await.unwrap_or_else(|_| Err(silent()))
    }

    /// Carries out an operation that may be repeated, until the server has answered.
    pub(super) async fn patiently<T>(
        &mut self,
        act: impl AsyncFn(&mut Self) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        loop {
            match self.once(&act).await {
                Err(error) if !self.reads_one_moment => self.wait_for_server(error).await?,
                told => {
                    self.outage.ends();
                    return told;
                }
            }
        }
    }
}
