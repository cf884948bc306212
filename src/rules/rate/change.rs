//! Changes of what is known of the vendor's limits, for people: only those that matter.

use std::time::Duration;

use super::learned::Learned;
use super::windows::Window;
use crate::model::attempt::Tick;

/// Part by which a limit must move to be told again.
const MOVED: f64 = 0.1;
/// Shortest time between two changes that are told.
const BETWEEN: Duration = Duration::from_secs(60);

/// A change of what is known of the vendor's limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RateChange {
    /// The limit was found, or has moved.
    Ceiling {
        /// Calls a second that the vendor allows now.
        rate: f64,
        /// Calls a second that it allowed before, if that was told.
        before: Option<f64>,
    },
    /// A limit of calls in a long window was found, or has moved.
    Window(Window),
}

/// The limits that were told last.
#[derive(Debug, Clone, Default)]
pub(in crate::rules) struct Told {
    ceiling: Option<f64>,
    window: Option<Window>,
    at: Option<Tick>,
}

impl Told {
    /// Returns what has to be told now, if anything has.
    pub(in crate::rules) fn change(&mut self, learned: Learned, now: Tick) -> Option<RateChange> {
        if self.at.is_some_and(|at| now < at + BETWEEN) {
            return None;
        }
        if let Some(window) = learned.window
            && self
                .window
                .is_none_or(|told| told.span != window.span || has_moved(told.calls, window.calls))
        {
            (self.window, self.at) = (Some(window), Some(now));
            return Some(RateChange::Window(window));
        }
        let rate = learned.binding_ceiling()?;
        let before = self.ceiling;
        if before.is_some_and(|told| !has_moved(told, rate)) {
            return None;
        }
        (self.ceiling, self.at) = (Some(rate), Some(now));
        Some(RateChange::Ceiling { rate, before })
    }
}

fn has_moved(from: f64, to: f64) -> bool {
    (to / from - 1.0).abs() > MOVED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Tick {
        Duration::from_secs(n)
    }

    #[test]
    fn a_limit_is_told_when_it_is_found_and_when_it_moves() {
        let mut told = Told::default();
        let mut change =
            |at, rate| told.change(Learned { ceiling: Some(rate), ..Learned::default() }, secs(at));
        let found = |rate, before| Some(RateChange::Ceiling { rate, before });
        assert_eq!(change(10, 200.0), found(200.0, None));
        assert_eq!(change(20, 100.0), None, "too soon");
        assert_eq!(change(100, 195.0), None, "about the same");
        assert_eq!(change(200, 100.0), found(100.0, Some(200.0)));
    }

    #[test]
    fn a_window_that_binds_is_told_and_the_ceiling_above_it_is_not() {
        let mut told = Told::default();
        let window = Window { span: secs(60), calls: 3000.0 };
        let learned = Learned { ceiling: Some(500.0), window: Some(window), ..Learned::default() };
        assert_eq!(told.change(learned, secs(1)), Some(RateChange::Window(window)));
        assert_eq!(told.change(learned, secs(100)), None);
    }
}
