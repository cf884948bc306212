//! A limit of calls in a long window, such as a minute or an hour: once the calls are used up,
//! every call is refused until the window turns.
//!
//! The length of the first stop tells the length of the window, and the calls that were answered
//! since the last turn tell how many are allowed. From then on the calls are spread evenly.
//!
//! Never: concerns windows of a second or less. They are an ordinary rate.

use std::time::Duration;

use super::counts::RecentCounts;
use crate::model::attempt::Tick;

/// Lengths that windows usually have.
const SPANS: [Duration; 5] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(600),
    Duration::from_secs(3600),
    Duration::from_secs(86_400),
];
/// Parts of a window in which calls are counted together.
const PARTS: u32 = 60;
/// Shortest stop that is explained by a window.
const SHORTEST_STOP: Duration = Duration::from_secs(3);
/// Shortest such stop once a window is known.
const SHORTEST_STOP_AGAIN: Duration = Duration::from_millis(1200);
/// Part of the window's rate that is used.
const MARGIN: f64 = 0.985;
/// Part of the window's rate at which a refusal is blamed on the window.
const AT_THE_WINDOW: f64 = 0.98;
/// Difference up to which two counts tell of one limit.
const SAME: f64 = 0.035;
/// Length that a window is assumed to have before it is known.
const USUAL: Duration = Duration::from_secs(60);
/// Least number of calls that tell of a limit.
const LEAST_CALLS: f64 = 10.0;
/// Part of a window for which a guess of its calls is kept.
const GUESSED_PART: u32 = 4;
/// Growth of the rate after that, again and again, so that the window is used up.
const GUESS_TIMES: f64 = 10.0;
/// Multiple of a window's rate at which the guess of that window is dropped.
const MOST_TIMES: f64 = 1000.0;
/// Part of the calls of a window that must have been answered before more is tried.
const USED: f64 = 0.8;
/// Longest time after a turn in which a sliding window may still free its calls slowly.
const JUST_TURNED: Duration = Duration::from_secs(60);
/// Number of windows without a stop before more is tried, once the window is confirmed.
const PATIENCE: u32 = 4;
/// First growth of the rate after such a time. Each further growth is twice as large.
const GROWTH: f64 = 0.03;

/// A window that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Length of the window.
    pub span: Duration,
    /// Number of calls that are allowed in it.
    pub calls: f64,
}

impl Window {
    /// Returns the rate that uses the calls up evenly, in calls a second.
    pub fn rate(&self) -> f64 {
        self.calls / self.span.as_secs_f64()
    }
}

/// Knowledge of long windows.
#[derive(Debug, Clone)]
pub(super) struct Windows {
    /// Answers by the time at which they came, for each usual length.
    answers: [RecentCounts; 5],
    known: Option<Known>,
    /// Time of the last turn that was seen.
    turned_at: Option<Tick>,
}

/// A window, with the rate that follows from it.
#[derive(Debug, Clone, Copy)]
struct Known {
    window: Window,
    /// Rate in force because of the window, in calls a second.
    rate: f64,
    /// Rate that stood a whole window without a stop.
    stood: Option<f64>,
    /// True after a second stop has agreed with the first.
    is_confirmed: bool,
    /// True if the number of calls may be a part of those that are allowed.
    is_guess: bool,
    /// True if this run has met the window, and has not only heard of it from an earlier one.
    is_met: bool,
    /// Growth that is tried next.
    growth: f64,
    /// Time from which on the current rate is on trial.
    since: Tick,
}

impl Known {
    /// Returns a window that is known since this time.
    fn new(window: Window, is_met: bool, since: Tick) -> Self {
        Self {
            window,
            rate: MARGIN * window.rate(),
            stood: None,
            is_confirmed: false,
            is_guess: false,
            is_met,
            growth: GROWTH,
            since,
        }
    }

    /// Returns the rate that stood a whole window, if the rate in force is higher.
    fn stood_below(&self) -> Option<f64> {
        self.stood.filter(|stood| *stood < self.rate)
    }

    /// Goes back to the rate that stood a whole window. Returns `false` if there is none to go back
    /// to.
    fn goes_back(&mut self, now: Tick) -> bool {
        let Some(stood) = self.stood_below() else { return false };
        (self.rate, self.growth, self.since) = (stood, GROWTH, now);
        self.is_confirmed = true;
        true
    }

    /// Checks whether the rate in force stood a whole window that allows about these calls.
    fn has_stood(&self, calls: f64) -> bool {
        self.stood.is_some() && (calls / self.window.calls - 1.0).abs() <= SAME
    }
}

/// A stop that has ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct EndedStop {
    /// Time at which the first of the unbroken refusals left.
    pub(super) since: Tick,
    /// Time from the first of the unbroken refusals to the last one, or to the time to which the
    /// vendor pointed.
    pub(super) blocked: Duration,
}

impl Default for Windows {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Windows {
    pub(super) fn new(learned: Option<Window>) -> Self {
        let answers = SPANS.map(|span| RecentCounts::new(span / PARTS, 3 * PARTS as usize));
        let known = learned.map(|window| Known::new(window, false, Tick::ZERO));
        Self { answers, known, turned_at: None }
    }

    /// Returns the window that this run has met, if there is one.
    pub(super) fn window(&self) -> Option<Window> {
        self.known.filter(|known| known.is_met).map(|known| known.window)
    }

    /// Returns the highest rate that the window allows, in calls a second.
    pub(super) fn rate(&self) -> Option<f64> {
        self.known.map(|known| known.rate)
    }

