//! The stand-in vendor's mind: account, limit, quota, outage, trouble, ending, in that order. Pure:
//! it is told the time.
//!
//! Must hold: whatever it decides is counted, once, so the answers add up to the requests. A call that never comes as far as its ending
//! (account, rate, quota, bad arguments, outage) doesn't advance the pair's draws, so the answers of
//! a pair are the same however often it was turned away before.
//! It never keeps a NIK or a name: of a pair it keeps 64 bits of a hash. That map grows with the
//! distinct pairs (some 40 bytes each) without a bound: this is a tool for tests. It counts every
//! pair only where the calls log or chaos needs it, else only the pairs with a 'once' ending.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::chaos::{Chaos, SLOW, Trouble};
use super::endings;
use super::limiter::Limiter;
use super::options::Options;
use super::request::{Account, Subject};

/// Counts since the sandbox's start, as its `/stats` page and its end report them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// POST requests to the endpoint that were decided.
    pub requests: u64,
    /// Those of them that the stand-in vendor bills.
    pub charged: u64,
    /// Requests by answer, labelled as in the calls log; only answers that were given.
    pub answers: BTreeMap<String, u64>,
    /// Seconds since the start.
    pub uptime_s: f64,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) answer: Answer,
    /// How-manieth request of its pair this was; 1 where nobody counts, 0 without a pair.
    pub(super) nth: u32,
    /// How-manieth time its pair came as far as its ending; 1 where nobody counts.
    pub(super) draw: u32,
    /// Waited on top of the latency.
    pub(super) extra: Duration,
}

/// Everything that the stand-in vendor remembers.
#[derive(Debug)]
pub(super) struct World {
    limiter: Option<Limiter>,
    quota: Option<u64>,
    outage: Option<(Duration, Duration)>,
    expire_after: Option<u64>,
    chaos: Option<Chaos>,
    counts_all: bool,
    seen: HashMap<u64, Seen>,
    /// All but the uptime.
    stats: Stats,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    requests: u32,
    draws: u32,
}

impl World {
    pub(super) fn new(options: &Options) -> Self {
        let chaos = Chaos::new(options.chaos, options.seed);
        Self {
            limiter: options.rate.map(Limiter::new),
            quota: options.quota,
            outage: options.outage,
            expire_after: options.expire_after,
            chaos,
            counts_all: chaos.is_some() || options.calls.is_some(),
            seen: HashMap::new(),
            stats: Stats::default(),
        }
    }

    /// Decides one request. `now` is the time since the start; an unreadable request comes with
    /// the answer that it deserves.
    pub(super) fn decide(
        &mut self,
        now: Duration,
        account: Account,
        subject: Result<&Subject, Answer>,
    ) -> Decision {
        self.stats.requests += 1;
        let nth = subject.map_or(0, |s| self.seen(s).map_or(1, |seen| count(&mut seen.requests)));
        let mut decision = Decision { answer: Answer::Match, nth, draw: 1, extra: Duration::ZERO };
        match self.turned_away(now, account).map_or(subject, Err) {
            Err(answer) => decision.answer = answer,
            Ok(_) if self.outage.is_some_and(|(from, to)| (from..to).contains(&now)) => {
                decision.answer = Answer::SourceUnavailable;
            }
            Ok(subject) => self.draw(subject, &mut decision),
        }
        let terms = decision.answer.terms();
        self.stats.charged += u64::from(terms.charged);
        *self.stats.answers.entry(terms.label.to_owned()).or_default() += 1;
        decision
    }

    /// Requests decided so far.
    pub(super) fn requests(&self) -> u64 {
        self.stats.requests
    }

    /// The counts, as of `now` since the start.
    pub(super) fn stats(&self, now: Duration) -> Stats {
        Stats { uptime_s: now.as_secs_f64(), ..self.stats.clone() }
    }

    /// What the gateway says before it looks at the arguments.
    fn turned_away(&mut self, now: Duration, account: Account) -> Option<Answer> {
        match account {
            Account::Accepted => {}
            Account::Unknown => return Some(Answer::Unauthorized),
            Account::Expired => return Some(Answer::KeyExpired),
            Account::Forbidden => return Some(Answer::NoPermission),
        }
        if self.expire_after.is_some_and(|after| self.stats.requests > after) {
            return Some(Answer::KeyExpired);
        }
        if let Some(limiter) = &mut self.limiter
            && !limiter.admit(now)
        {
            return Some(Answer::RateLimited);
        }
        let used_up = self.quota.is_some_and(|quota| self.stats.charged >= quota);
        used_up.then_some(Answer::OutOfQuota)
    }

    fn draw(&mut self, subject: &Subject, decision: &mut Decision) {
        decision.draw = self.seen(subject).map_or(1, |seen| count(&mut seen.draws));
        let trouble = self.chaos.and_then(|chaos| chaos.draw(subject.pair, decision.draw));
        if trouble == Some(Trouble::Slow) {
            decision.extra = SLOW;
        }
        decision.answer = match trouble {
            Some(Trouble::Instead(answer)) => answer,
            Some(Trouble::Slow) | None => {
                endings::answer(&subject.nik, subject.pair, decision.draw)
            }
        };
    }

    /// The counts of a pair, where anybody needs them.
    fn seen(&mut self, subject: &Subject) -> Option<&mut Seen> {
        let needed = self.counts_all || endings::counts(&subject.nik);
        needed.then(|| self.seen.entry(subject.pair).or_default())
    }
}

/// Counts one more; says how many that makes.
fn count(counter: &mut u32) -> u32 {
    *counter = counter.saturating_add(1);
    *counter
}

#[cfg(test)]
mod tests;
