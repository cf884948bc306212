//! The calls per second of the last seconds.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::attempt::Tick;

/// Interval of the samples.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Number of samples, so that the rate is that of the last five seconds.
const SAMPLES: usize = 5;

/// Measures the calls per second.
#[derive(Debug, Default)]
pub(super) struct CallRate {
    /// Times, and the numbers of calls that had left then, at intervals of a second or more.
    samples: VecDeque<(Tick, u64)>,
}

impl CallRate {
    /// Takes the current number of calls that have left, and returns the calls per second, rounded
    /// to tenths.
    pub(super) fn update(&mut self, now: Tick, sent: u64) -> f64 {
        if self.samples.is_empty() {
            self.samples.push_back((Tick::ZERO, 0));
        }
        let (since, before) = *self.samples.front().unwrap_or(&(Tick::ZERO, 0));
        if self.samples.back().is_none_or(|(at, _)| now >= *at + SAMPLE_EVERY) {
            self.samples.push_back((now, sent));
            if self.samples.len() > SAMPLES {
                self.samples.pop_front();
            }
        }
        let span = now.saturating_sub(since).as_secs_f64();
        let rate = sent.saturating_sub(before) as f64 / span.max(0.2);
        (rate * 10.0).round() / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_seconds_count() {
        let mut rate = CallRate::default();
        let mut sent = 0;
        let mut shown = Vec::new();
        for second in 1..=20 {
            sent += if second <= 10 { 100 } else { 10 };
            shown.push(rate.update(Duration::from_secs(second), sent));
        }
        assert_eq!((shown[0], shown[9], shown[19]), (100.0, 100.0, 10.0));
        let mut rate = CallRate::default();
        let half = Duration::from_millis(500);
        assert_eq!([(); 2].map(|()| rate.update(half, 50)), [100.0; 2], "told twice at once");
        assert!(shown.is_sorted_by(|one, next| one >= next), "{shown:?}");
    }
}
