//! The calls-per-second limit: GCRA, told the time. Pure.
//!
//! Must hold: in any window of a second at most rate + burst calls pass, the burst being 1 % of
//! the rate and at least one call. A refused call uses nothing up.
//! It never waits.

use std::time::Duration;

/// A limit and how much of it is used.
#[derive(Debug)]
pub(super) struct Limiter {
    /// Time that one call stands for.
    interval: Duration,
    /// How far ahead of time the calls may run: the burst, less the call that is due.
    ahead: Duration,
    /// When the next call is due.
    due: Duration,
}

impl Limiter {
    /// A limit of `rate` calls per second; the rate is above 0 and finite.
    pub(super) fn new(rate: f64) -> Self {
        // So slow a rate that its interval overflows lets one call through, ever.
        let interval = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
        let burst = (rate * 0.01).max(1.0);
        let ahead = Duration::try_from_secs_f64((burst - 1.0) / rate).unwrap_or(Duration::ZERO);
        Self { interval, ahead, due: Duration::ZERO }
    }

    /// Whether a call may pass now.
    pub(super) fn admit(&mut self, now: Duration) -> bool {
        if now.saturating_add(self.ahead) < self.due {
            return false;
        }
        self.due = self.due.max(now).saturating_add(self.interval);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of the calls that come each `every` pass within `span`.
    fn passed(rate: f64, every: Duration, span: Duration) -> u32 {
        let mut limiter = Limiter::new(rate);
        let mut now = Duration::from_secs(7);
        let end = now + span;
        let mut count = 0;
        while now < end {
            count += u32::from(limiter.admit(now));
            now += every;
        }
        count
    }

    #[test]
    fn a_flood_gets_the_rate_and_the_burst() {
        let (tick, second) = (Duration::from_micros(100), Duration::from_secs(1));
        assert_eq!(passed(10.0, tick, second), 10);
        assert_eq!(passed(1_000.0, tick, second), 1_009);
        assert_eq!(passed(0.5, tick, 10 * second), 5);
    }

    #[test]
    fn who_keeps_to_the_rate_is_never_refused() {
        assert_eq!(passed(100.0, Duration::from_millis(10), Duration::from_secs(5)), 500);
    }
}
