//! The ledger of a simulated world: facts in memory, folded as the real one folds them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::attempt::{AttemptId, Batch, PairKey};
use crate::model::class::{Class, Lost};
use crate::rules::brake::FirstVerdicts;
use crate::rules::classify::charge;
use crate::rules::pairs::PairTable;
use crate::rules::retry::RetryPolicy;
use crate::rules::tally::{SoFar, count};
use crate::rules::testing::key;

/// Which pair a key of the tests stands for.
pub(super) fn number(key: PairKey) -> u64 {
    u128::from_be_bytes(key.0) as u64
}

/// The durable facts of one run.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) intents: BTreeMap<u64, u64>,
    pub(super) settled: BTreeMap<u64, Class>,
    voids: BTreeSet<u64>,
    of_pair: BTreeMap<u64, Vec<u64>>,
    verdicts: FirstVerdicts,
}

impl Facts {
    pub(super) fn record(&mut self, batch: &Batch) {
        for intent in &batch.intents {
            let pair = number(intent.pair);
            assert_eq!(self.intents.insert(intent.attempt.0, pair), None, "one intent an attempt");
            self.of_pair.entry(pair).or_default().push(intent.attempt.0);
        }
        for settlement in &batch.settlements {
            let attempt = settlement.attempt.0;
            assert!(self.intents.contains_key(&attempt), "an intent comes first");
            assert_eq!(self.settled.insert(attempt, settlement.class), None, "settled once");
            assert_eq!(settlement.charge, charge(settlement.class));
            self.verdicts.answered(settlement.class);
        }
        self.voids.extend(batch.voids.iter().map(|attempt| attempt.0));
    }

    /// Intents without a settlement: what a crash now would leave in doubt.
    pub(super) fn open(&self) -> usize {
        self.intents.len() - self.settled.len()
    }

    /// What the next start does first: says how many it found in doubt.
    pub(super) fn settle_killed(&mut self) -> usize {
        let open = self.open();
        for attempt in self.intents.keys() {
            self.settled.entry(*attempt).or_insert(Class::InDoubt(Lost::Killed));
        }
        open
    }

    /// The classes of a pair's attempts, in order, and whether each is voided.
    pub(super) fn classes(&self, pair: u64) -> Vec<(Class, bool)> {
        let attempts = self.of_pair.get(&pair).map(Vec::as_slice).unwrap_or_default();
        attempts
            .iter()
            .filter_map(|at| Some((*self.settled.get(at)?, self.voids.contains(at))))
            .collect()
    }

    /// Whether an end of the pair is durable.
    pub(super) fn has_end(&self, pair: u64) -> bool {
        self.classes(pair).iter().any(|(class, voided)| class.end().is_some() && !voided)
    }

    /// As a start reads them, for these pairs.
    pub(super) fn fold(
        &self,
        pairs: impl Iterator<Item = u64>,
        retry: &RetryPolicy,
    ) -> (PairTable, SoFar) {
        let mut table = PairTable::new(pairs.map(key).collect());
        let mut so_far = SoFar { verdicts: self.verdicts, ..SoFar::default() };
        for (attempt, class) in &self.settled {
            count(&mut so_far.tally, *class, 1);
            if let Some(at) = table.find(&key(self.intents[attempt])) {
                table.settle(at, AttemptId(*attempt), *class, self.voids.contains(attempt));
            }
        }
        table.give_up_used(retry);
        (table, so_far)
    }
}
