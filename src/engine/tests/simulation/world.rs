//! The world of one seed: files, customers, vendor, disk and time, and the starts of the program in
//! it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::rc::Rc;
use std::time::Duration;

use super::super::book::{Book, Fact, millis};
use super::super::story::{deadline_after, ms, options, secs};
use super::super::{Halt, Step, broken, must};
use super::Sabotage;
use super::dice::Dice;
use super::ledger::{Fate, SimLedger};
use super::swarm::{Kind, Swarm};
use super::vendor::{Person, Vendor};
use crate::engine::EngineOptions;
use crate::ledger::Ledger;
use crate::ledger::testing::{Backend, Stored, Trap};
use crate::model::attempt::{Batch, PairKey, WallMs};
use crate::model::class::{Class, End};
use crate::rules::body::{BodyKind, BodyTrial};
use crate::rules::testing::subject;

/// Time at which the world begins, in milliseconds since the Unix epoch.
const BEGINNING: i64 = 1_750_000_000_000;

/// Number of rows of a large file: more than the first verdicts that are known at.
const LARGE: u64 = 260;

/// A row of a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Row {
    Person(usize),
    /// A row that the program's own check rejects.
    Bad,
}

/// A way in which a commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The storage refuses the first statement of this commit only.
    Once,
    /// The disk is full: the commit fails somewhere in its middle, or not at all.
    Full,
    /// This commit and all later commits fail.
    ForGood,
    /// The writer's thread ends, before its commit or after it.
    Gone { durable: bool },
}

/// The flags of one start.
#[derive(Debug, Clone)]
pub(super) struct Flags {
    pub(super) options: EngineOptions,
    pub(super) reuse: Duration,
    pub(super) reask_after: Duration,
    pub(super) resend: bool,
    pub(super) retry_refused: bool,
    pub(super) body_auto: bool,
}

/// The world of one seed.
pub(super) struct World<B: Backend> {
    pub(super) dice: Dice,
    pub(super) swarm: Swarm,
    pub(super) backend: B,
    /// Folder of the customer files.
    pub(super) folder: tempfile::TempDir,
    ledger: Rc<RefCell<Option<B::Ledger>>>,
    fate: Rc<RefCell<Fate>>,
    pub(super) vendor: Vendor,
    pub(super) people: Vec<Person>,
    pub(super) by_pair: BTreeMap<PairKey, usize>,
    pub(super) files: Vec<Vec<Row>>,
    pub(super) book: Book,
    /// The batch that was under way when the process died, and its run. The batch is durable as a
    /// whole, or not at all.
    pub(super) maybe: Option<(u64, Batch)>,
    /// Numbers of the runs that are finished.
    pub(super) finished: BTreeSet<u64>,
    pub(super) clock: Duration,
    /// Milliseconds by which the system's clock is off.
    pub(super) skew: i64,
    /// Maximum number of calls that the latest start may have left open.
    pub(super) concurrency: usize,
    pub(super) sabotage: Option<Sabotage>,
    pub(super) tells: bool,
    /// Events that occurred, each with its number, to prove that the faults occurred.
    pub(super) seen: BTreeMap<&'static str, u64>,
}

impl<B: Backend> World<B> {
    pub(super) fn new(seed: u64, sabotage: Option<Sabotage>, tells: bool) -> Self {
        let mut dice = Dice::new(seed);
        let mut swarm = Swarm::of(&mut dice);
        let is_large = dice.one_in(15);
        if is_large {
            // Both kinds have an effect only after many answers.
            let (kind, rate) = dice.pick(&[(Kind::Brake, 500), (Kind::Refusal, 980)]);
            swarm.set(Kind::Brake, 500);
            swarm.set(kind, rate);
        }
        let vendor = Vendor::new(dice.fork(), swarm.clone());
        let mut world = Self {
            swarm,
            vendor,
            backend: B::new(),
            folder: tempfile::tempdir().unwrap(),
            ledger: Rc::default(),
            fate: Rc::new(RefCell::new(Fate::new(dice.fork()))),
            people: Vec::new(),
            by_pair: BTreeMap::new(),
            files: Vec::new(),
            book: Book::default(),
            maybe: None,
            finished: BTreeSet::new(),
            clock: Duration::ZERO,
            skew: 0,
            concurrency: 0,
            sabotage,
            tells,
            seen: BTreeMap::new(),
            dice,
        };
        world.settle_down(is_large);
        world
    }

