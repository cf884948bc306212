//! The circuit breaker: keeps an outage of the source from using up the attempts of every row. The
//! source is the population registry that the vendor asks.
//!
//! Ten failures of the source in a row, over at least five pairs and without a result code in
//! between, open the breaker. An error of a gateway and a connection that cannot be made count as
//! such failures. While the breaker is open, only one real row at a time is sent, as a probe, at
//! growing intervals, until the source answers or `max_outage` has passed.
//!
//! An outage of the source concerns all workers that use the account: what opens the breaker of one
//! opens all, one of them sends the probes, and the first answer closes all. A vendor that one
//! worker cannot reach concerns that worker alone.
//!
//! Never: reads a clock or waits. The caller passes the time.

use std::time::Duration;

use crate::model::attempt::Tick;
use crate::model::class::{Class, NotSent, Trouble};
use crate::model::stop::StopReason;
use crate::rules::permit::Permit;

/// Number of failures in a row that open the breaker.
const FAILURES: u32 = 10;
/// Smallest number of pairs that these failures come from: a few bad rows at the end of a file are
/// not an outage.
const PAIRS: usize = 5;

/// Settings of the breaker: when it probes, and when it gives up.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakerPolicy {
    /// Wait before the first probe. Each probe that fails doubles the wait.
    pub base: Duration,
    /// Longest wait between two probes.
    pub cap: Duration,
    /// Longest outage of the source. After this time the run is given up.
    pub max_outage: Duration,
}

/// Meaning of a reply for the state of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceHealth {
    /// The source answered.
    Up,
    /// The source, or the connection to the vendor, failed. The run stops for this reason if the
    /// outage lasts too long.
    Down(StopReason),
    /// The answer was lost, or the vendor said "not now" for a reason that is not the source's.
    /// Such a reply alone is no outage. A probe that gets one has found nothing out, so the next
    /// probe waits as after a failure.
    Unclear,
    /// The reply says nothing about the source.
    Neutral,
}

/// Returns the meaning of a class for the state of the source.
pub const fn source_health(class: Class) -> SourceHealth {
    match class {
        Class::Answered(_) => SourceHealth::Up,
        Class::Retry(Trouble::SourceUnavailable | Trouble::SourceTimeout | Trouble::Gateway) => {
            SourceHealth::Down(StopReason::SourceDown)
        }
        Class::NotSent(NotSent::Connect) => SourceHealth::Down(StopReason::Unreachable),
        Class::InDoubt(_) | Class::Retry(Trouble::QueryFailed | Trouble::Internal) => {
            SourceHealth::Unclear
        }
        _ => SourceHealth::Neutral,
    }
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Closed { failures: u32, pairs: Vec<u32> },
    Open { probe_at: Tick },
    Probing,
}

/// The circuit breaker of one start.
///
/// ```
/// use std::time::Duration;
///
/// use ceknik::model::class::{Class, Trouble};
/// use ceknik::rules::breaker::{Breaker, BreakerPolicy, SourceHealth, source_health};
/// use ceknik::rules::permit::Permit;
///
/// let secs = Duration::from_secs;
/// let policy = BreakerPolicy { base: secs(2), cap: secs(60), max_outage: secs(1800) };
/// let mut breaker = Breaker::new(policy);
///
/// // Ten failures of the source in a row, over ten pairs, open the breaker.
/// let down = source_health(Class::Retry(Trouble::SourceUnavailable));
/// for pair in 0..10 {
///     assert_eq!(breaker.permit(secs(5)), Permit::Free);
///     breaker.replied(down, pair, false, secs(5));
/// }
/// assert_eq!(breaker.permit(secs(5)), Permit::NotBefore(secs(7)));
///
/// // Two seconds later one row is sent as a probe. Its answer closes the breaker.
/// assert_eq!(breaker.permit(secs(7)), Permit::Probe);
/// breaker.probe_sent();
/// assert_eq!(breaker.permit(secs(7)), Permit::Probing);
/// breaker.replied(SourceHealth::Up, 3, true, secs(8));
/// assert_eq!(breaker.permit(secs(8)), Permit::Free);
/// ```
#[derive(Debug, Clone)]
pub struct Breaker {
    policy: BreakerPolicy,
    state: State,
    /// Time at which the outage began. Meaningful only while the breaker is not closed.
    since: Tick,
    /// Reason of the last failure.
    why: StopReason,
    /// Wait before the next probe.
    wait: Duration,
    /// True if another worker sends the probes.
    leaves_probes: bool,
}

impl Breaker {
    /// Creates a closed breaker.
    pub const fn new(policy: BreakerPolicy) -> Self {
        let wait = policy.base;
        let state = State::Closed { failures: 0, pairs: Vec::new() };
        let (since, why, leaves_probes) = (Tick::ZERO, StopReason::SourceDown, false);
        Self { policy, state, since, why, wait, leaves_probes }
    }

