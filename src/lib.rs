//! ceknik verifies files of Indonesian customers (NIK, the ID card number, and name) against a paid
//! HTTP API.
//!
//! # The idea
//!
//! Facts first, everything else is a projection. A run turns input rows into facts in a durable
//! ledger: an intent before each call is sent, and a settlement with its result. The output, the
//! tally and the summary are pure functions of the input and the ledger. So a run is resumed by
//! running it again, and a pair that is known is never bought again.
//!
//! # Invariants
//!
//! 1. The output has all rows of the input, in the same order.
//! 2. Confirmed charges ≤ billed charges ≤ confirmed + possible charges.
//! 3. A pair is not sent again once its answer is recorded. A row in doubt is sent again only if
//!    the user asks for it.
//! 4. A crash leaves at most `--concurrency` rows in doubt.
//! 5. After a kill at any moment and another run, the output is that of an undisturbed run, apart
//!    from rows in doubt and columns about single requests.
//! 6. Concurrency, rate (with its burst) and budget are never exceeded.
//! 7. No secret, and no NIK or name that was sent, is kept outside the user's own files.
//!
//! # Reading order
//!
//! [`model`] (the nouns), [`rules`] (every decision, pure), [`engine`] (the one owner of a run's
//! state), [`ledger`] (durable facts), [`passes`] (the streaming passes over the input),
//! [`commands`].
//!
//! Imports go one way: model ← rules ← input, api, ledger, output ← engine ← passes ← commands ←
//! main.

pub mod api;
pub mod cli;
pub mod clock;
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
mod tls;
