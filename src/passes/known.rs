//! Folds the facts of the ledger into the pairs of a file.

use super::PassError;
use crate::ledger::{Facts, RunId, RunRef, Standing};
use crate::model::attempt::WallMs;
use crate::model::class::{Class, ResultCode};
use crate::model::funnel::Ages;
use crate::rules::first_verdicts::Earliest;
use crate::rules::pair_table::{Holder, PairIndex, PairTable};
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
    /// Number of pairs of a finished run whose answers were removed since.
    pub removed: u64,
}

/// The facts of other runs that are folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactsOf {
    /// All facts of now, for a run that goes on.
    Now,
    /// The facts that were known when the output of this run was made last, to make it again. Answers
    /// that were removed since are shown as such.
    LastOutput(RunId),
}

/// Folds all facts into the table: first those of other runs, then those of this run, which win.
///
/// # Errors
/// Returns [`PassError::Ledger`] if the facts cannot be read.
pub fn fold_known<F: Facts + ?Sized>(
    table: &mut PairTable,
    facts: &mut F,
    of: FactsOf,
    run: &RunRef,
    reuse: &ReusePolicy,
    retry: &RetryPolicy,
    now: WallMs,
) -> Result<Known, PassError> {
    let keys = table.keys();
    // A later fact about a pair replaces an earlier one, so the ages are counted only at the end.
    let mut ages = vec![Age::default(); table.len()];
    let mut visit = |at: PairIndex, standing: Standing| {
        table.set_version(at, standing.version);
        if standing.is_open {
            table.set_holder(at, Holder::AnotherWorker);
        }
        let Some(fact) = standing.end else { return };
        let kept = reuse.keeps(fact.end, fact.at, fact.taken_over).then_some(fact.end);
        table.apply_earlier(at, fact.attempt, kept);
        if let Some(age) = ages.get_mut(at.0 as usize) {
            *age = Age::of(fact.at, now);
        }
    };
    match of {
        FactsOf::Now => facts.visit_earlier(run, &keys, &mut visit)?,
        FactsOf::LastOutput(run) => facts.visit_earlier_then(run, &keys, &mut visit)?,
    }
    let mut known = Known::default();
    let mut verdicts = Earliest::default();
    if let Some(id) = run.begun() {
        facts.visit_own(id, &keys, &mut |at, own| {
            count(&mut known.run.tally, own.class, 1);
            known.run.matches += u64::from(own.class == Class::Answered(ResultCode::Match));
            verdicts.answered(own.at, own.class);
            if let Some(at) = at {
                table.settle(at, own.attempt, own.class, own.voided);
            }
        })?;
    }
    match run {
        // Nothing is sent any more, whatever today's retry policy is.
        RunRef::Finished { run, .. } => {
            known.removed = table.mark_removed();
            if known.removed > 0 && of == FactsOf::Now {
                return Err(PassError::Removed(run.0));
            }
            table.give_up_all();
        }
        RunRef::New { .. } | RunRef::Open(_) => table.give_up_exhausted(retry),
    }
    known.run.verdicts = verdicts.counted();
    for (state, age) in table.states().zip(ages) {
        if state.is_reused() {
            age.count(&mut known.ages);
        }
    }
    Ok(known)
}
