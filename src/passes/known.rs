//! What the ledger knows of a file's pairs, and what that leaves to be sent.

use super::{PassError, Survey};
use crate::ledger::{Facts, RunRef};
use crate::model::attempt::WallMs;
use crate::model::class::End;
use crate::model::funnel::{Ages, Funnel};
use crate::rules::brake::Earliest;
use crate::rules::pairs::{Origin, PairState, PairTable};
use crate::rules::retry::RetryPolicy;
use crate::rules::reuse::{Age, ReusePolicy};
use crate::rules::tally::{SoFar, count};

/// What the facts say beside the standing of each pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// What this run's own facts add up to.
    pub run: SoFar,
    /// How old the answers are that are used again.
    pub ages: Ages,
}

/// Folds all facts into the table: other runs' first, then this run's own.
///
/// # Errors
/// [`PassError::Ledger`].
pub fn fold_known<F: Facts>(
    table: &mut PairTable,
    facts: &mut F,
    run: &RunRef,
    reuse: &ReusePolicy,
    retry: &RetryPolicy,
    now: WallMs,
) -> Result<Known, PassError> {
    let keys = table.keys();
    // A later fact of a pair replaces an earlier one: only at the end is it known which age counts.
    let mut ages = vec![Age::default(); table.len()];
    facts.earlier(run, &keys, &mut |at, fact| {
        let kept = reuse.keeps(fact.end, fact.at, fact.taken_over).then_some(fact.end);
        table.take_earlier(at, fact.attempt, kept);
        if let Some(age) = ages.get_mut(at.0 as usize) {
            *age = Age::of(fact.at, now);
        }
    })?;
    let mut known = Known::default();
    let mut verdicts = Earliest::default();
    if let RunRef::Open(id) = run {
        facts.own(*id, &keys, &mut |at, own| {
            count(&mut known.run.tally, own.class, 1);
            verdicts.answered(own.at, own.class);
            if let Some(at) = at {
                table.settle(at, own.attempt, own.class, own.voided);
            }
        })?;
    }
    table.give_up_used(retry);
    known.run.verdicts = verdicts.counted();
    for (state, age) in table.states().zip(ages) {
        if is_reused(state) {
            age.count(&mut known.ages);
        }
    }
    Ok(known)
}

/// True of a pair that an earlier run's answer ends.
fn is_reused(state: &PairState) -> bool {
    state.origin != Origin::Run && state.end.is_some_and(|end| end != End::InDoubt)
}

impl Funnel {
    /// The funnel of a surveyed file whose table holds what is known.
    ///
    /// # Errors
    /// [`PassError::Inconsistent`] if it does not add up: a defect of this program.
    pub fn of(survey: &Survey) -> Result<Self, PassError> {
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
            *match state.end {
                None => &mut funnel.to_send,
                Some(End::InDoubt) => &mut funnel.in_doubt,
                Some(_) if is_reused(state) => &mut funnel.reused,
                Some(_) => &mut funnel.done,
            } += 1;
        }
        funnel.checked().map_err(|error| PassError::Inconsistent(error.to_string()))
    }
}
