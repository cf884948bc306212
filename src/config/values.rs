//! Single values as people type them: durations, rates, times of day, amounts.

use std::fmt::Display;
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::AmbiguousOffset;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::error::Error;
use crate::model::exit_code::ExitCode;
use crate::model::money::Price;

/// A longer duration is a mistyped one: a hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
/// A rate above this is a mistyped one.
const HIGHEST_RATE: f64 = 100_000.0;
/// A rate below this would take a day for a call.
const LOWEST_RATE: f64 = 0.000_01;

/// What was typed cannot be understood.
pub(super) fn usage(message: String) -> Error {
    Error::plain(ExitCode::Usage, message)
}

/// The error of a flag whose value cannot be understood.
pub(super) fn wrong(flag: &'static str, why: impl Display) -> Error {
    usage(format!("{flag}: {why}")).of_flag(flag)
}

/// Makes such an error of a reason.
pub(super) fn flawed(flag: &'static str) -> impl FnOnce(String) -> Error {
    move |why| wrong(flag, why)
}

/// A duration such as `30d`, `90s`, `1h 30m` or `0`.
///
/// # Errors
/// Says which flag, and shows examples.
pub fn duration(flag: &'static str, text: &str) -> Result<Duration, Error> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err(wrong(flag, format!("{text:?} is not a duration such as 90s, 30m or 30d"))),
    }
}

/// A duration that is more than zero.
pub(super) fn positive(flag: &'static str, text: &str) -> Result<Duration, Error> {
    match duration(flag, text)? {
        Duration::ZERO => Err(wrong(flag, "must be more than zero")),
        duration => Ok(duration),
    }
}

/// The longest a call may take. Shorter than any answer takes, it would make a doubt of each call.
pub(super) fn timeout(text: &str, is_loopback: bool) -> Result<Duration, Error> {
    let (least, words) = match is_loopback {
        true => (Duration::from_millis(100), "100ms for an address of this machine"),
        false => (Duration::from_secs(1), "1s"),
    };
    match positive("--timeout", text)? {
        timeout if timeout < least => Err(wrong(
            "--timeout",
            format!("{text:?} is too short for an answer: at least {words}"),
        )),
        timeout => Ok(timeout),
    }
}

/// Calls a second; `None` is unlimited. Where none are given the stand-in is asked faster: it costs nothing.
pub(super) fn rate_or_default(typed: Option<&str>, sandbox: bool) -> Result<Option<f64>, Error> {
    rate(typed.unwrap_or(if sandbox { "1000" } else { "10" }))
}

fn rate(text: &str) -> Result<Option<f64>, Error> {
    if text == "unlimited" {
        return Ok(None);
    }
    // Not `0.125`.
    let parts = text.split_once('.');
    if parts.is_some_and(|(whole, fraction)| fraction.len() == 3 && !matches!(whole, "" | "0")) {
        return Err(wrong(
            "--rate",
            format!("{text:?} could be thousands: write them without a mark, as 1000"),
        ));
    }
    match text.parse::<f64>() {
        Ok(rate) if (LOWEST_RATE..=HIGHEST_RATE).contains(&rate) => Ok(Some(rate)),
        Ok(rate) if rate.is_finite() && rate > 0.0 => Err(wrong(
            "--rate",
            format!("{text:?}: a rate is from 0.00001 to 100000 calls per second, or unlimited"),
        )),
        _ => Err(wrong(
            "--rate",
            format!("{text:?} is not a number of calls per second such as 10, 0.5 or unlimited"),
        )),
    }
}

/// The hours of a night, in seconds.
pub(super) fn night(text: &str) -> Result<u64, Error> {
    match text.parse::<f64>() {
        Ok(hours) if hours > 0.0 && hours <= 24.0 => Ok(((hours * 3600.0) as u64).max(1)),
        _ => Err(wrong("--hours", format!("{text:?} is not a number of hours such as 8 or 7.5"))),
    }
}

/// One byte between fields.
pub(super) fn delimiter(text: &str) -> Result<u8, Error> {
    let is_usable =
        |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"\r\n".contains(byte);
    match text.as_bytes() {
        b"tab" | b"TAB" | b"\\t" => Ok(b'\t'),
        [byte] if is_usable(byte) => Ok(*byte),
        _ => Err(wrong("--delimiter", format!("{text:?} is not one of , ; | or tab"))),
    }
}

/// A share of verdicts, in whole percent, the sign left out or not.
pub(super) fn percent(text: &str) -> Result<u8, Error> {
    let digits = text.strip_suffix('%').unwrap_or(text);
    match digits.parse::<u8>() {
        Ok(percent @ 1..=99) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(percent),
        _ => Err(wrong(
            "--stop-if-mismatch-over",
            format!("{text:?} is not a whole percentage from 1% to 99%"),
        )),
    }
}

/// An amount in minor units; the price tells the currency.
pub(super) fn amount(
    flag: &'static str,
    typed: Option<&str>,
    price: Option<&Price>,
) -> Result<Option<u64>, Error> {
    let Some(text) = typed else { return Ok(None) };
    let price = price.ok_or_else(|| wrong(flag, "it needs --price"))?;
    price.currency.amount(text).map(Some).map_err(flawed(flag))
}

