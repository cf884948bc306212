//! A shared ledger in memory: each method is one of the statements of the ledger on a server, and
//! takes effect in one step. The model test holds it against the real server.
//!
//! Never: is part of the program.

mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ledger::recording::{KnownStart, Told, Writing};
use crate::ledger::{
    Beat, Delivered, EarlierFact, Member, Others, OwnAttempt, RunId, Standing, StartEnd,
};
use crate::model::attempt::{
    AttemptId, Batch, Intent, PairKey, PairVersion, Settlement, StartId, WallMs,
};
use crate::model::class::{Class, Lost};
use crate::model::stop::StopReason;
use crate::rules::pair_table::{PairIndex, SortedKeys};

const KILLED: Class = Class::InDoubt(Lost::Killed);

/// A guard of the statements that is taken out, to prove that the tests notice its loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// A claim is granted whatever version it names.
    NoVersion,
    /// A claim is granted though the pair is open.
    OpenToo,
    /// A late answer does not raise the version of its pair.
    NoBump,
    /// A batch of a worker that was declared dead is taken like any other.
    NoFence,
    /// A worker is declared dead though it has beaten since it was observed.
    BeatenSince,
    /// A late answer to an attempt that was declared lost is dropped.
    LateAnswersDropped,
    /// Each worker gets the whole budget as its room.
    WholeRoomEach,
    /// A wish for room that comes late is fulfilled.
    LateWishes,
    /// A worker that was declared dead keeps the room that was taken back.
    KeepsItsRoom,
    /// Each worker gets the slots that others have too.
    SlotsTwice,
    /// A pause does not hold the others back.
    NoPause,
}

/// One run.
#[derive(Debug, Clone)]
struct Run {
    file: u8,
    /// True while the run is open.
    is_open: bool,
    end: Option<(StartId, StartEnd)>,
    /// Room of all its starts.
    granted: u64,
    /// Reason to stop, for all starts up to a number.
    stop: Option<(StopReason, StartId)>,
}

/// What all workers keep to. They use one account.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    next_slot: Duration,
    paused_until: Duration,
    is_down: bool,
    stop: Option<(StopReason, StartId)>,
}

/// One start, and the beats of its worker.
#[derive(Debug, Clone)]
struct Start {
    run: RunId,
    generation: u32,
    batch: u64,
    low: AttemptId,
    has_ended: bool,
    /// True after the worker was declared dead, until it is seen again.
    is_dead: bool,
    number: u64,
    beat: Beat,
    room: u64,
    unused: u64,
    /// Number of the wish for room that was fulfilled last.
    wish: u64,
}

/// The row of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pair {
    attempt: AttemptId,
    version: u16,
    open: bool,
    ended: Option<AttemptId>,
    class: Option<Class>,
    at: i64,
    prior: Option<AttemptId>,
}

/// The ledger. All times are in milliseconds of its own clock, apart from those of facts.
#[derive(Debug, Default)]
pub(crate) struct SharedStore {
    runs: Vec<Run>,
    starts: Vec<Start>,
    pairs: BTreeMap<PairKey, Pair>,
    intents: BTreeMap<AttemptId, Intent>,
    settlements: BTreeMap<AttemptId, Settlement>,
    orphans: BTreeMap<AttemptId, WallMs>,
    voids: BTreeSet<AttemptId>,
    pace: Pace,
    pub(crate) gap: Option<Gap>,
}

impl SharedStore {
    fn start(&self, start: StartId) -> &Start {
        &self.starts[start.0 as usize - 1]
    }

    fn start_mut(&mut self, start: StartId) -> &mut Start {
        &mut self.starts[start.0 as usize - 1]
    }

    fn has(&self, gap: Gap) -> bool {
        self.gap == Some(gap)
    }

    /// Begins a start of the open run of a file, or of a new run. With `once`, a finished run gets
    /// no further start: returns `None`.
    pub(crate) fn begin(&mut self, file: u8, once: bool) -> Option<(RunId, StartId)> {
        let known = self.runs.iter().rposition(|run| run.file == file && (run.is_open || once));
        let at = match known {
            Some(at) if !self.runs[at].is_open => return None,
            Some(at) => at,
            None => {
                self.runs.push(Run { file, is_open: true, end: None, granted: 0, stop: None });
                self.runs.len() - 1
            }
        };
        let run = RunId(at as u64 + 1);
        let lives = |start: &Start| !start.has_ended;
        if !self.starts.iter().any(|start| lives(start) && start.run == run) {
            self.runs[at].granted = self.used(|start| self.start(start).run == run);
        }
        if !self.starts.iter().any(|start| lives(start) && !start.is_dead) {
            self.pace.is_down = false;
        }
        self.starts.push(Start {
            run,
            generation: 0,
            batch: 0,
            low: AttemptId(0),
            has_ended: false,
            is_dead: false,
            number: 0,
            beat: Beat::default(),
            room: 0,
            unused: 0,
            wish: 0,
        });
        Some((run, StartId(self.starts.len() as u32)))
    }

