//! A ledger in memory for tests, which keeps the promises of the traits in the simplest way. The
//! stored facts outlive the ledgers that are opened on them, as a file outlives its processes.
//!
//! Never: is part of the program.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, Ready, ready};
use std::rc::Rc;

use super::Trap;
use crate::ledger::{
    AttemptDetail, DAY_MS, EarlierFact, Facts, FoundRun, HISTORY, Journal, Ledger, LedgerError,
    LedgerName, OpenRun, OwnAttempt, PossibleCharge, Purgeable, Purged, Recorded, RunId, RunQuery,
    RunRecord, RunRef, Standing, StartEnd, StartNotes, StartRequest, SupersededRun, Unrecorded,
};
use crate::model::attempt::{AttemptId, Batch, Intent, Settlement, StartId, WallMs};
use crate::model::class::{Class, End, Lost};
use crate::model::money::{Charge, Tally};
use crate::model::pause::Pause;
use crate::model::texts::{Text, Texts};
use crate::rules::body::BodyKind;
use crate::rules::classify::charge;
use crate::rules::estimate::History;
use crate::rules::pair_key::PairHasher;
use crate::rules::pair_table::{PairIndex, SortedKeys};
use crate::rules::rate::Remembered;
use crate::rules::tally::count;

mod place;
mod record;

pub(crate) use place::MemoryBackend;

/// Class of an attempt whose process died before the attempt was settled.
const KILLED: Class = Class::InDoubt(Lost::Killed);

#[derive(Debug, Clone)]
struct Run {
    opening: StartRequest,
    superseded: Option<u64>,
    state: &'static str,
    ended: Option<StartEnd>,
}

#[derive(Debug, Clone)]
struct Start {
    run: u64,
    at: WallMs,
    notes: StartNotes,
    ended: Option<StartEnd>,
    /// True if the start has ended, or its process is dead.
    is_over: bool,
}

#[derive(Debug, Default)]
struct Store {
    runs: Vec<Run>,
    starts: Vec<Start>,
    intents: BTreeMap<u64, (u64, Intent)>,
    settlements: BTreeMap<u64, Settlement>,
    voids: BTreeSet<u64>,
    /// Pauses by start and number.
    pauses: BTreeMap<(u32, u32), Pause>,
    body: Option<BodyKind>,
    rates: BTreeMap<[u8; 16], Remembered>,
    purged: Vec<(i64, Class)>,
    trap: Option<Trap>,
    batches: u32,
}

/// Returns the error of a storage that fails.
fn storage(act: &'static str) -> LedgerError {
    LedgerError::Storage { act, is_damaged: false, source: "the trap".into() }
}

/// An open ledger in memory.
pub(crate) struct MemoryLedger {
    store: Rc<RefCell<Store>>,
    name: LedgerName,
}

/// The journal of a ledger in memory, which records facts at once.
pub(crate) struct MemoryJournal {
    ledger: MemoryLedger,
    run: OpenRun,
}

impl Store {
    /// Returns the class of an attempt; in doubt, if the attempt has no settlement.
    fn class(&self, attempt: u64) -> Class {
        self.settlements.get(&attempt).map_or(KILLED, |fact| fact.class)
    }

    /// Returns the time of an attempt's settlement; of its intent, if there is no settlement.
    fn at(&self, attempt: u64) -> WallMs {
        let made = self.intents.get(&attempt).map_or(WallMs(0), |(_, intent)| intent.at);
        self.settlements.get(&attempt).map_or(made, |fact| fact.at)
    }

    /// Returns the costs of a run. Attempts without a settlement count as in doubt.
    fn tally(&self, run: u64) -> Tally {
        let mut tally = Tally::default();
        let own = self.intents.iter().filter(|(_, (of, _))| *of == run);
        own.for_each(|(attempt, _)| count(&mut tally, self.class(*attempt), 1));
        tally
    }

