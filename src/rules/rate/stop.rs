//! A stop: every call is refused, and one call at a time is tried until one is not.

use std::time::Duration;

use super::belief::Belief;
use super::windows::EndedStop;
use crate::model::attempt::Tick;
use crate::rules::permit::Permit;

/// First wait for another test call.
pub(super) const SHORTEST_WAIT: Duration = Duration::from_millis(250);
/// Longest wait for another test call, unless the vendor asks for a longer one.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Part of the time that a stop has lasted, after which another call is tried.
const PART: u32 = 6;

/// A stop under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    /// Time at which the first of the unbroken refusals left.
    first_refused: Tick,
    last_refused: Tick,
    /// Time of the next test call.
    next_at: Tick,
    /// Time at which the test call left that is under way.
    testing: Option<Tick>,
    /// Time to which the vendor pointed.
    pointed_to: Option<Tick>,
    /// Belief before the incident.
    pub(super) before: Belief,
}

impl Stop {
    pub(super) const fn new(
        first_refused: Tick,
        last_refused: Tick,
        next_at: Tick,
        pointed_to: Option<Tick>,
        before: Belief,
    ) -> Self {
        Self { first_refused, last_refused, next_at, testing: None, pointed_to, before }
    }

    /// Returns the time at which the first of the unbroken refusals left.
    pub(super) const fn since(&self) -> Tick {
        self.first_refused
    }

    /// Returns the time of the next test call; `None` while one is under way.
    pub(super) const fn tests_at(&self) -> Option<Tick> {
        match self.testing {
            Some(_) => None,
            None => Some(self.next_at),
        }
    }

    pub(super) fn permit(&self, now: Tick) -> Permit {
        match self.tests_at() {
            None => Permit::Probing,
            Some(at) if now < at => Permit::NotBefore(at),
            Some(_) => Permit::Probe,
        }
    }

    /// Notes that the test call leaves now.
    pub(super) const fn sent(&mut self, now: Tick) {
        self.testing = Some(now);
    }

    /// Takes a refusal into account. `shortest` is the first wait for another test call.
    pub(super) fn refused(
        &mut self,
        sent_at: Tick,
        retry_after: Option<Duration>,
        shortest: Duration,
        now: Tick,
    ) {
        let pointed_to = retry_after.map(|wish| now + wish);
        self.pointed_to = self.pointed_to.max(pointed_to);
        if self.testing != Some(sent_at) {
            return;
        }
        self.last_refused = now;
        self.wait(shortest, now);
        if let Some(at) = pointed_to {
            self.next_at = at.max(now + shortest);
        }
    }

    /// Takes any other outcome of the test call into account: it tells nothing.
    pub(super) fn failed(&mut self, sent_at: Tick, shortest: Duration, now: Tick) {
        if self.testing == Some(sent_at) {
            self.wait(shortest, now);
        }
    }

    /// Waits for another test call.
    fn wait(&mut self, shortest: Duration, now: Tick) {
        let wait = now.saturating_sub(self.first_refused) / PART;
        self.testing = None;
        self.next_at = now + wait.clamp(shortest, LONGEST_WAIT);
    }

    /// Returns the stop as it ended, if the reply to a call that left at `sent_at` ends it.
    pub(super) fn ended_by(&self, sent_at: Tick) -> Option<EndedStop> {
        if self.testing != Some(sent_at) {
            return None;
        }
        let last = self.last_refused.max(self.pointed_to.unwrap_or_default());
        let blocked = last.saturating_sub(self.first_refused);
        Some(EndedStop { since: self.first_refused, blocked })
    }
}
