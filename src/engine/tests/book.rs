//! A record of durable facts that is separate from the ledger, and the conclusions from it: which
//! pairs may be sent, what a run costs, and how a row ends. The table of charges is separate too,
//! so that a mistake in the table of `rules` is not repeated here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Step, must};
use crate::ledger::testing::{Stored, StoredFact};
use crate::model::attempt::{Batch, PairKey};
use crate::model::class::{Class, End, Lost, NotSent, Refusal, ResultCode, Trouble};
use crate::model::money::{Charge, Tally};

const KILLED: Class = Class::InDoubt(Lost::Killed);

/// A call in the vendor's log, with the class of the reply that its client got.
#[derive(Debug, Clone)]
pub(super) struct Sale {
    pub(super) run: u64,
    pub(super) class: Class,
    pub(super) charged: bool,
    pub(super) order_no: Option<String>,
}

/// Returns the charge of a class.
const fn charge_of(class: Class) -> Charge {
    match class {
        Class::Answered(ResultCode::Match | ResultCode::Mismatch) => Charge::Charged,
        Class::Answered(ResultCode::Unknown)
        | Class::Refused(Refusal::UnknownSuccess)
        | Class::Retry(Trouble::Gateway)
        | Class::InDoubt(_) => Charge::Unknown,
        _ => Charge::Free,
    }
}

/// Checks whether it is unknown if a call of this class was charged.
fn may_be_charged(class: Class) -> bool {
    charge_of(class) == Charge::Unknown
}

/// One attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) pair: PairKey,
    pub(super) run: u64,
    pub(super) settled: Option<(Class, i64)>,
    pub(super) voided: bool,
}

impl Fact {
    /// Returns the end that the attempt gives its pair, and the time of its settlement.
    pub(super) fn end(&self) -> Option<(End, i64)> {
        let (class, at) = self.settled.filter(|_| !self.voided)?;
        class.end().map(|end| (end, at))
    }

    fn class(&self) -> Option<Class> {
        self.settled.map(|(class, _)| class)
    }
}

/// The rules of a start: which answers of other runs it may use, and how often it may try a pair.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) run: u64,
    pub(super) answers_since: i64,
    pub(super) reask_since: i64,
    pub(super) resend: bool,
    pub(super) retry_refused: bool,
    pub(super) max_attempts: u8,
}

/// The costs of a run: calls, confirmed charges and possible charges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Owed {
    calls: u64,
    confirmed: u64,
    in_doubt: u64,
    unknown_code: u64,
    gateway: u64,
}

impl Owed {
    pub(super) const fn of(tally: &Tally) -> Self {
        Self {
            calls: tally.calls,
            confirmed: tally.confirmed,
            in_doubt: tally.possible.in_doubt,
            unknown_code: tally.possible.unknown_code,
            gateway: tally.possible.gateway,
        }
    }

    const fn add(&mut self, class: Class) {
        self.calls += !matches!(class, Class::NotSent(_)) as u64;
        match (charge_of(class), class) {
            (Charge::Free, _) => {}
            (Charge::Charged, _) => self.confirmed += 1,
            (Charge::Unknown, Class::InDoubt(_)) => self.in_doubt += 1,
            (Charge::Unknown, Class::Retry(_)) => self.gateway += 1,
            (Charge::Unknown, _) => self.unknown_code += 1,
        }
    }

    const fn at_most(&self) -> u64 {
        self.confirmed + self.in_doubt + self.unknown_code + self.gateway
    }
}

/// All durable facts.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    pub(super) facts: BTreeMap<u64, Fact>,
    of_pair: BTreeMap<PairKey, Vec<u64>>,
    /// Older run that each run took over.
    pub(super) took_over: BTreeMap<u64, u64>,
}

