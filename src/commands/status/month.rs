//! `ceknik status --month`: the calls of a month and their charges by billing day, as the vendor's
//! invoice has them.
//!
//! Must hold: a call is on the day of the vendor's own time. Amounts are at the price that the start
//! of the call has recorded, and otherwise at the price that the user gives.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::show::{date, in_json, sums, to_json};
use crate::cli::StatusArgs;
use crate::commands::prices::prices_of;
use crate::error::Error;
use crate::ledger::{CallsInTime, ShowLedger};
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
    /// Calls by day and kind; days without calls are left out.
    lines: BTreeMap<(Date, LineKey), Line>,
    /// Number of calls without a time of the vendor.
    without_time: u64,
    /// Number of calls that are not settled.
    unsettled: u64,
}

/// Kind of calls, by which the calls of a day are kept apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct LineKey {
    /// True for calls whose answers were purged. Only their days are known, of another clock.
    is_purged: bool,
    /// Currency and price; `None` for calls without a price.
    price: Option<(String, u64)>,
}

/// Calls of one day at one price.
#[derive(Debug, Clone, Default)]
struct Line {
    tally: Tally,
    price: Option<Price>,
}

/// Returns the text about a month. `given` is the price of calls without a recorded one.
///
/// # Errors
/// Exit code 18: the ledger cannot be read.
pub(super) fn show(
    ledger: &impl ShowLedger,
    first: Date,
    args: &StatusArgs,
    given: Option<Price>,
    zone: &Zone,
) -> Result<String, Error> {
    let flags = &args.month;
    let (from, to) = times_around(first);
    let vendor_clock = ledger.vendor_clock()?;
    let starts_at = flags.day_starts.minutes();
    let days = BillingDays { clock: vendor_clock, zone: zone.clone(), starts_at };
    let calls = ledger.calls(from, to)?;
    let minutes: Vec<_> = calls.all_minutes().collect();
    let prices = prices_of(ledger, &minutes)?;
    let price = |start| prices.get(&start).cloned().or_else(|| given.clone());
    let month = Month::of(first, days, &calls, price, given.as_ref());
    match (args.json, flags.csv) {
        (true, _) => to_json(&month.as_json()),
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

impl Month {
    fn of(
        first: Date,
        days: BillingDays,
        calls: &CallsInTime,
        price: impl Fn(StartId) -> Option<Price>,
        given: Option<&Price>,
    ) -> Self {
        let lines = BTreeMap::new();
        let mut month = Self { first, days, lines, without_time: 0, unsettled: 0 };
        let open = calls
            .open
            .iter()
            .filter(|open| month.days.day_of(None, open.at).is_some_and(|day| month.has(day.date)));
        month.unsettled = open.map(|open| open.calls).sum();
        for minute in calls.all_minutes() {
            let day = month.days.day_of(minute.vendor_minute.as_deref(), minute.at);
            let Some(day) = day.filter(|day| month.has(day.date)) else { continue };
            if !day.is_vendors {
                month.without_time += minute.tally.calls;
            }
            month.add(day.date, &minute.tally, price(minute.start), false);
        }
        for total in &calls.purged {
            let day = date(total.day).parse().ok().filter(|day| month.has(*day));
            if let Some(day) = day {
                month.add(day, &total.tally, given.cloned(), true);
            }
        }
        month
    }

    /// Describes the clock of calls without a time of the vendor.
    fn clock(&self) -> String {
        match self.days.clock.name() {
            Some(offset) => format!("UTC{offset}, the vendor's clock"),
            None => {
                let zone = self.days.zone.name(times_around(self.first).0);
                format!(
                    "the day in the vendor's answer; without one that of {zone}, see --time-zone"
                )
            }
        }
    }

    fn has(&self, day: Date) -> bool {
        (day.year(), day.month()) == (self.first.year(), self.first.month())
    }

    fn add(&mut self, day: Date, tally: &Tally, price: Option<Price>, is_purged: bool) {
        // What was never sent is on no invoice.
        if tally.calls == 0 {
            return;
        }
        let of = |price: &Price| (price.currency.code().to_owned(), price.per_call);
        let key = LineKey { is_purged, price: price.as_ref().map(of) };
        let line = self.lines.entry((day, key)).or_default();
        line.tally = line.tally + *tally;
        line.price = price;
    }

    /// Returns the sum of all days for each kind of calls.
    fn totals(&self) -> Vec<(&LineKey, Line)> {
        let mut totals: BTreeMap<&LineKey, Line> = BTreeMap::new();
        for ((_, key), line) in &self.lines {
            let total = totals.entry(key).or_default();
            total.tally = total.tally + line.tally;
            total.price.clone_from(&line.price);
        }
        totals.into_iter().collect()
    }

    fn name(&self) -> String {
        self.first.strftime("%Y-%m").to_string()
    }

    fn as_json(&self) -> Value {
        let figures = |key: &LineKey, line: &Line| {
            let amount = |calls| line.price.as_ref().map(|price| in_json(price.of(calls)));
            json!({
                "calls": line.tally.calls, "charged": line.tally.confirmed,
                "possible": line.tally.possible.total(),
                "currency": line.price.as_ref().map(|price| price.currency.code()),
                "price": line.price.as_ref().map(|price| price.per_call),
                "owed_at_least": amount(line.tally.at_least()),
                "owed_at_most": amount(line.tally.at_most()), "purged": key.is_purged,
            })
        };
        let day = |((day, key), line): (&(Date, LineKey), &Line)| {
            let mut shown = figures(key, line);
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("day".to_owned(), day.to_string().into());
            }
            shown
        };
        let starts_at = i64::from(self.days.starts_at);
        json!({
            "version": VERSION, "month": self.name(), "vendor_clock": self.days.clock.name(),
            "day_starts": format!("{:02}:{:02}", starts_at / 60, starts_at % 60),
            "days": self.lines.iter().map(day).collect::<Vec<_>>(),
            "totals": self.totals().iter().map(|(key, line)| figures(key, line)).collect::<Vec<_>>(),
            "calls_without_a_time": self.without_time, "unsettled": self.unsettled,
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
            "purged",
        ];
        let mut written = csv.write_record(head);
        for ((day, key), Line { tally, price }) in &self.lines {
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
                    if key.is_purged { "yes" } else { "no" }.to_owned(),
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
            self.clock(),
            "day",
            "calls",
            "charged",
            "possible",
            "at least",
            "at most"
        );
        let row = |name: &str, key: &LineKey, Line { tally, price }: &Line| {
            let [calls, charged, possible] = sums(tally);
            let show =
                |calls| price.as_ref().map_or_else(|| "no price".to_owned(), |p| p.show(calls));
            let (least, most) = (show(tally.at_least()), show(tally.at_most()));
            let mark = if key.is_purged { " *" } else { "" };
            format!(
                "{name:<10}  {calls:>9}  {charged:>9}  {possible:>9}  {least:>16}  {most:>16}{mark}\n"
            )
        };
        for ((day, key), line) in &self.lines {
            text += &row(&day.to_string(), key, line);
        }
        let totals = self.totals();
        text += if totals.is_empty() { "no calls\n" } else { "\n" };
        for (key, total) in &totals {
            text += &row("all", key, total);
        }
        text += &self.notes(&totals);
        text
    }

    /// Returns the notes below the table.
    fn notes(&self, totals: &[(&LineKey, Line)]) -> String {
        let mut text = String::new();
        if self.unsettled > 0 {
            let calls = count(self.unsettled, "call");
            text += &format!(
                "\n{calls} without an answer count as possible: under way, or in doubt when the file is run again\n"
            );
        }
        if self.without_time > 0 {
            let calls = count(self.without_time, "call");
            text += &format!("\n{calls} without the vendor's time: by the clock above\n");
        }
        if totals.iter().any(|(key, _)| key.is_purged) {
            text += "\n* answers that were removed later (ceknik purge): by day as counted then, at --price\n";
        }
        if totals.iter().any(|(_, total)| total.price.is_none() && total.tally.at_most() > 0) {
            text += "\nno price was recorded for some calls: give it with --price\n";
        }
        text
    }
}
