//! The ledger as the stages of a simulated start see it: the real one, whose process may be killed at each write.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::{Halt, Step};
use super::Sabotage;
use super::dice::Dice;
use crate::ledger::testing::Backend;
use crate::ledger::{
    Detail, Earlier, Ending, Facts, FoundRun, Journal, Ledger, LedgerError, OpenRun, Opening, Own,
    Purged, Recorded, RunId, RunRef, Unrecorded,
};
use crate::model::attempt::{AttemptId, Batch, WallMs};
use crate::rules::body::BodyKind;
use crate::rules::estimate::History;
use crate::rules::pair::PairHasher;
use crate::rules::pairs::{PairIndex, SortedKeys};

/// The moment of a kill, and the rest of the last write that it leaves.
pub(super) struct Fate {
    dice: Dice,
    /// Steps that are left before the process is killed.
    pub(super) fuse: Option<u64>,
    is_dead: bool,
    /// A write is folded into the file at once: then none can be cut off behind it.
    pub(super) folds: bool,
    cut: Option<u64>,
}

impl Fate {
    pub(super) fn new(dice: Dice) -> Self {
        Self { dice, fuse: None, is_dead: false, folds: false, cut: None }
    }

    /// One more step; the process may be killed after it.
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

    /// One more step, a write that grew the ledger's log `from` one length `to` another.
    pub(super) fn wrote(&mut self, from: u64, to: u64) -> Step {
        if self.fuse.is_some() && self.dice.one_in(20) {
            self.fuse = Some(0);
        }
        self.step().inspect_err(|_| {
            // It is on the disk as a whole, in part, or not at all.
            let somewhere = self.dice.between(from.min(to), to);
            let cut = self.dice.pick(&[to, somewhere]);
            self.cut = (!self.folds).then_some(cut);
        })
    }

    pub(super) const fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// The process is buried. Returns where its last write was cut.
    pub(super) const fn bury(&mut self) -> Option<u64> {
        self.is_dead = false;
        self.fuse = None;
        self.cut.take()
    }
}

/// A handle to the ledger that is open. Dropping it closes nothing: a kill finds the ledger as it stands.
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

    /// A write; the process may be killed in its middle.
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

    /// Records a batch, by the very code of the ledger's writer.
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
    fn find_run(&mut self, opening: &Opening) -> Result<FoundRun, LedgerError> {
        self.read(|ledger| ledger.find_run(opening))
    }

    fn earlier(
        &mut self,
        run: &RunRef,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Earlier),
    ) -> Result<(), LedgerError> {
        match self.sabotage {
            Some(Sabotage::ForgetEarlier) => Ok(()),
            _ => self.read(|ledger| ledger.earlier(run, keys, visit)),
        }
    }

    fn own(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(Option<PairIndex>, Own),
    ) -> Result<(), LedgerError> {
        match self.sabotage {
            Some(Sabotage::ForgetOwn) => Ok(()),
            _ => self.read(|ledger| ledger.own(run, keys, visit)),
        }
    }

    fn history(&mut self) -> Result<History, LedgerError> {
        self.read(Facts::history)
    }

    fn unsettled(&mut self) -> Result<u64, LedgerError> {
        self.read(Facts::unsettled)
    }
}

impl<B: Backend> Ledger for SimLedger<B> {
    type Journal = NoJournal<B>;

    fn hasher(&self) -> PairHasher {
        let ledger = self.ledger.borrow();
        ledger.as_ref().expect("a ledger is open").hasher()
    }

    fn open_run(&mut self, opening: &Opening) -> Result<OpenRun, LedgerError> {
        self.write(|ledger| ledger.open_run(opening))
    }

    /// A start in virtual time hands its batches over by itself.
    fn into_journal(self, _: &OpenRun) -> Result<NoJournal<B>, LedgerError> {
        Err(LedgerError::WriterGone)
    }

    fn details(&mut self, attempts: &[AttemptId]) -> Result<Vec<Detail>, LedgerError> {
        self.read(|ledger| ledger.details(attempts))
    }

    fn end_start(&mut self, run: &OpenRun, ending: &Ending) -> Result<(), LedgerError> {
        self.write(|ledger| ledger.end_start(run, ending))
    }

    fn end_run(&mut self, run: &OpenRun, ending: &Ending) -> Result<(), LedgerError> {
        self.write(|ledger| ledger.end_run(run, ending))
    }

    fn remembered_body(&mut self) -> Result<Option<BodyKind>, LedgerError> {
        self.read(Ledger::remembered_body)
    }

    fn remember_body(&mut self, kind: BodyKind) -> Result<(), LedgerError> {
        self.write(|ledger| ledger.remember_body(kind))
    }

    fn purge(&mut self, before: WallMs, utc_offset_ms: i64) -> Result<Purged, LedgerError> {
        self.read(|ledger| match self.sabotage {
            Some(Sabotage::ForgetTakenOver) => {
                B::purge_without_chain(ledger, before)?;
                Ok(Purged { attempts: 0, kept: 0, wiped: true })
            }
            _ => ledger.purge(before, utc_offset_ms),
        })
    }
}

/// No start in virtual time has one.
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
