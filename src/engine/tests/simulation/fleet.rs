//! Plays the lives of several workers on one shared ledger in one virtual time: the shipped
//! dispatchers, the shipped recording of batches and the shipped rules for the rounds, with a
//! ledger in memory, a network that loses and delays, and workers that are killed, frozen and cut
//! off.
//!
//! The invariants are checked at every claim, every send and every beat. A seed always gives the
//! same life. `SEEDS` says which seeds are played, as in [`super`].

mod checks;
mod faults;
mod network;
mod process;
mod reader;
mod transport;
mod workers;
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use world::World;

use super::Seen;
use crate::ledger::testing::shared::Gap;

/// Number of seeds that are played by default.
const SEEDS: u64 = 300;
/// Number of seeds within which the loss of each guard is noticed.
const SEEDS_FOR_A_GUARD: u64 = 500;

/// A guard that is taken out, to prove that the simulation notices its loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sabotage {
    /// A guard of the ledger's statements.
    Ledger(Gap),
    /// Calls are sent without a lease.
    NoLease,
    /// A worker declares others dead though it has not looked for a whole lease.
    HastyReaper,
    /// What a silent worker has open is read before its row is locked.
    EarlySnapshot,
    /// A worker does not hear that the source is down.
    DeafToOutages,
    /// Each worker tries whether the source answers again.
    ProbesToo,
    /// A batch that is offered again has new numbers of attempts.
    NewNumbers,
    /// The number of a batch that was fenced is not used again.
    MovesOn,
    /// Refused intents are sent all the same.
    SendsRefused,
    /// Intents that were granted without the worker's knowledge are not taken back.
    NoRecall,
    /// A worker does not hear that it was declared dead.
    DeafToItsDeath,
}

const SABOTAGES: [Sabotage; 21] = [
    Sabotage::Ledger(Gap::NoVersion),
    Sabotage::Ledger(Gap::OpenToo),
    Sabotage::Ledger(Gap::NoBump),
    Sabotage::Ledger(Gap::NoFence),
    Sabotage::Ledger(Gap::BeatenSince),
    Sabotage::HastyReaper,
    Sabotage::Ledger(Gap::LateAnswersDropped),
    Sabotage::NoLease,
    Sabotage::EarlySnapshot,
    Sabotage::Ledger(Gap::WholeRoomEach),
    Sabotage::Ledger(Gap::LateWishes),
    Sabotage::Ledger(Gap::KeepsItsRoom),
    Sabotage::Ledger(Gap::SlotsTwice),
    Sabotage::Ledger(Gap::NoPause),
    Sabotage::DeafToOutages,
    Sabotage::ProbesToo,
    Sabotage::NewNumbers,
    Sabotage::MovesOn,
    Sabotage::SendsRefused,
    Sabotage::NoRecall,
    Sabotage::DeafToItsDeath,
];

/// Plays a seed. An invariant that does not hold is returned as an error.
fn play(seed: u64, sabotage: Option<Sabotage>, tells: bool) -> Result<Seen, String> {
    let life = catch_unwind(AssertUnwindSafe(|| World::new(seed, sabotage, tells).play()));
    life.unwrap_or_else(|_| Err("it panicked".to_owned()))
}

fn play_all(seeds: Range<u64>, sabotage: Option<Sabotage>) -> Result<Seen, (u64, String)> {
    super::play_seeds(seeds, &|seed, tells| play(seed, sabotage, tells))
}

#[test]
fn whatever_happens_to_a_fleet() {
    let seeds = match std::env::var("SEEDS") {
        Ok(_) => super::asked(),
        Err(_) => 0..SEEDS,
    };
    let seen = play_all(seeds.clone(), None).unwrap_or_else(|(seed, what)| {
        panic!(
            "seed {seed}: {what}\nreplay: SEEDS={seed}..{} cargo test --lib whatever_happens_to_a_fleet -- --nocapture",
            seed + 1
        )
    });
    println!("{} seeds: {seen:#?}", seeds.end - seeds.start);
    if seeds == (0..SEEDS) {
        for what in [
            "killed",
            "frozen",
            "suspended",
            "cut off",
            "ledger down",
            "clock jumps",
            "declared dead",
            "revived",
            "claim refused",
            "answer lost",
            "batch came late",
            "healed",
            "resent",
            "finished",
            "slots taken",
            "pause told",
            "budget used",
            "source down",
        ] {
            assert!(seen.contains_key(what), "it never happened: {what}");
        }
    }
}

#[test]
fn the_loss_of_each_guard_of_a_fleet_is_noticed() {
    let missed: Vec<_> = SABOTAGES
        .into_iter()
        .filter(|sabotage| match play_all(0..SEEDS_FOR_A_GUARD, Some(*sabotage)) {
            Ok(_) => true,
            Err((seed, what)) => {
                println!("{sabotage:?}: seed {seed}: {what}");
                false
            }
        })
        .collect();
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}
