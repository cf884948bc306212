//! The rounds of a worker: what it does after it has folded what all workers know.

use std::time::Duration;

/// Shortest wait for news before another fold.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// The next step of a worker after a fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// There are pairs that fall to this worker.
    Send,
    /// Every pair has its end, and this worker writes the output.
    Write,
    /// Others have what is left, or write the output.
    Wait,
}

/// Decides the next step. `is_complete` is true if every pair has its end, `left` is the number of
/// pairs that fall to this worker and that nobody holds, and `writes` is true for the oldest living
/// worker.
///
/// ```
/// use ceknik::rules::rounds::{NextStep, next_step};
///
/// assert_eq!(next_step(false, 3, true), NextStep::Send);
/// assert_eq!(next_step(false, 0, true), NextStep::Wait, "another worker has the rest");
/// assert_eq!(next_step(true, 0, true), NextStep::Write);
/// assert_eq!(next_step(true, 0, false), NextStep::Wait, "the oldest worker writes");
/// ```
pub const fn next_step(is_complete: bool, left: u64, writes: bool) -> NextStep {
    match (is_complete, left, writes) {
        (true, _, true) => NextStep::Write,
        (true, _, false) | (false, 0, _) => NextStep::Wait,
        (false, ..) => NextStep::Send,
    }
}

/// Returns the time after which a waiting worker folds again, although it has heard no news: a late
/// answer may have taken a pair its end. `took` is the time that the last fold took. So a waiting
/// worker spends a small part of its time on folds.
///
/// ```
/// use std::time::Duration;
///
/// use ceknik::rules::rounds::longest_wait;
///
/// assert_eq!(longest_wait(false, Duration::from_millis(20)), Duration::from_secs(1));
/// assert_eq!(longest_wait(false, Duration::from_secs(3)), Duration::from_secs(30));
/// assert_eq!(longest_wait(true, Duration::from_secs(3)), Duration::from_secs(180));
/// ```
pub fn longest_wait(is_complete: bool, took: Duration) -> Duration {
    let wait = (took * 10).max(SHORTEST_WAIT);
    if is_complete { wait * 6 } else { wait }
}
