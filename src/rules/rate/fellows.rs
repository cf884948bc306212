//! What the workers of one account tell each other of their rate.

use std::time::Duration;

/// Time for which a follower keeps to its own ceiling, so that the leader hears of it.
pub(super) const UNTIL_HEARD: Duration = Duration::from_secs(10);

/// What the workers of an account tell each other about their rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fellows {
    /// Lowest rate that another worker keeps to; `None` if there is no limit.
    pub rate: Option<f64>,
    /// Number of workers, this one included.
    pub workers: u32,
    /// True if this worker is the one that raises the rate.
    pub is_leader: bool,
}
