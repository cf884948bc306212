//! The dispatcher against a made-up world: rows, ledger, vendor and clock, all told and none real.
//!
//! `world` plays and checks what must hold after every step; `properties` are random runs with
//! faults and crashes.

mod properties;
mod vendor;
mod world;
