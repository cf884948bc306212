//! The invariants of a fleet, checked from outside: against the vendor's log and the clock of the
//! world.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::engine::tests::book::Sale;
use crate::ledger::RunId;
use crate::ledger::testing::shared::SharedStore;
use crate::model::attempt::{AttemptId, Batch, PairKey, StartId, WallMs};
use crate::model::class::{Class, End, Lost, NotSent};

/// Time in which the calls of all workers are counted.
const WATCHED: Duration = Duration::from_secs(10);

/// Difference between two moments that counts as none.
const CLOSE: Duration = Duration::from_millis(300);

/// What the checks remember.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// Generation of the worker when an attempt was granted.
    granted_in: BTreeMap<AttemptId, u32>,
    /// Attempts of each pair, in the order of their grants.
    of_pair: BTreeMap<PairKey, Vec<AttemptId>>,
    /// Time of the world at which the last beat of a worker reached the ledger.
    beaten_at: BTreeMap<StartId, Duration>,
    latest_sends: VecDeque<Duration>,
    /// Time of the world at which the workers were told to pause.
    pause_told: Duration,
    paused_until: Duration,
    /// Time of the world since which the source is known to be down.
    down_since: Option<Duration>,
    /// Workers that have sent in the outage, in the order of their calls.
    probers: Vec<StartId>,
    /// Times in which the ledger did not answer.
    outages: Vec<(Duration, Duration)>,
}

/// The terms of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunTerms {
    pub(super) resends: bool,
    /// Time before which a doubt must be recorded to be sent again.
    pub(super) began: WallMs,
}

impl Checks {
    pub(super) fn beat(&mut self, start: StartId, now: Duration) {
        self.beaten_at.insert(start, now);
    }

    /// Notes that the ledger does not answer for a time. These times follow each other.
    pub(super) fn outage(&mut self, from: Duration, to: Duration) {
        match self.outages.last_mut() {
            Some((_, end)) if *end >= from => *end = to.max(*end),
            _ => self.outages.push((from, to)),
        }
    }

    /// Checks the intents that a batch was granted: whoever gets one has seen each earlier attempt
    /// of the pair settled. Returns the number of doubts that are sent again.
    pub(super) fn granted(
        &mut self,
        store: &SharedStore,
        batch: &Batch,
        granted: &[AttemptId],
        terms: &BTreeMap<RunId, RunTerms>,
    ) -> Result<usize, String> {
        let mut resent = 0;
        for intent in batch.intents.iter().filter(|intent| granted.contains(&intent.attempt)) {
            let attempt = intent.attempt;
            let generation = store.known(attempt.start()).generation;
            if self.granted_in.insert(attempt, generation).is_some() {
                // The same batch was offered again.
                continue;
            }
            let run = store.run_of(attempt.start());
            let before = self.of_pair.entry(intent.pair).or_default();
            for earlier in before.iter() {
                let follows = may_follow(store, *earlier, run, terms[&run]);
                let is_resent =
                    follows.map_err(|why| format!("{attempt} is granted, and {earlier} {why}"))?;
                resent += usize::from(is_resent);
            }
            before.push(attempt);
        }
        Ok(resent)
    }

    /// Checks whether an attempt was granted before its worker was declared dead.
    pub(super) fn is_outlived(&self, store: &SharedStore, attempt: AttemptId) -> bool {
        let granted_in = self.granted_in.get(&attempt);
        granted_in.is_some_and(|of| *of != store.known(attempt.start()).generation)
    }

    /// Checks a call that is about to leave.
    pub(super) fn send(
        &mut self,
        store: &SharedStore,
        attempt: AttemptId,
        lease: Duration,
        now: Duration,
    ) -> Result<(), String> {
        let start = attempt.start();
        let Some(granted_in) = self.granted_in.get(&attempt) else {
            return Err(format!("{attempt} is sent without a granted intent"));
        };
        if *granted_in != store.known(start).generation {
            return Err(format!("{attempt} is sent, and its worker was declared dead"));
        }
        let beaten_at = self.beaten_at.get(&start).copied().unwrap_or_default();
        if now >= beaten_at + lease / 2 {
            return Err(format!("{attempt} is sent without a lease"));
        }
        Ok(())
    }

    /// Notes what the ledger tells the workers now.
    pub(super) fn told(&mut self, store: &SharedStore, now: Duration) {
        let (paused_until, is_down) = store.pace();
        if paused_until > self.paused_until {
            if self.paused_until <= now {
                self.pause_told = now;
            }
            self.paused_until = paused_until;
        }
        self.down_since = if is_down { self.down_since.or(Some(now)) } else { None };
        if !is_down {
            self.probers.clear();
        }
    }

