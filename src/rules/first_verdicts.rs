//! The outcome brake: judges a file by the first verdicts of its run, before the rest is paid for.
//!
//! The first 200 verdicts (match, mismatch, not sure, failed) count, over all starts of the run.
//! If more of them are mismatches than the share that the user allows, the run stops, because a
//! wrong column would be charged row by row. If nearly all of them are failed, the program always
//! warns and goes on.
//!
//! Must hold: nothing is decided before all 200 verdicts are in, and later verdicts change nothing.
//! A run that was stopped by its verdicts is stopped again when its facts are read back.

use std::collections::BinaryHeap;

use crate::model::attempt::WallMs;
use crate::model::class::{Class, ResultCode};

/// Number of first verdicts that are judged.
pub const FIRST: usize = 200;
/// Lowest percentage of failed verdicts among the first ones that is worth a warning.
const FAILED_PERCENT: usize = 95;

/// Kind of a verdict. The more serious kinds come first: [`Earliest`] relies on this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Mismatch,
    Failed,
    Other,
}

impl Kind {
    const fn of(class: Class) -> Option<Self> {
        match class {
            Class::Answered(ResultCode::Mismatch) => Some(Self::Mismatch),
            Class::Answered(ResultCode::Failed) => Some(Self::Failed),
            Class::Answered(ResultCode::Match | ResultCode::NotSure) => Some(Self::Other),
            _ => None,
        }
    }
}

/// Counts of the first verdicts of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FirstVerdicts {
    seen: usize,
    mismatches: usize,
    failed: usize,
}

impl FirstVerdicts {
    /// Checks whether an answer is a verdict.
    pub const fn is_verdict(class: Class) -> bool {
        Kind::of(class).is_some()
    }

    /// Counts an answer. Returns `true` if it was the last of the first verdicts.
    pub fn answered(&mut self, class: Class) -> bool {
        let Some(kind) = Kind::of(class).filter(|_| !self.are_in()) else { return false };
        self.add(kind);
        self.are_in()
    }

    /// Checks whether nearly all of the first verdicts are failed. Returns `false` until
    /// all of them are in.
    pub const fn mostly_failed(&self) -> bool {
        self.are_in() && self.failed * 100 >= FAILED_PERCENT * FIRST
    }

    /// Checks whether more than `percent` percent of the first verdicts are mismatches. Returns
    /// `false` until all of them are in.
    pub const fn mismatches_over(&self, percent: u8) -> bool {
        self.are_in() && self.mismatches * 100 > percent as usize * FIRST
    }

    /// Checks whether all of them are there, so that they can be judged.
    pub const fn are_in(&self) -> bool {
        self.seen >= FIRST
    }

    fn add(&mut self, kind: Kind) {
        self.seen += 1;
        self.mismatches += usize::from(kind == Kind::Mismatch);
        self.failed += usize::from(kind == Kind::Failed);
    }
}

/// The first verdicts of a run, found among facts that are read back in another order than
/// they arrived.
///
/// Among verdicts of the same millisecond the more serious ones count first, so a run that was
/// stopped by its verdicts is stopped again.
#[derive(Debug, Default)]
pub struct Earliest(BinaryHeap<(WallMs, Kind)>);

impl Earliest {
    /// Takes an answer that arrived at the time `at` into account.
    pub fn answered(&mut self, at: WallMs, class: Class) {
        let Some(kind) = Kind::of(class) else { return };
        if self.0.len() < FIRST {
            self.0.push((at, kind));
        } else if let Some(mut latest) = self.0.peek_mut().filter(|latest| (at, kind) < **latest) {
            *latest = (at, kind);
        }
    }

