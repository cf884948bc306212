//! The rounds of a worker: what it does after it has folded what all workers know.

use std::time::Duration;

/// Shortest wait for news before another fold.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// The worker that writes the output of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The asking worker.
    Me,
    /// Another living worker.
    Another,
    /// No living worker: those that live only help.
    Nobody,
}

/// The next step of a worker after a fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// There are pairs that fall to this worker.
    Send,
    /// Every pair has its end, and this worker writes the output.
    Write,
    /// Others have what is left, or write the output.
    Wait,
    /// Every pair has its end, and no living worker writes the output.
    Leave,
}

/// Decides the next step. `is_complete` is true if every pair has its end, `left` is the number of
/// pairs that fall to this worker and that nobody holds, and `writer` writes the output.
///
/// ```
/// use ceknik::rules::rounds::{NextStep, Writer, next_step};
///
/// assert_eq!(next_step(false, 3, Writer::Me), NextStep::Send);
/// assert_eq!(next_step(false, 0, Writer::Me), NextStep::Wait, "another worker has the rest");
/// assert_eq!(next_step(true, 0, Writer::Me), NextStep::Write);
/// assert_eq!(next_step(true, 0, Writer::Another), NextStep::Wait);
/// assert_eq!(next_step(true, 0, Writer::Nobody), NextStep::Leave);
/// ```
pub const fn next_step(is_complete: bool, left: u64, writer: Writer) -> NextStep {
    match (is_complete, left, writer) {
        (true, _, Writer::Me) => NextStep::Write,
        (true, _, Writer::Nobody) => NextStep::Leave,
        (true, _, Writer::Another) | (false, 0, _) => NextStep::Wait,
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
