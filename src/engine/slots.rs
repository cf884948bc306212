//! The slots of a worker: moments of the rate that all workers of an account share. One call may
//! leave in each slot.
//!
//! Must hold: a call leaves at most [`LATE`] after its slot, and never before it. A slot that was
//! missed is given up. Slots are counted from the arrival of their answer. If the answer took longer
//! than answers usually take, they are not used: nobody knows where the time was lost, and others may
//! have the same moments.
//!
//! Never: reads a clock or waits.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ledger::{Slots, SlotsWish};
use crate::model::attempt::{Tick, WallMs};

/// Time after its slot up to which a call may leave. At a low rate it is a tenth of the distance
/// between two slots.
const LATE: Duration = Duration::from_millis(10);
/// Time by which an answer may take longer than the fastest of the last ones. At a low rate it is a
/// fifth of the distance between two slots.
const JITTER: Duration = Duration::from_millis(20);
/// Longest time of the first answer.
const FIRST_ANSWER: Duration = Duration::from_millis(250);
/// Number of the last answers whose times are remembered.
const REMEMBERED: usize = 8;
/// Time after which a wish that was not answered is made again, and after which a worker that needs
/// no slots for a while looks whether there is a pause.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// Longest time by which intents are made ahead of their slots, because answers take long.
const FARTHEST_AHEAD: Duration = Duration::from_millis(500);

/// A wish whose answer is waited for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    wish: SlotsWish,
    now: Tick,
    wall: WallMs,
}

/// A slot, on both clocks: a suspended machine may have one of its clocks stand still.
#[derive(Debug, Clone, Copy)]
struct Slot {
    at: Tick,
    wall: WallMs,
    /// Time after it up to which its call may leave.
    late: Duration,
}

impl Slot {
    fn is_missed(self, now: Tick, wall: WallMs) -> bool {
        now > self.at.saturating_add(self.late) || wall > later(self.wall, self.late)
    }
}

/// The slots that a worker has, and those that it has asked for.
#[derive(Debug, Default)]
pub(super) struct SlotQueue {
    slots: VecDeque<Slot>,
    asked: Option<Asked>,
    /// End of a pause that the others must be told.
    untold_pause: Option<Tick>,
    ask_at: Tick,
    /// Time at which the next look for a pause is due.
    look_at: Tick,
    /// Times that the last answers took.
    took: VecDeque<Duration>,
}

impl SlotQueue {
    /// Forgets all slots, and the wish under way, whose answer never comes.
    pub(super) fn begin_round(&mut self) {
        let took = std::mem::take(&mut self.took);
        *self = Self { untold_pause: self.untold_pause, took, ..Self::default() };
    }

    /// Notes that the vendor has asked this worker for a pause, which concerns all workers.
    pub(super) fn tell_pause(&mut self, until: Tick) {
        self.slots.clear();
        self.untold_pause = Some(until);
    }

    /// Returns the wish that is due, if one is. `needed` is the number of calls that wait for
    /// slots, and `rate` the number of slots in a second; `None` if calls need none.
    pub(super) fn take_wish(
        &mut self,
        needed: usize,
        rate: Option<f64>,
        now: Tick,
        wall: WallMs,
    ) -> Option<SlotsWish> {
        if self.asked.is_some() {
            return None;
        }
        let pause = self.untold_pause.take().map(|until| until.saturating_sub(now));
        self.drop_missed(now, wall);
        let missing = needed.saturating_sub(self.slots.len());
        let wants_slots = missing * 2 >= needed.max(1) && now >= self.ask_at && pause.is_none();
        let calls = if wants_slots && rate.is_some() { missing as u32 } else { 0 };
        // Who has slots, or needs none, hears of a pause only if it looks.
        let looks = needed > 0 && now >= self.look_at;
        if calls == 0 && pause.is_none() && !looks {
            return None;
        }
        let wish = SlotsWish { calls, rate: rate.unwrap_or(1.0), pause };
        self.asked = Some(Asked { wish, now, wall });
        self.look_at = now + ASK_AGAIN;
        Some(wish)
    }

