//! The network between the workers and the ledger, and the requests that the ledger carries out.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Sabotage;
use super::checks::Checks;
use super::network::{Answer, GivenRoom, Request, Response};
use super::process::Process;
use super::world::{BEGINNING, CALM_FROM, Habit, Happening, LEASE, Pid, World};
use crate::engine::Event;
use crate::engine::tests::story::{ms, secs};
use crate::ledger::observed::ObservedBeat;
use crate::ledger::recording::Told;
use crate::ledger::{Beat, SourceNews};
use crate::model::attempt::{AttemptId, Intent, StartId, WallMs};
use crate::rules::room::Room;

impl World {
    /// A request leaves its process.
    pub(super) fn leaves(&mut self, pid: Pid, process: &Process, number: u64, request: Request) {
        if let Request::Sleep(pause) = request {
            let rested = Happening::Answered(pid, number, Ok(Response::Done));
            return self.schedule(self.now + pause, rested);
        }
        let broken = |at| (at, Happening::Answered(pid, number, Err(())));
        if process.cut_off_until > self.now {
            let (at, what) = broken(self.now + ms(300));
            return self.schedule(at, what);
        }
        let (is_slow, is_late) = (self.has(Habit::IsSlow), self.has(Habit::DeclaresLate));
        let dice = &mut self.dice;
        let slow = is_slow && dice.one_in(20) && self.now < CALM_FROM;
        let mut takes = if slow { ms(dice.between(500, 40_000)) } else { ms(dice.between(1, 30)) };
        if process.stalled_until > self.now {
            takes = process.stalled_until - self.now + ms(dice.between(1, 1000));
        } else if matches!(request, Request::Reap(_)) && is_late && self.now < CALM_FROM {
            takes = ms(dice.between(2, 20_000));
        }
        // The connection breaks, and what was under way may arrive all the same.
        let breaks = self.has(Habit::Loses) && self.dice.one_in(30) && self.now < CALM_FROM;
        let arrives = !breaks || self.dice.one_in(2);
        if breaks || slow && takes > secs(5) {
            let after = ms(self.dice.between(1, 5000));
            let (at, what) = broken(self.now + after);
            self.schedule(at, what);
            if slow {
                self.saw("batch came late");
            }
        }
        let is_batch = matches!(&request, Request::Offer(_, batch) if !batch.intents.is_empty());
        if arrives {
            self.schedule(self.now + takes, Happening::Arrives(pid, number, request));
        }
        match &mut self.at_a_batch {
            Some((_, batches @ 2.., _)) if is_batch => *batches -= 1,
            Some((fault, _, long)) if is_batch => {
                let fault = Happening::Fault(*fault, Some(pid), Some(*long));
                self.at_a_batch = None;
                self.schedule(self.now + takes, fault);
            }
            _ => {}
        }
    }

    /// A request reaches the ledger.
    pub(super) fn arrives(
        &mut self,
        pid: Pid,
        number: u64,
        request: Request,
    ) -> Result<(), String> {
        let answer = if self.is_up { Ok(self.carry_out(pid, number, request)?) } else { Err(()) };
        let is_cut = self.processes.get(&pid).is_none_or(|of| of.cut_off_until > self.now);
        let is_lost = self.has(Habit::Loses) && self.now < CALM_FROM && self.dice.one_in(30);
        let answer = if is_cut || is_lost {
            self.saw("answer lost");
            Err(())
        } else {
            answer
        };
        let stalled_until = self.processes.get(&pid).map_or(Duration::ZERO, |of| of.stalled_until);
        let takes = match stalled_until.checked_sub(self.now) {
            Some(rest) if !rest.is_zero() => rest + ms(self.dice.between(1, 1000)),
            _ => ms(self.dice.between(1, 30)),
        };
        self.schedule(self.now + takes, Happening::Answered(pid, number, answer));
        Ok(())
    }

    fn carry_out(&mut self, pid: Pid, number: u64, request: Request) -> Result<Response, String> {
        let start = self.processes.get(&pid).map(|process| process.start);
        let max_charges = self.options.max_charges;
        Ok(match request {
            Request::Offer(writing, batch) => {
                let healed = batch
                    .settlements
                    .iter()
                    .filter(|fact| self.store.lost_at(fact.attempt) > WallMs(0));
                if healed.count() > 0 {
                    self.saw("healed");
                }
                let told = self.store.record(&writing, &batch);
                if let Some(Told::Durable(granted)) = &told {
                    let refused = batch.intents.len() - granted.len().min(batch.intents.len());
                    if refused > 0 {
                        self.saw("claim refused");
                    }
                    Checks::budget(&self.store, self.store.run_of(writing.start), max_charges)?;
                    let resent = self.checks.granted(&self.store, &batch, granted, &self.terms)?;
                    if resent > 0 {
                        self.saw("resent");
                    }
                }
                self.tell(|| {
                    format!("{pid}: batch {} of {:?}: {told:?}", writing.number(), writing.start)
                });
                Response::Told(told)
            }
            Request::Known(of) => Response::Known(self.store.known(of)),
            Request::RecordedAmong(attempts) => {
                Response::Recorded(self.store.recorded_among(&attempts))
            }
            Request::Beat(beat) => match start {
                Some(start) => self.beat(start, number, beat),
                None => Response::Done,
            },
            Request::Slots(wish) => {
                self.saw(if wish.pause.is_some() { "pause told" } else { "slots taken" });
                let slots = self.store.take_slots(wish, self.now);
                self.checks.told(&self.store, self.now);
                self.tell(|| format!("{pid}: wishes {wish:?}, gets {slots:?}"));
                Response::Slots(slots)
            }
            Request::Reap(observed) => {
                for (silent, number) in observed {
                    if !self.store.may_be_declared_dead(silent, number) {
                        continue;
                    }
                    let open = self.store.open_attempts(silent);
                    if self.sabotage == Some(Sabotage::EarlySnapshot) {
                        let at = self.now + ms(self.dice.between(1, 3000));
                        self.schedule(at, Happening::Arrives(0, 0, Request::Lose(silent, open)));
                    } else {
                        self.declare_dead(silent, open)?;
                    }
                }
                Response::Done
            }
            Request::Lose(silent, open) => {
                self.declare_dead(silent, open)?;
                Response::Done
            }
            Request::Sleep(_) => Response::Done,
        })
    }

