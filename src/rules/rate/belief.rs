//! The finder's belief about the vendor's limit.

use crate::model::attempt::Tick;

/// Part of the ceiling that is held: the rest is for the gate's burst and for jitter.
pub(super) const HELD: f64 = 0.985;
/// Part of the ceiling at which the vendor's counts drain.
pub(super) const RECOVERING: f64 = 0.93;

/// Confirmations from which on a ceiling is worth telling.
const CONFIRMED: i32 = 1;

/// The belief about the vendor's limit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Belief {
    /// Calls a second that the vendor allows; `None` before the first incident.
    pub(super) ceiling: Option<f64>,
    /// Number of incidents that have confirmed the ceiling; -1 after a cut that the sample did not
    /// justify.
    pub(super) known: i32,
    /// Time at which the ceiling moved last.
    pub(super) moved_at: Tick,
    /// The ceiling as it was then.
    pub(super) moved_to: f64,
    /// Last ceiling that was confirmed before the ceiling moved.
    pub(super) confirmed_before: Option<f64>,
}

impl Belief {
    /// Creates the belief in a ceiling that no incident of this worker has shown.
    pub(super) const fn told(ceiling: f64, now: Tick) -> Self {
        Self {
            ceiling: Some(ceiling),
            known: 0,
            moved_at: now,
            moved_to: ceiling,
            confirmed_before: None,
        }
    }

    /// Returns the belief after the ceiling has moved.
    pub(super) fn moved(self, ceiling: f64, now: Tick) -> Self {
        Self { confirmed_before: self.confirmed(), ..Self::told(ceiling, now) }
    }

    /// Notes that a cut was deeper than the sample justified.
    pub(super) fn doubt(&mut self) {
        self.confirmed_before = self.confirmed();
        self.known = -1;
    }

    /// Returns the last ceiling that an incident has confirmed. A ceiling that has just moved does
    /// not take its place: it may be wrong.
    pub(super) fn confirmed(&self) -> Option<f64> {
        match self.known >= CONFIRMED {
            true => self.ceiling,
            false => self.confirmed_before,
        }
    }
}
