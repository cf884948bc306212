//! The world of a fleet: its workers, its ledger, its vendor, one clock, and the faults of a seed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::checks::{Checks, RunTerms, check_the_end};
use super::network::{Answer, Request};
use super::process::{Collected, Process};
use super::{Sabotage, Seen};
use crate::engine::tests::simulation::dice::Dice;
use crate::engine::tests::simulation::swarm::{Kind, Swarm};
use crate::engine::tests::simulation::vendor::{Person, Vendor};
use crate::engine::tests::simulation::world::person;
use crate::engine::tests::story::{ms, options};
use crate::engine::{EngineOptions, Event};
use crate::ledger::RunId;
use crate::ledger::testing::shared::{Gap, SharedStore};
use crate::model::attempt::{AttemptId, PairKey, StartId};
use crate::rules::body::BodyTrial;
use crate::rules::classify::classify;
use crate::rules::pair_key::PairHasher;
use crate::rules::testing::subject;

/// Time of the wall clock when the world begins.
pub(super) const BEGINNING: i64 = 1_750_000_000_000;
/// Length of a lease.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// Time after which there are no more faults.
pub(super) const CALM_FROM: Duration = Duration::from_secs(150);
/// Time by which every life has ended.
const LAST: Duration = Duration::from_secs(4 * 3600);
const MOST_EVENTS: usize = 400_000;

/// Number of a process of the world.
pub(super) type Pid = u64;

/// An event whose time has come.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// A process begins on this file.
    Spawn(usize),
    /// A timer of the dispatcher, or of the rounds.
    Timer(Pid),
    /// An answer of the vendor.
    Reply(Pid, AttemptId),
    /// The interval between two beats has passed.
    Heart(Pid),
    /// A request reaches the ledger.
    Arrives(Pid, u64, Request),
    /// An answer of the ledger reaches its process.
    Answered(Pid, u64, Answer),
    /// A fault, of this process and for this long if they are chosen.
    Fault(Fault, Option<Pid>, Option<Duration>),
    /// The ledger answers again.
    Up,
}

/// A fault that the world brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Kill,
    /// A process stands still, while its clocks go on.
    Freeze,
    /// A machine is suspended: its tick stands still, and its wall clock goes on.
    Suspend,
    CutOff,
    /// Nothing passes between a process and the ledger for a while, and nothing breaks.
    Stall,
    LedgerDown,
    /// The wall clock of a machine is set.
    ClockJump,
}

const FAULTS: [Fault; 7] = [
    Fault::Kill,
    Fault::Freeze,
    Fault::Suspend,
    Fault::CutOff,
    Fault::Stall,
    Fault::LedgerDown,
    Fault::ClockJump,
];

/// A habit of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Habit {
    /// Connections break, and answers are lost.
    Loses,
    /// Some requests take very long.
    IsSlow,
    /// Workers do not read that a pair is open: that is for speed only.
    HidesOpen,
    /// Much time may pass between an observation and the declaration that follows.
    DeclaresLate,
    /// Every run sends the doubts of others again.
    SendsDoubtsAgain,
}

/// The world.
pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) sabotage: Option<Sabotage>,
    pub(super) tells: bool,
    pub(super) now: Duration,
    pub(super) events: BTreeMap<(Duration, u64), Happening>,
    pub(super) scheduled: u64,
    pub(super) store: SharedStore,
    pub(super) checks: Checks,
    pub(super) terms: BTreeMap<RunId, RunTerms>,
    pub(super) processes: BTreeMap<Pid, Process>,
    pub(super) spawned: Pid,
    pub(super) killed: Vec<StartId>,
    pub(super) is_up: bool,
    pub(super) down_until: Duration,
    pub(super) habits: BTreeSet<Habit>,
    /// The fault that strikes when this number of batches have left, right after the last of them
    /// was recorded.
    pub(super) at_a_batch: Option<(Fault, u64, Duration)>,
    pub(super) vendor: Vendor,
    pub(super) people: Vec<Person>,
    /// Customers of each file, by their places.
    pub(super) files: Vec<Vec<usize>>,
    pub(super) by_pair: BTreeMap<PairKey, usize>,
    pub(super) options: EngineOptions,
    pub(super) seen: Seen,
}

