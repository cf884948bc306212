//! Plays whole lives of a ledger in a simulated world: the shipped loop and the stages of
//! `ceknik run`, on the SQLite ledger and on the one in memory, with a vendor, a clock, a disk and
//! a user that depend on a seed.
//!
//! The invariants are checked at every step, against the vendor's own log. A seed always gives the
//! same life. The environment variable `SEEDS` says which seeds are played: `SEEDS=100000` or
//! `SEEDS=7..8`. A single seed is printed event by event.
//!
//! Never: prints a NIK or a name.

mod dice;
mod fleet;
mod ledger;
mod stage;
mod start;
mod swarm;
mod vendor;
mod world;

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use world::World;

use crate::ledger::testing::{Backend, MemoryBackend, PgBackend, SqliteBackend};

/// Number of seeds that are played by default. The nightly run plays 100,000.
const SEEDS: u64 = 300;
/// Number of seeds within which the loss of a guard is noticed.
const SEEDS_FOR_A_GUARD: u64 = 500;
/// Number of seeds that are played by default on a server.
const SEEDS_ON_A_SERVER: u64 = 25;

/// A guard that is taken out, to prove that the tests notice its loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sabotage {
    /// Calls that a dead process left in flight are taken for not sent.
    ForgetDangling,
    /// Calls leave before their intents are durable.
    SendFirst,
    /// No reservation is refused.
    NoBudget,
    NoRate,
    NoDeadline,
    /// The deadline is not checked on the wall clock.
    NoWallDeadline,
    OneMoreInFlight,
    /// `Retry-After` is ignored.
    DeafToWishes,
    /// The settlements of a batch that has intents are not written.
    HalfBatch,
    /// No settlement is written.
    DropAnswers,
    /// A start does not know what its run did before.
    ForgetOwn,
    /// A run does not know what other runs did.
    ForgetEarlier,
    /// Pairs in doubt are sent again, though the user did not ask for it.
    ResendDoubts,
    /// A purge does not know which runs an open run took over.
    ForgetTakenOver,
}

const SABOTAGES: [Sabotage; 14] = [
    Sabotage::ForgetDangling,
    Sabotage::SendFirst,
    Sabotage::NoBudget,
    Sabotage::NoRate,
    Sabotage::NoDeadline,
    Sabotage::NoWallDeadline,
    Sabotage::OneMoreInFlight,
    Sabotage::DeafToWishes,
    Sabotage::HalfBatch,
    Sabotage::DropAnswers,
    Sabotage::ForgetOwn,
    Sabotage::ForgetEarlier,
    Sabotage::ResendDoubts,
    Sabotage::ForgetTakenOver,
];

/// The results of a life.
struct Life {
    /// Hash of everything in the ledger.
    digest: blake3::Hash,
    /// Events that occurred, each with its number.
    seen: Seen,
}

/// Plays a seed. An invariant that does not hold is returned as an error.
fn play<B: Backend>(seed: u64, sabotage: Option<Sabotage>, tells: bool) -> Result<Life, String> {
    let life = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::<B>::new(seed, sabotage, tells);
        world.play()?;
        let digest = world.digest()?;
        Ok(Life { digest, seen: world.seen })
    }));
    life.unwrap_or_else(|_| Err("it panicked".to_owned()))
}

/// Events that occurred, each with its number.
type Seen = BTreeMap<&'static str, u64>;

/// Plays seeds on two threads until one seed fails. `play` gets the seed, and whether to print what
/// happens. Returns the events that occurred, or the seed that failed and its error.
fn play_seeds(
    seeds: Range<u64>,
    play: &(impl Fn(u64, bool) -> Result<Seen, String> + Sync),
) -> Result<Seen, (u64, String)> {
    let next = AtomicU64::new(seeds.start);
    let failed = Mutex::new(None);
    let seen = Mutex::new(Seen::new());
    let tells = seeds.end - seeds.start == 1;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let seed = next.fetch_add(1, Ordering::Relaxed)
                    && seeds.contains(&seed)
                    && failed.lock().unwrap().is_none()
                {
                    match play(seed, tells) {
                        Ok(life) => {
                            let mut seen = seen.lock().unwrap();
                            for (what, times) in life {
                                *seen.entry(what).or_default() += times;
                            }
                        }
                        Err(what) => *failed.lock().unwrap() = Some((seed, what)),
                    }
                }
            });
        }
    });
    match failed.into_inner().unwrap() {
        Some(failed) => Err(failed),
        None => Ok(seen.into_inner().unwrap()),
    }
}

