//! End states of rows, as the output shows them.

use serde::{Serialize, Serializer};

use super::class::{End, ResultCode};

/// End state of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The vendor returned `01`: NIK and name belong together.
    Match,
    /// The vendor returned `02`: NIK and name do not belong together.
    Mismatch,
    /// The vendor returned `03`: not sure.
    NotSure,
    /// The vendor returned `04`: failed.
    Failed,
    /// The vendor returned a result code that is not documented.
    Unknown,
    /// Our own checks refused the row. Nothing was sent.
    Rejected,
    /// The vendor refused this row.
    Refused,
    /// The attempts were used up before another end came.
    Unavailable,
    /// The call was sent, but its answer was lost. The call may have been charged.
    InDoubt,
    /// The run stopped before the row had an end state.
    NotSent,
}

impl Outcome {
    /// All outcomes, in the order in which they are listed.
    pub const ALL: [Self; 10] = [
        Self::Match,
        Self::Mismatch,
        Self::NotSure,
        Self::Failed,
        Self::Unknown,
        Self::Rejected,
        Self::Refused,
        Self::Unavailable,
        Self::InDoubt,
        Self::NotSent,
    ];

    /// Returns the word for the `ck_outcome` column.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Mismatch => "mismatch",
            Self::NotSure => "not_sure",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::InDoubt => "in_doubt",
            Self::NotSent => "not_sent",
        }
    }

    /// Checks whether the vendor gave a documented verdict.
    pub const fn has_verdict(self) -> bool {
        matches!(self, Self::Match | Self::Mismatch | Self::NotSure | Self::Failed)
    }

    /// Returns the outcome of a row whose pair has this end, or no end yet.
    pub const fn of(end: Option<End>) -> Self {
        match end {
            Some(End::Answered(ResultCode::Match)) => Self::Match,
            Some(End::Answered(ResultCode::Mismatch)) => Self::Mismatch,
            Some(End::Answered(ResultCode::NotSure)) => Self::NotSure,
            Some(End::Answered(ResultCode::Failed)) => Self::Failed,
            Some(End::Answered(ResultCode::Unknown)) => Self::Unknown,
            Some(End::Refused | End::Abnormal | End::UnknownSuccess) => Self::Refused,
            Some(End::Unavailable) => Self::Unavailable,
            Some(End::InDoubt) => Self::InDoubt,
            Some(End::Removed) | None => Self::NotSent,
        }
    }
}

/// Number of rows by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutcomeCounts([u64; Outcome::ALL.len()]);

impl OutcomeCounts {
    /// Counts one row.
    pub const fn add(&mut self, outcome: Outcome) {
        self.0[outcome as usize] += 1;
    }

    /// Returns the number of rows with this outcome.
    pub const fn get(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }

    /// Returns the number of all rows.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Returns each outcome with its number of rows, in the order of [`Outcome::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, u64)> {
        Outcome::ALL.into_iter().map(|outcome| (outcome, self.get(outcome)))
    }

    /// Returns the number of rows that have a verdict.
    pub fn with_verdict(&self) -> u64 {
        self.iter().filter(|(outcome, _)| outcome.has_verdict()).map(|(_, rows)| rows).sum()
    }

    /// Checks whether every row has a verdict, which is also true if there are no rows.
    pub fn all_have_verdicts(&self) -> bool {
        self.iter().all(|(outcome, rows)| rows == 0 || outcome.has_verdict())
    }
}

/// Serializes the counts as a map from the word of each outcome to its number of rows, in the order
/// of [`Outcome::ALL`].
impl Serialize for OutcomeCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(outcome, rows)| (outcome.word(), rows)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_verdicts() {
        let words =
            "match mismatch not_sure failed unknown rejected refused unavailable in_doubt not_sent";
        assert_eq!(Outcome::ALL.map(Outcome::word).join(" "), words);
        let verdicts: Vec<_> = Outcome::ALL.into_iter().filter(|o| o.has_verdict()).collect();
        assert_eq!(verdicts, Outcome::ALL[..4]);
    }

    #[test]
    fn counts() {
        let mut counts = OutcomeCounts::default();
        assert!(counts.all_have_verdicts(), "of no rows");
        for (n, outcome) in Outcome::ALL.into_iter().enumerate() {
            (0..=n).for_each(|_| counts.add(outcome));
            assert_eq!(counts.get(outcome), n as u64 + 1);
            assert_eq!(counts.all_have_verdicts(), n < 4, "{outcome:?}");
        }
        assert_eq!(counts.total(), 55);
        assert!(counts.iter().eq(Outcome::ALL.into_iter().zip(1..)));
    }
}
