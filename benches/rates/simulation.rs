//! Plays machines against a vendor in virtual time: nothing sleeps, and a seed repeats a run exactly.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use ceknik::engine::Gate;
use ceknik::rules::permit::Permit;

use super::controllers::Controller;
use super::vendors::Limiter;

/// Settings of a simulated run.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) seconds: u64,
    /// Most calls in flight.
    pub(crate) in_flight: usize,
    pub(crate) limiter: Limiter,
    /// The round trip.
    pub(crate) latency: Duration,
    /// Calls that are served a second, in the order of their arrival; more have to wait.
    pub(crate) serves: Option<f64>,
    /// Share of the calls that are refused at random.
    pub(crate) refuses: f64,
    /// Wait that is asked for with a refusal.
    pub(crate) asks_to_wait: AsksToWait,
    /// Times at which the limit changes by a factor.
    pub(crate) changes: Vec<(u64, f64)>,
    /// Rates of another caller of the same account, each for a time.
    pub(crate) neighbour: Option<(u64, Vec<f64>)>,
    pub(crate) seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum AsksToWait {
    Never,
    Always(Duration),
    UntilTheTurn,
}

impl Setting {
    pub(crate) fn new(limiter: Limiter, seconds: u64, latency: Duration, seed: u64) -> Self {
        Self {
            seconds,
            in_flight: 256,
            limiter,
            latency,
            serves: None,
            refuses: 0.0,
            asks_to_wait: AsksToWait::Never,
            changes: Vec::new(),
            neighbour: None,
            seed,
        }
    }
}

const LATEST_TIMER: f64 = 0.003;
const JITTER: f64 = 0.0005;

/// The calls of one machine, by second.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    pub(crate) answered: Vec<u32>,
    pub(crate) refused: Vec<u32>,
    /// Round trips of answered calls, in seconds.
    pub(crate) took: Vec<f32>,
}

impl Log {
    pub(crate) fn answered(&self, from: u64, until: u64) -> f64 {
        sum(&self.answered, from, until)
    }
    pub(crate) fn refused(&self, from: u64, until: u64) -> f64 {
        sum(&self.refused, from, until)
    }
}

fn sum(counts: &[u32], from: u64, until: u64) -> f64 {
    let within = counts.iter().skip(from as usize).take((until - from) as usize);
    within.map(|count| f64::from(*count)).sum()
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Change(usize),
    Neighbour,
    Arrives { machine: usize, sent_at: Duration },
    Replies { machine: usize, sent_at: Duration, is_refused: bool, wish: Option<Duration> },
    Wakes { machine: usize },
}

struct Machine<C> {
    gate: Gate,
    controller: C,
    in_flight: usize,
    wakes_at: Option<Duration>,
}

/// Plays the machines. Returns what happened at each.
pub(crate) fn play<C: Controller>(setting: Setting, controllers: Vec<C>) -> Vec<Log> {
    let count = controllers.len();
    let machine = |controller: C| Machine {
        gate: Gate::new(controller.rate()),
        controller,
        in_flight: 0,
        wakes_at: None,
    };
    let mut world = World {
        dice: fastrand::Rng::with_seed(setting.seed ^ 0x5eed),
        machines: controllers.into_iter().map(machine).collect(),
        events: BinaryHeap::new(),
        number: 0,
        logs: vec![
            Log {
                answered: vec![0; setting.seconds as usize + 1],
                refused: vec![0; setting.seconds as usize + 1],
                took: Vec::new(),
            };
            count
        ],
        free_at: Duration::ZERO,
        setting,
    };
    world.run();
    world.logs
}

struct World<C> {
    setting: Setting,
    dice: fastrand::Rng,
    machines: Vec<Machine<C>>,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    number: u64,
    logs: Vec<Log>,
    /// Time at which a vendor that serves one call after the other is free.
    free_at: Duration,
}

impl<C: Controller> World<C> {
    fn at(&mut self, time: Duration, event: Event) {
        self.number += 1;
        self.events.push(Reverse((time, self.number, event)));
    }

    fn run(&mut self) {
        let end = Duration::from_secs(self.setting.seconds);
        for (index, (second, _)) in self.setting.changes.clone().into_iter().enumerate() {
            self.at(Duration::from_secs(second), Event::Change(index));
        }
        if self.setting.neighbour.is_some() {
            self.at(Duration::ZERO, Event::Neighbour);
        }
        for machine in 0..self.machines.len() {
            let begins = Duration::from_secs_f64(self.dice.f64() * 0.01);
            self.at(begins, Event::Wakes { machine });
        }
        while let Some(Reverse((now, _, event))) = self.events.pop() {
            if now >= end {
                return;
            }
            self.happens(event, now);
        }
    }

