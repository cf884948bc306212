//! Holds the shared ledger in memory, on which the simulation of a fleet runs, against the real
//! server: the same scripts of operations give the same answers and the same rows.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use proptest::prelude::*;

use super::backend::{PgBackend, execute, rows};
use crate::ledger::postgres::PgLedger;
use crate::ledger::postgres::reap::declare_dead_if_silent;
use crate::ledger::postgres::room;
use crate::ledger::postgres::session::Session;
use crate::ledger::recording::{self, KnownStart, Port, Told, Writing};
use crate::ledger::testing::Backend;
use crate::ledger::testing::facts::{NOW, opening};
use crate::ledger::testing::shared::SharedStore;
use crate::ledger::{Ledger, LedgerError, LedgerName, OpenRun, Recorded};
use crate::model::attempt::{AttemptId, Batch, Intent, PairVersion, Settlement, StartId, WallMs};
use crate::model::class::{Class, Lost, NotSent, Refusal, ResultCode, Trouble};
use crate::model::texts::Texts;
use crate::rules::classify::charge;
use crate::rules::room::RoomWish;
use crate::rules::testing::key;

/// Number of workers.
const WORKERS: usize = 3;
/// Number of pairs.
const PAIRS: u64 = 4;
const CLASSES: [Class; 6] = [
    Class::Answered(ResultCode::Match),
    Class::Answered(ResultCode::NotSure),
    Class::Retry(Trouble::Internal),
    Class::InDoubt(Lost::Cut),
    Class::Refused(Refusal::Other),
    Class::NotSent(NotSent::Recalled),
];

/// One operation of a script.
#[derive(Debug, Clone)]
enum Operation {
    /// A worker records a batch.
    Record {
        worker: usize,
        /// Claims: a pair, and what is added to its true version.
        claims: Vec<(u64, i32)>,
        /// Settlements: places among the worker's attempts without one, and classes.
        answers: Vec<(usize, usize)>,
        /// Place of an attempt whose refusal no longer counts.
        void: Option<usize>,
        /// True if the answer is lost, so that the batch is offered again.
        is_lost: bool,
    },
    /// Another worker declares this one dead.
    DeclareDead(usize),
    /// A worker wishes for room: it gives some back, and would like more.
    Wish {
        worker: usize,
        less: u64,
        more: u64,
        /// True if a later wish was fulfilled before.
        is_late: bool,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    let off = prop_oneof![6 => Just(0), 1 => -2..3];
    let claims = prop::collection::vec((0..PAIRS, off), 0..3);
    let answers = prop::collection::vec((0..4_usize, 0..CLASSES.len()), 0..3);
    let void = prop::option::weighted(0.1, 0..6_usize);
    let is_lost = prop::bool::weighted(0.2);
    let record = (0..WORKERS, claims, answers, void, is_lost).prop_map(
        |(worker, claims, answers, void, is_lost)| Operation::Record {
            worker,
            claims,
            answers,
            void,
            is_lost,
        },
    );
    let wish = (0..WORKERS, 0..3_u64, 0..6_u64, prop::bool::weighted(0.2))
        .prop_map(|(worker, less, more, is_late)| Operation::Wish { worker, less, more, is_late });
    prop_oneof![6 => record, 1 => (0..WORKERS).prop_map(Operation::DeclareDead), 2 => wish]
}

/// The port of a worker on the ledger in memory, which answers at once.
struct Direct(Rc<RefCell<SharedStore>>);

impl Port for Direct {
    fn name(&self) -> LedgerName {
        LedgerName::of_file("model".as_ref())
    }

    async fn offer(&mut self, writing: &Writing, batch: &Batch) -> Result<Told, LedgerError> {
        let told = self.0.borrow_mut().record(writing, batch);
        told.ok_or_else(|| LedgerError::Storage {
            act: "written",
            is_damaged: false,
            source: "a rule of the tables".into(),
        })
    }

    async fn known(&mut self, start: StartId) -> Result<Option<KnownStart>, LedgerError> {
        Ok(Some(self.0.borrow().known(start)))
    }

    async fn recorded_among(
        &mut self,
        attempts: Vec<AttemptId>,
    ) -> Result<Vec<AttemptId>, LedgerError> {
        Ok(self.0.borrow().recorded_among(&attempts))
    }

    async fn wait(&mut self, error: LedgerError) -> Result<(), LedgerError> {
        Err(error)
    }

    async fn wait_for_others(&mut self) -> bool {
        false
    }