    /// Checks whether refusals at this rate are the window's.
    pub(super) fn explains(&self, rate: f64) -> bool {
        self.known.is_some_and(|known| rate >= AT_THE_WINDOW * known.rate)
    }

    /// Takes an answer into account.
    pub(super) fn answered(&mut self, now: Tick) {
        self.answers.iter_mut().for_each(|counts| counts.add(now));
    }

    /// Takes the end of a stop into account. Returns `true` if the stop was the window's: the
    /// ordinary rate has nothing to do with it. The answers of this many workers count.
    pub(super) fn resumed(&mut self, stop: EndedStop, workers: f64, now: Tick) -> bool {
        let shortest = if self.known.is_some() { SHORTEST_STOP_AGAIN } else { SHORTEST_STOP };
        if stop.blocked < shortest {
            return false;
        }
        let least = self.known.map_or(Duration::ZERO, |known| known.window.span);
        if self.has_just_turned(stop.since) && stop.blocked < least.max(SHORTEST_STOP) {
            // A sliding window that has not freed its calls yet: nothing was used up.
            return true;
        }
        let fits = |span: &Duration| *span >= least && *span >= stop.blocked.mul_f64(0.98);
        let span = SPANS.into_iter().find(fits).unwrap_or(SPANS[SPANS.len() - 1]);
        let turned_at = self.turned_at.replace(now);
        let calls = workers * self.calls_in(span, turned_at.unwrap_or_default(), stop.since);
        if calls < LEAST_CALLS {
            return true;
        }
        if let Some(known) = &mut self.known
            && known.window.span == span
            && (known.goes_back(now) || known.has_stood(calls))
        {
            (known.is_confirmed, known.is_met, known.since) = (true, true, now);
            return true;
        }
        let agrees = |known: Known| {
            known.window.span == span && (known.window.calls / calls - 1.0).abs() <= 0.1
        };
        let is_confirmed = self.known.is_some_and(agrees);
        // Before a turn was seen, others may have used up the most of the window.
        let is_guess = turned_at.is_none() && !is_confirmed;
        let known = Known::new(Window { span, calls }, !is_guess, now);
        self.known = Some(Known { is_confirmed, is_guess, ..known });
        true
    }

    /// Takes unbroken refusals at this rate into account, which were over soon: the calls were used
    /// up shortly before the window turned.
    pub(super) fn refused(&mut self, rate: f64, now: Tick) {
        if !self.explains(rate) || self.has_just_turned(now) {
            return;
        }
        if let Some(known) = &mut self.known {
            known.is_met |= !known.is_guess;
            if !known.goes_back(now) {
                known.is_confirmed = true;
                known.rate *= MARGIN;
            }
        }
    }

    /// Returns the number of answers from `from` until `until`, at most a window before that.
    fn calls_in(&self, span: Duration, from: Tick, until: Tick) -> f64 {
        let from = from.max(until.saturating_sub(span));
        let counts = SPANS.iter().zip(&self.answers).find(|(of, _)| **of == span);
        counts.map_or(0.0, |(_, counts)| f64::from(counts.between(from, until)))
    }

    /// Checks whether a window has turned a moment ago. A sliding window frees its calls as slowly as
    /// they were made.
    pub(super) fn has_just_turned(&self, now: Tick) -> bool {
        let span = self.known.map_or(USUAL, |known| known.window.span);
        self.turned_at.is_some_and(|at| now < at + (span / 6).min(JUST_TURNED))
    }

    /// Checks whether the rate is higher than one that stood a whole window.
    pub(super) fn tries_more(&self) -> bool {
        self.known.is_some_and(|known| known.stood_below().is_some())
    }

    /// Lets time pass. `is_bound` is true if the window's rate is in force: another rate tells
    /// nothing of the window. The answers of this many workers count. Returns `true` if the rate has
    /// grown.
    pub(super) fn advance(&mut self, is_bound: bool, workers: f64, now: Tick) -> bool {
        let Some(mut known) = self.known else { return false };
        let span = known.window.span;
        if known.is_guess && now >= known.since + span / GUESSED_PART {
            // Many calls use the window up, and the next stop tells their number.
            known.rate *= GUESS_TIMES;
            known.since = now;
            self.known = Some(known).filter(|known| known.rate < MOST_TIMES * known.window.rate());
            return true;
        }
        let patience = if known.is_confirmed { PATIENCE } else { 1 };
        if is_bound && now < known.since + span * patience {
            return false;
        }
        let used = workers * self.calls_in(span, Tick::ZERO, now);
        let is_used = used >= USED * known.rate * span.as_secs_f64();
        known.since = now;
        if is_bound && is_used {
            known.stood = Some(known.rate);
            known.window.calls = known.window.calls.max(known.rate * span.as_secs_f64() / MARGIN);
            known.rate *= 1.0 + known.growth;
            known.growth = (known.growth * 2.0).min(1.0);
        }
        self.known = Some(known);
        is_bound && is_used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_that_no_stop_confirms_is_dropped() {
        let second = Tick::from_secs;
        let mut windows = Windows::default();
        (0..100).for_each(|tenth| windows.answered(Tick::from_millis(100 * tenth)));
        let stop = EndedStop { since: second(10), blocked: Duration::from_secs(30) };
        assert!(windows.resumed(stop, 1.0, second(40)));
        let guessed = windows.rate().unwrap();
        assert!(windows.window().is_none(), "a guess is not told");

        let rates = (1..10).map_while(|quarter| {
            windows.advance(false, 1.0, second(40 + 15 * quarter));
            windows.rate()
        });
        let times: Vec<f64> = rates.map(|rate| (rate / guessed).round()).collect();
        assert_eq!(times, [10.0, 100.0, 1000.0]);
    }
}
