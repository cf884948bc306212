//! The watch: counts the replies of a start, and looks for signs that something is wrong with the
//! file or on our side.
//!
//! Must hold: a sign may stop a run, but never changes what an answer costs.

use std::time::Duration;

use super::report::Stats;
use crate::ledger::VerdictCount;
use crate::model::attempt::AttemptId;
use crate::model::class::{Class, Lost, Trouble};
use crate::model::stop::StopReason;
use crate::rules::first_verdicts::FirstVerdicts;
use crate::rules::streaks::Streaks;

/// Maximum number of kinds of failures that are reported, each once.
const MOST_TOLD: usize = 8;

/// The streaks, first verdicts and counters of a start.
pub(super) struct Watch {
    pub(super) stats: Stats,
    streaks: Streaks,
    verdicts: FirstVerdicts,
    most_mismatches: Option<u8>,
    /// True if other workers count for the first verdicts too, so that these come from the ledger.
    is_shared: bool,
    /// Number of verdicts of this start.
    recorded: u32,
    /// Failures that were reported.
    told: Vec<(Class, String)>,
}

impl Watch {
    pub(super) fn new(
        verdicts: FirstVerdicts,
        most_mismatches: Option<u8>,
        is_shared: bool,
    ) -> Self {
        let (stats, streaks, told) = (Stats::default(), Streaks::default(), Vec::new());
        Self { stats, streaks, verdicts, most_mismatches, is_shared, recorded: 0, told }
    }

    /// Counts a reply. `told` is the program's own description of the reply, if there is one.
    pub(super) fn answered(&mut self, class: Class, took: Duration, told: Option<&str>) {
        self.stats.replied(class, took, told);
        if let Some(cause) = told {
            self.tell(class, cause);
        }
        self.recorded = self.recorded.saturating_add(FirstVerdicts::is_verdict(class).into());
        if !self.is_shared && self.verdicts.answered(class) {
            self.warn_of_failed();
        }
    }

    fn warn_of_failed(&self) {
        if self.verdicts.mostly_failed() {
            tracing::warn!(
                "nearly all of the first results are \"failed\": check the columns, and ask the vendor"
            );
        }
    }

    /// Returns the number of verdicts that the others want to know.
    pub(super) const fn verdict_count(&self) -> VerdictCount {
        VerdictCount { recorded: self.recorded, wants_first: !self.verdicts.are_in() }
    }

    /// Takes the first verdicts of the run into account, to which all workers have contributed.
    pub(super) fn hear(&mut self, verdicts: FirstVerdicts) {
        if !self.verdicts.are_in() {
            self.verdicts = verdicts;
            self.warn_of_failed();
        }
    }

    /// Reports each kind of failure on the way to the vendor once.
    fn tell(&mut self, class: Class, cause: &str) {
        let message = match class {
            Class::NotSent(_) => "no connection to the vendor",
            Class::InDoubt(Lost::Unreadable) => "an answer came, but it cannot be read",
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

    /// Adds an answer to the streaks. Returns the reason to stop if a streak stops the run.
    pub(super) fn streak(&mut self, attempt: AttemptId, class: Class) -> Option<StopReason> {
        self.streaks.answered(attempt, class)
    }

    /// Returns the refusals of a streak that stopped the run, except those that must not be asked
    /// again. Something is wrong on our side, so a resume asks these rows again.
    pub(super) fn take_retryable_refusals(&mut self) -> Vec<AttemptId> {
        self.streaks.take_retryable_refusals()
    }

    /// Checks whether more of the first verdicts are mismatches than the user allows.
    pub(super) fn has_too_many_mismatches(&self) -> bool {
        self.most_mismatches.is_some_and(|percent| self.verdicts.mismatches_over(percent))
    }

    /// Begins another round, with the first verdicts of the run as they were folded.
    pub(super) const fn begin_round(&mut self, verdicts: FirstVerdicts) {
        self.verdicts = verdicts;
    }

    pub(super) fn into_parts(self) -> (Stats, FirstVerdicts) {
        (self.stats, self.verdicts)
    }
}
