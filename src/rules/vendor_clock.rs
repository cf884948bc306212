//! The vendor's clock: the offset from UTC of the times that the vendor writes without a zone, and
//! the day on which the vendor bills a call.
//!
//! Must hold: the offset is known only if enough answers agree. Nothing is guessed.
//!
//! Never: reads a clock.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, ToSpan};

use crate::model::attempt::WallMs;
use crate::model::zone::Zone;

/// Most answers from which the offset is measured, counted back from the latest.
pub(crate) const MOST_SAMPLES: u64 = 10_000;
/// Number of characters of the vendor's time up to the minute.
pub(crate) const MINUTE_CHARS: usize = 16;
/// Fewest answers from which the offset is known.
const FEWEST_SAMPLES: usize = 100;
/// Percentage of the answers that must be near the offset.
const AGREEING_PERCENT: usize = 90;
/// Largest distance from the offset of an answer that agrees.
const NEAR_MS: i64 = 2 * MINUTE_MS;
/// Offsets of zones are multiples of this time.
const STEP_MS: i64 = 15 * MINUTE_MS;
const MINUTE_MS: i64 = 60_000;
/// Largest distance of a vendor's time from the UTC time of its call: more than the offset of any
/// zone, by half a day.
const FURTHEST_MS: u64 = 26 * 3_600_000;

/// An answer in which the vendor gave its own time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockSample {
    /// The vendor's time, as it was written.
    pub handle_time: String,
    /// Time at which the answer came.
    pub answered_at: WallMs,
}

/// Knowledge of the vendor's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VendorClock {
    /// Too few answers have a time of the vendor, or they do not agree.
    #[default]
    Unknown,
    /// The offset from UTC, in minutes.
    Offset(i16),
}

impl VendorClock {
    /// Measures the offset from answers: the median of all differences, rounded to 15 minutes.
    ///
    /// ```
    /// use ceknik::model::attempt::WallMs;
    /// use ceknik::rules::vendor_clock::{ClockSample, VendorClock};
    ///
    /// let sample = ClockSample {
    ///     handle_time: "1970-01-01 07:00:02".to_owned(),
    ///     answered_at: WallMs(1000),
    /// };
    /// assert_eq!(VendorClock::of(&vec![sample.clone(); 100]), VendorClock::Offset(7 * 60));
    /// assert_eq!(VendorClock::of(&[sample]), VendorClock::Unknown);
    /// ```
    pub fn of(samples: &[ClockSample]) -> Self {
        let offset = |sample: &ClockSample| {
            let there = vendor_time(&sample.handle_time)?;
            Some(
                there.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond()
                    - sample.answered_at.0,
            )
        };
        let mut offsets: Vec<i64> = samples.iter().filter_map(offset).collect();
        if offsets.len() < FEWEST_SAMPLES {
            return Self::Unknown;
        }
        offsets.sort_unstable();
        let median = offsets.get(offsets.len() / 2).copied().unwrap_or_default();
        let rounded = (median + STEP_MS / 2).div_euclid(STEP_MS) * STEP_MS;
        let near = offsets.iter().filter(|offset| (*offset - rounded).abs() <= NEAR_MS).count();
        match i16::try_from(rounded / MINUTE_MS) {
            Ok(minutes) if near * 100 >= offsets.len() * AGREEING_PERCENT => Self::Offset(minutes),
            _ => Self::Unknown,
        }
    }

    /// Returns the offset as it is written, such as `+07:00`, if it is known.
    pub fn name(self) -> Option<String> {
        let Self::Offset(minutes) = self else { return None };
        let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
        Some(format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))
    }

    /// Describes the clock for people.
    pub fn in_words(self) -> String {
        match self.name() {
            Some(offset) => format!("the vendor's times are UTC{offset}"),
            None => {
                format!("not known yet: {FEWEST_SAMPLES} answers with the vendor's time show it")
            }
        }
    }

    /// Returns the offset in milliseconds, if it is known.
    pub fn offset_ms(self) -> Option<i64> {
        match self {
            Self::Unknown => None,
            Self::Offset(minutes) => Some(i64::from(minutes) * MINUTE_MS),
        }
    }
}

/// The cut between two billing days.
#[derive(Debug, Clone)]
pub struct BillingDays {
    /// The vendor's clock, for calls without a time of the vendor.
    pub clock: VendorClock,
    /// Zone of these calls while the vendor's clock is not known.
    pub zone: Zone,
    /// Time of day at which a billing day begins, in minutes after midnight.
    pub starts_at: u16,
}

/// Day on which the vendor bills a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillingDay {
    /// The day.
    pub date: Date,
    /// True if the day is that of the vendor's own time.
    pub is_vendors: bool,
}

impl BillingDays {
    /// Returns the billing day of a call: that of the vendor's own time, or else that of `at` by the
    /// vendor's clock. A vendor's time that cannot be that of the call counts as none. Returns `None`
    /// for a time out of range.
    pub fn day_of(&self, handle_time: Option<&str>, at: WallMs) -> Option<BillingDay> {
        let there = handle_time.and_then(vendor_time).filter(|there| is_near(*there, at));
        let is_vendors = there.is_some();
        let there = there.or_else(|| self.local_time(at))?;
        let date = there.checked_sub(i64::from(self.starts_at).minutes()).ok()?.date();
        Some(BillingDay { date, is_vendors })
    }

