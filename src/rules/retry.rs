//! The decision after a reply: finish the row, ask again at a certain time, or stop the run.
//!
//! The backoff is exponential with full jitter. The server's `Retry-After` is a lower bound.
//!
//! Must hold: a pair is never sent more than [`MOST_SENDS`] times in a run.
//!
//! Never: reads a clock, chooses the jitter or waits. The caller passes the time and the jitter.

use std::time::Duration;

use super::classify::charge;
use crate::model::attempt::Tick;
use crate::model::class::{AccountStop, Class, End, NotSent, Trouble};
use crate::model::money::Charge;
use crate::model::stop::StopReason;

/// Largest number of times that a pair is sent in a run, whatever the reasons.
pub const MOST_SENDS: u8 = 20;
/// Number of attempts with an unknown charge after which a pair without a result is not asked
/// again in the run.
pub const MOST_POSSIBLE: u8 = 2;

/// Number of sends from which on a row that is refused because of the rate waits.
const REFUSALS_WITHOUT_WAIT: u8 = 4;
/// First wait of such a row.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait of such a row.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Settings of retries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Failed tries of a pair that are allowed in a run, 1 to [`MOST_SENDS`].
    pub max_attempts: u8,
    /// First backoff. Each failed try doubles it. After a failure of the source or of a gateway the
    /// backoff is twice as long.
    pub base: Duration,
    /// Longest backoff, unless the server asks for a longer wait.
    pub cap: Duration,
}

/// Attempts that a pair has used up in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Attempts that were sent to the vendor.
    pub sends: u8,
    /// Failed tries: attempts that count against [`RetryPolicy::max_attempts`].
    pub tries: u8,
    /// Attempts whose charge is unknown.
    pub possible: u8,
}

impl Spent {
    /// Returns the counts after one more attempt of this class.
    pub const fn after(self, class: Class) -> Self {
        Self {
            sends: self.sends.saturating_add(class.was_sent() as u8),
            tries: self.tries.saturating_add(class.is_failed_try() as u8),
            possible: self.possible.saturating_add(matches!(charge(class), Charge::Unknown) as u8),
        }
    }
}

/// Next step after a reply.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// The pair has reached its end.
    Finish(End),
    /// The pair is asked again, not before this time.
    RetryAt(Tick),
    /// The whole run stops, and the pair has no end.
    Stop(StopReason),
}

impl RetryPolicy {
    /// Checks whether the pair may not be asked again in this run.
    pub const fn is_exhausted(&self, spent: Spent) -> bool {
        spent.tries >= self.max_attempts
            || spent.sends >= MOST_SENDS
            || spent.possible >= MOST_POSSIBLE
    }

    /// Returns the longest backoff after `tries` failed tries (at least one) and a
    /// reply of this class.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use ceknik::model::class::{Class, Trouble};
    /// use ceknik::rules::retry::RetryPolicy;
    ///
    /// let ms = Duration::from_millis;
    /// let policy = RetryPolicy { max_attempts: 6, base: ms(500), cap: ms(60_000) };
    /// let busy = Class::Retry(Trouble::Internal);
    /// let waits = [1, 2, 3].map(|tries| policy.longest_backoff(busy, tries));
    /// assert_eq!(waits, [ms(500), ms(1000), ms(2000)]);
    ///
    /// // A failure of the source waits twice as long, but never longer than the cap.
    /// let source = Class::Retry(Trouble::SourceTimeout);
    /// assert_eq!(policy.longest_backoff(source, 1), ms(1000));
    /// assert_eq!(policy.longest_backoff(source, 20), policy.cap);
    /// ```
    pub fn longest_backoff(&self, class: Class, tries: u8) -> Duration {
        let base = match class {
            Class::Retry(
                Trouble::SourceUnavailable | Trouble::SourceTimeout | Trouble::Gateway,
            ) => self.base * 2,
            _ => self.base,
        };
        base.saturating_mul(1 << u32::from(tries.saturating_sub(1)).min(20)).min(self.cap)
    }
}

