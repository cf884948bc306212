//! Streaks that say something is wrong with us, or with the line, and not with the customers.
//!
//! Twenty refusals without a verdict between them stop the run, and do not count against their
//! rows. Twenty lost answers in a row, or over a tenth of the last two hundred, stop it too. Both
//! memories are bounded.

use std::collections::VecDeque;

use crate::model::attempt::AttemptId;
use crate::model::class::{Class, Refusal};
use crate::model::stop::StopReason;

/// Refusals in a row that stop the run.
pub const MOST_REFUSALS: usize = 20;
/// Lost answers in a row that stop the run.
const MOST_LOST_IN_ROW: u32 = 20;
/// Over how many answers the share of lost ones is looked at, and how many may be lost.
const WINDOW: usize = 200;
const MOST_LOST_IN_WINDOW: usize = WINDOW / 10;

/// What the last answers had in common.
#[derive(Debug, Clone, Default)]
pub struct Streaks {
    /// Refusals since the last verdict that a resume may ask again.
    pardonable: Vec<AttemptId>,
    refusals: usize,
    lost_in_row: u32,
    window: VecDeque<bool>,
    lost_in_window: usize,
}

impl Streaks {
    /// Takes an answer into account; says whether the run has to stop.
    pub fn answered(&mut self, attempt: AttemptId, class: Class) -> Option<StopReason> {
        match class {
            Class::Answered(_) => {
                self.refusals = 0;
                self.pardonable.clear();
            }
            Class::Refused(why) => {
                self.refusals += 1;
                // A success with an unknown status may have been charged: it is never asked again by itself.
                if !matches!(why, Refusal::Abnormal | Refusal::UnknownSuccess) {
                    self.pardonable.push(attempt);
                }
            }
            _ => {}
        }
        if class.was_sent() {
            self.remember(matches!(class, Class::InDoubt(_)));
        }
        if self.refusals >= MOST_REFUSALS {
            Some(StopReason::RefusalsInRow)
        } else if self.lost_in_row >= MOST_LOST_IN_ROW || self.lost_in_window > MOST_LOST_IN_WINDOW
        {
            Some(StopReason::LostAnswers)
        } else {
            None
        }
    }

    /// The refusals that a resume is to ask again: those of the streak, but for the pairs that the
    /// vendor says were asked too often.
    pub fn take_pardonable(&mut self) -> Vec<AttemptId> {
        std::mem::take(&mut self.pardonable)
    }

    fn remember(&mut self, lost: bool) {
        self.lost_in_row = if lost { self.lost_in_row + 1 } else { 0 };
        self.lost_in_window += usize::from(lost);
        self.window.push_back(lost);
        if self.window.len() > WINDOW && self.window.pop_front() == Some(true) {
            self.lost_in_window -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::class::{Lost, ResultCode};

    const MATCH: Class = Class::Answered(ResultCode::Match);
    const REFUSED: Class = Class::Refused(Refusal::InvalidArgument);
    const LOST: Class = Class::InDoubt(Lost::Timeout);

    /// Feeds classes, and says after how many answers the run stopped, and why.
    fn stops(classes: impl IntoIterator<Item = Class>) -> Option<(usize, StopReason)> {
        let mut streaks = Streaks::default();
        classes
            .into_iter()
            .enumerate()
            .find_map(|(i, class)| Some((i + 1, streaks.answered(AttemptId(i as u64), class)?)))
    }

    fn times(class: Class, n: usize) -> impl Iterator<Item = Class> {
        std::iter::repeat_n(class, n)
    }

    #[test]
    fn what_stops_a_run_and_what_does_not() {
        let refusals = Some((20, StopReason::RefusalsInRow));
        assert_eq!(stops(times(REFUSED, 50)), refusals);
        assert_eq!(stops(times(REFUSED, 19).chain([MATCH]).chain(times(REFUSED, 19))), None);
        let neutral = times(REFUSED, 10).chain([Class::Throttled]).chain(times(REFUSED, 10));
        assert_eq!(stops(neutral), Some((21, StopReason::RefusalsInRow)));
        assert_eq!(stops(times(LOST, 50)), Some((20, StopReason::LostAnswers)));
        let tenth = || (0..2000).map(|i| if i % 10 == 0 { LOST } else { MATCH });
        assert_eq!(stops(tenth()), None, "a tenth is not over a tenth");
        // 21 of exactly 200, the first and the last among them.
        let edge = (0..400).map(|i| if i == 0 || i % 10 == 9 && i < 200 { LOST } else { MATCH });
        assert_eq!(stops(edge), Some((200, StopReason::LostAnswers)));
        let wide = (0..400).map(|i| if i == 0 || i % 10 == 0 && i <= 200 { LOST } else { MATCH });
        assert_eq!(stops(wide), None, "21 of 201");
        let ninth = (0..2000).map(|i| if i % 9 == 0 { LOST } else { MATCH });
        assert_eq!(stops(ninth), Some((181, StopReason::LostAnswers)));
    }

    #[test]
    fn pardons_the_streak_alone_and_never_the_abnormal() {
        let mut streaks = Streaks::default();
        for (i, class) in [REFUSED, MATCH, REFUSED, Class::Refused(Refusal::Abnormal), REFUSED]
            .into_iter()
            .enumerate()
        {
            streaks.answered(AttemptId(i as u64), class);
        }
        assert_eq!(streaks.take_pardonable(), [AttemptId(2), AttemptId(4)]);
    }
}
