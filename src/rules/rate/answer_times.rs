//! The time that answers take, and the time that they take when the vendor is not loaded.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::attempt::Tick;

/// Number of answers in a mean.
const IN_A_MEAN: u32 = 16;
/// Length of the time over which the least mean is kept.
const PART: Duration = Duration::from_secs(60);
/// Number of such times that are remembered. A shorter memory would take a queue for the usual
/// case.
const PARTS: usize = 11;
/// Time that answers are assumed to take before the first one.
const UNKNOWN: f64 = 0.1;
/// Time by which an answer may be slower on any vendor, in seconds.
const SLACK: f64 = 0.1;

/// Means of the time that answers take, in seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct AnswerTimes {
    sum: f64,
    count: u32,
    mean: Option<f64>,
    /// Least means, by the number of their part of the time.
    least: VecDeque<(u128, f64)>,
}

impl AnswerTimes {
    /// Takes an answer into account. Returns `true` if there is a new mean.
    pub(super) fn answered(&mut self, took: Duration, now: Tick) -> bool {
        self.sum += took.as_secs_f64();
        self.count += 1;
        if self.mean.is_some() && self.count < IN_A_MEAN {
            return false;
        }
        let mean = self.sum / f64::from(self.count);
        let is_whole = self.count >= IN_A_MEAN;
        if is_whole {
            (self.sum, self.count) = (0.0, 0);
        }
        self.mean = Some(mean);
        let part = now.as_nanos() / PART.as_nanos();
        match self.least.back_mut() {
            Some((latest, least)) if *latest == part => *least = least.min(mean),
            _ => self.least.push_back((part, mean)),
        }
        while self.least.front().is_some_and(|(oldest, _)| oldest + (PARTS as u128) <= part) {
            self.least.pop_front();
        }
        is_whole
    }

    /// Returns the mean of the latest answers, in seconds.
    pub(super) fn mean(&self) -> f64 {
        self.mean.unwrap_or(UNKNOWN)
    }

    /// Checks whether answers take this many times as long as usual.
    pub(super) fn is_slower_than(&self, times: f64) -> bool {
        let usual = self.least.iter().map(|(_, least)| *least).reduce(f64::min);
        self.mean.zip(usual).is_some_and(|(mean, usual)| mean > times * usual + SLACK)
    }
}
