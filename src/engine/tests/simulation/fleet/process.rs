//! One simulated worker: the shipped dispatcher and the shipped recording of its batches, with
//! hands that collect what they are told to do.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::noop_waker;

use super::Sabotage;
use super::network::{Link, Request, SimPort};
use crate::engine::{Candidate, Dispatcher, Hands, NextRow, Ticket};
use crate::ledger::observed::Observed;
use crate::ledger::recording::{Writing, record};
use crate::ledger::{Beat, Others, Recorded, RunId, SlotsWish, Unrecorded};
use crate::model::attempt::{AttemptId, Batch, StartId, Tick, WallMs};
use crate::model::class::Class;
use crate::model::reply::Reply;
use crate::passes::Known;
use crate::rules::pair_table::PairTable;
use crate::rules::room::Unheard;

type Word = Result<Recorded, Box<Unrecorded>>;
type Recording = Pin<Box<dyn Future<Output = (Writing, SimPort, Word)>>>;

/// What a worker does.
pub(super) enum Phase {
    /// It reads what all workers know.
    Folding,
    /// It has read it, and computes. The table is that of the moment of reading.
    Folded { table: PairTable, known: Known, others: Others },
    /// It sends.
    Sending,
    /// It waits for the others.
    Waiting { since: Duration, seen: Others, is_complete: bool },
    /// It has read that every pair has its end, and writes the output.
    Writing,
}

impl Phase {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Folding => "folding",
            Self::Folded { .. } => "folded",
            Self::Sending => "sending",
            Self::Waiting { .. } => "waiting",
            Self::Writing => "writing",
        }
    }
}

/// The beats of a worker, which go on whatever else it does.
#[derive(Debug, Default)]
pub(super) struct Heart {
    /// Number of the request under way.
    pub(super) asked: Option<u64>,
    /// True if the dispatcher waits for the answer to the beat under way.
    pub(super) is_for_dispatcher: bool,
    /// A beat of the dispatcher that waits for the one under way to end, and whether the dispatcher
    /// waits for its answer.
    pub(super) waiting: Option<(Beat, bool)>,
    pub(super) beat: Beat,
    /// Time at which the request under way was made.
    pub(super) asked_at: Duration,
}

/// A worker.
pub(super) struct Process {
    pub(super) file: usize,
    pub(super) run: RunId,
    pub(super) start: StartId,
    /// Time of the world at which the worker's tick was zero.
    pub(super) epoch: Duration,
    /// Difference of the worker's wall clock.
    pub(super) skew: i64,
    pub(super) frozen_until: Duration,
    pub(super) cut_off_until: Duration,
    pub(super) stalled_until: Duration,
    /// Time until which the wall clock counts as set.
    pub(super) clock_set_until: Duration,
    pub(super) dispatcher: Dispatcher,
    pub(super) phase: Phase,
    pub(super) rows: VecDeque<Candidate>,
    pub(super) flights: BTreeMap<AttemptId, (Ticket, Reply)>,
    pub(super) link: Rc<RefCell<Link>>,
    pub(super) heart: Heart,
    /// Number of the wish for slots under way.
    pub(super) slots_asked: Option<u64>,
    pub(super) observed: Observed,
    /// Other workers that may have unused room.
    pub(super) unheard: Unheard,
    /// Time and result of the last look, for a sabotage.
    pub(super) looked_at: Duration,
    pub(super) beats: Vec<(StartId, u64)>,
    /// Workers that are silent, as this one has observed.
    pub(super) silent: BTreeSet<StartId>,
    /// Next time at which the dispatcher wants a turn.
    pub(super) wakes_at: Option<Duration>,
    /// Answers that the dispatcher was given.
    pub(super) answered: Vec<(AttemptId, Class)>,
    /// Batch that is being recorded.
    pub(super) offered: Batch,
    recording: Option<Recording>,
    port: Option<(Writing, SimPort)>,
    sabotage: Option<Sabotage>,
}