    /// Makes customers, and files of them.
    fn settle_down(&mut self, is_large: bool) {
        let most = self.dice.pick(&[8, 20, 40]);
        let rows = if is_large { LARGE } else { self.dice.between(1, most) };
        let people = rows + self.dice.below(10);
        self.people = (1..=people).map(|n| person(n, &mut self.dice)).collect();
        for _ in 0..self.dice.between(1, 2) {
            let file = match is_large {
                true => (0..LARGE as usize).map(Row::Person).collect(),
                false => (0..rows).map(|_| self.any_row()).collect(),
            };
            self.files.push(file);
        }
        (0..self.files.len()).for_each(|at| self.write_file(at));
    }

    fn any_row(&mut self) -> Row {
        match self.dice.one_in(15) {
            true => Row::Bad,
            false => Row::Person(self.dice.below(self.people.len() as u64) as usize),
        }
    }

    pub(super) fn path(&self, at: usize) -> std::path::PathBuf {
        self.folder.path().join(format!("{at}.csv"))
    }

    fn write_file(&self, at: usize) {
        let mut text = "no,nik,nama\n".to_owned();
        for (n, row) in self.files[at].iter().enumerate() {
            text += &match row {
                Row::Bad => format!("{n},12345,SIAPA\n"),
                Row::Person(who) => {
                    format!("{n},{},{}\n", self.people[*who].nik, self.people[*who].name)
                }
            };
        }
        fs::write(self.path(at), text).unwrap();
    }

    /// Changes the file: replaces, inserts or appends a row.
    pub(super) fn change_file(&mut self, at: usize) {
        let row = self.any_row();
        let place = self.dice.below(self.files[at].len() as u64) as usize;
        match self.dice.below(3) {
            0 => self.files[at][place] = row,
            1 => self.files[at].insert(place, row),
            _ => self.files[at].push(row),
        }
        self.write_file(at);
    }

    /// Plays the whole life: starts with faults, and then one start without faults for each file.
    pub(super) fn play(&mut self) -> Result<(), String> {
        let mut at = 0;
        for _ in 0..self.dice.between(2, 9) {
            self.fate.borrow_mut().fuse = None;
            if self.dice.one_in(3) {
                at = self.dice.below(self.files.len() as u64) as usize;
            }
            self.between_starts(at)?;
            let flags = self.any_flags();
            let Self { swarm, dice, .. } = self;
            self.fate.borrow_mut().fuse = swarm.is_on(Kind::Kill, dice).then(|| {
                let most = dice.pick(&[10, 60, 250, 1000]);
                dice.below(most)
            });
            let ended = self.start(at, &flags);
            // A dead process has no result, whatever its stages returned.
            let is_dead = self.fate.borrow().is_dead();
            match if is_dead { Err(Halt::Killed) } else { ended } {
                Err(Halt::Killed) => self.killed(),
                Err(Halt::Broken(what)) => return Err(what),
                Ok(stop) => self.saw(stop.map_or("finished", |stop| stop.name())),
            }
        }
        self.fate.borrow_mut().fuse = None;
        self.vendor.calm = true;
        self.swarm = Swarm::none();
        let once_more = self.dice.one_in(4).then_some(0);
        for at in (0..self.files.len()).chain(once_more) {
            self.clock += secs(60);
            let stop = self.start(at, &self.calm_flags()).map_err(|halt| format!("{halt:?}"))?;
            if let Some(stop) = stop {
                return Err(format!("a start without faults stopped: {}", stop.name()));
            }
        }
        self.check_privacy()
    }

    /// Lets time pass, and does what else happens while nothing runs.
    fn between_starts(&mut self, at: usize) -> Result<(), String> {
        self.clock += self.dice.pick(&[ms(0), ms(7), secs(60), secs(3 * 3600), secs(50 * 3600)]);
        let Self { swarm, dice, .. } = self;
        if swarm.is_on(Kind::Reuse, dice) {
            self.clock += secs(dice.below(40) * 86_400);
        }
        if swarm.is_on(Kind::Clock, dice) {
            self.skew -= 3_600_000;
        }
        if swarm.is_on(Kind::Changed, dice) {
            self.tell(|| format!("file {at} changes"));
            self.change_file(at);
        }
        let Self { swarm, dice, .. } = self;
        if swarm.is_on(Kind::Purge, dice) {
            self.purge().map_err(|halt| format!("{halt:?}"))?;
        }
        Ok(())
    }

