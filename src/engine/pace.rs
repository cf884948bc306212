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
use super::notice::{Notice, Notices};
use super::pauses::Pauses;
use super::report::{Pause, PauseTimes};
use super::slots::SlotQueue;
use crate::ledger::{News, Slots, SlotsWish, SourceChange};
use crate::model::attempt::{Tick, WallMs};
use crate::model::class::Class;
use crate::model::pause::{self, PauseKind};
use crate::model::stop::StopReason;
use crate::rules::breaker::{Breaker, source_health};
use crate::rules::permit::Permit;
use crate::rules::rate::{Fellows, Learned};
use crate::rules::throttle::{Throttle, ThrottleChange};

/// Longest time by which an intent is made ahead of its send, at the current rate.
const AHEAD: Duration = Duration::from_millis(20);
/// The same where slots are asked for: the answer of the ledger takes time too.
const AHEAD_WITH_SLOTS: Duration = Duration::from_millis(40);
/// Longest pause in which unsent intents are kept. An intent that stays unsent through a longer
/// pause would be in doubt after a crash.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// The breaker, the throttle and the gate of a run.
pub(super) struct Pace {
    breaker: Breaker,
    throttle: Throttle,
    gate: Gate,
    /// The slots of this worker; `None` where no other worker shares the rate.
    slots: Option<SlotQueue>,
    /// Change of the source that the others must be told.
    untold: Option<SourceChange>,
    pauses: Pauses,
    notices: Notices,
    /// Jitter has to be spread, not secret.
    jitter: fastrand::Rng,
}

impl Pace {
    pub(super) fn new(options: &EngineOptions) -> Self {
        let throttle = Throttle::new(options.throttle);
        Self {
            breaker: Breaker::new(options.breaker.clone()),
            gate: Gate::new(throttle.rate()),
            throttle,
            slots: options.lease.map(|_| SlotQueue::default()),
            untold: None,
            pauses: Pauses::default(),
            notices: Notices::default(),
            jitter: fastrand::Rng::with_seed(options.seed),
        }
    }

    /// Lets time pass: the rate may change.
    pub(super) fn advance(&mut self, now: Tick) {
        self.throttle.advance(now);
        self.gate.set_rate(self.rate(), now);
        match self.throttle.take_change(now) {
            Some(ThrottleChange::Limit(change)) => self.notices.add(Notice::RateFound(change)),
            Some(ThrottleChange::Paused) => {
                self.notices.add(Notice::RateLimited { times: self.throttled(now) });
            }
            Some(ThrottleChange::Resumed(after)) => self.notices.add(Notice::Resumed { after }),
            None => {}
        }
    }

    /// Returns what was found out about the vendor's limits.
    pub(super) fn learned(&self) -> Learned {
        self.throttle.learned()
    }

    /// Checks whether calls may be sent now, apart from the rate.
    fn permit(&self, now: Tick) -> Permit {
        self.breaker.permit(now).and(self.throttle.permit(now))
    }

    /// Returns the permission for which intents are made: a pause of the throttle that is over soon
    /// does not count.
    fn permit_soon(&self, now: Tick) -> Permit {
        self.breaker.permit(now).and(self.throttle.permit(now + AHEAD))
    }

    /// Returns the number of calls a second that may leave now.
    pub(super) fn rate(&self) -> Option<f64> {
        self.throttle.rate()
    }

    /// Returns the rate that the other workers must keep to as well.
    pub(super) fn told_rate(&self) -> Option<f64> {
        self.throttle.told_rate()
    }

    /// Takes into account what the other workers have told: the lowest rate, a pause, and the state
    /// of the source.
    pub(super) fn hear(&mut self, news: &News, now: Tick) {
        // The worker that tries whether the source answers is also the one that raises the rate.
        let is_leader = news.source.is_prober;
        let fellows = Fellows { rate: news.rate, workers: news.workers, is_leader };
        self.throttle.hear(fellows, now);
        if !news.pause.is_zero() {
            self.hear_pause(now + news.pause, now);
        }
        // What the ledger tells is older than what it has not been told yet.
        if self.untold.is_some() {
            return;
        }
        let was_open = self.breaker.is_open();
        self.breaker.hear(news.source.is_down, news.source.is_prober, now);
        self.report_source(was_open, None, None, now);
    }

    fn hear_pause(&mut self, until: Tick, now: Tick) {
        self.throttle.hear_pause(until, now);
        if let Some(slots) = &mut self.slots {
            slots.clear();
        }
    }

