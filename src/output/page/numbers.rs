//! Forms of numbers and times on a page.

use std::time::Duration;

use crate::model::attempt::WallMs;
use crate::model::zone::Zone;
use crate::rules::durations;

/// Formats a share: `84.6 %`; a dash where there is nothing to share.
pub(super) fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "–".to_owned(),
        whole => format!("{:.1} %", part as f64 * 100.0 / whole as f64),
    }
}

/// Formats a time with its offset from UTC.
pub(super) fn full_time(at: WallMs, zone: &Zone) -> String {
    zone.show(at, "%-d %b %Y %H:%M:%S %:z")
}

/// Formats a zone with its offset at a time.
pub(super) fn zone_name(zone: &Zone, at: WallMs) -> String {
    format!("{} (UTC{})", zone.name(at), zone.show(at, "%:z"))
}

/// Formats a time.
pub(super) fn time(at: WallMs, zone: &Zone) -> String {
    zone.show(at, "%Y-%m-%d %H:%M:%S")
}

/// Formats a time span in whole seconds.
pub(super) fn span(ms: i64) -> String {
    durations::format(Duration::from_secs(ms.max(0).unsigned_abs() / 1000))
}

/// Formats a number of calls per second.
pub(super) fn rate(rate: f64) -> String {
    format!("{rate:.1}")
}
