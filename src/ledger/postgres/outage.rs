//! The time for which a server has not answered, and the longest time for which it is waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// First pause before a broken connection is made anew. Doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause before a broken connection is made anew.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The time since which the server has not answered, over all operations.
pub(super) struct Outage {
    began: Option<Instant>,
    pause: Duration,
    /// Longest time for which a server that does not answer is waited for.
    most: Duration,
    /// True once the user wants to leave at once.
    leaves_at_once: Arc<AtomicBool>,
}

impl Outage {
    pub(super) const fn new(most: Duration, leaves_at_once: Arc<AtomicBool>) -> Self {
        Self { began: None, pause: FIRST_PAUSE, most, leaves_at_once }
    }

    /// Checks whether the server has not answered for too long. It is too long at once if the user
    /// wants to leave.
    pub(super) fn is_over(&self) -> bool {
        let most =
            if self.leaves_at_once.load(Ordering::Relaxed) { Duration::ZERO } else { self.most };
        self.began.is_some_and(|began| began.elapsed() >= most)
    }

    /// Notes that the server has answered.
    pub(super) fn ends(&mut self) {
        (self.began, self.pause) = (None, FIRST_PAUSE);
    }

    /// Notes that the server has not answered. Returns `true` if it answered before.
    pub(super) fn begins(&mut self) -> bool {
        let is_new = self.began.is_none();
        self.began.get_or_insert_with(Instant::now);
        is_new
    }

    /// Returns the pause before the connection is made anew. Each pause is longer than the one
    /// before.
    pub(super) fn next_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}
