//! What the sandbox can be asked to do: plain data, checked once before anything is opened.
//!
//! Must hold: the default asks for nothing (no rate limit, no quota, no latency, no trouble).
//! It never reads arguments or the environment; whoever starts the sandbox fills it in.

use std::path::PathBuf;
use std::time::Duration;

/// How the stand-in vendor behaves.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Calls per second; what is over it draws RATE_LIMIT_EXCEEDED. None: no limit.
    pub rate: Option<f64>,
    /// Charged calls after which every call draws OUT_OF_QUOTA.
    pub quota: Option<u64>,
    /// Waited before each answer.
    pub latency: Duration,
    /// From and to, since the start: every readable call draws SOURCE_SERVICE_UNAVAILABLE.
    pub outage: Option<(Duration, Duration)>,
    /// Requests after which every request draws KEY_EXPIRED.
    pub expire_after: Option<u64>,
    /// Share of the calls, 0 to 1, that meet some trouble in place of their ending.
    pub chaos: f64,
    /// Which troubles those are: the same seed gives the same ones.
    pub seed: u64,
    /// File that gets one JSON line per request. It is appended to, never emptied.
    pub calls: Option<PathBuf>,
    /// The kinds of body that are understood.
    pub accepts: Accepts,
}

/// The kinds of body that the stand-in vendor understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Accepts {
    /// JSON only; a form is answered as if its arguments were missing.
    Json,
    /// Forms only; JSON is answered as if its arguments were missing.
    Form,
    /// Both.
    #[default]
    Both,
}

impl Options {
    /// Says what is wrong with the numbers, in words for the user.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(rate) = self.rate
            && !(rate.is_finite() && rate > 0.0)
        {
            return Err(format!("the rate must be above 0, not {rate}"));
        }
        if !(0.0..=1.0).contains(&self.chaos) {
            return Err(format!("chaos is a share from 0 to 1, not {}", self.chaos));
        }
        Ok(())
    }
}

/// Reads an outage such as `5s..20s`: from and to, since the sandbox's start.
pub fn parse_outage(text: &str) -> Result<(Duration, Duration), String> {
    let (from, to) = text
        .split_once("..")
        .ok_or_else(|| format!("{text:?} is not FROM..TO, such as 5s..20s"))?;
    let moment = |part: &str| {
        humantime::parse_duration(part.trim()).map_err(|error| format!("{part:?}: {error}"))
    };
    let (from, to) = (moment(from)?, moment(to)?);
    if from >= to {
        return Err(format!("{text:?} ends before it begins"));
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_two_moments_in_order() {
        let seconds = Duration::from_secs;
        assert_eq!(parse_outage("5s..20s"), Ok((seconds(5), seconds(20))));
        assert_eq!(parse_outage("0s .. 2m"), Ok((seconds(0), seconds(120))));
        for wrong in ["", "5s", "5s..", "..5s", "5..6", "9s..3s", "3s..3s"] {
            assert!(parse_outage(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn senseless_numbers_are_refused() {
        let base = Options::default;
        assert_eq!(base().check(), Ok(()));
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let options = Options { rate: Some(rate), ..base() };
            assert!(options.check().is_err(), "rate {rate} was taken");
        }
        for chaos in [-0.1, 1.1, f64::NAN] {
            let options = Options { chaos, ..base() };
            assert!(options.check().is_err(), "chaos {chaos} was taken");
        }
    }
}
