//! Reuse: decides which earlier answers are used instead of a new call.

use crate::model::attempt::WallMs;
use crate::model::class::{End, ResultCode};
use crate::model::funnel::Ages;

/// Rules for the use of answers of earlier runs. The cut-off times are those of the
/// run's first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReusePolicy {
    /// Time after which matches, mismatches, unknown codes and refusals are used.
    pub answers_since: WallMs,
    /// Time after which "not sure" and "failed" are used instead of asking again.
    pub reask_since: WallMs,
    /// `true` to ask again about pairs that an earlier run ended as refused and that cannot have
    /// been charged.
    pub retry_refused: bool,
    /// `true` to send again the pairs that were in doubt before `doubts_before`.
    pub resend_doubts: bool,
    /// Time before which a doubt must be recorded to be sent again. On a shared ledger, this is the
    /// time at which the run began: a doubt of another run that is under way may still be answered.
    pub doubts_before: WallMs,
}

impl ReusePolicy {
    /// Checks whether a pair keeps the `end` that an earlier run recorded at the time `at`.
    /// `taken_over` is `true` if the answer comes from a run of the same file that was cut short
    /// before the file changed. Such an answer is as good as this run's own.
    pub fn keeps(&self, end: End, at: WallMs, taken_over: bool) -> bool {
        match end {
            End::InDoubt => !self.resend_doubts || at >= self.doubts_before,
            _ if taken_over => true,
            End::Answered(ResultCode::NotSure | ResultCode::Failed) => at > self.reask_since,
            End::Answered(_) | End::Abnormal | End::UnknownSuccess => at > self.answers_since,
            End::Refused => at > self.answers_since && !self.retry_refused,
            End::Unavailable | End::Removed => false,
        }
    }
}

/// Age of an answer, in the steps that people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Age {
    /// Less than a day. Also an answer from the future, after a clock was set back.
    #[default]
    UnderADay,
    /// One to seven days.
    Week,
    /// Eight to thirty days.
    Month,
    /// More than thirty days.
    Older,
}

impl Age {
    /// Returns the age at the time `now` of an answer that came at the time `at`.
    pub const fn of(at: WallMs, now: WallMs) -> Self {
        match now.0.saturating_sub(at.0) / 86_400_000 {
            ..1 => Self::UnderADay,
            1..8 => Self::Week,
            8..31 => Self::Month,
            31.. => Self::Older,
        }
    }

    /// Counts one answer of this age.
    pub const fn count(self, ages: &mut Ages) {
        *match self {
            Self::UnderADay => &mut ages.under_1_day,
            Self::Week => &mut ages.days_1_to_7,
            Self::Month => &mut ages.days_8_to_30,
            Self::Older => &mut ages.older,
        } += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::class::Class;
    use crate::model::money::Charge;
    use crate::rules::classify::charge;

    #[test]
    fn ages_in_whole_days() {
        let day = 86_400_000;
        let now = WallMs(100 * day);
        for (before, age) in [
            (-5, Age::UnderADay),
            (0, Age::UnderADay),
            (day - 1, Age::UnderADay),
            (day, Age::Week),
            (8 * day - 1, Age::Week),
            (8 * day, Age::Month),
            (31 * day - 1, Age::Month),
            (31 * day, Age::Older),
        ] {
            assert_eq!(Age::of(WallMs(now.0 - before), now), age, "{before}");
        }
        assert_eq!(Age::of(WallMs(i64::MIN), WallMs(i64::MAX)), Age::Older);
        let mut ages = Ages::default();
        for age in [Age::UnderADay, Age::Week, Age::Month, Age::Older] {
            age.count(&mut ages);
        }
        assert_eq!(
            (ages.under_1_day, ages.days_1_to_7, ages.days_8_to_30, ages.older),
            (1, 1, 1, 1)
        );
    }

    #[test]
    fn the_whole_table() {
        let plain = ReusePolicy {
            answers_since: WallMs(100),
            reask_since: WallMs(500),
            retry_refused: false,
            resend_doubts: false,
            doubts_before: WallMs(2000),
        };
        let eager = ReusePolicy { retry_refused: true, resend_doubts: true, ..plain.clone() };
        let answered = End::Answered;
        // For each end: young (600), middle (300) and old (100) under `plain`, then young
        // under `eager`.
        for (end, young, middle, old, when_eager) in [
            (answered(ResultCode::Match), true, true, false, true),
            (answered(ResultCode::Mismatch), true, true, false, true),
            (answered(ResultCode::Unknown), true, true, false, true),
            (answered(ResultCode::NotSure), true, false, false, true),
            (answered(ResultCode::Failed), true, false, false, true),
            (End::Refused, true, true, false, false),
            (End::Abnormal, true, true, false, true),
            (End::UnknownSuccess, true, true, false, true),
            (End::InDoubt, true, true, true, false),
            (End::Unavailable, false, false, false, false),
        ] {
            let keeps = |at| plain.keeps(end, WallMs(at), false);
            assert_eq!((keeps(600), keeps(300), keeps(100)), (young, middle, old), "{end:?}");
            assert_eq!(eager.keeps(end, WallMs(600), false), when_eager, "{end:?}");
        }
        for end in [End::Refused, End::Answered(ResultCode::Match)] {
            let at_the_cut_off = [100, 101].map(|at| plain.keeps(end, WallMs(at), false));
            assert_eq!(at_the_cut_off, [false, true], "{end:?}");
        }
        assert!(!plain.keeps(End::Answered(ResultCode::Failed), WallMs(500), false));
        assert!(plain.keeps(End::Answered(ResultCode::Failed), WallMs(1), true));
        assert!(eager.keeps(End::InDoubt, WallMs(2000), false), "a run that is under way has it");
        let retry = ReusePolicy { retry_refused: true, ..plain };
        for class in Class::all().filter(|class| charge(*class) != Charge::Free) {
            let keeps = class.end().is_none_or(|end| retry.keeps(end, WallMs(600), false));
            assert!(keeps, "perhaps charged, and asked again: {class:?}");
        }
    }
}
