//! Converts dates and times between text and the numbers of a workbook, which count days from 1900
//! or from 1904.
//!
//! Must hold: a number outside the calendar of a spreadsheet is not a date.

use jiff::civil::{Date, DateTime, Time, date};

use super::formats::ShownAs;

/// Number of days between the first days of the two ways to count, from 1900 and from 1904.
const DAYS_TO_1904: f64 = 1462.0;
/// Day after the last day of the calendar, 9999-12-31.
const END: f64 = 2_958_466.0;
/// Number of 29 February 1900, a day that did not exist. Spreadsheets that count from 1900 include
/// it.
const NO_DAY: f64 = 60.0;
const MILLIS_A_DAY: f64 = 86_400_000.0;

/// Converts a number of days from 1904 to a number of days from 1900.
pub(super) fn from_1904(days: f64) -> f64 {
    days + DAYS_TO_1904
}

/// Converts a number of days from 1900 to the text that its format shows: a date such as
/// `2026-11-23` or `2026-11-23 07:30:00`, a time of day such as `07:30:00`, or a span of time such
/// as `36:00:00`. Returns `None` if the format shows a plain number, or if the number is outside
/// the calendar.
pub(super) fn shown(days: f64, shows: ShownAs) -> Option<String> {
    if !(0.0..END).contains(&days) {
        return None;
    }
    // Rounds to whole milliseconds, because a time such as 10:00 is not an exact fraction of a day.
    let millis = (days * MILLIS_A_DAY).round() as i64;
    let seconds = millis / 1000;
    match shows {
        ShownAs::Number => None,
        ShownAs::Span => Some(clock(seconds)),
        ShownAs::Date if days < 1.0 => Some(clock(seconds)),
        ShownAs::Date => {
            let (day, seconds) = (seconds / 86_400, seconds % 86_400);
            let day = first_day(days).checked_add(jiff::Span::new().days(day)).ok()?;
            Some(match seconds {
                0 => day.to_string(),
                _ => format!("{day} {}", clock(seconds)),
            })
        }
    }
}

/// Returns the day that has the number 0. After the day that did not exist, the numbers are one too
/// large, so that day is one day earlier.
const fn first_day(days: f64) -> Date {
    if days < NO_DAY { date(1899, 12, 31) } else { date(1899, 12, 30) }
}

/// Formats seconds as hours, minutes and seconds. The hours may exceed 24.
fn clock(seconds: i64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Parses a date in the ISO format, `2026-11-23` or `2026-11-23T07:30:00`, to a number of days from
/// 1900. Parses a time without a date, `07:30:00`, to a fraction of a day. Returns `None` for any
/// other text, and for a date before 28 February 1900.
pub(super) fn counted(text: &str) -> Option<f64> {
    let text = text.trim().trim_end_matches('Z');
    if let Some(time) = text.parse::<Time>().ok().filter(|_| !text.contains('-')) {
        return Some(time.duration_since(Time::midnight()).as_secs_f64() / 86_400.0);
    }
    let time: DateTime = match text.parse::<Date>() {
        Ok(day) if !text.contains(['T', ' ']) => day.to_datetime(Time::midnight()),
        _ => text.parse().ok()?,
    };
    let since = time.duration_since(first_day(NO_DAY).to_datetime(Time::midnight()));
    let days = since.as_secs_f64() / 86_400.0;
    (NO_DAY..END).contains(&days).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_as_text() {
        for (days, shows, text) in [
            (44_197.0, ShownAs::Date, Some("2021-01-01")),
            (32_904.0, ShownAs::Date, Some("1990-01-31")),
            (1.0, ShownAs::Date, Some("1900-01-01")),
            (59.0, ShownAs::Date, Some("1900-02-28")),
            (61.0, ShownAs::Date, Some("1900-03-01")),
            (44_197.416_666_666_664, ShownAs::Date, Some("2021-01-01 10:00:00")),
            (44_196.999_999_999_99, ShownAs::Date, Some("2021-01-01")),
            (0.3125, ShownAs::Date, Some("07:30:00")),
            (0.0, ShownAs::Date, Some("00:00:00")),
            (1.5, ShownAs::Span, Some("36:00:00")),
            (44_197.0, ShownAs::Number, None),
            (-1.0, ShownAs::Date, None),
            (2_958_465.5, ShownAs::Date, Some("9999-12-31 12:00:00")),
            (2_958_466.0, ShownAs::Date, None),
            (3_275_014_101_900_001.0, ShownAs::Date, None),
            (f64::NAN, ShownAs::Date, None),
            (f64::INFINITY, ShownAs::Span, None),
        ] {
            assert_eq!(shown(days, shows).as_deref(), text, "{days}");
        }
        assert_eq!(shown(from_1904(0.0), ShownAs::Date).as_deref(), Some("1904-01-01"));
    }

    #[test]
    fn days_that_are_spelled_out() {
        for (text, days) in [
            ("2021-01-01", Some(44_197.0)),
            ("2021-01-01T12:00:00Z", Some(44_197.5)),
            ("2021-01-01T12:00:00.000", Some(44_197.5)),
            ("07:30:00", Some(0.3125)),
            ("18:00:00.000", Some(0.75)),
            ("2021-13-01", None),
            ("kemarin", None),
            ("0001-01-01", None),
        ] {
            assert_eq!(counted(text), days, "{text}");
        }
    }
}
