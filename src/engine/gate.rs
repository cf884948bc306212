//! The gate: limits the calls per second. The dispatcher asks it right before each send.
//!
//! There is one gate, with a small burst. With governor's default burst (the quota of a whole
//! second), a vendor that counts would get twice the agreed number of calls in the first second,
//! and many waiting tasks would wake out of order.
//!
//! Must hold: in any second, no more than rate + burst calls pass.
//!
//! Never: reads a clock or waits.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::model::attempt::Tick;

/// Size of the burst as a part of the rate. It is a little under 1 %, to leave room for the jitter
/// of the network.
const BURST: f64 = 0.008;
/// Part of the rate, and number of calls, that may pass in a second above the rate.
const ABOVE: (f64, f64) = (0.01, 1.0);
/// Longest delay up to which a timer counts as on time.
const LATE: Duration = Duration::from_millis(4);

/// A clock that shows the time that it was given.
#[derive(Debug, Clone, Default)]
struct ToldClock(Arc<AtomicU64>);

impl ToldClock {
    fn at(now: Tick) -> Self {
        let clock = Self::default();
        clock.tell(now);
        clock
    }

    fn tell(&self, now: Tick) {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_max(nanos, Ordering::Relaxed);
    }
}

impl Clock for ToldClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.load(Ordering::Relaxed))
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, ToldClock, NoOpMiddleware<Nanos>>;

/// The gate of one run.
pub struct Gate {
    clock: ToldClock,
    limiter: Option<Limiter>,
    rate: Option<f64>,
    /// Delay up to which a timer counts as on time.
    late: Duration,
    /// Time at which the next call may pass, if a call was held back.
    due: Option<Tick>,
    /// Time at which the last call passed.
    passed: Option<Tick>,
}

impl Gate {
    /// Creates a gate for this number of calls a second; `None` means no limit.
    pub fn new(rate: Option<f64>) -> Self {
        let clock = ToldClock::default();
        let limiter = rate.map(|rate| limiter(rate, &clock));
        Self { clock, limiter, rate, late: late(rate), due: None, passed: None }
    }

    /// Changes the rate. No new burst is granted. The time since the last call counts, because
    /// otherwise a rate that changes more often than calls pass would hold the calls back forever.
    pub fn set_rate(&mut self, rate: Option<f64>, now: Tick) {
        if rate == self.rate {
            return;
        }
        self.clock = ToldClock::at(self.passed.unwrap_or(now));
        self.due = None;
        (self.rate, self.late) = (rate, late(rate));
        self.limiter = rate.map(|rate| {
            let limiter = limiter(rate, &self.clock);
            let _ = limiter.check_n(burst(rate));
            limiter
        });
    }

    /// Lets one call pass now.
    ///
    /// # Errors
    /// The time before which no call may pass.
    pub fn check(&mut self, now: Tick) -> Result<(), Tick> {
        let Some(limiter) = &self.limiter else {
            self.passed = Some(now);
            return Ok(());
        };
        if let Some(due) = self.due.filter(|due| now < *due) {
            return Err(due);
        }
        let told = match self.due {
            Some(due) if now - due <= self.late => due,
            _ => now,
        };
        self.clock.tell(told);
        match limiter.check() {
            Ok(()) => {
                self.due = None;
                self.passed = Some(told);
                Ok(())
            }
            Err(until) => {
                let told = Duration::from_nanos(self.clock.now().as_u64());
                let due = told + until.wait_time_from(self.clock.now());
                self.due = Some(due);
                Err(due)
            }
        }
    }

    /// Returns the time at which the call that was held back last may pass.
    pub const fn check_again_at(&self) -> Option<Tick> {
        self.due
    }
}

/// Returns the delay up to which a timer counts as on time: what the burst leaves of the calls that
/// may pass above the rate. Without it, a burst of one call would lose rate with each late timer.
fn late(rate: Option<f64>) -> Duration {
    let Some(rate) = rate else { return Duration::ZERO };
    let left = ABOVE.0 * rate + ABOVE.1 - f64::from(burst(rate).get());
    Duration::try_from_secs_f64(left.max(0.0) / rate).map_or(LATE, |late| late.min(LATE))
}

fn burst(rate: f64) -> NonZeroU32 {
    // A float that is too large becomes the largest integer.
    NonZeroU32::new((rate * BURST) as u32).unwrap_or(NonZeroU32::MIN)
}

fn limiter(rate: f64, clock: &ToldClock) -> Limiter {
    let period = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
    let quota = Quota::with_period(period.max(Duration::from_nanos(1)))
        .unwrap_or(Quota::per_second(NonZeroU32::MIN))
        .allow_burst(burst(rate));
    RateLimiter::direct_with_clock(quota, clock.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sends calls for `seconds`, with a timer that is `late` microseconds late each time. Returns
    /// the times of the sends.
    fn sends(rate: f64, seconds: u64, late: &mut dyn FnMut() -> u64) -> Vec<Tick> {
        let mut gate = Gate::new(Some(rate));
        let (mut now, mut sent) = (Tick::ZERO, Vec::new());
        while now < Duration::from_secs(seconds) {
            match gate.check(now) {
                Ok(()) => sent.push(now),
                Err(due) => now = due + Duration::from_micros(late()),
            }
        }
        sent
    }

    fn fullest_second(sent: &[Tick]) -> usize {
        let second = Duration::from_secs(1);
        (0..sent.len())
            .map(|i| sent[i..].partition_point(|t| *t < sent[i] + second))
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn a_timer_of_one_millisecond_loses_no_rate() {
        for rate in [0.5, 1.0, 10.0, 50.0, 200.0, 1000.0, 5000.0] {
            let sent = sends(rate, 20, &mut || 900).len() as f64;
            assert!(sent >= 0.99 * rate * 20.0, "{rate}/s: {sent}");
        }
    }

    #[test]
    fn a_new_rate_gives_no_new_burst() {
        let mut gate = Gate::new(Some(1000.0));
        for n in 1..100 {
            let now = Duration::from_micros(n);
            gate.set_rate(Some(1000.0 - n as f64), now);
            assert!(gate.check(now).is_err());
        }
    }

    #[test]
    fn a_rate_that_climbs_while_a_call_is_held_brings_it_nearer() {
        let mut gate = Gate::new(Some(0.1));
        assert!(gate.check(Tick::ZERO).is_ok());
        let passed = (1..30).find(|second| {
            let now = Duration::from_secs(u64::from(*second));
            gate.set_rate(Some(0.1 * 1.1_f64.powi(i32::from(*second))), now);
            gate.check(now).is_ok()
        });
        assert_eq!(passed, Some(6_u8), "after a wait of 10 s / 1.1^6");
    }

    proptest! {
        /// In any second, no more than the rate (rounded up) + max(1, 1 %) + 1 calls pass, however
        /// late the timers are.
        #[test]
        fn no_second_is_overfull(rate in 1.0..2000.0_f64, late in prop::collection::vec(0_u64..30_000, 1..50)) {
            let mut turn = late.iter().copied().cycle();
            let sent = sends(rate, 5, &mut || turn.next().unwrap_or(0));
            let most = rate.ceil() + (rate / 100.0).max(1.0) + 1.0;
            prop_assert!(fullest_second(&sent) as f64 <= most, "{} of {most}", fullest_second(&sent));
        }
    }
}
