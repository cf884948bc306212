//! The throttle: keeps to the vendor's rate, and pauses the whole run when the vendor asks for it.
//!
//! The rate itself is found by the [`RateFinder`]. The server's `Retry-After` is always obeyed, with
//! any answer.
//!
//! Several workers that use one account keep to the lowest rate of any of them, and a pause of one
//! is a pause of all. The worker that was refused lowers its rate, and the others hear of it.
//!
//! Never: reads a clock or waits. The caller passes the time.

use std::time::Duration;

use crate::model::attempt::Tick;
use crate::model::stop::StopReason;
use crate::rules::permit::Permit;
use crate::rules::rate::{Fellows, Learned, RateChange, RateFinder, RatePolicy, Told};

/// Difference between two times that are heard of the same pause.
const HEARD_AGAIN: Duration = Duration::from_millis(50);
/// Length from which on a pause is worth telling.
const LONG: Duration = Duration::from_secs(3);
/// Length from which on a pause is shown.
const SHOWN: Duration = Duration::from_secs(1);

/// Settings of the throttle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThrottlePolicy {
    /// The rate.
    pub rate: RatePolicy,
    /// Longest time of refusals without a success. After this time the run is given up.
    pub max_outage: Duration,
    /// Longest such time once the vendor has answered in this start: the calls of an hour may be
    /// used up.
    pub max_refusals: Duration,
}

/// A change that the user is told of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ThrottleChange {
    /// The vendor's limit was found, or has moved.
    Limit(RateChange),
    /// Every call is refused for a while now, or the vendor asks for a long wait.
    Paused,
    /// Calls are answered again, after this time.
    Resumed(Duration),
}

/// The throttle of one start.
///
/// ```
/// use std::time::Duration;
///
/// use ceknik::rules::permit::Permit;
/// use ceknik::rules::rate::{RatePolicy, RateStart};
/// use ceknik::rules::throttle::{Throttle, ThrottlePolicy};
///
/// let ms = Duration::from_millis;
/// let mut throttle = Throttle::new(ThrottlePolicy {
///     rate: RatePolicy { cap: Some(100.0), start: RateStart::Asked },
///     max_outage: ms(1_800_000),
///     max_refusals: ms(3_900_000),
/// });
///
/// // The vendor asks to wait for two seconds.
/// throttle.sent(ms(900));
/// throttle.refused(ms(900), Some(ms(2000)), ms(1000));
/// assert_eq!(throttle.permit(ms(1000)), Permit::NotBefore(ms(3000)));
/// ```
#[derive(Debug, Clone)]
pub struct Throttle {
    policy: ThrottlePolicy,
    finder: RateFinder,
    /// Time before which nothing is sent, because the vendor or another worker has asked for it.
    paused_until: Tick,
    /// Time at which that pause began.
    paused_since: Tick,
    /// Time until which the vendor has asked this worker to wait.
    asked_until: Tick,
    /// Time of the first refusal since the last success.
    refused_since: Option<Tick>,
    has_answered: bool,
    /// Limits that the user was told of.
    told: Told,
    /// Begin of the pause that the user was told of.
    told_pause: Option<Tick>,
}

impl Throttle {
    /// Creates a throttle without a pause.
    pub fn new(policy: ThrottlePolicy) -> Self {
        Self {
            finder: RateFinder::new(policy.rate),
            policy,
            paused_until: Tick::ZERO,
            paused_since: Tick::ZERO,
            asked_until: Tick::ZERO,
            refused_since: None,
            has_answered: false,
            told: Told::default(),
            told_pause: None,
        }
    }

    /// Returns the rate in force, in calls a second; `None` is unlimited.
    pub const fn rate(&self) -> Option<f64> {
        self.finder.rate()
    }

    /// Returns the rate that the other workers must keep to as well.
    pub fn told_rate(&self) -> Option<f64> {
        self.finder.told_rate()
    }

    /// Returns what was found out about the vendor's limits.
    pub fn learned(&self) -> Learned {
        self.finder.learned()
    }

    /// Checks whether calls may be sent now, apart from the rate.
    pub fn permit(&self, now: Tick) -> Permit {
        let permit = self.finder.permit(now);
        match now < self.paused_until {
            true => Permit::NotBefore(self.paused_until).and(permit),
            false => permit,
        }
    }

    /// Returns the time before which nothing may be sent.
    pub fn paused_until(&self) -> Tick {
        self.paused_until.max(self.finder.opens_at())
    }