impl World {
    pub(super) fn new(seed: u64, sabotage: Option<Sabotage>, tells: bool) -> Self {
        let mut dice = Dice::new(seed);
        let people: Vec<Person> = (0..80).map(|n| person(n, &mut dice)).collect();
        let mut swarm = Swarm::none();
        for kind in [Kind::Trouble, Kind::Gateway, Kind::Lost, Kind::Refusal, Kind::Unknown] {
            swarm.set(kind, dice.pick(&[0, 0, 20, 80]));
        }
        swarm.set(Kind::Slow, dice.pick(&[0, 20, 80]));
        swarm.set(Kind::Slower, dice.pick(&[0, 0, 10]));
        swarm.set(Kind::Wish, dice.pick(&[0, 0, 0, 5]));
        let mut vendor = Vendor::new(dice.fork(), swarm);
        if dice.one_in(4) {
            let from = ms(dice.below(20_000));
            vendor.fail(from, from + ms(dice.between(10_000, 90_000)));
        }
        let hasher = PairHasher::new([7; 32]);
        let key = |who: &Person| hasher.pair(&subject(&who.nik, &who.name));
        let by_pair = people.iter().map(key).zip(0..).collect();
        let options = choose_options(&mut dice, &vendor, sabotage);
        let mut habits = BTreeSet::new();
        for (habit, one_in) in
            [(Habit::Loses, 2), (Habit::IsSlow, 3), (Habit::DeclaresLate, 4), (Habit::HidesOpen, 8)]
        {
            habits.extend(dice.one_in(one_in).then_some(habit));
        }
        if sabotage == Some(Sabotage::Ledger(Gap::OpenToo)) {
            habits.insert(Habit::HidesOpen);
        }
        let mut store = SharedStore::default();
        if let Some(Sabotage::Ledger(gap)) = sabotage {
            store.gap = Some(gap);
        }
        let mut world = Self {
            dice,
            sabotage,
            tells,
            now: Duration::ZERO,
            events: BTreeMap::new(),
            scheduled: 0,
            store,
            checks: Checks::default(),
            terms: BTreeMap::new(),
            processes: BTreeMap::new(),
            spawned: 0,
            killed: Vec::new(),
            is_up: true,
            down_until: Duration::ZERO,
            habits,
            at_a_batch: None,
            vendor,
            people,
            files: Vec::new(),
            by_pair,
            options,
            seen: Seen::new(),
        };
        world.plan();
        world
    }

    /// Decides on the files, the workers and the faults.
    fn plan(&mut self) {
        let dice = &mut self.dice;
        let is_slow_run = self.options.throttle.rate.cap.is_some();
        for _ in 0..dice.between(1, 2) {
            let (from, size) = (dice.below(20), dice.between(5, if is_slow_run { 60 } else { 40 }));
            self.files.push((from..from + size).map(|who| who as usize).collect());
        }
        let files = self.files.len();
        let mut spawns: Vec<_> = (0..files).map(|file| (ms(100), file)).collect();
        for _ in 0..dice.between(1, 3) {
            spawns.push((ms(dice.below(4000)), dice.below(files as u64) as usize));
        }
        let share = dice.pick(&[0, 1, 2, 3]);
        let mut faults = Vec::new();
        for fault in FAULTS {
            if dice.below(4) < share {
                for _ in 0..dice.between(1, 5) {
                    faults.push((ms(dice.below(CALM_FROM.as_millis() as u64)), fault));
                }
            }
        }
        // Faults that come close together meet in the middle of an exchange.
        if dice.one_in(2) {
            for (at, _) in &mut faults {
                *at = ms(at.as_millis() as u64 % 40_000);
            }
        }
        // A run that sends doubts again, and begins while a worker of another run counts as dead.
        if files == 2 && dice.one_in(3) {
            self.habits.insert(Habit::SendsDoubtsAgain);
            // It comes to the doubts last, so that they may be answered before.
            self.files[1] = self.files[0].iter().copied().rev().collect();
            self.options.throttle.rate.cap = Some(1.0);
            spawns = vec![(ms(100), 0), (ms(200), 0), (ms(dice.between(20_000, 30_000)), 1)];
        }
        if self.habits.contains(&Habit::SendsDoubtsAgain) || dice.one_in(3) {
            let fault = dice.pick(&[Fault::Freeze, Fault::CutOff, Fault::Stall]);
            let long = ms(dice.between(25_000, 50_000));
            self.at_a_batch = Some((fault, dice.between(1, 20), long));
        }
        for (at, file) in spawns {
            self.schedule(at, Happening::Spawn(file));
        }
        for (at, fault) in faults {
            self.schedule(at, Happening::Fault(fault, None, None));
        }
    }

    pub(super) fn schedule(&mut self, at: Duration, what: Happening) {
        self.scheduled += 1;
        self.events.insert((at.max(self.now), self.scheduled), what);
    }

