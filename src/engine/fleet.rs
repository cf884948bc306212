//! This worker among the other workers on its ledger: its lease, and its share of the pairs.
//!
//! Must hold: a call is sent only while the lease holds, on both clocks. The lease holds for half
//! of its length, counted from the moment at which the beat was sent that the ledger answered last.
//! A suspended machine may have one of its clocks stand still, and the other workers count the
//! whole length.
//!
//! Never: reads a clock or waits.

use std::time::Duration;

use crate::ledger::{BEATS_IN_A_LEASE, News};
use crate::model::attempt::{PairKey, StartId, Tick, WallMs};
use crate::rules::deal::Deal;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
struct Moment {
    now: Tick,
    wall: WallMs,
}

/// The place of this worker among the others.
pub(super) struct Fleet {
    me: StartId,
    lease: Duration,
    deal: Deal,
    /// Number of times that this worker was declared dead, as far as it knows.
    generation: Option<u32>,
    /// Moment at which the beat was sent that the ledger answered last.
    answered: Option<Moment>,
    /// Moment at which the beat was sent that is under way.
    asked: Option<Moment>,
    /// True if the answer to the beat under way is older than what is known already.
    is_outdated: bool,
    next_beat: Tick,
}

impl Fleet {
    pub(super) fn new(me: StartId, lease: Duration) -> Self {
        Self {
            me,
            lease,
            deal: Deal::of(me, &[]),
            generation: None,
            answered: None,
            asked: None,
            is_outdated: false,
            next_beat: Tick::ZERO,
        }
    }

    /// Begins another round with these other workers. Forgets the beat that was under way when the
    /// last round ended: its answer never comes.
    pub(super) fn begin_round(&mut self, others: &[StartId]) {
        (self.asked, self.is_outdated) = (None, false);
        self.deal = Deal::of(self.me, others);
    }

    /// Ends a round: the answer to the beat under way is outdated by the last beat, which nobody
    /// waits for.
    pub(super) const fn end_round(&mut self) {
        self.asked = None;
    }

    /// Gives the lease up until the next beat is answered: a batch has shown that this worker was
    /// declared dead.
    pub(super) fn lose_lease(&mut self) {
        (self.answered, self.is_outdated) = (None, self.asked.is_some());
        self.next_beat = Tick::ZERO;
    }

    /// Checks whether a beat is due, and notes that it is sent now. `is_urgent` is true if there is
    /// something to tell or to ask for.
    pub(super) fn beats(&mut self, is_urgent: bool, now: Tick, wall: WallMs) -> bool {
        let is_due = self.asked.is_none() && (is_urgent || now >= self.next_beat);
        if is_due {
            self.asked = Some(Moment { now, wall });
            self.next_beat = now + self.lease / BEATS_IN_A_LEASE;
        }
        is_due
    }

    /// Takes the ledger's answer to the beat under way into account. Returns `None` if the answer is
    /// outdated.
    pub(super) fn heard(&mut self, news: &News) -> Option<Heard> {
        let asked = self.asked.take()?;
        if std::mem::take(&mut self.is_outdated) {
            return None;
        }
        self.answered = Some(asked);
        let before = self.generation.replace(news.generation);
        let deal = Deal::of(self.me, &news.members);
        let has_new_deal = deal != self.deal;
        self.deal = deal;
        let was_revived = before.is_some_and(|before| before != news.generation);
        Some(Heard { was_revived, has_new_deal })
    }

    /// Checks whether calls may be sent now.
    pub(super) fn has_lease(&self, now: Tick, wall: WallMs) -> bool {
        let half = self.lease / 2;
        let half_ms = i64::try_from(half.as_millis()).unwrap_or(i64::MAX);
        self.answered.is_some_and(|sent| {
            now < sent.now + half && wall.0 < sent.wall.0.saturating_add(half_ms)
        })
    }

    /// Checks whether a pair falls to this worker.
    pub(super) fn takes(&self, pair: &PairKey) -> bool {
        self.deal.takes(pair)
    }

    /// Returns the time of the next turn if no event comes before: the next beat, or the end of the
    /// lease.
    pub(super) fn wakes(&self, now: Tick) -> Option<Tick> {
        let beat = self.asked.is_none().then_some(self.next_beat);
        let end = self.answered.map(|sent| sent.now + self.lease / 2);
        [beat, end].into_iter().flatten().filter(|at| *at > now).min()
    }
}

/// What is new in the ledger's answer to a beat.
pub(super) struct Heard {
    /// True if this worker was declared dead and lives again.
    pub(super) was_revived: bool,
    /// True if other pairs fall to this worker than before.
    pub(super) has_new_deal: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Tick {
        Duration::from_millis(n)
    }

    fn news(generation: u32) -> News {
        News { generation, members: vec![StartId(1)], ..News::default() }
    }

    #[test]
    fn a_lease_holds_for_half_its_length_after_the_beat_was_sent() {
        let mut fleet = Fleet::new(StartId(1), ms(15_000));
        assert!(!fleet.has_lease(ms(0), WallMs(0)), "nothing was heard");
        assert!(
            fleet.beats(false, ms(0), WallMs(1000)) && !fleet.beats(false, ms(5000), WallMs(6000))
        );
        let told = fleet.heard(&news(4));
        assert!(
            !told.is_some_and(|told| told.was_revived),
            "the first answer says how often it was declared dead before"
        );
        for (now, wall, holds) in [
            (5000, 6000, true),
            (7499, 8499, true),
            (7500, 8499, false),
            (7499, 8500, false),
            (100, 500, true),
        ] {
            assert_eq!(fleet.has_lease(ms(now), WallMs(wall)), holds, "{now} {wall}");
        }
        assert!(fleet.beats(false, ms(5000), WallMs(6000)));
        assert!(fleet.heard(&news(5)).is_some_and(|told| told.was_revived));
        assert_eq!(fleet.wakes(ms(5500)), Some(ms(6000)));
    }

    #[test]
    fn a_lease_that_was_lost_comes_back_with_a_later_beat() {
        let mut fleet = Fleet::new(StartId(1), ms(15_000));
        assert!(fleet.beats(false, ms(0), WallMs(0)));
        fleet.heard(&news(0));
        assert!(fleet.beats(false, ms(1000), WallMs(1000)));
        fleet.lose_lease();
        assert!(!fleet.has_lease(ms(1001), WallMs(1001)));
        assert!(fleet.heard(&news(0)).is_none(), "it was sent before");
        assert!(!fleet.has_lease(ms(1002), WallMs(1002)));
        assert!(fleet.beats(false, ms(1003), WallMs(1003)), "at once");
        assert!(!fleet.beats(true, ms(1004), WallMs(1004)), "one at a time");
        assert!(fleet.heard(&news(1)).is_some_and(|told| told.was_revived));
        assert!(fleet.has_lease(ms(1005), WallMs(1005)));
        assert!(fleet.beats(true, ms(1006), WallMs(1006)), "it is urgent");
    }
}
