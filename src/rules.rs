//! The pure core: every decision about rows, calls and money, as functions of values and of a time
//! that the caller passes in.
//!
//! Must hold: everything that the program promises about money is decided in this folder.
//!
//! Never: does IO, reads a clock, uses randomness, runs async code or logs.

pub mod body;
pub mod breaker;
pub mod budget;
pub mod classify;
pub mod columns;
pub mod deal;
pub mod durations;
pub mod echo;
pub mod encoding;
pub mod estimate;
pub mod findings;
pub mod first_verdicts;
pub mod forecast;
pub mod funnel;
pub mod headers;
pub mod label_names;
pub mod name;
pub mod nik;
pub mod pair_key;
pub mod pair_table;
pub mod permit;
pub mod rate;
pub mod retry;
pub mod reuse;
pub mod room;
pub mod rounds;
pub mod row_result;
pub mod skip;
pub mod streaks;
pub mod tally;
#[cfg(test)]
pub(crate) mod testing;
pub mod throttle;
pub mod vendor_clock;
