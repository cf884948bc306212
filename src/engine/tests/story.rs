//! A story: one run over all its starts, with a scripted vendor and a ledger in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::book::{Book, Owed, Sale, Terms};
use super::live::{Limits, Live, Played, Surroundings};
use super::vendor::{Answer, Call};
use super::{Halt, Step};
use crate::engine::{
    Candidate, Deadline, Dispatcher, EngineOptions, NextRow, RunState, Snapshot, Ticket,
};
use crate::ledger::testing::facts::{ending, opening};
use crate::ledger::testing::{Backend, MemoryBackend, MemoryLedger};
use crate::ledger::{
    FoundRun, Ledger, LedgerError, OpenRun, Preview, Recorded, RunRef, Unrecorded,
};
use crate::model::attempt::{AttemptId, Batch, PairKey, PairVersion, Tick, WallMs};
use crate::model::class::Class;
use crate::model::exit_code::ExitCode;
use crate::model::stop::StopReason;
use crate::passes::{FactsOf, PassError, fold_known};
use crate::rules::body::{BodyKind, BodyTrial};
use crate::rules::breaker::BreakerPolicy;
use crate::rules::classify::classify;
use crate::rules::pair_table::{PairState, PairTable};
use crate::rules::rate::{RatePolicy, RateStart};
use crate::rules::retry::RetryPolicy;
use crate::rules::reuse::ReusePolicy;
use crate::rules::tally::RunTotals;
use crate::rules::testing::{key, subject};
use crate::rules::throttle::ThrottlePolicy;

/// Maximum number of steps of one start.
const MOST_STEPS: usize = 200_000;
const WALL: WallMs = WallMs(1_000_000_000_000);

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(super) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Returns options without limits: four calls in flight, and the program's default waits.
pub(super) fn options() -> EngineOptions {
    let (base, cap, max_outage) = (ms(500), secs(60), secs(1800));
    let rate = RatePolicy { cap: None, start: RateStart::Asked };
    EngineOptions {
        concurrency: 4,
        retry: RetryPolicy { max_attempts: 6, base, cap },
        breaker: BreakerPolicy { base: base * 4, cap, max_outage },
        throttle: ThrottlePolicy { rate, max_outage, max_refusals: secs(3900) },
        max_charges: None,
        max_calls: None,
        most_mismatches: None,
        deadline: None,
        body: BodyTrial::Proved(BodyKind::Json),
        lease: None,
        seed: 1,
    }
}

/// Returns a deadline that only the engine's own clock reaches.
pub(super) const fn deadline_after(after: Duration) -> Deadline {
    Deadline { after, at: WallMs(i64::MAX) }
}

/// Returns a row of this pair.
pub(super) fn candidate(record: usize, pair: u64) -> Candidate {
    let subject = subject(&format!("32750101{pair:08}"), "BUDI");
    Candidate { record: record as u64 + 1, pair: key(pair), subject }
}

/// Returns the number of the pair that a test key was made from.
fn number(key: PairKey) -> u64 {
    u128::from_be_bytes(key.0) as u64
}

/// The faults and delays of a story.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    /// Duration of a commit.
    pub(super) commit: Duration,
    /// Numbers of the commits that fail, counted from 1 over all starts.
    pub(super) failing: BTreeSet<usize>,
    /// True if a failed commit loses its facts, and no later commit of the same start succeeds.
    pub(super) writer_gone: bool,
    /// Numbers of the intents that the ledger does not grant, counted from 1 over all starts.
    pub(super) refused: BTreeSet<usize>,
    /// Number of rows after which the reader pauses each time, and the length of the pause.
    pub(super) reader: Option<(usize, Duration)>,
    /// Delay by which timers fire late.
    pub(super) late: Duration,
}

/// A call that left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) pair: u64,
    pub(super) at: Tick,
    pub(super) body: BodyKind,
}

/// The start under way, from the point of view of the ledger.
struct Start {
    run: OpenRun,
    ledger: MemoryLedger,
    is_gone: bool,
    rows_read: usize,
    /// Number of pairs that had no end when the start began.
    to_send: u64,
}

