//! The distinct pairs of one file and the facts known about each of them: the only state of a run.
//!
//! Sorted keys and small states, side by side: 32 bytes a pair. The table is filled by folding
//! facts: first those of earlier runs, then this run's own, in the order of their attempts.
//!
//! Must hold: a pair with an end is never sent, and this run's own facts win over those of
//! earlier runs.

use std::sync::Arc;

use super::retry::{RetryPolicy, Spent};
use crate::model::attempt::{AttemptId, PairKey, PairVersion};
use crate::model::class::{Class, End, NotSent};

/// Index of a pair in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairIndex(pub u32);

/// The run that recorded the fact which decides a pair's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Provenance {
    /// No run: nothing is known about the pair.
    #[default]
    Nothing,
    /// An earlier run.
    EarlierRun,
    /// This run.
    ThisRun,
}

/// The process that may be about to ask a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Holder {
    /// Nobody: the next row of the pair may be taken.
    #[default]
    Nobody,
    /// This process: a row of the pair is with its engine. Other rows of the pair get its result.
    Engine,
    /// Another worker on the same ledger. Its result is found in a later round.
    AnotherWorker,
}

/// State of one pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairState {
    /// Attempt that decides the state; number 0 if there is none.
    pub attempt: AttemptId,
    /// End of the pair's history; `None` if the pair is still to be sent.
    pub end: Option<End>,
    /// Run that recorded the deciding fact.
    pub origin: Provenance,
    /// Attempts that the pair has used up in this run.
    pub spent: Spent,
    /// Process that may be about to ask the pair.
    pub holder: Holder,
    /// Version of the pair in the ledger.
    pub version: PairVersion,
}

impl PairState {
    /// Checks whether an answer of an earlier run ends the pair.
    pub fn is_reused(&self) -> bool {
        let is_answer = |end| !matches!(end, End::InDoubt | End::Removed);
        self.origin != Provenance::ThisRun && self.end.is_some_and(is_answer)
    }
}

const UNKNOWN: PairState = PairState {
    attempt: AttemptId(0),
    end: None,
    origin: Provenance::Nothing,
    spent: Spent { sends: 0, tries: 0, possible: 0 },
    holder: Holder::Nobody,
    version: PairVersion::NONE,
};

/// Memory use is guaranteed: key and state of a pair take 32 bytes.
const _: () = assert!(size_of::<PairState>() + size_of::<PairKey>() == 32);

/// Distinct keys of one file, sorted.
#[derive(Debug, Default)]
pub struct SortedKeys(Vec<PairKey>);

/// Table of the distinct pairs of one file.
#[derive(Debug, Default)]
pub struct PairTable {
    keys: Arc<SortedKeys>,
    states: Vec<PairState>,
}

impl SortedKeys {
    /// Returns the keys in their order.
    pub fn as_slice(&self) -> &[PairKey] {
        &self.0
    }

    /// Returns the index of a key; `None` if the key is not in the table.
    ///
    /// Keys are uniformly distributed, so the value of a key tells roughly where the key is. In a
    /// million keys a first guess is off by a few hundred places. A second guess, corrected by the
    /// key at the first place, is off by a few dozen. If the key is not near the second guess, the
    /// whole table is searched.
    pub fn find(&self, key: &PairKey) -> Option<PairIndex> {
        let (from, to) = self.neighbourhood(key);
        let found = match self.0.get(from..to) {
            Some(near) if near.first() <= Some(key) && Some(key) <= near.last() => {
                near.binary_search(key).map(|at| from + at)
            }
            _ => self.0.binary_search(key),
        };
        found.ok().and_then(|at| u32::try_from(at).ok()).map(PairIndex)
    }

    /// Returns the range of places that most likely holds a uniformly distributed key.
    fn neighbourhood(&self, key: &PairKey) -> (usize, usize) {
        let len = self.0.len();
        let places = |share: u64| ((u128::from(share) * len as u128) >> 64) as usize;
        let wanted = head(key);
        let first = places(wanted);
        let Some(there) = self.0.get(first).map(head) else { return (0, len) };
        let off = places(wanted.abs_diff(there));
        let second = if wanted >= there { first + off } else { first.saturating_sub(off) };
        // Four standard deviations of the number of keys in between.
        let spread = 4 * off.isqrt() + 8;
        (second.saturating_sub(spread), (second + spread).min(len))
    }
}