    /// Returns this run, the run that it took over, the run that this one took over, and so on.
    fn chain(&self, run: Option<u64>) -> BTreeSet<u64> {
        let mut chain = BTreeSet::new();
        let mut next = run;
        while let Some(run) = next.filter(|run| chain.insert(*run)) {
            next = self.run(run).superseded;
        }
        chain
    }

    fn run(&self, id: u64) -> &Run {
        &self.runs[id as usize - 1]
    }

    /// Returns the latest open run that is wanted.
    fn latest_run(&self, state: &str, is_wanted: impl Fn(&Run) -> bool) -> Option<u64> {
        let found = self.runs.iter().rposition(|run| run.state == state && is_wanted(run));
        found.map(|at| at as u64 + 1)
    }

    fn check_writable(&self) -> Result<(), LedgerError> {
        if self.trap == Some(Trap::ReadOnly) { Err(storage("written")) } else { Ok(()) }
    }

    /// Refuses a batch that breaks a rule of the facts, or that a trap refuses.
    fn check(&self, run: &OpenRun, batch: &Batch) -> Result<(), LedgerError> {
        self.check_writable()?;
        let mut intents: BTreeSet<u64> = self.intents.keys().copied().collect();
        let mut settled: BTreeSet<u64> = self.settlements.keys().copied().collect();
        let is_taken = match self.trap {
            Some(Trap::Full) => false,
            Some(Trap::RefusesAfter(most)) => self.batches < most,
            Some(Trap::WriterDiesAfter(most)) if self.batches >= most => {
                return Err(LedgerError::WriterGone);
            }
            _ => true,
        };
        let is_new = is_taken
            && batch.intents.iter().all(|intent| {
                assert_eq!(
                    intent.attempt.start(),
                    run.start,
                    "an attempt bears its start's number"
                );
                intents.insert(intent.attempt.0)
            })
            && batch.settlements.iter().all(|fact| settled.insert(fact.attempt.0));
        if is_new { Ok(()) } else { Err(storage("written")) }
    }

    fn record(&mut self, run: &OpenRun, mut batch: Batch) -> Result<Recorded, Box<Unrecorded>> {
        batch.settlements.iter_mut().for_each(|fact| fact.texts.cut_long());
        if let Err(error) = self.check(run, &batch) {
            let is_gone = matches!(error, LedgerError::WriterGone);
            let batch = if is_gone { Batch::default() } else { batch };
            return Err(Box::new(Unrecorded { error, batch }));
        }
        self.batches += 1;
        for intent in batch.intents {
            self.intents.insert(intent.attempt.0, (run.id.0, intent));
        }
        for fact in batch.settlements {
            self.settlements.insert(fact.attempt.0, fact);
        }
        self.voids.extend(batch.voids.iter().map(|attempt| attempt.0));
        let pauses = batch.pauses.iter().map(|pause| ((run.start.0, pause.number), *pause));
        self.pauses.extend(pauses);
        Ok(Recorded::default())
    }

    fn settle_dead_starts(&mut self, now: WallMs) {
        let dead: BTreeSet<u32> =
            (1..).zip(&self.starts).filter(|(_, start)| !start.is_over).map(|(id, _)| id).collect();
        for attempt in self.intents.keys().map(|attempt| AttemptId(*attempt)) {
            if dead.contains(&attempt.start().0) {
                let (charge, texts) = (Charge::Unknown, Texts::default());
                let (class, http, took_ms, at) = (KILLED, None, None, now);
                let killed = Settlement { attempt, class, charge, http, took_ms, texts, at };
                self.settlements.entry(attempt.0).or_insert(killed);
            }
        }
        self.starts.iter_mut().for_each(|start| start.is_over = true);
    }