    /// Takes the answer to the wish under way into account; `None` if the ledger did not answer.
    /// Returns the end of a pause of all workers, if there is one.
    pub(super) fn answered(
        &mut self,
        told: Option<Slots>,
        now: Tick,
        wall: WallMs,
    ) -> Option<Tick> {
        let asked = self.asked.take()?;
        let Some(told) = told else {
            self.untold_pause = self.untold_pause.or(asked.wish.pause.map(|rest| asked.now + rest));
            self.ask_at = now + ASK_AGAIN;
            return None;
        };
        match told {
            Slots::Paused(Duration::ZERO) => None,
            Slots::Paused(rest) => {
                self.slots.clear();
                Some(now + rest)
            }
            Slots::From(first) => {
                let distance = Duration::try_from_secs_f64(1.0 / asked.wish.rate);
                let distance = distance.unwrap_or(Duration::MAX);
                if !self.is_usual(asked, distance, now, wall) {
                    return None;
                }
                let late = LATE.max(distance / 10);
                let slot = |n: u32| {
                    let after = first.saturating_add(distance.saturating_mul(n));
                    Slot { at: now.saturating_add(after), wall: later(wall, after), late }
                };
                self.slots.extend((0..asked.wish.calls).map(slot));
                None
            }
        }
    }

    /// Notes the time that an answer took. Returns `true` if the last answers took about as long,
    /// on both clocks.
    fn is_usual(&mut self, asked: Asked, distance: Duration, now: Tick, wall: WallMs) -> bool {
        let took = now.saturating_sub(asked.now);
        let jitter = JITTER.max(distance / 5);
        let longest = self.fastest().map_or(FIRST_ANSWER, |fastest| fastest.saturating_add(jitter));
        if self.took.len() == REMEMBERED {
            self.took.pop_front();
        }
        self.took.push_back(took);
        took <= longest && wall <= later(asked.wall, longest)
    }

    /// Returns the time that the fastest of the last answers took.
    fn fastest(&self) -> Option<Duration> {
        self.took.iter().copied().min()
    }

    /// Returns the time by which intents are made ahead of their slots, so that they are durable
    /// and have slots when their time comes.
    pub(super) fn ahead(&self, least: Duration) -> Duration {
        (least + self.fastest().unwrap_or_default() * 2).min(FARTHEST_AHEAD)
    }

    /// Takes the slot of one call. Returns `false` if no slot has come.
    pub(super) fn take(&mut self, now: Tick, wall: WallMs) -> bool {
        self.drop_missed(now, wall);
        let is_here = self.slots.front().is_some_and(|slot| slot.at <= now);
        is_here && self.slots.pop_front().is_some()
    }

    /// Gives all slots up.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
    }

    /// Returns the time of the next slot, or of the next wish.
    pub(super) fn wakes_at(&self, now: Tick) -> Option<Tick> {
        let again = (self.asked.is_none() && self.ask_at > now).then_some(self.ask_at);
        self.slots.front().map(|slot| slot.at).into_iter().chain(again).min()
    }

    fn drop_missed(&mut self, now: Tick, wall: WallMs) {
        while self.slots.front().is_some_and(|slot| slot.is_missed(now, wall)) {
            self.slots.pop_front();
        }
    }
}

