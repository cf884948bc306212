//! Handles replies: makes a settlement of each reply, and decides the next step of its row.
//!
//! Must hold: each reply is classified once, settles its reservation once, and produces exactly one
//! settlement.

use std::time::Duration;

use super::super::intents::{Effect, Next, Ticket};
use super::super::notice::Notice;
use super::super::work::Job;
use super::Dispatcher;
use crate::model::attempt::{AttemptId, Settlement, Tick, WallMs};
use crate::model::class::{Class, Lost, NotSent};
use crate::model::money::Charge;
use crate::model::reply::{Body, Fault, Reply};
use crate::model::stop::StopReason;
use crate::model::texts::{Text, Texts};
use crate::rules::classify::{charge, classify};
use crate::rules::echo::conceal_all;
use crate::rules::pair_table::PairIndex;
use crate::rules::retry::{Decision, decide};

impl Dispatcher {
    /// Takes the reply to one send into account. The reply to a call that was given up is ignored.
    pub(super) fn replied(&mut self, ticket: Ticket, reply: Reply, now: Tick, wall: WallMs) {
        let Some(flight) = self.intents.finish_call(ticket.attempt()) else { return };
        let class = classify(&reply);
        let (http, retry_after, mut texts) = take_apart(reply);
        // Without a status, `reason` is the program's own text, with nothing about the customer.
        let is_vendors = texts.get(Text::Status).is_some();
        let told = texts.get(Text::Reason).filter(|_| !is_vendors).map(str::to_owned);
        conceal_all(&mut texts, ticket.subject());
        self.budget.settle(charge(class), class.was_sent());
        let took = now.saturating_sub(flight.sent_at);
        self.watch.answered(class, took, told.as_deref());
        let is_throttled = self.pace.replied(class, told.as_deref(), flight, retry_after, now);
        self.watch.stats.throttles += u64::from(is_throttled);
        let spent = self.table.state(flight.at).spent.after(class);
        let retries_in_other_kind =
            self.body.answered(class, ticket.body(), ticket.job().refused_in)
                && !self.retry.is_exhausted(spent);
        let decision = if retries_in_other_kind {
            Decision::RetryAt(now)
        } else {
            self.check_streaks(ticket.attempt(), class);
            decide(class, spent, &self.retry, now, self.pace.jitter(), retry_after)
        };
        if let Decision::Stop(reason) = decision {
            self.stop(reason);
        }
        let retry_at = match decision {
            Decision::RetryAt(at) if self.stop.is_none() => Some(at),
            _ => None,
        };
        let next = match retry_at {
            Some(_) => Next::Again,
            // The next start will find the pair given up. So this start gives it up too, even if
            // this reply stops the run.
            None if class.end().is_none() && self.retry.is_exhausted(spent) => Next::GivenUp,
            None => Next::Done,
        };
        let attempt = ticket.attempt();
        let took_ms =
            class.was_answered().then(|| u32::try_from(took.as_millis()).unwrap_or(u32::MAX));
        let charge = charge(class);
        let fact = Settlement { attempt, class, charge, http, took_ms, texts, at: wall };
        self.settle(
            fact,
            Effect { at: flight.at, attempt, class, voided: retries_in_other_kind, next },
        );
        match retry_at {
            Some(_) if retries_in_other_kind => {
                let refused_in = Some(ticket.body());
                self.work.put_first(Job { refused_in, ..ticket.into_job() });
            }
            Some(at) => self.work.wait_until(at, ticket.into_job()),
            None => {}
        }
    }

    /// Gives up all calls in flight: they are in doubt.
    pub(super) fn abandon(&mut self, wall: WallMs) {
        let abandoned = self.intents.abandon();
        self.notices.add(Notice::Abandoned { calls: abandoned.len() });
        for (attempt, flight) in abandoned {
            let class = Class::InDoubt(Lost::Interrupted);
            self.watch.stats.sent += 1;
            self.budget.settle(charge(class), true);
            self.settle_unanswered(flight.at, attempt, class, Next::Done, wall);
        }
    }

    /// Takes an intent back before its send.
    pub(super) fn recall(&mut self, ticket: Ticket, now: Tick, wall: WallMs) {
        let (at, attempt) = (ticket.job().at, ticket.attempt());
        let class = Class::NotSent(NotSent::Recalled);
        self.budget.settle(Charge::Free, false);
        let next = if self.stop.is_some() { Next::Done } else { Next::Again };
        self.settle_unanswered(at, attempt, class, next, wall);
        if next == Next::Again {
            self.work.wait_until(now, ticket.into_job());
        }
    }

    /// Settles an attempt that has no answer and will not get one.
    fn settle_unanswered(
        &mut self,
        at: PairIndex,
        attempt: AttemptId,
        class: Class,
        next: Next,
        wall: WallMs,
    ) {
        let (charge, texts) = (charge(class), Texts::default());
        let (http, took_ms) = (None, None);
        let fact = Settlement { attempt, class, charge, http, took_ms, texts, at: wall };
        self.settle(fact, Effect { at, attempt, class, voided: false, next });
    }

    /// Hands a settlement to the ledger. It raises the version of its pair, so that a retry in the
    /// same batch names the version after it.
    fn settle(&mut self, fact: Settlement, effect: Effect) {
        self.table.note_change(effect.at);
        self.intents.settle(fact, effect);
    }

    /// Stops the run if too many of its latest answers were refusals or were lost.
    fn check_streaks(&mut self, attempt: AttemptId, class: Class) {
        if let Some(reason) = self.watch.streak(attempt, class) {
            self.stop(reason);
        }
        if self.stop == Some(StopReason::RefusalsInRow) {
            self.intents.void(self.watch.take_retryable_refusals());
        }
    }
}

fn take_apart(reply: Reply) -> (Option<u16>, Option<Duration>, Texts) {
    match reply {
        Reply::Response(response) => {
            let texts = match response.body {
                Body::Vendor(texts) => *texts,
                Body::Foreign(remains) => (*remains).into(),
            };
            (Some(response.http), response.retry_after, texts)
        }
        Reply::Fault(Fault::NotSent(_, cause)) => {
            (None, None, Texts::from([(Text::Reason, &*cause)]))
        }
        Reply::Fault(Fault::InDoubt(_, remains)) => (None, None, (*remains).into()),
    }
}
