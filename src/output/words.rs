//! Texts for people: the last words of a run, and the texts of a plan.
//!
//! Must hold: a text is a pure function of a report or a forecast.

mod next;
mod plan;
mod rate;
mod run;

pub use next::{NextStep, next_in_one_line};
pub use plan::{
    consent_question, findings_words, forecast_words, skipped_words, unsettled_words, verdict_words,
};
pub(super) use rate::{about_calls_a_second, about_calls_in, rounded};
pub use rate::{calls_a_second, limit_words};
pub use run::last_words;

use crate::model::money::number;
use crate::rules::durations;

/// Formats a duration in whole seconds: `1h 2m 3s`.
pub(super) fn duration(seconds: u64) -> String {
    durations::format(std::time::Duration::from_secs(seconds))
}

/// Formats a number of things: `1 call`, `20 000 calls`.
pub fn count(n: u64, what: &str) -> String {
    format!("{} {what}{}", number(n), if n == 1 { "" } else { "s" })
}
