//! Estimate of the time that is left, calm enough to be read.
//!
//! Must hold: a pause does not count, and the shown time of the end moves only when it has become
//! clearly wrong.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::attempt::Tick;

/// Interval of the samples.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// Number of samples over which the pace is measured: five minutes.
const SAMPLES: usize = 60;
/// Shortest time after which something is known.
const LEAST: Duration = Duration::from_secs(5);

/// Estimator of the time that is left.
#[derive(Debug, Default)]
pub(super) struct TimeLeft {
    /// Time without the pauses.
    active: Duration,
    last: Tick,
    /// Active times, and the numbers of pairs that had their end then.
    samples: VecDeque<(Duration, u64)>,
    /// Time of the end that was shown last.
    shown: Option<Tick>,
}

impl TimeLeft {
    /// Takes the current figures, and returns the time that is left; `None` where nothing is known.
    /// `finished` is the number of pairs that have got their end in this start, and `left` the
    /// number of those that have none.
    pub(super) fn update(
        &mut self,
        now: Tick,
        finished: u64,
        left: u64,
        is_paused: bool,
    ) -> Option<Duration> {
        let passed = now.saturating_sub(self.last);
        self.last = now;
        if is_paused {
            self.shown = None;
            return None;
        }
        self.active += passed;
        let (since, before) = *self.samples.front().unwrap_or(&(Duration::ZERO, 0));
        if self.samples.back().is_none_or(|(at, _)| self.active >= *at + SAMPLE_EVERY) {
            self.samples.push_back((self.active, finished));
            self.samples.truncate(SAMPLES + 1);
            if self.samples.len() > SAMPLES {
                self.samples.pop_front();
            }
        }
        let span = self.active.saturating_sub(since);
        let done = finished.saturating_sub(before);
        if span < LEAST || done == 0 || left == 0 {
            return None;
        }
        let seconds = left as f64 * span.as_secs_f64() / done as f64;
        let end = now + Duration::try_from_secs_f64(seconds).ok()?;
        let tolerance = Duration::from_secs_f64((seconds / 20.0).max(2.0));
        let end = match self.shown {
            Some(shown) if shown.abs_diff(end) <= tolerance => shown,
            _ => end,
        };
        self.shown = Some(end);
        Some(rounded(end.saturating_sub(now))).filter(|time| !time.is_zero())
    }
}

/// Rounds a time up to a number that people read at a glance.
fn rounded(time: Duration) -> Duration {
    let seconds = time.as_secs_f64().ceil() as u64;
    let step = match seconds {
        0..=60 => 5,
        61..=600 => 30,
        601..=3600 => 60,
        _ => 300,
    };
    Duration::from_secs(seconds.div_ceil(step) * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Plays a run of ten pairs a second, with a pause of `pause` seconds after a minute.
    fn play(pause: u64) -> Vec<Option<u64>> {
        let mut left = TimeLeft::default();
        let mut shown = Vec::new();
        let (mut finished, all) = (0, 3000);
        for second in 0..200 {
            let is_paused = (60..60 + pause).contains(&second);
            finished += if is_paused { 0 } else { 10 };
            let time = left.update(secs(second), finished, all - finished, is_paused);
            shown.push(time.map(|time| time.as_secs()));
        }
        shown
    }

    #[test]
    fn a_steady_run_counts_down() {
        let shown = play(0);
        assert_eq!((shown[0], shown[1]), (None, None));
        assert_eq!([10, 60, 120, 199].map(|at| shown[at]), [300, 240, 180, 120].map(Some));
        let known: Vec<_> = shown.iter().flatten().collect();
        assert!(known.windows(2).all(|pair| pair[0] >= pair[1]), "{known:?}");
    }

    #[test]
    fn a_pause_does_not_count() {
        let shown = play(60);
        assert!(shown[60..120].iter().all(Option::is_none));
        assert_eq!((shown[59], shown[125]), (Some(240), Some(240)));
    }

    #[test]
    fn nothing_is_known_of_a_run_without_ends() {
        let mut left = TimeLeft::default();
        assert_eq!(left.update(secs(100), 0, 10, false), None);
        assert_eq!(left.update(secs(200), u64::MAX, u64::MAX, false), Some(secs(120)));
    }

    #[test]
    fn times_as_people_read_them() {
        let millis = [1, 5000, 5001, 61_000, 601_000, 7_201_000].map(Duration::from_millis);
        assert_eq!(millis.map(|time| rounded(time).as_secs()), [5, 5, 10, 90, 660, 7500]);
    }
}
