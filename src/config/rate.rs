//! The rate of calls: what the user has chosen, and the policy that follows from it.

use crate::cli::{CallRate, PaceArgs};
use crate::rules::rate::{Learned, RateFinder, RatePolicy, RateStart};

/// Highest rate of `--rate auto`, unless `--rate-max` is given, in calls a second. It is ten times
/// the fixed rate of earlier versions. It is also far below what one busy web page asks for, and it
/// is reached in steps that any limiter answers first. So no vendor takes it for an attack.
const MAX_AUTO: f64 = 100.0;
/// Calls per second for the sandbox, where calls cost nothing.
const SANDBOX: f64 = 1000.0;

/// The rate that the user has chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateChoice {
    /// Highest rate, in calls a second; `None` is unlimited.
    pub cap: Option<f64>,
    /// True if the run finds out what the vendor allows.
    pub is_auto: bool,
}

impl RateChoice {
    /// Converts the flags.
    pub(super) fn new(pace: &PaceArgs, is_sandbox: bool) -> Self {
        let default = if is_sandbox { CallRate::PerSecond(SANDBOX) } else { CallRate::Auto };
        let (asked, is_auto) = match pace.rate.unwrap_or(default) {
            CallRate::PerSecond(rate) => (Some(rate), false),
            CallRate::Unlimited => (None, false),
            CallRate::Auto => (Some(pace.rate_max.unwrap_or(MAX_AUTO)), true),
        };
        let cap = asked.into_iter().chain(pace.rate_max).reduce(f64::min);
        Self { cap, is_auto }
    }

    /// Returns the policy of a start. `learned` is what is known from earlier runs.
    pub fn policy(&self, learned: Option<Learned>) -> RatePolicy {
        let start = if self.is_auto { RateStart::Climb { learned } } else { RateStart::Asked };
        RatePolicy { cap: self.cap, start }
    }

    /// Returns the rate at which a start will make its calls, as far as it is known: what the user
    /// asks for, but not more than the vendor allows.
    pub fn expected(&self, learned: Option<Learned>) -> Option<f64> {
        let known = learned.and_then(|learned| match self.is_auto {
            true => learned.rate(),
            false => learned.limit(),
        });
        // A learned rate is known only roughly.
        let known =
            known.map(|rate| if rate < 10.0 { (rate * 10.0).round() / 10.0 } else { rate.round() });
        let asked = self.cap.filter(|_| !self.is_auto || known.is_some());
        asked.into_iter().chain(known).reduce(f64::min)
    }

    /// Returns the rate of the first calls, in calls a second; `None` is unlimited.
    pub fn first(&self, learned: Option<Learned>) -> Option<f64> {
        RateFinder::new(self.policy(learned)).rate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_rate() {
        let choice = |cap, is_auto| RateChoice { cap, is_auto };
        let ceiling = |rate| Some(Learned { ceiling: Some(rate), ..Learned::default() });
        let passed = |rate| Some(Learned { passed: Some(rate), ..Learned::default() });
        for (choice, learned, expected) in [
            (choice(Some(100.0), true), None, None),
            (choice(Some(100.0), true), ceiling(198.0), Some(100.0)),
            (choice(Some(100.0), true), ceiling(50.0), Some(50.0)),
            (choice(Some(100.0), true), passed(40.0), Some(40.0)),
            (choice(Some(100.0), false), None, Some(100.0)),
            (choice(Some(100.0), false), ceiling(50.0), Some(50.0)),
            (choice(Some(100.0), false), passed(40.0), Some(100.0)),
            (choice(None, false), None, None),
        ] {
            assert_eq!(choice.expected(learned), expected, "{choice:?} {learned:?}");
        }
    }
}