    /// Returns the permission to send calls at the time `now`.
    pub fn permit(&self, now: Tick) -> Permit {
        match self.state {
            State::Closed { .. } => Permit::Free,
            State::Open { .. } if self.leaves_probes && self.concerns_all() => Permit::Probing,
            State::Open { probe_at } if now >= probe_at => Permit::Probe,
            State::Open { probe_at } => Permit::NotBefore(probe_at),
            State::Probing => Permit::Probing,
        }
    }

    /// Checks whether the outage is one of the source, which concerns all workers.
    pub fn concerns_all(&self) -> bool {
        self.is_open() && self.why == StopReason::SourceDown
    }

    /// Takes into account what the workers that use the account have found: whether the source is
    /// down, and whether this worker is the one that sends the probes.
    pub fn hear(&mut self, is_down: bool, is_prober: bool, now: Tick) {
        self.leaves_probes = !is_prober;
        if is_down && !self.is_open() {
            (self.why, self.since) = (StopReason::SourceDown, now);
            self.state = State::Open { probe_at: now + self.wait };
        } else if !is_down && self.concerns_all() {
            self.close();
        }
    }

    /// Notes that a probe was sent.
    pub fn probe_sent(&mut self) {
        self.state = State::Probing;
    }

    /// Takes a reply about `pair` into account. `probe` is `true` if the reply belongs to the
    /// probe. Late replies to calls that were sent before the outage neither lengthen the outage
    /// nor end the wait for the probe, unless they succeed: a success closes the breaker.
    pub fn replied(&mut self, source_health: SourceHealth, pair: u32, probe: bool, now: Tick) {
        match source_health {
            SourceHealth::Up => self.close(),
            // The probe was recalled unsent, or its reply says nothing about the source: the next
            // probe may go at once.
            SourceHealth::Neutral if probe && self.state == State::Probing => {
                self.state = State::Open { probe_at: now };
            }
            SourceHealth::Unclear if probe => self.failed(self.why, pair, probe, now),
            SourceHealth::Neutral | SourceHealth::Unclear => {}
            SourceHealth::Down(why) => self.failed(why, pair, probe, now),
        }
    }

    /// Returns the reason to give the run up if the outage has lasted for `max_outage`.
    pub fn given_up(&self, now: Tick) -> Option<StopReason> {
        (self.is_open() && now >= self.since + self.policy.max_outage).then_some(self.why)
    }

    /// Returns the time at which the run will be given up; `None` while the breaker is closed.
    pub fn gives_up_at(&self) -> Option<Tick> {
        self.is_open().then(|| self.since + self.policy.max_outage)
    }

    /// Returns the time at which the outage began. It has a meaning only while the breaker is open.
    pub const fn since(&self) -> Tick {
        self.since
    }

    /// Returns the reason of the last failure.
    pub const fn why(&self) -> StopReason {
        self.why
    }

    /// Checks whether the breaker is open or waits for a probe, so that the run is paused.
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    fn close(&mut self) {
        self.wait = self.policy.base;
        self.state = State::Closed { failures: 0, pairs: Vec::new() };
    }