    /// A beat reaches the ledger.
    fn beat(&mut self, start: StartId, number: u64, beat: Beat) -> Response {
        self.checks.beat(start, self.now);
        self.store.beat(start, beat);
        self.checks.told(&self.store, self.now);
        if self.store.pace().1 {
            self.saw("source down");
        }
        let beats = self.store.beats(start);
        // The worker itself leaves the silent ones out.
        let news = self.store.news(start, &BTreeSet::new(), self.now);
        let room = beat.room.and_then(|wish| {
            let told = self.store.fulfil(start, wish, number)?;
            let (left, others) = (wish.max.saturating_sub(told.of_run), self.store.fellows(start));
            Some(GivenRoom { total: told.room, left, others })
        });
        self.tell(|| format!("{start:?} beats: {} {:?}, gets {room:?}", beat.left, beat.room));
        Response::News(news, beats, room)
    }

    fn declare_dead(&mut self, start: StartId, open: Vec<AttemptId>) -> Result<(), String> {
        self.tell(|| format!("{start:?} is declared dead, with {open:?}"));
        self.saw("declared dead");
        self.checks.declared_dead(start, LEASE, self.now)?;
        let wall = WallMs(BEGINNING + self.now.as_millis() as i64);
        self.store.declare_dead(start, open, wall);
        Ok(())
    }

    /// An answer of the ledger reaches its process.
    pub(super) fn answered(
        &mut self,
        pid: Pid,
        process: &mut Process,
        number: u64,
        answer: Answer,
    ) -> Result<bool, String> {
        if process.heart.asked == Some(number) {
            return self.beaten(pid, process, answer);
        }
        if process.slots_asked == Some(number) {
            process.slots_asked = None;
            let told = answer.ok().and_then(|answer| match answer {
                Response::Slots(slots) => Some(slots),
                _ => None,
            });
            self.dispatch(process, Event::Slots(told));
            return self.turn(pid, process);
        }
        process.link.borrow_mut().answers.entry(number).or_insert(answer);
        if let Some(word) = process.go_on_recording() {
            self.tell(|| format!("{pid}: its batch: {word:?}"));
            let is_outlived = |intent: &Intent| {
                word.as_ref().is_ok_and(|recorded| !recorded.refused.contains(&intent.attempt))
                    && self.checks.is_outlived(&self.store, intent.attempt)
            };
            if process.offered.intents.iter().any(is_outlived) {
                self.saw("granted before its death");
            }
            self.dispatch(process, Event::Recorded(word));
        }
        self.turn(pid, process)
    }

    /// The answer to a beat, or to the declaration that followed it.
    fn beaten(&mut self, pid: Pid, process: &mut Process, answer: Answer) -> Result<bool, String> {
        process.heart.asked = None;
        // What is not answered is tried again at the next interval, for the dispatcher too.
        if let Ok(Response::News(mut news, beats, room)) = answer {
            news.room = room.map(|room| Room {
                total: room.total,
                may_grow: process.unheard.may_grow(room.left, &room.others),
            });
            let of_process = |at: Duration| at.saturating_sub(process.epoch);
            let (asked, came) = (of_process(process.heart.asked_at), of_process(self.now));
            if self.sabotage == Some(Sabotage::HastyReaper) {
                // As if it had looked all the time, and nothing had changed.
                while process.looked_at + secs(1) < asked {
                    process.looked_at += secs(1);
                    let (last, at) = (process.beats.clone(), process.looked_at);
                    let _ = process.observed.look(observed(&last), at, at);
                }
                (process.looked_at, process.beats) = (came, beats.clone());
            }
            let gone = process.observed.look(observed(&beats), asked, came);
            process.silent = gone.iter().map(|(start, _)| *start).collect();
            news.members.retain(|start| !process.silent.contains(start));
            process.heart.beat = process.heart.beat.without_changes();
            if !gone.is_empty() {
                process.link.borrow_mut().ask(Request::Reap(gone));
            }
            match self.sabotage {
                Some(Sabotage::DeafToOutages) => news.source = SourceNews::default(),
                Some(Sabotage::ProbesToo) => news.source.is_prober = true,
                Some(Sabotage::DeafToItsDeath) => news.generation = 0,
                _ => {}
            }
            if std::mem::take(&mut process.heart.is_for_dispatcher) {
                if news.generation > 0 {
                    self.saw("revived");
                }
                self.dispatch(process, Event::Heard(Ok(news)));
            }
        }
        if let Some((beat, is_for_dispatcher)) = process.heart.waiting.take() {
            process.beat(beat, is_for_dispatcher, self.now);
        }
        self.turn(pid, process)
    }
}

/// Returns beats as the worker observes them.
fn observed(beats: &[(StartId, u64)]) -> Vec<ObservedBeat> {
    let observed = |(start, number): &(StartId, u64)| ObservedBeat {
        start: *start,
        number: *number,
        lease: LEASE,
    };
    beats.iter().map(observed).collect()
}
