//! What the workers of the ledger in memory tell each other and share: beats, news, slots of the
//! rate and room of the budget.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Gap, SharedStore, Start};
use crate::ledger::{Beat, News, RunId, Slots, SlotsWish, SourceChange, SourceNews};
use crate::model::attempt::StartId;
use crate::model::attempt::{Intent, Settlement};
use crate::model::money::Charge;
use crate::model::stop::{Reach, StopReason};
use crate::rules::room::{Fellow, Granted, RoomWish};

impl SharedStore {
    /// Gives a sign of life.
    pub(crate) fn beat(&mut self, start: StartId, beat: Beat) {
        let row = self.start_mut(start);
        row.number += 1;
        (row.is_dead, row.beat) = (false, beat);
        if let Some(change) = beat.source {
            self.pace.is_down = change == SourceChange::Down;
        }
        if let Some(stop) = beat.stop {
            let (last, run) = (StartId(self.starts.len() as u32), self.start(start).run);
            let told = match stop.reach() {
                Reach::Worker => return,
                Reach::Run => &mut self.runs[run.0 as usize - 1].stop,
                Reach::Account => &mut self.pace.stop,
            };
            if told.is_none_or(|(_, until)| until < start) {
                *told = Some((stop, last));
            }
        }
    }

    /// Fulfils the wish of a worker for room, unless it comes late.
    pub(crate) fn fulfil(
        &mut self,
        start: StartId,
        wish: RoomWish,
        number: u64,
    ) -> Option<Granted> {
        if number <= self.start(start).wish && !self.has(Gap::LateWishes) {
            return None;
        }
        self.start_mut(start).wish = number;
        let run = self.start(start).run;
        let workers = self.living_of(run);
        let (granted, room) = (self.runs[run.0 as usize - 1].granted, self.start(start).room);
        let told = match self.gap {
            Some(Gap::WholeRoomEach) => Granted { room: wish.max, of_run: wish.max },
            Some(Gap::KeepsItsRoom) => wish.fulfil(wish.keep.max(room), granted, workers),
            _ => wish.fulfil(room, granted, workers),
        };
        self.runs[run.0 as usize - 1].granted = told.of_run;
        let row = self.start_mut(start);
        (row.room, row.unused) = (told.room, wish.unused + told.room.saturating_sub(wish.keep));
        Some(told)
    }

    /// Returns the other workers of a run that were not declared dead.
    pub(crate) fn fellows(&self, me: StartId) -> Vec<Fellow> {
        let run = self.start(me).run;
        let all = (1..).map(StartId).zip(&self.starts);
        let others =
            all.filter(|(id, row)| *id != me && row.run == run && !row.has_ended && !row.is_dead);
        let fellow = |(start, row): (StartId, &Start)| Fellow {
            start,
            beats: row.number,
            unused: row.unused,
        };
        others.map(fellow).collect()
    }

    /// Returns the room of a start.
    pub(crate) fn room(&self, start: StartId) -> u64 {
        self.start(start).room
    }

    /// Returns the number of living workers of a run.
    pub(crate) fn living_of(&self, run: RunId) -> u64 {
        let lives = |start: &&Start| start.run == run && !start.has_ended && !start.is_dead;
        self.starts.iter().filter(lives).count() as u64
    }

    /// Returns the room of each start and that of its run, to be compared with those of a server.
    pub(crate) fn rooms(&self) -> Vec<String> {
        let row = |start: &Start| {
            format!("{} {}", start.room, self.runs[start.run.0 as usize - 1].granted)
        };
        self.starts.iter().map(row).collect()
    }

    /// Takes the unused room of a start back.
    pub(super) fn take_back(&mut self, start: StartId) {
        let Start { room, run, .. } = *self.start(start);
        let kept = self.used(|of| of == start).min(room);
        (self.start_mut(start).room, self.start_mut(start).unused) = (kept, 0);
        let run = &mut self.runs[run.0 as usize - 1];
        run.granted = run.granted.saturating_sub(room - kept);
    }

    /// Counts the attempts of some starts that are charged, or may be.
    pub(super) fn used(&self, which: impl Fn(StartId) -> bool) -> u64 {
        let is_used = |(intent, settled, _): &(&Intent, Option<&Settlement>, bool)| {
            which(intent.attempt.start()) && settled.is_none_or(|fact| fact.charge != Charge::Free)
        };
        self.attempts().filter(is_used).count() as u64
    }

    /// Counts the attempts of a run that are charged, or may be.
    pub(crate) fn used_of_run(&self, run: RunId) -> u64 {
        self.used(|start| self.start(start).run == run)
    }

    /// Takes slots, or begins a pause. `now` is the time of the ledger's clock.
    pub(crate) fn take_slots(&mut self, wish: SlotsWish, now: Duration) -> Slots {
        let ignores_pause = self.has(Gap::NoPause);
        let is_twice = self.has(Gap::SlotsTwice);
        let pace = &mut self.pace;
        let before = pace.paused_until;
        if let Some(pause) = wish.pause {
            pace.paused_until = pace.paused_until.max(now + pause);
        }
        if (wish.calls == 0 || before > now) && !ignores_pause {
            return Slots::Paused(pace.paused_until.saturating_sub(now));
        }
        let first = pace.next_slot.max(now);
        if !is_twice {
            pace.next_slot = first + Duration::from_secs_f64(f64::from(wish.calls) / wish.rate);
        }
        Slots::From(first.saturating_sub(now))
    }

    /// Returns the other workers that have not ended and were not declared dead, each with its
    /// number of beats.
    pub(crate) fn beats(&self, me: StartId) -> Vec<(StartId, u64)> {
        let all = (1..).map(StartId).zip(&self.starts);
        let living = all.filter(|(id, row)| *id != me && !row.has_ended && !row.is_dead);
        living.map(|(id, row)| (id, row.number)).collect()
    }

    /// Returns what a worker hears after its beat. These workers are silent.
    pub(crate) fn news(&self, me: StartId, silent: &BTreeSet<StartId>, now: Duration) -> News {
        let run = self.start(me).run;
        let all = || (1..).map(StartId).zip(&self.starts);
        let lives =
            |id: StartId, row: &Start| !row.has_ended && !row.is_dead && !silent.contains(&id);
        let living = || all().filter(move |(id, row)| lives(*id, row));
        let others = living().filter(|(id, _)| *id != me);
        let prober = living().find(|(_, row)| row.beat.left > 0).map(|(id, _)| id);
        News {
            generation: self.start(me).generation,
            has_ended: self.start(me).has_ended,
            members: living().filter(|(_, row)| row.run == run).map(|(id, _)| id).collect(),
            rate: others.filter_map(|(_, row)| row.beat.rate).reduce(f64::min),
            workers: living().count() as u32,
            pause: match self.gap {
                Some(Gap::NoPause) => Duration::ZERO,
                _ => self.pace.paused_until.saturating_sub(now),
            },
            source: SourceNews {
                is_down: self.pace.is_down,
                is_prober: prober.is_none_or(|prober| prober == me),
            },
            stop: self.stop_of(me),
            body: living().find_map(|(_, row)| row.beat.body),
            verdicts: None,
            room: None,
        }
    }

    /// Returns the reason to stop that concerns a worker.
    pub(super) fn stop_of(&self, me: StartId) -> Option<StopReason> {
        let run = self.start(me).run;
        let told = [self.pace.stop, self.runs[run.0 as usize - 1].stop];
        told.into_iter().flatten().find(|(_, until)| *until >= me).map(|(stop, _)| stop)
    }
}
