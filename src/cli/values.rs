//! Parses single values as people type them: durations, rates, times of day, shares.
//!
//! Must hold: the message of an error says what is wrong with the value, and does not repeat the
//! value. The message is shown after the name of the flag, of the variable, or of the line in
//! `ceknik.toml`.

use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::tz::AmbiguousOffset;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

use crate::model::outcome::Outcome;
use crate::rules::durations;

/// Longest duration that is accepted, a hundred years: a longer one is a typing error.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
/// Highest rate that is accepted: a higher one is a typing error.
const HIGHEST_RATE: f64 = 100_000.0;
/// Lowest rate that is accepted, about one call a day.
const LOWEST_RATE: f64 = 0.000_01;

/// Number of calls per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum CallRate {
    /// At most this many calls per second.
    PerSecond(f64),
    /// As many as the concurrency allows.
    Unlimited,
    /// As many as the vendor allows, which the run finds out.
    Auto,
}

/// A deadline as it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeadlineArg {
    /// This long from now.
    After(Duration),
    /// The nearest such time of day, within 12 hours before or after now, in the local zone.
    At(Time),
}

impl DeadlineArg {
    /// Returns the time of the deadline; `None` if the time is beyond the range of the calendar.
    /// `now` is the current time in the local zone.
    pub(crate) fn from(self, now: &Zoned) -> Option<Timestamp> {
        let time = match self {
            Self::After(span) => {
                return now.timestamp().checked_add(SignedDuration::try_from(span).ok()?).ok();
            }
            Self::At(time) => time,
        };
        let days = [-1, 0, 1].into_iter().filter_map(|days| {
            let date = now.date().checked_add(days.days()).ok()?;
            Some(now.time_zone().to_ambiguous_zoned(date.to_datetime(time)))
        });
        let instants = days.flat_map(|at| {
            // At the end of summer time, one hour occurs twice.
            let again = matches!(at.offset(), AmbiguousOffset::Fold { .. });
            [again.then(|| at.clone().later()), Some(at.compatible())]
        });
        instants
            .filter_map(|instant| Some(instant?.ok()?.timestamp()))
            .min_by_key(|instant| instant.duration_since(now.timestamp()).abs())
    }
}

/// Parses a yes or a no, in the usual words of English and Indonesian. Other words are refused,
/// because a permission to buy is never guessed.
pub(crate) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.trim().to_lowercase().as_str() {
        "1" | "true" | "yes" | "y" | "on" | "ya" | "iya" => Ok(true),
        "0" | "false" | "no" | "n" | "off" | "tidak" | "tdk" | "bukan" => Ok(false),
        _ => Err("give yes (ya, true, 1) or no (tidak, false, 0)".to_owned()),
    }
}

/// Parses the number of a run.
pub(super) fn run_number(text: &str) -> Result<u64, String> {
    let number = text.parse::<u32>().map_err(|_| "not the number of a run".to_owned())?;
    Ok(number.into())
}

/// Begin of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// This long ago.
    Span(Duration),
    /// The begin of this day.
    Day(Date),
}

/// Parses the begin of a history.
pub(super) fn since(text: &str) -> Result<Since, String> {
    if let Ok(day) = text.parse::<Date>() {
        return Ok(Since::Day(day));
    }
    let span =
        duration(text).map_err(|_| "not a span such as 30d, and not a date such as 2026-11-01")?;
    Ok(Since::Span(span))
}

/// Parses a month, and returns its first day.
pub(super) fn month(text: &str) -> Result<Date, String> {
    let day = format!("{}-01", text.trim());
    day.parse().map_err(|_| "not a month such as 2026-11".to_owned())
}

/// Parses a time of day such as `05:30`.
pub(super) fn time_of_day(text: &str) -> Result<Time, String> {
    let time = Time::strptime("%H:%M", text.trim());
    time.map_err(|_| "not a time of day such as 05:30".to_owned())
}

/// Parses an outcome by the word that an output has.
pub(super) fn outcome(text: &str) -> Result<Outcome, String> {
    let text = text.trim();
    let known = Outcome::ALL.into_iter().find(|outcome| outcome.word() == text);
    known.ok_or_else(|| {
        let words: Vec<_> = Outcome::ALL.iter().map(|outcome| outcome.word()).collect();
        format!("not one of {}", words.join(", "))
    })
}

