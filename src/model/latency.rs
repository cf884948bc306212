//! How long calls took, as a run tells it at its end.

use serde::Serialize;

/// Percentiles of how long calls took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half were faster, in milliseconds.
    pub p50_ms: u64,
    /// 95 % were faster.
    pub p95_ms: u64,
    /// 99 % were faster.
    pub p99_ms: u64,
}
