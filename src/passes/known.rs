//! Folds the facts of the ledger into the pairs of a file, and counts the pairs that remain to be
//! sent.

use super::{PassError, Survey};
use crate::ledger::{Facts, RunRef};
use crate::model::attempt::WallMs;
use crate::model::class::End;
use crate::model::funnel::{Ages, Funnel};
use crate::rules::first_verdicts::Earliest;
use crate::rules::pair_table::{PairState, PairTable, Provenance};
use crate::rules::retry::RetryPolicy;
use crate::rules::reuse::{Age, ReusePolicy};
use crate::rules::tally::{RunTotals, count};

/// Sums over the facts, in addition to the state of each pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// Cost and first verdicts of this run so far.
    pub run: RunTotals,
    /// Ages of the answers of earlier runs that are reused.
    pub ages: Ages,
}

/// Folds all facts into the table: first those of other runs, then those of this run, which win.
///
/// # Errors
/// Returns [`PassError::Ledger`] if the facts cannot be read.
pub fn fold_known<F: Facts>(
    table: &mut PairTable,
    facts: &mut F,
    run: &RunRef,
    reuse: &ReusePolicy,
    retry: &RetryPolicy,
    now: WallMs,
) -> Result<Known, PassError> {
    let keys = table.keys();
    // A later fact about a pair replaces an earlier one, so the ages are counted only at the end.
    let mut ages = vec![Age::default(); table.len()];
    facts.visit_earlier(run, &keys, &mut |at, fact| {
        let kept = reuse.keeps(fact.end, fact.at, fact.taken_over).then_some(fact.end);
        table.apply_earlier(at, fact.attempt, kept);
        if let Some(age) = ages.get_mut(at.0 as usize) {
            *age = Age::of(fact.at, now);
        }
    })?;
    let mut known = Known::default();
    let mut verdicts = Earliest::default();
    if let RunRef::Open(id) = run {
        facts.visit_own(*id, &keys, &mut |at, own| {
            count(&mut known.run.tally, own.class, 1);
            verdicts.answered(own.at, own.class);
            if let Some(at) = at {
                table.settle(at, own.attempt, own.class, own.voided);
            }
        })?;
    }
    table.give_up_exhausted(retry);
    known.run.verdicts = verdicts.counted();
    for (state, age) in table.states().zip(ages) {
        if is_reused(state) {
            age.count(&mut known.ages);
        }
    }
    Ok(known)
}

/// Checks whether an answer of an earlier run ends a pair.
fn is_reused(state: &PairState) -> bool {
    state.origin != Provenance::ThisRun && state.end.is_some_and(|end| end != End::InDoubt)
}

impl Funnel {
    /// Makes the funnel of a surveyed file, after the facts were folded into its table.
    ///
    /// # Errors
    /// Returns [`PassError::Inconsistent`] if the parts do not add up to the rows, which is a
    /// defect of this program.
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
