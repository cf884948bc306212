//! The process that holds a ledger in a file.

use crate::model::attempt::WallMs;

/// A process that holds a ledger in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Number of the process.
    pub process: u32,
    /// Time at which it took the ledger.
    pub since: WallMs,
}
