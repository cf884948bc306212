//! The finder's belief about the vendor's limit.

use crate::model::attempt::Tick;

/// Part of the ceiling that is held: the rest is for the gate's burst and for jitter.
pub(super) const HELD: f64 = 0.985;
/// Part of the ceiling at which the vendor's counts drain.
pub(super) const RECOVERING: f64 = 0.93;

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
}

impl Belief {
    /// A ceiling that has just moved.
    pub(super) const fn moved(ceiling: f64, now: Tick) -> Self {
        Self { ceiling: Some(ceiling), known: 0, moved_at: now, moved_to: ceiling }
    }
}
