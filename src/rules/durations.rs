//! Durations as people type and read them: `90s`, `1h 30m`, `30d`.

use std::time::Duration;

use jiff::fmt::friendly::{Designator, SpanParser, SpanPrinter};
use jiff::{SignedDuration, Span, SpanRelativeTo, SpanRound, Unit};

/// Length of a year and of a month: an average of the calendar's.
const YEAR: SignedDuration = SignedDuration::from_secs(31_557_600);
const MONTH: SignedDuration = SignedDuration::from_secs(2_630_016);

/// Parses a duration such as `30d`, `90s`, `1h 30m` or `0`. A day has 24 hours. Returns `None` for any
/// other text, and for a negative duration.
///
/// ```
/// use std::time::Duration;
///
/// use ceknik::rules::durations::parse;
///
/// assert_eq!(parse("1h 30m"), Some(Duration::from_secs(5400)));
/// assert_eq!(parse("30d"), Some(Duration::from_secs(30 * 86_400)));
/// assert_eq!(parse("soon"), None);
/// ```
pub fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    // `05:30:10` is a time of day to most people.
    let span = SpanParser::new().parse_span(text).ok().filter(|_| !text.contains(':'))?;
    let (years, months) = (i32::from(span.get_years()), span.get_months());
    let rest = span.years(0).months(0).to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    let whole = YEAR.checked_mul(years)?.checked_add(MONTH.checked_mul(months)?)?;
    Duration::try_from(whole.checked_add(rest)?).ok()
}

/// Formats a duration as people read it: `1h 2m 3s`, `2d 4h`. The largest unit is the day.
///
/// ```
/// use std::time::Duration;
///
/// use ceknik::rules::durations::format;
///
/// assert_eq!(format(Duration::from_secs(187_200)), "2d 4h");
/// ```
pub fn format(duration: Duration) -> String {
    let printer = SpanPrinter::new().designator(Designator::Compact);
    let balanced = SignedDuration::try_from(duration).ok().and_then(|duration| {
        let span = Span::try_from(duration).ok()?;
        span.round(SpanRound::new().largest(Unit::Day).days_are_24_hours()).ok()
    });
    match balanced {
        Some(span) => printer.span_to_string(&span),
        None => format!("{}s", duration.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_type_them() {
        let day = 86_400;
        for (text, seconds) in [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("90s", Some(90)),
            ("90sec", Some(90)),
            ("30m", Some(1800)),
            ("30min", Some(1800)),
            ("1h30m", Some(5400)),
            ("1h 30m", Some(5400)),
            ("1.5h", Some(5400)),
            ("2days", Some(2 * day)),
            ("2w", Some(14 * day)),
            ("1month", Some(2_630_016)),
            ("1y", Some(31_557_600)),
            ("1y 1d", Some(31_557_600 + day)),
            ("", None),
            ("30", None),
            ("-30s", None),
            ("30s ago", None),
            ("05:30:10", None),
            ("soon", None),
            ("99999999999999999999d", None),
            ("9999999999999h", None),
        ] {
            assert_eq!(parse(text), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
    }

    #[test]
    fn durations_as_people_read_them() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (3600, "1h"),
            (3723, "1h 2m 3s"),
            (100_000, "1d 3h 46m 40s"),
            (90 * 86_400, "90d"),
        ] {
            assert_eq!(format(Duration::from_secs(seconds)), text);
        }
        assert_eq!(format(Duration::MAX), format!("{}s", u64::MAX));
    }
}
