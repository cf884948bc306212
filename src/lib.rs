//! ceknik.
pub mod api;
pub mod engine;
pub mod input;
pub mod ledger;
pub mod model;
pub mod rules;
pub mod sandbox;
