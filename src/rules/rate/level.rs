//! Levels: rates that are tried for a while, one after the other.

use crate::model::attempt::Tick;

/// Part of a level's calls that must really have been sent: a worker without work learns nothing.
const USED: f64 = 0.8;
/// Part of its share that a worker among others must really have sent.
const USED_BY_SHARE: f64 = 0.5;
/// Levels of a probe above a ceiling that has moved, as a part of it.
const FIRST_STEPS: [f64; 7] = [0.02, 0.06, 0.14, 0.30, 0.55, 0.90, 1.40];
/// Levels of a probe above a ceiling that was confirmed.
const STEPS: [f64; 8] = [0.01, 0.03, 0.06, 0.12, 0.20, 0.35, 0.60, 1.00];
/// Growth of the levels behind the last step.
const FURTHER: f64 = 1.6;
/// Number of levels behind the last step: more change nothing that a vendor could allow.
const MOST_FURTHER: usize = 30;

/// A level: a rate that is tried for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) since: Tick,
    /// Number of calls that left in it.
    pub(super) sent: u32,
    /// Number of those calls that were answered.
    pub(super) answers: u32,
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
    pub(super) fn is_used(&self, rate: f64, workers: f64, now: Tick) -> bool {
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
