//! The last words of a start, for people: the results, the costs, and what to do next.

use super::next::{NextStep, next_lines};
use super::{count, duration, limit_words};
use crate::model::funnel::Funnel;
use crate::model::money::{number, price_in_brackets};
use crate::model::outcome::Outcome;
use crate::output::report::{RunReport, by_code};

/// Formats the last words of a start, as several lines. `next` is what to do next.
pub fn last_words(report: &RunReport, next: &[NextStep]) -> String {
    let mut text = "\n".to_owned();
    rows(&mut text, report);
    calls(&mut text, report);
    money(&mut text, report);
    not_paid(&mut text, report);
    text += &format!("  time       {}\n", time(report.seconds));
    if let Some(output) = report.output_path() {
        text += &format!("  output     {output}\n");
    }
    text + &next_lines(next)
}

fn rows(out: &mut String, report: &RunReport) {
    *out += &format!("  rows       {}\n", number(report.rows));
    let outcomes = report.written.iter().flat_map(|written| written.outcomes.iter());
    for (outcome, rows) in outcomes.filter(|(_, rows)| *rows > 0) {
        let share = 100.0 * rows as f64 / report.rows.max(1) as f64;
        *out += &format!("    {:<12} {:>12}  {share:>5.1} %\n", outcome.word(), number(rows));
        if outcome == Outcome::Rejected {
            for (reason, rows) in by_code(&report.rejected) {
                *out += &format!("      {reason:<21} {:>8}\n", number(rows));
            }
        }
    }
    for (warning, rows) in &report.warnings {
        *out += &format!("    warning: {warning:<26} {:>6}\n", number(*rows));
    }
    if report.names_cleaned > 0 {
        let (names, were) = match report.names_cleaned {
            1 => ("1 name".to_owned(), "was"),
            n => (format!("{} names", number(n)), "were"),
        };
        *out += &format!("    {names} {were} cleaned before sending (ck_reason: \"sent as: …\")\n");
    }
    if report.mostly_failed {
        *out += "    warning: nearly all of the first results are \"failed\": check the columns, and ask \
                 the vendor\n";
    }
}

fn calls(out: &mut String, report: &RunReport) {
    *out += &format!("  calls      {} sent", number(report.calls));
    if report.calls > 0 {
        *out += &format!(", {} a second", number(report.calls_per_second.round() as u64));
    }
    if let Some(latency) = report.latency {
        let (p50, p95, p99) = (latency.p50_ms, latency.p95_ms, latency.p99_ms);
        *out += &format!(", answered in {p50} / {p95} / {p99} ms (p50/p95/p99)");
    }
    *out += "\n";
    let waits = report.rate_limit_waits;
    let again = (report.retries > 0).then(|| format!("{} sent again", number(report.retries)));
    let waits =
        (waits > 0).then(|| format!("{} for the vendor's rate limit", count(waits, "wait")));
    let both: Vec<String> = again.into_iter().chain(waits).collect();
    if !both.is_empty() {
        *out += &format!("             {}\n", both.join(", "));
    }
    if let Some(limit) = limit_words(&report.vendor_allows) {
        *out += &format!("             the vendor allowed {limit}\n");
    }
    let tally = &report.spending.tally;
    if tally.attempts > tally.calls {
        let unsent = tally.attempts - tally.calls;
        let were = if unsent == 1 { "was" } else { "were" };
        let cause = report.last_failure.as_deref().unwrap_or("no connection could be made");
        let attempts = count(unsent, "attempt");
        *out += &format!("             {attempts} {were} not sent (not charged): {cause}\n");
    }
    if report.starts > 1 {
        let (starts, calls) = (report.starts, count(tally.calls, "call"));
        *out += &format!("             the run so far: {calls} in {starts} sessions\n");
    }
}

fn money(out: &mut String, report: &RunReport) {
    if report.purged > 0 {
        let answers = count(report.purged, "answer");
        *out +=
            &format!("  charged    not known: `ceknik purge` has removed {answers} of the run\n");
        return;
    }
    let spending = &report.spending;
    let price = spending.price.as_ref();
    let (least, most) = (spending.owed_at_least(), spending.owed_at_most());
    let owed = if least == most {
        format!("you owe {}{}", count(least, "call"), price_in_brackets(price, least))
    } else {
        let range = price.map(|p| format!(" ({} to {})", p.show(least), p.show(most)));
        let (low, high) = (number(least), count(most, "call"));
        format!("you owe between {low} and {high}{}", range.unwrap_or_default())
    };
    *out += &format!("  charged    {} confirmed: {owed}\n", number(least));
    if report.is_from_sandbox() {
        *out += "             a test vendor answered (sandbox): nothing is really charged\n";
    }
    if let (Some(price), Some(tax)) = (price, report.tax) {
        let [low, high] = [least, most].map(|calls| price.show_with_tax(calls, tax));
        let range = if low == high { low } else { format!("{low} to {high}") };
        *out += &format!("             with {}: {range}\n", tax.name());
    }
    let possible = spending.tally.possible;
    for (calls, what) in [
        (possible.in_doubt, "in doubt (sent, but no answer came)"),
        (possible.unknown_code, "the result code or the status is not documented"),
        (
            possible.gateway,
            "a gateway answered with an error; the vendor may have received the call",
        ),
    ] {
        if calls > 0 {
            *out += &format!("             {} may be charged: {what}\n", number(calls));
        }
    }
    let free = spending.tally.assumed_free;
    if free > 0 {
        *out += &format!("             {}, assumed to be free\n", count(free, "error answer"));
    }
}

fn not_paid(out: &mut String, report: &RunReport) {
    let Funnel { duplicates, reused, rejected, .. } = report.funnel;
    let worth = |calls| price_in_brackets(report.spending.price.as_ref(), calls);
    let parts = [
        (duplicates, format!("{}{}", count(duplicates, "duplicate"), worth(duplicates))),
        (reused, format!("{}{} known from earlier runs", count(reused, "answer"), worth(reused))),
        (
            rejected,
            format!(
                "{} rejected: not sent; a corrected row costs like any other",
                number(rejected)
            ),
        ),
    ];
    let parts = parts.into_iter().filter(|(rows, _)| *rows > 0).map(|(_, text)| text);
    for (at, part) in parts.enumerate() {
        *out += &format!("  {:<10} {part}\n", if at == 0 { "not paid" } else { "" });
    }
}

/// Formats the duration of a start: `4.1 s`, `1h 2m 3s`.
fn time(seconds: f64) -> String {
    match seconds < 60.0 {
        true => format!("{seconds:.1} s"),
        false => duration(seconds as u64),
    }
}
