//! What to do after a reply: finish the row, ask again at a time, or stop the run.
//!
//! Back-off is exponential with full jitter; a server's `Retry-After` is a floor. The rule is told
//! the time and the jitter, never waits, and never grants a pair more than [`MOST_SENDS`].

use std::time::Duration;

use super::classify::charge;
use crate::model::class::{AccountStop, Class, End, NotSent, Trouble};
use crate::model::money::Charge;
use crate::model::stop::StopReason;

/// Time since the run's start: what every rule is told.
pub type Tick = Duration;

/// A pair is never sent more often than this in a run, whatever the reasons.
pub const MOST_SENDS: u8 = 20;
/// A pair that may have been charged so often in a run, and has no verdict, is not asked again in it.
pub const MOST_POSSIBLE: u8 = 2;

/// How rows are asked again.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// Failed tries a pair and run, 1 to [`MOST_SENDS`].
    pub max_attempts: u8,
    /// The first back-off; it doubles with each failed try. Source failures wait twice as long.
    pub base: Duration,
    /// No back-off is longer, but for the server's own wish.
    pub cap: Duration,
}

/// What a pair has used up in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Attempts that left for the vendor.
    pub sends: u8,
    /// Failed tries.
    pub tries: u8,
    /// Attempts whose charge is unknown.
    pub possible: u8,
}

impl Spent {
    /// With one more attempt of this class.
    pub const fn after(self, class: Class) -> Self {
        Self {
            sends: self.sends.saturating_add(class.was_sent() as u8),
            tries: self.tries.saturating_add(class.is_failed_try() as u8),
            possible: self.possible.saturating_add(matches!(charge(class), Charge::Unknown) as u8),
        }
    }
}

/// What to do after a reply.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// The pair has its end.
    Finish(End),
    /// Ask again, no sooner than this.
    RetryAt(Tick),
    /// Stop the whole run; the pair stays unsettled.
    Stop(StopReason),
}

impl RetryPolicy {
    /// Whether the pair may not be asked again in this run.
    pub const fn used_up(&self, spent: Spent) -> bool {
        spent.tries >= self.max_attempts
            || spent.sends >= MOST_SENDS
            || spent.possible >= MOST_POSSIBLE
    }

    /// The longest back-off after so many failed tries (at least one) of this kind.
    pub fn ceiling(&self, class: Class, tries: u8) -> Duration {
        let base = match class {
            Class::Retry(
                Trouble::SourceUnavailable | Trouble::SourceTimeout | Trouble::Gateway,
            ) => self.base * 2,
            _ => self.base,
        };
        base.saturating_mul(1 << u32::from(tries.saturating_sub(1)).min(20)).min(self.cap)
    }
}

