//! The calls of an incident, in the order in which they left: which were refused.
//!
//! The order of the answers tells nothing: they overtake each other, and refusals are faster.
//!
//! Must hold: the number of calls is bounded. The oldest are dropped.

use std::collections::VecDeque;

use crate::model::attempt::Tick;

/// Most calls of a sample.
const MOST: usize = 4096;

/// A call that was answered or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SampledCall {
    pub(super) sent_at: Tick,
    pub(super) is_refused: bool,
}

/// The calls since something was suspected first.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample(VecDeque<SampledCall>);

/// The pattern of the refusals in a sample, in the order in which the calls left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Time at which the first refused call left.
    pub(super) first: Tick,
    /// Time at which the last refused call left.
    pub(super) last: Tick,
    /// Number of refused calls.
    pub(super) refused: u32,
    /// Number of calls from the first refused call on, before the last refused call.
    pub(super) before_last: u32,
    /// Number of unbroken runs of refusals.
    pub(super) runs: u32,
    /// Time at which the first call of an unbroken run left with which the sample ends; `None` if a
    /// later call was answered.
    pub(super) ends_with_run_since: Option<Tick>,
}

impl Sample {
    /// Adds a call.
    pub(super) fn add(&mut self, sent_at: Tick, is_refused: bool) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(SampledCall { sent_at, is_refused });
    }

    /// Drops all calls.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the pattern of the refusals; `None` if no call was refused.
    pub(super) fn pattern(&self) -> Option<Pattern> {
        let mut calls: Vec<_> = self.0.iter().copied().collect();
        calls.sort_unstable();
        let first = calls.iter().position(|call| call.is_refused)?;
        let last = calls.iter().rposition(|call| call.is_refused)?;
        let between = calls.get(first..=last)?;
        let begins = between.windows(2).filter(|two| !two[0].is_refused && two[1].is_refused);
        let runs = 1 + begins.count() as u32;
        let run = calls.iter().rev().take_while(|call| call.is_refused).last();
        Some(Pattern {
            first: calls.get(first)?.sent_at,
            last: calls.get(last)?.sent_at,
            refused: between.iter().filter(|call| call.is_refused).count() as u32,
            before_last: between.len() as u32 - 1,
            runs,
            ends_with_run_since: run.map(|call| call.sent_at),
        })
    }
}

impl Pattern {
    /// Returns the share of the calls that were refused. The last one is left out, because a sample
    /// that ends with a refusal would show too many.
    pub(super) fn share(&self) -> f64 {
        if self.before_last == 0 {
            return 1.0;
        }
        f64::from(self.refused - 1) / f64::from(self.before_last)
    }

    /// Checks whether refusals are spread among answers, as by a limiter that lets calls pass
    /// evenly. Otherwise they are unbroken, as in a window whose calls are used up.
    pub(super) fn is_spread(&self) -> bool {
        self.share() < 0.9 && self.has_short_runs()
    }

    /// Checks whether refusals are spread among answers, also if the rate is so far above the limit
    /// that nearly every call is refused.
    pub(super) fn is_spread_thinly(&self) -> bool {
        (self.share() < 0.9 || self.runs >= 4) && self.has_short_runs()
    }

    /// Checks whether runs of refusals are about as long as chance makes them.
    fn has_short_runs(&self) -> bool {
        let share = self.share();
        let longest = 1.0 + 2.0 * (share / (1.0 - share)).max(1.0);
        f64::from(self.refused) / f64::from(self.runs) <= longest
    }
}
