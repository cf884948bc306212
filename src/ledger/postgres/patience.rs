//! Waits for a server that does not answer: how long, and how a session is made anew.
//!
//! Must hold: the wait ends. What a session read before its start was opened is not used in another
//! session, because another start may have written meanwhile.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::error::{is_temporary, unreachable_server};
use super::lock;
use super::outage::LONGEST_PAUSE;
use super::session::Session;
use crate::ledger::LedgerError;

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
            tracing::warn!(%error, "no new call is made until the ledger can be written again");
        }
        sleep(self.outage.next_pause()).await;
        match self.reconnect().await {
            Err(error) if self.outage.is_over() => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Connects anew. Ends the old session on the server, which may not have noticed that its
    /// connection is broken, and takes its lock over. If another start has the lock, this session
    /// goes on without it: it may settle, and gets no intent granted.
    async fn reconnect(&mut self) -> Result<(), LedgerError> {
        let client = self.access.connect().await?;
        lock::end_session(&client, &self.backend).await;
        let backend = lock::Backend::of(&client, &self.access.name).await?;
        if self.has_lock {
            let told = lock::take_within(&client, &self.access.name, LONGEST_PAUSE).await;
            self.has_lock = match told {
                Ok(()) => true,
                Err(LedgerError::Locked(_)) => false,
                Err(error) => return Err(error),
            };
        }
        (self.client, self.backend) = (client, backend);
        if let Some(writing) = &mut self.writing {
            writing.statements = None;
        }
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
                Err(error) if self.may_go_on_anew() => self.wait_for_server(error).await?,
                told => {
                    self.outage.ends();
                    return told;
                }
            }
        }
    }

    /// Checks whether another session may go on from here: a start is open, or nothing is written.
    const fn may_go_on_anew(&self) -> bool {
        !self.reads_one_moment && (self.writing.is_some() || !self.has_lock)
    }
}
