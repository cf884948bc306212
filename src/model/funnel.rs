//! Where the rows of a file go before the first call: the sum that says what will be bought.

use serde::Serialize;

/// Where a file's rows go: the parts add up to `rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Funnel {
    /// All rows.
    pub rows: u64,
    /// Our own check said no.
    pub rejected: u64,
    /// Same pair earlier in the file.
    pub duplicates: u64,
    /// Pairs answered in an earlier run.
    pub reused: u64,
    /// Pairs in doubt, held.
    pub in_doubt: u64,
    /// Pairs that earlier starts of this run have ended.
    pub done: u64,
    /// Pairs to be sent.
    pub to_send: u64,
}