impl Book {
    /// Records that facts of this run became durable. Checks the facts against the vendor's log.
    pub(super) fn record(&mut self, run: u64, batch: &Batch, log: &BTreeMap<u64, Sale>) -> Step {
        for intent in &batch.intents {
            let fact = Fact { pair: intent.pair, run, settled: None, voided: false };
            let old = self.add(intent.attempt.0, fact);
            must(old.is_none(), || format!("{} has two intents", intent.attempt))?;
        }
        for settlement in &batch.settlements {
            let (attempt, class) = (settlement.attempt, settlement.class);
            let Some(fact) = self.facts.get_mut(&attempt.0) else {
                return must(false, || format!("{attempt} is settled without an intent"));
            };
            must(fact.settled.is_none(), || format!("{attempt} is settled twice"))?;
            must(settlement.charge == charge_of(class), || format!("the charge of {attempt}"))?;
            fact.settled = Some((class, settlement.at.0));
            let sale = log.get(&attempt.0);
            let is_honest = match class {
                Class::NotSent(NotSent::Recalled) => sale.is_none(),
                Class::InDoubt(Lost::Interrupted) => sale.is_some(),
                class => sale.is_some_and(|sale| sale.class == class),
            };
            must(is_honest, || format!("{attempt} is settled as {class:?}, not as {sale:?}"))?;
        }
        for void in &batch.voids {
            if let Some(fact) = self.facts.get_mut(&void.0) {
                fact.voided = true;
            }
        }
        Ok(())
    }

    /// Returns the number of intents without a settlement.
    pub(super) fn open(&self) -> usize {
        self.facts.values().filter(|fact| fact.settled.is_none()).count()
    }

    /// Settles all intents without a settlement as in doubt, as the next start does.
    pub(super) fn settle_killed(&mut self, now: i64) {
        for fact in self.facts.values_mut() {
            fact.settled.get_or_insert((KILLED, now));
        }
    }

    /// Builds a book from the content of a ledger.
    pub(super) fn of(stored: &Stored) -> Self {
        let mut book = Self { took_over: stored.took_over.clone(), ..Self::default() };
        for StoredFact { attempt, pair, run, settled, voided } in stored.facts.iter().copied() {
            book.add(attempt.0, Fact { pair, run, settled, voided });
        }
        book
    }

    /// Returns the costs of a run: the sum of its own facts.
    pub(super) fn owed(&self, run: u64) -> Owed {
        let mut owed = Owed::default();
        self.of_run(run).filter_map(|(_, fact)| fact.class()).for_each(|class| owed.add(class));
        owed
    }

    /// Returns the number of charges of a run that are or may be on the invoice, or are reserved. A
    /// call that was answered and whose settlement is not durable counts as the vendor's log has
    /// it.
    pub(super) fn used(
        &self,
        run: u64,
        log: &BTreeMap<u64, Sale>,
        in_flight: &BTreeSet<u64>,
    ) -> u64 {
        let is_used = |(attempt, fact): (&u64, &Fact)| match fact.class() {
            Some(class) => charge_of(class) != Charge::Free,
            None if in_flight.contains(attempt) => true,
            None => log.get(attempt).is_none_or(|sale| charge_of(sale.class) != Charge::Free),
        };
        self.of_run(run).filter(|fact| is_used(*fact)).count() as u64
    }

    /// Checks the costs of a run: the charges in the vendor's log must be at least the confirmed
    /// ones, and at most the confirmed and possible ones.
    pub(super) fn check_money(&self, run: u64, log: &BTreeMap<u64, Sale>) -> Step {
        let owed = self.owed(run);
        let sales = log.values().filter(|sale| sale.run == run);
        let billed = sales.filter(|sale| sale.charged).count() as u64;
        must(owed.confirmed <= billed && billed <= owed.at_most(), || {
            format!("run {run}: {billed} billed, {owed:?}")
        })
    }

    /// Checks that this pair may be sent now under these terms, by the attempt `by`.
    pub(super) fn check_send(&self, pair: PairKey, by: u64, terms: &Terms) -> Step {
        let own = self.of_pair(pair).filter(|(_, fact)| fact.run == terms.run);
        let others: Vec<_> = own.filter(|(attempt, _)| **attempt != by).collect();
        for (attempt, fact) in &others {
            must(fact.settled.is_some(), || format!("sent while attempt {attempt} is open"))?;
            must(fact.end().is_none(), || format!("sent again after attempt {attempt}: {fact:?}"))?;
        }
        let sends = others.iter().filter(|(_, fact)| fact.class().is_some_and(Class::was_sent));
        must(sends.count() < 20, || "sent more than 20 times in a run".to_owned())?;
        let tries =
            others.iter().filter(|(_, fact)| fact.class().is_some_and(Class::is_failed_try));
        must(tries.count() < usize::from(terms.max_attempts), || "too many tries".to_owned())?;
        let possible =
            others.iter().filter(|(_, fact)| fact.class().is_some_and(may_be_charged)).count();
        must(possible < 2, || "sent again after it may have been charged twice".to_owned())?;
        let kept = self.kept(pair, terms);
        must(kept.is_none(), || format!("sent, though it is known: {kept:?}"))
    }

