//! Settings of the sandbox: plain data, checked once before anything is opened.
//!
//! Must hold: the default asks for nothing (no rate limit, no quota, no latency, no trouble).
//!
//! Never: reads arguments or the environment. The caller sets the options.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of the sandbox.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SandboxOptions {
    /// Port on 127.0.0.1. With 0 the system chooses a free port.
    pub port: u16,
    /// Calls per second. A call above this rate gets `RATE_LIMIT_EXCEEDED`. `None` means no limit.
    pub rate: Option<f64>,
    /// Calls that may come at once under that rate. `None` means 1 % of the rate, but at least one.
    pub burst: Option<u32>,
    /// Number of charged calls after which every call gets `OUT_OF_QUOTA`.
    pub quota: Option<u64>,
    /// Time to wait before each answer.
    pub latency: Duration,
    /// Begin and end of an outage, since the start. Meanwhile every readable call gets
    /// `SOURCE_SERVICE_UNAVAILABLE`.
    pub outage: Option<(Duration, Duration)>,
    /// Number of requests after which every request gets `KEY_EXPIRED`.
    pub expire_after: Option<u64>,
    /// Share of the calls, from 0 to 1, that get trouble: another answer than the one of their
    /// ending, or a late one.
    pub chaos: f64,
    /// Seed of the trouble. The same seed brings the same trouble.
    pub seed: u64,
    /// File that gets one JSON line per request. The lines are appended, and the file is never
    /// emptied.
    pub calls: Option<PathBuf>,
    /// Kinds of body that are understood.
    pub accepts: Accepts,
}

/// Kinds of body that the sandbox understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Accepts {
    /// JSON only. A form is answered as if its arguments were missing.
    Json,
    /// Forms only. JSON is answered as if its arguments were missing.
    Form,
    /// JSON and forms.
    #[default]
    Both,
}

impl SandboxOptions {
    /// Checks the numbers. Returns a message for the user if one of them makes no sense.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(rate) = self.rate
            && !(rate.is_finite() && rate > 0.0)
        {
            return Err(format!("the rate must be above 0, not {rate}"));
        }
        if !(0.0..=1.0).contains(&self.chaos) {
            return Err(format!("chaos must be a share from 0 to 1, not {}", self.chaos));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senseless_numbers_are_refused() {
        let base = SandboxOptions::default;
        assert_eq!(base().check(), Ok(()));
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let options = SandboxOptions { rate: Some(rate), ..base() };
            assert!(options.check().is_err(), "rate {rate} was taken");
        }
        for chaos in [-0.1, 1.1, f64::NAN] {
            let options = SandboxOptions { chaos, ..base() };
            assert!(options.check().is_err(), "chaos {chaos} was taken");
        }
    }
}
