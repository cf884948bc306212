//! The engine: rows in, facts out, one owner of all state.
//!
//! The [`Dispatcher`] takes all decisions: it is told of the time and of events, and never waits. [`verify`] is the
//! waiting around it. A test drives the same dispatcher in virtual time.

use tokio::sync::mpsc;

use crate::model::attempt::WallMs;
use crate::model::stop::Signal;
use crate::rules::body::BodyTrial;
use crate::rules::breaker::BreakerPolicy;
use crate::rules::retry::{RetryPolicy, Tick};
use crate::rules::throttle::ThrottlePolicy;

mod dispatcher;
mod gate;
mod intents;
mod pace;
mod report;
#[cfg(test)]
pub(crate) mod tests;
mod verify;
mod watch;
mod work;

pub use dispatcher::{Dispatcher, Event, Hands, NextRow, RunState, Turn};
pub use gate::Gate;
pub use intents::Ticket;
pub use report::{LostAnswers, Pause, Snapshot, Stats};
pub use verify::{Verified, verify};
pub use work::Candidate;

/// How a run is to go.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most calls in flight.
    pub concurrency: usize,
    /// When rows are asked again.
    pub retry: RetryPolicy,
    /// What is done when the source is down.
    pub breaker: BreakerPolicy,
    /// The rate, and what is done when it was too high.
    pub throttle: ThrottlePolicy,
    /// Confirmed and possible charges of the run, at the most.
    pub max_charges: Option<u64>,
    /// Calls of this start, at the most.
    pub max_calls: Option<u64>,
    /// The run stops where more of its first verdicts than this share, in percent, are mismatches.
    pub most_mismatches: Option<u8>,
    /// Nothing is started after this.
    pub deadline: Option<Tick>,
    /// The same on the wall clock: a machine may sleep, and its clock be set.
    pub deadline_at: Option<WallMs>,
    /// What is known of the body kind.
    pub body: BodyTrial,
    /// Of the jitter.
    pub seed: u64,
}

/// A delivery of the reader's. A reader that ends without a last one was cut off by a defect.
#[derive(Debug)]
pub enum Delivery {
    /// Rows, in their order.
    Rows(Vec<Candidate>),
    /// The last: there are no more rows.
    End,
    /// The last: the input is not what was surveyed, or can no longer be read.
    Changed,
}

/// Rows as they are read.
pub type Rows = mpsc::Receiver<Delivery>;

/// Signals that ask to stop.
pub type Signals = mpsc::Receiver<Signal>;
