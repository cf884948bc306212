//! What can be seen of a run while it goes on, and what it leaves behind when it is over.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::model::class::{AccountStop, Class, Lost, ResultCode};
use crate::model::latency::Latency;
use crate::model::money::Tally;
use crate::model::stop::StopReason;
use crate::rules::retry::Tick;

/// Counters of this start.
#[derive(Debug, Default)]
pub struct Stats {
    /// Calls that left.
    pub sent: u64,
    /// Calls that were not the first of their pair in this run.
    pub retries: u64,
    /// How often the vendor asked the whole run to slow down.
    pub throttles: u64,
    /// Matches that came back.
    pub matches: u64,
    /// Mismatches that came back.
    pub mismatches: u64,
    /// Pairs that got their end.
    pub finished: u64,
    /// Intents that the ledger did not grant: another start has their pairs.
    pub elsewhere: u64,
    /// Answers that were lost, by how.
    pub lost: LostAnswers,
    /// The cause of the last connection that could not be made, in our words.
    pub last_failure: Option<String>,
    /// The description of the answer by which a proxy or gateway refused a call.
    pub proxy_answer: Option<String>,
    /// The description of the last answer that came and could not be read.
    pub last_unreadable: Option<String>,
    /// Times that calls took to be answered, in microseconds; `None` before the first.
    latency: Option<Histogram<u64>>,
}

/// The ways in which answers were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LostAnswers {
    /// No answer came in time.
    pub late: u64,
    /// The connection ended before the answer did.
    pub cut: u64,
    /// An answer came, and could not be read.
    pub unreadable: u64,
    /// In another way: a gateway's time-out, an answer of another call.
    pub otherwise: u64,
}

impl Stats {
    /// Counts a reply. `told`: our own words for what came of it.
    pub(super) fn replied(&mut self, class: Class, took: Duration, told: Option<&str>) {
        self.sent += u64::from(class.was_sent());
        match class {
            Class::InDoubt(Lost::Timeout) => self.lost.late += 1,
            Class::InDoubt(Lost::Cut) => self.lost.cut += 1,
            Class::InDoubt(Lost::Unreadable) => {
                self.lost.unreadable += 1;
                self.last_unreadable = told.map(str::to_owned);
            }
            Class::InDoubt(_) => self.lost.otherwise += 1,
            Class::NotSent(_) => self.last_failure = told.map(str::to_owned),
            Class::Account(AccountStop::Proxy) => self.proxy_answer = told.map(str::to_owned),
            _ => {}
        }
        match class {
            Class::Answered(ResultCode::Match) => self.matches += 1,
            Class::Answered(ResultCode::Mismatch) => self.mismatches += 1,
            _ => {}
        }
        if class.was_sent() && !matches!(class, Class::InDoubt(_)) {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            if self.latency.is_none() {
                // Up to an hour, to two digits: a few kilobytes.
                self.latency = Histogram::new_with_bounds(1, 3_600_000_000, 2).ok();
            }
            if let Some(latency) = &mut self.latency {
                latency.saturating_record(micros.max(1));
            }
        }
    }

    /// How long calls took, if any was answered.
    pub fn latency(&self) -> Option<Latency> {
        let histogram = self.latency.as_ref()?;
        let at = |quantile| histogram.value_at_quantile(quantile).div_ceil(1000);
        Some(Latency { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99) })
    }
}

/// Why nothing is being sent just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// The source is down or cannot be reached; one row at a time is tried.
    Outage(StopReason),
    /// The vendor asked to slow down.
    Throttled,
    /// The run is ending.
    Draining(StopReason),
}

/// A glimpse of a run under way.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot {
    /// Time since the start.
    pub now: Tick,
    /// Pairs that got their end in this start.
    pub finished: u64,
    /// Calls that left in this start.
    pub sent: u64,
    /// Matches of this start.
    pub matches: u64,
    /// Mismatches of this start.
    pub mismatches: u64,
    /// The run's tally, all its starts together.
    pub tally: Tally,
    /// Calls in flight.
    pub in_flight: usize,
    /// Rows that wait for their retry.
    pub waiting: usize,
    /// Why nothing is being sent just now.
    pub pause: Option<Pause>,
}
