//! Where the rows of a file go before the first call: the sum that says what will be bought.
//!
//! Must hold: the parts add up to the rows. A funnel that does not is no funnel: see [`Funnel::checked`].

use serde::Serialize;

/// Where a file's rows go: the parts add up to `rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Funnel {
    /// All rows.
    pub rows: u64,
    /// Our own check said no.
    pub rejected: u64,
    /// Same pair earlier in the file.
    pub duplicates: u64,
    /// Pairs answered in an earlier run.
    pub reused: u64,
    /// Pairs in doubt, held.
    pub in_doubt: u64,
    /// Pairs that earlier starts of this run have ended.
    pub done: u64,
    /// Pairs to be sent.
    pub to_send: u64,
}

/// The parts of a funnel are not its rows: a defect of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{rows} rows went in, {parts} came out")]
pub struct Unbalanced {
    /// All rows.
    pub rows: u64,
    /// What the parts add up to.
    pub parts: u128,
}

impl Funnel {
    /// This funnel, if its parts add up to its rows.
    ///
    /// # Errors
    /// Both sums, if they don't.
    pub fn checked(self) -> Result<Self, Unbalanced> {
        let Self { rows, rejected, duplicates, reused, in_doubt, done, to_send } = self;
        let parts = [rejected, duplicates, reused, in_doubt, done, to_send];
        let parts = parts.into_iter().map(u128::from).sum();
        if parts == u128::from(rows) { Ok(self) } else { Err(Unbalanced { rows, parts }) }
    }

    /// Rows that cost nothing since they are rejected, duplicates, or answered in an earlier run.
    pub const fn saved(&self) -> u64 {
        self.rejected.saturating_add(self.duplicates).saturating_add(self.reused)
    }
}

/// The reused answers by age, in whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Ages {
    /// Younger than a day.
    pub under_1_day: u64,
    /// One to seven days.
    pub days_1_to_7: u64,
    /// Eight to thirty days.
    pub days_8_to_30: u64,
    /// Older.
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
        assert_eq!((funnel.checked(), funnel.saved()), (Ok(funnel), 6));
        let error = Funnel { rows: 22, ..funnel }.checked().unwrap_err();
        assert_eq!(error.to_string(), "22 rows went in, 21 came out");
        let huge = Funnel { rows: u64::MAX, done: u64::MAX, to_send: u64::MAX, ..funnel };
        assert!(huge.checked().is_err(), "no overflow passes for a sum");
    }
}