    /// Begins another round: what is under way to the ledger is never answered.
    pub(super) fn begin_round(&mut self) {
        if let Some(slots) = &mut self.slots {
            slots.begin_round();
        }
    }

    /// Checks whether this worker alone cannot reach the vendor.
    pub(super) fn is_cut_off(&self) -> bool {
        self.breaker.is_open() && !self.breaker.concerns_all()
    }

    /// Checks whether the others must be told of a change.
    pub(super) const fn has_untold(&self) -> bool {
        self.untold.is_some()
    }

    /// Takes the change of the source that the others must be told.
    pub(super) const fn take_untold(&mut self) -> Option<SourceChange> {
        self.untold.take()
    }

    /// Returns the wish for slots that is due, if one is. `ahead` is the number of intents that wait
    /// to be sent, and `in_flight` that of the calls whose answers are waited for.
    pub(super) fn take_slots_wish(
        &mut self,
        ahead: usize,
        in_flight: usize,
        now: Tick,
        wall: WallMs,
    ) -> Option<SlotsWish> {
        let needed = match self.permit_soon(now) {
            Permit::Free => ahead,
            Permit::Probe => ahead.min(1),
            Permit::NotBefore(_) | Permit::Probing => 0,
        };
        let rate = self.rate();
        // Without a rate, whoever has calls in flight looks for a pause.
        let needed = if rate.is_none() { needed + in_flight } else { needed };
        self.slots.as_mut()?.take_wish(needed, rate, now, wall)
    }

    /// Takes the ledger's answer to a wish for slots into account.
    pub(super) fn hear_slots(&mut self, told: Option<Slots>, now: Tick, wall: WallMs) {
        let pause = self.slots.as_mut().and_then(|slots| slots.answered(told, now, wall));
        if let Some(until) = pause {
            self.hear_pause(until, now);
        }
    }

    /// Returns the reason to give the run up, if an outage or a pause has taken too long.
    pub(super) fn given_up(&self, now: Tick) -> Option<StopReason> {
        self.breaker.given_up(now).or_else(|| self.throttle.given_up(now))
    }

    /// Takes a reply into account. Returns `true` if the reply begins a new incident in which the
    /// vendor asks the whole run to slow down. `cause` is the program's own description of a
    /// failure.
    pub(super) fn replied(
        &mut self,
        class: Class,
        cause: Option<&str>,
        flight: Flight,
        retry_after: Option<Duration>,
        now: Tick,
    ) -> bool {
        let (was_open, concerned_all) = (self.breaker.is_open(), self.breaker.concerns_all());
        self.breaker.replied(source_health(class), flight.at.0, flight.is_probe, now);
        self.report_source(was_open, Some(class), cause, now);
        match (concerned_all, self.breaker.concerns_all()) {
            (false, true) => self.untold = Some(SourceChange::Down),
            (true, false) if !self.breaker.is_open() => self.untold = Some(SourceChange::Up),
            _ => {}
        }
        let paused_until = self.throttle.paused_until();
        let is_new = if class == Class::Throttled {
            self.throttle.refused(flight.sent_at, retry_after, now)
        } else {
            self.throttle.hold(retry_after, now);
            match class {
                Class::Answered(_) => self.throttle.succeeded(flight.sent_at, now),
                _ => self.throttle.failed(flight.sent_at, now),
            }
            false
        };
        self.gate.set_rate(self.rate(), now);
        if self.throttle.paused_until() > paused_until
            && let Some(slots) = &mut self.slots
        {
            slots.tell_pause(self.throttle.paused_until());
        }
        is_new
    }

    /// Adds a notice if an outage of the source has begun or ended. `class` is the reply that showed
    /// it; `None` if another worker has told it.
    fn report_source(
        &mut self,
        was_open: bool,
        class: Option<Class>,
        cause: Option<&str>,
        now: Tick,
    ) {
        let (why, since) = (self.breaker.why(), self.breaker.since());
        match (was_open, self.breaker.is_open()) {
            (false, true) => {
                let (cause, times) = (cause.map(str::to_owned), self.outage(now));
                self.notices.add(Notice::Paused { why, class, cause, times });
            }
            (true, false) => {
                self.notices.add(Notice::Resumed { after: now.saturating_sub(since) });
            }
            _ => {}
        }
    }

    /// Takes the oldest notice.
    pub(super) fn take_notice(&mut self) -> Option<Notice> {
        self.notices.take()
    }

    /// Returns the times of the outage that is under way.
    fn outage(&self, now: Tick) -> PauseTimes {
        let next_call = match self.breaker.permit(now) {
            Permit::NotBefore(at) => Some(at),
            Permit::Probe => Some(now),
            Permit::Probing | Permit::Free => None,
        };
        PauseTimes { since: self.breaker.since(), next_call, gives_up: self.breaker.gives_up_at() }
    }