    /// Checks the calls of all workers together: their rate, and that they heed what they were
    /// told. Whoever sends has heard everything that is older than half a lease.
    pub(super) fn together(
        &mut self,
        start: StartId,
        rate: Option<f64>,
        lease: Duration,
        now: Duration,
    ) -> Result<(), String> {
        self.latest_sends.push_back(now);
        while self.latest_sends.front().is_some_and(|at| *at + WATCHED <= now) {
            self.latest_sends.pop_front();
        }
        let heard = now.saturating_sub(lease / 2);
        if self.pause_told < heard && self.paused_until > now + CLOSE {
            return Err(format!("start {} sends in a pause", start.0));
        }
        if self.down_since.is_some_and(|since| since < heard) && self.takes_turns(start) {
            return Err(format!("{:?} take turns in an outage", self.probers));
        }
        let Some(rate) = rate else { return Ok(()) };
        // A call may leave a little late, and the answers of the ledger take a little time.
        let most = rate * (WATCHED + CLOSE).as_secs_f64() + 1.0;
        let sent = self.latest_sends.len();
        if sent as f64 > most { Err(format!("{sent} in 10 s of {rate}/s")) } else { Ok(()) }
    }

    /// Notes a call in an outage of the source, which one worker at a time tries. Its place may pass
    /// on to another worker, and come back several times: a probe may be the last call of a row, and of a round.
    fn takes_turns(&mut self, start: StartId) -> bool {
        if self.probers.last() != Some(&start) {
            self.probers.push(start);
        }
        let different: BTreeSet<&StartId> = self.probers.iter().collect();
        self.probers.len() > different.len() + 6
    }

    /// Checks that a run keeps to its budget.
    pub(super) fn budget(store: &SharedStore, run: RunId, max: Option<u64>) -> Result<(), String> {
        let used = store.used_of_run(run);
        match max {
            Some(max) if used > max => Err(format!("{used} of {max} charges of {run:?}")),
            _ => Ok(()),
        }
    }

    /// Checks that a worker which is declared dead was really silent for a lease, while the ledger
    /// answered.
    pub(super) fn declared_dead(
        &mut self,
        start: StartId,
        lease: Duration,
        now: Duration,
    ) -> Result<(), String> {
        let seen = self.beaten_at.get(&start).copied().unwrap_or_default();
        let down =
            |(from, to): &(Duration, Duration)| (*to).min(now).saturating_sub((*from).max(seen));
        let down: Duration = self.outages.iter().map(down).sum();
        let silent = now.saturating_sub(seen + down);
        // Short outages do not count for the worker that declares.
        if silent < lease / 2 {
            return Err(format!("start {} is declared dead after {silent:?}", start.0));
        }
        Ok(())
    }
}

/// Checks whether another attempt of a pair may be granted after this one. Returns `true` if this
/// one is a doubt, which is sent again.
fn may_follow(
    store: &SharedStore,
    earlier: AttemptId,
    run: RunId,
    terms: RunTerms,
) -> Result<bool, String> {
    let (_, settled, is_lost) =
        store.attempts().find(|(intent, ..)| intent.attempt == earlier).expect("it was granted");
    let (class, at) = match settled {
        Some(fact) => (fact.class, fact.at),
        None if is_lost => (Class::InDoubt(Lost::Killed), store.lost_at(earlier)),
        None => return Err("is open".to_owned()),
    };
    let end = class.end().filter(|_| !store.is_voided(earlier));
    let is_of_another_run = store.run_of(earlier.start()) != run;
    match end {
        None => Ok(false),
        Some(End::InDoubt) if terms.resends && is_of_another_run && at < terms.began => Ok(true),
        Some(end) => Err(format!("has ended as {end:?}")),
    }
}

/// Checks the whole ledger against the vendor's log, when all workers have ended. `killed` are the
/// starts whose processes were killed.
pub(super) fn check_the_end(
    store: &SharedStore,
    log: &BTreeMap<u64, Sale>,
    killed: &[StartId],
) -> Result<(), String> {
    for (intent, settled, _) in store.attempts() {
        let (attempt, sale) = (intent.attempt, log.get(&intent.attempt.0));
        let is_honest = match settled.map(|fact| fact.class) {
            Some(Class::NotSent(NotSent::Recalled)) => sale.is_none(),
            Some(class) => sale.is_some_and(|sale| sale.class == class),
            None => killed.contains(&attempt.start()),
        };
        if !is_honest {
            return Err(format!("{attempt}: {settled:?}, and the vendor has {sale:?}"));
        }
    }
    let known = |attempt: &u64| store.attempts().any(|(intent, ..)| intent.attempt.0 == *attempt);
    match log.keys().find(|attempt| !known(attempt)) {
        Some(attempt) => Err(format!("{} was called without an intent", AttemptId(*attempt))),
        None => Ok(()),
    }
}
