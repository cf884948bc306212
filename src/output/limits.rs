//! The vendor's limits as JSON, in the summary and in `ceknik status --json`.

use serde::Serialize;

use crate::rules::rate::Learned;

/// Limits of the vendor, rounded. A field is `null` where no such limit was met.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limits {
    /// Calls per second.
    pub calls_per_second: Option<f64>,
    /// Length of a long window in which the vendor counts, in seconds.
    pub window_seconds: Option<u64>,
    /// Calls in this window.
    pub window_calls: Option<u64>,
}

/// Rounds a rate for a program that reads it.
pub(super) fn to_a_tenth(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

impl Limits {
    /// Makes the limits that were learned; `None` if no limit was met.
    pub fn of(learned: &Learned) -> Option<Self> {
        learned.limit()?;
        Some(Self {
            calls_per_second: learned.ceiling.map(to_a_tenth),
            window_seconds: learned.window.map(|window| window.span.as_secs()),
            window_calls: learned.window.map(|window| window.calls.round() as u64),
        })
    }
}
