//! Suspicion that the rate is too high. A refusal raises it, and each answer lowers it: a vendor
//! that refuses a call now and then, whatever the rate, is not suspected.
//!
//! Both sums are sequential tests (CUSUM): the fast one tells a share of 3 % refused from 0.3 %,
//! the slow one tells 1 % from 0.25 %.

/// Growth of the fast sum with a refusal: the logarithm of 3 % by 0.3 %.
const FAST_REFUSED: f64 = 2.3;
/// Decline of the fast sum with an answer.
const FAST_ANSWERED: f64 = 0.027;
/// Fast sum from which on the rate is too high: two refusals on end, or three within 87 calls.
const FAST_LIMIT: f64 = 4.55;
/// Growth of the slow sum with a refusal: the logarithm of 1 % by 0.25 %.
const SLOW_REFUSED: f64 = 1.386;
/// Decline of the slow sum with an answer.
const SLOW_ANSWERED: f64 = 0.0075;
/// Slow sum from which on the rate is a little too high.
const SLOW_LIMIT: f64 = 8.0;

/// Degrees of suspicion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspected {
    /// Nothing points to a rate that is too high.
    Nothing,
    /// A call was refused, which may have nothing to do with the rate.
    Perhaps,
    /// The rate is a little too high.
    Slightly,
    /// The rate is too high.
    Clearly,
}

/// The two sums.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Suspicion {
    fast: f64,
    slow: f64,
}

impl Suspicion {
    /// Takes an answered call into account.
    pub(super) const fn answered(&mut self) {
        self.fast = (self.fast - FAST_ANSWERED).max(0.0);
        self.slow = (self.slow - SLOW_ANSWERED).max(0.0);
    }

    /// Takes a refused call into account.
    pub(super) const fn refused(&mut self) {
        self.fast += FAST_REFUSED;
        self.slow += SLOW_REFUSED;
    }

    /// Returns the suspicion as it is now.
    pub(super) fn degree(self) -> Suspected {
        if self.fast >= FAST_LIMIT {
            Suspected::Clearly
        } else if self.slow >= SLOW_LIMIT {
            Suspected::Slightly
        } else if self.fast > 0.0 {
            Suspected::Perhaps
        } else {
            Suspected::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the strongest suspicion after calls of which these are refused.
    fn strongest(calls: u32, is_refused: impl Fn(u32) -> bool) -> Suspected {
        let mut suspicion = Suspicion::default();
        let mut strongest = Suspected::Nothing;
        for call in 0..calls {
            match is_refused(call) {
                true => suspicion.refused(),
                false => suspicion.answered(),
            }
            if suspicion.degree() as u8 > strongest as u8 {
                strongest = suspicion.degree();
            }
        }
        strongest
    }

    #[test]
    fn the_table_of_suspicion() {
        for (name, expected, found) in [
            ("none refused", Suspected::Nothing, strongest(1000, |_| false)),
            ("one", Suspected::Perhaps, strongest(1000, |call| call == 500)),
            ("one in 500", Suspected::Perhaps, strongest(50_000, |call| call % 500 == 7)),
            ("two on end", Suspected::Clearly, strongest(1000, |call| call / 2 == 250)),
            ("three of 80", Suspected::Clearly, strongest(1000, |call| call % 40 == 7)),
            ("one in 100", Suspected::Slightly, strongest(5000, |call| call % 100 == 7)),
        ] {
            assert_eq!(found, expected, "{name}");
        }
    }
}