/// A deadline: a duration from now, or a time of day, the nearest within 12 hours before or after
/// now in the local zone.
///
/// # Errors
/// Where it is neither.
pub fn deadline(text: &str) -> Result<Timestamp, Error> {
    deadline_from(text, &Zoned::now())
}

fn deadline_from(text: &str, now: &Zoned) -> Result<Timestamp, Error> {
    let refuse = || {
        wrong(
            "--deadline",
            format!("{text:?} is not a duration such as 6h, or a time such as 05:30"),
        )
    };
    if let Ok(span) = humantime::parse_duration(text) {
        return now.timestamp().checked_add(span).map_err(|_| refuse());
    }
    // `05:3` may be three minutes past five, or half past.
    let time = text.split_once(':').filter(|(_, minutes)| minutes.len() == 2);
    let time = time.and_then(|_| Time::strptime("%H:%M", text).ok()).ok_or_else(refuse)?;
    [-1, 0, 1]
        .into_iter()
        .filter_map(|days| {
            let date = now.date().checked_add(days.days()).ok()?;
            Some(now.time_zone().to_ambiguous_zoned(date.to_datetime(time)))
        })
        .flat_map(|at| {
            // At the end of summer time an hour comes twice.
            let again = matches!(at.offset(), AmbiguousOffset::Fold { .. });
            [again.then(|| at.clone().later()), Some(at.compatible())]
        })
        .filter_map(|instant| Some(instant?.ok()?.timestamp()))
        .min_by_key(|instant| instant.duration_since(now.timestamp()).abs())
        .ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::money::Currency;

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
            let found = deadline_from(typed, &at(now)).unwrap();
            assert_eq!(found, at(expected).timestamp(), "{now} {typed}");
        }
        // Berlin: 03:00 to 02:00 on 25 October, 02:00 to 03:00 on 28 March. Santiago: at midnight.
        for (zone, now, typed, expected) in [
            ("Europe/Berlin", "2026-10-25T02:45+02", "02:50", "2026-10-25T02:50+02"),
            ("Europe/Berlin", "2026-10-25T02:45+01", "02:50", "2026-10-25T02:50+01"),
            ("Europe/Berlin", "2026-10-24T22:00+02", "05:30", "2026-10-25T05:30+01"),
            ("Europe/Berlin", "2027-03-27T22:00+01", "05:30", "2027-03-28T05:30+02"),
            // An hour that does not come.
            ("Europe/Berlin", "2027-03-28T01:45+01", "02:30", "2027-03-28T03:30+02"),
            ("Europe/Berlin", "2026-10-24T22:00+02", "8h", "2026-10-25T05:00+01"),
            ("America/Santiago", "2026-09-05T23:50-04", "00:30", "2026-09-06T01:30-03"),
        ] {
            let at = |text: &str| text.parse::<Timestamp>().unwrap();
            let now = at(now).to_zoned(jiff::tz::TimeZone::get(zone).unwrap());
            assert_eq!(deadline_from(typed, &now).unwrap(), at(expected), "{now} {typed}");
        }
        for wrong in ["", "25:00", "soon", "5", "05:30:10", "05:3", "05:"] {
            assert!(deadline_from(wrong, &at("2026-11-24 12:00")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_as_people_type_them() {
        assert_eq!(rate("0.5").unwrap(), Some(0.5));
        assert_eq!(rate("0.125").unwrap(), Some(0.125));
        assert_eq!(rate("unlimited").unwrap(), None);
        for (wrong, says) in [
            ("0", "is not a number"),
            ("-1", "is not a number"),
            ("NaN", "is not a number"),
            ("inf", "is not a number"),
            ("ten", "is not a number"),
            ("", "is not a number"),
            ("1e9", "from 0.00001 to 100000"),
            ("1000000", "from 0.00001 to 100000"),
            ("1.000", "could be thousands"),
        ] {
            assert!(rate(wrong).unwrap_err().message.contains(says), "{wrong}");
        }
        assert_eq!(delimiter("tab").unwrap(), b'\t');
        assert_eq!(delimiter(";").unwrap(), b';');
        for wrong in ["", ";;", "a", "\"", "é", "\n"] {
            assert!(delimiter(wrong).is_err(), "{wrong}");
        }
        assert_eq!(duration("--reuse", "30d").unwrap().as_secs(), 2_592_000);
        assert_eq!(duration("--reuse", "0").unwrap(), Duration::ZERO);
        for wrong in ["30", "", "soon", "500y"] {
            assert!(duration("--reuse", wrong).is_err(), "{wrong}");
        }
        for (text, is_loopback, is_taken) in [
            ("0s", true, false),
            ("10ms", true, false),
            ("100ms", true, true),
            ("999ms", false, false),
            ("1s", false, true),
        ] {
            assert_eq!(timeout(text, is_loopback).is_ok(), is_taken, "{text}");
        }
        assert_eq!((percent("60%").unwrap(), percent("1").unwrap()), (60, 1));
        for wrong in ["", "%", "0", "100%", "0.6", "6.5%", "+60", "60 %", "60%%"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
        let price = Price { per_call: 1500, currency: Currency::parse("IDR").unwrap() };
        assert_eq!(amount("--max-cost", Some("4000"), Some(&price)).unwrap(), Some(4000));
    }
}
