//! `ceknik status --month`: the calls of a month and their charges by billing day, as the vendor's
//! invoice has them.
//!
//! Must hold: a call is on the day of the vendor's own time. Amounts are at the price that the start
//! of the call has recorded, and otherwise at the price that the user gives.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::run::price_of;
use super::{date, sums, to_json};
use crate::cli::StatusArgs;
use crate::config::price_of_flags;
use crate::error::Error;
use crate::ledger::{CallsInTime, LedgerError, RunId, ShowLedger};
use crate::model::attempt::{StartId, WallMs};
use crate::model::exit_code::ExitCode;
use crate::model::money::{Price, Tally};
use crate::model::zone::Zone;
use crate::output::count;
use crate::rules::vendor_clock::BillingDays;

/// Version of the shape as JSON.
const VERSION: u32 = 1;
/// Distance by which a billing day may be away from the day of the call in UTC.
const MARGIN_DAYS: i64 = 3;

/// The calls of a month.
#[derive(Debug)]
struct Month {
    first: Date,
    days: BillingDays,
    /// Description of the clock of calls without a time of the vendor.
    clock: String,
    /// Calls by day and price; days without calls are left out.
    lines: BTreeMap<(Date, PriceKey), Line>,
    /// Number of calls whose answers were purged: only their days are known, of another clock.
    purged: u64,
    /// Number of calls without a time of the vendor.
    without_time: u64,
}

/// Currency and price, by which the calls of a day are kept apart; `None` for calls without a price.
type PriceKey = Option<(String, u64)>;

/// Calls of one day at one price.
#[derive(Debug, Clone, Default)]
struct Line {
    tally: Tally,
    price: Option<Price>,
}

/// Returns the text about a month.
///
/// # Errors
/// Exit code 2: the price cannot be used. Exit code 18: the ledger cannot be read.
pub(super) fn show(
    ledger: &impl ShowLedger,
    first: Date,
    args: &StatusArgs,
    zone: &Zone,
) -> Result<String, Error> {
    let flags = &args.month;
    let given = price_of_flags(flags.price.as_deref(), &flags.currency)?;
    let (from, to) = times_around(first);
    let vendor_clock = ledger.vendor_clock()?;
    let starts_at = flags.day_starts.hour() as u16 * 60 + flags.day_starts.minute() as u16;
    let offset_ms = vendor_clock.offset_ms().unwrap_or_else(|| zone.offset_ms(from));
    let days = BillingDays { offset_ms, starts_at };
    let clock = match vendor_clock.name() {
        Some(offset) => format!("UTC{offset}, the vendor's clock"),
        None => format!(
            "UTC{}, because the vendor's clock is not known (--time-zone)",
            zone.show(from, "%:z")
        ),
    };
    let calls = ledger.calls(from, to)?;
    let prices = prices_of(ledger, &calls)?;
    let price = |start| prices.get(&start).cloned().flatten().or_else(|| given.clone());
    let month = Month::of(first, days, clock, &calls, price, given.as_ref());
    match (args.json, flags.csv) {
        (true, _) => to_json(&month.as_json(vendor_clock.name())),
        (false, true) => month.as_csv(),
        (false, false) => Ok(month.as_text()),
    }
}

/// Returns times that are surely before and after a month, in any zone.
fn times_around(first: Date) -> (WallMs, WallMs) {
    let midnight = |day: Date| {
        let zoned = day.to_zoned(jiff::tz::TimeZone::UTC).ok();
        WallMs(zoned.map_or(0, |zoned| zoned.timestamp().as_millisecond()))
    };
    let before = first.checked_sub(MARGIN_DAYS.days()).unwrap_or(first);
    let after = first.checked_add(1.month().days(MARGIN_DAYS)).unwrap_or(Date::MAX);
    (midnight(before), midnight(after))
}

/// Returns the prices that the starts of these calls have recorded.
fn prices_of(
    ledger: &impl ShowLedger,
    calls: &CallsInTime,
) -> Result<BTreeMap<StartId, Option<Price>>, LedgerError> {
    let runs: std::collections::BTreeSet<RunId> =
        calls.minutes.iter().map(|minute| minute.run).collect();
    let mut prices = BTreeMap::new();
    for run in runs {
        let record = ledger.run_record(run)?;
        let starts = record.iter().flat_map(|record| &record.starts);
        prices.extend(starts.map(|start| (start.id, price_of(start))));
    }
    Ok(prices)
}

impl Month {
    fn of(
        first: Date,
        days: BillingDays,
        clock: String,
        calls: &CallsInTime,
        price: impl Fn(StartId) -> Option<Price>,
        given: Option<&Price>,
    ) -> Self {
        let mut month =
            Self { first, days, clock, lines: BTreeMap::new(), purged: 0, without_time: 0 };
        for minute in &calls.minutes {
            let day = days.day_of(minute.vendor_minute.as_deref(), minute.at);
            let Some(day) = day.filter(|day| month.has(*day)) else { continue };
            if minute.vendor_minute.is_none() {
                month.without_time += minute.tally.calls;
            }
            month.add(day, &minute.tally, price(minute.start));
        }
        for total in &calls.purged {
            let day = date(total.day).parse().ok().filter(|day| month.has(*day));
            if let Some(day) = day {
                month.purged += total.tally.calls;
                month.add(day, &total.tally, given.cloned());
            }
        }
        month
    }