/// Parses a duration such as `30d`, `90s`, `1h 30m` or `0`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match durations::parse(text) {
        Some(duration) if duration <= LONGEST => Ok(duration),
        _ => Err("not a duration such as 90s, 30m or 30d".to_owned()),
    }
}

/// Parses a duration that is more than zero.
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be more than zero".to_owned()),
        duration => Ok(duration),
    }
}

/// Parses a number of calls per second, `auto` or `unlimited`.
pub(super) fn rate(text: &str) -> Result<CallRate, String> {
    match text {
        "auto" => Ok(CallRate::Auto),
        "unlimited" => Ok(CallRate::Unlimited),
        number => calls_per_second(number)
            .map(CallRate::PerSecond)
            .map_err(|error| format!("{error}; auto and unlimited are accepted too")),
    }
}

/// Parses a number of calls per second.
pub(super) fn calls_per_second(text: &str) -> Result<f64, String> {
    // `1.000` may mean a thousand; `0.125` may not.
    let parts = text.split_once('.');
    if parts.is_some_and(|(whole, fraction)| fraction.len() == 3 && !matches!(whole, "" | "0")) {
        return Err(
            "this could be thousands: write the number without a point, such as 1000".to_owned()
        );
    }
    match text.parse::<f64>() {
        Ok(rate) if (LOWEST_RATE..=HIGHEST_RATE).contains(&rate) => Ok(rate),
        Ok(rate) if rate.is_finite() && rate > 0.0 => {
            Err("a rate must be from 0.00001 to 100000 calls per second".to_owned())
        }
        _ => Err("not a number of calls per second such as 10 or 0.5".to_owned()),
    }
}

/// Parses the length of a night in hours, such as `8` or `7.5`.
pub(super) fn hours(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(hours) if hours > 0.0 && hours <= 24.0 => {
            Ok(Duration::from_secs(((hours * 3600.0) as u64).max(1)))
        }
        _ => Err("not a number of hours such as 8 or 7.5".to_owned()),
    }
}

/// Parses the byte between the fields of a text: an ASCII character, or the word `tab`.
pub(super) fn delimiter(text: &str) -> Result<u8, String> {
    let is_usable =
        |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"\r\n".contains(byte);
    match text.as_bytes() {
        b"tab" | b"TAB" | b"\\t" => Ok(b'\t'),
        [byte] if is_usable(byte) => Ok(*byte),
        _ => Err("not one of , ; | or tab".to_owned()),
    }
}

/// Parses a share in whole percent, with the sign or without it.
pub(super) fn percent(text: &str) -> Result<u8, String> {
    let digits = text.strip_suffix('%').unwrap_or(text);
    match digits.parse::<u8>() {
        Ok(percent @ 1..=99) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(percent),
        _ => Err("not a whole percentage from 1% to 99%".to_owned()),
    }
}

/// Parses a deadline: a duration from now, or a time of day.
pub(super) fn deadline(text: &str) -> Result<DeadlineArg, String> {
    if let Ok(span) = duration(text) {
        return Ok(DeadlineArg::After(span));
    }
    // `05:3` may be three minutes past five, or half past five.
    let time = text.split_once(':').filter(|(_, minutes)| minutes.len() == 2);
    time.and_then(|_| Time::strptime("%H:%M", text).ok())
        .map(DeadlineArg::At)
        .ok_or_else(|| "not a duration such as 6h, or a time such as 05:30".to_owned())
}

