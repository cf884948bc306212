//! The time zone in which times of day and days are read and shown.
//!
//! Must hold: a zone that the user gave is never replaced by another one.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

use super::attempt::WallMs;

/// The zones of Indonesia by their usual names.
const OF_INDONESIA: [(&str, &str); 3] =
    [("WIB", "Asia/Jakarta"), ("WITA", "Asia/Makassar"), ("WIT", "Asia/Jayapura")];

/// A time zone.
///
/// ```
/// use ceknik::model::attempt::WallMs;
/// use ceknik::model::zone::Zone;
///
/// let zone = Zone::parse("WIB")?;
/// assert_eq!(zone.show(WallMs(0), "%H:%M (UTC%:z)"), "07:00 (UTC+07:00)");
/// assert!(Zone::parse("Asia/Jakrta").is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Returns UTC.
    pub const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// Parses a zone: `WIB`, `WITA`, `WIT`, `UTC`, an offset such as `+07:00`, or a name of the IANA
    /// database such as `Asia/Jakarta`.
    ///
    /// # Errors
    /// A message for the user if the text is none of these.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(offset) = offset(text) {
            return Ok(Self(offset.to_time_zone()));
        }
        let usual = OF_INDONESIA.iter().find(|(usual, _)| usual.eq_ignore_ascii_case(text));
        TimeZone::get(usual.map_or(text, |(_, name)| name)).map(Self).map_err(|_| {
            "not a time zone: give WIB, WITA, WIT, UTC, an offset such as +07:00, or a name such as \
             Asia/Jakarta"
                .to_owned()
        })
    }

    /// Returns the zone of the system: that of the variable `TZ`, or else the zone that the system
    /// is set to, or else UTC.
    ///
    /// # Errors
    /// A message for the user if `TZ` is set to a zone that is not known.
    pub fn of_system() -> Result<Self, String> {
        match std::env::var_os("TZ").filter(|zone| !zone.is_empty()) {
            None => Ok(Self(TimeZone::try_system().unwrap_or(TimeZone::UTC))),
            Some(given) => TimeZone::try_system().map(Self).or_else(|_| {
                let given = given.to_str().ok_or("TZ: not a time zone")?;
                Self::parse(given.trim_start_matches(':')).map_err(|why| format!("TZ: {why}"))
            }),
        }
    }

    /// Returns the name of the zone, by which [`Self::parse`] finds it again: that of the IANA
    /// database, or the offset from UTC at the time `at` if the zone has no name.
    pub fn name(&self, at: WallMs) -> String {
        let offset = || match self.show(at, "%:z") {
            utc if utc == "+00:00" => "UTC".to_owned(),
            offset => offset,
        };
        self.0.iana_name().map_or_else(offset, str::to_owned)
    }

    /// Returns the zone as the library knows it.
    pub const fn time_zone(&self) -> &TimeZone {
        &self.0
    }

    /// Formats a time in this zone. `form` is a format of `strftime`. Returns an empty text for a
    /// time that is beyond the range of the calendar.
    pub fn show(&self, at: WallMs, form: &str) -> String {
        Timestamp::from_millisecond(at.0)
            .map(|at| at.to_zoned(self.0.clone()).strftime(form).to_string())
            .unwrap_or_default()
    }

    /// Formats a time to the minute, with the offset: `05:30 (UTC+07:00)`. The date is included if
    /// it is not that of `now`.
    pub fn show_clock(&self, at: WallMs, now: WallMs) -> String {
        let date = |at| self.show(at, "%F");
        let form = if date(at) == date(now) { "%H:%M (UTC%:z)" } else { "%a %F %H:%M (UTC%:z)" };
        self.show(at, form)
    }

    /// Returns the day of a time in this zone.
    pub fn day_of(&self, at: WallMs) -> Date {
        let at = Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
        at.to_zoned(self.0.clone()).date()
    }

    /// Returns the UTC offset at a time, in milliseconds.
    pub fn offset_ms(&self, at: WallMs) -> i64 {
        let at = Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
        i64::from(self.0.to_offset(at).seconds()) * 1000
    }
}

/// Parses an offset from UTC, such as `+07:00` or `-3`.
fn offset(text: &str) -> Option<Offset> {
    // Times are shown with `UTC+07:00`.
    let text = text.strip_prefix("UTC").unwrap_or(text);
    let digits = text.strip_prefix(['+', '-'])?;
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let number = |text: &str| {
        let is_number = matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| text.parse::<i32>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes).filter(|minutes| *minutes < 60)?);
    let seconds = (hours * 60 + minutes) * 60;
    let seconds = if text.starts_with('-') { -seconds } else { seconds };
    // No zone is further from UTC.
    if hours > 14 { None } else { Offset::from_seconds(seconds).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_as_people_write_them() {
        let noon = WallMs(1_796_000_400_000);
        for (text, shown) in [
            ("WIB", Some("+07:00")),
            ("wita", Some("+08:00")),
            ("WIT", Some("+09:00")),
            ("UTC", Some("+00:00")),
            ("+07:00", Some("+07:00")),
            ("-3", Some("-03:00")),
            ("+05:45", Some("+05:45")),
            ("UTC+07:00", Some("+07:00")),
            (" Asia/Jakarta ", Some("+07:00")),
            ("Europe/Berlin", Some("+01:00")),
            ("", None),
            ("07:00", None),
            ("+15", None),
            ("+07:60", None),
            ("+7:", None),
            ("Asia/Jakrta", None),
            ("soon", None),
        ] {
            let zone = Zone::parse(text).ok();
            assert_eq!(zone.map(|zone| zone.show(noon, "%:z")).as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn a_zone_is_found_again_by_its_name() {
        let at = WallMs(1_796_000_400_000);
        for (text, name) in [
            ("WIB", "Asia/Jakarta"),
            ("UTC", "UTC"),
            ("+07:00", "+07:00"),
            ("-3", "-03:00"),
            ("Europe/Berlin", "Europe/Berlin"),
        ] {
            let zone = Zone::parse(text).unwrap();
            assert_eq!(zone.name(at), name, "{text}");
            assert_eq!(Zone::parse(name).unwrap(), zone, "{text}");
        }
    }

    #[test]
    fn times_and_days() {
        let zone = Zone::parse("WIB").unwrap();
        let now = WallMs(1_796_000_400_000);
        let later = |hours: i64| WallMs(now.0 + hours * 3_600_000);
        assert_eq!(zone.show_clock(now, now), "08:00 (UTC+07:00)");
        assert_eq!(zone.show_clock(later(20), now), "Tue 2026-12-01 04:00 (UTC+07:00)");
        assert_eq!(zone.offset_ms(now), 7 * 3_600_000);
        assert_eq!(zone.show(WallMs(i64::MAX), "%F"), "");
    }
}