    /// Returns the counts of the earliest verdicts, [`FIRST`] at most.
    pub fn counted(&self) -> FirstVerdicts {
        let mut verdicts = FirstVerdicts::default();
        self.0.iter().for_each(|(_, kind)| verdicts.add(*kind));
        verdicts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::class::{Lost, Refusal, Trouble};

    const MATCH: Class = Class::Answered(ResultCode::Match);
    const MISMATCH: Class = Class::Answered(ResultCode::Mismatch);
    const NOT_SURE: Class = Class::Answered(ResultCode::NotSure);
    const FAILED: Class = Class::Answered(ResultCode::Failed);

    /// Feeds each class as often as its number says, in this order. Returns the counts, and the
    /// number of answers after which the first verdicts were complete.
    fn told(classes: &[(usize, Class)]) -> (FirstVerdicts, Option<usize>) {
        let mut verdicts = FirstVerdicts::default();
        let answers = classes.iter().flat_map(|(n, class)| std::iter::repeat_n(*class, *n));
        let mut last = None;
        for (n, class) in answers.enumerate() {
            if verdicts.answered(class) {
                assert_eq!(last.replace(n + 1), None, "said once");
            }
        }
        (verdicts, last)
    }

    #[test]
    fn the_first_two_hundred_decide() {
        for (what, classes, over_60, mostly_failed, after) in [
            ("none", &[][..], false, false, None),
            ("one too few", &[(199, MISMATCH)], false, false, None),
            ("all", &[(200, MISMATCH)], true, false, Some(200)),
            ("60 %", &[(80, MATCH), (120, MISMATCH)], false, false, Some(200)),
            ("over 60 %", &[(79, NOT_SURE), (121, MISMATCH)], true, false, Some(200)),
            ("only later", &[(200, MATCH), (900, MISMATCH)], false, false, Some(200)),
            ("only at first", &[(200, MISMATCH), (900, MATCH)], true, false, Some(200)),
            ("under 95 % failed", &[(11, MATCH), (189, FAILED)], false, false, Some(200)),
            ("95 % failed", &[(10, MATCH), (190, FAILED)], false, true, Some(200)),
            (
                "what is no verdict does not count",
                &[
                    (50, Class::Answered(ResultCode::Unknown)),
                    (50, Class::Refused(Refusal::Other)),
                    (50, Class::Retry(Trouble::Internal)),
                    (50, Class::InDoubt(Lost::Cut)),
                    (200, FAILED),
                ],
                false,
                true,
                Some(400),
            ),
        ] {
            let (verdicts, last) = told(classes);
            let found = (verdicts.mismatches_over(60), verdicts.mostly_failed(), last);
            assert_eq!(found, (over_60, mostly_failed, after), "{what}");
        }
    }

    #[test]
    fn any_share_can_be_set() {
        let (verdicts, _) = told(&[(198, MATCH), (2, MISMATCH)]);
        assert!(!verdicts.mismatches_over(1), "1 % is not over 1 %");
        let (verdicts, _) = told(&[(197, MATCH), (3, MISMATCH)]);
        assert!(verdicts.mismatches_over(1) && !verdicts.mismatches_over(2));
        let (verdicts, _) = told(&[(1, MATCH), (199, MISMATCH)]);
        assert!(verdicts.mismatches_over(99));
    }

    #[test]
    fn read_back_in_any_order_they_are_those_that_came_first() {
        let mut earliest = Earliest::default();
        let (live, _) = told(&[(79, MATCH), (121, MISMATCH), (300, MATCH)]);
        let came = |n: i64| if (79..200).contains(&n) { MISMATCH } else { MATCH };
        (0..500).rev().for_each(|n| earliest.answered(WallMs(n), came(n)));
        assert_eq!(earliest.counted(), live);

        // All in the same millisecond: the mismatches count first, so the run is stopped again.
        let mut earliest = Earliest::default();
        (0..500).for_each(|n| earliest.answered(WallMs(7), came(499 - n)));
        assert!(earliest.counted().mismatches_over(60));

        let mut few = Earliest::default();
        few.answered(WallMs(1), FAILED);
        few.answered(WallMs(1), Class::Throttled);
        assert_eq!(few.counted(), told(&[(1, FAILED)]).0);
    }
}