/// The surroundings of a start.
struct Scene {
    faults: Faults,
    backend: MemoryBackend,
    book: Book,
    log: BTreeMap<u64, Sale>,
    sent: Vec<Sent>,
    /// Milliseconds by which the wall clock of this start is ahead.
    ahead_ms: i64,
    commits: usize,
    intents: usize,
    calls_of_pair: BTreeMap<u64, usize>,
    vendor: Box<dyn FnMut(&Call) -> Answer>,
    start: Option<Start>,
}

/// One run over all its starts.
pub(super) struct Story {
    pub(super) options: EngineOptions,
    /// Pairs of the rows.
    pub(super) rows: Vec<u64>,
    /// Pairs among `rows` that the survey did not see.
    pub(super) unseen: BTreeSet<u64>,
    scene: Scene,
    live: Option<Live>,
}

fn well<T>(step: Step<T>) -> T {
    step.unwrap_or_else(|halt| match halt {
        Halt::Broken(what) => panic!("{what}"),
        Halt::Killed => panic!("nobody kills in a story"),
    })
}

impl Story {
    pub(super) fn new(
        options: EngineOptions,
        rows: impl IntoIterator<Item = u64>,
        vendor: impl FnMut(&Call) -> Answer + 'static,
    ) -> Self {
        let scene = Scene {
            faults: Faults { commit: ms(5), ..Faults::default() },
            backend: MemoryBackend::new(),
            book: Book::default(),
            log: BTreeMap::new(),
            sent: Vec::new(),
            ahead_ms: 0,
            commits: 0,
            intents: 0,
            calls_of_pair: BTreeMap::new(),
            vendor: Box::new(vendor),
            start: None,
        };
        let rows = rows.into_iter().collect();
        Self { options, rows, unseen: BTreeSet::new(), scene, live: None }
    }

    pub(super) fn faults(&mut self) -> &mut Faults {
        &mut self.scene.faults
    }

    /// Returns the calls that left in this start.
    pub(super) fn sent(&self) -> &[Sent] {
        &self.scene.sent
    }

    /// Returns the number of charges on the vendor's invoice.
    pub(super) fn billed(&self) -> u64 {
        self.scene.log.values().filter(|sale| sale.charged).count() as u64
    }

    /// Returns the number of intents without a settlement, which a crash now would leave in doubt.
    pub(super) fn open(&self) -> usize {
        self.scene.book.open()
    }

    /// Returns the classes of a pair's settled attempts, in order, and for each class whether the
    /// attempt is voided.
    pub(super) fn classes(&self, pair: u64) -> Vec<(Class, bool)> {
        self.scene.book.classes(key(pair))
    }

    /// Begins the run, or resumes it with another start.
    pub(super) fn begin(&mut self) {
        let in_doubt = self.open();
        assert!(in_doubt <= self.options.concurrency, "{in_doubt} in doubt after a crash");
        let mut ledger = self.scene.backend.open(WALL).unwrap();
        self.scene.book.settle_killed(WALL.0);
        let stored = Book::of(&MemoryBackend::stored(&ledger));
        assert_eq!(stored.facts, self.scene.book.facts, "the ledger has what is in the book");
        let (table, so_far) = self.read();
        let run = ledger.open_run(&opening(1, 1)).unwrap();
        let terms = Terms {
            run: run.id.0,
            answers_since: run.found.answers_since.0,
            reask_since: run.found.reask_since.0,
            resend: false,
            retry_refused: false,
            max_attempts: self.options.retry.max_attempts,
        };
        let to_send = table.to_send();
        let dispatcher = Dispatcher::new(&self.options, table, so_far, run.start);
        let limits = Limits { options: self.options.clone(), terms };
        let all = self.rows.iter().enumerate().map(|(n, pair)| candidate(n, *pair));
        self.live = Some(Live::new(dispatcher, limits, rows(all), []));
        self.scene.sent.clear();
        self.scene.start = Some(Start { run, ledger, is_gone: false, rows_read: 0, to_send });
    }