    fn billing_day(&self, attempt: u64, utc_offset_ms: i64) -> i64 {
        let at = self.at(attempt).0;
        let there = self.settlements[&attempt].texts.get(Text::HandleTime);
        let there = there.and_then(|time| time.get(..10)?.parse::<jiff::civil::Date>().ok());
        let epoch = jiff::civil::date(1970, 1, 1);
        let there = there.map(|there| i64::from((there - epoch).get_days()));
        let is_near = |there: &i64| (there - at / DAY_MS).abs() <= 1;
        there.filter(is_near).unwrap_or((at + utc_offset_ms) / DAY_MS)
    }

    fn purge(&mut self, before: WallMs, utc_offset_ms: i64, kept_runs: &BTreeSet<u64>) -> Purged {
        let (to_remove, old) = self.removable(before, kept_runs);
        for attempt in &to_remove {
            let day = self.billing_day(*attempt, utc_offset_ms);
            self.purged.push((day, self.class(*attempt)));
            self.intents.remove(attempt);
            self.settlements.remove(attempt);
            self.voids.remove(attempt);
        }
        let attempts = to_remove.len() as u64;
        Purged { attempts, kept: old - attempts, wiped: true, shrunk: None }
    }

    /// Returns the attempts that a purge removes, and the number of all attempts of that age.
    fn removable(&self, before: WallMs, kept_runs: &BTreeSet<u64>) -> (Vec<u64>, u64) {
        let old: Vec<u64> =
            self.settlements.values().filter(|f| f.at < before).map(|f| f.attempt.0).collect();
        let is_doomed = |attempt: &u64| {
            let run = self.intents[attempt].0;
            self.class(*attempt).end() != Some(End::InDoubt) && !kept_runs.contains(&run)
        };
        (old.iter().copied().filter(is_doomed).collect(), old.len() as u64)
    }

    /// Returns the open runs, and all runs that they took over.
    fn kept_runs(&self) -> BTreeSet<u64> {
        let open = (1..).zip(&self.runs).filter(|(_, run)| run.state == "open");
        open.flat_map(|(id, _)| self.chain(Some(id))).collect()
    }
}

impl Store {
    /// Visits the facts of other runs, up to an attempt.
    fn visit_earlier(
        &self,
        run: &RunRef,
        until: u64,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) {
        let (own, older) = match run {
            RunRef::Open(id) | RunRef::Finished { run: id, .. } => {
                (Some(id.0), self.run(id.0).superseded)
            }
            RunRef::New { takes_over } => (None, takes_over.map(|older| older.run.0)),
        };
        let taken_over = self.chain(older);
        for (attempt, (run, intent)) in self.intents.range(..until) {
            let end = self.class(*attempt).end().filter(|_| !self.voids.contains(attempt));
            if let (Some(at), Some(end)) = (keys.find(&intent.pair), end)
                && Some(*run) != own
            {
                let taken_over = taken_over.contains(run);
                let (attempt, when) = (AttemptId(*attempt), self.at(*attempt));
                visit(at, EarlierFact { attempt, end, at: when, taken_over }.into());
            }
        }
    }
}

impl Facts for MemoryLedger {
    fn find_run(&mut self, opening: &StartRequest) -> Result<FoundRun, LedgerError> {
        let store = self.store.borrow();
        let is_same = |run: &Run| run.opening.identity == opening.identity;
        let open = store.latest_run("open", is_same);
        let finished = || {
            let counts = opening.role.counts_finished_since().is_some();
            store.latest_run("finished", is_same).filter(|_| counts)
        };
        if let Some(id) = open.or_else(finished) {
            let first = &store.run(id).opening;
            let earlier_starts = store.starts.iter().filter(|start| start.run == id).count() as u64;
            let run = match &store.run(id).ended {
                Some(ending) => RunRef::finished(RunId(id), Some(ending.exit.number())),
                None => RunRef::Open(RunId(id)),
            };
            return Ok(FoundRun { run, earlier_starts, ..FoundRun::new_run(first, None) });
        }
        let older = store.latest_run("open", |run| run.opening.path == opening.path);
        let takes_over = older.map(|id| SupersededRun {
            run: RunId(id),
            file_changed: store.run(id).opening.identity.fingerprint
                != opening.identity.fingerprint,
            tally: store.tally(id),
        });
        Ok(FoundRun::new_run(opening, takes_over))
    }