    fn has_answered(&mut self) {}
}

/// A worker on both ledgers.
struct Worker {
    run: OpenRun,
    writing: Writing,
    made: u32,
    /// Number of wishes for room.
    wishes: i64,
    /// Attempts that were granted and have no settlement.
    open: Vec<AttemptId>,
    settled: Vec<AttemptId>,
    /// Pair of each attempt.
    pairs: BTreeMap<AttemptId, u64>,
}

/// Both ledgers, and the workers on them.
struct Both {
    store: Rc<RefCell<SharedStore>>,
    workers: Vec<Worker>,
    /// True version of each pair.
    versions: BTreeMap<u64, u16>,
}

impl Both {
    /// Begins a start of each worker on two empty ledgers.
    fn begin(ledgers: &mut [PgLedger]) -> Self {
        execute(
            &ledgers[0],
            "TRUNCATE runs, starts, beats, pairs, intents, settlements, voids, orphans
                RESTART IDENTITY",
        );
        let store = Rc::new(RefCell::new(SharedStore::default()));
        let begin = |(n, ledger): (usize, &mut PgLedger)| {
            let file = if n == 0 { 1 } else { 2 };
            let run = ledger.open_run(&opening(file, file)).unwrap();
            let (of, start) = store.borrow_mut().begin(file, false).unwrap();
            assert_eq!((of, start), (run.id, run.start));
            let (open, settled, pairs) = (Vec::new(), Vec::new(), BTreeMap::new());
            let writing = Writing::new(start);
            Worker { run, writing, made: 0, wishes: 0, open, settled, pairs }
        };
        let workers = ledgers.iter_mut().enumerate().map(begin).collect();
        Self { store, workers, versions: BTreeMap::new() }
    }

    fn carry_out(&mut self, ledgers: &mut [PgLedger], operation: &Operation) {
        match operation {
            Operation::DeclareDead(worker) => self.declare_dead(&ledgers[0], *worker),
            Operation::Wish { worker, less, more, is_late } => {
                self.wish(&ledgers[0], *worker, (*less, *more), *is_late);
            }
            Operation::Record { worker, claims, answers, void, is_lost } => {
                let batch = self.batch(*worker, claims, answers, *void);
                let of = &mut self.workers[*worker];
                let before = of.writing.confirmed;
                let real = PgBackend::record(&mut ledgers[*worker], &of.run, batch.clone());
                let ours = in_memory(&self.store, &mut of.writing, batch.clone());
                let real = real.unwrap();
                assert_eq!(real, ours, "{operation:?}");
                let is_durable = of.writing.confirmed > before;
                if *is_lost && is_durable {
                    self.offer_again(&ledgers[*worker], *worker, &batch);
                }
                self.note(*worker, &batch, &real);
            }
        }
    }

    /// Makes a batch of a worker.
    fn batch(
        &mut self,
        worker: usize,
        claims: &[(u64, i32)],
        answers: &[(usize, usize)],
        void: Option<usize>,
    ) -> Batch {
        let of = &mut self.workers[worker];
        let mut batch = Batch::default();
        for (place, class) in answers {
            if *place < of.open.len() {
                let (attempt, class) = (of.open.remove(*place), CLASSES[*class]);
                let (charge, texts, at) = (charge(class), Texts::default(), NOW);
                batch.settlements.push(Settlement {
                    attempt,
                    class,
                    charge,
                    http: None,
                    took_ms: None,
                    texts,
                    at,
                });
                of.settled.push(attempt);
            }
        }
        for (pair, off) in claims {
            // A worker asks about a pair once at a time.
            let is_open = of.open.iter().any(|attempt| of.pairs.get(attempt) == Some(pair));
            if is_open || batch.intents.iter().any(|intent| intent.pair == key(*pair)) {
                continue;
            }
            of.made += 1;
            of.pairs.insert(AttemptId::of(of.run.start, of.made), *pair);
            let version = i32::from(self.versions.get(pair).copied().unwrap_or(0)) + off;
            batch.intents.push(Intent {
                attempt: AttemptId::of(of.run.start, of.made),
                pair: key(*pair),
                version: PairVersion(version.max(0) as u16),
                record: 1,
                at: NOW,
            });
        }
        batch.voids = void.and_then(|place| of.settled.get(place)).copied().into_iter().collect();
        batch
    }

    /// Offers a batch again on both ledgers, as if the first answer had been lost.
    fn offer_again(&mut self, ledger: &PgLedger, worker: usize, batch: &Batch) {
        let of = &mut self.workers[worker];
        let confirmed = ledger.worker.ask(async |session: &mut Session| {
            session.forget_the_latest_answer();
            Ok(session.own.as_ref().map(|own| own.writing.confirmed))
        });
        of.writing.confirmed -= 1;
        of.writing.is_unsure = true;
        assert_eq!(confirmed.unwrap(), Some(of.writing.confirmed));
        let again = batch.clone();
        let real =
            ledger.worker.promise(async move |session: &mut Session| session.record(again).await);
        let ours = in_memory(&self.store, &mut of.writing, batch.clone());
        assert_eq!(real.blocking_recv().unwrap().unwrap(), ours, "offered again: {batch:?}");
    }

