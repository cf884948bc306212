//! The ways up: the first climb, the patience while a ceiling is held, and the probes above it.

use std::time::Duration;

use super::{Phase, RateFinder};
use crate::model::attempt::Tick;
use crate::rules::rate::belief::{Belief, HELD, RECOVERING};
use crate::rules::rate::counts::SECOND;
use crate::rules::rate::estimate::STORED;
use crate::rules::rate::fellows::UNTIL_HEARD;
use crate::rules::rate::learned::Learned;
use crate::rules::rate::level::Level;
use crate::rules::rate::suspicion::Suspected;
use crate::rules::rate::windows::Windows;

/// First rate of a climb, in calls a second.
const FIRST_RATE: f64 = 5.0;
/// Answers after which a level of the first climb may pass.
const START_ANSWERS: u32 = 10;
/// Answers after which a level of a probe may pass.
const PROBE_ANSWERS: u32 = 16;
/// Times that answers take for which a level lasts at least.
const LEVEL: f64 = 2.5;
/// Part of a known ceiling at which the next run begins.
const LEARNED_PART: f64 = 0.5;
/// Shortest time for which a ceiling is held.
const SHORTEST_HOLD: Duration = Duration::from_millis(1500);
/// Longest time for which a ceiling is held because it has not moved for long.
const LONGEST_HOLD: Duration = Duration::from_secs(30);
/// Longest time for which a ceiling is held because the vendor asks for waits.
const LONGEST_HOLD_FOR_WAITS: Duration = Duration::from_secs(60);
/// Times that the vendor's last wait is held for, so that pauses take little of the time.
const WAITS: u32 = 8;
/// Calls for which a ceiling is held. Each confirmation doubles them.
const HELD_CALLS: u32 = 30;
/// Most calls for which a ceiling is held.
const MOST_HELD_CALLS: u32 = 400;
/// Part of the time since the ceiling moved for which it is held.
const HOLD_PART: u32 = 6;
/// Part of that time for which the first levels of a probe last.
const PROBE_PART: u32 = 30;
/// Time without an incident after which the highest rate is believed.
const CALM: Duration = Duration::from_secs(60);
/// Longest time for which the first levels of a probe last.
const LONGEST_PROBE: Duration = Duration::from_secs(4);

impl RateFinder {
    /// Begins the first climb: at the half of what an earlier run has found.
    pub(super) fn begin_climb(&mut self, learned: Option<Learned>) {
        self.windows = Windows::new(learned.and_then(|learned| learned.window));
        let goal = learned.and_then(|learned| learned.ceiling);
        let known = goal.or(learned.and_then(|learned| learned.passed));
        let first = known.map_or(FIRST_RATE, |known| LEARNED_PART * known);
        let level = Level::new(Tick::ZERO);
        self.phase = Phase::Start { level, passed: None, goal };
        self.set_rate(Some(first), Tick::ZERO);
    }

    /// Begins a climb from a ceiling that is only a lower bound.
    pub(super) fn climb_from_ceiling(&mut self, now: Tick) {
        let first = self.belief.ceiling.take().map_or(FIRST_RATE, |ceiling| RECOVERING * ceiling);
        self.phase = Phase::Start { level: Level::new(now), passed: None, goal: None };
        self.set_rate(Some(first.max(FIRST_RATE)), now);
    }

    /// Returns the time for which a level lasts at least.
    fn level_length(&self) -> Duration {
        Duration::try_from_secs_f64(LEVEL * self.times.mean()).unwrap_or(SECOND).max(SECOND)
    }

    /// Goes to the next level of the first climb, if the level has passed.
    pub(super) fn climb(&mut self, now: Tick) {
        let length = self.level_length();
        let (Phase::Start { level, passed, goal }, Some(rate)) = (self.phase, self.rate) else {
            return;
        };
        if now < level.since + length
            || level.answers < START_ANSWERS
            || self.suspicion.degree() == Suspected::Clearly
        {
            return;
        }
        let is_used = level.is_used(rate, self.workers(), now);
        let passed = if is_used { Some(rate) } else { passed };
        self.passed = self.passed.into_iter().chain(passed).reduce(f64::max);
        self.phase = Phase::Start { level: Level::new(now), passed, goal };
        match goal {
            Some(goal) if is_used && 2.0 * rate >= RECOVERING * goal => {
                self.belief = Belief::told(goal, now);
                self.hold(now);
            }
            _ if is_used => self.set_rate(Some(2.0 * rate), now),
            _ => {}
        }
    }

    /// Ends the patience with which a ceiling is held, if it is time to.
    pub(super) fn wait_patiently(&mut self, level: Level, now: Tick) {
        let Some((rate, ceiling)) = self.rate.zip(self.belief.ceiling) else { return };
        let since_moved = now.saturating_sub(self.belief.moved_at);
        let time = SHORTEST_HOLD
            .max((since_moved / HOLD_PART).min(LONGEST_HOLD))
            .max((self.wish * WAITS).min(LONGEST_HOLD_FOR_WAITS));
        let calls = match self.belief.known {
            ..0 => HELD_CALLS / 2,
            known => (HELD_CALLS << known.min(8)).min(MOST_HELD_CALLS),
        };
        if self.follows() {
            if now >= level.since + time.max(UNTIL_HEARD) {
                self.phase = Phase::Asked;
                self.set_rate(self.wanted(), now);
            }
            return;
        }
        if now < level.since + time || level.sent < calls {
            return;
        }
        // If a window binds, only the window itself tries more.
        let is_bound = self.windows.rate().is_some_and(|window| window <= HELD * ceiling);
        if is_bound || !level.is_used(rate, self.workers(), now) {
            self.phase = Phase::Holding(Level::new(now));
            return;
        }
        self.stood = Some(rate);
        self.phase = Phase::Probing { level: Level::new(now), step: 0, surplus: 0.0 };
        self.set_rate(self.wanted(), now);
    }

    /// Goes to the next level of a probe, if the level has passed.
    pub(super) fn probe(&mut self, level: Level, step: usize, surplus: f64, now: Tick) {
        let Some((rate, ceiling)) = self.rate.zip(self.belief.ceiling) else { return };
        let since_moved = now.saturating_sub(self.belief.moved_at);
        let mut length = self.level_length();
        if self.belief.known > 0 && step < 2 {
            length = length.max((since_moved / PROBE_PART).min(LONGEST_PROBE));
        }
        if now < level.since + length || level.answers < PROBE_ANSWERS {
            return;
        }
        let next = Level::new(now);
        // A rate to which another worker keeps tests nothing of a higher one.
        let is_lower = self.own.is_some_and(|own| rate < own);
        if is_lower || !level.is_used(rate, self.workers(), now) {
            self.phase = Phase::Probing { level: next, step, surplus };
            return;
        }
        let surplus = surplus + (rate / ceiling - 1.0) * level.lasted(now);
        let is_calm = self.last_incident.is_none_or(|at| now >= at + CALM);
        self.phase = match self.cap {
            Some(cap) if rate >= cap && (surplus >= STORED || is_calm) => {
                (self.belief, self.passed) = (Belief::told(cap, now), Some(cap));
                Phase::Asked
            }
            // A vendor that stores calls lets levels pass that are too high.
            Some(cap) if rate >= cap => Phase::Probing { level: next, step, surplus },
            _ => Phase::Probing { level: next, step: step + 1, surplus },
        };
        self.set_rate(self.wanted(), now);
    }
}
