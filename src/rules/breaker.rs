//! The breaker: an outage of the source must not burn every row's attempts.
//!
//! A run of source failures, over several pairs and with no verdict between them, opens it. While
//! it is open nothing is sent but one real row at a time, at growing intervals, until the source
//! answers or `max_outage` has passed. It is told the time and never waits.

use std::time::Duration;

use super::retry::Tick;
use crate::model::class::{Class, NotSent, Trouble};
use crate::model::stop::StopReason;

/// Failures in a row that open the breaker.
const FAILURES: u32 = 10;
/// They must come from this many pairs: a few bad rows at a file's end are no outage.
const PAIRS: usize = 5;

/// When the breaker probes and when it gives up.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakerPolicy {
    /// The wait before the first probe; it doubles.
    pub base: Duration,
    /// No wait between probes is longer.
    pub cap: Duration,
    /// How long the source may be down before the run is given up.
    pub max_outage: Duration,
}

/// Whether a call may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// As many as there are slots.
    Free,
    /// One, to see whether the source answers.
    Probe,
    /// None before this.
    NotBefore(Tick),
    /// None until the probe in flight is back.
    Probing,
}

/// What a reply says of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// It answered.
    Up,
    /// It, or the way to it, failed.
    Down(StopReason),
    /// The answer was lost, or it was "not now" for a reason that is not the source's. No outage by
    /// itself; but a probe that draws it has found nothing out, and the next one waits.
    Unclear,
    /// Nothing.
    Neutral,
}

/// What a class says of the source.
pub const fn signal(class: Class) -> Signal {
    match class {
        Class::Answered(_) => Signal::Up,
        Class::Retry(Trouble::SourceUnavailable | Trouble::SourceTimeout | Trouble::Gateway) => {
            Signal::Down(StopReason::SourceDown)
        }
        Class::NotSent(NotSent::Connect) => Signal::Down(StopReason::Unreachable),
        Class::InDoubt(_) | Class::Retry(Trouble::QueryFailed | Trouble::Internal) => {
            Signal::Unclear
        }
        _ => Signal::Neutral,
    }
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Closed { failures: u32, pairs: Vec<u32> },
    Open { probe_at: Tick },
    Probing,
}

/// The breaker of one run.
#[derive(Debug, Clone)]
pub struct Breaker {
    policy: BreakerPolicy,
    state: State,
    /// When the outage began, and what its last failure was; meaningful while not closed.
    since: Tick,
    why: StopReason,
    wait: Duration,
}

impl Breaker {
    /// A closed breaker.
    pub const fn new(policy: BreakerPolicy) -> Self {
        let wait = policy.base;
        let state = State::Closed { failures: 0, pairs: Vec::new() };
        Self { policy, state, since: Tick::ZERO, why: StopReason::SourceDown, wait }
    }

    /// Whether a call may be sent now.
    pub fn permit(&self, now: Tick) -> Permit {
        match self.state {
            State::Closed { .. } => Permit::Free,
            State::Open { probe_at } if now >= probe_at => Permit::Probe,
            State::Open { probe_at } => Permit::NotBefore(probe_at),
            State::Probing => Permit::Probing,
        }
    }

    /// A probe was sent.
    pub fn probe_sent(&mut self) {
        self.state = State::Probing;
    }

    /// A reply about this pair came. `probe` says that it was the probe's own: stragglers of
    /// before the outage neither lengthen it nor end the wait for the probe, unless they are good.
    pub fn replied(&mut self, signal: Signal, pair: u32, probe: bool, now: Tick) {
        match signal {
            Signal::Up => self.close(),
            // It was taken back unsent, or said nothing of the source: the next may go at once.
            Signal::Neutral if probe && self.state == State::Probing => {
                self.state = State::Open { probe_at: now };
            }
            Signal::Unclear if probe => self.failed(self.why, pair, probe, now),
            Signal::Neutral | Signal::Unclear => {}
            Signal::Down(why) => self.failed(why, pair, probe, now),
        }
    }

    /// The run has waited too long for the source.
    pub fn given_up(&self, now: Tick) -> Option<StopReason> {
        (self.is_open() && now >= self.since + self.policy.max_outage).then_some(self.why)
    }

    /// When it will have.
    pub fn gives_up_at(&self) -> Option<Tick> {
        self.is_open().then(|| self.since + self.policy.max_outage)
    }

    /// What the last failure was.
    pub const fn why(&self) -> StopReason {
        self.why
    }

    /// Whether the run is paused.
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
    use super::*;
    use proptest::prelude::*;

    const DOWN: Signal = Signal::Down(StopReason::SourceDown);

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
                breaker.replied(Signal::Up, pair, false, secs(1));
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
        breaker.replied(Signal::Neutral, 4, true, secs(20));
        assert_eq!(breaker.permit(secs(20)), Permit::Probe, "it said nothing: ask at once");
        breaker.probe_sent();
        breaker.replied(Signal::Unclear, 4, true, secs(20));
        assert_eq!(breaker.permit(secs(20)), Permit::NotBefore(secs(28)), "lost: wait again");
        breaker.replied(Signal::Up, 5, true, secs(21));
        assert_eq!(breaker.permit(secs(21)), Permit::Free);
    }

    #[test]
    fn gives_up_after_the_longest_outage() {
        let breaker = opened(secs(10));
        assert_eq!(breaker.given_up(secs(1809)), None);
        assert_eq!(breaker.given_up(secs(1810)), Some(StopReason::SourceDown));
        assert_eq!(breaker.gives_up_at(), Some(secs(1810)));
        assert_eq!(self::breaker().gives_up_at(), None);
    }

    /// What each class says of the source, written out by hand.
    #[test]
    fn the_whole_table() {
        let unreachable = Signal::Down(StopReason::Unreachable);
        for class in Class::all() {
            let expected = match class.name() {
                "match" | "mismatch" | "not_sure" | "failed" | "unknown_code" => Signal::Up,
                "source_unavailable" | "source_timeout" | "gateway_error" => DOWN,
                "not_sent_connect" => unreachable,
                "query_failed" | "internal_error" => Signal::Unclear,
                name if name.starts_with("lost_") => Signal::Unclear,
                _ => Signal::Neutral,
            };
            assert_eq!(signal(class), expected, "{}", class.name());
        }
    }

    #[test]
    fn what_says_nothing_moves_nothing_but_a_probe() {
        for nothing in [Signal::Neutral, Signal::Unclear] {
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
        /// In an outage of any length the number of probes is small, and each wait is bounded.
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
