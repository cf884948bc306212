//! The rate of several workers that use one account: any of them lowers it, and one of them, the
//! leader, raises it.
//!
//! A worker that follows has no rate of its own but the user's. If its calls are refused, it keeps
//! to its own ceiling until the leader has heard of it. The answers of a worker are a part of all
//! answers, so its counts are multiplied by the number of workers.

use super::{Phase, RateFinder};
use crate::model::attempt::Tick;
use crate::rules::rate::belief::{Belief, HELD};
use crate::rules::rate::fellows::Fellows;

/// Part by which a rate must fall to be a new one.
const LOWER: f64 = 0.99;
/// Factor up to which the leader's rate is that of a follower.
const ADOPTED: f64 = 1.02;

impl RateFinder {
    /// Takes into account what the other workers tell.
    pub fn hear(&mut self, told: Fellows, now: Tick) {
        let before = self.fellows.replace(told);
        let was_leader = before.is_some_and(|before| before.is_leader);
        if told.is_leader {
            let heard = before.and_then(|before| before.rate);
            let is_lower = match (told.rate, heard) {
                (Some(rate), Some(heard)) => rate < LOWER * heard,
                (rate, _) => rate.is_some(),
            };
            match (told.rate, self.phase) {
                (Some(rate), _) if is_lower && self.own.is_none_or(|own| rate < own) => {
                    self.take_over(rate, now);
                }
                (_, Phase::Asked) if !was_leader && before.is_some() && self.climbs => {
                    // The leader before is gone: its rate is where this one goes on.
                    if let Some(rate) = self.rate {
                        self.take_over(rate, now);
                    }
                }
                _ => {}
            }
        } else {
            let is_heard = |own: f64| told.rate.is_some_and(|rate| rate <= ADOPTED * own);
            match self.phase {
                Phase::Start { .. } if told.rate.is_some() => self.phase = Phase::Asked,
                Phase::Holding(_) | Phase::Probing { .. } if self.own.is_some_and(is_heard) => {
                    self.phase = Phase::Asked;
                }
                _ => {}
            }
        }
        self.set_rate(self.wanted(), now);
    }

    /// Goes on with a rate that another worker has found.
    fn take_over(&mut self, rate: f64, now: Tick) {
        self.belief = Belief::moved(rate / HELD, now);
        self.stood = self.stood.filter(|stood| *stood < rate);
        if !matches!(self.phase, Phase::Settling(_) | Phase::Stopped(_)) {
            self.hold(now);
        }
    }

    /// Returns the rate that the other workers must keep to as well; `None` if this worker knows of
    /// none.
    pub fn told_rate(&self) -> Option<f64> {
        let knows_nothing = match self.fellows {
            None => true,
            Some(told) => !told.is_leader && matches!(self.phase, Phase::Start { .. }),
        };
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
