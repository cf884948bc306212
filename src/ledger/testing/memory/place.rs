//! The place of a ledger in memory: how processes open the ledger, how it is killed, and what it
//! shows.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{KILLED, MemoryLedger, Run, Start, Store};
use crate::ledger::testing::{Backend, Stored, StoredFact, Trap};
use crate::ledger::{
    CallsInTime, DAY_MS, DayTotal, Doubt, Facts, FailureCount, Ledger, LedgerError, LedgerName,
    OpenRun, Preview, Recorded, RunId, RunLine, RunQuery, RunRecord, ShowLedger, StartSums, Status,
    Unrecorded, VerdictsOf,
};
use crate::model::attempt::{AttemptId, Batch, Intent, PairKey, StartId, WallMs};
use crate::model::class::{Class, End, NotSent, ResultCode};
use crate::model::money::{Charge, Tally};
use crate::rules::pair_key::PairHasher;
use crate::rules::tally::count;
use crate::rules::vendor_clock::VendorClock;

/// The place of a ledger in memory.
pub(crate) struct MemoryBackend(Rc<RefCell<Store>>);

impl ShowLedger for MemoryLedger {
    fn name(&self) -> &LedgerName {
        &self.name
    }

    fn status(&self, utc_offset_ms: i64, most_doubts: u64) -> Result<Status, LedgerError> {
        let store = self.store.borrow();
        let line = |(id, run): (u64, &Run)| {
            let starts: Vec<&Start> = store.starts.iter().filter(|start| start.run == id).collect();
            let last = starts.last().and_then(|start| start.ended.clone());
            let mut tally = Tally::default();
            let settled =
                store.settlements.values().filter(|f| store.intents[&f.attempt.0].0 == id);
            settled.for_each(|fact| count(&mut tally, fact.class, 1));
            RunLine {
                id: RunId(id),
                label: run.opening.label.clone(),
                rows: run.opening.rows,
                state: run.state.to_owned(),
                created_at: run.opening.at,
                ended_at: run.ended.as_ref().map(|ending| ending.at),
                starts: starts.len() as u64,
                last_stop: last.as_ref().and_then(|ending| ending.stop).map(str::to_owned),
                last_exit: last.map(|ending| ending.exit.number()),
                tally,
            }
        };
        let doubts: Vec<Doubt> = store
            .settlements
            .values()
            .rev()
            .filter(|fact| fact.class.end() == Some(End::InDoubt))
            .map(|fact| {
                let (run, intent) = &store.intents[&fact.attempt.0];
                Doubt { run: RunId(*run), record: intent.record, at: intent.at, class: fact.class }
            })
            .collect();
        let mut days: BTreeMap<i64, Tally> = BTreeMap::new();
        let now = store.settlements.values();
        let settled = now.map(|fact| ((fact.at.0 + utc_offset_ms) / DAY_MS, fact.class));
        for (day, class) in settled.chain(store.purged.iter().copied()) {
            count(days.entry(day).or_default(), class, 1);
        }
        Ok(Status {
            learned: store.rates.values().copied().max_by_key(|remembered| remembered.at),
            under_way: Vec::new(),
            origin: "memory".to_owned(),
            runs: (1..).zip(&store.runs).map(line).collect(),
            doubts_total: doubts.len() as u64,
            doubts: doubts.into_iter().take(most_doubts as usize).collect(),
            workers: Vec::new(),
            unsettled: (store.intents.len() - store.settlements.len()) as u64,
            days: days.into_iter().map(|(day, tally)| DayTotal { day, tally }).collect(),
            vendor_clock: store.vendor_clock(),
        })
    }

    fn read_one_moment(&mut self) -> Result<(), LedgerError> {
        Ok(())
    }

    fn vendor_clock(&self) -> Result<VendorClock, LedgerError> {
        Ok(self.store.borrow().vendor_clock())
    }

    fn run_record(&self, run: RunId) -> Result<Option<RunRecord>, LedgerError> {
        Ok(self.store.borrow().run_record(&RunQuery::Number(run)))
    }

    fn start_sums(&self, run: RunId) -> Result<BTreeMap<StartId, StartSums>, LedgerError> {
        Ok(self.store.borrow().start_sums(run))
    }

    fn calls(&self, from: WallMs, to: WallMs) -> Result<CallsInTime, LedgerError> {
        Ok(self.store.borrow().calls(from, to))
    }

    fn origin(&self) -> Result<String, LedgerError> {
        Ok("memory".to_owned())
    }

