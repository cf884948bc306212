//! Facts that a worker keeps in memory, to record them again if the server does not take them or has
//! forgotten them: those of the last minute, and those of the latest batch that failed.
//!
//! Must hold: what is kept is bounded, in time and in number.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::late::LateFacts;

/// Time for which confirmed facts are kept. A standby that is further behind is not to be promoted.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// Most confirmed answers that are kept.
const MOST: usize = 100_000;

/// A batch that the server has confirmed.
struct KeptBatch {
    number: u64,
    at: Instant,
    facts: LateFacts,
}

/// The facts of a start that are kept.
#[derive(Default)]
pub(super) struct Kept {
    /// Confirmed batches, the oldest first.
    confirmed: VecDeque<KeptBatch>,
    /// Number of answers in the confirmed batches.
    answers: usize,
    /// Number of the newest batch whose facts are no longer kept.
    dropped: u64,
    /// Facts of the latest batch, if it could not be recorded.
    failed: Option<LateFacts>,
}

impl Kept {
    /// Keeps the facts of a batch that the server has confirmed under this number.
    pub(super) fn confirm(&mut self, number: u64, facts: LateFacts, at: Instant) {
        self.failed = None;
        if facts.is_empty() {
            return;
        }
        self.answers += facts.answers.len();
        self.confirmed.push_back(KeptBatch { number, at, facts });
        let is_too_old = |kept: &KeptBatch| at.duration_since(kept.at) > KEPT_FOR;
        while let Some(oldest) = self.confirmed.front()
            && (is_too_old(oldest) || self.answers > MOST)
        {
            self.answers -= oldest.facts.answers.len();
            self.dropped = oldest.number;
            self.confirmed.pop_front();
        }
    }

    /// Keeps the facts of a batch that could not be recorded. They replace those of an earlier
    /// failure, since a batch that failed is offered again with more.
    pub(super) fn fail(&mut self, facts: LateFacts) {
        self.failed = Some(facts);
    }

    /// Checks whether the latest batch could not be recorded.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Takes everything that is kept. Returns the number of the batch from which on nothing is
    /// missing, and the facts.
    pub(super) fn take_all(&mut self) -> (u64, LateFacts) {
        let mut facts = LateFacts::default();
        for kept in std::mem::take(&mut self.confirmed) {
            facts.extend(kept.facts);
        }
        facts.extend(self.failed.take().unwrap_or_default());
        self.answers = 0;
        (self.dropped + 1, facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::attempt::{AttemptId, StartId};

    fn voids(n: u32) -> LateFacts {
        LateFacts { answers: Vec::new(), voids: vec![AttemptId::of(StartId(1), n)] }
    }

    #[test]
    fn the_facts_of_the_last_minute_are_kept() {
        let (mut kept, begun) = (Kept::default(), Instant::now());
        for n in 1..=10 {
            kept.confirm(n, voids(n as u32), begun + Duration::from_secs(10 * n));
        }
        assert!(!kept.has_failed());
        kept.fail(voids(11));
        kept.fail(voids(12));
        assert!(kept.has_failed());
        let (from, facts) = kept.take_all();
        let numbers: Vec<u64> = facts.voids.iter().map(|attempt| attempt.0 & 0xFF).collect();
        assert_eq!((from, numbers), (4, vec![4, 5, 6, 7, 8, 9, 10, 12]));
        kept.fail(voids(13));
        kept.confirm(11, voids(13), begun);
        assert!(!kept.has_failed(), "it was recorded after all");
    }

    /// A batch that only opens calls has no facts that are kept.
    #[test]
    fn nothing_is_missing_before_the_first_answers() {
        let (mut kept, begun) = (Kept::default(), Instant::now());
        kept.confirm(1, LateFacts::default(), begun);
        kept.confirm(2, voids(1), begun);
        assert_eq!(kept.take_all().0, 1);
    }
}
