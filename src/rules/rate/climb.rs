//! The ways up: the first climb, the patience while a ceiling is held, and the probes above it.

use std::time::Duration;

use super::fellows::UNTIL_HEARD;
use super::{FIRST_RATE, HELD, Learned, Phase, RECOVERING, RateFinder, SECOND, Suspected, Windows};
use crate::model::attempt::Tick;

/// Answers after which a level of the first climb may pass.
const START_ANSWERS: u32 = 10;
/// Answers after which a level of a probe may pass.
const PROBE_ANSWERS: u32 = 16;
/// Part of a level's calls that must really have been sent: who has no work learns nothing.
const USED: f64 = 0.8;
/// The same for the share of a worker among others.
const USED_BY_SHARE: f64 = 0.5;
/// Times that answers take for which a level lasts at least.
const LEVEL: f64 = 2.5;
/// Part of a known ceiling at which the next run begins.
const LEARNED_PART: f64 = 0.5;
/// Levels of a probe above a ceiling that has moved, as a part of it.
const FIRST_STEPS: [f64; 7] = [0.02, 0.06, 0.14, 0.30, 0.55, 0.90, 1.40];
/// Levels of a probe above a ceiling that was confirmed.
const STEPS: [f64; 8] = [0.01, 0.03, 0.06, 0.12, 0.20, 0.35, 0.60, 1.00];
/// Growth of the levels behind the last step.
const FURTHER: f64 = 1.6;
/// Number of levels behind the last step: more change nothing that a vendor could allow.
const MOST_FURTHER: usize = 30;
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
/// Longest time for which the first levels of a probe last.
const LONGEST_PROBE: Duration = Duration::from_secs(4);

/// A level: a rate that is tried for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    since: Tick,
    /// Number of calls that left in it.
    pub(super) sent: u32,
    /// Number of those calls that were answered.
    answers: u32,
}

impl Level {
    pub(super) const fn new(now: Tick) -> Self {
        Self { since: now, sent: 0, answers: 0 }
    }

    pub(super) fn answered(&mut self, sent_at: Tick) {
        self.answers += u32::from(sent_at >= self.since);
    }

    /// A level with a refusal begins anew.
    pub(super) fn refused(&mut self, sent_at: Tick, now: Tick) {
        if sent_at >= self.since {
            *self = Self::new(now);
        }
    }

    /// Checks whether the calls of a level were sent. Of several workers, each sends about its share.
    fn is_used(&self, rate: f64, workers: f64, now: Tick) -> bool {
        let least = if workers > 1.0 { USED_BY_SHARE } else { USED };
        (f64::from(self.sent) + 1.0) * workers >= least * rate * self.lasted(now)
    }

    /// Returns the seconds that the level has lasted.
    pub(super) fn lasted(&self, now: Tick) -> f64 {
        now.saturating_sub(self.since).as_secs_f64()
    }
}

/// Returns the level of a probe, in multiples of the ceiling.
pub(super) fn above(step: usize, is_known: bool) -> f64 {
    let steps: &[f64] = if is_known { &STEPS } else { &FIRST_STEPS };
    let step_at = |step: usize| 1.0 + steps.get(step).or(steps.last()).copied().unwrap_or(0.0);
    let further = step.saturating_sub(steps.len() - 1).min(MOST_FURTHER);
    step_at(step) * FURTHER.powi(further as i32)
}

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
                (self.belief.ceiling, self.belief.moved_at) = (Some(goal), now);
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
        // Where a window binds, only the window itself tries more.
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
        if !level.is_used(rate, self.workers(), now) {
            self.phase = Phase::Probing { level: next, step, surplus };
            return;
        }
        if self.cap.is_some_and(|cap| rate >= cap) {
            self.belief.ceiling = self.cap;
            self.passed = Some(rate);
            self.phase = Phase::Asked;
        } else {
            let surplus = surplus + (rate / ceiling - 1.0) * level.lasted(now);
            self.phase = Phase::Probing { level: next, step: step + 1, surplus };
        }
        self.set_rate(self.wanted(), now);
    }
}