    /// Reads the ledger as a start does.
    pub(super) fn read(&self) -> (PairTable, RunTotals) {
        let seen = self.rows.iter().filter(|pair| !self.unseen.contains(pair)).copied();
        let keys: Vec<PairKey> = seen.map(key).collect();
        let read = self.scene.backend.read(|facts| {
            let FoundRun { run, answers_since, reask_since, .. } =
                facts.find_run(&opening(1, 1))?;
            let (retry_refused, resend_doubts) = (false, false);
            let doubts_before = WallMs(i64::MAX);
            let policy = ReusePolicy {
                answers_since,
                reask_since,
                retry_refused,
                resend_doubts,
                doubts_before,
            };
            let mut table = PairTable::new(keys.clone());
            assert!(matches!(run, RunRef::Open(_)), "a story is one run");
            let known = fold_known(
                &mut table,
                facts,
                FactsOf::Now,
                &run,
                &policy,
                &self.options.retry,
                WALL,
            )?;
            Ok::<_, PassError>((table, known.run))
        });
        read.unwrap().unwrap_or_else(|| (PairTable::new(keys.clone()), RunTotals::default()))
    }

    /// Plays a start to its end.
    pub(super) fn play(&mut self) -> RunState {
        self.begin();
        self.play_on()
    }

    /// Plays the rest of a start.
    pub(super) fn play_on(&mut self) -> RunState {
        let ended = (0..MOST_STEPS).any(|_| self.step());
        assert!(ended, "no end after {MOST_STEPS} steps");
        self.end()
    }

    /// Plays one step of a start. Returns `true` at its end.
    pub(super) fn step(&mut self) -> bool {
        let live = self.live.as_mut().expect("a start");
        let is_over = well(live.step(&mut self.scene));
        assert!(self.open() <= self.options.concurrency, "too many to be in doubt");
        is_over
    }

    /// Plays a start for `steps` steps, and then crashes. If `durable` is true, the commit under
    /// way becomes durable. Returns the state if the start ended before the crash.
    pub(super) fn crash_after(&mut self, steps: usize, durable: bool) -> Option<RunState> {
        self.begin();
        if (0..steps).any(|_| self.step()) {
            return Some(self.end());
        }
        let batch = self.live.take().and_then(Live::into_commit).filter(|_| durable);
        if let Some(batch) = batch {
            let _ = well(self.scene.commit(batch));
        }
        self.scene.start = None;
        assert!(self.open() <= self.options.concurrency);
        None
    }

    /// Plays a start for `steps` steps, and then sends one signal, or two.
    pub(super) fn interrupt_after(&mut self, steps: usize, twice: bool) -> RunState {
        self.begin();
        if (0..steps).any(|_| self.step()) {
            return self.end();
        }
        (0..=usize::from(twice)).for_each(|_| self.signal());
        self.play_on()
    }

    pub(super) fn signal(&mut self) {
        let live = self.live.as_mut().expect("a start");
        well(live.signal(&mut self.scene));
    }

    /// Plays until this time of the start.
    pub(super) fn play_until(&mut self, time: Tick) {
        self.live.as_mut().expect("a start").look_at(time);
        while self.now() < time {
            assert!(!self.step(), "it ended before");
        }
    }

    /// Sets the wall clock of this start ahead by `ms` milliseconds.
    pub(super) fn set_wall_ahead(&mut self, ms: i64) {
        self.scene.ahead_ms = ms;
    }

    pub(super) fn now(&self) -> Tick {
        self.live.as_ref().map_or(Tick::ZERO, Live::now)
    }

    pub(super) fn wall() -> WallMs {
        WALL
    }

    pub(super) fn in_flight(&self) -> usize {
        self.live.as_ref().map_or(0, Live::in_flight)
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let live = self.live.as_ref().expect("a start");
        live.run().snapshot(live.now())
    }

