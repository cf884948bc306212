//! The last words: what a start did, what it cost, and what to do next, for people.

use std::fmt::Write;
use std::time::Duration;

use super::Summary;
use crate::model::money::{Price, group};
use crate::model::outcome::{Outcome, OutcomeCounts};

/// The last words of a start, several lines.
pub fn last_words(summary: &Summary, price: Option<&Price>, next: Option<&str>) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut text, summary, price, next);
    text
}

fn write_all(
    out: &mut String,
    summary: &Summary,
    price: Option<&Price>,
    next: Option<&str>,
) -> std::fmt::Result {
    writeln!(out)?;
    rows(out, summary)?;
    calls(out, summary)?;
    money(out, summary, price)?;
    saved(out, summary, price)?;
    writeln!(out, "  time       {}", time(summary.seconds))?;
    if let Some(output) = &summary.output {
        writeln!(out, "  output     {output}")?;
    }
    if let Some(next) = next {
        writeln!(out, "  next       {next}")?;
    }
    Ok(())
}

fn rows(out: &mut String, summary: &Summary) -> std::fmt::Result {
    writeln!(out, "  rows       {}", number(summary.rows))?;
    let outcomes = summary.outcomes.iter().flat_map(OutcomeCounts::iter);
    for (outcome, rows) in outcomes.filter(|(_, rows)| *rows > 0) {
        let share = 100.0 * rows as f64 / summary.rows.max(1) as f64;
        writeln!(out, "    {:<12} {:>12}  {share:>5.1} %", outcome.word(), number(rows))?;
        if outcome == Outcome::Rejected {
            for (reason, rows) in &summary.rejected {
                writeln!(out, "      {reason:<20} {:>8}", number(*rows))?;
            }
        }
    }
    for (warning, rows) in &summary.warnings {
        writeln!(out, "    warning: {warning:<26} {:>6}", number(*rows))?;
    }
    if summary.names_cleaned > 0 {
        let names = number(summary.names_cleaned);
        writeln!(out, "    {names} names were cleaned before sending (ck_reason: \"sent as: …\")")?;
    }
    if summary.mostly_failed {
        writeln!(
            out,
            "    warning: nearly all of the first verdicts are \"failed\": something is wrong, look \
             at the columns and ask the vendor"
        )?;
    }
    Ok(())
}

fn calls(out: &mut String, summary: &Summary) -> std::fmt::Result {
    let mut line = format!("  calls      {} sent", number(summary.calls));
    if summary.calls > 0 {
        write!(line, ", {} a second", number(summary.calls_per_second.round() as u64))?;
    }
    if let Some(latency) = summary.latency {
        let (p50, p95, p99) = (latency.p50_ms, latency.p95_ms, latency.p99_ms);
        write!(line, ", answered in {p50} / {p95} / {p99} ms (p50/p95/p99)")?;
    }
    writeln!(out, "{line}")?;
    let waits = summary.rate_limit_waits;
    if summary.retries > 0 || waits > 0 {
        let (retries, waits) = (number(summary.retries), count(waits, "wait"));
        writeln!(out, "             {retries} sent again, {waits} for the vendor's rate limit")?;
    }
    let tally = &summary.spending.tally;
    if tally.attempts > tally.calls {
        let unsent = number(tally.attempts - tally.calls);
        writeln!(out, "             {unsent} attempts never left: no connection could be made")?;
    }
    if summary.starts > 1 {
        let (starts, calls) = (summary.starts, count(tally.calls, "call"));
        writeln!(out, "             the run so far: {starts} starts, {calls}")?;
    }
    Ok(())
}

fn money(out: &mut String, summary: &Summary, price: Option<&Price>) -> std::fmt::Result {
    let spending = &summary.spending;
    let (least, most) = (spending.owed_at_least, spending.owed_at_most);
    let amount = |calls| price.map(|p| format!(" ({})", p.show(calls))).unwrap_or_default();
    let owed = if least == most {
        format!("you owe {}{}", count(least, "call"), amount(least))
    } else {
        let (low, high) = (number(least), count(most, "call"));
        format!("you owe between {low} and {high}{}", range(price, least, most))
    };
    writeln!(out, "  charged    {} confirmed: {owed}", number(least))?;
    let possible = spending.tally.possible;
    for (calls, what) in [
        (possible.in_doubt, "in doubt (sent, no answer came)"),
        (possible.unknown_code, "with a result code or status that is not documented"),
        (possible.gateway, "answered by a gateway with an error (it may have passed them on)"),
    ] {
        if calls > 0 {
            writeln!(out, "             {} possible: {what}", number(calls))?;
        }
    }
    let free = spending.tally.assumed_free;
    if free > 0 {
        writeln!(out, "             {}, assumed free", count(free, "error answer"))?;
    }
    Ok(())
}

fn saved(out: &mut String, summary: &Summary, price: Option<&Price>) -> std::fmt::Result {
    let funnel = &summary.funnel;
    let calls = funnel.duplicates + funnel.reused + funnel.rejected;
    if calls == 0 {
        return Ok(());
    }
    let worth = price.map(|p| format!(", up to {}", p.show(calls))).unwrap_or_default();
    writeln!(
        out,
        "  saved      {}{worth}: {}, {} reused, {} rejected",
        count(calls, "call"),
        count(funnel.duplicates, "duplicate"),
        number(funnel.reused),
        number(funnel.rejected)
    )
}

fn range(price: Option<&Price>, least: u64, most: u64) -> String {
    price.map(|p| format!(" ({} to {})", p.show(least), p.show(most))).unwrap_or_default()
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

/// A number with commas.
pub(crate) fn number(n: u64) -> String {
    group(u128::from(n), ',')
}
