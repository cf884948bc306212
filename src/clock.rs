//! The system's clock. All other code is told the time.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::attempt::WallMs;

/// Reads the system clock. A time before the epoch is read as 0.
///
/// ```
/// let (before, after) = (ceknik::clock::now(), ceknik::clock::now());
/// assert!(before <= after);
/// ```
pub fn now() -> WallMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    WallMs(since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
}