    fn failed(&mut self, why: StopReason, pair: u32, probe: bool, now: Tick) {
        self.why = why;
        match &mut self.state {
            State::Closed { failures, pairs } => {
                *failures += 1;
                if pairs.len() < PAIRS && !pairs.contains(&pair) {
                    pairs.push(pair);
                }
                if *failures >= FAILURES && pairs.len() >= PAIRS {
                    self.since = now;
                    self.state = State::Open { probe_at: now + self.wait };
                }
            }
            State::Probing if probe => {
                self.wait = (self.wait * 2).min(self.policy.cap);
                self.state = State::Open { probe_at: now + self.wait };
            }
            State::Open { .. } | State::Probing => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DOWN: SourceHealth = SourceHealth::Down(StopReason::SourceDown);

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn breaker() -> Breaker {
        Breaker::new(BreakerPolicy { base: secs(2), cap: secs(60), max_outage: secs(1800) })
    }

    fn opened(at: Tick) -> Breaker {
        let mut breaker = breaker();
        for pair in 0..10 {
            breaker.replied(DOWN, pair, false, at);
        }
        breaker
    }

    #[test]
    fn a_few_bad_rows_are_no_outage() {
        let mut breaker = breaker();
        for n in 0..100 {
            breaker.replied(DOWN, n % 4, false, secs(1));
        }
        assert_eq!(breaker.permit(secs(1)), Permit::Free);
        breaker.replied(DOWN, 7, false, secs(1));
        assert_eq!(breaker.permit(secs(1)), Permit::NotBefore(secs(3)));
    }

    #[test]
    fn a_verdict_between_failures_starts_the_count_again() {
        let mut breaker = breaker();
        for pair in 0..100 {
            breaker.replied(DOWN, pair, false, secs(1));
            if pair % 9 == 8 {
                breaker.replied(SourceHealth::Up, pair, false, secs(1));
            }
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn probes_one_at_a_time_until_the_source_answers() {
        let mut breaker = opened(secs(10));
        assert_eq!(breaker.permit(secs(12)), Permit::Probe);
        breaker.probe_sent();
        assert_eq!(breaker.permit(secs(12)), Permit::Probing);
        breaker.replied(DOWN, 99, false, secs(13));
        assert_eq!(breaker.permit(secs(13)), Permit::Probing, "a straggler is not the probe");
        breaker.replied(DOWN, 3, true, secs(13));
        assert_eq!(breaker.permit(secs(13)), Permit::NotBefore(secs(17)));
        breaker.probe_sent();
        breaker.replied(SourceHealth::Neutral, 4, true, secs(20));
        assert_eq!(breaker.permit(secs(20)), Permit::Probe, "it said nothing: ask at once");
        breaker.probe_sent();
        breaker.replied(SourceHealth::Unclear, 4, true, secs(20));
        assert_eq!(breaker.permit(secs(20)), Permit::NotBefore(secs(28)), "lost: wait again");
        breaker.replied(SourceHealth::Up, 5, true, secs(21));
        assert_eq!(breaker.permit(secs(21)), Permit::Free);
    }

    #[test]
    fn an_outage_of_the_source_is_heard_of() {
        let mut breaker = breaker();
        breaker.hear(true, false, secs(10));
        assert_eq!(breaker.permit(secs(50)), Permit::Probing, "another worker tries");
        breaker.hear(true, true, secs(50));
        assert_eq!(breaker.permit(secs(50)), Permit::Probe, "that worker is gone");
        assert_eq!(breaker.gives_up_at(), Some(secs(1810)), "since it was heard of");
        breaker.hear(false, true, secs(60));
        assert_eq!(breaker.permit(secs(60)), Permit::Free);
        // A vendor that this worker cannot reach is no outage of the others.
        let mut alone = self::breaker();
        for pair in 0..10 {
            let unreachable = SourceHealth::Down(StopReason::Unreachable);
            alone.replied(unreachable, pair, false, secs(10));
        }
        alone.hear(false, false, secs(11));
        assert_eq!(alone.permit(secs(12)), Permit::Probe);
    }

    #[test]
    fn gives_up_after_the_longest_outage() {
        let breaker = opened(secs(10));
        assert_eq!(breaker.given_up(secs(1809)), None);
        assert_eq!(breaker.given_up(secs(1810)), Some(StopReason::SourceDown));
        assert_eq!(breaker.gives_up_at(), Some(secs(1810)));
        assert_eq!(self::breaker().gives_up_at(), None);
    }

    /// Compares the meaning of each class with a table that is written out by hand.
    #[test]
    fn the_whole_table() {
        let unreachable = SourceHealth::Down(StopReason::Unreachable);
        for class in Class::all() {
            let expected = match class.name() {
                "match" | "mismatch" | "not_sure" | "failed" | "unknown_code" => SourceHealth::Up,
                "source_unavailable" | "source_timeout" | "gateway_error" => DOWN,
                "not_sent_connect" => unreachable,
                "query_failed" | "internal_error" => SourceHealth::Unclear,
                name if name.starts_with("lost_") => SourceHealth::Unclear,
                _ => SourceHealth::Neutral,
            };
            assert_eq!(source_health(class), expected, "{}", class.name());
        }
    }

    #[test]
    fn unclear_replies_only_affect_probes() {
        for nothing in [SourceHealth::Neutral, SourceHealth::Unclear] {
            let mut closed = self::breaker();
            (0..100).for_each(|pair| closed.replied(nothing, pair, false, secs(1)));
            assert!(!closed.is_open(), "{nothing:?}");
            let mut breaker = opened(secs(10));
            breaker.replied(nothing, 3, false, secs(11));
            assert_eq!(breaker.permit(secs(11)), Permit::NotBefore(secs(12)), "{nothing:?}");
            breaker.probe_sent();
            breaker.replied(nothing, 3, false, secs(13));
            assert_eq!(breaker.permit(secs(13)), Permit::Probing, "{nothing:?}");
        }
    }

    proptest! {
        /// In an outage of any length there are few probes, and each wait is bounded.
        #[test]
        fn probes_are_few(minutes in 1_u64..30) {
            let mut breaker = opened(secs(0));
            let (mut now, mut probes) = (secs(0), 0_u64);
            while now < secs(minutes * 60) {
                match breaker.permit(now) {
                    Permit::NotBefore(at) => {
                        prop_assert!(at > now && at <= now + secs(60));
                        now = at;
                    }
                    Permit::Probe => {
                        breaker.probe_sent();
                        breaker.replied(DOWN, 1, true, now);
                        probes += 1;
                    }
                    other => return Err(TestCaseError::fail(format!("{other:?}"))),
                }
            }
            prop_assert!(probes <= minutes + 6, "{probes} probes in {minutes} min");
        }
    }
}
