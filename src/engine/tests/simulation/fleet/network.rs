//! The way of a simulated worker to the ledger: requests that leave, and answers that come back or
//! do not.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Sabotage;
use crate::ledger::recording::{KnownStart, Port, Told, Writing};
use crate::ledger::{Beat, LedgerError, LedgerName, News, Slots, SlotsWish};
use crate::model::attempt::{AttemptId, Batch, StartId};
use crate::rules::room::Fellow;

/// First and longest pause before the ledger is asked again.
const PAUSES: (u64, u64) = (100, 5000);

/// A request on its way to the ledger.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Offer(Writing, Batch),
    Known(StartId),
    RecordedAmong(Vec<AttemptId>),
    Beat(Beat),
    Slots(SlotsWish),
    /// Declares workers dead that were observed with these numbers of beats.
    Reap(Vec<(StartId, u64)>),
    /// The second half of a reap that read too early.
    Lose(StartId, Vec<AttemptId>),
    /// A pause, which never leaves the worker.
    Sleep(Duration),
}

/// Room that a worker was given.
#[derive(Debug, Clone)]
pub(super) struct GivenRoom {
    pub(super) total: u64,
    /// Part of the budget that no start has.
    pub(super) left: u64,
    pub(super) others: Vec<Fellow>,
}

/// An answer on its way back.
#[derive(Debug, Clone)]
pub(super) enum Response {
    /// The result of a batch; `None` if the batch broke a rule of the tables.
    Told(Option<Told>),
    Known(KnownStart),
    Recorded(Vec<AttemptId>),
    /// The news, the beats of the others, by which the worker tells who is silent, and the room that
    /// it was given.
    News(News, Vec<(StartId, u64)>, Option<GivenRoom>),
    Slots(Slots),
    Done,
}

/// A response, or a connection that broke.
pub(super) type Answer = Result<Response, ()>;

/// The requests of a worker that have not left, and the answers that have come.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) requests: Vec<(u64, Request)>,
    pub(super) answers: BTreeMap<u64, Answer>,
    asked: u64,
}

impl Link {
    /// Adds a request, and returns its number.
    pub(super) fn ask(&mut self, request: Request) -> u64 {
        self.asked += 1;
        self.requests.push((self.asked, request));
        self.asked
    }
}

/// A request whose answer is waited for.
struct Asked {
    link: Rc<RefCell<Link>>,
    number: u64,
}

impl Future for Asked {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Answer> {
        let answer = self.link.borrow_mut().answers.remove(&self.number);
        answer.map_or(Poll::Pending, Poll::Ready)
    }
}

/// The port of a simulated worker.
pub(super) struct SimPort {
    pub(super) link: Rc<RefCell<Link>>,
    pub(super) sabotage: Option<Sabotage>,
    pause: u64,
}

impl SimPort {
    pub(super) const fn new(link: Rc<RefCell<Link>>, sabotage: Option<Sabotage>) -> Self {
        Self { link, sabotage, pause: PAUSES.0 }
    }

    async fn ask(&self, request: Request) -> Result<Response, LedgerError> {
        let number = self.link.borrow_mut().ask(request);
        let answer = Asked { link: Rc::clone(&self.link), number }.await;
        answer.map_err(|()| LedgerError::Unreachable {
            ledger: self.name(),
            why: "the network".to_owned(),
        })
    }
}

impl Port for SimPort {
    fn name(&self) -> LedgerName {
        LedgerName::of_file("fleet".as_ref())
    }

    async fn offer(&mut self, writing: &Writing, batch: &Batch) -> Result<Told, LedgerError> {
        let mut batch = batch.clone();
        if self.sabotage == Some(Sabotage::NewNumbers) && writing.is_unsure {
            batch.intents.iter_mut().for_each(|intent| intent.attempt.0 += 1_000_000);
        }
        let told = self.ask(Request::Offer(writing.clone(), batch)).await?;
        match told {
            Response::Told(Some(told)) => Ok(told),
            other => Err(LedgerError::Storage {
                act: "written",
                is_damaged: false,
                source: format!("{other:?}").into(),
            }),
        }
    }

    async fn known(&mut self, start: StartId) -> Result<Option<KnownStart>, LedgerError> {
        match self.ask(Request::Known(start)).await? {
            Response::Known(known) => Ok(Some(known)),
            _ => Ok(None),
        }
    }

    async fn recorded_among(
        &mut self,
        attempts: Vec<AttemptId>,
    ) -> Result<Vec<AttemptId>, LedgerError> {
        match self.ask(Request::RecordedAmong(attempts)).await? {
            Response::Recorded(there) if self.sabotage != Some(Sabotage::NoRecall) => Ok(there),
            _ => Ok(Vec::new()),
        }
    }

    async fn wait(&mut self, error: LedgerError) -> Result<(), LedgerError> {
        if !matches!(error, LedgerError::Unreachable { .. }) {
            return Err(error);
        }
        let pause = Duration::from_millis(self.pause);
        self.pause = (self.pause * 2).min(PAUSES.1);
        self.ask(Request::Sleep(pause)).await.map(drop)
    }

    async fn wait_for_others(&mut self) -> bool {
        true
    }

    fn has_answered(&mut self) {
        self.pause = PAUSES.0;
    }
}
