//! The price and the duration of a run before its first call: the charges to expect, the time, and
//! the call at which a budget would end the run.
//!
//! Must hold: at least ≤ low ≤ expected ≤ high ≤ at most. Without history, and without a share that
//! the user gives, nothing is expected. Calls are whole numbers that are multiplied in 128 bits, so
//! nothing overflows.
//!
//! Never: guesses a share.

use crate::model::millionths::{self, MILLION};

/// Number of standard deviations on each side of the mean that hold 95 %.
const Z: f64 = 1.959_963_985;

/// A share from 0 to 1, in whole parts of a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u64);

/// Counts of the ledger's answers, which tell how often a call is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct History {
    /// Calls that the vendor answered with a result code.
    pub answers: u64,
    /// Calls among these answers that the vendor charged for.
    pub charged: u64,
}

/// Basis of the expected charges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// No basis: no answers are known.
    Nothing,
    /// The answers in this ledger.
    History(History),
    /// The share that the user gave.
    Given(Share),
}

/// Number of charged calls among the calls to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charges {
    /// Fewest charges: 0, since no call is made yet.
    pub at_least: u64,
    /// Charges to expect from the basis; `None` without a basis.
    pub expected: Option<Expected>,
    /// Most charges: each of the calls.
    pub at_most: u64,
}

/// Expected charges and their range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The share of the calls, rounded to the nearest whole number.
    pub calls: u64,
    /// The low end of the share's 95 % interval, rounded down. Equals `calls` if the user
    /// gave the share.
    pub low: u64,
    /// The high end of the share's 95 % interval, rounded up. Equals `calls` if the user
    /// gave the share.
    pub high: u64,
}

/// Comparison of the calls to be sent with a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// Charged calls that the run may make in total.
    pub max_charges: u64,
    /// Charged calls that are left after the cost of the run so far.
    pub remaining: u64,
    /// Number of calls after which the run would stop if each were charged; `None` if
    /// all calls fit.
    pub stops_after: Option<u64>,
}

impl Share {
    /// Parses a share as people write it, `0.93` or `93%`, to a millionth.
    ///
    /// # Errors
    /// Returns a message for the user if the text is not a number from 0 to 1 (0 to 100 with `%`),
    /// or has more than six decimals (four with `%`).
    pub fn parse(text: &str) -> Result<Self, String> {
        match millionths::parse(text) {
            Some(parts) if parts <= MILLION => Ok(Self(parts)),
            _ => Err("not a share such as 0.93 or 93%".to_owned()),
        }
    }

    /// Returns this share of `calls`, rounded down.
    const fn floor_of(self, calls: u64) -> u64 {
        (self.0 as u128 * calls as u128 / MILLION as u128) as u64
    }

    /// Returns this share of `calls`, rounded up.
    const fn ceil_of(self, calls: u64) -> u64 {
        (self.0 as u128 * calls as u128).div_ceil(MILLION as u128) as u64
    }

    /// Returns the share in percent.
    pub fn percent(self) -> f64 {
        self.0 as f64 * 100.0 / MILLION as f64
    }
}

impl History {
    /// Returns the ends of the share's 95 % interval by Wilson's formula, rounded outwards.
    pub fn interval(self) -> (Share, Share) {
        let n = self.answers.max(1) as f64;
        let p = self.charged.min(self.answers) as f64 / n;
        let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = |x: f64| (x / (1.0 + Z * Z / n) * MILLION as f64).clamp(0.0, MILLION as f64);
        let middle = p + Z * Z / (2.0 * n);
        // The share itself is kept between the ends, despite the rounding errors of floating point.
        let (charged, answers) = (u128::from(self.charged), u128::from(self.answers.max(1)));
        let below = (charged * u128::from(MILLION) / answers) as u64;
        let above = (charged * u128::from(MILLION)).div_ceil(answers) as u64;
        let low = (scale(middle - spread).floor() as u64).min(below);
        let high = (scale(middle + spread).ceil() as u64).max(above);
        (Share(low), Share(high.min(MILLION)))
    }

    /// Returns the share of charged calls in percent.
    pub fn percent(self) -> f64 {
        self.charged as f64 * 100.0 / self.answers.max(1) as f64
    }
}

