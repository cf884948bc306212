//! The protocol: the bytes that are sent, the effect of each answer, and that no call is ever sent
//! twice without the program's decision.
//!
//! Never: talks to anything but loopback, except to look up `.invalid` names. All servers are mocks
//! or raw sockets of the test process.

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
