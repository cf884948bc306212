//! The pace: decides whether a call may leave now, and how many intents may be made ahead of their
//! calls.
//!
//! Must hold: nothing leaves in a pause or faster than the rate, and in an outage there is one
//! probe at a time.
//!
//! Never: reads a clock or waits.

use std::time::Duration;

use super::EngineOptions;
use super::gate::Gate;
use super::intents::Flight;
use super::report::Pause;
use crate::model::attempt::Tick;
use crate::model::class::Class;
use crate::model::stop::StopReason;
use crate::rules::breaker::{Breaker, Permit, source_health};
use crate::rules::throttle::Throttle;

/// Longest time by which an intent is made ahead of its send, at the current rate.
const AHEAD: Duration = Duration::from_millis(20);
/// Longest pause in which unsent intents are kept. An intent that stays unsent through a longer
/// pause would be in doubt after a crash.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// The part of a rate that one of several workers keeps to.
#[derive(Debug, Clone, Copy)]
struct Shared {
    /// Lowest rate that one of the workers was asked to keep to.
    lowest: Option<f64>,
    /// Number of workers.
    sharers: u32,
}

impl Shared {
    const ALONE: Self = Self { lowest: None, sharers: 1 };

    /// Returns this worker's part of a rate.
    fn part_of(self, rate: Option<f64>) -> Option<f64> {
        let rates = rate.into_iter().chain(self.lowest);
        rates.reduce(f64::min).map(|rate| rate / f64::from(self.sharers.max(1)))
    }
}

/// The breaker, the throttle and the gate of a run.
pub(super) struct Pace {
    breaker: Breaker,
    throttle: Throttle,
    gate: Gate,
    /// The rate of the account, which this worker shares with others.
    shared: Shared,
    /// Jitter has to be spread, not secret.
    jitter: fastrand::Rng,
}

impl Pace {
    pub(super) fn new(options: &EngineOptions) -> Self {
        Self {
            breaker: Breaker::new(options.breaker.clone()),
            throttle: Throttle::new(options.throttle.clone()),
            gate: Gate::new(options.throttle.rate),
            shared: Shared::ALONE,
            jitter: fastrand::Rng::with_seed(options.seed),
        }
    }

    /// Lets time pass: a lowered rate climbs back.
    pub(super) fn advance(&mut self, now: Tick) {
        if self.throttle.advance(now) {
            self.gate.set_rate(self.rate(), now);
        }
    }

    /// Takes into account that the rate of the account is shared with other workers: `lowest` is
    /// the lowest rate that one of them was asked to keep to.
    pub(super) fn share(&mut self, lowest: Option<f64>, sharers: u32, now: Tick) {
        self.shared = Shared { lowest, sharers };
        self.gate.set_rate(self.rate(), now);
    }

    /// Returns the rate that the user asked for.
    pub(super) const fn asked(&self) -> Option<f64> {
        self.throttle.asked()
    }

    /// Returns the number of calls a second that may leave now.
    fn rate(&self) -> Option<f64> {
        self.shared.part_of(self.throttle.rate())
    }

    /// Returns the reason to give the run up, if an outage or a pause has taken too long.
    pub(super) fn given_up(&self, now: Tick) -> Option<StopReason> {
        self.breaker.given_up(now).or_else(|| self.throttle.given_up(now))
    }

    /// Takes a reply into account. Returns `true` if the reply begins a new incident in which the
    /// vendor asks the whole run to slow down.
    pub(super) fn replied(
        &mut self,
        class: Class,
        flight: Flight,
        retry_after: Option<Duration>,
        now: Tick,
    ) -> bool {
        let was_open = self.breaker.is_open();
        self.breaker.replied(source_health(class), flight.at.0, flight.is_probe, now);
        match (was_open, self.breaker.is_open()) {
            (false, true) => tracing::warn!(
                class = class.name(),
                "the source does not answer: pausing, one row at a time is tried"
            ),
            (true, false) => tracing::info!("the source answers again: going on"),
            _ => {}
        }
        if matches!(class, Class::Answered(_)) {
            self.throttle.hold(retry_after, now);
            self.throttle.succeeded(now);
        } else if class != Class::Throttled {
            self.throttle.hold(retry_after, now);
        } else {
            let is_new = self.throttle.refused(flight.sent_at, retry_after, now);
            if is_new {
                let rate = self.throttle.rate().unwrap_or_default();
                tracing::warn!(rate, "the vendor asks to slow down: pausing, then a lower rate");
            }
            self.gate.set_rate(self.rate(), now);
            return is_new;
        }
        false
    }

    /// Checks whether one call may leave now. Returns `None` if it may not, and `Some(true)` if the
    /// call is the probe of an outage.
    pub(super) fn permits_send(&mut self, now: Tick) -> Option<bool> {
        let permit = self.breaker.permit(now);
        let is_open = matches!(permit, Permit::Free | Permit::Probe);
        if self.throttle.paused_until() > now || !is_open || self.gate.check(now).is_err() {
            return None;
        }
        let is_probe = permit == Permit::Probe;
        if is_probe {
            self.breaker.probe_sent();
        }
        Some(is_probe)
    }

    /// Returns the number of intents that may be made ahead of their calls; `None` means as many as
    /// there are slots.
    pub(super) fn most_ahead(&self, now: Tick) -> Option<usize> {
        if self.throttle.paused_until() > now + AHEAD {
            return Some(0);
        }
        match self.breaker.permit(now) {
            Permit::NotBefore(_) | Permit::Probing => Some(0),
            Permit::Probe => Some(1),
            Permit::Free => self.rate().map(|rate| (rate * AHEAD.as_secs_f64()).ceil() as usize),
        }
    }

    /// Checks whether nothing will leave for a while.
    pub(super) fn is_long_pause(&self, now: Tick) -> bool {
        match self.breaker.permit(now) {
            Permit::NotBefore(_) | Permit::Probing => true,
            Permit::Free | Permit::Probe => self.throttle.paused_until() > now + LONG_PAUSE,
        }
    }

    /// Returns the times at which something may change. `work` is true if anything waits to be sent
    /// or may still come, and `unsent` if a durable intent waits to be sent.
    pub(super) fn wakes(&self, now: Tick, work: bool, unsent: bool) -> [Option<Tick>; 6] {
        let probe = match self.breaker.permit(now) {
            Permit::NotBefore(at) => Some(at),
            _ => None,
        };
        let is_slowed = self.throttle.rate() != self.throttle.asked();
        [
            self.breaker.gives_up_at(),
            self.throttle.gives_up_at(),
            work.then_some(self.throttle.paused_until()),
            probe.filter(|_| work),
            self.gate.check_again_at().filter(|_| unsent),
            is_slowed.then_some(self.throttle.climbs_at()),
        ]
    }

    /// Returns the reason why nothing is being sent now.
    pub(super) fn pause(&self, now: Tick) -> Option<Pause> {
        if self.breaker.is_open() {
            return Some(Pause::Outage(self.breaker.why()));
        }
        (self.throttle.paused_until() > now).then_some(Pause::Throttled)
    }

    /// Returns a number in `0.0..1.0` for the next jitter.
    pub(super) fn jitter(&mut self) -> f64 {
        self.jitter.f64()
    }
}
