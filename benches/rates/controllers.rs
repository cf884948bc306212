//! Controllers of a rate: the shipped finder, and others to compare it with.

use std::time::Duration;

use ceknik::rules::permit::Permit;
use ceknik::rules::rate::{RateFinder, RatePolicy, RateStart};

use super::cases::{Asked, Case};

/// A controller of the rate of one machine.
pub(crate) trait Controller {
    /// Returns the rate in force, in calls a second; `None` is unlimited.
    fn rate(&self) -> Option<f64>;
    /// Checks whether a call may be sent now, apart from the rate.
    fn permit(&self, now: Duration) -> Permit;
    /// Returns the time at which something changes if nothing happens before.
    fn wakes_at(&self) -> Option<Duration>;
    /// Notes that a call leaves.
    fn sent(&mut self, now: Duration);
    /// Takes an answer into account, to a call that left at `sent_at`.
    fn answered(&mut self, sent_at: Duration, now: Duration);
    /// Takes a refusal into account, with the wait that the vendor asks for.
    fn refused(&mut self, sent_at: Duration, wish: Option<Duration>, now: Duration);
    /// Lets time pass.
    fn advance(&mut self, now: Duration);
}

/// Makes the shipped finder for a case.
pub(crate) fn finder(case: &Case) -> RateFinder {
    let start = match case.asked {
        Asked::Auto => RateStart::Climb { learned: None },
        Asked::Times(_) | Asked::Unlimited => RateStart::Asked,
    };
    RateFinder::new(RatePolicy { cap: case.rate(), start })
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

/// First rate of the other controllers where no limit is asked for.
const NO_LIMIT: f64 = 10_000.0;
const SECOND: Duration = Duration::from_secs(1);

/// A rate that is cut by a factor with each incident, and climbs each second by a part: AIMD, or the
/// rule of version 0.1.
#[derive(Debug, Clone)]
pub(crate) struct CutAndClimb {
    cap: f64,
    rate: f64,
    cut: f64,
    climb: f64,
    /// First pause; each incident doubles it until a call succeeds a second after one.
    base: Duration,
    pause: Duration,
    paused_until: Duration,
    incident: Option<Duration>,
    climbs_at: Duration,
}

impl CutAndClimb {
    fn new(case: &Case, cut: f64, climb: f64, base: Duration) -> Self {
        let cap = case.rate().unwrap_or(NO_LIMIT);
        let rate = if case.asked == Asked::Auto { 5.0 } else { cap };
        Self {
            cap,
            rate,
            cut,
            climb,
            base,
            pause: base,
            paused_until: Duration::ZERO,
            incident: None,
            climbs_at: SECOND,
        }
    }

    /// The rule of version 0.1: a refusal halves the rate and pauses, and the rate climbs by a tenth
    /// each second.
    pub(crate) fn before(case: &Case) -> Self {
        Self::new(case, 0.5, 1.1, Duration::from_millis(500))
    }

    /// AIMD: a refusal takes a tenth away, and the rate climbs by 1 % each second.
    pub(crate) fn aimd(case: &Case) -> Self {
        Self::new(case, 0.9, 1.01, Duration::ZERO)
    }
}

impl Controller for CutAndClimb {
    fn rate(&self) -> Option<f64> {
        Some(self.rate)
    }

    fn permit(&self, now: Duration) -> Permit {
        if now < self.paused_until { Permit::NotBefore(self.paused_until) } else { Permit::Free }
    }

    fn wakes_at(&self) -> Option<Duration> {
        Some(self.climbs_at)
    }

    fn sent(&mut self, _: Duration) {}

    fn answered(&mut self, _: Duration, now: Duration) {
        if now >= self.paused_until + SECOND {
            self.pause = self.base;
        }
    }

    fn refused(&mut self, sent_at: Duration, wish: Option<Duration>, now: Duration) {
        if let Some(wish) = wish {
            self.paused_until = self.paused_until.max(now + wish);
        }
        if self.incident.is_some_and(|at| sent_at <= at) {
            return;
        }
        self.incident = Some(now);
        self.rate = (self.rate * self.cut).max(0.1);
        self.paused_until = self.paused_until.max(now + self.pause);
        self.pause = (2 * self.pause).min(60 * SECOND);
        self.climbs_at = self.paused_until + SECOND;
    }

    fn advance(&mut self, now: Duration) {
        if now >= self.climbs_at {
            self.climbs_at = now + SECOND;
            // Before the first refusal it doubles, as the finder does.
            let climb = if self.incident.is_some() { self.climb } else { 2.0 };
            self.rate = (self.rate * climb).min(self.cap);
        }
    }
}

/// The adaptive retry mode of the AWS SDKs: a cubic curve around the rate of the last refusal, and
/// never more than twice the rate that was really sent.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    cap: f64,
    /// `None` before the first refusal.
    rate: Option<f64>,
    last_max: f64,
    refused_at: Duration,
    /// Rate that was really sent, smoothed over half seconds.
    measured: f64,
    bucket: u128,
    in_bucket: u32,
    paused_until: Duration,
}

impl Aws {
    const CUT: f64 = 0.7;
    const SCALE: f64 = 0.4;
    const SMOOTH: f64 = 0.8;
    const LEAST: f64 = 0.5;

    /// Makes it for a case. It has no first climb.
    pub(crate) fn new(case: &Case) -> Self {
        let cap = case.rate().unwrap_or(NO_LIMIT);
        Self {
            cap,
            rate: None,
            last_max: 0.0,
            refused_at: Duration::ZERO,
            measured: 0.0,
            bucket: 0,
            in_bucket: 0,
            paused_until: Duration::ZERO,
        }
    }

    fn measure(&mut self, now: Duration) {
        self.in_bucket += 1;
        let bucket = now.as_millis() / 500;
        if bucket > self.bucket {
            let rate = f64::from(self.in_bucket) / ((bucket - self.bucket) as f64 * 0.5);
            self.measured = rate * Self::SMOOTH + self.measured * (1.0 - Self::SMOOTH);
            (self.bucket, self.in_bucket) = (bucket, 0);
        }
    }
}

impl Controller for Aws {
    fn rate(&self) -> Option<f64> {
        Some(self.rate.unwrap_or(self.cap).min(self.cap))
    }

    fn permit(&self, now: Duration) -> Permit {
        if now < self.paused_until { Permit::NotBefore(self.paused_until) } else { Permit::Free }
    }

    fn wakes_at(&self) -> Option<Duration> {
        None
    }

    fn sent(&mut self, _: Duration) {}

    fn answered(&mut self, _: Duration, now: Duration) {
        self.measure(now);
        if self.rate.is_some() {
            let reach = (self.last_max * (1.0 - Self::CUT) / Self::SCALE).cbrt();
            let since = now.saturating_sub(self.refused_at).as_secs_f64();
            let wanted = Self::SCALE * (since - reach).powi(3) + self.last_max;
            self.rate = Some(wanted.min(2.0 * self.measured).max(Self::LEAST));
        }
    }

    fn refused(&mut self, _: Duration, wish: Option<Duration>, now: Duration) {
        self.measure(now);
        if let Some(wish) = wish {
            self.paused_until = self.paused_until.max(now + wish);
        }
        let used = self.rate.map_or(self.measured, |rate| rate.min(self.measured));
        (self.last_max, self.refused_at) = (used, now);
        self.rate = Some((used * Self::CUT).max(Self::LEAST));
    }

    fn advance(&mut self, _: Duration) {}
}
