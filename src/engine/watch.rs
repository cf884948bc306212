//! The watch: counters of a start, and what its answers say of the file and of us.
//!
//! Must hold: what is seen here may stop a run, and never changes what an answer costs.

use std::time::Duration;

use super::report::Stats;
use crate::model::attempt::AttemptId;
use crate::model::class::Class;
use crate::model::stop::StopReason;
use crate::rules::brake::FirstVerdicts;
use crate::rules::streaks::Streaks;

/// Streaks, first verdicts and counters.
pub(super) struct Watch {
    pub(super) stats: Stats,
    streaks: Streaks,
    verdicts: FirstVerdicts,
    most_mismatches: Option<u8>,
}

impl Watch {
    pub(super) fn new(verdicts: FirstVerdicts, most_mismatches: Option<u8>) -> Self {
        Self { stats: Stats::default(), streaks: Streaks::default(), verdicts, most_mismatches }
    }

    /// Counts an answer.
    pub(super) fn answered(&mut self, class: Class, took: Duration) {
        self.stats.replied(class, took);
        if self.verdicts.answered(class) && self.verdicts.mostly_failed() {
            tracing::warn!(
                "nearly all of the first verdicts are \"failed\": something is wrong, look at the \
                 columns and ask the vendor"
            );
        }
    }

    /// Looks for streaks that stop the run.
    pub(super) fn streak(&mut self, attempt: AttemptId, class: Class) -> Option<StopReason> {
        self.streaks.answered(attempt, class)
    }

    /// The refusals of a streak that stopped the run: something is wrong with us, and a resume asks these rows again.
    pub(super) fn take_pardonable(&mut self) -> Vec<AttemptId> {
        self.streaks.take_pardonable()
    }

    /// True if more of the first verdicts are mismatches than the user bears.
    pub(super) fn has_too_many_mismatches(&self) -> bool {
        self.most_mismatches.is_some_and(|percent| self.verdicts.mismatches_over(percent))
    }

    pub(super) fn into_parts(self) -> (Stats, FirstVerdicts) {
        (self.stats, self.verdicts)
    }
}
