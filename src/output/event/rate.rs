//! The vendor's limit, as an event.

use serde::Serialize;

use crate::output::limits::to_a_tenth;
use crate::output::words::{about_calls_a_second, about_calls_in};
use crate::rules::rate::RateChange;

/// The limit that was found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RateFound {
    /// Calls per second that the vendor allows, rounded.
    calls_per_second: f64,
    /// Calls per second before the limit moved; `null` if it was found now.
    before: Option<f64>,
    /// Length of the window in which the vendor counts, in seconds; `null` if it is a second or
    /// less.
    window_seconds: Option<u64>,
    /// Calls that the vendor allows in this window, rounded.
    window_calls: Option<u64>,
    #[serde(skip)]
    change: RateChange,
}

impl RateFound {
    /// Makes the event of a change.
    pub fn new(change: RateChange) -> Self {
        let (rate, before, window) = match change {
            RateChange::Ceiling { rate, before } => (rate, before, None),
            RateChange::Window(window) => (window.rate(), None, Some(window)),
        };
        Self {
            calls_per_second: to_a_tenth(rate),
            before: before.map(to_a_tenth),
            window_seconds: window.map(|window| window.span.as_secs()),
            window_calls: window.map(|window| window.calls.round() as u64),
            change,
        }
    }

    /// Formats the event for people.
    pub(super) fn text(&self) -> String {
        match self.change {
            RateChange::Ceiling { rate, before: None } => {
                format!("the vendor allows {}", about_calls_a_second(rate))
            }
            RateChange::Ceiling { rate, before: Some(before) } => {
                let less = if rate < before { "fewer" } else { "more" };
                let (rate, before) = (about_calls_a_second(rate), about_calls_a_second(before));
                format!("the vendor allows {less} calls now: {rate} (before: {before})")
            }
            RateChange::Window(window) => format!(
                "the vendor allows {}: ceknik spreads the calls, {}",
                about_calls_in(&window),
                about_calls_a_second(window.rate())
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rules::rate::Window;

    #[test]
    fn the_words() {
        let window = Window { span: Duration::from_secs(60), calls: 2998.0 };
        for (change, text) in [
            (
                RateChange::Ceiling { rate: 198.3, before: None },
                "the vendor allows about 198 calls a second",
            ),
            (
                RateChange::Ceiling { rate: 4.93, before: Some(9.9) },
                "the vendor allows fewer calls now: about 4.9 calls a second (before: about 9.9 calls a second)",
            ),
            (
                RateChange::Window(window),
                "the vendor allows about 3000 calls a minute: ceknik spreads the calls, about 50 calls a second",
            ),
        ] {
            assert_eq!(RateFound::new(change).text(), text);
        }
    }
}