/// Returns the first half of a key as a number.
fn head(key: &PairKey) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&key.0[..8]);
    u64::from_be_bytes(bytes)
}

impl PairTable {
    /// Creates the table from one key for each row, in any order and with repetitions.
    pub fn new(mut keys: Vec<PairKey>) -> Self {
        keys.sort_unstable();
        keys.dedup();
        keys.shrink_to_fit();
        let states = vec![UNKNOWN; keys.len()];
        Self { keys: Arc::new(SortedKeys(keys)), states }
    }

    /// Returns the distinct keys, for lookups while states change.
    pub fn keys(&self) -> Arc<SortedKeys> {
        Arc::clone(&self.keys)
    }

    /// Returns the index of a key; `None` if the key is not in the table.
    pub fn find(&self, key: &PairKey) -> Option<PairIndex> {
        self.keys.find(key)
    }

    /// Returns the number of distinct pairs.
    pub const fn len(&self) -> usize {
        self.states.len()
    }

    /// Checks whether there are no pairs.
    pub const fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Returns the state of a pair.
    pub fn state(&self, at: PairIndex) -> PairState {
        self.states.get(at.0 as usize).copied().unwrap_or(UNKNOWN)
    }

    /// Returns all states, in the order of the keys.
    pub fn states(&self) -> impl Iterator<Item = &PairState> {
        self.states.iter()
    }

    /// Applies a fact of an earlier run. `end` is `None` if the fact is not to be used. The latest
    /// fact of a pair decides, so `None` also erases the facts before it.
    pub fn apply_earlier(&mut self, at: PairIndex, attempt: AttemptId, end: Option<End>) {
        if let Some(state) = self.states.get_mut(at.0 as usize) {
            *state = match end {
                Some(_) => PairState { attempt, end, origin: Provenance::EarlierRun, ..*state },
                None => PairState { version: state.version, holder: state.holder, ..UNKNOWN },
            };
        }
    }

    /// Applies a settled attempt of this run. A `voided` refusal is no end. A doubt does not replace
    /// another end of this run: the attempts of several workers come in the order of their numbers
    /// and not of their times, and a pair that has another end is never asked again.
    pub fn settle(&mut self, at: PairIndex, attempt: AttemptId, class: Class, voided: bool) {
        let Some(state) = self.states.get_mut(at.0 as usize) else { return };
        state.spent = state.spent.after(class);
        let end = class.end().filter(|_| !voided);
        let recalled = class == Class::NotSent(NotSent::Recalled);
        let is_known = state.origin == Provenance::ThisRun
            && state.end.is_some_and(|known| known != End::InDoubt);
        let decides = match end {
            Some(End::InDoubt) => !is_known,
            Some(_) => true,
            None => state.end.is_none() && !recalled,
        };
        if decides {
            *state = PairState { attempt, end, origin: Provenance::ThisRun, ..*state };
        }
    }

    /// Forgets everything that is known, so that the facts can be folded once more.
    pub fn forget(&mut self) {
        self.states.fill(UNKNOWN);
    }

    /// Notes who may be about to ask a pair.
    pub fn set_holder(&mut self, at: PairIndex, holder: Holder) {
        if let Some(state) = self.states.get_mut(at.0 as usize) {
            state.holder = holder;
        }
    }

    /// Sets the version of a pair.
    pub fn set_version(&mut self, at: PairIndex, version: PairVersion) {
        if let Some(state) = self.states.get_mut(at.0 as usize) {
            state.version = version;
        }
    }

    /// Notes that the ledger recorded a grant or a settlement of this process, which changed the
    /// pair's version.
    pub fn note_change(&mut self, at: PairIndex) {
        if let Some(state) = self.states.get_mut(at.0 as usize) {
            state.version = state.version.next();
        }
    }

    /// Gives a pair up: it may not be asked again in this run.
    pub fn give_up(&mut self, at: PairIndex) {
        if let Some(state) = self.states.get_mut(at.0 as usize) {
            state.end = Some(End::Unavailable);
            state.origin = Provenance::ThisRun;
        }
    }

