//! Controllers of a rate: the shipped one, and others to compare it with.

use std::time::Duration;

use super::{RateFinder, Permit};

/// A controller of a rate.
pub trait Controller {
    fn rate(&self) -> Option<f64>;
    fn permit(&self, now: Duration) -> Permit;
    fn wakes_at(&self) -> Option<Duration>;
    fn sent(&mut self, now: Duration);
    fn answered(&mut self, sent_at: Duration, now: Duration);
    fn refused(&mut self, sent_at: Duration, wish: Option<Duration>, now: Duration);
    fn advance(&mut self, now: Duration);
}

impl Controller for RateFinder {
    fn rate(&self) -> Option<f64> {
        self.rate()
    }
    fn permit(&self, now: Duration) -> Permit {
        self.permit(now)
    }
    fn wakes_at(&self) -> Option<Duration> {
        self.wakes_at()
    }
    fn sent(&mut self, now: Duration) {
        self.sent(now);
    }
    fn answered(&mut self, sent_at: Duration, now: Duration) {
        self.answered(sent_at, now);
    }
    fn refused(&mut self, sent_at: Duration, wish: Option<Duration>, now: Duration) {
        self.refused(sent_at, wish, now);
    }
    fn advance(&mut self, now: Duration) {
        self.advance(now);
    }
}
