//! Incidents: what follows when the rate is too high.

use std::time::Duration;

use super::{Phase, RateFinder};
use crate::model::attempt::Tick;
use crate::rules::rate::belief::{Belief, HELD, RECOVERING};
use crate::rules::rate::counts::SECOND;
use crate::rules::rate::estimate::{Basis, Begun, Estimate, Evidence, estimate};
use crate::rules::rate::incident::Incident;
use crate::rules::rate::stop::{SHORTEST_WAIT, Stop};
use crate::rules::rate::suspicion::{Suspected, Suspicion};

/// Pause at the begin of an incident that is close to the ceiling.
const SHORT_PAUSE: Duration = Duration::from_millis(100);
/// Factor up to which a rate is close to the ceiling.
const CLOSE: f64 = 1.3;
/// Times that answers take for which an incident settles.
const SETTLING: f64 = 1.2;
/// Shortest and longest time for which an incident settles, in seconds.
const SETTLES_IN: (f64, f64) = (0.2, 1.0);
/// Time within which incidents belong together.
const SOON: Duration = Duration::from_secs(5);
/// Time within which cuts that the sample did not justify show that others use the limit too.
const CROWDED: Duration = Duration::from_secs(60);
/// Rate below which one refusal ends a probe, in calls a second.
const LOW_RATE: f64 = 12.0;
/// Difference up to which an estimate confirms the ceiling.
const CONFIRMS: f64 = 0.12;
/// Most of the refused rate that a ceiling may be in a crowd.
const IN_A_CROWD: f64 = 0.97;
/// Most of the refused rate that a ceiling may be if the last one was refuted at once.
const REFUTED: f64 = 0.96;
/// Most of the refused rate in that case if no rate has stood yet.
const REFUTED_AT_FIRST: f64 = 0.85;
/// Number of refusals with which a run of them stops everything.
const STOPS: u32 = 2;
/// Longest first wait for a test call.
const LONGEST_FIRST_WAIT: Duration = Duration::from_secs(8);
/// Factors by which answers may be slower before the first climb or a probe ends, and before a
/// ceiling is lowered.
const SLOWER: (f64, f64) = (2.0, 3.0);
/// Part of the rate in answers below which the vendor does not keep up.
const KEEPS_UP: f64 = 0.93;
/// Part of the answers that is a ceiling if the vendor does not keep up: their number is known only
/// roughly.
const OF_ANSWERS: f64 = 0.97;

/// Checks whether an estimate confirms a ceiling.
fn is_about(ceiling: f64, old: f64) -> bool {
    (ceiling / old - 1.0).abs() <= CONFIRMS
}

impl RateFinder {
    /// Acts on the suspicion after a refusal.
    pub(super) fn suspect(&mut self, asks_to_wait: bool, now: Tick) {
        if matches!(self.phase, Phase::Holding(_)) && self.stood.is_some() {
            // Who is alone is not refused below what has stood.
            self.crowd_at = Some(now);
        }
        let is_low = self.rate.is_some_and(|rate| rate < LOW_RATE);
        let is_crowd = self.crowd_at.is_some_and(|at| now < at + CROWDED);
        let is_probe = matches!(self.phase, Phase::Probing { .. });
        let is_plain = is_probe && self.belief.known > 0 && is_low && !is_crowd;
        match self.suspicion.degree() {
            Suspected::Clearly => self.begin_incident(now),
            _ if asks_to_wait || is_plain => self.begin_incident(now),
            Suspected::Slightly => self.lower_slightly(is_probe, now),
            Suspected::Nothing | Suspected::Perhaps => {}
        }
    }

    /// Lowers the ceiling a little, without a pause.
    fn lower_slightly(&mut self, is_probe: bool, now: Tick) {
        let Some(rate) = self.rate else { return };
        let told = HELD * rate;
        let old = self.belief.ceiling.filter(|old| is_probe && told <= (1.0 + CONFIRMS) * old);
        match old {
            Some(old) => {
                self.belief.known += 1;
                self.belief.ceiling = Some(old.max(told));
            }
            None => {
                self.stood = None;
                self.belief = self.belief.moved(told, now);
            }
        }
        self.suspicion = Suspicion::default();
        self.sample.clear();
        self.settled_until = Some(now);
        self.hold(now);
    }

    fn begin_incident(&mut self, now: Tick) {
        let Some(pattern) = self.sample.pattern() else { return };
        let begun = match self.phase {
            _ if self.follows() => Begun::Known,
            Phase::Asked if self.last_incident.is_none() => Begun::Asked,
            Phase::Start { passed, .. } => Begun::Start { passed },
            _ => Begun::Known,
        };
        let rate = match (begun, self.history.in_force_at(pattern.first)) {
            (Begun::Known, Some(rate)) => rate,
            _ => self.history.used_at(pattern.first, self.workers(), now),
        };
        let surplus = match self.phase {
            Phase::Probing { surplus, level, .. } => {
                let over = self.belief.ceiling.zip(self.rate);
                let over = over.map_or(0.0, |(ceiling, rate)| rate / ceiling - 1.0);
                surplus + over * level.lasted(now)
            }
            _ => 0.0,
        };
        let (least, most) = SETTLES_IN;
        let settles = Duration::from_secs_f64((SETTLING * self.times.mean()).clamp(least, most));
        let until = now + settles;
        self.phase = Phase::Settling(Incident { at: now, until, rate, begun, surplus });
        match self.belief.ceiling {
            Some(ceiling) if rate <= CLOSE * ceiling => {
                self.paused_until = self.paused_until.max(now + SHORT_PAUSE);
                self.set_rate(Some(RECOVERING * rate.min(ceiling)), now);
            }
            _ => self.paused_until = self.paused_until.max(until),
        }
        self.suspicion = Suspicion::default();
        self.later.clear();
    }

