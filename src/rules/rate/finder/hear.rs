//! The rate of several workers that use one account: any of them lowers it, and one of them, the
//! leader, raises it.
//!
//! A worker that follows has no rate of its own but the user's. If its calls are refused, it keeps
//! to its own ceiling until the leader has heard of it. The answers of a worker are a part of all
//! answers, so its counts are multiplied by the number of workers.

use std::time::Duration;

use super::{Phase, RateFinder};
use crate::model::attempt::Tick;
use crate::rules::rate::belief::{Belief, HELD};
use crate::rules::rate::fellows::Fellows;

/// Part by which a rate must fall to be a new one.
const LOWER: f64 = 0.99;
/// Factor from which on a rate is much higher.
const JUMP: f64 = 1.1;
/// Time after which the next leader has told its rate.
const UNTIL_TOLD: Duration = Duration::from_secs(5);
/// Factor up to which the leader's rate is that of a follower.
const ADOPTED: f64 = 1.02;

impl RateFinder {
    /// Takes into account what the other workers tell.
    pub fn hear(&mut self, told: Fellows, now: Tick) {
        let told = Fellows { rate: self.without_jump(told, now), ..told };
        let before = self.fellows.replace(told);
        match told.is_leader {
            true => self.lead(told, before, now),
            false => self.follow(told, now),
        }
        self.set_rate(self.wanted(), now);
    }

    /// Returns the rate that the others tell. A worker that follows takes a much higher one only after
    /// a while: the leader may be gone, and the next one may not have told its rate yet.
    fn without_jump(&mut self, told: Fellows, now: Tick) -> Option<f64> {
        let before = self.fellows.and_then(|before| before.rate);
        let limit = before
            .filter(|before| !told.is_leader && told.rate.is_none_or(|rate| rate > JUMP * before));
        if limit.is_none() {
            self.rises_since = None;
            return told.rate;
        }
        let since = *self.rises_since.get_or_insert(now);
        if now < since + UNTIL_TOLD { limit } else { told.rate }
    }

    /// Takes over what others have found: a lower rate, or that of a leader that is gone.
    fn lead(&mut self, told: Fellows, before: Option<Fellows>, now: Tick) {
        let was_follower = before.is_some_and(|before| !before.is_leader);
        let is_lower = match (told.rate, before.and_then(|before| before.rate)) {
            (Some(rate), Some(heard)) => rate < LOWER * heard,
            (rate, _) => rate.is_some(),
        };
        match (told.rate, self.rate) {
            (Some(rate), _) if is_lower && self.own.is_none_or(|own| rate < own) => {
                self.take_over(rate, now);
            }
            // The leader before is gone: its rate is where this one goes on.
            (_, Some(rate))
                if was_follower
                    && matches!(self.phase, Phase::Asked)
                    && self.cap.is_none_or(|cap| rate < cap) =>
            {
                self.take_over(rate, now);
            }
            _ => {}
        }
    }

    /// Leaves the rate to the leader, once the leader has heard of what this worker has found.
    fn follow(&mut self, told: Fellows, now: Tick) {
        let is_heard = |own: f64| told.rate.is_some_and(|rate| rate <= ADOPTED * own);
        match self.phase {
            Phase::Start { .. } if told.rate.is_some() => self.phase = Phase::Asked,
            Phase::Holding(_) if self.own.is_some_and(is_heard) => self.phase = Phase::Asked,
            Phase::Probing { .. } => self.hold(now),
            _ => {}
        }
    }

    /// Goes on with a rate that another worker has found, or that its user has asked for.
    fn take_over(&mut self, rate: f64, now: Tick) {
        self.belief = Belief::told(rate / HELD, now);
        self.stood = self.stood.filter(|stood| *stood < rate);
        if !matches!(self.phase, Phase::Settling(_) | Phase::Stopped(_)) {
            self.hold(now);
        }
    }

    /// Returns the rate that the other workers must keep to as well; `None` if this worker knows of
    /// none.
    pub fn told_rate(&self) -> Option<f64> {
        // Who has just begun a climb and does not lead knows nothing yet.
        let is_leader = self.fellows.is_some_and(|told| told.is_leader);
        let knows_nothing = !is_leader && matches!(self.phase, Phase::Start { .. });
        self.own.filter(|_| !knows_nothing)
    }

    /// Checks whether another worker raises the rate.
    pub(super) fn follows(&self) -> bool {
        self.fellows.is_some_and(|told| !told.is_leader)
    }

    /// Returns the number of workers.
    pub(super) fn workers(&self) -> f64 {
        self.fellows.map_or(1.0, |told| f64::from(told.workers.max(1)))
    }
}
