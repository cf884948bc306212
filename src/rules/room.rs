//! Room: the part of a run's budget that one of several workers alone may use.
//!
//! Must hold: the room of all starts together never exceeds the budget. Room comes in lots. Near the
//! end of the budget the lots get small, so that all of the budget is used. A worker gives up only
//! when no other one can have unused room.

use std::collections::BTreeMap;

use crate::model::attempt::StartId;

/// Wish of a worker for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomWish {
    /// Part of its room that the worker keeps. The rest goes back to the run.
    pub keep: u64,
    /// Part of the kept room that no call holds or has used.
    pub unused: u64,
    /// Number of further charges that the worker would like; 0 if it needs none.
    pub more: u64,
    /// Maximum number of charges of the run, as this worker was told.
    pub max: u64,
}

/// Room of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Number of charges that the start may cause over its whole life.
    pub total: u64,
    /// True if the worker may get more later: some of the budget is left, or other workers may
    /// give some of theirs back.
    pub may_grow: bool,
}

/// The room of a worker and that of all starts of its run, after a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// Room of the worker.
    pub room: u64,
    /// Room of all starts of the run, this one included.
    pub of_run: u64,
}

impl RoomWish {
    /// Fulfils the wish of a worker. `room` is the room that it has, `of_run` that of all starts of
    /// the run, and `workers` the number of its living workers.
    ///
    /// ```
    /// use ceknik::rules::room::{Granted, RoomWish};
    ///
    /// let wish = RoomWish { keep: 10, unused: 2, more: 100, max: 500 };
    /// assert_eq!(wish.fulfil(10, 20, 3), Granted { room: 50, of_run: 60 });
    /// // Near the end there is one charge at a time.
    /// assert_eq!(wish.fulfil(10, 490, 3), Granted { room: 11, of_run: 491 });
    /// assert_eq!(wish.fulfil(10, 500, 3), Granted { room: 10, of_run: 500 });
    /// // What a worker does not keep goes back. A worker that was declared dead has lost its
    /// // unused room, whatever it wants to keep.
    /// assert_eq!(RoomWish { keep: 7, more: 0, ..wish }.fulfil(10, 20, 3).of_run, 17);
    /// assert_eq!(RoomWish { more: 0, ..wish }.fulfil(6, 20, 3).room, 6);
    /// ```
    pub fn fulfil(self, room: u64, of_run: u64, workers: u64) -> Granted {
        let keep = self.keep.min(room);
        let others = of_run.saturating_sub(room);
        let left = self.max.saturating_sub(others + keep);
        let share = (left / (4 * workers.max(1))).max(1);
        let lot = self.more.min(share).min(left);
        Granted { room: keep + lot, of_run: others + keep + lot }
    }
}

/// Another worker of the run, as it was read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fellow {
    /// Number of its start.
    pub start: StartId,
    /// Number of its beats.
    pub beats: u64,
    /// Part of its room that no call held or had used at its last beat.
    pub unused: u64,
}

/// The other workers that may have unused room, although they have told of none: they have not
/// beaten since the budget was found to be used up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unheard(Option<BTreeMap<StartId, u64>>);

impl Unheard {
    /// Checks whether a worker may get more room now or later. `left` is the part of the budget
    /// that no start has, and `others` are the other workers that have not been declared dead.
    pub fn may_grow(&mut self, left: u64, others: &[Fellow]) -> bool {
        if left > 0 || others.iter().any(|of| of.unused > 0) {
            self.0 = None;
            return true;
        }
        let beats: BTreeMap<StartId, u64> = others.iter().map(|of| (of.start, of.beats)).collect();
        let unheard = self.0.get_or_insert_with(|| beats.clone());
        unheard.retain(|start, number| beats.get(start) == Some(number));
        !unheard.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_gives_up_when_all_others_have_been_heard() {
        let fellow = |start, beats, unused| Fellow { start: StartId(start), beats, unused };
        let mut unheard = Unheard::default();
        assert!(unheard.may_grow(1, &[]), "some is left");
        assert!(unheard.may_grow(0, &[fellow(1, 7, 3)]), "another one has some");
        assert!(!unheard.may_grow(0, &[]), "nobody is there");
        let mut unheard = Unheard::default();
        assert!(unheard.may_grow(0, &[fellow(1, 7, 0), fellow(2, 9, 0)]));
        assert!(unheard.may_grow(0, &[fellow(1, 8, 0), fellow(2, 9, 0)]), "the second is silent");
        assert!(unheard.may_grow(0, &[fellow(1, 9, 0), fellow(2, 9, 0)]));
        assert!(!unheard.may_grow(0, &[fellow(1, 10, 0)]), "it was declared dead, and had none");
        assert!(unheard.may_grow(2, &[fellow(1, 11, 0)]), "or it had some");
    }
}