fn later(wall: WallMs, by: Duration) -> WallMs {
    WallMs(wall.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Tick {
        Duration::from_millis(n)
    }

    fn wish(calls: u32) -> SlotsWish {
        SlotsWish { calls, rate: 100.0, pause: None }
    }

    /// Asks for slots at the time `at`, and gets them after `took`, from `first` on.
    fn ask(slots: &mut SlotQueue, needed: usize, at: u64, took: u64, first: u64) -> Option<u32> {
        let wish = slots.take_wish(needed, Some(100.0), ms(at), WallMs(at as i64))?;
        let came = at + took;
        slots.answered(Some(Slots::From(ms(first))), ms(came), WallMs(came as i64));
        Some(wish.calls)
    }

    fn take(slots: &mut SlotQueue, at: u64) -> bool {
        slots.take(ms(at), WallMs(at as i64))
    }

    #[test]
    fn a_call_leaves_in_its_slot() {
        let mut slots = SlotQueue::default();
        assert_eq!(ask(&mut slots, 3, 1000, 2, 5), Some(3));
        assert_eq!((take(&mut slots, 1006), slots.wakes_at(ms(1006))), (false, Some(ms(1007))));
        assert!(take(&mut slots, 1007) && !take(&mut slots, 1016) && take(&mut slots, 1017));
        assert_eq!(slots.wakes_at(ms(1020)), Some(ms(1027)));
        assert!(!take(&mut slots, 1038), "it was missed");
        assert_eq!(slots.wakes_at(ms(1038)), None);
    }

    #[test]
    fn slots_are_asked_for_when_half_of_them_are_used() {
        let mut slots = SlotQueue::default();
        assert_eq!(slots.take_wish(0, Some(100.0), ms(0), WallMs(0)), None);
        assert_eq!(slots.take_wish(4, Some(100.0), ms(0), WallMs(0)), Some(wish(4)));
        assert_eq!(slots.take_wish(4, Some(100.0), ms(0), WallMs(0)), None, "one is under way");
        slots.answered(Some(Slots::From(ms(0))), ms(1), WallMs(1));
        assert!(take(&mut slots, 1));
        assert_eq!(slots.take_wish(4, Some(100.0), ms(1), WallMs(1)), None);
        assert!(take(&mut slots, 11));
        assert_eq!(slots.take_wish(4, Some(100.0), ms(11), WallMs(11)), Some(wish(2)));
        assert_eq!(slots.answered(None, ms(12), WallMs(12)), None);
        assert_eq!(slots.take_wish(9, Some(100.0), ms(20), WallMs(20)), None, "not at once");
        assert_eq!(slots.wakes_at(ms(20)), Some(ms(21)));
        assert_eq!(slots.take_wish(9, Some(100.0), ms(200), WallMs(200)), Some(wish(9)));
    }

    #[test]
    fn a_worker_that_needs_no_slots_looks_for_a_pause() {
        let mut slots = SlotQueue::default();
        let look = Some(SlotsWish { calls: 0, rate: 1.0, pause: None });
        assert_eq!(slots.take_wish(9, None, ms(0), WallMs(0)), look);
        assert_eq!(slots.answered(Some(Slots::Paused(ms(0))), ms(1), WallMs(1)), None);
        assert_eq!(slots.take_wish(9, None, ms(99), WallMs(99)), None);
        assert_eq!(slots.take_wish(9, None, ms(100), WallMs(100)), look);
    }

    #[test]
    fn the_slots_of_an_answer_that_stalled_are_not_used() {
        let mut slots = SlotQueue::default();
        assert_eq!(ask(&mut slots, 1, 0, 30, 0), Some(1));
        assert!(take(&mut slots, 30));
        assert_eq!(ask(&mut slots, 1, 100, 50, 0), Some(1));
        assert!(take(&mut slots, 150), "a little later than the one before");
        assert_eq!(ask(&mut slots, 1, 200, 51, 50), Some(1));
        assert!(!take(&mut slots, 301));
        assert_eq!(slots.ahead(ms(40)), ms(100));
        // A line that stays slow is known after a while.
        let is_used = |slots: &mut SlotQueue, n: u64| {
            ask(slots, 1, 1000 * n, 90, 0);
            take(slots, 1000 * n + 90)
        };
        let used: Vec<bool> = (1..10).map(|n| is_used(&mut slots, n)).collect();
        assert_eq!(used.iter().position(|used| *used), Some(8));
    }

    #[test]
    fn the_first_answer_may_take_a_quarter_of_a_second() {
        for (took, wall, is_used) in [(250, 250, true), (251, 251, false), (5, 60_000, false)] {
            let mut slots = SlotQueue::default();
            slots.take_wish(1, Some(100.0), ms(0), WallMs(0));
            slots.answered(Some(Slots::From(ms(0))), ms(took), WallMs(wall));
            assert_eq!(slots.take(ms(took), WallMs(wall)), is_used, "{took} {wall}");
        }
    }

    #[test]
    fn a_machine_that_was_suspended_has_missed_its_slots() {
        let mut slots = SlotQueue::default();
        assert_eq!(ask(&mut slots, 1, 0, 1, 10), Some(1));
        assert!(!slots.take(ms(12), WallMs(9000)));
    }

    #[test]
    fn a_pause_is_told_until_it_was_heard() {
        let mut slots = SlotQueue::default();
        assert_eq!(ask(&mut slots, 2, 0, 1, 0), Some(2));
        slots.tell_pause(ms(1500));
        assert!(!take(&mut slots, 1), "the slots are gone");
        let pause =
            |ms| Some(SlotsWish { calls: 0, rate: 1.0, pause: Some(Duration::from_millis(ms)) });
        assert_eq!(slots.take_wish(2, None, ms(1000), WallMs(1000)), pause(500));
        assert_eq!(slots.answered(None, ms(1100), WallMs(1100)), None);
        assert_eq!(slots.take_wish(2, None, ms(1200), WallMs(1200)), pause(300));
        let told = slots.answered(Some(Slots::Paused(ms(290))), ms(1210), WallMs(1210));
        assert_eq!(told, Some(ms(1500)));
        assert_eq!(slots.take_wish(0, None, ms(1220), WallMs(1220)), None);
    }
}
