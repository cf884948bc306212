//! The finder: its phases, and what happens in each.

use std::time::Duration;

use super::answer_times::AnswerTimes;
use super::belief::{Belief, HELD, RECOVERING};
use super::counts::{RecentCounts, SECOND};
use super::fellows::Fellows;
use super::history::RateHistory;
use super::incident::Incident;
use super::learned::Learned;
use super::level::{Level, above};
use super::sample::Sample;
use super::stop::{SHORTEST_WAIT, Stop};
use super::suspicion::{Suspected, Suspicion};
use super::windows::Windows;
use super::{RatePolicy, RateStart};
use crate::model::attempt::Tick;
use crate::rules::permit::Permit;

mod climb;
mod hear;
mod settle;
#[cfg(test)]
mod tests;

/// Lowest rate, in calls a second.
const FLOOR: f64 = 0.1;
/// Time for which the vendor's counts drain.
const RECOVERY: Duration = SECOND;

/// The phases of the finder.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Asked,
    Start { level: Level, passed: Option<f64>, goal: Option<f64> },
    Settling(Incident),
    Recovering { until: Tick },
    Holding(Level),
    Probing { level: Level, step: usize, surplus: f64 },
    Stopped(Stop),
}

/// The finder of one start.
///
/// ```
/// use std::time::Duration;
///
/// use ceknik::rules::rate::{RateFinder, RatePolicy, RateStart};
///
/// let ms = Duration::from_millis;
/// let policy = RatePolicy { cap: Some(100.0), start: RateStart::Asked };
/// let mut finder = RateFinder::new(policy);
///
/// // At 100 calls a second every second call is refused: the vendor allows 50.
/// for n in 0..40 {
///     finder.sent(ms(10 * n));
///     match n % 2 {
///         0 => finder.answered(ms(10 * n), ms(10 * n + 5)),
///         _ => drop(finder.refused(ms(10 * n), None, ms(10 * n + 5))),
///     }
/// }
/// finder.advance(ms(1000));
/// assert!(finder.rate().is_some_and(|rate| rate < 60.0));
/// ```
#[derive(Debug, Clone)]
pub struct RateFinder {
    cap: Option<f64>,
    phase: Phase,
    /// Rate that this worker keeps to by itself, in calls a second; `None` is unlimited.
    own: Option<f64>,
    /// Rate in force: the lowest of any worker.
    rate: Option<f64>,
    /// The words of the other workers; `None` before the first ones.
    fellows: Option<Fellows>,
    /// Time since which the others tell a much higher rate.
    rises_since: Option<Tick>,
    history: RateHistory,
    belief: Belief,
    /// Highest rate that was used up without a refusal.
    passed: Option<f64>,
    /// Rate that was held for a while without a refusal, and is not refused now.
    stood: Option<f64>,
    /// Calls that left until this time belong to an incident that is over.
    settled_until: Option<Tick>,
    last_incident: Option<Tick>,
    /// Time of the last cut that the sample did not justify.
    cut_at: Option<Tick>,
    /// Time at which such cuts came close together: others use the vendor's limit too.
    crowd_at: Option<Tick>,
    suspicion: Suspicion,
    sample: Sample,
    /// Calls that left after the incident that is settling.
    later: Sample,
    times: AnswerTimes,
    windows: Windows,
    answered_by_send: RecentCounts,
    answers: RecentCounts,
    /// Last wait that the vendor asked for with a refusal.
    wish: Duration,
    paused_until: Tick,
    /// True if the ceiling was estimated from the calls of a moment: it is only a lower bound.
    knows_too_little: bool,
    resumed_at: Option<Tick>,
    first_wait: Duration,
}

impl RateFinder {
    /// Creates a finder at time zero.
    pub fn new(policy: RatePolicy) -> Self {
        let ms = Duration::from_millis;
        let mut finder = Self {
            cap: policy.cap,
            phase: Phase::Asked,
            own: policy.cap,
            rate: policy.cap,
            fellows: None,
            rises_since: None,
            history: RateHistory::default(),
            belief: Belief::default(),
            passed: None,
            stood: None,
            settled_until: None,
            last_incident: None,
            cut_at: None,
            crowd_at: None,
            suspicion: Suspicion::default(),
            sample: Sample::default(),
            later: Sample::default(),
            times: AnswerTimes::default(),
            windows: Windows::default(),
            answered_by_send: RecentCounts::new(ms(10), 600),
            answers: RecentCounts::new(ms(10), 210),
            wish: Duration::ZERO,
            paused_until: Tick::ZERO,
            knows_too_little: false,
            resumed_at: None,
            first_wait: SHORTEST_WAIT,
        };
        match policy.start {
            RateStart::Asked => finder.history.changed(policy.cap, Tick::ZERO),
            RateStart::Climb { learned } => finder.begin_climb(learned),
        }
        finder
    }