/// Returns `calls * part / of`, rounded to the nearest whole number.
fn nearest(part: u64, of: u64, calls: u64) -> u64 {
    let of = u128::from(of.max(1));
    ((u128::from(calls) * u128::from(part) + of / 2) / of) as u64
}

impl Basis {
    /// Chooses the basis: the user's share wins over the ledger's answers. Without either
    /// there is no basis.
    pub const fn of(given: Option<Share>, history: History) -> Self {
        match given {
            Some(share) => Self::Given(share),
            None if history.answers > 0 => Self::History(history),
            None => Self::Nothing,
        }
    }
}

impl Charges {
    /// Returns the possible charges of `to_send` calls that are not made yet.
    ///
    /// ```
    /// use ceknik::model::money::{Currency, Price};
    /// use ceknik::rules::estimate::{Basis, Charges, Expected, Fit, History};
    ///
    /// // The vendor charged for 90 of the 100 answers in the ledger.
    /// let basis = Basis::of(None, History { answers: 100, charged: 90 });
    /// let charges = Charges::of(1000, basis);
    /// assert_eq!(charges.expected, Some(Expected { calls: 900, low: 825, high: 945 }));
    /// assert_eq!((charges.at_least, charges.at_most), (0, 1000));
    ///
    /// let price = Price { per_call: 1500, currency: Currency::parse("IDR").unwrap() };
    /// assert_eq!(price.show(charges.at_most), "Rp1.500.000");
    ///
    /// // Of a budget of 1000 charged calls the run has already used 400.
    /// assert_eq!(Fit::of(1000, 400, 1000).stops_after, Some(600));
    /// ```
    pub fn of(to_send: u64, basis: Basis) -> Self {
        let expected = match basis {
            Basis::Nothing => None,
            Basis::History(history) => {
                let (low, high) = history.interval();
                let (low, high) = (low.floor_of(to_send), high.ceil_of(to_send));
                let calls = nearest(history.charged, history.answers, to_send);
                Some(Expected { calls, low, high })
            }
            Basis::Given(share) => {
                let calls = nearest(share.0, MILLION, to_send);
                Some(Expected { calls, low: calls, high: calls })
            }
        };
        Self { at_least: 0, expected, at_most: to_send }
    }
}

impl Fit {
    /// Compares `to_send` calls with a budget. `used` is the cost of the run so far in calls,
    /// possible charges included.
    pub const fn of(max_charges: u64, used: u64, to_send: u64) -> Self {
        let remaining = max_charges.saturating_sub(used);
        let stops_after = if to_send > remaining { Some(remaining) } else { None };
        Self { max_charges, remaining, stops_after }
    }

    /// Checks whether each call may be charged without exceeding the budget.
    pub const fn fits(&self) -> bool {
        self.stops_after.is_none()
    }
}

/// Returns the time that `calls` take at `rate` calls a second, in seconds, rounded up. The rate
/// must be more than zero.
pub fn seconds(calls: u64, rate: f64) -> u64 {
    (calls as f64 / rate).ceil() as u64
}

/// Returns the number of nights, of `night` seconds each, that `seconds` take, rounded up. A
/// `night` of 0 gives 0.
pub const fn nights(seconds: u64, night: u64) -> u64 {
    if night == 0 { 0 } else { seconds.div_ceil(night) }
}

/// Returns the largest number of calls that one start may be charged for: the calls to be sent, but
/// not more than the rest of the budget or `max_calls`.
pub fn max_charges_in_start(to_send: u64, fit: Option<Fit>, max_calls: Option<u64>) -> u64 {
    [fit.map(|fit| fit.remaining), max_calls].into_iter().flatten().fold(to_send, u64::min)
}

/// Decision before the first call: whether the user has to agree to the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// The run goes on without a question.
    Given,
    /// The user is asked first.
    Asked,
}

/// The amount above which the user wants to be asked, and what the start may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// The user named no amount.
    NotSet,
    /// The start costs at most this amount.
    Kept,
    /// The start may cost more.
    Exceeded,
}

