//! The stand-in vendor's mind: account, limit, quota, outage, trouble, ending, in that order. Pure:
//! it is told the time.
//!
//! Must hold: whatever it decides is counted, once. A call that never comes as far as its ending
//! (account, rate, quota, bad arguments, outage) doesn't advance the pair's draws, so the answers of
//! a pair are the same however often it was turned away before.
//! It never keeps a NIK or a name: of a pair it keeps 64 bits of a hash. That map grows with the
//! distinct pairs (some 40 bytes each) without a bound: this is a tool for tests. It counts every
//! pair only where the calls log or chaos needs it, else only the pairs with a 'once' ending.

use std::collections::HashMap;
use std::time::Duration;

use super::answer::Answer;
use super::chaos::{Chaos, SLOW, Trouble};
use super::endings;
use super::limiter::Limiter;
use super::options::Options;
use super::request::{Account, Subject};
use super::stats::Stats;

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
    requests: u64,
    charged: u64,
    given: [u64; Answer::ALL.len()],
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
            requests: 0,
            charged: 0,
            given: [0; Answer::ALL.len()],
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
        self.requests += 1;
        let nth = subject.map_or(0, |subject| self.count_request(subject));
        let mut decision = Decision { answer: Answer::Match, nth, draw: 1, extra: Duration::ZERO };
        match self.turned_away(now, account).map_or(subject, Err) {
            Err(answer) => decision.answer = answer,
            Ok(_) if self.in_outage(now) => decision.answer = Answer::SourceUnavailable,
            Ok(subject) => self.draw(subject, &mut decision),
        }
        self.charged += u64::from(decision.answer.terms().charged);
        if let Some(count) = self.given.get_mut(decision.answer as usize) {
            *count += 1;
        }
        decision
    }

    /// Requests decided so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// The counts, as of `now` since the start.
    pub(super) fn stats(&self, now: Duration) -> Stats {
        let mut stats = Stats {
            requests: self.requests,
            charged: self.charged,
            uptime_s: now.as_secs_f64(),
            ..Stats::default()
        };
        for (answer, count) in Answer::ALL.into_iter().zip(self.given) {
            if count > 0 {
                *stats.answers.entry(answer.terms().label.to_owned()).or_default() += count;
            }
        }
        stats
    }

    /// What the gateway says before it looks at the arguments.
    fn turned_away(&mut self, now: Duration, account: Account) -> Option<Answer> {
        match account {
            Account::Accepted => {}
            Account::Unknown => return Some(Answer::Unauthorized),
            Account::Expired => return Some(Answer::KeyExpired),
            Account::Forbidden => return Some(Answer::NoPermission),
        }
        if self.expire_after.is_some_and(|after| self.requests > after) {
            return Some(Answer::KeyExpired);
        }
        if let Some(limiter) = &mut self.limiter
            && !limiter.admit(now)
        {
            return Some(Answer::RateLimited);
        }
        let used_up = self.quota.is_some_and(|quota| self.charged >= quota);
        used_up.then_some(Answer::OutOfQuota)
    }

    fn in_outage(&self, now: Duration) -> bool {
        self.outage.is_some_and(|(from, to)| (from..to).contains(&now))
    }

    fn draw(&mut self, subject: &Subject, decision: &mut Decision) {
        if self.is_counted(subject) {
            let seen = self.seen.entry(subject.pair).or_default();
            seen.draws = seen.draws.saturating_add(1);
            decision.draw = seen.draws;
        }
        let trouble = self.chaos.and_then(|chaos| chaos.draw(subject.pair, decision.draw));
        decision.answer = match trouble {
            Some(Trouble::Instead(answer)) => answer,
            Some(Trouble::Slow) | None => {
                endings::answer(&subject.nik, subject.pair, decision.draw)
            }
        };
        if trouble == Some(Trouble::Slow) {
            decision.extra = SLOW;
        }
    }

    fn count_request(&mut self, subject: &Subject) -> u32 {
        if !self.is_counted(subject) {
            return 1;
        }
        let seen = self.seen.entry(subject.pair).or_default();
        seen.requests = seen.requests.saturating_add(1);
        seen.requests
    }

    fn is_counted(&self, subject: &Subject) -> bool {
        self.counts_all || endings::counts(&subject.nik)
    }
}

#[cfg(test)]
mod tests;