    /// Returns the rate in force, in calls a second; `None` is unlimited.
    pub const fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Returns what has been found out about the vendor's limits. A ceiling counts once another
    /// incident has confirmed it, and until the next one is confirmed. What stood has passed.
    pub fn learned(&self) -> Learned {
        let ceiling = self.belief.confirmed().map(|known| known.max(self.stood.unwrap_or(known)));
        let passed = self.passed.into_iter().chain(self.stood).reduce(f64::max);
        let ceiling = ceiling.filter(|ceiling| self.cap.is_none_or(|cap| *ceiling < cap));
        Learned { ceiling, window: self.windows.window(), passed }
    }

    /// Checks whether a call may be sent now, apart from the rate.
    pub fn permit(&self, now: Tick) -> Permit {
        if now < self.paused_until {
            return Permit::NotBefore(self.paused_until);
        }
        match &self.phase {
            Phase::Stopped(stop) => stop.permit(now),
            _ => Permit::Free,
        }
    }

    /// Returns the time before which nothing may be sent. It may have passed.
    pub fn opens_at(&self) -> Tick {
        let tests_at = match &self.phase {
            Phase::Stopped(stop) => stop.tests_at(),
            _ => None,
        };
        self.paused_until.max(tests_at.unwrap_or_default())
    }

    /// Returns the time since which every call is refused; `None` if calls are answered.
    pub const fn stopped_since(&self) -> Option<Tick> {
        match &self.phase {
            Phase::Stopped(stop) => Some(stop.since()),
            _ => None,
        }
    }

    /// Returns the time at which something changes if no event comes before.
    pub fn wakes_at(&self) -> Option<Tick> {
        match &self.phase {
            Phase::Settling(incident) => Some(incident.until),
            Phase::Recovering { until } => Some(*until),
            Phase::Stopped(stop) => stop.tests_at(),
            _ => None,
        }
    }

    /// Notes that a call leaves now.
    pub fn sent(&mut self, now: Tick) {
        self.history.sent(now, self.paused_until);
        match &mut self.phase {
            Phase::Start { level, .. } | Phase::Holding(level) | Phase::Probing { level, .. } => {
                level.sent += 1;
            }
            Phase::Stopped(stop) => stop.sent(now),
            _ => {}
        }
    }

    /// Takes a result code into account, to a call that left at `sent_at`.
    pub fn answered(&mut self, sent_at: Tick, now: Tick) {
        let is_new_mean = self.times.answered(now.saturating_sub(sent_at), now);
        self.answered_by_send.add(sent_at);
        self.answers.add(now);
        self.windows.answered(now);
        if self.ends_test(sent_at, now) {
            return;
        }
        match &mut self.phase {
            Phase::Settling(incident) if sent_at <= incident.at => self.sample.add(sent_at, false),
            Phase::Stopped(_) => {}
            Phase::Settling(_) => self.calm_down(sent_at),
            phase => {
                if let Phase::Start { level, .. } | Phase::Probing { level, .. } = phase {
                    level.answered(sent_at);
                }
                self.calm_down(sent_at);
            }
        }
        if is_new_mean {
            self.check_times(now);
        }
        self.advance(now);
    }

    /// Takes an answered call as a sign against a suspicion.
    fn calm_down(&mut self, sent_at: Tick) {
        let is_straggler = self.settled_until.is_some_and(|at| sent_at <= at);
        if is_straggler || self.suspicion.degree() == Suspected::Nothing {
            return;
        }
        let is_settling = matches!(self.phase, Phase::Settling(_));
        let sample = if is_settling { &mut self.later } else { &mut self.sample };
        sample.add(sent_at, false);
        self.suspicion.answered();
        if self.suspicion.degree() == Suspected::Nothing {
            sample.clear();
        }
    }