    fn local_time(&self, at: WallMs) -> Option<DateTime> {
        let offset = self.clock.offset_ms().unwrap_or_else(|| self.zone.offset_ms(at));
        let local = SignedDuration::from_millis(at.0.checked_add(offset)?);
        DateTime::constant(1970, 1, 1, 0, 0, 0, 0).checked_add(local).ok()
    }
}

/// Checks whether a time of the vendor can be that of a call, whatever its zone is.
fn is_near(there: DateTime, at: WallMs) -> bool {
    let local = there.to_zoned(jiff::tz::TimeZone::UTC);
    let local = local.map(|local| local.timestamp().as_millisecond());
    local.is_ok_and(|local| local.saturating_sub(at.0).unsigned_abs() <= FURTHEST_MS)
}

/// Reads the vendor's time, such as `2025-07-01 10:12:20`, or its begin up to the minute. Also reads
/// slashes in place of the hyphens, and a `T` in place of the space.
fn vendor_time(text: &str) -> Option<DateTime> {
    let text = text.trim().replace('/', "-");
    let text = text.get(..text.len().min(MINUTE_CHARS + ":00".len()))?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(n: usize, handle_time: &str, answered_at: i64) -> Vec<ClockSample> {
        let handle_time = handle_time.to_owned();
        vec![ClockSample { handle_time, answered_at: WallMs(answered_at) }; n]
    }

    #[test]
    fn the_offset_is_known_when_enough_answers_agree() {
        let at = 1_751_339_540_000; // 2025-07-01 03:12:20 UTC
        let jakarta = |n| samples(n, "2025-07-01 10:12:20", at);
        for (what, samples, clock) in [
            ("none", Vec::new(), VendorClock::Unknown),
            ("too few", jakarta(99), VendorClock::Unknown),
            ("enough", jakarta(100), VendorClock::Offset(420)),
            ("a minute fast", samples(100, "2025-07-01 10:13:20", at), VendorClock::Offset(420)),
            ("three minutes fast", samples(100, "2025-07-01 10:15:20", at), VendorClock::Unknown),
            ("UTC", samples(100, "2025-07-01 03:12:20", at), VendorClock::Offset(0)),
            ("west", samples(100, "2025-06-30 22:42:20", at), VendorClock::Offset(-270)),
            ("slashes", samples(100, "2025/07/01T10:12:20", at), VendorClock::Offset(420)),
            ("no times", samples(200, "soon", at), VendorClock::Unknown),
            (
                "one in ten differs",
                [jakarta(90), samples(10, "2025-07-01 03:12:20", at)].concat(),
                VendorClock::Offset(420),
            ),
            (
                "more differ",
                [jakarta(89), samples(11, "2025-07-01 03:12:20", at)].concat(),
                VendorClock::Unknown,
            ),
        ] {
            assert_eq!(VendorClock::of(&samples), clock, "{what}");
        }
        assert_eq!(VendorClock::Offset(420).offset_ms(), Some(7 * 3_600_000));
    }

    #[test]
    fn billing_days() {
        let clock = VendorClock::Offset(7 * 60);
        let midnight = BillingDays { clock, zone: Zone::utc(), starts_at: 0 };
        let afternoon = BillingDays { starts_at: 15 * 60, ..midnight.clone() };
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let unknown = BillingDays { clock: VendorClock::Unknown, zone, starts_at: 0 };
        let at = WallMs(1_751_392_740_000); // 2025-07-01 17:59 UTC
        for (days, handle_time, day) in [
            (&midnight, Some("2025-07-01 23:59"), "2025-07-01"),
            (&midnight, Some("2025-07-01 23:59:59.9"), "2025-07-01"),
            (&midnight, None, "2025-07-02"),
            (&midnight, Some("?"), "2025-07-02"),
            (&midnight, Some("0001-01-01 00:00"), "2025-07-02"),
            (&midnight, Some("9999-12-31 00:00"), "2025-07-02"),
            (&afternoon, Some("2025-07-01 14:59"), "2025-06-30"),
            (&afternoon, Some("2025-07-01 15:00"), "2025-07-01"),
            (&afternoon, None, "2025-07-01"),
        ] {
            let found = days.day_of(handle_time, at).unwrap();
            assert_eq!(found.date.to_string(), day, "{handle_time:?}");
            assert_eq!(found.is_vendors, handle_time.is_some_and(|time| time.starts_with("2025-")));
        }
        // The clocks of the zone changed on 2026-10-25: the offset is that of each call.
        for (at, day) in [(1_792_969_140_000, "2026-10-25"), (1_791_757_740_000, "2026-10-12")] {
            assert_eq!(unknown.day_of(None, WallMs(at)).unwrap().date.to_string(), day);
        }
        assert_eq!(midnight.day_of(None, WallMs(i64::MAX)), None);
    }
}