    fn visit_earlier(
        &mut self,
        run: &RunRef,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) -> Result<(), LedgerError> {
        self.store.borrow().visit_earlier(run, u64::MAX, keys, visit);
        Ok(())
    }

    fn visit_earlier_then(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) -> Result<(), LedgerError> {
        let store = self.store.borrow();
        let last = (1..).zip(&store.starts).filter(|(_, start)| start.run == run.0).last();
        let until = last.map_or(0, |(id, _)| AttemptId::of(StartId(id), 0).0);
        store.visit_earlier(&RunRef::Open(run), until, keys, visit);
        Ok(())
    }

    fn find_record(&mut self, wanted: &RunQuery<'_>) -> Result<Option<RunRecord>, LedgerError> {
        Ok(self.store.borrow().run_record(wanted))
    }

    fn visit_possible(&mut self, visit: &mut dyn FnMut(PossibleCharge)) -> Result<(), LedgerError> {
        self.store.borrow().possible().into_iter().for_each(visit);
        Ok(())
    }

    fn visit_own(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(Option<PairIndex>, OwnAttempt),
    ) -> Result<(), LedgerError> {
        let store = self.store.borrow();
        for (attempt, (_, intent)) in store.intents.iter().filter(|(_, (of, _))| *of == run.0) {
            let own = OwnAttempt {
                attempt: AttemptId(*attempt),
                class: store.class(*attempt),
                at: store.at(*attempt),
                voided: store.voids.contains(attempt),
            };
            visit(keys.find(&intent.pair), own);
        }
        Ok(())
    }

    fn details(&mut self, attempts: &[AttemptId]) -> Result<Vec<AttemptDetail>, LedgerError> {
        let store = self.store.borrow();
        if store.trap == Some(Trap::Unreadable) {
            return Err(storage("read"));
        }
        let wanted: BTreeSet<u64> = attempts.iter().map(|attempt| attempt.0).collect();
        let found = wanted.iter().filter_map(|attempt| store.settlements.get(attempt));
        let detail = |fact: &Settlement| AttemptDetail {
            attempt: fact.attempt,
            class: fact.class,
            texts: fact.texts.clone(),
        };
        Ok(found.map(detail).collect())
    }

    fn history(&mut self) -> Result<History, LedgerError> {
        let store = self.store.borrow();
        let latest = store.settlements.values().rev().take(HISTORY as usize);
        let mut history = History::default();
        for fact in latest.filter(|fact| matches!(fact.class, Class::Answered(_))) {
            history.answers += 1;
            history.charged += u64::from(fact.charge == Charge::Charged);
        }
        Ok(history)
    }

    fn unsettled(&mut self) -> Result<u64, LedgerError> {
        let store = self.store.borrow();
        Ok((store.intents.len() - store.settlements.len()) as u64)
    }

    fn remembered_rate(
        &mut self,
        account: Option<&[u8; 16]>,
    ) -> Result<Option<Remembered>, LedgerError> {
        let store = self.store.borrow();
        let stored =
            store.rates.iter().filter(|(of, _)| account.is_none_or(|account| *of == account));
        Ok(stored.map(|(_, remembered)| *remembered).max_by_key(|remembered| remembered.at))
    }

    fn purgeable(&mut self, before: WallMs) -> Result<Purgeable, LedgerError> {
        let store = self.store.borrow();
        let (removable, old) = store.removable(before, &store.kept_runs());
        let is_charged = |attempt: &&u64| charge(store.class(**attempt)) == Charge::Charged;
        let (attempts, charged) =
            (removable.len() as u64, removable.iter().filter(is_charged).count() as u64);
        Ok(Purgeable { attempts, charged, kept: old - attempts })
    }
}