    /// Returns the times of the pause that the vendor asked for.
    fn throttled(&self, now: Tick) -> PauseTimes {
        let (since, next_call) = self.throttle.pause(now).unwrap_or((now, None));
        PauseTimes { since, next_call, gives_up: self.throttle.gives_up_at() }
    }

    /// Lets one call leave now, if it may. Returns `None` if it may not, and `Some(true)` if the call
    /// is the probe of an outage.
    pub(super) fn permits_send(&mut self, now: Tick, wall: WallMs) -> Option<bool> {
        let is_open = matches!(self.permit(now), Permit::Free | Permit::Probe);
        if !is_open || !self.passes(now, wall) {
            return None;
        }
        self.throttle.sent(now);
        let is_probe = self.breaker.permit(now) == Permit::Probe;
        if is_probe {
            self.breaker.probe_sent();
        }
        Some(is_probe)
    }

    /// Lets one call pass at the rate, if its moment has come.
    fn passes(&mut self, now: Tick, wall: WallMs) -> bool {
        match (&mut self.slots, self.throttle.rate()) {
            (None, _) => self.gate.check(now).is_ok(),
            (Some(_), None) => true,
            (Some(slots), Some(_)) => slots.take(now, wall),
        }
    }

    /// Returns the number of intents that may be made ahead of their calls; `None` means as many as
    /// there are slots.
    pub(super) fn most_ahead(&self, now: Tick) -> Option<usize> {
        match self.permit_soon(now) {
            Permit::NotBefore(_) | Permit::Probing => Some(0),
            Permit::Probe => Some(1),
            Permit::Free => {
                let ahead =
                    self.slots.as_ref().map_or(AHEAD, |slots| slots.ahead(AHEAD_WITH_SLOTS));
                self.rate().map(|rate| (rate * ahead.as_secs_f64()).ceil() as usize)
            }
        }
    }

    /// Checks whether nothing will leave for a while.
    pub(super) fn is_long_pause(&self, now: Tick) -> bool {
        match self.breaker.permit(now) {
            Permit::NotBefore(_) | Permit::Probing => true,
            Permit::Free | Permit::Probe => match self.throttle.permit(now) {
                Permit::NotBefore(at) => at > now + LONG_PAUSE,
                Permit::Probing => self.throttle.pause(now).is_some(),
                Permit::Free | Permit::Probe => false,
            },
        }
    }

    /// Returns the times at which something may change. `work` is true if anything waits to be sent
    /// or may still come, and `unsent` if a durable intent waits to be sent.
    pub(super) fn wakes(&self, now: Tick, work: bool, unsent: bool) -> [Option<Tick>; 6] {
        let probe = match self.breaker.permit(now) {
            Permit::NotBefore(at) => Some(at),
            _ => None,
        };
        let passes_at = match &self.slots {
            Some(slots) => slots.wakes_at(now),
            None => self.gate.check_again_at(),
        };
        [
            self.breaker.gives_up_at(),
            self.throttle.gives_up_at(),
            work.then_some(self.throttle.paused_until()),
            probe.filter(|_| work),
            passes_at.filter(|_| unsent),
            self.throttle.changes_at(),
        ]
    }

    /// Returns the reason why nothing is being sent now.
    pub(super) fn pause(&self, now: Tick) -> Option<Pause> {
        if self.breaker.is_open() {
            return Some(Pause::Outage(self.breaker.why(), self.outage(now)));
        }
        self.throttle.pause(now).map(|_| Pause::Throttled(self.throttled(now)))
    }

    /// Returns the pauses that have begun or ended since the last call of this function.
    pub(super) fn take_pauses(
        &mut self,
        now: Tick,
        wall: WallMs,
    ) -> impl Iterator<Item = pause::Pause> + use<> {
        let paused = match self.pause(now) {
            Some(Pause::Outage(StopReason::Unreachable, times)) => {
                Some((PauseKind::Unreachable, times.since))
            }
            Some(Pause::Outage(_, times)) => Some((PauseKind::Outage, times.since)),
            Some(Pause::Throttled(times)) => Some((PauseKind::RateLimit, times.since)),
            Some(Pause::Draining(_)) | None => None,
        };
        self.pauses.see(paused, self.rate(), now, wall)
    }

    /// Returns a number in `0.0..1.0` for the next jitter.
    pub(super) fn jitter(&mut self) -> f64 {
        self.jitter.f64()
    }
}
