//! The throttle: slows the whole run down when the vendor asks for it.
//!
//! The first refusal of an incident pauses all sends. The pause is short at first, and twice as
//! long with each incident, until a call succeeds a second or more after a pause. Each incident
//! also halves the rate, which then climbs back to the rate that the user asked for. Refusals of
//! calls that were sent before the pause belong to the same incident and do not lower the rate
//! again. The server's `Retry-After` is always obeyed.
//!
//! Several workers that use one account keep to the lowest rate of any of them, and a pause of one
//! is a pause of all. The worker that was refused lowers its rate, and the others hear of it.
//!
//! Never: reads a clock or waits. The caller passes the time.

use std::time::Duration;

use crate::model::attempt::Tick;
use crate::model::stop::StopReason;

/// Interval at which the rate climbs while no refusal comes.
const CLIMB_EVERY: Duration = Duration::from_secs(1);
/// Factor by which the rate climbs.
const CLIMB: f64 = 1.1;
/// Lowest rate that an unlimited run is assumed to have had before an incident, in calls a second.
const UNKNOWN_RATE: f64 = 10.0;
/// Lowest rate after an incident, in calls a second, unless the user asked for less.
const FLOOR: f64 = 0.1;
/// Difference between two times that are heard of the same pause.
const HEARD_AGAIN: Duration = Duration::from_millis(50);
/// Rate at which a run without a limit becomes unlimited again, in calls a second.
const NO_LIMIT: f64 = 10_000.0;

/// Settings of the throttle.
#[derive(Debug, Clone, PartialEq)]
pub struct ThrottlePolicy {
    /// Rate that the user asked for, in calls a second; `None` is unlimited.
    pub rate: Option<f64>,
    /// First pause. Each incident doubles the next pause.
    pub base: Duration,
    /// Longest pause, unless the server asks for a longer one.
    pub cap: Duration,
    /// Longest time of refusals without a success. After this time the run is given up.
    pub max_outage: Duration,
}

/// The throttle of one start.
///
/// ```
/// use std::time::Duration;
///
/// use ceknik::rules::throttle::{Throttle, ThrottlePolicy};
///
/// let ms = Duration::from_millis;
/// let mut throttle = Throttle::new(ThrottlePolicy {
///     rate: Some(100.0),
///     base: ms(500),
///     cap: ms(60_000),
///     max_outage: ms(1_800_000),
/// });
///
/// // A refusal pauses the run and halves the rate.
/// assert!(throttle.refused(ms(900), None, ms(1000)));
/// assert_eq!(throttle.paused_until(), ms(1500));
/// assert_eq!(throttle.rate(), Some(50.0));
///
/// // Another call that was sent before the pause belongs to the same incident.
/// assert!(!throttle.refused(ms(950), None, ms(1010)));
/// assert_eq!(throttle.rate(), Some(50.0));
///
/// // A second after the pause the rate begins to climb, by a tenth each second.
/// assert!(!throttle.advance(ms(2499)));
/// assert!(throttle.advance(ms(2500)));
/// assert!(throttle.rate().is_some_and(|rate| rate > 54.9 && rate < 55.1));
/// ```
#[derive(Debug, Clone)]
pub struct Throttle {
    policy: ThrottlePolicy,
    /// Rate that this worker keeps to by itself, in calls a second; `None` is unlimited.
    rate: Option<f64>,
    /// Lowest rate that another worker keeps to.
    others: Option<f64>,
    /// Time before which nothing is sent.
    paused_until: Tick,
    /// Time at which the last pause began.
    paused_since: Tick,
    /// Time at which the last incident began. Calls that were sent before this time belong to it.
    incident: Option<Tick>,
    /// Length of the next pause.
    pause: Duration,
    /// Time at which the rate may climb next.
    climb_at: Tick,
    /// Time of the first refusal since the last success.
    refused_since: Option<Tick>,
    /// Begin of the current second and the successes in it, which tell the real rate of an
    /// unlimited run.
    window: (Tick, u32),
    /// Successes a second, when they were last measured.
    answered_per_second: f64,
}

impl Throttle {
    /// Creates a throttle without a pause, at the rate that the user asked for.
    pub const fn new(policy: ThrottlePolicy) -> Self {
        Self {
            rate: policy.rate,
            others: None,
            pause: policy.base,
            policy,
            paused_until: Tick::ZERO,
            paused_since: Tick::ZERO,
            incident: None,
            climb_at: Tick::ZERO,
            refused_since: None,
            window: (Tick::ZERO, 0),
            answered_per_second: 0.0,
        }
    }