impl Ledger for MemoryLedger {
    type Journal = MemoryJournal;

    fn hasher(&self) -> PairHasher {
        PairHasher::new([7; 32])
    }

    fn open_run(&mut self, opening: &StartRequest) -> Result<OpenRun, LedgerError> {
        let found = self.find_run(opening)?;
        let mut store = self.store.borrow_mut();
        store.check_writable()?;
        let id = match found.run {
            RunRef::Open(id) | RunRef::Finished { run: id, .. } => id.0,
            RunRef::New { takes_over } => {
                let superseded = takes_over.map(|older| older.run.0);
                if let Some(older) = superseded {
                    store.runs[older as usize - 1].state = "superseded";
                }
                let opening = opening.clone();
                store.runs.push(Run { opening, superseded, state: "open", ended: None });
                store.runs.len() as u64
            }
        };
        let (at, notes) = (opening.at, opening.notes.clone());
        store.starts.push(Start { run: id, at, notes, ended: None, is_over: false });
        let start = StartId(store.starts.len() as u32);
        Ok(OpenRun { id: RunId(id), start, began_at: opening.at, found })
    }

    fn into_journal(self, run: &OpenRun) -> Result<MemoryJournal, LedgerError> {
        if self.store.borrow().trap == Some(Trap::NoWriter) {
            return Err(storage("written"));
        }
        Ok(MemoryJournal { ledger: self, run: run.clone() })
    }

    fn end_start(&mut self, run: &OpenRun, ending: &StartEnd) -> Result<(), LedgerError> {
        let mut store = self.store.borrow_mut();
        store.check_writable()?;
        let start = &mut store.starts[run.start.0 as usize - 1];
        (start.is_over, start.ended) = (true, Some(ending.clone()));
        Ok(())
    }

    fn end_run(&mut self, run: &OpenRun, ending: &StartEnd) -> Result<(), LedgerError> {
        self.end_start(run, ending)?;
        let mut store = self.store.borrow_mut();
        let run = &mut store.runs[run.id.0 as usize - 1];
        (run.state, run.ended) = ("finished", Some(ending.clone()));
        Ok(())
    }

    fn remembered_body(&mut self) -> Result<Option<BodyKind>, LedgerError> {
        Ok(self.store.borrow().body)
    }

    fn remember_body(&mut self, kind: BodyKind) -> Result<(), LedgerError> {
        self.store.borrow().check_writable()?;
        self.store.borrow_mut().body = Some(kind);
        Ok(())
    }

    fn remember_rate(
        &mut self,
        account: &[u8; 16],
        remembered: Remembered,
    ) -> Result<(), LedgerError> {
        self.store.borrow().check_writable()?;
        self.store.borrow_mut().rates.insert(*account, remembered);
        Ok(())
    }

    fn purge(&mut self, before: WallMs, utc_offset_ms: i64) -> Result<Purged, LedgerError> {
        let mut store = self.store.borrow_mut();
        store.check_writable()?;
        let kept_runs = store.kept_runs();
        Ok(store.purge(before, utc_offset_ms, &kept_runs))
    }
}

impl Journal for MemoryJournal {
    type Ledger = MemoryLedger;

    fn record(
        &mut self,
        batch: Batch,
    ) -> impl Future<Output = Result<Recorded, Box<Unrecorded>>> + Unpin + 'static {
        let told: Ready<_> = ready(self.ledger.store.borrow_mut().record(&self.run, batch));
        told
    }

    fn finish(self) -> Result<MemoryLedger, LedgerError> {
        let is_gone = {
            let store = self.ledger.store.borrow();
            matches!(store.trap, Some(Trap::WriterDiesAfter(most)) if store.batches >= most)
        };
        if is_gone { Err(LedgerError::WriterGone) } else { Ok(self.ledger) }
    }
}
