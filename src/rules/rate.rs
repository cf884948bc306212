//! The rate finder: finds the rate that the vendor allows, and stays just below it.
//!
//! Refusals tell that the rate is too high, and their pattern tells by how much. Refusals that are
//! spread evenly among answers point to a limiter that lets calls pass evenly, so the rate times
//! the answered share is the limit. Refusals in one unbroken run point to a window whose calls are
//! used up, so the calls that were answered in the last second are the limit. A rate that stood for
//! a while is a lower bound: a refusal above it takes nothing away from it.
//!
//! The phases are these:
//! - *asked*: the rate that the user asked for, as long as nothing speaks against it;
//! - *start*: the rate doubles, level by level, until a call is refused or answers take longer;
//! - *settling*: an incident; the answers to the calls under way are waited for;
//! - *recovering*: a moment below the ceiling, in which the vendor's counts drain;
//! - *holding*: just below the ceiling, for a time that grows as long as the ceiling stays;
//! - *probing*: above the ceiling, in growing steps, whether the vendor allows more;
//! - *stopped*: every call is refused; one call at a time is tried.
//!
//! Must hold: the rate never exceeds the cap. It is never below a floor of one call in ten seconds,
//! or the cap if that is less. The memory is bounded.
//!
//! Never: reads a clock or waits. The caller passes the time, which never goes back.

mod answer_times;
mod belief;
mod change;
mod counts;
mod estimate;
mod fellows;
mod finder;
mod history;
mod incident;
mod learned;
mod level;
mod sample;
mod stop;
mod suspicion;
mod windows;

pub use change::RateChange;
pub(super) use change::Told;
pub use fellows::Fellows;
pub use finder::RateFinder;
pub use learned::{Learned, Remembered};
pub use windows::Window;

/// The way in which a run begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RateStart {
    /// At the rate that the user asked for.
    Asked,
    /// Slowly, to find the vendor's limit. `learned` is what an earlier run has found.
    Climb {
        /// Limit of an earlier run.
        learned: Option<Learned>,
    },
}

/// Settings of the rate finder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatePolicy {
    /// Highest rate, in calls a second; `None` is unlimited.
    pub cap: Option<f64>,
    /// The way in which the run begins.
    pub start: RateStart,
}
