//! A session on the server of a shared ledger, and what belongs to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use super::access::Access;
use super::backend::Backend;
use super::beats::Beats;
use super::error::failed;
use super::local_files::LocalFiles;
use super::outage::Outage;
use super::own_start::OwnStart;
use super::statements::Statements;
use crate::ledger::LedgerError;
use crate::ledger::observed::{Observed, ObservedBeat};
use crate::model::attempt::{StartId, WallMs};

/// A session, which belongs to the thread of the ledger.
pub(super) struct Session {
    pub(super) access: Arc<Access>,
    pub(super) client: Client,
    /// The files beside the key; `None` for a session that does not use the key.
    pub(super) files: Option<LocalFiles>,
    /// The start that is under way; `None` before the start and after its end.
    pub(super) own: Option<OwnStart>,
    /// The prepared statements of the connection; `None` before the first batch.
    pub(super) statements: Option<Statements>,
    /// The beats of the start that is under way.
    pub(super) beats: Option<Beats>,
    /// True while everything that is read belongs to one moment.
    pub(super) reads_one_moment: bool,
    /// What this session has observed of workers that may be in the way.
    watched: (Observed, Instant),
    /// The latest moment of reading, by the clock of the server.
    pub(super) read_until: Option<WallMs>,
    /// Number of late answers when the moment of reading began.
    pub(super) healed: i64,
    /// Time since which the server has not answered.
    pub(super) outage: Outage,
    /// Identity of this session on the server.
    pub(super) backend: Backend,
}

impl Session {
    pub(super) async fn new(access: Arc<Access>, patience: Duration) -> Result<Self, LedgerError> {
        let client = access.connect().await?;
        let backend = Backend::of(&client, &access.name).await?;
        let outage = Outage::new(patience, Arc::clone(&access.leaves_at_once));
        let watched = (Observed::new(access.lease), Instant::now());
        Ok(Self {
            access,
            client,
            files: None,
            own: None,
            statements: None,
            beats: None,
            reads_one_moment: false,
            watched,
            read_until: None,
            healed: 0,
            outage,
            backend,
        })
    }

    /// Notes the beats of workers that may be in the way. Returns those that are silent, each with
    /// its number of beats.
    pub(super) fn look_at(&mut self, beats: &[ObservedBeat]) -> Vec<(StartId, u64)> {
        let (observed, begun) = &mut self.watched;
        let now = begun.elapsed();
        observed.look(beats.iter().copied(), now, now)
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