    /// Gives up every pair without an end.
    pub fn give_up_all(&mut self) {
        for state in self.states.iter_mut().filter(|state| state.end.is_none()) {
            state.end = Some(End::Unavailable);
            state.origin = Provenance::ThisRun;
        }
    }

    /// Marks every pair of which nothing is known as removed. Returns the number of these pairs. To be
    /// called for a run that has finished: then each pair had an end.
    pub fn mark_removed(&mut self) -> u64 {
        let is_removed = |state: &&mut PairState| state.end.is_none() && state.spent.sends == 0;
        let removed = self.states.iter_mut().filter(is_removed);
        removed.map(|state| state.end = Some(End::Removed)).count() as u64
    }

    /// Gives up every pair without an end that earlier starts of this run have used up. A pair that
    /// has the last version cannot be asked again either.
    pub fn give_up_exhausted(&mut self, policy: &RetryPolicy) {
        for state in &mut self.states {
            let is_used_up = policy.is_exhausted(state.spent) || state.version == PairVersion::LAST;
            if state.end.is_none() && is_used_up {
                state.end = Some(End::Unavailable);
                state.origin = Provenance::ThisRun;
            }
        }
    }

    /// Returns the number of pairs that are still to be sent by whoever takes the pairs for which
    /// `is_mine` holds. Pairs that another worker holds do not count.
    pub fn left_for(&self, is_mine: impl Fn(&PairKey) -> bool) -> u64 {
        let pairs = self.keys.as_slice().iter().zip(&self.states);
        let is_left =
            |state: &PairState| state.end.is_none() && state.holder != Holder::AnotherWorker;
        pairs.filter(|(key, state)| is_left(state) && is_mine(key)).count() as u64
    }

