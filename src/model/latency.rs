//! Durations of calls, as a run reports them at its end.

use serde::Serialize;

/// Percentiles of the durations of answered calls. Calls whose answer was lost are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half of the calls took no longer than this, in milliseconds.
    pub p50_ms: u64,
    /// 95 % of the calls took no longer than this, in milliseconds.
    pub p95_ms: u64,
    /// 99 % of the calls took no longer than this, in milliseconds.
    pub p99_ms: u64,
}
