//! What the sandbox has counted, as its `/stats` page and its end report it.
//!
//! Must hold: the answers add up to the requests. It never holds anything about a person.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts since the sandbox's start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// POST requests to the endpoint that were decided.
    pub requests: u64,
    /// Those of them that the stand-in vendor bills.
    pub charged: u64,
    /// Requests by answer, labelled as in the calls log; only answers that were given.
    pub answers: BTreeMap<String, u64>,
    /// Seconds since the start.
    pub uptime_s: f64,
}
