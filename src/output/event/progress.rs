//! The figures of a run under way.

use serde::Serialize;

use super::times::Utc;
use crate::model::attempt::WallMs;
use crate::model::money::{Price, number, price_in_brackets};
use crate::model::zone::Zone;
use crate::output::words::{duration, rounded};

/// Figures of a run under way, over all its starts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// Number of pairs that the run has to check.
    pub pairs: u64,
    /// Number of those that have their end.
    pub pairs_done: u64,
    /// Calls that were sent.
    pub calls: u64,
    /// Calls that will surely be on the invoice.
    pub charged: u64,
    /// Calls that may be on the invoice.
    pub possible: u64,
    /// Calls that were answered "match".
    pub matches: u64,
    /// Calls per second in the last seconds.
    pub calls_per_second: f64,
    /// Calls whose answers are waited for.
    pub in_flight: usize,
    /// Rows that wait to be asked again.
    pub waiting: usize,
    /// Seconds that are left, about; `null` where nothing is known.
    pub seconds_left: Option<u64>,
    /// Time at which the run will be done, about.
    pub done_at: Option<Utc>,
    /// Reason why nothing is being sent: `outage`, `rate_limited`, `stopping`; `null` otherwise.
    pub pause: Option<&'static str>,
}

impl Progress {
    /// Returns the figures of a start that has sent nothing yet.
    pub const fn begun(pairs_done: u64, pairs: u64) -> Self {
        Self {
            pairs,
            pairs_done,
            calls: 0,
            charged: 0,
            possible: 0,
            matches: 0,
            calls_per_second: 0.0,
            in_flight: 0,
            waiting: 0,
            seconds_left: None,
            done_at: None,
            pause: None,
        }
    }

    /// Formats the figures as one line for people.
    pub fn text(&self, price: Option<&Price>, zone: &Zone, now: WallMs) -> String {
        self.parts(price, zone, now).join(" · ")
    }

    /// Returns the parts of the line, the most important ones first.
    pub(crate) fn parts(&self, price: Option<&Price>, zone: &Zone, now: WallMs) -> Vec<String> {
        let mut parts = vec![format!("{} of {} done", number(self.pairs_done), number(self.pairs))];
        if let (Some(seconds), Some(Utc(at))) = (self.seconds_left, self.done_at) {
            let clock = zone.show_clock(at, now);
            parts.push(format!("{} left, until about {clock}", duration(seconds)));
        }
        let money = price_in_brackets(price, self.charged);
        parts.push(format!("charged {}{money}", number(self.charged)));
        if self.possible > 0 {
            parts.push(format!("possibly {} more", number(self.possible)));
        }
        parts.push(format!("{} calls/s", rounded(self.calls_per_second)));
        if let Some(percent) = (self.matches * 100).checked_div(self.charged) {
            parts.push(format!("match {percent} % of charged"));
        }
        if self.in_flight > 0 {
            parts.push(format!("{} under way", self.in_flight));
        }
        if self.waiting > 0 {
            parts.push(format!("{} to send again", number(self.waiting as u64)));
        }
        parts
    }
}
