//! Times of a pause on the clock.

use std::time::Duration;

use crate::engine::PauseTimes;
use crate::model::attempt::{Tick, WallMs};
use crate::output::{PauseClock, Utc};

/// Converts the times of a pause to times on the clock.
pub(super) fn clock_of(times: PauseTimes, now: Tick, wall: WallMs) -> PauseClock {
    let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    let at = |tick: Tick| {
        let later = millis(tick.saturating_sub(now));
        let earlier = millis(now.saturating_sub(tick));
        Utc(WallMs(wall.0.saturating_add(later).saturating_sub(earlier)))
    };
    PauseClock {
        since: at(times.since),
        next_call_at: times.next_call.map(at),
        gives_up_at: times.gives_up.map(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_pause_are_shown_on_the_clock() {
        let secs = Duration::from_secs;
        let times = PauseTimes { since: secs(10), next_call: Some(secs(25)), gives_up: None };
        let clock = clock_of(times, secs(20), WallMs(1_000_000));
        assert_eq!(clock.since, Utc(WallMs(990_000)));
        assert_eq!((clock.next_call_at, clock.gives_up_at), (Some(Utc(WallMs(1_005_000))), None));
    }
}
