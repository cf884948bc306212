//! The hard limits on money: charges of the run, and calls of this start.
//!
//! Must hold: no reservation lets confirmed + possible + reserved charges exceed `max_charges`, and
//! this start sends at most `max_calls` calls, however many are in flight. A call gets its
//! reservation before its intent is made, and each reservation is settled exactly once.

use crate::model::money::{Charge, Tally};
use crate::model::stop::{BudgetLimit, StopReason};

/// Result of an attempt to reserve one more call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// Room is reserved for one call.
    Granted,
    /// No room now, but calls in flight may still release theirs.
    Wait,
    /// No room, and no call is in flight that could release any. The reason says which
    /// limit is reached.
    Refused(StopReason),
}

/// The limits of one run, and the used part of them.
///
/// ```
/// use ceknik::model::money::{Charge, Tally};
/// use ceknik::model::stop::{BudgetLimit, StopReason};
/// use ceknik::rules::budget::{Budget, Reservation};
///
/// // At most two charged calls. Earlier starts of the run have used none.
/// let mut budget = Budget::new(Some(2), None, &Tally::default());
/// assert_eq!(budget.reserve(), Reservation::Granted);
/// assert_eq!(budget.reserve(), Reservation::Granted);
///
/// // Both calls are in flight, and one of them may turn out to be free.
/// assert_eq!(budget.reserve(), Reservation::Wait);
/// budget.settle(Charge::Free, true);
/// assert_eq!(budget.reserve(), Reservation::Granted);
///
/// // A possible charge counts like a confirmed one.
/// budget.settle(Charge::Charged, true);
/// budget.settle(Charge::Unknown, true);
/// let reached = StopReason::Budget(BudgetLimit::Charges);
/// assert_eq!(budget.reserve(), Reservation::Refused(reached));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    max_charges: Option<u64>,
    max_calls: Option<u64>,
    /// Confirmed and possible charges of the run, over all its starts.
    used: u64,
    /// Calls that this start has sent.
    calls: u64,
    /// Calls that hold a reservation and are not settled.
    reserved: u64,
}

impl Budget {
    /// Creates the budget of a start. `tally` counts the earlier starts of the run. A limit of
    /// `None` limits nothing.
    pub const fn new(max_charges: Option<u64>, max_calls: Option<u64>, tally: &Tally) -> Self {
        Self { max_charges, max_calls, used: tally.at_most(), calls: 0, reserved: 0 }
    }

    /// Begins another round, with the costs of the run as they were folded. No call of the run is in
    /// flight: a start with a limit works alone.
    pub const fn begin_round(&mut self, tally: &Tally) {
        (self.used, self.reserved) = (tally.at_most(), 0);
    }

    /// Reserves one call.
    pub fn reserve(&mut self) -> Reservation {
        let full = |max: Option<u64>, used: u64| max.is_some_and(|max| used + self.reserved >= max);
        let limit = if full(self.max_charges, self.used) {
            BudgetLimit::Charges
        } else if full(self.max_calls, self.calls) {
            BudgetLimit::Calls
        } else {
            self.reserved += 1;
            return Reservation::Granted;
        };
        if self.reserved > 0 {
            Reservation::Wait
        } else {
            Reservation::Refused(StopReason::Budget(limit))
        }
    }

    /// Settles one reservation: adds the charge of the call, and counts the call if it was sent.
    pub const fn settle(&mut self, charge: Charge, was_sent: bool) {
        self.reserved = self.reserved.saturating_sub(1);
        self.calls += was_sent as u64;
        self.used += !matches!(charge, Charge::Free) as u64;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_refused_reservation_waits_while_a_call_may_release_its_own() {
        let mut budget = Budget::new(Some(1), None, &Tally::default());
        assert_eq!(budget.reserve(), Reservation::Granted);
        assert_eq!(budget.reserve(), Reservation::Wait);
        budget.settle(Charge::Free, true);
        assert_eq!(budget.reserve(), Reservation::Granted);
        budget.settle(Charge::Unknown, true);
        let refused = Reservation::Refused(StopReason::Budget(BudgetLimit::Charges));
        assert_eq!(budget.reserve(), refused);
    }

    #[test]
    fn earlier_starts_count_for_charges_not_for_calls() {
        let earlier = Tally { confirmed: 5, calls: 9, ..Tally::default() };
        let mut budget = Budget::new(Some(6), Some(1), &earlier);
        assert_eq!(budget.reserve(), Reservation::Granted);
        budget.settle(Charge::Free, true);
        let refused = Reservation::Refused(StopReason::Budget(BudgetLimit::Calls));
        assert_eq!(budget.reserve(), refused);
    }

    proptest! {
        /// No order of reservations and answers exceeds a limit.
        #[test]
        fn no_limit_is_passed(charges in 0_u64..30, calls in 0_u64..30, steps in prop::collection::vec((any::<bool>(), 0_u8..4), 0..300)) {
            let mut budget = Budget::new(Some(charges), Some(calls), &Tally::default());
            let (mut flight, mut charged, mut sent) = (0_u64, 0_u64, 0_u64);
            for (reserve, answer) in steps {
                if reserve {
                    flight += u64::from(budget.reserve() == Reservation::Granted);
                } else if flight > 0 {
                    let (charge, left) = match answer {
                        0 => (Charge::Charged, true),
                        1 => (Charge::Unknown, true),
                        2 => (Charge::Free, true),
                        _ => (Charge::Free, false),
                    };
                    budget.settle(charge, left);
                    flight -= 1;
                    charged += u64::from(charge != Charge::Free);
                    sent += u64::from(left);
                }
                prop_assert!(charged + flight <= charges && sent + flight <= calls);
            }
        }
    }
}