/// Returns the wait of a row that was refused because of the rate. A row that was sent a few times
/// need not wait. After that, each wait is twice as long, so that the sends of a last row are
/// enough until an hour's window has turned.
fn wait_after_refusals(sends: u8) -> Duration {
    let Some(doublings) = sends.checked_sub(REFUSALS_WITHOUT_WAIT) else {
        return Duration::ZERO;
    };
    FIRST_WAIT.saturating_mul(1 << u32::from(doublings).min(20)).min(LONGEST_WAIT)
}

/// Decides what to do after a reply of this class. `spent` already counts the attempt. `jitter` is
/// in `0.0..1.0`. `retry_after` is the wait that the server asked for, from now on.
///
/// ```
/// use std::time::Duration;
///
/// use ceknik::model::class::{Class, End, Trouble};
/// use ceknik::rules::retry::{Decision, RetryPolicy, Spent, decide};
///
/// let ms = Duration::from_millis;
/// let policy = RetryPolicy { max_attempts: 2, base: ms(500), cap: ms(60_000) };
/// let failed = Class::Retry(Trouble::QueryFailed);
///
/// // A jitter of 0.5 waits for half of the longest backoff.
/// let once = Spent::default().after(failed);
/// let next = decide(failed, once, &policy, ms(10_000), 0.5, None);
/// assert_eq!(next, Decision::RetryAt(ms(10_250)));
///
/// // The server's wish is longer.
/// let next = decide(failed, once, &policy, ms(10_000), 0.5, Some(ms(3000)));
/// assert_eq!(next, Decision::RetryAt(ms(13_000)));
///
/// // The second failed try is the last one.
/// let next = decide(failed, once.after(failed), &policy, ms(13_000), 0.5, None);
/// assert_eq!(next, Decision::Finish(End::Unavailable));
/// ```
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
        Class::Retry(_) | Class::NotSent(_) | Class::Throttled if policy.is_exhausted(spent) => {
            Decision::Finish(End::Unavailable)
        }
        // The throttle pauses the whole run, so the row itself waits only if it comes again and again.
        Class::Throttled => Decision::RetryAt(now + wait_after_refusals(spent.sends)),
        Class::Retry(_) | Class::NotSent(_) => {
            let wait = policy.longest_backoff(class, spent.tries).mul_f64(jitter.clamp(0.0, 1.0));
            Decision::RetryAt(now + wait.max(retry_after.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::class::ResultCode;

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
            (1..6).map(|n| policy().longest_backoff(Class::Retry(Trouble::Internal), n)).sum();
        let source: Duration =
            (1..6).map(|n| policy().longest_backoff(Class::Retry(Trouble::SourceTimeout), n)).sum();
        assert_eq!((busy.as_millis(), source.as_millis()), (15_500, 31_000));
    }

    #[test]
    fn a_throttle_costs_no_try_but_is_bounded() {
        let now = Duration::from_secs(9);
        let spent = |sends, tries| Spent { sends, tries, possible: 0 };
        let act = |s| decide(Class::Throttled, s, &policy(), now, 0.5, None);
        assert_eq!(act(spent(3, 0)), Decision::RetryAt(now));
        assert_eq!(act(spent(5, 0)), Decision::RetryAt(now + Duration::from_secs(1)));
        let waits: Duration = (1..20).map(wait_after_refusals).sum();
        assert!(waits > Duration::from_secs(3900), "an hour's window turns before: {waits:?}");
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
        // An attempt in between that costs nothing changes nothing.
        let twice = once.after(Class::Retry(Trouble::Internal)).after(gateway);
        assert_eq!(act(twice), Decision::Finish(End::Unavailable));
        assert!(policy().is_exhausted(twice.after(Class::Throttled)));
    }

    proptest! {
        /// A retry is never in the past and never before the server's wish, and its backoff never
        /// exceeds the cap.
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
                prop_assert!(due <= now + wish.max(policy().longest_backoff(class, tries)));
                prop_assert!(policy().longest_backoff(class, tries) <= policy().cap);
            }
        }

        /// A pair is asked a bounded number of times, whatever the replies are.
        #[test]
        fn no_row_is_asked_for_ever(classes in prop::collection::vec(0_usize..32, 0..200)) {
            let all: Vec<Class> = Class::all().collect();
            let mut spent = Spent::default();
            for class in classes.iter().map(|i| all[i % all.len()]) {
                if policy().is_exhausted(spent) { break; }
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
