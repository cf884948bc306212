//! The pure core: text in, judgement out.
//!
//! Must hold: no IO, no clock, no randomness, no logging; the same input gives the same answer for ever.

pub mod columns;
pub mod findings;
pub mod headers;
pub mod name;
pub mod nik;
mod text;
