//! The tally: the fold of settled attempts into what you owe.
//!
//! One way of counting, used while a run goes on, when it is resumed, and for its last words.

use crate::model::class::{Class, NotSent, Refusal, ResultCode, Trouble};
use crate::model::money::{Charge, Tally};

use super::brake::FirstVerdicts;
use super::classify::charge;

/// What a run's own facts add up to, all its starts together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SoFar {
    /// What it cost.
    pub tally: Tally,
    /// What its first verdicts were.
    pub verdicts: FirstVerdicts,
}

/// Counts so many settled attempts of one class.
pub const fn count(tally: &mut Tally, class: Class, attempts: u64) {
    // An intent that was taken back was no attempt.
    if matches!(class, Class::NotSent(NotSent::Recalled)) {
        return;
    }
    tally.attempts += attempts;
    if class.was_sent() {
        tally.calls += attempts;
    }
    if class.is_failed_try() {
        tally.troubled += attempts;
    }
    if matches!(class, Class::Throttled) {
        tally.throttled += attempts;
    }
    match charge(class) {
        Charge::Charged => tally.confirmed += attempts,
        Charge::Unknown => *possible(tally, class) += attempts,
        Charge::Free if is_error_answer(class) => tally.assumed_free += attempts,
        Charge::Free => {}
    }
}

/// The counter of an attempt whose charge is unknown.
const fn possible(tally: &mut Tally, class: Class) -> &mut u64 {
    match class {
        Class::Retry(Trouble::Gateway) => &mut tally.possible.gateway,
        Class::Answered(ResultCode::Unknown) | Class::Refused(Refusal::UnknownSuccess) => {
            &mut tally.possible.unknown_code
        }
        _ => &mut tally.possible.in_doubt,
    }
}

/// An answer that the vendor documents as an error, and says nothing about charging for.
const fn is_error_answer(class: Class) -> bool {
    class.was_sent() && !matches!(class, Class::Answered(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_is_counted_once_and_every_unknown_is_possible() {
        for class in Class::all() {
            let mut tally = Tally::default();
            count(&mut tally, class, 1);
            let money = (tally.confirmed, tally.possible.total());
            let expected = match charge(class) {
                Charge::Charged => (1, 0),
                Charge::Unknown => (0, 1),
                Charge::Free => (0, 0),
            };
            assert_eq!(money, expected, "{}", class.name());
            assert_eq!(tally.calls, u64::from(class.was_sent()));
        }
    }
}
