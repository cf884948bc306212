//! The dispatcher against a made-up world: rows, ledger, vendor and clock, all told and none real.
//!
//! `world` plays and checks what must hold after every step; `cases` are single stories,
//! `properties` random runs with faults and crashes.

mod cases;
mod properties;
mod vendor;
mod world;