    /// Removes old answers from the ledger, and from the book what the ledger promises to remove.
    fn purge(&mut self) -> Step {
        let before =
            self.wall_ms() - millis(self.dice.pick(&[secs(0), secs(86_400), secs(30 * 86_400)]));
        self.open()?;
        let open = self.stored().open_runs;
        let behind: BTreeSet<u64> =
            open.iter().flat_map(|run| self.book.predecessors(*run)).collect();
        let mut kept_behind = false;
        self.book.facts.retain(|_, fact| {
            let Some((class, at)) = fact.settled else { return true };
            let in_doubt = class.end() == Some(End::InDoubt);
            let is_kept = at >= before || in_doubt || open.contains(&fact.run);
            kept_behind |= !is_kept && behind.contains(&fact.run);
            is_kept || behind.contains(&fact.run)
        });
        self.tell(|| format!("purge before {before}"));
        self.saw(if kept_behind { "purged behind an open run" } else { "purged" });
        self.handle().purge(WallMs(before), 0).map_err(broken)?;
        self.close();
        Ok(())
    }

    /// Returns a handle to the open ledger, for the stages.
    pub(super) fn handle(&self) -> SimLedger<B> {
        let (ledger, fate) = (Rc::clone(&self.ledger), Rc::clone(&self.fate));
        SimLedger { ledger, fate, sabotage: self.sabotage }
    }

    fn with_ledger<T>(&self, act: impl FnOnce(&B::Ledger) -> T) -> T {
        act(self.ledger.borrow().as_ref().expect("a ledger is open"))
    }

    fn stored(&self) -> Stored {
        self.with_ledger(B::stored)
    }

    pub(super) fn set_trap(&self, trap: Option<Trap>) {
        self.with_ledger(|ledger| B::set_trap(ledger, trap));
    }

    pub(super) fn close(&self) {
        drop(self.ledger.take());
    }

    /// Counts one more step. Fails if the process is killed at this step.
    pub(super) fn step(&self) -> Step {
        self.fate.borrow_mut().step()
    }

    fn calm_flags(&self) -> Flags {
        Flags {
            options: EngineOptions { body: BodyTrial::Proved(self.vendor.reads()), ..options() },
            reuse: secs(30 * 86_400),
            reask_after: secs(86_400),
            resend: false,
            retry_refused: false,
            body_auto: false,
        }
    }

    fn any_flags(&mut self) -> Flags {
        let calm = self.calm_flags();
        let Self { swarm, dice, .. } = self;
        let mut on = |kind| swarm.is_on(kind, dice);
        let (reuse, resend, retry_refused) =
            (on(Kind::Reuse), on(Kind::Resend), on(Kind::RetryRefused));
        let (deadline, budget, calls) = (on(Kind::Deadline), on(Kind::Budget), on(Kind::Calls));
        let brake = on(Kind::Brake);
        let mut options = EngineOptions { seed: dice.next(), ..calm.options };
        options.concurrency = dice.pick(&[1, 2, 3, 4, 8, 64]);
        options.throttle.rate.cap =
            dice.pick(&[None, Some(0.7), Some(10.0), Some(50.0), Some(1000.0)]);
        options.retry.max_attempts = dice.pick(&[1, 2, 6, 6, 20]);
        options.deadline = deadline.then(|| deadline_after(ms(dice.below(30_000))));
        options.max_charges = budget.then(|| dice.below(40));
        options.max_calls = calls.then(|| dice.below(20));
        options.most_mismatches = brake.then(|| dice.pick(&[0, 10, 10, 50]));
        let body_auto = dice.one_in(2);
        if !body_auto && dice.one_in(20) {
            // The user named a body kind, which may be the wrong one.
            options.body = BodyTrial::Proved(BodyKind::Form);
        }
        let reuses = [secs(0), secs(86_400), secs(90 * 86_400)];
        Flags {
            options,
            reuse: if reuse { dice.pick(&reuses) } else { calm.reuse },
            reask_after: if reuse { dice.pick(&reuses) } else { calm.reask_after },
            resend,
            retry_refused,
            body_auto,
        }
    }

    pub(super) const fn wall_ms(&self) -> i64 {
        BEGINNING + self.skew + self.clock.as_millis() as i64
    }

    fn killed(&mut self) {
        self.tell(|| "killed".to_owned());
        self.saw("killed");
        let cut = self.fate.borrow_mut().bury();
        let ledger = self.ledger.take();
        self.backend.kill(ledger, cut);
    }