impl Threshold {
    /// Compares the highest cost of a start, `most`, with the amount `above`.
    pub fn of(above: Option<u64>, most: Option<u128>) -> Self {
        match above.zip(most) {
            None => Self::NotSet,
            Some((above, most)) if most > u128::from(above) => Self::Exceeded,
            Some(_) => Self::Kept,
        }
    }
}

/// Decides whether to ask the user before the first call. Nobody is asked if there is nothing to
/// send, if nobody can answer (`can_ask`), or if the user has set a limit to what is spent
/// (`is_limited`) that is not above the threshold.
pub const fn consent(calls: u64, threshold: Threshold, is_limited: bool, can_ask: bool) -> Consent {
    match threshold {
        _ if calls == 0 || !can_ask => Consent::Given,
        Threshold::Exceeded => Consent::Asked,
        Threshold::Kept => Consent::Given,
        Threshold::NotSet if is_limited => Consent::Given,
        Threshold::NotSet => Consent::Asked,
    }
}

/// Checks whether a line that a person typed means yes. Anything else means no, also an empty line.
pub fn says_yes(line: &str) -> bool {
    let line = line.trim();
    // "ya" is yes in Indonesian.
    ["y", "yes", "ya"].iter().any(|yes| line.eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_as_typed() {
        for (text, parts) in [
            ("0.93", Some(930_000)),
            ("1", Some(MILLION)),
            ("1.0", Some(MILLION)),
            ("0", Some(0)),
            ("93%", Some(930_000)),
            ("93.25 %", Some(932_500)),
            ("100%", Some(MILLION)),
            ("0.000001", Some(1)),
            ("0.0000001", None),
            ("1.01", None),
            ("101%", None),
            ("-0.5", None),
            ("+0.5", None),
            ("93", None),
            (".5", None),
            ("", None),
            ("%", None),
            ("NaN", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(Share::parse(text).ok(), parts.map(Share), "{text}");
        }
    }

    #[test]
    fn expected_charges() {
        let history = |answers, charged| Basis::of(None, History { answers, charged });
        let given = |text| Basis::of(Share::parse(text).ok(), History { answers: 10, charged: 1 });
        for (what, basis, to_send, expected) in [
            ("no history", history(0, 0), 1000, None),
            ("nothing to send", history(100, 90), 0, Some((0, 0, 0))),
            // Wilson for 90 of 100: 0.82563 to 0.94477.
            ("90 of 100", history(100, 90), 1000, Some((825, 900, 945))),
            ("all of 4", history(4, 4), 1000, Some((510, 1000, 1000))),
            ("none of 4", history(4, 0), 1000, Some((0, 0, 490))),
            ("many", history(1_000_000, 930_000), 1_000_000, Some((929_498, 930_000, 930_499))),
            ("rounded to the nearest", history(1000, 505), 3, Some((1, 2, 2))),
            ("given", given("0.93"), 1000, Some((930, 930, 930))),
            ("given, rounded", given("0.5"), 3, Some((2, 2, 2))),
        ] {
            let charges = Charges::of(to_send, basis);
            let found = charges.expected.map(|e| (e.low, e.calls, e.high));
            assert_eq!(
                (found, charges.at_least, charges.at_most),
                (expected, 0, to_send),
                "{what}"
            );
        }
    }

    #[test]
    fn time_and_nights() {
        for (calls, rate, night, expected) in [
            (0, 10.0, 3600, (0, 0)),
            (1, 10.0, 3600, (1, 1)),
            (36_000, 10.0, 3600, (3600, 1)),
            (36_001, 10.0, 3600, (3601, 2)),
            (10, 0.5, 8, (20, 3)),
            (u64::MAX, 0.00001, 1, (u64::MAX, u64::MAX)),
        ] {
            let seconds = seconds(calls, rate);
            assert_eq!((seconds, nights(seconds, night)), expected, "{calls} at {rate}");
        }
        assert_eq!(nights(5, 0), 0);
    }

    #[test]
    fn budgets() {
        for (max, used, to_send, remaining, stops_after) in [
            (10, 0, 10, 10, None),
            (10, 0, 11, 10, Some(10)),
            (10, 4, 7, 6, Some(6)),
            (10, 12, 1, 0, Some(0)),
            (10, 12, 0, 0, None),
            (u64::MAX, 1, u64::MAX, u64::MAX - 1, Some(u64::MAX - 1)),
        ] {
            let fit = Fit::of(max, used, to_send);
            assert_eq!((fit.remaining, fit.stops_after), (remaining, stops_after));
            assert_eq!(fit.fits(), stops_after.is_none());
            assert_eq!(max_charges_in_start(to_send, Some(fit), None), to_send.min(remaining));
        }
        assert_eq!(max_charges_in_start(9, None, Some(3)), 3);
    }

    #[test]
    fn asks_before_money_unless_a_limit_is_agreed_to() {
        use Consent::{Asked, Given};
        use Threshold::{Exceeded, Kept, NotSet};
        for (calls, threshold, is_limited, can_ask, expected) in [
            (9, NotSet, false, true, Asked),
            (9, NotSet, true, true, Given),
            (9, NotSet, false, false, Given),
            (0, NotSet, false, true, Given),
            (9, Kept, false, true, Given),
            (9, Exceeded, true, true, Asked),
            (9, Exceeded, false, false, Given),
            (0, Exceeded, false, true, Given),
        ] {
            let told = consent(calls, threshold, is_limited, can_ask);
            assert_eq!(told, expected, "{calls} {threshold:?} {is_limited} {can_ask}");
        }
        for (above, most, expected) in [
            (Some(100), Some(101), Exceeded),
            (Some(100), Some(100), Kept),
            (None, Some(101), NotSet),
            (Some(100), None, NotSet),
            (Some(u64::MAX), Some(u128::MAX), Exceeded),
        ] {
            assert_eq!(Threshold::of(above, most), expected, "{above:?} {most:?}");
        }
        for (line, yes) in [
            ("y\n", true),
            ("YES", true),
            (" ya \r\n", true),
            ("", false),
            ("\n", false),
            ("n", false),
            ("yesterday", false),
        ] {
            assert_eq!(says_yes(line), yes, "{line:?}");
        }
    }

    fn histories() -> impl Strategy<Value = History> {
        (1_u64.., any::<u64>())
            .prop_map(|(answers, n)| History { answers, charged: (n % answers) + n % 2 })
    }

    proptest! {
        /// The bounds enclose the expected charges, also at the ends of 64 bits.
        #[test]
        fn the_figures_are_in_order(to_send in any::<u64>(), history in histories(), parts in 0..=MILLION) {
            for basis in [Basis::History(history), Basis::Given(Share(parts))] {
                let charges = Charges::of(to_send, basis);
                let Expected { calls, low, high } = charges.expected.unwrap();
                prop_assert!(charges.at_least <= low && low <= calls);
                prop_assert!(calls <= high && high <= charges.at_most);
            }
        }

        /// More calls never cost less, and the interval contains the share.
        #[test]
        fn more_calls_cost_no_less(to_send in 0..u64::MAX, history in histories()) {
            let of = |calls| Charges::of(calls, Basis::History(history)).expected.unwrap();
            prop_assert!(of(to_send).calls <= of(to_send + 1).calls);
            let (low, high) = history.interval();
            let share = history.percent();
            prop_assert!(low.percent() <= share + 1e-6 && share <= high.percent() + 1e-6);
        }

        /// More answers with an equal share never make the interval wider.
        #[test]
        fn more_answers_say_more(answers in 1_u64..1_000_000, times in 2_u64..100, charged in any::<u64>()) {
            let charged = charged % (answers + 1);
            let width = |times: u64| {
                let (low, high) = History { answers: answers * times, charged: charged * times }.interval();
                high.0 - low.0
            };
            prop_assert!(width(times) <= width(1) + 1);
        }

        /// No budget is exceeded if each call is charged.
        #[test]
        fn a_budget_is_never_passed(max in any::<u64>(), used in any::<u64>(), to_send in any::<u64>()) {
            let fit = Fit::of(max, used, to_send);
            let sent = u128::from(fit.stops_after.unwrap_or(to_send));
            prop_assert!(sent == 0 || u128::from(used) + sent <= u128::from(max));
        }
    }
}
