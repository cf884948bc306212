//! The watch: counters of a start, and what its answers say of the file and of us.
//!
//! Must hold: what is seen here may stop a run, and never changes what an answer costs.

use std::time::Duration;

use super::report::Stats;
use crate::model::attempt::AttemptId;
use crate::model::class::{Class, Lost, Trouble};
use crate::model::stop::StopReason;
use crate::rules::brake::FirstVerdicts;
use crate::rules::streaks::Streaks;

/// So many kinds of failures are told, each once.
const MOST_TOLD: usize = 8;

/// Streaks, first verdicts and counters.
pub(super) struct Watch {
    pub(super) stats: Stats,
    streaks: Streaks,
    verdicts: FirstVerdicts,
    most_mismatches: Option<u8>,
    /// Failures that were told.
    told: Vec<(Class, String)>,
}

impl Watch {
    pub(super) fn new(verdicts: FirstVerdicts, most_mismatches: Option<u8>) -> Self {
        let (stats, streaks) = (Stats::default(), Streaks::default());
        Self { stats, streaks, verdicts, most_mismatches, told: Vec::new() }
    }

    /// Counts a reply. `told`: our own words for what came of it.
    pub(super) fn answered(&mut self, class: Class, took: Duration, told: Option<&str>) {
        self.stats.replied(class, took, told);
        if let Some(cause) = told {
            self.tell(class, cause);
        }
        if self.verdicts.answered(class) && self.verdicts.mostly_failed() {
            tracing::warn!(
                "nearly all of the first verdicts are \"failed\": something is wrong, look at the \
                 columns and ask the vendor"
            );
        }
    }

    /// Tells each kind of failure on the way to the vendor once.
    fn tell(&mut self, class: Class, cause: &str) {
        let message = match class {
            Class::NotSent(_) => "no connection to the vendor",
            Class::InDoubt(Lost::Unreadable) => "an answer came and cannot be read",
            Class::Retry(Trouble::Gateway) => "a gateway answers in place of the vendor",
            _ => return,
        };
        let is_new =
            !self.told.iter().any(|(told, other)| (*told, other.as_str()) == (class, cause));
        if is_new && self.told.len() < MOST_TOLD {
            tracing::warn!("{message}: {cause}");
            self.told.push((class, cause.to_owned()));
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
