//! Texts for people: the last words of a run, and the texts of a plan.
//!
//! Must hold: a text is a pure function of a report or a forecast.

mod plan;
mod run;

pub use plan::{findings_words, forecast_words, skipped_words, unsettled_words, verdict_words};
pub use run::last_words;

use crate::model::attempt::WallMs;
use crate::model::money::number;
use crate::rules::durations;

/// Formats a duration in whole seconds: `1h 2m 3s`.
fn duration(seconds: u64) -> String {
    durations::format(std::time::Duration::from_secs(seconds))
}

/// Formats a number of things: `1 call`, `2,000 calls`.
pub fn count(n: u64, what: &str) -> String {
    format!("{} {what}{}", number(n), if n == 1 { "" } else { "s" })
}

/// Formats a time in the local time zone. `form` is a format of `strftime`. Returns an empty text
/// for a time that is beyond the range of the calendar.
pub fn local(at: WallMs, form: &str) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|at| at.to_zoned(jiff::tz::TimeZone::system()).strftime(form).to_string())
        .unwrap_or_default()
}
