//! The protocol: what goes over the wire, what each answer makes the program do, and that nothing
//! is ever sent twice behind its back.
//!
//! Servers are mocks and raw sockets of the test's own process; nothing leaves loopback.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is the test's answer")]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod attribution;
mod bodies;
mod faults;
mod hostile;
mod mock;
mod network;
mod pace;
mod raw;
mod readable;
mod requests;
mod tls;
mod way;