    /// Takes any other outcome of a call into account. It says nothing of the rate, so a stop goes on
    /// with another test call.
    pub fn failed(&mut self, sent_at: Tick, now: Tick) {
        if let Phase::Stopped(stop) = &mut self.phase {
            stop.failed(sent_at, self.first_wait, now);
        }
    }

    /// Takes into account that a call was refused because of the rate. Returns `true` if this began
    /// a new incident.
    pub fn refused(&mut self, sent_at: Tick, retry_after: Option<Duration>, now: Tick) -> bool {
        if let Some(wish) = retry_after {
            self.paused_until = self.paused_until.max(now + wish);
            self.wish = wish;
        }
        match &mut self.phase {
            Phase::Stopped(stop) => stop.refused(sent_at, retry_after, self.first_wait, now),
            Phase::Settling(incident) if sent_at <= incident.at => self.sample.add(sent_at, true),
            Phase::Settling(_) => {
                self.later.add(sent_at, true);
                self.suspicion.refused();
            }
            _ if self.settled_until.is_some_and(|at| sent_at <= at) => {}
            phase => {
                if let Phase::Start { level, .. } | Phase::Probing { level, .. } = phase {
                    level.refused(sent_at, now);
                }
                self.sample.add(sent_at, true);
                self.suspicion.refused();
                self.suspect(retry_after.is_some(), now);
                return matches!(self.phase, Phase::Settling(_));
            }
        }
        false
    }

    /// Takes into account that another worker was refused, and that all pause.
    pub fn hear_pause(&mut self, now: Tick) {
        if !matches!(self.phase, Phase::Settling(_) | Phase::Stopped(_)) {
            self.settled_until = Some(now);
        }
    }

    /// Lets time pass.
    pub fn advance(&mut self, now: Tick) {
        let is_bound = self.rate.zip(self.windows.rate()).is_some_and(|(rate, of)| rate >= of);
        if self.windows.advance(is_bound, self.workers(), now) {
            self.set_rate(self.wanted(), now);
        }
        match self.phase {
            Phase::Start { .. } | Phase::Probing { .. } if self.follows() => {}
            Phase::Settling(incident) if now >= incident.until => self.settle(incident, now),
            Phase::Recovering { until } if now >= until => self.hold(now),
            Phase::Start { .. } => self.climb(now),
            Phase::Holding(level) => self.wait_patiently(level, now),
            Phase::Probing { level, step, surplus } => self.probe(level, step, surplus, now),
            _ => {}
        }
    }

    fn recover(&mut self, now: Tick) {
        if std::mem::take(&mut self.knows_too_little) {
            return self.climb_from_ceiling(now);
        }
        self.phase = Phase::Recovering { until: now.max(self.paused_until) + RECOVERY };
        self.set_rate(self.wanted(), now);
    }

    fn hold(&mut self, now: Tick) {
        self.phase = Phase::Holding(Level::new(now));
        self.set_rate(self.wanted(), now);
    }

    /// Returns the rate that the phase wants.
    fn wanted(&self) -> Option<f64> {
        let of_ceiling = |part: f64| self.belief.ceiling.map(|ceiling| part * ceiling);
        match self.phase {
            Phase::Asked => self.cap,
            Phase::Holding(_) => of_ceiling(HELD),
            Phase::Recovering { .. } => of_ceiling(RECOVERING),
            Phase::Probing { step, .. } => of_ceiling(above(step, self.belief.known > 0)),
            Phase::Start { .. } | Phase::Settling(_) | Phase::Stopped(_) => self.own,
        }
    }

    fn set_rate(&mut self, own: Option<f64>, now: Tick) {
        let bounds = [self.cap, self.windows.rate()].into_iter().flatten();
        let own = own.into_iter().chain(bounds).reduce(f64::min);
        let floor = FLOOR.min(self.cap.unwrap_or(FLOOR));
        self.own = own.map(|own| own.max(floor));
        let others = self.fellows.and_then(|told| told.rate);
        let rate = self.own.into_iter().chain(others).reduce(f64::min);
        if rate != self.rate {
            self.rate = rate;
            self.history.changed(rate, now);
        }
    }
}