impl Process {
    pub(super) fn new(
        file: usize,
        (run, start): (RunId, StartId),
        (epoch, skew): (Duration, i64),
        dispatcher: Dispatcher,
        lease: Duration,
        sabotage: Option<Sabotage>,
    ) -> Self {
        let link = Rc::new(RefCell::new(Link::default()));
        let port = SimPort::new(Rc::clone(&link), sabotage);
        Self {
            file,
            run,
            start,
            epoch,
            skew,
            frozen_until: Duration::ZERO,
            cut_off_until: Duration::ZERO,
            stalled_until: Duration::ZERO,
            clock_set_until: Duration::ZERO,
            dispatcher,
            phase: Phase::Folding,
            rows: VecDeque::new(),
            flights: BTreeMap::new(),
            link,
            heart: Heart::default(),
            slots_asked: None,
            observed: Observed::new(lease),
            unheard: Unheard::default(),
            looked_at: Duration::ZERO,
            beats: Vec::new(),
            silent: BTreeSet::new(),
            wakes_at: None,
            answered: Vec::new(),
            offered: Batch::default(),
            recording: None,
            port: Some((Writing::new(start), port)),
            sabotage,
        }
    }

    /// Returns the time on the worker's clocks.
    pub(super) fn clocks(&self, now: Duration, beginning: i64) -> (Tick, WallMs) {
        let wall = beginning + self.skew + now.as_millis() as i64;
        (now.saturating_sub(self.epoch), WallMs(wall))
    }

    /// Begins to record a batch.
    pub(super) fn begin_recording(&mut self, batch: Batch) {
        let (mut writing, mut port) = self.port.take().expect("one batch is under way at a time");
        self.offered = batch.clone();
        self.recording = Some(Box::pin(async move {
            let word = record(&mut port, &mut writing, batch).await;
            (writing, port, word)
        }));
    }

    /// Goes on with the recording of a batch. Returns its result when it has ended.
    pub(super) fn go_on_recording(&mut self) -> Option<Word> {
        let waker = noop_waker();
        let recording = self.recording.as_mut()?;
        let Poll::Ready(told) = recording.as_mut().poll(&mut Context::from_waker(&waker)) else {
            return None;
        };
        let (mut writing, port, mut word) = told;
        let was_fenced = matches!(&word, Ok(recorded) if !recorded.refused.is_empty()
            && recorded.refused.len() == self.offered.intents.len());
        if self.sabotage == Some(Sabotage::MovesOn) && was_fenced {
            writing.confirmed += 1;
        }
        if let (Some(Sabotage::SendsRefused), Ok(recorded)) = (self.sabotage, &mut word) {
            recorded.refused.clear();
        }
        (self.recording, self.port) = (None, Some((writing, port)));
        Some(word)
    }

    /// Asks for a beat now, or after the one under way.
    pub(super) fn beat(&mut self, beat: Beat, is_for_dispatcher: bool, now: Duration) {
        if self.heart.asked.is_some() {
            self.heart.waiting = Some((beat, is_for_dispatcher));
            return;
        }
        (self.heart.beat, self.heart.is_for_dispatcher) =
            (beat.with_changes_of(self.heart.beat), is_for_dispatcher);
        self.send_beat(now);
    }

    /// Sends a beat, unless one is under way.
    pub(super) fn send_beat(&mut self, now: Duration) {
        if self.heart.asked.is_none() {
            let number = self.link.borrow_mut().ask(Request::Beat(self.heart.beat));
            (self.heart.asked, self.heart.asked_at) = (Some(number), now);
        }
    }
}

/// Hands that collect what they are told to do.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) sends: Vec<Ticket>,
    pub(super) batch: Option<Batch>,
    pub(super) beat: Option<Beat>,
    pub(super) slots: Option<SlotsWish>,
    pub(super) rows: VecDeque<Candidate>,
}

impl Hands for Collected {
    fn send(&mut self, ticket: Ticket) {
        self.sends.push(ticket);
    }

    fn record(&mut self, batch: Batch) {
        self.batch = Some(batch);
    }

    fn beat(&mut self, beat: Beat) {
        self.beat = Some(beat);
    }

    fn take_slots(&mut self, wish: SlotsWish) {
        self.slots = Some(wish);
    }

    fn next_row(&mut self) -> NextRow {
        self.rows.pop_front().map_or(NextRow::End, NextRow::Row)
    }

    fn abandon(&mut self) {}
}
