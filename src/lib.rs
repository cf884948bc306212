//! ceknik.
pub mod api;
pub mod engine;
pub mod ledger;
pub mod model;
pub mod rules;
pub mod sandbox;