    /// Returns the time before which nothing may be sent.
    pub const fn paused_until(&self) -> Tick {
        self.paused_until
    }

    /// Returns the time at which the last pause began.
    pub const fn paused_since(&self) -> Tick {
        self.paused_since
    }

    /// Pauses at least until this time.
    fn pause_until(&mut self, until: Tick, now: Tick) {
        if until > self.paused_until {
            if self.paused_until <= now {
                self.paused_since = now;
            }
            self.paused_until = until;
        }
    }

    /// Returns the rate in force, in calls a second; `None` is unlimited.
    pub fn rate(&self) -> Option<f64> {
        self.rate.into_iter().chain(self.others).reduce(f64::min)
    }

    /// Returns the rate that this worker keeps to by itself, whatever others do.
    pub const fn own_rate(&self) -> Option<f64> {
        self.rate
    }

    /// Takes into account the lowest rate that another worker keeps to.
    pub const fn hear_rate(&mut self, others: Option<f64>) {
        self.others = others;
    }

    /// Takes into account that all workers pause until this time. Calls that were sent before now
    /// belong to the incident of the worker that was refused.
    pub fn hear_pause(&mut self, until: Tick, now: Tick) {
        if until > self.paused_until + HEARD_AGAIN {
            self.pause_until(until, now);
            self.incident = Some(now);
            self.climb_at = self.climb_at.max(until + CLIMB_EVERY);
        }
    }

    /// Returns the rate that the user asked for, in calls a second; `None` is unlimited.
    pub const fn asked(&self) -> Option<f64> {
        self.policy.rate
    }

    /// Returns the time at which the rate may climb next.
    pub const fn climbs_at(&self) -> Tick {
        self.climb_at
    }

    /// Takes the refusal of a call that was sent at `sent_at` into account: the vendor says that
    /// the run is too fast. Returns `true` if this began a new incident.
    pub fn refused(&mut self, sent_at: Tick, retry_after: Option<Duration>, now: Tick) -> bool {
        self.refused_since.get_or_insert(now);
        self.hold(retry_after, now);
        if self.incident.is_some_and(|began| sent_at <= began) {
            return false;
        }
        self.incident = Some(now);
        self.pause_until(now + self.pause, now);
        self.pause = (self.pause * 2).min(self.policy.cap);
        self.rate =
            Some((self.real_rate() / 2.0).max(FLOOR.min(self.policy.rate.unwrap_or(FLOOR))));
        self.climb_at = self.paused_until + CLIMB_EVERY;
        true
    }

    /// Returns the rate that was too high. The rate in force of a run without a limit may have
    /// climbed far above what the run really did, so for such a run the rate of its answers is
    /// the upper bound.
    fn real_rate(&self) -> f64 {
        // The current second counts as far as it has come.
        let answered = self.answered_per_second.max(f64::from(self.window.1)).max(UNKNOWN_RATE);
        match (self.policy.rate, self.rate()) {
            (Some(_), Some(rate)) => rate,
            (_, rate) => rate.map_or(answered, |rate| rate.min(answered)),
        }
    }

    /// Takes any other answer into account: if the server asks for a wait, the whole run waits.
    pub fn hold(&mut self, retry_after: Option<Duration>, now: Tick) {
        if let Some(wish) = retry_after {
            self.pause_until(now + wish, now);
            self.climb_at = self.climb_at.max(self.paused_until + CLIMB_EVERY);
        }
    }

    /// Takes a result code into account, which is a success.
    pub fn succeeded(&mut self, now: Tick) {
        self.refused_since = None;
        if now >= self.paused_until + CLIMB_EVERY {
            self.pause = self.policy.base;
        }
        if now >= self.window.0 + Duration::from_secs(1) {
            let span = (now - self.window.0).as_secs_f64();
            self.answered_per_second = f64::from(self.window.1) / span;
            self.window = (now, 0);
        }
        self.window.1 += 1;
    }

