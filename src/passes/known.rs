//! What the ledger knows of a file's pairs, and what that leaves to be sent.

use serde::Serialize;

use super::{PassError, Survey};
use crate::ledger::{Ledger, OpenRun};
use crate::model::class::End;
use crate::model::money::Tally;
use crate::rules::pairs::{Origin, PairTable};
use crate::rules::retry::RetryPolicy;
use crate::rules::reuse::ReusePolicy;
use crate::rules::tally::count;

/// Where a file's rows go: the parts add up to `rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Funnel {
    /// All rows.
    pub rows: u64,
    /// Our own check said no.
    pub rejected: u64,
    /// Same pair earlier in the file.
    pub duplicates: u64,
    /// Pairs answered in an earlier run.
    pub reused: u64,
    /// Pairs in doubt, held.
    pub in_doubt: u64,
    /// Pairs that earlier starts of this run have ended.
    pub done: u64,
    /// Pairs to be sent.
    pub to_send: u64,
}

/// Folds all facts into the table: other runs' first, then this run's own. Returns what this run
/// has cost so far.
///
/// # Errors
/// [`PassError::Ledger`].
pub fn fold_known<L: Ledger>(
    table: &mut PairTable,
    ledger: &mut L,
    run: &OpenRun,
    reuse: &ReusePolicy,
    retry: &RetryPolicy,
) -> Result<Tally, PassError> {
    let keys = table.keys();
    ledger.earlier(run, &keys, &mut |at, fact| {
        let kept = reuse.keeps(fact.end, fact.at, fact.taken_over).then_some(fact.end);
        table.take_earlier(at, fact.attempt, kept);
    })?;
    let mut tally = Tally::default();
    ledger.own(run, &keys, &mut |at, own| {
        count(&mut tally, own.class, 1);
        if let Some(at) = at {
            table.settle(at, own.attempt, own.class, own.voided);
        }
    })?;
    table.give_up_used(retry);
    Ok(tally)
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
