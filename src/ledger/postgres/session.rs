//! A session on the server of a shared ledger, and what belongs to it.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Client;

use super::access::Access;
use super::backend::Backend;
use super::beats::Beats;
use super::error::failed;
use super::outage::Outage;
use super::statements::Statements;
use crate::ledger::LedgerError;
use crate::ledger::recording::Writing;

/// A session, which belongs to the thread of the ledger.
pub(super) struct Session {
    pub(super) access: Arc<Access>,
    pub(super) client: Client,
    /// State of the start that is recorded; `None` before the start and after its end.
    pub(super) writing: Option<Writing>,
    /// The prepared statements of the connection; `None` before the first batch.
    pub(super) statements: Option<Statements>,
    /// The beats of the start that is under way.
    pub(super) beats: Option<Beats>,
    /// True while everything that is read belongs to one moment.
    pub(super) reads_one_moment: bool,
    /// Time since which the server has not answered.
    pub(super) outage: Outage,
    /// Identity of this session on the server.
    pub(super) backend: Backend,
}

impl Session {
    pub(super) async fn new(access: Arc<Access>, patience: Duration) -> Result<Self, LedgerError> {
        let client = access.connect().await?;
        let backend = Backend::of(&client, &access.name).await?;
        let outage = Outage::new(patience);
        let (writing, statements, beats, reads_one_moment) = (None, None, None, false);
        Ok(Self { access, client, writing, statements, beats, reads_one_moment, outage, backend })
    }

    /// Checks whether an open attempt is read as lost: a reader that is no worker shows the worst
    /// case.
    pub(super) fn takes_open_for_lost(&self) -> bool {
        !self.access.writes
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
