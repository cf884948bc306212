//! Tests of the dispatcher in a simulated environment: rows, ledger, vendor and clock are all
//! simulated.
//!
//! `live` drives a start with the shipped loop in virtual time, and checks it against the separate
//! record of `book`. `story` uses `live` for a single story, with a ledger in memory; `cases` and
//! `stops` contain such stories, and `properties` random ones with faults and crashes. `simulation`
//! plays whole lives of a ledger on `live`, through the stages of `ceknik run`. `driver` tests the
//! asynchronous loop.

use std::fmt::Display;

pub(crate) mod book;
mod cases;
mod driver;
mod live;
mod properties;
mod simulation;
mod stops;
mod story;
mod told;
mod vendor;

/// The reason why a start ended early.
#[derive(Debug)]
enum Halt {
    /// The process was killed.
    Killed,
    /// An invariant was violated; the text describes it.
    Broken(String),
}

type Step<T = ()> = Result<T, Halt>;

fn must(holds: bool, what: impl FnOnce() -> String) -> Step {
    if holds { Ok(()) } else { Err(Halt::Broken(what())) }
}

fn broken(what: impl Display) -> Halt {
    Halt::Broken(what.to_string())
}
