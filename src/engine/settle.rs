//! Taking replies: from what came back to a settlement, and on to the row's next step.
//!
//! Each reply is classified once, settles its reservation once, and gives exactly one settlement.

use super::dispatcher::Dispatcher;
use super::work::{Applied, Job, Ticket};
use crate::model::attempt::{AttemptId, Settlement, WallMs};
use crate::model::class::{Class, Lost, NotSent};
use crate::model::money::Charge;
use crate::model::reply::{Body, Fault, Reply, Texts};
use crate::model::stop::StopReason;
use crate::rules::breaker::signal;
use crate::rules::classify::{charge, classify};
use crate::rules::echo::conceal_all;
use crate::rules::pairs::PairIndex;
use crate::rules::retry::{Decision, Tick, decide};
use crate::rules::tally::count;

impl Dispatcher {
    /// Takes what came back of one send.
    pub fn replied(&mut self, ticket: Ticket, reply: Reply, now: Tick, wall: WallMs) {
        self.in_flight.remove(&ticket.attempt);
        let class = classify(&reply);
        let (http, retry_after, mut texts) = take_apart(reply);
        conceal_all(&mut texts, ticket.subject());
        self.stats.replied(class, now.saturating_sub(ticket.sent_at));
        self.budget.settle(charge(class), class.was_sent());
        let mut spent = self.table.state(ticket.job.at).spent;
        spent.sends = spent.sends.saturating_add(u8::from(class.was_sent()));
        spent.tries = spent.tries.saturating_add(u8::from(class.is_failed_try()));
        let swapped = self.body.answered(class, ticket.body, ticket.job.refused_in)
            && !self.retry.used_up(spent);
        self.watch(&ticket, class, retry_after, now);
        self.watch_verdicts(class);
        if !swapped {
            self.watch_streaks(ticket.attempt, class);
        }
        let decision = if swapped {
            Decision::RetryAt(now)
        } else {
            let jitter = self.jitter();
            decide(class, spent, &self.retry, now, jitter, retry_after)
        };
        if let Decision::Stop(reason) = decision {
            self.stop(reason);
        }
        let retry_at = match decision {
            Decision::RetryAt(at) if self.stop.is_none() => Some(at),
            _ => None,
        };
        self.settle(Settled {
            at: ticket.job.at,
            attempt: ticket.attempt,
            class,
            http,
            texts,
            wall,
            // As the next start will find it, also where this reply stops the run.
            gives_up: class.end().is_none() && self.retry.used_up(spent),
            leaves: retry_at.is_none(),
            voided: swapped,
        });
        match retry_at {
            Some(_) if swapped => {
                self.urgent = Some(Job { refused_in: Some(ticket.body), ..ticket.job });
            }
            Some(at) => self.waiting.push(at, ticket.job),
            None => {}
        }
    }

    /// Stops at once: what is in flight is in doubt.
    pub fn abandon(&mut self, wall: WallMs) {
        for (attempt, at) in std::mem::take(&mut self.in_flight) {
            let class = Class::InDoubt(Lost::Interrupted);
            self.stats.sent += 1;
            self.budget.settle(charge(class), true);
            self.settle(Settled::without_answer(at, attempt, class, wall));
        }
    }

    /// Takes an intent back before its send.
    pub(super) fn recall(&mut self, ticket: Ticket, now: Tick, wall: WallMs) {
        let class = Class::NotSent(NotSent::Recalled);
        self.budget.settle(Charge::Free, false);
        let leaves = self.stop.is_some();
        let settled = Settled::without_answer(ticket.job.at, ticket.attempt, class, wall);
        self.settle(Settled { leaves, ..settled });
        if !leaves {
            self.waiting.push(now, ticket.job);
        }
    }