    fn happens(&mut self, event: Event, now: Duration) {
        match event {
            Event::Change(index) => self.setting.limiter.scale(self.setting.changes[index].1),
            Event::Neighbour => self.neighbour_calls(now),
            Event::Arrives { machine, sent_at } => self.arrives(machine, sent_at, now),
            Event::Replies { machine, sent_at, is_refused, wish } => {
                let one = &mut self.machines[machine];
                one.in_flight -= 1;
                match is_refused {
                    true => one.controller.refused(sent_at, wish, now),
                    false => one.controller.answered(sent_at, now),
                }
                if !is_refused {
                    self.logs[machine].took.push((now - sent_at).as_secs_f32());
                }
                self.turn(machine, now);
            }
            Event::Wakes { machine } => {
                if self.machines[machine].wakes_at.is_some_and(|at| at <= now) {
                    self.machines[machine].wakes_at = None;
                }
                self.turn(machine, now);
            }
        }
    }

    fn neighbour_calls(&mut self, now: Duration) {
        let Some((every, rates)) = &self.setting.neighbour else { return };
        let turn = now.as_secs() / every;
        let rate = rates[turn as usize % rates.len()];
        let next = if rate < 0.1 {
            Duration::from_secs((turn + 1) * every)
        } else {
            self.setting.limiter.admit(now);
            now + Duration::from_secs_f64(1.0 / rate)
        };
        self.at(next, Event::Neighbour);
    }

    fn jitter(&mut self) -> Duration {
        Duration::from_secs_f64(-JITTER * (1.0 - self.dice.f64()).ln())
    }

    fn arrives(&mut self, machine: usize, sent_at: Duration, now: Duration) {
        let is_refused = !self.setting.limiter.admit(now) || self.dice.f64() < self.setting.refuses;
        let second = now.as_secs() as usize;
        let log = &mut self.logs[machine];
        let counts = if is_refused { &mut log.refused } else { &mut log.answered };
        counts[second] += 1;
        let work = self.setting.latency.mul_f64(0.5 * (0.8 + 0.4 * self.dice.f64()));
        let work = if is_refused { work / 5 } else { work };
        let done = match self.setting.serves {
            Some(rate) if !is_refused => {
                self.free_at = self.free_at.max(now) + Duration::from_secs_f64(1.0 / rate);
                self.free_at + work
            }
            _ => now + work,
        };
        let back = done + self.setting.latency / 4 + self.jitter();
        let wish = is_refused.then_some(self.setting.asks_to_wait).and_then(|asks| match asks {
            AsksToWait::Never => None,
            AsksToWait::Always(wish) => Some(wish),
            AsksToWait::UntilTheTurn => {
                let turn = self.setting.limiter.turns_at(now)?;
                let seconds = (turn.saturating_sub(now)).as_secs_f64().ceil();
                Some(Duration::from_secs_f64(seconds))
            }
        });
        self.at(back, Event::Replies { machine, sent_at, is_refused, wish });
    }

    /// Lets a machine send what may leave now, and sets its timer.
    fn turn(&mut self, machine: usize, now: Duration) {
        let mut wake: Option<Duration>;
        loop {
            let one = &mut self.machines[machine];
            one.controller.advance(now);
            one.gate.set_rate(one.controller.rate(), now);
            wake = one.controller.wakes_at().filter(|at| *at > now);
            if one.in_flight >= self.setting.in_flight {
                break;
            }
            match one.controller.permit(now) {
                Permit::NotBefore(at) => {
                    wake = Some(wake.map_or(at, |wake| wake.min(at)));
                    break;
                }
                Permit::Probing => break,
                Permit::Free | Permit::Probe => {}
            }
            if let Err(due) = one.gate.check(now) {
                wake = Some(wake.map_or(due, |wake| wake.min(due)));
                break;
            }
            one.controller.sent(now);
            one.in_flight += 1;
            let arrives = now + self.setting.latency / 4 + self.jitter();
            self.at(arrives, Event::Arrives { machine, sent_at: now });
        }
        let Some(wake) = wake else { return };
        let late = Duration::from_secs_f64(LATEST_TIMER * self.dice.f64());
        let one = &mut self.machines[machine];
        if one.wakes_at.is_none_or(|at| at > wake + late) {
            one.wakes_at = Some(wake + late);
            self.at(wake + late, Event::Wakes { machine });
        }
    }
}
