//! ceknik: bulk-verify pairs of NIK and name against a paid HTTP API.

pub mod api;
pub mod cli;
pub mod commands;
pub mod config;
pub mod engine;
pub mod error;
pub mod input;
pub mod ledger;
pub mod model;
pub mod output;
pub mod passes;
pub mod rules;
pub mod sandbox;
pub mod signals;
pub mod term;
