//! Waits for a server that does not answer: how long, and how a session is made anew.
//!
//! Must hold: the wait ends. A session that held the lock is made anew only with the lock.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::error::{is_temporary, unreachable_server};
use super::lock;
use super::session::Session;
use crate::ledger::LedgerError;

/// Longest time that the server may take for one operation that reads or changes a run.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(600);
/// First pause before a broken connection is made anew. Doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause before a broken connection is made anew.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The wait for a server.
pub(super) struct Patience {
    ends: Instant,
    pause: Duration,
}

impl Patience {
    /// Begins a wait that lasts at most `most`.
    pub(super) fn begin(most: Duration) -> Self {
        Self { ends: Instant::now() + most, pause: FIRST_PAUSE }
    }

    /// Checks whether the time is up.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    /// Waits a little, and makes the session anew. If that fails, the old connection stays, whose
    /// next statement fails at once.
    ///
    /// # Errors
    /// Returns `error` if it is not temporary, or the time is up. If the session could not be made
    /// anew for another reason, returns that.
    pub(super) async fn wait(
        &mut self,
        session: &mut Session,
        error: LedgerError,
    ) -> Result<(), LedgerError> {
        if !is_temporary(&error) || self.is_over() {
            return Err(error);
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        match session.reconnect().await {
            // Another start has the lock; it may end in time.
            Err(LedgerError::Locked(name)) if self.is_over() => Err(LedgerError::Locked(name)),
            Err(error) if is_temporary(&error) || matches!(error, LedgerError::Locked(_)) => Ok(()),
            told => told,
        }
    }
}

impl Session {
    /// Connects anew, and takes the lock again if this session had it.
    async fn reconnect(&mut self) -> Result<(), LedgerError> {
        let client = self.access.connect().await?;
        if self.has_lock {
            lock::take(&client, &self.access.name).await?;
        }
        self.client = client;
        if let Some(writing) = &mut self.writing {
            writing.statements = None;
        }
        Ok(())
    }

    /// Carries out an operation within bounds of time.
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
        let mut patience = Patience::begin(self.patience);
        loop {
            match self.once(&act).await {
                // What is read within a snapshot cannot be read on in another session.
                Err(error) if !self.reads_one_moment => patience.wait(self, error).await?,
                told => return told,
            }
        }
    }
}
