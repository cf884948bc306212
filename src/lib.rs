//! ceknik verifies files of Indonesian NIKs and names against a paid HTTP API.
//!
//! # The idea
//!
//! Facts first, everything else is a projection. A run turns input rows into facts in a durable
//! ledger: this call is about to be sent; this is what came of it. The output, the tally and the
//! summary are pure functions of the input and the ledger. So resume is rerun, and a pair that is
//! known is never bought again.
//!
//! # What always holds
//!
//! 1. Rows in = rows out, in order.
//! 2. Confirmed ≤ billed ≤ confirmed + possible.
//! 3. No pair is sent again once its answer is recorded; a row in doubt never by itself.
//! 4. A crash leaves at most `--concurrency` rows in doubt.
//! 5. Killed anywhere and run again, the output is that of an undisturbed run.
//! 6. Concurrency, rate and budget are never passed.
//! 7. No NIK, name or secret outside the user's own files.
//!
//! # Reading order
//!
//! [`model`] (the nouns), [`rules`] (every decision, pure), [`engine`] (the one owner of a run's
//! state), [`ledger`] (durable facts), [`passes`] (survey, verify, project), [`commands`].
//! Imports go one way: model ← rules ← input, api, ledger, output ← engine, passes ← commands.

pub mod api;
pub mod cli;
pub mod commands;
pub mod config;
pub mod engine;
pub mod error;
pub mod fs;
pub mod input;
pub mod ledger;
pub mod model;
pub mod output;
pub mod panics;
pub mod passes;
pub mod rules;
pub mod sandbox;
pub mod signals;
pub mod term;
