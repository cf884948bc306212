//! The vendor's limits, for people. Figures are rounded: they are estimates.

use super::count;
use crate::model::money::number;
use crate::rules::durations;
use crate::rules::rate::{Learned, Window};

/// Formats a rate with as many digits as people need.
pub(in crate::output) fn rounded(rate: f64) -> String {
    if rate < 9.95 { format!("{rate:.1}") } else { number(rate.round() as u64) }
}

/// Formats a rate: `5 calls a second`.
pub fn calls_a_second(rate: f64) -> String {
    let rate = rounded(rate);
    match rate.strip_suffix(".0").unwrap_or(&rate) {
        "1" => "1 call a second".to_owned(),
        rate => format!("{rate} calls a second"),
    }
}

/// Formats a rate that is known roughly: `about 198 calls a second`.
pub(in crate::output) fn about_calls_a_second(rate: f64) -> String {
    format!("about {}", calls_a_second(rate))
}

/// Formats the calls of a window: `about 3000 calls a minute`.
pub(in crate::output) fn about_calls_in(window: &Window) -> String {
    let span = match window.span.as_secs() {
        60 => "a minute".to_owned(),
        3600 => "an hour".to_owned(),
        86_400 => "a day".to_owned(),
        _ => format!("in {}", durations::format(window.span)),
    };
    // Three digits are more than the count is worth.
    let unit = 10_f64.powf((window.calls.max(1.0).log10().floor() - 2.0).max(0.0));
    let calls = ((window.calls / unit).round() * unit) as u64;
    format!("about {} {span}", count(calls, "call"))
}

/// Formats what was learned of the vendor's limits; `None` if no limit was met.
pub fn limit_words(learned: &Learned) -> Option<String> {
    let window = learned.window.map(|window| about_calls_in(&window));
    let ceiling = learned.binding_ceiling().map(about_calls_a_second);
    let parts: Vec<String> = window.into_iter().chain(ceiling).collect();
    (!parts.is_empty()).then(|| parts.join(", and "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn limits_in_words() {
        let window = |seconds, calls| Some(Window { span: Duration::from_secs(seconds), calls });
        for (ceiling, window, words) in [
            (Some(198.3), None, Some("about 198 calls a second")),
            (Some(4.93), None, Some("about 4.9 calls a second")),
            (None, window(60, 2998.0), Some("about 3000 calls a minute")),
            (Some(900.0), window(3600, 19_987.0), Some("about 20 000 calls an hour")),
            (
                Some(20.0),
                window(600, 30_000.0),
                Some("about 30 000 calls in 10m, and about 20 calls a second"),
            ),
            (None, window(10, 7.0), Some("about 7 calls in 10s")),
            (None, None, None),
        ] {
            let learned = Learned { ceiling, window, passed: Some(9.0) };
            assert_eq!(limit_words(&learned).as_deref(), words);
        }
    }
}