    /// Returns the number of pairs that are still to be sent.
    pub fn to_send(&self) -> u64 {
        self.states.iter().filter(|state| state.end.is_none()).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::model::class::{Lost, Refusal, ResultCode, Trouble};
    use crate::rules::testing::key;

    const MATCH: Class = Class::Answered(ResultCode::Match);
    const AT: PairIndex = PairIndex(0);

    fn folded(classes: &[Class]) -> PairState {
        let mut table = PairTable::new(vec![key(1)]);
        for (i, class) in classes.iter().enumerate() {
            table.settle(AT, AttemptId(i as u64 + 1), *class, false);
        }
        table.state(AT)
    }

    #[test]
    fn own_facts_win_and_are_counted() {
        let mut table = PairTable::new(vec![key(1)]);
        table.apply_earlier(AT, AttemptId(5), Some(End::InDoubt));
        table.settle(AT, AttemptId(9), Class::Retry(Trouble::Internal), false);
        let held = table.state(AT);
        assert_eq!(
            (held.end, held.origin, held.spent.tries),
            (Some(End::InDoubt), Provenance::EarlierRun, 1)
        );
        table.settle(AT, AttemptId(10), MATCH, false);
        let known = table.state(AT);
        assert_eq!((known.end, known.origin), (MATCH.end(), Provenance::ThisRun));
        assert_eq!((known.attempt, known.spent.sends), (AttemptId(10), 2));
    }

    #[test]
    fn a_gateway_error_before_an_answer_stays_possible() {
        let state = folded(&[Class::Retry(Trouble::Gateway), Class::Throttled, MATCH]);
        assert_eq!((state.spent.possible, state.spent.sends, state.spent.tries), (1, 3, 1));
        assert_eq!(folded(&[Class::InDoubt(Lost::Cut)]).end, Some(End::InDoubt));
    }

    #[test]
    fn a_table_is_filled_used_up_and_forgotten() {
        let mut table = PairTable::new((1..=3).chain(1..=3).map(key).collect());
        assert_eq!((table.len(), table.is_empty(), table.to_send()), (3, false, 3));
        assert!(PairTable::default().is_empty());
        let mut sorted = [1, 2, 3].map(key);
        sorted.sort_unstable();
        assert_eq!(table.keys().as_slice(), sorted);
        let at = [1, 2, 3].map(|n| table.find(&key(n)).unwrap());
        table.apply_earlier(at[0], AttemptId(5), Some(End::Refused));
        let taken = table.state(at[0]);
        assert_eq!((taken.attempt, taken.origin), (AttemptId(5), Provenance::EarlierRun));
        table.apply_earlier(at[0], AttemptId(6), None);
        assert_eq!(table.state(at[0]), UNKNOWN, "the latest decides");

        // Only a pair that has no end and has used up its tries is given up.
        let retry = Duration::from_secs(1);
        let policy = RetryPolicy { max_attempts: 1, base: retry, cap: retry };
        table.settle(at[0], AttemptId(7), Class::Retry(Trouble::Internal), false);
        table.settle(at[1], AttemptId(8), Class::Retry(Trouble::Internal), false);
        table.settle(at[1], AttemptId(9), MATCH, false);
        table.give_up_exhausted(&policy);
        let ends: Vec<_> = at.iter().map(|at| table.state(*at).end).collect();
        assert_eq!(ends, [Some(End::Unavailable), MATCH.end(), None]);
        assert_eq!(table.state(at[0]).origin, Provenance::ThisRun);
        table.give_up(at[2]);
        assert_eq!((table.state(at[2]).end, table.to_send()), (Some(End::Unavailable), 0));

        table.set_holder(at[1], Holder::Engine);
        assert_eq!(table.state(at[1]).holder, Holder::Engine);
        assert_eq!(table.states().filter(|state| state.holder == Holder::Nobody).count(), 2);
        table.forget();
        assert!(table.states().all(|state| *state == UNKNOWN));
        assert_eq!(table.states().count(), 3);
    }

    #[test]
    fn recalled_intents_change_nothing() {
        let recalled = Class::NotSent(NotSent::Recalled);
        assert_eq!(folded(&[recalled]), UNKNOWN);
        let known = folded(&[MATCH, recalled]);
        assert_eq!((known.attempt, known.end), (AttemptId(1), MATCH.end()));
        let tried = folded(&[Class::Retry(Trouble::Internal), recalled]);
        assert_eq!((tried.attempt, tried.spent.tries), (AttemptId(1), 1));
    }

    #[test]
    fn the_attempts_of_several_workers_may_come_in_any_order() {
        let doubt = Class::InDoubt(Lost::Killed);
        for classes in [[MATCH, doubt], [doubt, MATCH]] {
            assert_eq!(folded(&classes).end, MATCH.end(), "{classes:?}");
        }
        let mut table = PairTable::new((1..=3).map(key).collect());
        table.set_holder(PairIndex(0), Holder::AnotherWorker);
        table.apply_earlier(PairIndex(0), AttemptId(5), None);
        assert_eq!((table.to_send(), table.left_for(|_| true)), (3, 2), "one is held elsewhere");
        assert_eq!(table.left_for(|pair| *pair == table.keys().as_slice()[1]), 1);
        table.set_version(PairIndex(1), PairVersion::LAST);
        let retry = Duration::from_secs(1);
        table.give_up_exhausted(&RetryPolicy { max_attempts: 1, base: retry, cap: retry });
        assert_eq!(table.state(PairIndex(1)).end, Some(End::Unavailable));
    }

    #[test]
    fn a_voided_refusal_is_no_end() {
        let mut table = PairTable::new(vec![key(1)]);
        table.settle(AT, AttemptId(1), Class::Refused(Refusal::Other), true);
        assert_eq!((table.state(AT).end, table.to_send()), (None, 1));
        table.settle(AT, AttemptId(2), Class::Refused(Refusal::Other), false);
        assert_eq!(table.to_send(), 0);
    }

    proptest! {
        /// Every key is found at its place, uniformly distributed or not, and no other
        /// key is found.
        #[test]
        fn finds_what_is_there(numbers in prop::collection::vec(any::<u64>(), 0..300), uniform in any::<bool>(), other in any::<u64>()) {
            let make = |n: u64| if uniform {
                PairKey(u128::to_be_bytes(u128::from(n) << 64 | u128::from(n)))
            } else {
                key(n)
            };
            let table = PairTable::new(numbers.iter().map(|n| make(*n)).collect());
            for (i, known) in table.keys().as_slice().iter().enumerate() {
                prop_assert_eq!(table.find(known), Some(PairIndex(i as u32)));
            }
            let wanted = make(other);
            prop_assert_eq!(table.find(&wanted).is_some(), numbers.contains(&other));
        }
    }
}
