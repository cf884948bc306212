//! The engine: turns rows into facts.
//!
//! The [`Dispatcher`] makes all decisions: it is given the time and the events, and never waits.
//! [`verify`] is the asynchronous loop that waits. A test drives the same dispatcher in virtual
//! time.
//!
//! Must hold: all state of a start has one owner, the dispatcher.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::model::attempt::{Tick, WallMs};
use crate::model::stop::{Signal, StopReason};
use crate::rules::body::BodyTrial;
use crate::rules::breaker::BreakerPolicy;
use crate::rules::retry::RetryPolicy;
use crate::rules::throttle::ThrottlePolicy;

mod dispatcher;
mod fleet;
mod gate;
mod intents;
mod notice;
mod pace;
mod pauses;
mod report;
mod slots;
#[cfg(test)]
pub(crate) mod tests;
mod verify;
mod watch;
mod work;

pub use dispatcher::{Dispatcher, Event, Hands, NextRow, RunState, Turn};
pub use gate::Gate;
pub use intents::Ticket;
pub use notice::{Notice, Observer};
pub use report::{LostAnswers, Pause, PauseTimes, Snapshot, Stats};
pub use verify::verify;
pub use work::Candidate;

/// Settings of a run.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Maximum number of calls in flight.
    pub concurrency: usize,
    /// Rules for asking rows again.
    pub retry: RetryPolicy,
    /// Rules for an outage of the source.
    pub breaker: BreakerPolicy,
    /// The rate, and the rules for slowing down when the rate was too high.
    pub throttle: ThrottlePolicy,
    /// Maximum number of confirmed and possible charges of the run, over all its starts.
    pub max_charges: Option<u64>,
    /// Maximum number of calls of this start.
    pub max_calls: Option<u64>,
    /// Percentage of mismatches among the first verdicts of the run above which the run stops.
    pub most_mismatches: Option<u8>,
    /// Time from which on nothing more is started.
    pub deadline: Option<Deadline>,
    /// Current knowledge of the body kind that the vendor accepts.
    pub body: BodyTrial,
    /// Length of a worker's lease, on a ledger that several workers write to.
    pub lease: Option<Duration>,
    /// Seed of the jitter.
    pub seed: u64,
}

/// Time from which on nothing more is started, on both clocks: a machine may sleep, and its wall
/// clock may be set. The clock that reaches it first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The deadline, counted from the start.
    pub after: Tick,
    /// The deadline on the wall clock.
    pub at: WallMs,
}

impl Deadline {
    /// Checks whether the deadline has passed on one of the clocks.
    pub(crate) fn has_passed(self, now: Tick, wall: WallMs) -> bool {
        now >= self.after || wall >= self.at
    }
}

/// A delivery from the reader of the rows. A reader that ends without sending [`Delivery::End`] or
/// [`Delivery::Failed`] was cut off by a defect.
#[derive(Debug)]
pub enum Delivery {
    /// Rows, in the order of the input.
    Rows(Vec<Candidate>),
    /// The last delivery: there are no more rows.
    End,
    /// The last delivery: the input failed for this reason.
    Failed(StopReason),
}

/// The receiver of the rows, as they are read.
pub type Rows = mpsc::Receiver<Delivery>;

/// The receiver of the signals that ask to stop.
pub type Signals = mpsc::Receiver<Signal>;