    /// Ends an incident: estimates the ceiling from the answers that have come.
    pub(super) fn settle(&mut self, incident: Incident, now: Tick) {
        let Some(pattern) = self.sample.pattern() else { return self.recover(now) };
        let rate = incident.rate;
        let before = self.belief;
        let is_soon = self.last_incident.is_some_and(|at| incident.at < at + SOON);
        let has_stood = self.stood.is_some();
        self.stood = self.stood.filter(|stood| rate > 1.005 * stood);
        let from = pattern.last.saturating_sub(SECOND);
        let told = estimate(&Evidence {
            rate,
            pattern,
            in_last_second: self.workers()
                * f64::from(self.answered_by_send.between(from, pattern.last)),
            stood: self.stood,
            surplus: incident.surplus,
            begun: incident.begun,
            is_soon,
        });
        let is_refuted = is_soon && before.ceiling.is_some_and(|old| rate <= old);
        let refuted = if has_stood { REFUTED } else { REFUTED_AT_FIRST };
        let most = if is_refuted { refuted * rate } else { f64::INFINITY };
        self.believe(Estimate { ceiling: told.ceiling.min(most), ..told }, incident, now);
        let is_windows = self.windows.has_just_turned(incident.at)
            || self.windows.explains(rate) && (!pattern.is_spread() || self.windows.tries_more());
        if is_windows {
            self.windows.refused(rate, now);
            self.belief = Belief { ceiling: before.ceiling.or(self.belief.ceiling), ..before };
        }
        self.knows_too_little = incident.begun == Begun::Asked
            && pattern.last < self.history.sending_since().unwrap_or_default() + SECOND;
        (self.settled_until, self.last_incident) = (Some(incident.at), Some(incident.at));
        std::mem::swap(&mut self.sample, &mut self.later);
        self.later.clear();
        match pattern.ends_with_run_since {
            Some(since) if pattern.refused >= STOPS => self.stop(since, pattern.last, before, now),
            _ => self.recover(now),
        }
    }

    /// Takes an estimate into what is believed.
    fn believe(&mut self, told: Estimate, incident: Incident, now: Tick) {
        let Estimate { mut ceiling, basis } = told;
        if basis == Basis::SmallSample && incident.begun == Begun::Known {
            if self.cut_at.is_some_and(|at| now < at + CROWDED) {
                ceiling = ceiling.min(IN_A_CROWD * incident.rate);
                self.belief.moved_at = now;
                self.crowd_at = Some(now);
            }
            self.cut_at = Some(now);
            self.belief.doubt();
        }
        match self.belief.ceiling {
            // The place to which the ceiling moved last counts too: it must not creep away from it.
            Some(old) if is_about(ceiling, old) && is_about(ceiling, self.belief.moved_to) => {
                self.belief.known += 1;
                if self.stood.is_some() && basis != Basis::Between && incident.rate > old {
                    ceiling = f64::midpoint(ceiling, old);
                }
            }
            _ => {
                self.belief = self.belief.moved(ceiling, now);
            }
        }
        self.belief.ceiling = Some(ceiling);
    }

    /// Stops: the sample ended with an unbroken run of refusals.
    fn stop(&mut self, first_refused: Tick, last_refused: Tick, before: Belief, now: Tick) {
        // A sliding window frees its calls slowly.
        let is_again =
            self.windows.rate().is_some() && self.resumed_at.is_some_and(|at| now < at + SOON);
        self.first_wait = match is_again {
            true => (self.first_wait * 2).min(LONGEST_FIRST_WAIT),
            false => SHORTEST_WAIT,
        };
        let next_at = if is_again { now + self.first_wait } else { now };
        self.suspicion = Suspicion::default();
        self.sample.clear();
        let pointed_to = (self.paused_until > now).then_some(self.paused_until);
        let stop = Stop::new(first_refused, last_refused, next_at, pointed_to, before);
        self.phase = Phase::Stopped(stop);
    }

    /// Ends a stop, if this is the reply to its test call and no refusal.
    pub(super) fn ends_test(&mut self, sent_at: Tick, now: Tick) -> bool {
        let Phase::Stopped(stop) = &self.phase else { return false };
        let Some(ended) = stop.ended_by(sent_at) else { return false };
        let before = stop.before;
        if self.windows.resumed(ended, self.workers(), now) && before.ceiling.is_some() {
            self.belief = before;
        }
        self.resumed_at = Some(now);
        self.recover(now);
        true
    }

    /// Acts on answers that take longer than usual.
    pub(super) fn check_times(&mut self, now: Tick) {
        let from = now.saturating_sub(2 * SECOND);
        let answers = self.workers() * f64::from(self.answers.between(from, now)) / 2.0;
        let (first, later) = SLOWER;
        let ceiling = match self.phase {
            Phase::Start { .. } if self.times.is_slower_than(first) => answers,
            Phase::Probing { .. } if self.times.is_slower_than(first) => {
                let told = OF_ANSWERS * answers;
                self.belief.ceiling = self.belief.ceiling.map(|old| old.max(told));
                return self.recover(now);
            }
            Phase::Holding(_)
                if self.times.is_slower_than(later)
                    && self.rate.is_some_and(|rate| answers < KEEPS_UP * rate) =>
            {
                answers
            }
            _ => return,
        };
        self.belief =
            Belief { known: self.belief.known, ..self.belief.moved(ceiling.max(1.0), now) };
        self.recover(now);
    }
}
