//! A shared ledger for the tests of all ledgers, on a real server.

pub(crate) mod backend;
#[allow(dead_code, reason = "whole programs need more of it than the tests of the ledger")]
#[path = "../../../tests/support/postgres.rs"]
mod server;
