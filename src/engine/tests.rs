//! The dispatcher against a made-up world: rows, ledger, vendor and clock, all told and none real.
//!
//! `world` plays, with the ledger of `facts`, and checks what must hold after every step; `cases` and `stops` are single stories,
//! `properties` random runs with faults and crashes, `driver` runs the asynchronous loop, `simulation` plays whole
//! lives of a real ledger.

mod cases;
mod driver;
mod facts;
mod properties;
mod simulation;
mod stops;
mod vendor;
mod world;