    /// Records the end of a start, and of its run if `ends_run` is true.
    pub(crate) fn end(&mut self, start: StartId, ends_run: bool, ending: &StartEnd) {
        self.start_mut(start).has_ended = true;
        self.take_back(start);
        let run = self.start(start).run;
        let run = &mut self.runs[run.0 as usize - 1];
        if ends_run && run.is_open {
            (run.is_open, run.end) = (false, Some((start, ending.clone())));
        }
    }

    /// Records a batch. Returns `None` if the batch breaks a rule of the tables, so that nothing is
    /// recorded.
    pub(crate) fn record(&mut self, writing: &Writing, batch: &Batch) -> Option<Told> {
        let is_new = |fact: &Settlement| !self.settlements.contains_key(&fact.attempt);
        if !writing.is_unsure && !batch.settlements.iter().all(is_new) {
            return None;
        }
        let (start, number) = (writing.start, writing.number());
        let ignores_fence = self.has(Gap::NoFence);
        let row = self.start_mut(start);
        let is_mine = row.generation == writing.generation && !row.has_ended || ignores_fence;
        let is_fenced = !is_mine || !(row.batch + 1 == number || row.batch == number);
        if !is_fenced {
            (row.batch, row.low) = (number, writing.lowest_open(batch));
        }
        batch.settlements.iter().for_each(|fact| self.settle(fact));
        let may_claim = {
            let row = self.start(start);
            is_mine && row.batch == number
        };
        let mut granted = Vec::new();
        for intent in batch.intents.iter().filter(|_| may_claim) {
            granted.extend(self.claim(intent).then_some(intent.attempt));
        }
        for attempt in &batch.voids {
            self.void(*attempt);
        }
        if writing.is_unsure {
            let was_granted = |intent: &&Intent| {
                let pair = self.pairs.get(&intent.pair);
                pair.is_some_and(|pair| pair.open && pair.attempt == intent.attempt)
            };
            granted.extend(batch.intents.iter().filter(was_granted).map(|intent| intent.attempt));
        }
        Some(if is_fenced { Told::Fenced } else { Told::Durable(granted) })
    }

    fn claim(&mut self, intent: &Intent) -> bool {
        let version = match self.pairs.get(&intent.pair) {
            Some(pair) => {
                let is_known = pair.version == intent.version.0 || self.has(Gap::NoVersion);
                let is_new = intent.version == PairVersion::NONE && !self.has(Gap::NoVersion);
                let is_free = !pair.open || self.has(Gap::OpenToo);
                if is_new || !is_known || !is_free {
                    return false;
                }
                pair.version + 1
            }
            None if intent.version == PairVersion::NONE => 1,
            None => return false,
        };
        let unknown = Pair {
            attempt: intent.attempt,
            version,
            open: true,
            ended: None,
            class: None,
            at: 0,
            prior: None,
        };
        let pair = self.pairs.entry(intent.pair).or_insert(unknown);
        (pair.attempt, pair.version, pair.open) = (intent.attempt, version, true);
        let stored = Intent { version: PairVersion(version), ..intent.clone() };
        self.intents.insert(intent.attempt, stored);
        true
    }