    /// Lets the rate climb if it is time to. Returns `true` if the rate changed.
    pub fn advance(&mut self, now: Tick) -> bool {
        let Some(rate) = self.rate else { return false };
        if self.incident.is_none() || now < self.climb_at {
            return false;
        }
        self.climb_at = now + CLIMB_EVERY;
        let climbed = rate * CLIMB;
        if climbed >= self.policy.rate.unwrap_or(NO_LIMIT) {
            self.rate = self.policy.rate;
            self.incident = None;
        } else {
            self.rate = Some(climbed);
        }
        true
    }

    /// Returns the reason to give the run up: refusals without a success for `max_outage`, or a
    /// server that asks for a wait longer than that.
    pub fn given_up(&self, now: Tick) -> Option<StopReason> {
        let refused = self.refused_since.is_some_and(|at| now >= at + self.policy.max_outage);
        let asked = self.paused_until > now + self.policy.max_outage;
        (refused || asked).then_some(StopReason::Throttled)
    }

    /// Returns the time at which the run will be given up unless a call succeeds; `None` if no call
    /// was refused since the last success.
    pub fn gives_up_at(&self) -> Option<Tick> {
        self.refused_since.map(|at| at + self.policy.max_outage)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn throttle(rate: Option<f64>) -> Throttle {
        let (base, cap) = (ms(500), ms(60_000));
        Throttle::new(ThrottlePolicy { rate, base, cap, max_outage: ms(1_800_000) })
    }

    #[test]
    fn one_incident_is_counted_once() {
        let mut throttle = throttle(Some(100.0));
        assert!(throttle.refused(ms(900), None, ms(1000)));
        for sent in [901, 950, 1000] {
            assert!(!throttle.refused(ms(sent), None, ms(1010)));
        }
        assert_eq!((throttle.rate(), throttle.paused_until()), (Some(50.0), ms(1500)));
        assert!(throttle.refused(ms(1500), None, ms(1520)), "sent after the pause: a new one");
        assert_eq!((throttle.rate(), throttle.paused_until()), (Some(25.0), ms(2520)));
    }

    #[test]
    fn a_pause_of_another_worker_is_its_incident() {
        let mut throttle = throttle(Some(100.0));
        throttle.hear_pause(ms(1500), ms(1000));
        throttle.hear_pause(ms(1520), ms(1020));
        assert_eq!((throttle.rate(), throttle.paused_until()), (Some(100.0), ms(1500)));
        assert!(!throttle.refused(ms(900), None, ms(1100)), "sent before it was heard of");
        throttle.hear_rate(Some(50.0));
        assert_eq!((throttle.rate(), throttle.own_rate()), (Some(50.0), Some(100.0)));
        assert!(throttle.refused(ms(1600), None, ms(1700)));
        assert_eq!(throttle.own_rate(), Some(25.0), "half of the rate in force");
        throttle.hear_rate(None);
        assert_eq!(throttle.rate(), Some(25.0));
    }

    #[test]
    fn the_servers_wish_is_obeyed_also_from_a_straggler() {
        let mut throttle = throttle(Some(100.0));
        throttle.refused(ms(0), Some(ms(7000)), ms(10));
        assert_eq!(throttle.paused_until(), ms(7010));
        throttle.refused(ms(5), Some(ms(9000)), ms(20));
        assert_eq!(throttle.paused_until(), ms(9020));
        assert_eq!(throttle.given_up(ms(30)), None);
        throttle.hold(Some(ms(3_600_000)), ms(40));
        assert_eq!(throttle.given_up(ms(40)), Some(StopReason::Throttled));
    }

    #[test]
    fn pauses_grow_until_it_goes_well_for_a_while() {
        let mut throttle = throttle(Some(100.0));
        let mut paused = |sent, now, expected| {
            assert!(throttle.refused(ms(sent), None, ms(now)));
            assert_eq!(throttle.paused_until(), ms(expected), "{now}");
            // A success right after the pause proves little.
            throttle.succeeded(ms(expected));
        };
        paused(1, 1, 501);
        paused(502, 502, 1502);
        paused(1503, 1503, 3503);
        throttle.succeeded(ms(3503) + CLIMB_EVERY);
        throttle.refused(ms(9000), None, ms(9000));
        assert_eq!(throttle.paused_until(), ms(9500), "as at first");
    }

    #[test]
    fn it_gives_up_when_it_said_it_would() {
        let mut throttle = throttle(Some(100.0));
        assert_eq!((throttle.asked(), throttle.gives_up_at()), (Some(100.0), None));
        throttle.hold(Some(ms(1_800_000)), ms(0));
        assert_eq!(throttle.given_up(ms(0)), None, "as long as it would wait");
        throttle.refused(ms(7), None, ms(10));
        assert_eq!((throttle.asked(), throttle.gives_up_at()), (Some(100.0), Some(ms(1_800_010))));
        let told = [1_800_009, 1_800_010].map(|at| throttle.given_up(ms(at)));
        assert_eq!(told, [None, Some(StopReason::Throttled)]);
        throttle.succeeded(ms(1_800_011));
        assert_eq!(throttle.gives_up_at(), None);
        assert_eq!(self::throttle(None).asked(), None);
    }

    #[test]
    fn an_unlimited_rate_is_measured() {
        let mut throttle = throttle(None);
        for at in 1..=100 {
            throttle.succeeded(ms(at));
        }
        // A hundred answers in four seconds.
        throttle.succeeded(ms(4000));
        throttle.refused(ms(4000), None, ms(4000));
        assert_eq!(throttle.rate(), Some(12.5));
        let at = throttle.climbs_at();
        assert!(!throttle.advance(at - ms(1)) && throttle.advance(at) && !throttle.advance(at));
        assert_eq!(throttle.climbs_at(), at + CLIMB_EVERY);
    }

    #[test]
    fn the_rate_climbs_back_to_what_was_asked() {
        let mut throttle = throttle(Some(100.0));
        throttle.refused(ms(0), None, ms(1));
        let mut now = ms(1);
        let mut steps = 0;
        while throttle.rate() != Some(100.0) {
            now += ms(1000);
            throttle.advance(now);
            steps += 1;
            assert!(steps < 20);
        }
        assert!(steps > 5, "not at once either: {steps}");
    }

    #[test]
    fn an_unlimited_run_is_slowed_down_from_what_it_did() {
        let mut throttle = throttle(None);
        let mut now = Tick::ZERO;
        for round in 0..3 {
            for _ in 0..60 * 100 {
                now += ms(10);
                throttle.advance(now);
                throttle.succeeded(now);
            }
            assert!(throttle.refused(now, None, now), "round {round}");
            let rate = throttle.rate().unwrap_or_default();
            assert!((45.0..=50.0).contains(&rate), "round {round}: {rate}");
        }
        let free = (0..100).position(|second| {
            throttle.advance(now + ms(1000 * second));
            throttle.rate().is_none()
        });
        assert!(free.is_some(), "it is unlimited again");
    }

    #[test]
    fn the_rate_does_not_climb_while_a_wish_to_wait_is_obeyed() {
        let mut throttle = throttle(Some(100.0));
        throttle.refused(ms(0), None, ms(1));
        throttle.hold(Some(ms(60_000)), ms(2));
        assert_eq!(throttle.climbs_at(), ms(61_002));
        assert!(!throttle.advance(ms(61_001)) && throttle.advance(ms(61_002)));
    }

    #[test]
    fn refused_for_too_long_gives_up_and_a_success_starts_afresh() {
        let mut throttle = throttle(None);
        throttle.refused(ms(0), None, ms(0));
        assert_eq!(throttle.given_up(ms(1_799_999)), None);
        assert_eq!(throttle.given_up(ms(1_800_000)), Some(StopReason::Throttled));
        throttle.succeeded(ms(1_800_000));
        assert_eq!(throttle.given_up(ms(1_800_000)), None);
    }

    proptest! {
        /// The rate stays above zero and never exceeds the rate that was asked for. A pause never
        /// exceeds its cap.
        #[test]
        fn rate_and_pause_are_bounded(rate in 0.05..5000.0_f64, steps in prop::collection::vec((0_u8..3, 1_u64..3000), 1..200)) {
            let mut throttle = throttle(Some(rate));
            let mut now = Tick::ZERO;
            for (act, gap) in steps {
                now += ms(gap);
                match act {
                    0 => { throttle.refused(now, None, now); }
                    1 => throttle.succeeded(now),
                    _ => { throttle.advance(now); }
                }
                let in_force = throttle.rate().unwrap_or_default();
                prop_assert!(in_force > 0.0 && in_force <= rate);
                prop_assert!(throttle.paused_until() <= now + ms(60_000));
            }
        }
    }
}
