//! The last words: what a start did, what it cost, and what to do next, for people.

use std::time::Duration;

use super::Summary;
use crate::model::attempt::WallMs;
use crate::model::money::{Price, in_brackets, number};
use crate::model::outcome::{Outcome, OutcomeCounts};

/// The last words of a start, several lines.
pub fn last_words(summary: &Summary, price: Option<&Price>, next: Option<&str>) -> String {
    let mut text = "\n".to_owned();
    rows(&mut text, summary);
    calls(&mut text, summary);
    money(&mut text, summary, price);
    saved(&mut text, summary, price);
    text += &format!("  time       {}\n", time(summary.seconds));
    if let Some(output) = &summary.output {
        text += &format!("  output     {output}\n");
    }
    if let Some(next) = next {
        text += &format!("  next       {next}\n");
    }
    text
}

fn rows(out: &mut String, summary: &Summary) {
    *out += &format!("  rows       {}\n", number(summary.rows));
    let outcomes = summary.outcomes.iter().flat_map(OutcomeCounts::iter);
    for (outcome, rows) in outcomes.filter(|(_, rows)| *rows > 0) {
        let share = 100.0 * rows as f64 / summary.rows.max(1) as f64;
        *out += &format!("    {:<12} {:>12}  {share:>5.1} %\n", outcome.word(), number(rows));
        if outcome == Outcome::Rejected {
            for (reason, rows) in &summary.rejected {
                *out += &format!("      {reason:<21} {:>8}\n", number(*rows));
            }
        }
    }
    for (warning, rows) in &summary.warnings {
        *out += &format!("    warning: {warning:<26} {:>6}\n", number(*rows));
    }
    if summary.names_cleaned > 0 {
        let (names, were) = match summary.names_cleaned {
            1 => ("1 name".to_owned(), "was"),
            n => (format!("{} names", number(n)), "were"),
        };
        *out += &format!("    {names} {were} cleaned before sending (ck_reason: \"sent as: …\")\n");
    }
    if summary.mostly_failed {
        *out += "    warning: nearly all of the first verdicts are \"failed\": something is wrong, look \
                 at the columns and ask the vendor\n";
    }
}

fn calls(out: &mut String, summary: &Summary) {
    *out += &format!("  calls      {} sent", number(summary.calls));
    if summary.calls > 0 {
        *out += &format!(", {} a second", number(summary.calls_per_second.round() as u64));
    }
    if let Some(latency) = summary.latency {
        let (p50, p95, p99) = (latency.p50_ms, latency.p95_ms, latency.p99_ms);
        *out += &format!(", answered in {p50} / {p95} / {p99} ms (p50/p95/p99)");
    }
    *out += "\n";
    let waits = summary.rate_limit_waits;
    if summary.retries > 0 || waits > 0 {
        let (retries, waits) = (number(summary.retries), count(waits, "wait"));
        *out +=
            &format!("             {retries} sent again, {waits} for the vendor's rate limit\n");
    }
    let tally = &summary.spending.tally;
    if tally.attempts > tally.calls {
        let unsent = count(tally.attempts - tally.calls, "attempt");
        let cause = summary.last_failure.as_deref().unwrap_or("no connection could be made");
        *out += &format!("             {unsent} never left: {cause}\n");
    }
    if summary.starts > 1 {
        let (starts, calls) = (summary.starts, count(tally.calls, "call"));
        *out += &format!("             the run so far: {starts} starts, {calls}\n");
    }
}

fn money(out: &mut String, summary: &Summary, price: Option<&Price>) {
    let spending = &summary.spending;
    let (least, most) = (spending.owed_at_least, spending.owed_at_most);
    let owed = if least == most {
        format!("you owe {}{}", count(least, "call"), in_brackets(price, least))
    } else {
        let range = price.map(|p| format!(" ({} to {})", p.show(least), p.show(most)));
        let (low, high) = (number(least), count(most, "call"));
        format!("you owe between {low} and {high}{}", range.unwrap_or_default())
    };
    *out += &format!("  charged    {} confirmed: {owed}\n", number(least));
    let possible = spending.tally.possible;
    for (calls, what) in [
        (possible.in_doubt, "in doubt (sent, no result came)"),
        (possible.unknown_code, "with a result code or status that is not documented"),
        (possible.gateway, "answered by a gateway with an error (it may have passed them on)"),
    ] {
        if calls > 0 {
            *out += &format!("             {} possible: {what}\n", number(calls));
        }
    }
    let free = spending.tally.assumed_free;
    if free > 0 {
        *out += &format!("             {}, assumed free\n", count(free, "error answer"));
    }
}

fn saved(out: &mut String, summary: &Summary, price: Option<&Price>) {
    let (funnel, calls) = (&summary.funnel, summary.funnel.saved());
    if calls == 0 {
        return;
    }
    let worth = price.map(|p| format!(", up to {}", p.show(calls))).unwrap_or_default();
    *out += &format!(
        "  saved      {}{worth}: {}, {} reused, {} rejected\n",
        count(calls, "call"),
        count(funnel.duplicates, "duplicate"),
        number(funnel.reused),
        number(funnel.rejected)
    );
}

/// A time as people want it: `4.1 s`, `1h 2m 3s`.
fn time(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    humantime::format_duration(Duration::from_secs(seconds as u64)).to_string()
}

/// A number of things: `1 call`, `2,000 calls`.
pub fn count(n: u64, what: &str) -> String {
    format!("{} {what}{}", number(n), if n == 1 { "" } else { "s" })
}

/// An instant as the clock on the wall shows it, in a form of `strftime`; empty where no calendar reaches.
pub fn local(at: WallMs, form: &str) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|at| at.to_zoned(jiff::tz::TimeZone::system()).strftime(form).to_string())
        .unwrap_or_default()
}