/// What to do after a reply of this class, `spent` having counted it already. `jitter` is in
/// `0.0..1.0`; `retry_after` is the server's wish, from now.
pub fn decide(
    class: Class,
    spent: Spent,
    policy: &RetryPolicy,
    now: Tick,
    jitter: f64,
    retry_after: Option<Duration>,
) -> Decision {
    match class {
        Class::Answered(code) => Decision::Finish(End::Answered(code)),
        Class::Refused(_) | Class::InDoubt(_) => {
            class.end().map_or(Decision::RetryAt(now), Decision::Finish)
        }
        Class::Account(why) => Decision::Stop(StopReason::Account(why)),
        Class::OutOfQuota => Decision::Stop(StopReason::OutOfQuota),
        Class::NotSent(NotSent::Certificate) => Decision::Stop(StopReason::Certificate),
        Class::NotSent(NotSent::NoTls) => Decision::Stop(StopReason::NoTls),
        Class::NotSent(NotSent::Proxy) => Decision::Stop(StopReason::Account(AccountStop::Proxy)),
        Class::NotSent(NotSent::Recalled) => Decision::RetryAt(now),
        Class::Retry(_) | Class::NotSent(_) | Class::Throttled if policy.used_up(spent) => {
            Decision::Finish(End::Unavailable)
        }
        // The shared back-off of the throttle holds the whole run; the row itself need not wait.
        Class::Throttled => Decision::RetryAt(now),
        Class::Retry(_) | Class::NotSent(_) => {
            let wait = policy.ceiling(class, spent.tries).mul_f64(jitter.clamp(0.0, 1.0));
            Decision::RetryAt(now + wait.max(retry_after.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::class::ResultCode;
    use proptest::prelude::*;

    fn policy() -> RetryPolicy {
        RetryPolicy {
            max_attempts: 6,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(60),
        }
    }

    #[test]
    fn the_whole_wait_of_a_row_is_known() {
        let busy: Duration =
            (1..6).map(|n| policy().ceiling(Class::Retry(Trouble::Internal), n)).sum();
        let source: Duration =
            (1..6).map(|n| policy().ceiling(Class::Retry(Trouble::SourceTimeout), n)).sum();
        assert_eq!((busy.as_millis(), source.as_millis()), (15_500, 31_000));
    }

    #[test]
    fn a_throttle_costs_no_try_but_is_bounded() {
        let now = Duration::from_secs(9);
        let spent = |sends, tries| Spent { sends, tries, possible: 0 };
        let act = |s| decide(Class::Throttled, s, &policy(), now, 0.5, None);
        assert_eq!(act(spent(19, 0)), Decision::RetryAt(now));
        assert_eq!(act(spent(20, 0)), Decision::Finish(End::Unavailable));
        let answered = Class::Answered(ResultCode::Match);
        assert_eq!(
            decide(answered, spent(20, 6), &policy(), now, 0.5, None),
            Decision::Finish(End::Answered(ResultCode::Match))
        );
    }

    #[test]
    fn a_pair_that_may_have_been_charged_twice_is_not_asked_a_third_time() {
        let gateway = Class::Retry(Trouble::Gateway);
        let act = |spent| decide(gateway, spent, &policy(), Duration::ZERO, 0.0, None);
        let once = Spent::default().after(gateway);
        assert_eq!(act(once), Decision::RetryAt(Duration::ZERO));
        // What costs nothing in between changes nothing.
        let twice = once.after(Class::Retry(Trouble::Internal)).after(gateway);
        assert_eq!(act(twice), Decision::Finish(End::Unavailable));
        assert!(policy().used_up(twice.after(Class::Throttled)));
    }

    proptest! {
        /// A retry is never in the past, never past the cap, and never before the server's wish.
        #[test]
        fn back_off_is_bounded(tries in 1_u8..6, jitter in 0.0..1.0_f64, wish in 0_u64..600, at in 0_u64..1_000_000) {
            let now = Duration::from_millis(at);
            let wish = Duration::from_secs(wish);
            let spent = Spent { sends: tries, tries, possible: 0 };
            for trouble in [Trouble::Internal, Trouble::Gateway] {
                let class = Class::Retry(trouble);
                let Decision::RetryAt(due) = decide(class, spent, &policy(), now, jitter, Some(wish)) else {
                    return Err(TestCaseError::fail("not retried"));
                };
                prop_assert!(due >= now + wish);
                prop_assert!(due <= now + wish.max(policy().ceiling(class, tries)));
                prop_assert!(policy().ceiling(class, tries) <= policy().cap);
            }
        }

        /// Whatever comes, a pair is asked a bounded number of times.
        #[test]
        fn no_row_is_asked_for_ever(classes in prop::collection::vec(0_usize..32, 0..200)) {
            let all: Vec<Class> = Class::all().collect();
            let mut spent = Spent::default();
            for class in classes.iter().map(|i| all[i % all.len()]) {
                if policy().used_up(spent) { break; }
                spent = spent.after(class);
                match decide(class, spent, &policy(), Duration::ZERO, 0.1, None) {
                    Decision::RetryAt(_) => {}
                    Decision::Finish(_) | Decision::Stop(_) => break,
                }
            }
            prop_assert!(spent.sends <= MOST_SENDS && spent.tries <= policy().max_attempts);
            prop_assert!(spent.possible <= MOST_POSSIBLE);
        }
    }
}
