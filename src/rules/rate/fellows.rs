//! The words of the workers of one account about their rate.

use std::time::Duration;

/// Time for which a follower keeps to its own ceiling, so that the leader hears of it.
pub(super) const UNTIL_HEARD: Duration = Duration::from_secs(10);

/// The rate and the role of a worker, as the other workers of its account tell them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fellows {
    /// Lowest rate that another worker keeps to; `None` if there is no limit.
    pub rate: Option<f64>,
    /// Number of workers, this one included.
    pub workers: u32,
    /// True if this worker is the one that raises the rate.
    pub is_leader: bool,
}