    fn wish(&mut self, ledger: &PgLedger, worker: usize, (less, more): (u64, u64), is_late: bool) {
        let of = &mut self.workers[worker];
        let (start, run) = (of.run.start, of.run.id);
        of.wishes += i64::from(!is_late);
        let (number, max) = (of.wishes, 12);
        let mut store = self.store.borrow_mut();
        let keep = store.room(start).saturating_sub(less);
        let wish = RoomWish { keep, unused: 0, more, max };
        let workers = store.living_of(run);
        let ours = store.fulfil(start, wish, number.cast_unsigned());
        let asked = room::Asked { start, run, wish, number, workers };
        let real = ledger.worker.ask(async move |session: &mut Session| {
            room::fulfil(&session.client, &asked).await.map_err(session.write_failed())
        });
        assert_eq!(real.unwrap(), ours, "{wish:?}");
    }

    fn note(&mut self, worker: usize, batch: &Batch, recorded: &Recorded) {
        let granted = batch.intents.iter().map(|intent| intent.attempt);
        let granted = granted.filter(|attempt| !recorded.refused.contains(attempt));
        self.workers[worker].open.extend(granted);
        for (pair, version) in self.store.borrow().versions() {
            let n = u128::from_be_bytes(pair.0) as u64;
            self.versions.insert(n, version);
        }
    }

    fn declare_dead(&mut self, ledger: &PgLedger, worker: usize) {
        let start = self.workers[worker].run.start;
        let declared = ledger.worker.ask(async move |session: &mut Session| {
            let told =
                declare_dead_if_silent(&session.client, &[(start, 0)], WallMs(NOW.0 + 1)).await;
            told.map_err(session.write_failed())
        });
        declared.unwrap();
        let mut store = self.store.borrow_mut();
        if store.may_be_declared_dead(start, 0) {
            let open = store.open_attempts(start);
            store.declare_dead(start, open, WallMs(NOW.0 + 1));
        }
        for (pair, version) in store.versions() {
            self.versions.insert(u128::from_be_bytes(pair.0) as u64, version);
        }
    }
}

/// Records a batch on the ledger in memory.
fn in_memory(store: &Rc<RefCell<SharedStore>>, writing: &mut Writing, batch: Batch) -> Recorded {
    let mut port = Direct(Rc::clone(store));
    let told = recording::record(&mut port, writing, batch).now_or_never();
    told.expect("it answers at once").unwrap()
}

#[test]
fn the_ledger_in_memory_does_what_the_server_does() {
    if !PgBackend::is_available() {
        return;
    }
    let place = PgBackend::new();
    let mut location = place.location();
    // The workers do not beat by themselves in the time of the test.
    location.lease = Duration::from_secs(36_000);
    let open = || PgLedger::open(&location, Duration::ZERO, || NOW).unwrap();
    let mut ledgers: Vec<PgLedger> = (0..WORKERS).map(|_| open()).collect();
    let cases = std::env::var("MODEL_CASES").map_or(200, |cases| cases.parse().unwrap());
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let scripts = prop::collection::vec(operation(), 1..30);
    let ledgers = RefCell::new(&mut ledgers);
    proptest::test_runner::TestRunner::new(config)
        .run(&scripts, |script| {
            let mut ledgers = ledgers.borrow_mut();
            let mut both = Both::begin(&mut ledgers);
            for operation in &script {
                both.carry_out(&mut ledgers, operation);
                let real = rows(
                    &ledgers[0],
                    "SELECT concat_ws(' ', attempt, version, open, coalesce(ended, 0),
                        coalesce(class, 0), coalesce(at, 0), coalesce(prior, 0))
                     FROM pairs ORDER BY pair",
                );
                prop_assert_eq!(&real, &both.store.borrow().rows(), "after {:?}", operation);
                let real = rows(
                    &ledgers[0],
                    "SELECT concat_ws(' ', b.room, r.granted) FROM beats b
                        JOIN starts s ON s.id = b.start JOIN runs r ON r.id = s.run ORDER BY s.id",
                );
                prop_assert_eq!(&real, &both.store.borrow().rooms(), "after {:?}", operation);
                prop_assert_eq!(both.store.borrow().check(), Ok(()));
            }
            Ok(())
        })
        .unwrap();
}
