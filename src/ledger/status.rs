//! The contents of a ledger as they are shown: runs, doubts and charges by day.
//!
//! Days begin at midnight at a UTC offset that the caller passes: the ledger does not know which
//! midnight the vendor's invoice uses.

use super::holder::Holder;
use super::nouns::RunId;
use crate::model::attempt::WallMs;
use crate::model::class::Class;
use crate::model::money::Tally;
use crate::rules::rate::Remembered;
use crate::rules::vendor_clock::VendorClock;

/// Everything that a ledger shows of its contents.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Origin that the ledger belongs to.
    pub origin: String,
    /// The runs, oldest first.
    pub runs: Vec<RunLine>,
    /// The latest attempts in doubt, latest first.
    pub doubts: Vec<Doubt>,
    /// Number of all attempts in doubt.
    pub doubts_total: u64,
    /// Number of attempts without a settlement. They are in flight if a run is under way.
    pub unsettled: u64,
    /// Runs under way, as far as they are known.
    pub under_way: Vec<UnderWay>,
    /// Workers of a shared ledger that have not ended and were not declared dead, oldest first.
    pub workers: Vec<WorkerLine>,
    /// Calls and charges of each day, purged ones included; earliest day first.
    pub days: Vec<DayTotal>,
    /// Limits of the vendor that the latest run has learned.
    pub learned: Option<Remembered>,
    /// Knowledge of the vendor's clock.
    pub vendor_clock: VendorClock,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLine {
    /// Number of the run.
    pub id: RunId,
    /// Name of the input when the run began.
    pub label: String,
    /// Number of rows in the input.
    pub rows: u64,
    /// `open`, `finished` or `superseded`.
    pub state: String,
    /// Time of the first start.
    pub created_at: WallMs,
    /// Time at which the run finished or was superseded, if it was.
    pub ended_at: Option<WallMs>,
    /// Number of starts.
    pub starts: u64,
    /// Reason for which the latest start stopped early, if it did.
    pub last_stop: Option<String>,
    /// Exit code of the latest start, if that start has ended.
    pub last_exit: Option<u8>,
    /// Costs of the run. Attempts without a settlement are not counted.
    pub tally: Tally,
}

/// A run that is under way.
#[derive(Debug, Clone, PartialEq)]
pub struct UnderWay {
    /// Number of the run.
    pub run: RunId,
    /// The process that makes the calls; `None` on a shared ledger, which may have several.
    pub holder: Option<Holder>,
    /// Time at which the first process that is at work began.
    pub since: WallMs,
    /// Number of pairs that have their end. On a shared ledger: rows that need no call any more.
    pub pairs_done: u64,
    /// Number of pairs that the run has to check. On a shared ledger: all rows.
    pub pairs: u64,
    /// Calls per second in the last seconds. On a shared ledger: in the last minute.
    pub calls_per_second: f64,
    /// Time at which the run will be done, about.
    pub done_at: Option<WallMs>,
    /// Reason why nothing is being sent: `outage`, `rate_limited` or `stopping`.
    pub pause: Option<String>,
}

/// Writer of a note that says how far a run is.
pub type ProgressNote = Box<dyn Fn(&UnderWay) + Send>;

/// One worker of a shared ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerLine {
    /// Number of the run that the worker works on.
    pub run: RunId,
    /// Name of its machine.
    pub host: String,
    /// Time of its start.
    pub since: WallMs,
    /// True if it has given a sign of life within its lease.
    pub lives: bool,
    /// Number of pairs that it has still to send in its round.
    pub left: u64,
    /// Number of calls that it began in the last minute.
    pub recent_calls: u64,
}

/// One attempt in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Number of the run that sent the call.
    pub run: RunId,
    /// Number of the data record in the input, from 1.
    pub record: u64,
    /// Time of the intent, just before the call was sent.
    pub at: WallMs,
    /// Class of the attempt, which says why the answer was lost.
    pub class: Class,
}

/// Calls and charges of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayTotal {
    /// Days since 1970-01-01.
    pub day: i64,
    /// Number of calls and their charges.
    pub tally: Tally,
}

/// Time over which the calls of a worker are counted.
const MINUTE_MS: i64 = 60_000;

/// Adds up the living workers of each run. `now` is the current time on their clock.
pub(super) fn runs_under_way(
    workers: &[WorkerLine],
    runs: &[RunLine],
    now: WallMs,
) -> Vec<UnderWay> {
    let mut sums: Vec<UnderWay> = Vec::new();
    for worker in workers.iter().filter(|worker| worker.lives) {
        let Some(run) = runs.iter().find(|run| run.id == worker.run) else { continue };
        let span = now.0.saturating_sub(worker.since.0).clamp(1000, MINUTE_MS);
        let rate = worker.recent_calls as f64 * 1000.0 / span as f64;
        match sums.iter_mut().find(|sum| sum.run == worker.run) {
            Some(sum) => {
                sum.since = sum.since.min(worker.since);
                sum.pairs_done = sum.pairs_done.saturating_sub(worker.left);
                sum.calls_per_second += rate;
            }
            None => sums.push(UnderWay {
                run: worker.run,
                holder: None,
                since: worker.since,
                pairs_done: run.rows.saturating_sub(worker.left),
                pairs: run.rows,
                calls_per_second: rate,
                done_at: None,
                pause: None,
            }),
        }
    }
    for sum in &mut sums {
        let millis = (sum.pairs - sum.pairs_done) as f64 * 1000.0 / sum.calls_per_second;
        sum.done_at = millis.is_finite().then(|| WallMs(now.0.saturating_add(millis as i64)));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_of_a_run_add_up() {
        let worker = |run, left, lives| WorkerLine {
            run: RunId(run),
            host: "a".to_owned(),
            since: WallMs(1000),
            lives,
            left,
            recent_calls: 300,
        };
        let run = RunLine {
            id: RunId(2),
            label: "a.csv".to_owned(),
            rows: 1000,
            state: "open".to_owned(),
            created_at: WallMs(0),
            ended_at: None,
            starts: 3,
            last_stop: None,
            last_exit: None,
            tally: Tally::default(),
        };
        let workers = [worker(2, 300, true), worker(2, 100, true), worker(2, 90, false)];
        let sums = runs_under_way(&workers, &[run], WallMs(61_000));
        let [sum] = sums.as_slice() else { panic!("{sums:?}") };
        assert_eq!((sum.run, sum.pairs_done, sum.pairs), (RunId(2), 600, 1000));
        assert_eq!((sum.calls_per_second, sum.done_at), (10.0, Some(WallMs(101_000))));
        assert_eq!(runs_under_way(&workers, &[], WallMs(0)), []);
    }
}
