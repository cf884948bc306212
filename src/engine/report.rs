//! The figures of a run: snapshots while it is under way, and counters when it is over.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::model::attempt::Tick;
use crate::model::class::{AccountStop, Class, Lost};
use crate::model::latency::Latency;
use crate::model::money::Tally;
use crate::model::stop::StopReason;

/// Counters of this start.
#[derive(Debug, Default)]
pub struct Stats {
    /// Number of calls that left.
    pub sent: u64,
    /// Number of calls that were not the first of their pair in this run.
    pub retries: u64,
    /// Number of times that the rate was too high for the vendor.
    pub throttles: u64,
    /// Number of pairs that got their end.
    pub finished: u64,
    /// Number of intents that the ledger did not grant, because another start has their pairs.
    pub elsewhere: u64,
    /// Numbers of lost answers, by the way in which they were lost.
    pub lost: LostAnswers,
    /// Cause of the last call that was not sent, in the program's own words.
    pub last_failure: Option<String>,
    /// Description of the last answer by which a proxy or gateway refused a call.
    pub proxy_answer: Option<String>,
    /// Description of the last answer that came and could not be read.
    pub last_unreadable: Option<String>,
    /// Times that calls took to be answered, in microseconds; `None` before the first answer.
    latency: Option<Histogram<u64>>,
}

/// Numbers of lost answers, by the way in which they were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LostAnswers {
    /// Answers that did not come in time.
    pub late: u64,
    /// Answers that were cut off by the end of their connection.
    pub cut: u64,
    /// Answers that came but could not be read.
    pub unreadable: u64,
    /// Answers that were lost in another way: by the timeout of a gateway, or because the answer
    /// that came belonged to another call.
    pub otherwise: u64,
}

impl Stats {
    /// Counts a reply. `told` is the program's own description of the reply, if there is one.
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
        if class.was_answered() {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            if self.latency.is_none() {
                // Values of up to an hour, with two significant digits: a few kilobytes.
                self.latency = Histogram::new_with_bounds(1, 3_600_000_000, 2).ok();
            }
            if let Some(latency) = &mut self.latency {
                latency.saturating_record(micros.max(1));
            }
        }
    }

    /// Returns percentiles of the time that calls took, if any call was answered.
    pub fn latency(&self) -> Option<Latency> {
        let histogram = self.latency.as_ref()?;
        let at = |quantile| histogram.value_at_quantile(quantile).div_ceil(1000);
        Some(Latency { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99) })
    }
}

/// The reason why nothing is being sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// The source is down or the vendor cannot be reached. One row at a time is tried.
    Outage(StopReason, PauseTimes),
    /// The vendor refuses every call because of the rate, or asks for a wait.
    Throttled(PauseTimes),
    /// The run is ending: nothing more is started.
    Draining(StopReason),
}

/// Times of a pause, counted from the beginning of the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PauseTimes {
    /// Time at which the pause began.
    pub since: Tick,
    /// Time of the next call; `None` while a call finds out whether the pause is over.
    pub next_call: Option<Tick>,
    /// Time at which the run is given up; `None` if it is not given up because of this pause.
    pub gives_up: Option<Tick>,
}

/// The state of a run under way, for the progress display.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot {
    /// Time since the beginning of this start.
    pub now: Tick,
    /// Number of pairs of the run that have no end yet. On a shared ledger, what others have done
    /// since the last round is not known.
    pub left: u64,
    /// Number of calls that left in this start.
    pub sent: u64,
    /// Number of matches of the run, over all its starts.
    pub matches: u64,
    /// Costs of the run, over all its starts.
    pub tally: Tally,
    /// Number of calls in flight.
    pub in_flight: usize,
    /// Number of rows that wait for a retry.
    pub waiting: usize,
    /// The reason why nothing is being sent now, if there is one.
    pub pause: Option<Pause>,
}
