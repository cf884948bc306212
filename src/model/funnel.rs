//! Division of a file's rows before the first call. It shows how much will be bought.
//!
//! Must hold: the parts add up to the number of rows. [`Funnel::checked`] refuses a funnel whose
//! parts do not.

use serde::Serialize;

/// Number of rows by what will be done with them. The parts add up to `rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Funnel {
    /// All rows.
    pub rows: u64,
    /// Rows that our own checks refused.
    pub rejected: u64,
    /// Rows whose pair is in an earlier row of the file.
    pub duplicates: u64,
    /// Pairs answered in an earlier run.
    pub reused: u64,
    /// Pairs in doubt, which are not sent.
    pub in_doubt: u64,
    /// Pairs that ended in an earlier start of this run.
    pub done: u64,
    /// Pairs to be sent.
    pub to_send: u64,
}

/// The parts of a funnel do not add up to its rows: a defect of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{rows} rows went in, {parts} came out")]
pub struct Unbalanced {
    /// All rows.
    pub rows: u64,
    /// Sum of the parts.
    pub parts: u128,
}

impl Funnel {
    /// Returns this funnel if its parts add up to its rows.
    ///
    /// # Errors
    /// [`Unbalanced`], with both sums, if they do not.
    pub fn checked(self) -> Result<Self, Unbalanced> {
        let Self { rows, rejected, duplicates, reused, in_doubt, done, to_send } = self;
        let parts = [rejected, duplicates, reused, in_doubt, done, to_send];
        let parts = parts.into_iter().map(u128::from).sum();
        if parts == u128::from(rows) { Ok(self) } else { Err(Unbalanced { rows, parts }) }
    }

    /// Returns the number of rows that are not paid for because their answer is known or bought
    /// once for several rows. A rejected row saves nothing: it costs as others do once it is
    /// corrected.
    pub const fn saved(&self) -> u64 {
        self.duplicates.saturating_add(self.reused)
    }
}

/// Number of reused answers by age, in whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Ages {
    /// Less than one day old.
    pub under_1_day: u64,
    /// 1 to 7 days old.
    pub days_1_to_7: u64,
    /// 8 to 30 days old.
    pub days_8_to_30: u64,
    /// 31 days old or more.
    pub older: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sum_that_adds_up_is_a_funnel() {
        let funnel = Funnel {
            rows: 21,
            rejected: 1,
            duplicates: 2,
            reused: 3,
            in_doubt: 4,
            done: 5,
            to_send: 6,
        };
        assert_eq!((funnel.checked(), funnel.saved()), (Ok(funnel), 5));
        let error = Funnel { rows: 22, ..funnel }.checked().unwrap_err();
        assert_eq!(error.to_string(), "22 rows went in, 21 came out");
        let huge = Funnel { rows: u64::MAX, done: u64::MAX, to_send: u64::MAX, ..funnel };
        assert!(huge.checked().is_err(), "no overflow passes for a sum");
    }
}
