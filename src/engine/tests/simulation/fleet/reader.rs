//! The facts of a shared ledger as a simulated worker reads them.

use crate::ledger::testing::shared::SharedStore;
use crate::ledger::{
    AttemptDetail, Facts, FoundRun, LedgerError, OwnAttempt, PossibleCharge, Purgeable, RunId,
    RunQuery, RunRecord, RunRef, Standing, StartRequest,
};
use crate::model::attempt::{AttemptId, WallMs};
use crate::rules::estimate::History;
use crate::rules::pair_table::{PairIndex, SortedKeys};
use crate::rules::rate::Remembered;

/// The facts of the ledger as a worker of a run reads them.
pub(super) struct Reader<'a> {
    pub(super) store: &'a SharedStore,
    /// True if the worker does not read that a pair is open.
    pub(super) hides_open: bool,
}

impl Facts for Reader<'_> {
    fn find_run(&mut self, _: &StartRequest) -> Result<FoundRun, LedgerError> {
        Err(LedgerError::WriterGone)
    }

    fn find_record(&mut self, _: &RunQuery<'_>) -> Result<Option<RunRecord>, LedgerError> {
        Err(LedgerError::WriterGone)
    }

    fn visit_earlier_then(
        &mut self,
        _: RunId,
        _: &SortedKeys,
        _: &mut dyn FnMut(PairIndex, Standing),
    ) -> Result<(), LedgerError> {
        Err(LedgerError::WriterGone)
    }

    fn visit_possible(&mut self, _: &mut dyn FnMut(PossibleCharge)) -> Result<(), LedgerError> {
        Err(LedgerError::WriterGone)
    }

    fn details(&mut self, _: &[AttemptId]) -> Result<Vec<AttemptDetail>, LedgerError> {
        Err(LedgerError::WriterGone)
    }

    fn visit_earlier(
        &mut self,
        run: &RunRef,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) -> Result<(), LedgerError> {
        let run = run.begun().ok_or(LedgerError::WriterGone)?;
        let hides_open = self.hides_open;
        self.store.visit_earlier(run, keys, &mut |at, standing| {
            visit(at, Standing { is_open: standing.is_open && !hides_open, ..standing });
        });
        Ok(())
    }

    fn visit_own(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(Option<PairIndex>, OwnAttempt),
    ) -> Result<(), LedgerError> {
        self.store.visit_own(run, keys, visit);
        Ok(())
    }

    fn history(&mut self) -> Result<History, LedgerError> {
        Ok(History::default())
    }

    fn unsettled(&mut self) -> Result<u64, LedgerError> {
        Ok(0)
    }

    fn remembered_rate(
        &mut self,
        account: Option<&[u8; 16]>,
    ) -> Result<Option<Remembered>, LedgerError> {
        let _ = account;
        Ok(None)
    }

    fn purgeable(&mut self, _: WallMs) -> Result<Purgeable, LedgerError> {
        Ok(Purgeable::default())
    }
}
