//! The estimate of the vendor's limit from the calls of one incident.

use super::belief::HELD;
use super::sample::Pattern;

/// Most of the rate that was refused which an estimate may be.
const BELOW_REFUSED: f64 = 0.99;
/// Least part of the last level that passed, and of the rate, when a run begins.
const START_PASSED: f64 = 0.9;
const START_RATE: f64 = 0.375;
/// Calls above the ceiling that no vendor has stored, in seconds of the ceiling.
pub(super) const STORED: f64 = 3.0;
/// Growth of a ceiling above which far more calls passed than a vendor could have stored.
const CREEPS: f64 = 1.15;
/// Number of calls that are too few for a share.
const FEW: u32 = 30;
/// Part of the rate that each refusal of a sample may take away: a small sample may not cut deep.
const CUT_A_REFUSAL: f64 = 0.03;

/// The facts of an incident.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    /// Rate in force when the first refused call left, in calls a second.
    pub(super) rate: f64,
    pub(super) pattern: Pattern,
    /// Answered calls that left in the second before the last refused call left.
    pub(super) in_last_second: f64,
    /// A rate that was held for a while; `None` if it is refused now.
    pub(super) stood: Option<f64>,
    /// Calls that were sent above the ceiling while more was tried, in seconds of the ceiling: what
    /// a burst that the vendor had stored may have paid for.
    pub(super) surplus: f64,
    /// The phase in which the incident began.
    pub(super) begun: Begun,
    /// True if the last incident was a moment ago.
    pub(super) is_soon: bool,
}

/// Phase in which an incident began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Begun {
    /// The rate that the user asked for, which nothing has tested.
    Asked,
    /// The first climb. `passed` is the last level that passed.
    Start { passed: Option<f64> },
    /// A ceiling is known.
    Known,
}

/// An estimate of the limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    /// The limit, in calls a second.
    pub(super) ceiling: f64,
    pub(super) basis: Basis,
}

/// The facts that an estimate rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    /// The pattern of the refusals.
    Pattern,
    /// The pattern, but the sample was too small for a cut that deep.
    SmallSample,
    /// The rate that stood.
    Stood,
    /// The middle between the rate that stood and the one that was refused.
    Between,
}

/// Estimates the limit.
pub(super) fn estimate(evidence: &Evidence) -> Estimate {
    let Evidence { rate, .. } = *evidence;
    let Estimate { ceiling, basis } = match evidence.stood {
        Some(stood) => above_what_stood(evidence, stood / HELD),
        None => by_pattern(evidence),
    };
    Estimate { ceiling: ceiling.min(BELOW_REFUSED * rate), basis }
}

fn told_by_pattern(evidence: &Evidence) -> f64 {
    let is_spread = match evidence.begun {
        Begun::Asked => evidence.pattern.is_spread_thinly(),
        Begun::Start { .. } | Begun::Known => evidence.pattern.is_spread(),
    };
    match is_spread {
        true => evidence.rate * (1.0 - evidence.pattern.share()),
        false => evidence.in_last_second,
    }
}

/// A rate above the one that stood was refused: that can only raise the ceiling. It must rise if far
/// more calls passed than a vendor could have stored, whatever explains the refusals.
fn above_what_stood(evidence: &Evidence, least: f64) -> Estimate {
    let Evidence { rate, surplus, .. } = *evidence;
    let told = by_what_stood(evidence, least);
    let crept = (CREEPS * least).min((least * rate).sqrt());
    match surplus >= STORED && told.ceiling < crept {
        true => Estimate { ceiling: crept, basis: Basis::Between },
        false => told,
    }
}

fn by_what_stood(evidence: &Evidence, least: f64) -> Estimate {
    let Evidence { rate, pattern, in_last_second, surplus, .. } = *evidence;
    let is_spread = pattern.is_spread();
    let told = told_by_pattern(evidence);
    let is_far_above = match pattern.refused {
        1 => rate > 1.08 * least && surplus < 0.6,
        _ => rate > 1.04 * least,
    };
    // A limiter that demands distances lets half of such calls pass, whatever its limit is.
    let is_halved = told < least && rate > 1.3 * least && pattern.before_last < FEW;
    if !is_spread && rate > 1.1 * least && in_last_second > 1.02 * least {
        Estimate { ceiling: in_last_second, basis: Basis::Pattern }
    } else if pattern.refused > 1 && is_spread && told >= 0.9 * least && !is_halved {
        Estimate { ceiling: told.max(least), basis: Basis::Pattern }
    } else if is_far_above {
        Estimate { ceiling: (least * rate).sqrt(), basis: Basis::Between }
    } else {
        Estimate { ceiling: least, basis: Basis::Stood }
    }
}

/// Nothing is known to stand.
fn by_pattern(evidence: &Evidence) -> Estimate {
    let Evidence { rate, pattern, begun, is_soon, .. } = *evidence;
    let told = told_by_pattern(evidence);
    let refused = f64::from(pattern.refused);
    let least = match begun {
        Begun::Asked => rate * (1.0 - CUT_A_REFUSAL * refused),
        Begun::Start { passed } => {
            let passed = passed.map(|passed| START_PASSED * passed);
            passed.unwrap_or(rate * (1.0 - CUT_A_REFUSAL * refused)).max(START_RATE * rate)
        }
        Begun::Known => {
            let cut = if is_soon { 2.0 * CUT_A_REFUSAL } else { CUT_A_REFUSAL };
            rate * (1.0 - cut * refused).max(0.5)
        }
    };
    match told < least {
        true => Estimate { ceiling: least, basis: Basis::SmallSample },
        false => Estimate { ceiling: told, basis: Basis::Pattern },
    }
}
