//! What the ledger knows of a file's pairs, and what that leaves to be sent.

use super::{PassError, Survey};
use crate::ledger::{Ledger, OpenRun};
use crate::model::class::End;
use crate::model::funnel::Funnel;
use crate::rules::brake::Earliest;
use crate::rules::pairs::{Origin, PairTable};
use crate::rules::retry::RetryPolicy;
use crate::rules::reuse::ReusePolicy;
use crate::rules::tally::{SoFar, count};

/// Folds all facts into the table: other runs' first, then this run's own. Returns what these add
/// up to.
///
/// # Errors
/// [`PassError::Ledger`].
pub fn fold_known<L: Ledger>(
    table: &mut PairTable,
    ledger: &mut L,
    run: &OpenRun,
    reuse: &ReusePolicy,
    retry: &RetryPolicy,
) -> Result<SoFar, PassError> {
    let keys = table.keys();
    ledger.earlier(run, &keys, &mut |at, fact| {
        let kept = reuse.keeps(fact.end, fact.at, fact.taken_over).then_some(fact.end);
        table.take_earlier(at, fact.attempt, kept);
    })?;
    let mut so_far = SoFar::default();
    let mut verdicts = Earliest::default();
    ledger.own(run, &keys, &mut |at, own| {
        count(&mut so_far.tally, own.class, 1);
        verdicts.answered(own.at, own.class);
        if let Some(at) = at {
            table.settle(at, own.attempt, own.class, own.voided);
        }
    })?;
    table.give_up_used(retry);
    so_far.verdicts = verdicts.counted();
    Ok(so_far)
}

impl Funnel {
    /// The funnel of a surveyed file whose table holds what is known.
    pub fn of(survey: &Survey) -> Self {
        let mut funnel = Self {
            rows: survey.counts.rows,
            rejected: survey.counts.rejected(),
            duplicates: survey.duplicates,
            reused: 0,
            in_doubt: 0,
            done: 0,
            to_send: 0,
        };
        for state in survey.table.states() {
            *match (state.end, state.origin) {
                (None, _) => &mut funnel.to_send,
                (Some(_), Origin::Run) => &mut funnel.done,
                (Some(End::InDoubt), _) => &mut funnel.in_doubt,
                (Some(_), _) => &mut funnel.reused,
            } += 1;
        }
        funnel
    }
}