    fn run_ids(&self) -> Result<Vec<RunId>, LedgerError> {
        Ok((1..=self.store.borrow().runs.len() as u64).map(RunId).collect())
    }

    fn run_calls(&self, run: RunId) -> Result<CallsInTime, LedgerError> {
        Ok(self.store.borrow().run_calls(run))
    }

    fn run_failures(&self, run: RunId) -> Result<Vec<FailureCount>, LedgerError> {
        Ok(self.store.borrow().run_failures(run))
    }

    fn run_latencies(&self, run: RunId) -> Result<Vec<(u32, u64)>, LedgerError> {
        Ok(self.store.borrow().run_latencies(run))
    }

    fn visit_verdicts(
        &self,
        of: VerdictsOf,
        visit: &mut dyn FnMut(PairKey, ResultCode),
    ) -> Result<(), LedgerError> {
        self.store.borrow().verdicts(of).into_iter().for_each(|(pair, code)| visit(pair, code));
        Ok(())
    }

    fn check_nothing_lost(&self) -> Result<(), LedgerError> {
        Ok(())
    }
}

impl Preview for MemoryBackend {
    fn hasher(&self) -> PairHasher {
        self.handle().hasher()
    }

    fn read<T, E: From<LedgerError>>(
        &self,
        mut read: impl FnMut(&mut dyn Facts) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        match self.0.borrow().starts.is_empty() {
            true => Ok(None),
            false => read(&mut self.handle()).map(Some),
        }
    }
}

impl MemoryBackend {
    fn handle(&self) -> MemoryLedger {
        MemoryLedger { store: Rc::clone(&self.0), name: LedgerName::of_file("memory".as_ref()) }
    }
}

impl Backend for MemoryBackend {
    type Ledger = MemoryLedger;
    type Preview = Self;

    fn new() -> Self {
        Self(Rc::default())
    }

    fn open(&mut self, now: WallMs) -> Result<MemoryLedger, LedgerError> {
        self.0.borrow_mut().settle_dead_starts(now);
        Ok(self.handle())
    }

    fn preview(&self) -> Result<Self, LedgerError> {
        Ok(Self(Rc::clone(&self.0)))
    }

    fn record(
        ledger: &mut MemoryLedger,
        run: &OpenRun,
        batch: Batch,
    ) -> Result<Recorded, Box<Unrecorded>> {
        ledger.store.borrow_mut().record(run, batch)
    }

    fn stored(ledger: &MemoryLedger) -> Stored {
        let store = ledger.store.borrow();
        let fact = |(attempt, (run, intent)): (&u64, &(u64, Intent))| StoredFact {
            attempt: AttemptId(*attempt),
            pair: intent.pair,
            run: *run,
            settled: store.settlements.get(attempt).map(|fact| (fact.class, fact.at.0)),
            voided: store.voids.contains(attempt),
        };
        let runs = || (1..).zip(&store.runs);
        Stored {
            facts: store.intents.iter().map(fact).collect(),
            took_over: runs().filter_map(|(id, run)| Some((id, run.superseded?))).collect(),
            open_runs: runs().filter(|(_, run)| run.state == "open").map(|(id, _)| id).collect(),
        }
    }

    fn written(_: &MemoryLedger) -> u64 {
        0
    }

    fn kill(&mut self, ledger: Option<MemoryLedger>, _: Option<u64>) {
        self.0.borrow_mut().trap = None;
        drop(ledger);
    }

    fn set_trap(ledger: &MemoryLedger, trap: Option<Trap>) {
        ledger.store.borrow_mut().trap = trap;
    }

    fn fold_often(_: &MemoryLedger) {}

    fn forget_killed(ledger: &MemoryLedger) {
        for fact in ledger.store.borrow_mut().settlements.values_mut() {
            if fact.class == KILLED {
                (fact.class, fact.charge) = (Class::NotSent(NotSent::Recalled), Charge::Free);
            }
        }
    }

    fn purge_without_chain(ledger: &mut MemoryLedger, before: WallMs) -> Result<(), LedgerError> {
        let mut store = ledger.store.borrow_mut();
        let open = (1..).zip(&store.runs).filter(|(_, run)| run.state == "open");
        let open: BTreeSet<u64> = open.map(|(id, _)| id).collect();
        store.purge(before, 0, &open);
        Ok(())
    }

    fn bytes(&self) -> Vec<u8> {
        Self::digest(&self.handle()).into_bytes()
    }

    fn digest(ledger: &MemoryLedger) -> String {
        format!("{:?}", ledger.store.borrow())
    }
}