    /// Plays the whole life. Returns the events that occurred.
    pub(super) fn play(mut self) -> Result<Seen, String> {
        for _ in 0..MOST_EVENTS {
            let Some(((at, _), what)) = self.events.pop_first() else { break };
            if at > LAST {
                return Err(format!("not over after {at:?}: {:?}", self.phases()));
            }
            self.now = at;
            self.vendor.calm = at >= CALM_FROM;
            self.happen(what)?;
            self.store.check()?;
        }
        if !self.processes.is_empty() || !self.is_over() {
            return Err("it does not end".to_owned());
        }
        check_the_end(&self.store, &self.vendor.log, &self.killed)?;
        Ok(self.seen)
    }

    /// Checks that each run has ended, or has used its budget up. What a killed worker had in flight
    /// may be free.
    fn is_over(&self) -> bool {
        let lost = self.killed.len() as u64 * self.options.concurrency as u64;
        let is_used_up = |used| self.options.max_charges.is_some_and(|max| used + lost >= max);
        self.store.used_of_open_runs().all(is_used_up)
    }

    fn happen(&mut self, what: Happening) -> Result<(), String> {
        // What comes for a process that stands still waits.
        let of = match &what {
            Happening::Timer(pid)
            | Happening::Reply(pid, _)
            | Happening::Heart(pid)
            | Happening::Answered(pid, ..) => self.processes.get(pid),
            _ => None,
        };
        if let Some(until) = of.map(|process| process.frozen_until).filter(|at| *at > self.now) {
            self.schedule(until, what);
            return Ok(());
        }
        match what {
            Happening::Spawn(file) => self.spawn(file),
            Happening::Fault(fault, pid, long) => {
                self.fault(fault, pid, long);
                Ok(())
            }
            Happening::Up if self.now < self.down_until => Ok(()),
            Happening::Up => {
                self.is_up = true;
                self.tell(|| "the ledger is up".to_owned());
                Ok(())
            }
            Happening::Arrives(pid, number, request) => self.arrives(pid, number, request),
            Happening::Timer(pid) => self.with(pid, Self::timer),
            Happening::Heart(pid) => self.with(pid, |world, pid, process| {
                process.send_beat(world.now);
                world.schedule(world.now + LEASE / 15, Happening::Heart(pid));
                Ok(true)
            }),
            Happening::Reply(pid, attempt) => self.with(pid, |world, pid, process| {
                if let Some((ticket, reply)) = process.flights.remove(&attempt) {
                    process.answered.push((attempt, classify(&reply)));
                    world.tell(|| {
                        format!("{pid}: {attempt} is answered: {}", classify(&reply).name())
                    });
                    world.dispatch(process, Event::Replied(ticket, reply));
                }
                world.turn(pid, process)
            }),
            Happening::Answered(pid, number, answer) => {
                self.with(pid, |world, pid, process| world.answered(pid, process, number, answer))
            }
        }
    }

    /// Lets a process act. It is gone if `act` returns `false`.
    fn with(
        &mut self,
        pid: Pid,
        act: impl FnOnce(&mut Self, Pid, &mut Process) -> Result<bool, String>,
    ) -> Result<(), String> {
        let Some(mut process) = self.processes.remove(&pid) else { return Ok(()) };
        let lives = act(self, pid, &mut process)?;
        let requests = std::mem::take(&mut process.link.borrow_mut().requests);
        for (number, request) in requests {
            self.leaves(pid, &process, number, request);
        }
        if lives {
            self.processes.insert(pid, process);
        }
        Ok(())
    }

    pub(super) fn dispatch(&mut self, process: &mut Process, event: Event) {
        let (now, wall) = process.clocks(self.now, BEGINNING);
        process.dispatcher.on(event, now, wall, &mut Collected::default());
    }

    /// Returns what each worker is doing.
    fn phases(&self) -> Vec<(StartId, &'static str)> {
        self.processes.values().map(|process| (process.start, process.phase.name())).collect()
    }

    pub(super) fn has(&self, habit: Habit) -> bool {
        self.habits.contains(&habit)
    }

    pub(super) fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.tells {
            println!("{:>10} ms  {}", self.now.as_millis(), what());
        }
    }
}

/// Chooses the options of all workers.
fn choose_options(dice: &mut Dice, vendor: &Vendor, sabotage: Option<Sabotage>) -> EngineOptions {
    let mut options = EngineOptions {
        concurrency: dice.pick(&[1, 2, 4, 8]),
        body: BodyTrial::Proved(vendor.reads()),
        lease: Some(LEASE),
        seed: dice.next(),
        ..options()
    };
    options.throttle.rate.cap = dice.pick(&[None, None, Some(1.0), Some(4.0)]);
    options.retry.max_attempts = dice.pick(&[2, 6]);
    options.max_charges = dice.pick(&[None, None, Some(12), Some(45)]);
    if sabotage == Some(Sabotage::NoLease) {
        options.lease = Some(LEASE * 1_000_000);
    }
    options
}
