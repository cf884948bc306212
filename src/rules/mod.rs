//! The pure core: values and the time in, values out.
//!
//! No IO, no clock, no randomness, no async and no logging stand here. Whatever the product
//! promises about money is decided in this folder.

pub mod body;
pub mod brake;
pub mod breaker;
pub mod budget;
pub mod classify;
pub mod columns;
pub mod echo;
pub mod encoding;
pub mod estimate;
pub mod findings;
pub mod headers;
pub mod name;
pub mod nik;
pub mod pair;
pub mod pairs;
pub mod retry;
pub mod reuse;
pub mod skip;
pub mod streaks;
pub mod tally;
#[cfg(test)]
pub(crate) mod testing;
pub mod throttle;
