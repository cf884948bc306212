//! The pauses of a start, as facts for the ledger.
//!
//! Must hold: each pause is told when it begins and when it ends. The number of pauses is bounded.
//!
//! Never: decides about a call.

use crate::model::attempt::{Tick, WallMs};
use crate::model::pause::{Pause, PauseKind};

/// Most pauses of one start that are kept.
const MOST: u32 = 10_000;

/// The pauses of a start.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// The pause that is under way.
    open: Option<Pause>,
    /// Number of pauses so far.
    made: u32,
}

impl Pauses {
    /// Takes into account whether calls are paused now: the cause and the begin of the pause, or
    /// `None`. Returns what has changed: the end of a pause, and the begin of another one. `rate` is
    /// the current rate in calls a second.
    pub(super) fn see(
        &mut self,
        paused: Option<(PauseKind, Tick)>,
        rate: Option<f64>,
        now: Tick,
        wall: WallMs,
    ) -> impl Iterator<Item = Pause> + use<> {
        if self.open.map(|open| open.kind) == paused.map(|(kind, _)| kind) {
            return [None, None].into_iter().flatten();
        }
        let ended = self.open.take().map(|open| Pause { until: Some(wall), ..open });
        let begun = paused.filter(|_| self.made < MOST).map(|(kind, since)| {
            self.made += 1;
            let at = wall.before(now.saturating_sub(since));
            Pause { number: self.made, kind, at, until: None, rate }
        });
        self.open = begun;
        [ended, begun].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn begin_and_end_of_each_pause_are_told() {
        let (mut pauses, second) = (Pauses::default(), Duration::from_secs);
        let mut see = |paused, at: u64| {
            let wall = WallMs(1_000_000 + 1000 * at.cast_signed());
            let told = pauses.see(paused, Some(9.5), second(at), wall);
            told.map(|p| (p.number, p.kind.word(), p.at.0, p.until.map(|at| at.0)))
                .collect::<Vec<_>>()
        };
        let (down, refused) = (PauseKind::Outage, PauseKind::RateLimit);
        assert_eq!(see(None, 1), []);
        // It is noticed two seconds after it began.
        let first = (1, "outage", 1_003_000, None);
        assert_eq!(see(Some((down, second(3))), 5), [first]);
        assert_eq!(see(Some((down, second(3))), 6), []);
        let second_one = (2, "rate_limit", 1_008_000, None);
        let ended = (1, "outage", 1_003_000, Some(1_008_000));
        assert_eq!(see(Some((refused, second(8))), 8), [ended, second_one]);
        assert_eq!(see(None, 9), [(2, "rate_limit", 1_008_000, Some(1_009_000))]);
        assert_eq!(see(None, 10), []);
    }

    #[test]
    fn the_number_of_pauses_is_bounded() {
        let mut pauses = Pauses::default();
        let mut told = 0;
        for at in 0..2 * MOST {
            for paused in [Some((PauseKind::Outage, Tick::ZERO)), None] {
                told += pauses.see(paused, None, Tick::ZERO, WallMs(at.into())).count();
            }
        }
        assert_eq!(told, 2 * MOST as usize);
    }
}
