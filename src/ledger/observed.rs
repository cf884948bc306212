//! What a worker has observed of the beats of the others.
//!
//! Must hold: a worker counts as silent only if its beats have not changed for a whole lease in which
//! this worker looked without a gap. So after an outage, or after this machine stood still, nobody
//! counts as silent for a lease. Only this machine's own clock is used: the clock of the server may
//! be set, and those of the other machines may be wrong.
//!
//! Never: reads a clock.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::attempt::StartId;

/// The beats of a worker, as they are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ObservedBeat {
    pub(crate) start: StartId,
    /// Number of its beats.
    pub(crate) number: u64,
    /// Length of its lease.
    pub(crate) lease: Duration,
}

/// The beats of the other workers, as one worker has observed them. All times are counted by one
/// steady clock of this worker.
#[derive(Debug)]
pub(crate) struct Observed {
    lease: Duration,
    /// Number of beats of each worker, and the time since which this number has been the same.
    beats: BTreeMap<StartId, (u64, Duration)>,
    looked_at: Option<Duration>,
}

impl Observed {
    pub(crate) const fn new(lease: Duration) -> Self {
        Self { lease, beats: BTreeMap::new(), looked_at: None }
    }

    /// Takes a look into account: the numbers of beats of all workers, which were asked for at the
    /// time `asked` and came at the time `came`. Returns the silent workers, each with its number of
    /// beats.
    pub(crate) fn look(
        &mut self,
        beats: impl IntoIterator<Item = ObservedBeat>,
        asked: Duration,
        came: Duration,
    ) -> Vec<(StartId, u64)> {
        let has_gap = self.looked_at.is_none_or(|last| came > last + self.lease / 5);
        self.looked_at = Some(came);
        let before = std::mem::take(&mut self.beats);
        let mut silent = Vec::new();
        for ObservedBeat { start, number, lease } in beats {
            let since = match before.get(&start) {
                Some((known, since)) if *known == number && !has_gap => *since,
                _ => came,
            };
            self.beats.insert(start, (number, since));
            // Its lease may be longer than ours: it may send for half of its own.
            if asked > since + self.lease.max(lease) {
                silent.push((start, number));
            }
        }
        silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: StartId = StartId(1);
    const TWO: StartId = StartId(2);

    fn beat(start: StartId, number: u64) -> ObservedBeat {
        ObservedBeat { start, number, lease: Duration::from_secs(15) }
    }

    #[test]
    fn a_longer_lease_of_the_other_counts() {
        let mut observed = Observed::new(Duration::from_secs(15));
        let patient = ObservedBeat { lease: Duration::from_secs(60), ..beat(ONE, 7) };
        for second in 0..=61 {
            let now = Duration::from_secs(second);
            assert_eq!(observed.look([patient], now, now).is_empty(), second <= 60, "{second}");
        }
    }

    /// Looks once a second, at times `from..to`. Worker one is dead, and worker two lives.
    fn look(observed: &mut Observed, from: u64, to: u64) -> Vec<(StartId, u64)> {
        let mut silent = Vec::new();
        for second in from..to {
            let now = Duration::from_secs(second);
            let soon = now + Duration::from_millis(200);
            silent = observed.look([beat(ONE, 7), beat(TWO, second)], now, soon);
        }
        silent
    }

    #[test]
    fn who_does_not_beat_for_a_lease_is_silent() {
        let mut observed = Observed::new(Duration::from_secs(15));
        assert_eq!(look(&mut observed, 0, 16), []);
        assert_eq!(look(&mut observed, 16, 17), [(ONE, 7)]);
        // Who beats again is no longer silent.
        let now = Duration::from_secs(17);
        assert_eq!(observed.look([beat(ONE, 8), beat(TWO, 17)], now, now), []);
    }

    #[test]
    fn after_a_gap_nobody_is_silent_for_a_lease() {
        let mut observed = Observed::new(Duration::from_secs(15));
        assert_eq!(look(&mut observed, 0, 10), []);
        assert_eq!(look(&mut observed, 14, 29), [], "the gap began at 9 s");
        assert_eq!(look(&mut observed, 29, 31), [(ONE, 7)]);
    }
}
