//! The dispatcher against a made-up world: rows, ledger, vendor and clock, all told and none real.
//!
//! `live` drives a start by the shipped loop in virtual time and checks what must hold, beside the count of `book`.
//! `story` sets a single story up on it, with a ledger in memory; `cases` and `stops` are such stories, `properties` random
//! ones with faults and crashes. `simulation` plays whole lives of a ledger on it, through the stages of `ceknik run`.
//! `driver` runs the asynchronous loop.

use std::fmt::Display;

mod book;
mod cases;
mod driver;
mod live;
mod properties;
mod simulation;
mod stops;
mod story;
mod vendor;

/// The reason that a start ended in its middle.
#[derive(Debug)]
enum Halt {
    /// The process was killed.
    Killed,
    /// Something that must hold does not.
    Broken(String),
}

type Step<T = ()> = Result<T, Halt>;

fn must(holds: bool, what: impl FnOnce() -> String) -> Step {
    if holds { Ok(()) } else { Err(Halt::Broken(what())) }
}

fn broken(what: impl Display) -> Halt {
    Halt::Broken(what.to_string())
}
