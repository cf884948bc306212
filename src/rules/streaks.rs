//! Streaks of answers which show that the problem is on our side, or on the connection, and not
//! with the customers.
//!
//! Twenty refusals without a result code in between stop the run, and do not count against
//! their rows. Twenty lost answers in a row, or more than a tenth of the last 200 answers lost,
//! stop the run too.
//!
//! Must hold: the memory of answers is bounded.

use std::collections::VecDeque;

use crate::model::attempt::AttemptId;
use crate::model::class::{Class, Refusal};
use crate::model::stop::StopReason;

/// Number of refusals in a row that stops the run.
pub const MOST_REFUSALS: usize = 20;
/// Number of lost answers in a row that stops the run.
const MOST_LOST_IN_ROW: u32 = 20;
/// Number of latest answers among which the lost ones are counted.
const WINDOW: usize = 200;
/// Largest number of lost answers in the window that does not stop the run.
const MOST_LOST_IN_WINDOW: usize = WINDOW / 10;

/// Counts of the latest answers.
#[derive(Debug, Clone, Default)]
pub struct Streaks {
    /// Refusals since the last result code that a resume may ask again.
    retryable_refusals: Vec<AttemptId>,
    refusals: usize,
    lost_in_row: u32,
    window: VecDeque<bool>,
    lost_in_window: usize,
}

impl Streaks {
    /// Takes an answer into account. Returns the reason to stop if the run has to stop.
    pub fn answered(&mut self, attempt: AttemptId, class: Class) -> Option<StopReason> {
        match class {
            Class::Answered(_) => {
                self.refusals = 0;
                self.retryable_refusals.clear();
            }
            Class::Refused(why) => {
                self.refusals += 1;
                // A success with an unknown status may have been charged, so it is never asked
                // again by itself.
                if !matches!(why, Refusal::Abnormal | Refusal::UnknownSuccess) {
                    self.retryable_refusals.push(attempt);
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

    /// Takes the refusals of the streak that a resume has to ask again. Pairs that the vendor says
    /// were asked too often, and pairs that may have been charged, are not among them.
    pub fn take_retryable_refusals(&mut self) -> Vec<AttemptId> {
        std::mem::take(&mut self.retryable_refusals)
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

    /// Feeds the classes. Returns the number of answers after which the run stopped,
    /// and the reason.
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
        assert_eq!(streaks.take_retryable_refusals(), [AttemptId(2), AttemptId(4)]);
    }
}