    fn settle(&mut self, fact: &Settlement) {
        let is_late = self.orphans.contains_key(&fact.attempt);
        if self.settlements.contains_key(&fact.attempt)
            || (is_late && self.has(Gap::LateAnswersDropped))
        {
            return;
        }
        self.settlements.insert(fact.attempt, fact.clone());
        let Some(intent) = self.intents.get(&fact.attempt) else { return };
        let Some(before) = self.pairs.get(&intent.pair).copied() else { return };
        let (is_latest, gave_end) =
            (before.attempt == fact.attempt, before.ended == Some(fact.attempt));
        if !is_latest && !gave_end {
            return;
        }
        let mut pair = before;
        let bumps = (is_latest && before.open) || !self.has(Gap::NoBump);
        pair.version += u16::from(bumps);
        pair.open = before.open && !is_latest;
        if fact.class.end().is_some() {
            pair.prior = if gave_end { before.prior } else { before.ended };
            (pair.ended, pair.class, pair.at) = (Some(fact.attempt), Some(fact.class), fact.at.0);
        } else if gave_end {
            (pair.ended, pair.prior) = (before.prior, None);
            (pair.class, pair.at) = self.end_of(before.prior);
        }
        self.pairs.insert(intent.pair, pair);
    }

    /// Returns the class and the time of an attempt that is settled or lost.
    fn end_of(&self, attempt: Option<AttemptId>) -> (Option<Class>, i64) {
        let settled = attempt.and_then(|attempt| self.settlements.get(&attempt));
        let lost = attempt.and_then(|attempt| self.orphans.get(&attempt));
        match (settled, lost) {
            (Some(fact), _) => (Some(fact.class), fact.at.0),
            (None, Some(at)) => (Some(KILLED), at.0),
            (None, None) => (None, 0),
        }
    }

    fn void(&mut self, attempt: AttemptId) {
        let Some(intent) = self.intents.get(&attempt) else { return };
        if !self.voids.insert(attempt) {
            return;
        }
        let Some(before) = self.pairs.get(&intent.pair).copied() else { return };
        if before.ended == Some(attempt) {
            let (class, at) = self.end_of(before.prior);
            let pair = Pair { ended: before.prior, prior: None, class, at, ..before };
            self.pairs.insert(intent.pair, pair);
        }
    }

    /// Returns how the ledger knows a start.
    pub(crate) fn known(&self, start: StartId) -> KnownStart {
        let Start { batch, generation, has_ended, .. } = *self.start(start);
        KnownStart { batch, generation, has_ended }
    }

    /// Returns those of these attempts whose intents are recorded.
    pub(crate) fn recorded_among(&self, attempts: &[AttemptId]) -> Vec<AttemptId> {
        attempts.iter().copied().filter(|attempt| self.intents.contains_key(attempt)).collect()
    }

    /// Checks whether a worker that was observed with this number of beats may be declared dead.
    pub(crate) fn may_be_declared_dead(&self, start: StartId, number: u64) -> bool {
        let row = self.start(start);
        let is_silent = row.number == number || self.has(Gap::BeatenSince);
        !row.has_ended && !row.is_dead && is_silent
    }

    /// Returns the open attempts of a start.
    pub(crate) fn open_attempts(&self, start: StartId) -> Vec<AttemptId> {
        let from = AttemptId::of(start, 0).max(self.start(start).low);
        let all = self.intents.range(from..AttemptId::of(StartId(start.0 + 1), 0));
        let is_open = |attempt: &AttemptId| !self.settlements.contains_key(attempt);
        all.map(|(attempt, _)| *attempt).filter(is_open).collect()
    }

    /// Declares a worker dead: these attempts of it are lost.
    pub(crate) fn declare_dead(&mut self, start: StartId, open: Vec<AttemptId>, wall: WallMs) {
        let row = self.start_mut(start);
        (row.generation, row.is_dead) = (row.generation + 1, true);
        for attempt in open {
            if self.orphans.contains_key(&attempt) {
                continue;
            }
            self.orphans.insert(attempt, wall);
            let pair = self.pairs.get_mut(&self.intents[&attempt].pair);
            if let Some(pair) = pair.filter(|pair| pair.open && pair.attempt == attempt) {
                let prior = pair.ended;
                *pair = Pair {
                    version: pair.version + 1,
                    open: false,
                    prior,
                    ended: Some(attempt),
                    class: Some(KILLED),
                    at: wall.0,
                    ..*pair
                };
            }
        }
        self.take_back(start);
    }