    /// Returns the begin and the end of the pause that is under way, if it is worth showing. The
    /// end is `None` while a call finds out.
    pub fn pause(&self, now: Tick) -> Option<(Tick, Option<Tick>)> {
        let until = match self.permit(now) {
            Permit::Free => return None,
            Permit::NotBefore(at) => Some(at),
            Permit::Probe => Some(now),
            Permit::Probing => None,
        };
        let since = match self.finder.stopped_since() {
            Some(since) => since,
            None if now < self.paused_until => self.paused_since,
            // A moment in which an incident settles.
            None => return None,
        };
        let is_long = until.unwrap_or(now) >= since + SHOWN;
        is_long.then_some((since, until))
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

    /// Takes into account what the other workers tell of the rate.
    pub fn hear(&mut self, told: Fellows, now: Tick) {
        self.finder.hear(told, now);
    }

    /// Takes into account that all workers pause until this time. Calls that were sent before now
    /// belong to the incident of the worker that was refused.
    pub fn hear_pause(&mut self, until: Tick, now: Tick) {
        if until > self.paused_until + HEARD_AGAIN {
            self.pause_until(until, now);
            self.finder.hear_pause(now);
        }
    }

    /// Notes that a call leaves now.
    pub fn sent(&mut self, now: Tick) {
        self.finder.sent(now);
    }

    /// Takes the refusal of a call that was sent at `sent_at` into account: the vendor says that
    /// the run is too fast. Returns `true` if this began a new incident.
    pub fn refused(&mut self, sent_at: Tick, retry_after: Option<Duration>, now: Tick) -> bool {
        self.refused_since.get_or_insert(now);
        self.hold(retry_after, now);
        self.finder.refused(sent_at, retry_after, now)
    }

    /// Takes any other answer into account: if the server asks for a wait, the whole run waits.
    pub fn hold(&mut self, retry_after: Option<Duration>, now: Tick) {
        if let Some(wish) = retry_after {
            self.pause_until(now + wish, now);
            self.asked_until = self.asked_until.max(now + wish);
        }
    }

    /// Takes a result code into account, which is a success.
    pub fn succeeded(&mut self, sent_at: Tick, now: Tick) {
        (self.refused_since, self.has_answered) = (None, true);
        self.finder.answered(sent_at, now);
    }

    /// Takes any other reply into account. It says nothing of the rate.
    pub fn failed(&mut self, sent_at: Tick, now: Tick) {
        self.finder.failed(sent_at, now);
    }

    /// Lets time pass.
    pub fn advance(&mut self, now: Tick) {
        self.finder.advance(now);
    }

    /// Returns what the user has to be told now, if anything.
    pub fn take_change(&mut self, now: Tick) -> Option<ThrottleChange> {
        let pause = self.pause(now).map(|(since, until)| (since, until.unwrap_or(now)));
        match (pause, self.told_pause) {
            (Some((since, until)), None) if until >= since + LONG => {
                self.told_pause = Some(since);
                return Some(ThrottleChange::Paused);
            }
            (None, Some(since)) => {
                self.told_pause = None;
                return Some(ThrottleChange::Resumed(now.saturating_sub(since)));
            }
            _ => {}
        }
        self.told.change(self.learned(), now).map(ThrottleChange::Limit)
    }

    /// Returns the longest time of refusals without a success.
    const fn patience(&self) -> Duration {
        if self.has_answered { self.policy.max_refusals } else { self.policy.max_outage }
    }

    /// Returns the reason to give the run up: refusals without a success for too long, or a server
    /// that asks for a wait longer than that.
    pub fn given_up(&self, now: Tick) -> Option<StopReason> {
        let refused = self.refused_since.is_some_and(|at| now >= at + self.patience());
        let asked = self.asked_until > now + self.patience();
        (refused || asked).then_some(StopReason::Throttled)
    }

    /// Returns the time at which the run will be given up unless a call succeeds; `None` if no call
    /// was refused since the last success.
    pub fn gives_up_at(&self) -> Option<Tick> {
        self.refused_since.map(|at| at + self.patience())
    }

    /// Returns the time at which the rate changes or a call is tried if no event comes before.
    pub fn changes_at(&self) -> Option<Tick> {
        self.finder.wakes_at()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::rate::RateStart;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn throttle(cap: Option<f64>) -> Throttle {
        let rate = RatePolicy { cap, start: RateStart::Asked };
        Throttle::new(ThrottlePolicy {
            rate,
            max_outage: ms(1_800_000),
            max_refusals: ms(3_900_000),
        })
    }

    #[test]
    fn a_pause_of_another_worker_is_its_incident() {
        let mut throttle = throttle(Some(100.0));
        throttle.hear_pause(ms(1500), ms(1000));
        throttle.hear_pause(ms(1520), ms(1020));
        assert_eq!((throttle.rate(), throttle.paused_until()), (Some(100.0), ms(1500)));
        for sent_at in [900, 910, 920] {
            assert!(!throttle.refused(ms(sent_at), None, ms(1100)), "sent before it was heard of");
        }
    }

    #[test]
    fn the_servers_wish_is_obeyed_also_from_a_straggler() {
        let mut throttle = throttle(Some(100.0));
        throttle.refused(ms(0), Some(ms(7000)), ms(10));
        assert_eq!(throttle.permit(ms(10)), Permit::NotBefore(ms(7010)));
        throttle.refused(ms(5), Some(ms(9000)), ms(20));
        assert_eq!(throttle.permit(ms(20)), Permit::NotBefore(ms(9020)));
        assert_eq!(throttle.given_up(ms(30)), None);
        throttle.hold(Some(ms(3_600_000)), ms(40));
        assert_eq!(throttle.given_up(ms(40)), Some(StopReason::Throttled));
    }

    #[test]
    fn it_gives_up_when_it_said_it_would() {
        let mut throttle = throttle(Some(100.0));
        assert_eq!(throttle.gives_up_at(), None);
        throttle.hold(Some(ms(1_800_000)), ms(0));
        assert_eq!(throttle.given_up(ms(0)), None, "as long as it would wait");
        throttle.refused(ms(7), None, ms(10));
        assert_eq!(throttle.gives_up_at(), Some(ms(1_800_010)));
        let told = [1_800_009, 1_800_010].map(|at| throttle.given_up(ms(at)));
        assert_eq!(told, [None, Some(StopReason::Throttled)]);
        throttle.succeeded(ms(1_800_000), ms(1_800_011));
        assert_eq!(throttle.gives_up_at(), None);
        throttle.refused(ms(1_800_020), None, ms(1_800_020));
        let patience = throttle.gives_up_at().map(|at| at - ms(1_800_020));
        assert_eq!(patience, Some(ms(3_900_000)), "it has answered: perhaps an hour is used up");
    }

    /// Plays a vendor that allows 50 calls in each second and answers after 40 ms. Returns what is told
    /// in this many seconds.
    fn told_by_a_vendor_of_fifty(seconds: u64) -> Vec<ThrottleChange> {
        let mut throttle = throttle(Some(200.0));
        let (mut told, mut flights) = (Vec::new(), std::collections::VecDeque::new());
        let (mut earned, mut used) = (0.0, (0, 0));
        for now in 0..seconds * 1000 {
            while flights.front().is_some_and(|(at, _)| at + 40 <= now) {
                match flights.pop_front() {
                    Some((at, true)) => throttle.succeeded(ms(at), ms(now)),
                    Some((at, false)) => drop(throttle.refused(ms(at), None, ms(now))),
                    None => {}
                }
            }
            throttle.advance(ms(now));
            told.extend(throttle.take_change(ms(now)));
            earned = (earned + throttle.rate().unwrap_or_default() / 1000.0).min(2.0);
            if earned >= 1.0 && matches!(throttle.permit(ms(now)), Permit::Free | Permit::Probe) {
                earned -= 1.0;
                throttle.sent(ms(now));
                used = if used.0 == now / 1000 { (used.0, used.1 + 1) } else { (now / 1000, 1) };
                flights.push_back((now, used.1 <= 50));
            }
        }
        told
    }

    #[test]
    fn a_limit_is_told_when_it_is_found_and_no_refusal_is() {
        let told = told_by_a_vendor_of_fifty(180);
        assert!(told.len() <= 2, "{told:?}");
        let ThrottleChange::Limit(RateChange::Ceiling { rate, before: None }) = told[0] else {
            panic!("{told:?}")
        };
        assert!((40.0..56.0).contains(&rate), "{rate}");
    }

    #[test]
    fn a_long_pause_is_told_once_and_its_end_too() {
        let mut throttle = throttle(Some(100.0));
        throttle.refused(ms(0), Some(ms(2000)), ms(10));
        assert_eq!(throttle.take_change(ms(10)), None, "two seconds are shown, and not told");
        assert_eq!(throttle.pause(ms(10)), Some((ms(10), Some(ms(2010)))));
        throttle.hold(Some(ms(60_000)), ms(20));
        assert_eq!(throttle.take_change(ms(20)), Some(ThrottleChange::Paused));
        assert_eq!(throttle.take_change(ms(30)), None);
        throttle.succeeded(ms(60_021), ms(60_025));
        throttle.advance(ms(60_030));
        let after = ThrottleChange::Resumed(ms(60_020));
        assert_eq!(throttle.take_change(ms(60_030)), Some(after));
    }
}