    /// Returns the attempt of another run whose end is used for this pair, and that end.
    fn kept(&self, pair: PairKey, terms: &Terms) -> Option<(u64, End)> {
        let others = self.of_pair(pair).filter(|(_, fact)| fact.run != terms.run);
        let (attempt, run, end, at) = others
            .filter_map(|(id, fact)| fact.end().map(|(end, at)| (*id, fact.run, end, at)))
            .next_back()?;
        let is_kept = match end {
            End::InDoubt => !terms.resend,
            _ if self.predecessors(terms.run).contains(&run) => true,
            End::Answered(ResultCode::NotSure | ResultCode::Failed) => at > terms.reask_since,
            End::Refused if terms.retry_refused && self.was_free(attempt) => false,
            _ => at > terms.answers_since,
        };
        is_kept.then_some((attempt, end))
    }

    /// Returns the state of a pair under these terms: the attempt that decides, and the end.
    /// Without an end, the pair is not sent yet.
    pub(super) fn standing(&self, pair: PairKey, terms: &Terms) -> (Option<u64>, Option<End>) {
        let own: Vec<_> = self.of_pair(pair).filter(|(_, fact)| fact.run == terms.run).collect();
        let ended = |(id, fact): &(&u64, &Fact)| fact.end().map(|(end, _)| (**id, end));
        if let Some((attempt, end)) = own.iter().rev().find_map(ended) {
            return (Some(attempt), Some(end));
        }
        if let Some((attempt, end)) = self.kept(pair, terms) {
            return (Some(attempt), Some(end));
        }
        let of = |what: fn(Class) -> bool| {
            own.iter().filter(|(_, f)| f.class().is_some_and(what)).count()
        };
        let is_exhausted = of(Class::is_failed_try) >= usize::from(terms.max_attempts)
            || of(Class::was_sent) >= 20
            || of(may_be_charged) >= 2;
        (None, is_exhausted.then_some(End::Unavailable))
    }

    /// Returns the classes of a pair's settled attempts, in order, and for each class whether the
    /// attempt is voided.
    pub(super) fn classes(&self, pair: PairKey) -> Vec<(Class, bool)> {
        let settled = |(_, fact): (&u64, &Fact)| Some((fact.class()?, fact.voided));
        self.of_pair(pair).filter_map(settled).collect()
    }

    fn was_free(&self, attempt: u64) -> bool {
        let class = self.facts.get(&attempt).and_then(Fact::class);
        class.is_some_and(|class| charge_of(class) == Charge::Free)
    }

    /// Returns the runs that this run took over, directly or through other runs.
    pub(super) fn predecessors(&self, run: u64) -> BTreeSet<u64> {
        let mut chain = BTreeSet::new();
        let mut at = run;
        while let Some(older) =
            self.took_over.get(&at).copied().filter(|older| chain.insert(*older))
        {
            at = older;
        }
        chain
    }

    fn of_run(&self, run: u64) -> impl Iterator<Item = (&u64, &Fact)> {
        self.facts.iter().filter(move |(_, fact)| fact.run == run)
    }

    fn of_pair(&self, pair: PairKey) -> impl DoubleEndedIterator<Item = (&u64, &Fact)> {
        let attempts = self.of_pair.get(&pair).map(Vec::as_slice).unwrap_or_default();
        attempts.iter().filter_map(|attempt| self.facts.get_key_value(attempt))
    }

    fn add(&mut self, attempt: u64, fact: Fact) -> Option<Fact> {
        self.of_pair.entry(fact.pair).or_default().push(attempt);
        self.facts.insert(attempt, fact)
    }
}

/// Converts a span to whole milliseconds.
pub(super) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