    /// Returns the other workers of a run, of which these are silent.
    pub(crate) fn others(&self, me: StartId, silent: &BTreeSet<StartId>) -> Others {
        let run = self.start(me).run;
        let of_run = || (1..).map(StartId).zip(&self.starts).filter(move |(_, row)| row.run == run);
        let lives = |id: StartId, row: &Start| {
            id != me && !row.has_ended && !row.is_dead && !silent.contains(&id)
        };
        let living = of_run().filter(|(id, row)| lives(*id, row));
        let member = |(start, row): (StartId, &Start)| Member {
            start,
            host: String::new(),
            left: row.beat.left,
            joins: false,
        };
        let delivered = self.runs[run.0 as usize - 1].end.as_ref().map(|(_, ending)| Delivered {
            exit: ending.exit,
            host: String::new(),
            output: ending.output.clone(),
        });
        Others {
            living: living.map(member).collect(),
            declared_dead: of_run().map(|(_, row)| u64::from(row.generation)).sum(),
            delivered,
            has_ended: self.start(me).has_ended,
            stop: self.stop_of(me),
        }
    }

    /// Visits the standings of pairs, as a worker of this run reads them.
    pub(crate) fn visit_earlier(
        &self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) {
        for (key, pair) in &self.pairs {
            let Some(at) = keys.find(key) else { continue };
            let end = pair.class.and_then(Class::end).zip(pair.ended);
            let of_others = end.filter(|(_, attempt)| self.start(attempt.start()).run != run);
            let end = of_others.map(|(end, attempt)| EarlierFact {
                attempt,
                end,
                at: WallMs(pair.at),
                taken_over: false,
            });
            visit(at, Standing { version: PairVersion(pair.version), is_open: pair.open, end });
        }
    }

    /// Visits the attempts of a run, as one of its workers reads them.
    pub(crate) fn visit_own(
        &self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(Option<PairIndex>, OwnAttempt),
    ) {
        for (attempt, intent) in &self.intents {
            let (class, at) = self.end_of(Some(*attempt));
            if let Some(class) = class.filter(|_| self.start(attempt.start()).run == run) {
                let voided = self.voids.contains(attempt);
                let own = OwnAttempt { attempt: *attempt, class, at: WallMs(at), voided };
                visit(keys.find(&intent.pair), own);
            }
        }
    }

    /// Returns an intent with its settlement, and whether it was declared lost.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = (&Intent, Option<&Settlement>, bool)> {
        self.intents.values().map(|intent| {
            let attempt = &intent.attempt;
            (intent, self.settlements.get(attempt), self.orphans.contains_key(attempt))
        })
    }

    /// Returns the time at which an attempt was declared lost.
    pub(crate) fn lost_at(&self, attempt: AttemptId) -> WallMs {
        self.orphans.get(&attempt).copied().unwrap_or(WallMs(0))
    }

    /// Checks whether a refusal no longer counts.
    pub(crate) fn is_voided(&self, attempt: AttemptId) -> bool {
        self.voids.contains(&attempt)
    }

    /// Checks the rows against each other. Returns what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (intent, settled, is_lost) in self.attempts() {
            let pair = &self.pairs[&intent.pair];
            let is_open = settled.is_none() && !is_lost;
            let is_held = pair.open && pair.attempt == intent.attempt;
            if is_open != is_held {
                return Err(format!("{}: open {is_open}, its pair {pair:?}", intent.attempt));
            }
        }
        Ok(())
    }

    /// Returns the version of each pair.
    pub(crate) fn versions(&self) -> Vec<(PairKey, u16)> {
        self.pairs.iter().map(|(key, pair)| (*key, pair.version)).collect()
    }

    /// Returns the pairs row by row, to be compared with those of a server.
    pub(crate) fn rows(&self) -> Vec<String> {
        let number = |attempt: Option<AttemptId>| attempt.map_or(0, |attempt| attempt.0);
        let row = |pair: &Pair| {
            let code = pair.class.map_or(0, |class| class.code());
            format!(
                "{} {} {} {} {code} {} {}",
                pair.attempt.0,
                pair.version,
                if pair.open { 't' } else { 'f' },
                number(pair.ended),
                pair.at,
                number(pair.prior)
            )
        };
        self.pairs.values().map(row).collect()
    }

    /// Returns the number of charges that each open run has used.
    pub(crate) fn used_of_open_runs(&self) -> impl Iterator<Item = u64> {
        let open = (1..).map(RunId).zip(&self.runs).filter(|(_, run)| run.is_open);
        open.map(|(run, _)| self.used_of_run(run))
    }

    /// Returns the time until which all workers pause, and whether the source is down.
    pub(crate) const fn pace(&self) -> (Duration, bool) {
        (self.pace.paused_until, self.pace.is_down)
    }

    /// Returns the run of a start.
    pub(crate) fn run_of(&self, start: StartId) -> RunId {
        self.start(start).run
    }
}
