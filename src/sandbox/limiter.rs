//! Limit of the calls per second, by the generic cell rate algorithm (GCRA). Pure: the time is an
//! argument.
//!
//! Must hold: in any window of one second at most rate + burst calls pass. Unless a burst is given,
//! it is 1 % of the rate, but at least one call. A refused call does not count against the limit.
//!
//! Never: waits.

use std::time::Duration;

/// A limit, and the part of it that is used.
#[derive(Debug)]
pub(super) struct Limiter {
    /// Time between two calls at the full rate.
    interval: Duration,
    /// Time by which a call may come before it is due: the burst, without the call that is due.
    ahead: Duration,
    /// Time at which the next call is due.
    due: Duration,
}

impl Limiter {
    /// Makes a limit of `rate` calls per second, of which `burst` may come at once. The rate must be
    /// finite and above 0.
    pub(super) fn new(rate: f64, burst: Option<u32>) -> Self {
        // At a rate so low that its interval overflows, only one call ever passes.
        let interval = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
        let burst = burst.map_or(rate * 0.01, f64::from).max(1.0);
        let ahead = Duration::try_from_secs_f64((burst - 1.0) / rate).unwrap_or(Duration::ZERO);
        Self { interval, ahead, due: Duration::ZERO }
    }

    /// Checks whether a call may pass now. A call that may pass is counted.
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

    /// Returns how many calls pass within `span` if a call comes each `every`.
    fn passed(rate: f64, burst: Option<u32>, every: Duration, span: Duration) -> u32 {
        let mut limiter = Limiter::new(rate, burst);
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
        for (rate, burst, span, calls) in [
            (10.0, None, second, 10),
            (10.0, Some(1), second, 10),
            (10.0, Some(5), second, 14),
            (1_000.0, None, second, 1_009),
            (0.5, None, 10 * second, 5),
        ] {
            assert_eq!(passed(rate, burst, tick, span), calls, "{rate}, {burst:?}");
        }
    }

    #[test]
    fn calls_at_the_rate_all_pass() {
        assert_eq!(passed(100.0, None, Duration::from_millis(10), Duration::from_secs(5)), 500);
    }
}
