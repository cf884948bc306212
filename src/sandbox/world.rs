//! Decisions of the sandbox: account, expiry, limit, quota, arguments, outage, trouble and ending
//! are checked in this order. Pure: the time is an argument.
//!
//! Must hold: each decision is counted once, so the answers add up to the requests. A call that
//! does not reach its ending (because of account, expiry, rate, quota, bad arguments or outage) is
//! not counted among the draws of its pair. So the answers of a pair do not depend on how often the
//! pair was turned away before.
//!
//! Never: keeps a NIK or a name. A pair is kept as 64 bits of a hash. The map of pairs grows
//! without a limit, by about 40 bytes for each distinct pair, since the sandbox is a tool for
//! tests. All pairs are counted only if the calls log or chaos needs that. Otherwise only pairs
//! with a 'once' ending are counted.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::chaos::{Chaos, SLOW, Trouble};
use super::endings;
use super::limiter::Limiter;
use super::options::SandboxOptions;
use super::request::{Account, Subject};

/// Counts since the start of the sandbox, as its `/stats` page and its end report them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// POST requests to the endpoint that were decided.
    pub requests: u64,
    /// Requests that the sandbox bills.
    pub charged: u64,
    /// Number of requests by answer, with the labels of the calls log. Answers that were not given
    /// are left out.
    pub answers: BTreeMap<String, u64>,
    /// Seconds since the start.
    pub uptime_s: f64,
}

/// Decision about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) answer: Answer,
    /// Number of this request among those of its pair, from 1. It is 1 if pairs are not counted,
    /// and 0 without a pair.
    pub(super) nth: u32,
    /// Number of times that the pair has reached its ending, from 1. It is 1 if pairs are not
    /// counted.
    pub(super) draw: u32,
    /// Time to wait in addition to the latency.
    pub(super) extra: Duration,
}

/// State of the sandbox.
#[derive(Debug)]
pub(super) struct World {
    limiter: Option<Limiter>,
    quota: Option<u64>,
    outage: Option<(Duration, Duration)>,
    expire_after: Option<u64>,
    chaos: Option<Chaos>,
    counts_all: bool,
    seen: HashMap<u64, Seen>,
    /// All counts. The uptime is not set here.
    stats: Stats,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    requests: u32,
    draws: u32,
}

impl World {
    pub(super) fn new(options: &SandboxOptions) -> Self {
        let chaos = Chaos::new(options.chaos, options.seed);
        Self {
            limiter: options.rate.map(|rate| Limiter::new(rate, options.burst)),
            quota: options.quota,
            outage: options.outage,
            expire_after: options.expire_after,
            chaos,
            counts_all: chaos.is_some() || options.calls.is_some(),
            seen: HashMap::new(),
            stats: Stats::default(),
        }
    }

    /// Decides a request. `now` is the time since the start. For a request that cannot be read,
    /// `subject` is the answer to it.
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

    /// Returns the number of requests that were decided so far.
    pub(super) fn requests(&self) -> u64 {
        self.stats.requests
    }

    /// Returns the counts at `now`, which is the time since the start.
    pub(super) fn stats(&self, now: Duration) -> Stats {
        Stats { uptime_s: now.as_secs_f64(), ..self.stats.clone() }
    }

    /// Returns the answer for a request that is turned away before its arguments are looked at.
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
        let is_exhausted = self.quota.is_some_and(|quota| self.stats.charged >= quota);
        is_exhausted.then_some(Answer::OutOfQuota)
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

    /// Returns the counts of a pair, if they are needed.
    fn seen(&mut self, subject: &Subject) -> Option<&mut Seen> {
        let needed = self.counts_all || endings::counts(&subject.nik);
        needed.then(|| self.seen.entry(subject.pair).or_default())
    }
}

/// Increments a counter and returns its new value.
fn count(counter: &mut u32) -> u32 {
    *counter = counter.saturating_add(1);
    *counter
}

#[cfg(test)]
mod tests;
