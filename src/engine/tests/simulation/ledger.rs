//! The ledger as the stages of a simulated start see it: the real ledger, whose process may be
//! killed at each write.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::{Halt, Step};
use super::Sabotage;
use super::dice::Dice;
use crate::ledger::testing::Backend;
use crate::ledger::{
    AttemptDetail, Facts, FoundRun, Journal, Ledger, LedgerError, OpenRun, OwnAttempt,
    PossibleCharge, Purgeable, Purged, Recorded, RunId, RunQuery, RunRecord, RunRef, Standing,
    StartEnd, StartRequest, Unrecorded,
};
use crate::model::attempt::{AttemptId, Batch, WallMs};
use crate::rules::body::BodyKind;
use crate::rules::estimate::History;
use crate::rules::pair_key::PairHasher;
use crate::rules::pair_table::{PairIndex, SortedKeys};
use crate::rules::rate::Remembered;

/// The fate of the process: when it is killed, and how much of its last write remains.
pub(super) struct Fate {
    dice: Dice,
    /// Number of steps that are left before the process is killed.
    pub(super) fuse: Option<u64>,
    is_dead: bool,
    /// True if the ledger moves its writes into its main file at once. Then a kill cannot cut off a
    /// write.
    pub(super) folds: bool,
    /// Length of the ledger's log after the kill, if the last write is cut off.
    cut: Option<u64>,
}

impl Fate {
    pub(super) fn new(dice: Dice) -> Self {
        Self { dice, fuse: None, is_dead: false, folds: false, cut: None }
    }

