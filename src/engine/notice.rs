//! What the user is told while calls are made.
//!
//! Must hold: notices are only kept until they are taken. If nobody takes them, the oldest are
//! dropped.

use std::collections::VecDeque;
use std::time::Duration;

use super::report::{PauseTimes, Snapshot};
use crate::model::attempt::Tick;
use crate::model::class::Class;
use crate::model::stop::StopReason;
use crate::rules::rate::RateChange;

/// Most notices that are kept.
const MOST: usize = 32;

/// A change that the user is told of. Times are counted from the beginning of the start.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// The source is down or the vendor cannot be reached: one row at a time is tried.
    Paused {
        /// The reason for which the run stops if the pause lasts too long.
        why: StopReason,
        /// The reply that showed it; `None` if another worker has told it.
        class: Option<Class>,
        /// Description of the failure in the program's own words, if there is one.
        cause: Option<String>,
        /// Begin, next call and end of the pause.
        times: PauseTimes,
    },
    /// The source answers again.
    Resumed {
        /// Length of the pause.
        after: Duration,
    },
    /// The vendor refuses every call for a while, or asks for a long wait.
    RateLimited {
        /// Begin, next call and end of the pause.
        times: PauseTimes,
    },
    /// The vendor's limit was found, or has moved.
    RateFound(RateChange),
    /// Nothing more is started.
    Stopping {
        /// The reason.
        reason: StopReason,
        /// Number of calls whose answers are waited for.
        in_flight: usize,
    },
    /// The answers of these calls are no longer waited for.
    Abandoned {
        /// Number of calls.
        calls: usize,
    },
}

/// Receiver of everything that a run under way tells.
pub trait Observer {
    /// Takes the current state of the run.
    fn progress(&mut self, snapshot: &Snapshot);

    /// Takes a notice. `now` is the current time, counted as the times of the notice are.
    fn notice(&mut self, notice: Notice, now: Tick);
}

/// The notices that were not taken yet.
#[derive(Debug, Default)]
pub(super) struct Notices(VecDeque<Notice>);

impl Notices {
    /// Adds a notice.
    pub(super) fn add(&mut self, notice: Notice) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(notice);
    }

    /// Takes the oldest notice.
    pub(super) fn take(&mut self) -> Option<Notice> {
        self.0.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_dropped() {
        let mut notices = Notices::default();
        (0..=MOST).for_each(|calls| notices.add(Notice::Abandoned { calls }));
        assert_eq!(notices.take(), Some(Notice::Abandoned { calls: 1 }));
        assert_eq!(std::iter::from_fn(|| notices.take()).count(), MOST - 1);
    }
}