    fn has(&self, day: Date) -> bool {
        (day.year(), day.month()) == (self.first.year(), self.first.month())
    }

    fn add(&mut self, day: Date, tally: &Tally, price: Option<Price>) {
        // What was never sent is on no invoice.
        if tally.calls == 0 {
            return;
        }
        let key = price.as_ref().map(|price| (price.currency.code().to_owned(), price.per_call));
        let line = self.lines.entry((day, key)).or_default();
        line.tally = line.tally + *tally;
        line.price = price;
    }

    /// Returns the sum of all days for each price.
    fn totals(&self) -> Vec<Line> {
        let mut totals: BTreeMap<&PriceKey, Line> = BTreeMap::new();
        for ((_, key), line) in &self.lines {
            let total = totals.entry(key).or_default();
            total.tally = total.tally + line.tally;
            total.price.clone_from(&line.price);
        }
        totals.into_values().collect()
    }

    fn name(&self) -> String {
        self.first.strftime("%Y-%m").to_string()
    }

    fn as_json(&self, vendor_clock: Option<String>) -> Value {
        let figures = |line: &Line| {
            let amount = |calls| line.price.as_ref().map(|price| price.of(calls));
            json!({
                "calls": line.tally.calls, "charged": line.tally.confirmed,
                "possible": line.tally.possible.total(),
                "currency": line.price.as_ref().map(|price| price.currency.code()),
                "price": line.price.as_ref().map(|price| price.per_call),
                "owed_at_least": amount(line.tally.at_least()),
                "owed_at_most": amount(line.tally.at_most()),
            })
        };
        let day = |((day, _), line): (&(Date, PriceKey), &Line)| {
            let mut shown = figures(line);
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("day".to_owned(), day.to_string().into());
            }
            shown
        };
        let starts_at = i64::from(self.days.starts_at);
        json!({
            "version": VERSION, "month": self.name(), "vendor_clock": vendor_clock,
            "day_starts": format!("{:02}:{:02}", starts_at / 60, starts_at % 60),
            "days": self.lines.iter().map(day).collect::<Vec<_>>(),
            "totals": self.totals().iter().map(figures).collect::<Vec<_>>(),
            "calls_without_a_time": self.without_time, "purged_calls": self.purged,
        })
    }

    fn as_csv(&self) -> Result<String, Error> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        let head = [
            "day",
            "calls",
            "charged",
            "possible",
            "currency",
            "price",
            "owed_at_least",
            "owed_at_most",
        ];
        let mut written = csv.write_record(head);
        for ((day, _), Line { tally, price }) in &self.lines {
            let plain = |calls| price.as_ref().map(|price| price.plain(calls)).unwrap_or_default();
            written = written.and_then(|()| {
                csv.write_record([
                    day.to_string(),
                    tally.calls.to_string(),
                    tally.confirmed.to_string(),
                    tally.possible.total().to_string(),
                    price.as_ref().map(|p| p.currency.code().to_owned()).unwrap_or_default(),
                    plain(1),
                    plain(tally.at_least()),
                    plain(tally.at_most()),
                ])
            });
        }
        let bytes = written
            .map_err(|error| error.to_string())
            .and_then(|()| csv.into_inner().map_err(|error| error.to_string()));
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        text.map_err(|why| {
            Error::plain(ExitCode::Internal, format!("the month cannot be written as CSV: {why}"))
        })
    }

    fn as_text(&self) -> String {
        let mut text = format!(
            "month  {}, by billing day ({})\n\n{:<10}  {:>9}  {:>9}  {:>9}  {:>16}  {:>16}\n",
            self.name(),
            self.clock,
            "day",
            "calls",
            "charged",
            "possible",
            "at least",
            "at most"
        );
        let row = |name: &str, Line { tally, price }: &Line| {
            let [calls, charged, possible] = sums(tally);
            let show =
                |calls| price.as_ref().map_or_else(|| "no price".to_owned(), |p| p.show(calls));
            let (least, most) = (show(tally.at_least()), show(tally.at_most()));
            format!(
                "{name:<10}  {calls:>9}  {charged:>9}  {possible:>9}  {least:>16}  {most:>16}\n"
            )
        };
        for ((day, _), line) in &self.lines {
            text += &row(&day.to_string(), line);
        }
        let totals = self.totals();
        if totals.is_empty() {
            return text + "no calls\n";
        }
        text += "\n";
        for total in &totals {
            text += &row("all", total);
        }
        if self.without_time > 0 {
            let calls = count(self.without_time, "call");
            text += &format!("\n{calls} without a time of the vendor: by the clock above\n");
        }
        if self.purged > 0 {
            let calls = count(self.purged, "call");
            text += &format!(
                "\n{calls} whose answers were removed (ceknik purge): by the days of that time, at --price\n"
            );
        }
        if totals.iter().any(|total| total.price.is_none() && total.tally.at_most() > 0) {
            text += "\nsome starts recorded no price: give it with --price\n";
        }
        text
    }
}
