//! The hard limits on money: charges of the run, and calls of this start.
//!
//! Must hold: no reservation lets confirmed + possible + reserved charges exceed `max_charges`, and
//! this start sends at most `max_calls` calls, however many are in flight. A call gets its
//! reservation before its intent is made, and each reservation is settled exactly once.
//!
//! Where several workers share the budget of a run, each has room: a number of charges that its
//! start may cause. A worker that has used its room asks for more.

use crate::model::money::{Charge, Tally};
use crate::model::stop::{BudgetLimit, StopReason};
use crate::rules::room::{Room, RoomWish};

/// Result of an attempt to reserve one more call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// Room is reserved for one call.
    Granted,
    /// No room now, but calls in flight may still release theirs, or more room may come.
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
    charges: ChargeLimit,
    max_calls: Option<u64>,
    /// Calls that this start has sent.
    calls: u64,
    /// Calls that hold a reservation and are not settled.
    reserved: u64,
}

/// The limit of charges, confirmed and possible, and the used part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ChargeLimit {
    None,
    /// This start has the whole budget of the run. Earlier starts count.
    Whole {
        max: u64,
        used: u64,
    },
    /// This start has room of its own. Other starts do not count.
    Room {
        max: u64,
        total: u64,
        used: u64,
        may_grow: bool,
        /// True after the ledger gave none.
        got_none: bool,
        /// True while it is not known how much of the room is left: others may have it by now.
        is_unsure: bool,
    },
}

impl ChargeLimit {
    const fn unused(&self, reserved: u64) -> u64 {
        match *self {
            Self::None => u64::MAX,
            Self::Whole { max, used } => max.saturating_sub(used + reserved),
            Self::Room { is_unsure: true, .. } => 0,
            Self::Room { total, used, .. } => total.saturating_sub(used + reserved),
        }
    }
}

impl Budget {
    /// Creates the budget of a start. `tally` counts the earlier starts of the run. A limit of
    /// `None` limits nothing.
    pub const fn new(max_charges: Option<u64>, max_calls: Option<u64>, tally: &Tally) -> Self {
        let charges = match max_charges {
            None => ChargeLimit::None,
            Some(max) => ChargeLimit::Whole { max, used: tally.at_most() },
        };
        Self { charges, max_calls, calls: 0, reserved: 0 }
    }

    /// Creates the budget of a start that shares the budget of its run with other workers. It has
    /// no room yet.
    pub const fn shared(max_charges: Option<u64>, max_calls: Option<u64>) -> Self {
        let charges = match max_charges {
            None => ChargeLimit::None,
            Some(max) => {
                let (total, used, may_grow) = (0, 0, true);
                let (got_none, is_unsure) = (false, false);
                ChargeLimit::Room { max, total, used, may_grow, got_none, is_unsure }
            }
        };
        Self { charges, max_calls, calls: 0, reserved: 0 }
    }

    /// Begins another round. No call of this start is in flight. Room that was given back meanwhile
    /// may be had again.
    pub const fn begin_round(&mut self) {
        self.reserved = 0;
        if let ChargeLimit::Room { may_grow, got_none, .. } = &mut self.charges {
            (*may_grow, *got_none) = (true, false);
        }
    }

    /// Reserves one call.
    pub fn reserve(&mut self) -> Reservation {
        let has_call = |max: u64| self.calls + self.reserved < max;
        let limit = if self.charges.unused(self.reserved) == 0 {
            BudgetLimit::Charges
        } else if self.max_calls.is_none_or(has_call) {
            self.reserved += 1;
            return Reservation::Granted;
        } else {
            BudgetLimit::Calls
        };
        let may_grow = matches!(self.charges, ChargeLimit::Room { may_grow: true, .. });
        match limit {
            BudgetLimit::Charges if may_grow => Reservation::Wait,
            _ if self.reserved > 0 => Reservation::Wait,
            limit => Reservation::Refused(StopReason::Budget(limit)),
        }
    }

    /// Settles one reservation: adds the charge of the call, and counts the call if it was sent.
    pub const fn settle(&mut self, charge: Charge, was_sent: bool) {
        self.reserved = self.reserved.saturating_sub(1);
        self.calls += was_sent as u64;
        let is_used = !matches!(charge, Charge::Free) as u64;
        match &mut self.charges {
            ChargeLimit::None => {}
            ChargeLimit::Whole { used, .. } | ChargeLimit::Room { used, .. } => *used += is_used,
        }
    }

