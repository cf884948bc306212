//! The tally: adds settled attempts up to what the user owes.
//!
//! Must hold: this is the only way of counting, for a run in progress, for its resume and for
//! its last words.

use super::classify::charge;
use super::first_verdicts::FirstVerdicts;
use crate::model::class::{Class, NotSent, Refusal, ResultCode, Trouble};
use crate::model::money::{Charge, Tally};

/// Sum of a run's own facts, over all its starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunTotals {
    /// Cost of the run.
    pub tally: Tally,
    /// Number of matches of the run.
    pub matches: u64,
    /// First verdicts of the run.
    pub verdicts: FirstVerdicts,
}

/// Adds a number of settled attempts of one class to the tally.
///
/// ```
/// use ceknik::model::class::{Class, Lost, ResultCode};
/// use ceknik::model::money::Tally;
/// use ceknik::rules::tally::count;
///
/// let mut tally = Tally::default();
/// count(&mut tally, Class::Answered(ResultCode::Match), 90);
/// count(&mut tally, Class::Answered(ResultCode::Failed), 8);
/// count(&mut tally, Class::InDoubt(Lost::Timeout), 2);
/// assert_eq!(tally.calls, 100);
/// // The two lost answers may be on the invoice.
/// assert_eq!((tally.at_least(), tally.at_most()), (90, 92));
/// ```
pub const fn count(tally: &mut Tally, class: Class, attempts: u64) {
    // An intent that was recalled before its send is no attempt.
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

/// Returns the counter for attempts of this class whose charge is unknown.
const fn possible(tally: &mut Tally, class: Class) -> &mut u64 {
    match class {
        Class::Retry(Trouble::Gateway) => &mut tally.possible.gateway,
        Class::Answered(ResultCode::Unknown) | Class::Refused(Refusal::UnknownSuccess) => {
            &mut tally.possible.unknown_code
        }
        _ => &mut tally.possible.in_doubt,
    }
}

/// Checks whether a class is an error answer: the call was sent, and brought no result code. The
/// vendor does not document whether such answers are charged.
const fn is_error_answer(class: Class) -> bool {
    class.was_sent() && !matches!(class, Class::Answered(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the counters of each class with a table that is written out by hand.
    #[test]
    fn the_whole_table() {
        let table: [(&str, &[&str]); 36] = [
            ("match", &["calls", "confirmed"]),
            ("mismatch", &["calls", "confirmed"]),
            ("not_sure", &["calls"]),
            ("failed", &["calls"]),
            ("unknown_code", &["calls", "unknown_code"]),
            ("invalid_argument", &["calls", "assumed_free"]),
            ("argument_not_found", &["calls", "assumed_free"]),
            ("abnormal_behaviours", &["calls", "assumed_free"]),
            ("refused", &["calls", "assumed_free"]),
            ("unknown_status", &["calls", "unknown_code"]),
            ("query_failed", &["calls", "assumed_free", "troubled"]),
            ("internal_error", &["calls", "assumed_free", "troubled"]),
            ("source_unavailable", &["calls", "assumed_free", "troubled"]),
            ("source_timeout", &["calls", "assumed_free", "troubled"]),
            ("gateway_error", &["calls", "gateway", "troubled"]),
            ("rate_limited", &["calls", "assumed_free", "throttled"]),
            ("unauthorized", &["calls", "assumed_free"]),
            ("key_expired", &["calls", "assumed_free"]),
            ("no_permission", &["calls", "assumed_free"]),
            ("not_found", &["calls", "assumed_free"]),
            ("redirect", &["calls", "assumed_free"]),
            ("proxy_refused", &["calls", "assumed_free"]),
            ("out_of_quota", &["calls", "assumed_free"]),
            ("not_sent_connect", &["troubled"]),
            ("not_sent_unbuildable", &["troubled"]),
            ("not_sent_recalled", &[]),
            ("not_sent_certificate", &[]),
            ("not_sent_no_tls", &[]),
            ("not_sent_proxy", &[]),
            ("lost_timeout", &["calls", "in_doubt"]),
            ("lost_connection", &["calls", "in_doubt"]),
            ("lost_unreadable", &["calls", "in_doubt"]),
            ("lost_gateway_timeout", &["calls", "in_doubt"]),
            ("lost_interrupted", &["calls", "in_doubt"]),
            ("lost_killed", &["calls", "in_doubt"]),
            ("lost_repeated", &["calls", "in_doubt"]),
        ];
        for (class, (name, adds)) in Class::all().zip(table) {
            assert_eq!(class.name(), name);
            let mut tally = Tally::default();
            count(&mut tally, class, 2);
            count(&mut tally, class, 3);
            let Tally { possible, .. } = tally;
            for (counter, counted) in [
                ("calls", tally.calls),
                ("confirmed", tally.confirmed),
                ("in_doubt", possible.in_doubt),
                ("unknown_code", possible.unknown_code),
                ("gateway", possible.gateway),
                ("assumed_free", tally.assumed_free),
                ("throttled", tally.throttled),
                ("troubled", tally.troubled),
            ] {
                assert_eq!(
                    counted,
                    if adds.contains(&counter) { 5 } else { 0 },
                    "{name}: {counter}"
                );
            }
            assert_eq!(tally.attempts, if name == "not_sent_recalled" { 0 } else { 5 }, "{name}");
        }
        assert_eq!(Class::all().count(), table.len());
    }

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