    /// Opens the ledger, and checks that it contains what is known to be durable, and nothing else.
    pub(super) fn open(&mut self) -> Step {
        let now = WallMs(self.wall_ms());
        self.fate.borrow_mut().folds = false;
        let ledger = self.backend.open(now).map_err(broken)?;
        if self.sabotage == Some(Sabotage::ForgetDangling) {
            B::forget_killed(&ledger);
        }
        // The ledger's log now contains only what opening has written, so all of it may be cut off.
        let written = B::written(&ledger);
        *self.ledger.borrow_mut() = Some(ledger);
        self.fate.borrow_mut().wrote(0, written)?;
        let Self { swarm, dice, .. } = self;
        let folds = swarm.is_on(Kind::Checkpoint, dice);
        self.fate.borrow_mut().folds = folds;
        if folds {
            self.with_ledger(B::fold_often);
        }
        let stored = self.stored();
        let found = Book::of(&stored);
        self.resolve(&found)?;
        if self.sabotage == Some(Sabotage::ForgetDangling) {
            // The consequences have to show in the vendor's log, so the book follows the ledger.
            self.book = found.clone();
        }
        let (open, most) = (self.book.open(), self.concurrency);
        must(open <= most, || format!("{open} in doubt after a kill of a start of {most}"))?;
        for (attempt, fact) in &mut self.book.facts {
            if fact.settled.is_none() {
                let killed = found.facts.get(attempt).and_then(|found| found.settled);
                fact.settled = killed.filter(|(class, _)| {
                    *class == Class::InDoubt(crate::model::class::Lost::Killed)
                });
            }
        }
        let differs = |(attempt, fact): &(&u64, &Fact)| found.facts.get(*attempt) != Some(*fact);
        if let Some((attempt, fact)) = self.book.facts.iter().find(differs) {
            let theirs = found.facts.get(attempt);
            return Err(broken(format!(
                "attempt {attempt} is {fact:?}; the ledger has {theirs:?}"
            )));
        }
        must(found.facts.len() == self.book.facts.len(), || "the ledger has more".to_owned())?;
        self.book.took_over = found.took_over;
        let is_apart = self.finished.is_disjoint(&stored.open_runs);
        must(is_apart, || "a finished run is open again".to_owned())
    }

    /// Finds out whether the batch that was under way when the process died became durable.
    fn resolve(&mut self, found: &Book) -> Step {
        let Some((run, batch)) = self.maybe.take() else { return Ok(()) };
        let intent = batch.intents.iter().any(|intent| found.facts.contains_key(&intent.attempt.0));
        let settlement = batch.settlements.iter().any(|settlement| {
            let fact = found.facts.get(&settlement.attempt.0).and_then(|fact| fact.settled);
            fact == Some((settlement.class, settlement.at.0))
        });
        if intent || settlement {
            self.saw("durable when killed");
            return self.book.record(run, &batch, &self.vendor.log);
        }
        self.saw("not durable when killed");
        Ok(())
    }

    /// Checks that the ledger's files contain no NIK and no name of the first customers.
    fn check_privacy(&self) -> Result<(), String> {
        let bytes = self.backend.bytes();
        let text = String::from_utf8_lossy(&bytes);
        let holds = |part: &str| text.contains(part);
        match self.people.iter().take(3).position(|who| holds(&who.nik) || holds(&who.name)) {
            Some(who) => Err(format!("the ledger's files hold NIK or name of customer {who}")),
            None => Ok(()),
        }
    }

    pub(super) fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.tells {
            println!("{:>12} ms  {}", self.clock.as_millis(), what());
        }
    }
}

pub(super) fn person(n: u64, dice: &mut Dice) -> Person {
    let letters: String =
        (0..3).map(|place| (b'A' + (n / 26_u64.pow(place) % 26) as u8) as char).collect();
    Person {
        nik: format!("327501010190{n:04}"),
        name: format!("ORANG {letters}"),
        truth: dice.pick(&["01", "01", "01", "01", "02", "02", "03", "04"]),
    }
}

impl<B: Backend> World<B> {
    /// Returns the pair of a row that passes the program's own checks.
    pub(super) fn pair_of(&mut self, row: Row) -> Option<PairKey> {
        let Row::Person(who) = row else { return None };
        let Person { nik, name, .. } = &self.people[who];
        let subject = subject(nik, name);
        let pair = self.handle().hasher().pair(&subject);
        self.by_pair.insert(pair, who);
        Some(pair)
    }

    /// Returns a hash of everything in the ledger.
    pub(super) fn digest(&mut self) -> Result<blake3::Hash, String> {
        let now = WallMs(self.wall_ms());
        let ledger = self.backend.open(now).map_err(|error| error.to_string())?;
        Ok(blake3::hash(B::digest(&ledger).as_bytes()))
    }
}
