//! The limits that a run has found out, and how long they are believed.

use super::windows::Window;
use crate::model::attempt::WallMs;

/// Time after which what was learned is forgotten, in milliseconds: two weeks. A vendor may have
/// changed its limits since.
const FORGOTTEN_AFTER: i64 = 14 * 86_400_000;

/// The limits of the vendor that a run has found out.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Learned {
    /// Calls a second that the vendor allows; `None` if that limit was not met.
    pub ceiling: Option<f64>,
    /// Calls that the vendor allows in a long window; `None` if no such limit was met.
    pub window: Option<Window>,
    /// Highest rate that was used up without a refusal, in calls a second.
    pub passed: Option<f64>,
}

impl Learned {
    /// Returns the calls a second that can be made in the long run; `None` if no limit is known.
    pub fn limit(&self) -> Option<f64> {
        let window = self.window.map(|window| window.rate());
        self.ceiling.into_iter().chain(window).reduce(f64::min)
    }

    /// Returns the ceiling, unless the window allows less in the long run, so that the ceiling tells
    /// nothing.
    pub fn binding_ceiling(&self) -> Option<f64> {
        let in_window = self.window.map_or(f64::INFINITY, |window| window.rate());
        self.ceiling.filter(|rate| *rate < in_window)
    }

    /// Returns the calls a second that can be made, as far as it is known.
    pub fn rate(&self) -> Option<f64> {
        self.limit().or(self.passed)
    }
}

/// The limits that a run has learned, with the time at which the run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Remembered {
    /// The limits.
    pub learned: Learned,
    /// Time at which the run ended.
    pub at: WallMs,
}

impl Remembered {
    /// Returns what was learned, unless it is too old.
    pub fn if_fresh(self, now: WallMs) -> Option<Learned> {
        (now.0.saturating_sub(self.at.0) < FORGOTTEN_AFTER).then_some(self.learned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_is_forgotten() {
        let learned = Learned { ceiling: Some(198.0), ..Learned::default() };
        let remembered = Remembered { learned, at: WallMs(1000) };
        assert_eq!(remembered.if_fresh(WallMs(1000 + FORGOTTEN_AFTER - 1)), Some(learned));
        assert_eq!(remembered.if_fresh(WallMs(1000 + FORGOTTEN_AFTER)), None);
        assert_eq!(remembered.if_fresh(WallMs(0)), Some(learned), "a clock that was set back");
    }

    #[test]
    fn the_lower_limit_counts() {
        let window = Some(Window { span: std::time::Duration::from_secs(60), calls: 3000.0 });
        for (ceiling, window, passed, rate) in [
            (Some(200.0), window, None, Some(50.0)),
            (Some(20.0), window, Some(80.0), Some(20.0)),
            (None, None, Some(80.0), Some(80.0)),
            (None, None, None, None),
        ] {
            assert_eq!(Learned { ceiling, window, passed }.rate(), rate);
        }
    }
}