    /// Counts one more step. Fails if the process is killed at this step.
    pub(super) fn step(&mut self) -> Step {
        match &mut self.fuse {
            _ if self.is_dead => Err(Halt::Killed),
            Some(0) => {
                self.is_dead = true;
                Err(Halt::Killed)
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Counts one more step: a write that grew the ledger's log from the length `from` to the
    /// length `to`.
    pub(super) fn wrote(&mut self, from: u64, to: u64) -> Step {
        if self.fuse.is_some() && self.dice.one_in(20) {
            self.fuse = Some(0);
        }
        self.step().inspect_err(|_| {
            // The write is on the disk as a whole, in part, or not at all.
            let somewhere = self.dice.between(from.min(to), to);
            let cut = self.dice.pick(&[to, somewhere]);
            self.cut = (!self.folds).then_some(cut);
        })
    }

    pub(super) const fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// Prepares for the next process. Returns the length to which the ledger's log is cut.
    pub(super) const fn bury(&mut self) -> Option<u64> {
        self.is_dead = false;
        self.fuse = None;
        self.cut.take()
    }
}

/// A handle to the open ledger. Dropping the handle does not close the ledger, so that a kill finds
/// the ledger as it is.
pub(super) struct SimLedger<B: Backend> {
    pub(super) ledger: Rc<RefCell<Option<B::Ledger>>>,
    pub(super) fate: Rc<RefCell<Fate>>,
    pub(super) sabotage: Option<Sabotage>,
}

impl<B: Backend> SimLedger<B> {
    fn read<T>(
        &self,
        act: impl FnOnce(&mut B::Ledger) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        match self.ledger.borrow_mut().as_mut() {
            Some(ledger) if !self.fate.borrow().is_dead() => act(ledger),
            _ => Err(LedgerError::WriterGone),
        }
    }

    /// Performs a write. The process may be killed in the middle of the write.
    fn write<T>(
        &self,
        act: impl FnOnce(&mut B::Ledger) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        self.read(|ledger| {
            let before = B::written(ledger);
            let done = act(ledger);
            let wrote = self.fate.borrow_mut().wrote(before, B::written(ledger));
            wrote.map_err(|_| LedgerError::WriterGone).and(done)
        })
    }

    /// Records a batch with the code of the ledger's writer.
    pub(super) fn record(
        &self,
        run: &OpenRun,
        batch: Batch,
    ) -> Step<Result<Recorded, Box<Unrecorded>>> {
        let mut ledger = self.ledger.borrow_mut();
        let Some(ledger) = ledger.as_mut() else { return Err(Halt::Killed) };
        let before = B::written(ledger);
        let word = B::record(ledger, run, batch);
        self.fate.borrow_mut().wrote(before, B::written(ledger)).map(|()| word)
    }
}

impl<B: Backend> Facts for SimLedger<B> {
    fn find_run(&mut self, opening: &StartRequest) -> Result<FoundRun, LedgerError> {
        self.read(|ledger| ledger.find_run(opening))
    }

    fn find_record(&mut self, wanted: &RunQuery<'_>) -> Result<Option<RunRecord>, LedgerError> {
        self.read(|ledger| ledger.find_record(wanted))
    }

    fn visit_earlier_then(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) -> Result<(), LedgerError> {
        self.read(|ledger| ledger.visit_earlier_then(run, keys, visit))
    }

    fn visit_possible(&mut self, visit: &mut dyn FnMut(PossibleCharge)) -> Result<(), LedgerError> {
        self.read(|ledger| ledger.visit_possible(visit))
    }

    fn visit_earlier(
        &mut self,
        run: &RunRef,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) -> Result<(), LedgerError> {
        match self.sabotage {
            Some(Sabotage::ForgetEarlier) => Ok(()),
            _ => self.read(|ledger| ledger.visit_earlier(run, keys, visit)),
        }
    }

    fn visit_own(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(Option<PairIndex>, OwnAttempt),
    ) -> Result<(), LedgerError> {
        match self.sabotage {
            Some(Sabotage::ForgetOwn) => Ok(()),
            _ => self.read(|ledger| ledger.visit_own(run, keys, visit)),
        }
    }

    fn details(&mut self, attempts: &[AttemptId]) -> Result<Vec<AttemptDetail>, LedgerError> {
        self.read(|ledger| ledger.details(attempts))
    }

    fn history(&mut self) -> Result<History, LedgerError> {
        self.read(Facts::history)
    }

    fn unsettled(&mut self) -> Result<u64, LedgerError> {
        self.read(Facts::unsettled)
    }

    fn remembered_rate(
        &mut self,
        account: Option<&[u8; 16]>,
    ) -> Result<Option<Remembered>, LedgerError> {
        self.read(|ledger| ledger.remembered_rate(account))
    }

    fn purgeable(&mut self, before: WallMs) -> Result<Purgeable, LedgerError> {
        self.read(|ledger| ledger.purgeable(before))
    }
}

impl<B: Backend> Ledger for SimLedger<B> {
    type Journal = NoJournal<B>;

    fn hasher(&self) -> PairHasher {
        let ledger = self.ledger.borrow();
        ledger.as_ref().expect("a ledger is open").hasher()
    }

    fn open_run(&mut self, opening: &StartRequest) -> Result<OpenRun, LedgerError> {
        self.write(|ledger| ledger.open_run(opening))
    }

    /// Always fails: a start in virtual time records its batches without a journal.
    fn into_journal(self, _: &OpenRun) -> Result<NoJournal<B>, LedgerError> {
        Err(LedgerError::WriterGone)
    }

    fn end_start(&mut self, run: &OpenRun, ending: &StartEnd) -> Result<(), LedgerError> {
        self.write(|ledger| ledger.end_start(run, ending))
    }

    fn end_run(&mut self, run: &OpenRun, ending: &StartEnd) -> Result<(), LedgerError> {
        self.write(|ledger| ledger.end_run(run, ending))
    }

    fn remembered_body(&mut self) -> Result<Option<BodyKind>, LedgerError> {
        self.read(Ledger::remembered_body)
    }

    fn remember_body(&mut self, kind: BodyKind) -> Result<(), LedgerError> {
        self.write(|ledger| ledger.remember_body(kind))
    }

    fn remember_rate(
        &mut self,
        account: &[u8; 16],
        remembered: Remembered,
    ) -> Result<(), LedgerError> {
        self.write(|ledger| ledger.remember_rate(account, remembered))
    }

    fn purge(&mut self, before: WallMs, utc_offset_ms: i64) -> Result<Purged, LedgerError> {
        self.read(|ledger| match self.sabotage {
            Some(Sabotage::ForgetTakenOver) => {
                B::purge_without_chain(ledger, before)?;
                Ok(Purged { attempts: 0, kept: 0, wiped: true, shrunk: None })
            }
            _ => ledger.purge(before, utc_offset_ms),
        })
    }
}

/// A journal that is never made, because a start in virtual time does not need one.
pub(super) struct NoJournal<B: Backend>(SimLedger<B>);

impl<B: Backend> Journal for NoJournal<B> {
    type Ledger = SimLedger<B>;

    fn record(
        &mut self,
        batch: Batch,
    ) -> impl Future<Output = Result<Recorded, Box<Unrecorded>>> + Unpin + 'static {
        std::future::ready(Err(Box::new(Unrecorded { error: LedgerError::WriterGone, batch })))
    }

    fn finish(self) -> Result<SimLedger<B>, LedgerError> {
        Ok(self.0)
    }
}
