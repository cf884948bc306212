//! Reads a shared ledger as the next run would find it.
//!
//! Must hold: everything that is read belongs to one moment, also while a run is under way.
//!
//! Never: writes, or takes the lock.

use std::cell::RefCell;

use super::ledger::PgLedger;
use super::location::SharedLocation;
use super::session::Session;
use crate::ledger::{Facts, Ledger, LedgerError, Preview, ShowLedger};
use crate::rules::pair_key::PairHasher;

/// A shared ledger as the next start would find it.
pub(crate) struct PgPreview(RefCell<PgLedger>);

impl PgPreview {
    /// Opens a ledger for a preview. See [`crate::ledger::preview`].
    pub(in crate::ledger) fn of(location: &SharedLocation) -> Result<Self, LedgerError> {
        let ledger = PgLedger::connect(location, false)?;
        ledger.check_nothing_lost()?;
        Ok(Self(RefCell::new(ledger)))
    }
}

impl Preview for PgPreview {
    fn hasher(&self) -> PairHasher {
        self.0.borrow().hasher()
    }

    fn read<T, E: From<LedgerError>>(
        &self,
        mut read: impl FnMut(&mut dyn Facts) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        let mut ledger = self.0.borrow_mut();
        let is_used = ledger.worker.ask(async |session: &mut Session| {
            session.begin_reading().await?;
            let used = session.client.query_one("SELECT EXISTS (SELECT 1 FROM starts)", &[]).await;
            Ok(used.map_err(session.read_failed())?.get::<_, bool>(0))
        })?;
        let told = is_used.then(|| read(&mut *ledger)).transpose();
        ledger.worker.ask(async |session: &mut Session| session.end_reading().await)?;
        told
    }
}
