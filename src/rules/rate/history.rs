//! The rates that were in force, and the calls that were really sent.

use std::collections::VecDeque;
use std::time::Duration;

use super::counts::{RecentCounts, SECOND};
use crate::model::attempt::Tick;

/// Number of changes of the rate that are remembered.
const CHANGES: usize = 64;
/// Time after which the number of calls that were really sent is not looked up.
const REMEMBERED: Duration = Duration::from_secs(4);
/// Shortest time over which calls are counted.
const SHORTEST: Duration = Duration::from_millis(200);
/// Lowest rate that is measured, in calls a second: fewer calls are too few to be counted.
const LEAST: f64 = 4.0;
/// Factor from which on a rate was not used up.
const UNUSED: f64 = 1.3;

/// The rates in force, and the calls sent.
#[derive(Debug, Clone)]
pub(super) struct RateHistory {
    rates: VecDeque<(Tick, Option<f64>)>,
    sends: RecentCounts,
    /// Time of the first call since the last pause.
    sending_since: Option<Tick>,
}

impl Default for RateHistory {
    fn default() -> Self {
        let sends = RecentCounts::new(Duration::from_millis(10), 600);
        Self { rates: VecDeque::new(), sends, sending_since: None }
    }
}

impl RateHistory {
    /// Notes that this rate is in force from now on.
    pub(super) fn changed(&mut self, rate: Option<f64>, now: Tick) {
        if self.rates.len() == CHANGES {
            self.rates.pop_front();
        }
        self.rates.push_back((now, rate));
    }

    /// Counts a call. `paused_until` is the end of the last pause.
    pub(super) fn sent(&mut self, now: Tick, paused_until: Tick) {
        if self.sending_since.is_none_or(|since| since < paused_until) {
            self.sending_since = Some(now);
        }
        self.sends.add(now);
    }

    /// Returns the time of the first call since the last pause.
    pub(super) const fn sending_since(&self) -> Option<Tick> {
        self.sending_since
    }

    /// Returns the rate in force when a call left; `None` if there was no limit.
    pub(super) fn in_force_at(&self, sent_at: Tick) -> Option<f64> {
        let before = self.rates.iter().rev().find(|(at, _)| *at <= sent_at);
        before.or_else(|| self.rates.front()).and_then(|(_, rate)| *rate)
    }

    /// Returns the rate at which the calls of this many workers really left about this time. It is the
    /// rate in force, unless that was not used up.
    pub(super) fn used_at(&self, sent_at: Tick, workers: f64, now: Tick) -> f64 {
        let in_force = self.in_force_at(sent_at);
        if let Some(rate) = in_force
            && now > sent_at + REMEMBERED
        {
            return rate;
        }
        let since = self.sending_since.unwrap_or(sent_at);
        let until = sent_at.max(since + SHORTEST);
        let from = until.saturating_sub(SECOND).max(since);
        let span = until.saturating_sub(from).max(SHORTEST).as_secs_f64();
        let sent = workers * f64::from(self.sends.between(from, until));
        let used = (sent / span).max(LEAST);
        match in_force {
            Some(rate) if rate <= UNUSED * used => rate,
            Some(rate) => rate.min(used),
            None => used,
        }
    }
}