/// Parses an outage of the sandbox such as `5s..20s`. Returns its beginning and its end, counted
/// from the start of the sandbox.
pub(super) fn outage(text: &str) -> Result<(Duration, Duration), String> {
    let (from, to) = text.split_once("..").ok_or("not FROM..TO, such as 5s..20s")?;
    let (from, to) = (duration(from.trim())?, duration(to.trim())?);
    match from < to {
        true => Ok((from, to)),
        false => Err("the outage ends before it begins".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadline_from(typed: &str, now: &Zoned) -> Option<Timestamp> {
        deadline(typed).ok()?.from(now)
    }

    #[test]
    fn deadlines_are_the_nearest_such_time() {
        let zone = jiff::tz::TimeZone::get("Asia/Jakarta").unwrap();
        let at = |text: &str| {
            let now: jiff::civil::DateTime = text.parse().unwrap();
            now.to_zoned(zone.clone()).unwrap()
        };
        for (now, typed, expected) in [
            ("2026-11-23 22:00", "05:30", "2026-11-24 05:30"),
            ("2026-11-24 04:00", "05:30", "2026-11-24 05:30"),
            ("2026-11-24 06:00", "05:30", "2026-11-24 05:30"),
            ("2026-11-24 00:10", "23:50", "2026-11-23 23:50"),
            ("2026-11-24 12:00", "6h", "2026-11-24 18:00"),
        ] {
            let found = deadline_from(typed, &at(now));
            assert_eq!(found, Some(at(expected).timestamp()), "{now} {typed}");
        }
        // Changes of summer time. Berlin: 03:00 to 02:00 on 25 October, 02:00 to 03:00 on 28 March.
        // Santiago: at midnight.
        for (zone, now, typed, expected) in [
            ("Europe/Berlin", "2026-10-25T02:45+02", "02:50", "2026-10-25T02:50+02"),
            ("Europe/Berlin", "2026-10-25T02:45+01", "02:50", "2026-10-25T02:50+01"),
            ("Europe/Berlin", "2026-10-24T22:00+02", "05:30", "2026-10-25T05:30+01"),
            ("Europe/Berlin", "2027-03-27T22:00+01", "05:30", "2027-03-28T05:30+02"),
            // A time that does not exist on that day.
            ("Europe/Berlin", "2027-03-28T01:45+01", "02:30", "2027-03-28T03:30+02"),
            ("Europe/Berlin", "2026-10-24T22:00+02", "8h", "2026-10-25T05:00+01"),
            ("America/Santiago", "2026-09-05T23:50-04", "00:30", "2026-09-06T01:30-03"),
        ] {
            let at = |text: &str| text.parse::<Timestamp>().unwrap();
            let now = at(now).to_zoned(jiff::tz::TimeZone::get(zone).unwrap());
            assert_eq!(deadline_from(typed, &now), Some(at(expected)), "{now} {typed}");
        }
        for wrong in ["", "25:00", "soon", "5", "05:30:10", "05:3", "05:"] {
            assert!(deadline(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_as_people_type_them() {
        assert_eq!(rate("0.5"), Ok(CallRate::PerSecond(0.5)));
        assert_eq!(rate("0.125"), Ok(CallRate::PerSecond(0.125)));
        assert_eq!(rate("unlimited"), Ok(CallRate::Unlimited));
        assert_eq!(rate("auto"), Ok(CallRate::Auto));
        for (wrong, says) in [
            ("0", "not a number"),
            ("-1", "not a number"),
            ("NaN", "not a number"),
            ("inf", "not a number"),
            ("ten", "not a number"),
            ("", "not a number"),
            ("1e9", "from 0.00001 to 100000"),
            ("1000000", "from 0.00001 to 100000"),
            ("1.000", "could be thousands"),
        ] {
            assert!(rate(wrong).unwrap_err().contains(says), "{wrong}");
        }
        assert_eq!((delimiter("tab"), delimiter(";")), (Ok(b'\t'), Ok(b';')));
        for wrong in ["", ";;", "a", "\"", "é", "\n"] {
            assert!(delimiter(wrong).is_err(), "{wrong}");
        }
        assert_eq!(duration("30d").map(|time| time.as_secs()), Ok(2_592_000));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for wrong in ["30", "", "soon", "500y"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert!(positive_duration("0s").is_err() && positive_duration("1ms").is_ok());
        assert_eq!((percent("60%"), percent("1")), (Ok(60), Ok(1)));
        for wrong in ["", "%", "0", "100%", "0.6", "6.5%", "+60", "60 %", "60%%"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
        assert_eq!(hours("7.5"), Ok(Duration::from_secs(27_000)));
        for wrong in ["0", "25", "-1", "NaN", "a night"] {
            assert!(hours(wrong).is_err(), "{wrong}");
        }
        let seconds = Duration::from_secs;
        assert_eq!(outage("5s..20s"), Ok((seconds(5), seconds(20))));
        assert_eq!(outage("0s .. 2m"), Ok((seconds(0), seconds(120))));
        for wrong in ["", "5s", "5s..", "..5s", "5..6", "9s..3s", "3s..3s"] {
            assert!(outage(wrong).is_err(), "{wrong}");
        }
    }
}
