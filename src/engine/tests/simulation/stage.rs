//! The world while a simulated start is under way: its vendor, its clock, its disk and its faults.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::book::{Book, Sale};
use super::super::live::{Due, Surroundings};
use super::super::story::ms;
use super::super::vendor::Answer;
use super::super::{Step, broken, must};
use super::Sabotage;
use super::swarm::Kind;
use super::world::{Failure, World};
use crate::engine::Ticket;
use crate::ledger::testing::{Backend, Trap};
use crate::ledger::{LedgerError, OpenRun, Recorded, Unrecorded};
use crate::model::attempt::{Batch, Tick, WallMs};
use crate::rules::classify::classify;

/// The world while a start is under way.
pub(super) struct Stage<'a, B: Backend> {
    pub(super) world: &'a mut World<B>,
    pub(super) run: &'a OpenRun,
    /// Time of the world's clock when the start began.
    pub(super) epoch: Duration,
    /// The failure of all further commits, if there is one.
    pub(super) broken: Option<Failure>,
}

impl<B: Backend> Stage<'_, B> {
    /// Returns the failure of this commit, if it fails.
    fn failure(&mut self) -> Option<Failure> {
        if self.broken.is_some() {
            return self.broken;
        }
        let World { swarm, dice, .. } = &mut *self.world;
        if !swarm.strikes(Kind::Commit, dice) {
            return None;
        }
        let durable = dice.one_in(2);
        let failure =
            dice.pick(&[Failure::Once, Failure::Full, Failure::ForGood, Failure::Gone { durable }]);
        self.broken = match failure {
            Failure::Once | Failure::Full => None,
            Failure::ForGood => Some(Failure::ForGood),
            Failure::Gone { .. } => Some(Failure::Gone { durable: false }),
        };
        Some(failure)
    }

    /// Returns the part of a batch that is written while a guard is taken out.
    fn hurt(&self, mut batch: Batch) -> Batch {
        match self.world.sabotage {
            Some(Sabotage::HalfBatch) if !batch.intents.is_empty() => batch.settlements.clear(),
            Some(Sabotage::DropAnswers) => batch.settlements.clear(),
            _ => {}
        }
        batch
    }
}

impl<B: Backend> Surroundings for Stage<'_, B> {
    fn wall(&self) -> WallMs {
        WallMs(self.world.wall_ms())
    }

    fn time_passes(&mut self, now: Tick) {
        self.world.clock = self.epoch + now;
    }

    fn step(&mut self) -> Step {
        self.world.step()
    }

    fn answer(&mut self, ticket: &Ticket, at: Tick) -> Step<Answer> {
        let attempt = ticket.attempt();
        let who = self.world.by_pair.get(&ticket.job().row.pair).copied();
        let Some(who) = who else { return Err(broken("a pair of nobody's")) };
        let (person, subject) = (&self.world.people[who], ticket.subject());
        let is_theirs = subject.nik.as_str() == person.nik && subject.name.as_str() == person.name;
        must(is_theirs, || format!("{attempt} sends another customer"))?;
        let World { vendor, people, .. } = &mut *self.world;
        let answer = vendor.answer(&people[who], (self.run.id.0, attempt.0), ticket.body(), at);
        let class = classify(&answer.reply);
        self.world.saw(class.name());
        self.world.tell(|| format!("{attempt} asks for customer {who}: {}", class.name()));
        Ok(answer)
    }

    fn commit_takes(&mut self) -> (Duration, Duration) {
        let dice = &mut self.world.dice;
        (ms(dice.below(30)), ms(dice.below(5)))
    }

    fn commit(&mut self, batch: Batch) -> Step<Result<Recorded, Box<Unrecorded>>> {
        let failure = self.failure();
        let gone = || {
            let (error, batch) = (LedgerError::WriterGone, Batch::default());
            Ok(Err(Box::new(Unrecorded { error, batch })))
        };
        if matches!(failure, Some(Failure::Gone { durable: false })) {
            return gone();
        }
        self.world.maybe = Some((self.run.id.0, batch.clone()));
        let trap = match failure {
            Some(Failure::Once | Failure::ForGood) => Some(Trap::ReadOnly),
            Some(Failure::Full) => Some(Trap::Full),
            Some(Failure::Gone { .. }) | None => None,
        };
        self.world.set_trap(trap);
        let word = self.world.handle().record(self.run, self.hurt(batch.clone()))?;
        self.world.set_trap(None);
        self.world.maybe = None;
        if word.is_ok() {
            let World { book, vendor, .. } = &mut *self.world;
            book.record(self.run.id.0, &batch, &vendor.log)?;
        }
        match failure {
            Some(Failure::Gone { .. }) => gone(),
            _ => Ok(word),
        }
    }

    fn reader_pauses(&mut self) -> Duration {
        let World { swarm, dice, .. } = &mut *self.world;
        if swarm.strikes(Kind::Reader, dice) { ms(dice.below(2000)) } else { Duration::ZERO }
    }

    fn timer_is_late(&mut self) -> Duration {
        let World { swarm, dice, skew, .. } = &mut *self.world;
        if swarm.strikes(Kind::Clock, dice) && dice.one_in(4) {
            *skew += dice.pick(&[-3_600_000, 3_600_000]);
        }
        if swarm.strikes(Kind::Late, dice) { ms(dice.below(300)) } else { Duration::ZERO }
    }

    fn pick(&mut self, due: &[Due]) -> Due {
        self.world.dice.pick(due)
    }

    fn books(&mut self) -> (&mut Book, &BTreeMap<u64, Sale>) {
        (&mut self.world.book, &self.world.vendor.log)
    }

    fn tells_early(&self) -> bool {
        self.world.sabotage == Some(Sabotage::SendFirst)
    }

    fn is_deaf(&self) -> bool {
        self.world.sabotage == Some(Sabotage::DeafToWishes)
    }

    fn saw(&mut self, what: &'static str) {
        self.world.saw(what);
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        self.world.tell(what);
    }
}