    /// Returns the wish for room; `None` if this start shares no budget. `lot` is the number of
    /// further charges that are worth asking for. If `is_idle` is true, nothing more is to be sent
    /// for a while and everything is recorded, so that the unused room goes back: what is not
    /// recorded uses room in the ledger.
    pub fn room_wish(&self, lot: u64, is_idle: bool) -> Option<RoomWish> {
        let ChargeLimit::Room { max, total, is_unsure, .. } = self.charges else { return None };
        let unused = self.charges.unused(self.reserved);
        let more = if unused < lot.div_ceil(2) { lot } else { 0 };
        Some(match (is_unsure, is_idle) {
            (true, _) => RoomWish { keep: u64::MAX, unused: 0, more: 0, max },
            (false, true) => RoomWish { keep: total - unused, unused: 0, more: 0, max },
            (false, false) => RoomWish { keep: total, unused, more, max },
        })
    }

    /// Checks whether this start shares a budget and has no room left.
    fn is_out_of_room(&self) -> bool {
        let is_shared = matches!(self.charges, ChargeLimit::Room { .. });
        is_shared && self.charges.unused(self.reserved) == 0
    }

    /// Checks whether this start can make no call until it gets more room: no call holds any, and
    /// none is left.
    pub fn is_stuck(&self) -> bool {
        self.reserved == 0 && self.is_out_of_room()
    }

    /// Checks whether this start should ask for more room at once.
    pub fn asks_for_room(&self) -> bool {
        let may_ask =
            matches!(self.charges, ChargeLimit::Room { may_grow: true, got_none: false, .. });
        may_ask && self.is_out_of_room()
    }

    /// Takes the room into account that this start was given.
    pub const fn give_room(&mut self, room: Room) {
        if let ChargeLimit::Room { total, may_grow, got_none, is_unsure, .. } = &mut self.charges {
            *got_none = room.total <= *total && !*is_unsure;
            (*total, *may_grow, *is_unsure) = (room.total, room.may_grow, false);
        }
    }

    /// Gives the unused room up, which goes back with the wish of an idle start.
    pub fn drop_unused_room(&mut self) {
        let unused = self.charges.unused(self.reserved);
        if let ChargeLimit::Room { total, .. } = &mut self.charges {
            *total -= unused;
        }
    }

    /// Uses no more room until the ledger has told how much there is: this worker was declared
    /// dead, and its unused room was taken back.
    pub const fn doubt_room(&mut self) {
        if let ChargeLimit::Room { is_unsure, .. } = &mut self.charges {
            *is_unsure = true;
        }
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

    #[test]
    fn a_start_with_room_asks_for_more_before_it_stops() {
        let mut budget = Budget::shared(Some(500), None);
        assert_eq!(budget.reserve(), Reservation::Wait, "no room yet");
        assert!(budget.asks_for_room() && budget.is_stuck());
        let wish = |keep, unused, more| Some(RoomWish { keep, unused, more, max: 500 });
        assert_eq!(budget.room_wish(20, false), wish(0, 0, 20));
        budget.give_room(Room { total: 3, may_grow: true });
        (0..3).for_each(|_| assert_eq!(budget.reserve(), Reservation::Granted));
        assert!(budget.asks_for_room() && !budget.is_stuck());
        budget.settle(Charge::Charged, true);
        budget.settle(Charge::Free, true);
        assert_eq!(budget.room_wish(20, false), wish(3, 1, 20));
        assert_eq!(budget.room_wish(2, false), wish(3, 1, 0), "half a lot is enough");
        assert_eq!(budget.room_wish(20, true), wish(2, 0, 0), "idle: the rest goes back");
        assert_eq!(budget.reserve(), Reservation::Granted);
        budget.settle(Charge::Unknown, true);
        budget.give_room(Room { total: 3, may_grow: true });
        assert!(!budget.asks_for_room(), "it got none, so it waits for the next beat");
        assert_eq!(budget.reserve(), Reservation::Wait);
        budget.give_room(Room { total: 3, may_grow: false });
        assert_eq!(budget.reserve(), Reservation::Wait, "a call in flight may be free");
        budget.settle(Charge::Unknown, true);
        let refused = Reservation::Refused(StopReason::Budget(BudgetLimit::Charges));
        assert_eq!(budget.reserve(), refused);
        assert_eq!(Budget::new(Some(1), None, &Tally::default()).room_wish(20, false), None);
    }

    #[test]
    fn room_that_others_may_have_is_not_used() {
        let mut budget = Budget::shared(Some(500), None);
        budget.give_room(Room { total: 10, may_grow: true });
        assert_eq!(budget.reserve(), Reservation::Granted);
        budget.doubt_room();
        assert_eq!(budget.reserve(), Reservation::Wait);
        budget.settle(Charge::Free, false);
        assert_eq!(budget.reserve(), Reservation::Wait, "its answer is not recorded yet");
        let all = RoomWish { keep: u64::MAX, unused: 0, more: 0, max: 500 };
        assert_eq!(budget.room_wish(20, true), Some(all), "whatever the ledger has left it");
        budget.give_room(Room { total: 1, may_grow: true });
        assert_eq!(budget.reserve(), Reservation::Granted);
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
