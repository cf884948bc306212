//! An incident: the rate was too high, and the answers to the calls under way are waited for.

use super::estimate::Begun;
use crate::model::attempt::Tick;

/// An incident that is settling.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incident {
    /// Time at which it began.
    pub(super) at: Tick,
    /// Time until which answers are waited for.
    pub(super) until: Tick,
    /// Rate that was refused, in calls a second.
    pub(super) rate: f64,
    /// Phase in which it began.
    pub(super) begun: Begun,
    /// Calls that were sent above the ceiling before, in seconds of the ceiling.
    pub(super) surplus: f64,
}