    /// Ends a start, and checks that the state that it leaves is what the next start will read.
    fn end(&mut self) -> RunState {
        let Played { state, refusals } = self.live.take().expect("a start").end();
        let Start { run, mut ledger, is_gone, to_send, .. } =
            self.scene.start.take().expect("a start");
        let in_doubt = self.open();
        assert!(in_doubt == 0 || refusals > 0, "{in_doubt} left without a settlement");
        // A ledger that refused once gets all answers when it is asked again.
        assert!(in_doubt == 0 || refusals > 1 || is_gone, "{in_doubt} lost by one refusal");
        assert!(in_doubt <= self.options.concurrency);
        assert_eq!(state.failure.is_some(), refusals > 0);
        if in_doubt == 0 {
            ledger.end_start(&run, &ending(ExitCode::Budget)).unwrap();
        }
        let mut next = self.scene.book.clone();
        next.settle_killed(WALL.0);
        let (table, RunTotals { tally, .. }) = self.read();
        assert_eq!(state.tally, tally);
        assert_eq!(Owed::of(&state.tally), next.owed(run.id.0));
        assert_eq!(state.stats.finished, to_send - state.table.to_send());
        let (tickets, never_left) = (self.sent().len() as u64, tally.attempts - tally.calls);
        assert!(state.stats.sent <= tickets);
        // Attempts that a failed ledger lost are in doubt, even if their calls never left.
        assert!(refusals > 0 || tickets <= state.stats.sent + never_left);
        if state.stop != Some(StopReason::RefusalsInRow) {
            for (ours, read) in state.table.states().zip(table.states()) {
                // A ledger with one process at a time keeps no versions.
                assert_eq!(PairState { version: PairVersion::NONE, ..*ours }, *read);
            }
        }
        well(next.check_money(run.id.0, &self.scene.log));
        state
    }
}

impl Surroundings for Scene {
    fn wall(&self) -> WallMs {
        WallMs(WALL.0 + self.ahead_ms)
    }

    fn time_passes(&mut self, _: Tick) {}

    fn answer(&mut self, ticket: &Ticket, at: Tick) -> Step<Answer> {
        let start = self.start.as_ref().expect("a start");
        let pair = number(ticket.job().row.pair);
        let nth = self.calls_of_pair.entry(pair).or_default();
        *nth += 1;
        let call = Call { pair, nth: *nth, body: ticket.body(), at };
        let answer = (self.vendor)(&call);
        let sale = Sale {
            run: start.run.id.0,
            class: classify(&answer.reply),
            charged: answer.is_billed(),
            order_no: None,
        };
        let old = self.log.insert(ticket.attempt().0, sale);
        assert!(old.is_none(), "an intent is for one send");
        self.sent.push(Sent { pair, at, body: call.body });
        Ok(answer)
    }

    fn commit_takes(&mut self) -> (Duration, Duration) {
        (self.faults.commit, Duration::ZERO)
    }

    fn commit(&mut self, batch: Batch) -> Step<Result<Recorded, Box<Unrecorded>>> {
        let start = self.start.as_mut().expect("a start");
        self.commits += 1;
        let fails = self.faults.failing.contains(&self.commits);
        start.is_gone |= fails && self.faults.writer_gone;
        if fails || start.is_gone {
            let batch = if start.is_gone { Batch::default() } else { batch };
            return Ok(Err(Box::new(Unrecorded { error: LedgerError::WriterGone, batch })));
        }
        let mut refused: Vec<AttemptId> = Vec::new();
        for intent in &batch.intents {
            self.intents += 1;
            refused.extend(self.faults.refused.contains(&self.intents).then_some(intent.attempt));
        }
        let mut granted = batch;
        granted.intents.retain(|intent| !refused.contains(&intent.attempt));
        MemoryBackend::record(&mut start.ledger, &start.run, granted.clone()).unwrap();
        self.book.record(start.run.id.0, &granted, &self.log)?;
        Ok(Ok(Recorded { refused, ..Recorded::default() }))
    }

    fn reader_pauses(&mut self) -> Duration {
        let start = self.start.as_mut().expect("a start");
        start.rows_read += 1;
        match self.faults.reader {
            Some((every, pause)) if start.rows_read.is_multiple_of(every) => pause,
            _ => Duration::ZERO,
        }
    }

    fn timer_is_late(&mut self) -> Duration {
        self.faults.late
    }

    fn books(&mut self) -> (&mut Book, &BTreeMap<u64, Sale>) {
        (&mut self.book, &self.log)
    }
}

/// Returns the rows, and after them their end.
fn rows(rows: impl IntoIterator<Item = Candidate>) -> VecDeque<NextRow> {
    rows.into_iter().map(NextRow::Row).chain([NextRow::End]).collect()
}