    /// Durable settlements count.
    pub(super) fn apply(&mut self, applied: &[Applied]) {
        for Applied { at, attempt, class, gives_up, leaves, voided } in applied.iter().copied() {
            let had_end = self.table.state(at).end.is_some();
            count(&mut self.tally, class, 1);
            self.table.settle(at, attempt, class, voided);
            if gives_up {
                self.table.give_up(at);
            }
            let has_end = self.table.state(at).end.is_some();
            self.stats.finished += u64::from(has_end && !had_end);
            if leaves {
                self.table.set_under_way(at, false);
            }
        }
    }

    fn settle(&mut self, settled: Settled) {
        let Settled { at, attempt, class, http, texts, wall, gives_up, leaves, voided } = settled;
        let charge = charge(class);
        self.outbox.settlements.push(Settlement { attempt, class, charge, http, texts, at: wall });
        if voided {
            self.outbox.voids.push(attempt);
        }
        self.applied.push(Applied { at, attempt, class, gives_up, leaves, voided });
    }

    /// What a reply says of the source and of our speed.
    fn watch(
        &mut self,
        ticket: &Ticket,
        class: Class,
        retry_after: Option<std::time::Duration>,
        now: Tick,
    ) {
        let was_open = self.breaker.is_open();
        self.breaker.replied(signal(class), ticket.job.at.0, ticket.probe, now);
        match (was_open, self.breaker.is_open()) {
            (false, true) => tracing::warn!(
                class = class.name(),
                "the source does not answer: pausing, one row at a time is tried"
            ),
            (true, false) => tracing::info!("the source answers again: going on"),
            _ => {}
        }
        if class == Class::Throttled {
            if self.throttle.refused(ticket.sent_at, retry_after, now) {
                self.stats.throttles += 1;
                let rate = self.throttle.rate().unwrap_or_default();
                tracing::warn!(rate, "the vendor asks to slow down: pausing, then a lower rate");
            }
            self.slow_down(now);
        } else {
            self.throttle.hold(retry_after, now);
        }
        if matches!(class, Class::Answered(_)) {
            self.throttle.succeeded(now);
        }
    }

    /// What the first verdicts say of the file.
    fn watch_verdicts(&mut self, class: Class) {
        if self.verdicts.answered(class) && self.verdicts.mostly_failed() {
            tracing::warn!(
                "nearly all of the first verdicts are \"failed\": something is wrong, look at the \
                 columns and ask the vendor"
            );
        }
    }

    /// Whether to go on at all.
    fn watch_streaks(&mut self, attempt: AttemptId, class: Class) {
        if let Some(reason) = self.streaks.answered(attempt, class) {
            self.stop(reason);
        }
        if self.stop == Some(StopReason::RefusalsInRow) {
            // Something is wrong with us: a resume asks these rows again.
            self.outbox.voids.extend(self.streaks.take_pardonable());
        }
    }
}

/// A settlement in the making: the fact, and what it changes.
struct Settled {
    at: PairIndex,
    attempt: AttemptId,
    class: Class,
    http: Option<u16>,
    texts: Texts,
    wall: WallMs,
    gives_up: bool,
    leaves: bool,
    voided: bool,
}

impl Settled {
    /// Of an attempt that has, and will have, no answer.
    fn without_answer(at: PairIndex, attempt: AttemptId, class: Class, wall: WallMs) -> Self {
        let texts = Texts::default();
        let (gives_up, leaves, voided) = (false, true, false);
        Self { at, attempt, class, http: None, texts, wall, gives_up, leaves, voided }
    }
}

fn take_apart(reply: Reply) -> (Option<u16>, Option<std::time::Duration>, Texts) {
    match reply {
        Reply::Response(response) => {
            let texts = match response.body {
                Body::Vendor(body) => body.texts,
                Body::Foreign => Texts::default(),
            };
            (Some(response.http), response.retry_after, texts)
        }
        Reply::Fault(Fault::NotSent(_) | Fault::InDoubt(_)) => (None, None, Texts::default()),
    }
}