/// Plays seeds on one kind of ledger.
fn play_all<B: Backend>(
    seeds: Range<u64>,
    sabotage: Option<Sabotage>,
) -> Result<Seen, (u64, String)> {
    play_seeds(seeds, &|seed, tells| play::<B>(seed, sabotage, tells).map(|life| life.seen))
}

/// Returns the seeds that the environment asks for: a number of seeds, or `from..to`.
fn asked() -> Range<u64> {
    let Ok(text) = std::env::var("SEEDS") else { return 0..SEEDS };
    let number = |text: &str| text.parse().expect("SEEDS is a number, or from..to");
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => 0..number(&text),
    }
}

/// Plays these seeds on one kind of ledger.
fn play_asked<B: Backend>(test: &str) {
    let seeds = asked();
    match play_all::<B>(seeds.clone(), None) {
        Ok(seen) => {
            println!("{} seeds: {seen:#?}", seeds.end - seeds.start);
            if seeds == (0..SEEDS) {
                met_everything(&seen);
            }
        }
        Err((seed, what)) => panic!(
            "seed {seed}: {what}\nreplay: SEEDS={seed}..{} cargo test --lib {test} -- --nocapture",
            seed + 1
        ),
    }
}

#[test]
fn whatever_happens_the_invariants_hold() {
    play_asked::<SqliteBackend>("whatever_happens_the");
}

#[test]
fn whatever_happens_on_a_ledger_in_memory() {
    play_asked::<MemoryBackend>("whatever_happens_on_a_ledger_in_memory");
}

#[test]
fn whatever_happens_on_a_shared_ledger() {
    if !PgBackend::is_available() {
        return;
    }
    match std::env::var("SEEDS") {
        Ok(_) => play_asked::<PgBackend>("whatever_happens_on_a_shared_ledger"),
        // A life on a server takes much longer than one in memory.
        Err(_) => drop(play_all::<PgBackend>(0..SEEDS_ON_A_SERVER, None).unwrap()),
    }
}

/// Checks that every kind of fault occurred, because otherwise nothing was tested.
fn met_everything(seen: &Seen) {
    for what in [
        "finished",
        "killed",
        "durable when killed",
        "a resume",
        "a commit failed",
        "a second signal",
        "purged",
        "purged behind an open run",
        "planned",
        "storage",
        "input_changed",
        "deadline",
        "budget",
        "limit",
        "mismatches",
        "refusals_in_a_row",
        "lost_answers",
        "throttled",
        "source_down",
        "unreachable",
        "out_of_quota",
        "unauthorized",
        "redirect",
        "certificate_refused",
        "no_tls",
        "proxy_refused",
        "interrupted",
    ] {
        assert!(seen.contains_key(what), "no seed met {what:?}: {seen:#?}");
    }
}

#[test]
fn the_same_seed_is_the_same_life() {
    for seed in 0..12 {
        let digest = |_| play::<SqliteBackend>(seed, None, false).map(|life| life.digest).unwrap();
        let [one, other] = [0, 1].map(digest);
        assert_eq!(one, other, "seed {seed}");
    }
}

#[test]
fn each_guard_is_missed_if_it_is_removed() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let missed: Vec<_> = SABOTAGES
        .into_iter()
        .map(|guard| {
            (guard, play_all::<SqliteBackend>(0..SEEDS_FOR_A_GUARD, Some(guard)).map(drop))
        })
        .collect();
    std::panic::set_hook(hook);
    for (guard, found) in missed {
        let (seed, what) = found.expect_err(&format!("{guard:?} is not missed"));
        println!("{guard:?}: seed {seed}: {what}");
    }
}
