//! `ceknik status`: what the ledger knows, for people or as JSON. Never takes the lock.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::cli::StatusArgs;
use crate::config::{Origins, which_ledger};
use crate::error::Error;
use crate::ledger::{self, DayTotal, Doubt, LedgerName, RunLine, Shown, Status};
use crate::model::attempt::WallMs;
use crate::model::exit_code::ExitCode;
use crate::model::money::{Tally, number};
use crate::model::subject::mask_digits;
use crate::model::text::fit;
use crate::output::local;

/// The version of the JSON's shape.
const VERSION: u32 = 1;
/// Doubts that are listed one by one.
const MOST_DOUBTS: u64 = 1000;
/// Doubts that are listed for people.
const SHOWN_DOUBTS: usize = 20;

/// Shows the ledger. Returns the exit code.
///
/// # Errors
/// The ledger is not there, cannot be read, or has lost facts.
pub fn status(args: &StatusArgs, origins: &Origins) -> Result<ExitCode, Error> {
    let location = which_ledger(&args.which, None, origins)?;
    let ledger = ledger::look(&location.ledger)?;
    let status = ledger.status(utc_offset_ms(), MOST_DOUBTS)?;
    let text = if args.json {
        serde_json::to_string_pretty(&as_json(&status)).unwrap_or_default() + "\n"
    } else {
        as_text(&status, ledger.name())
    };
    let code = super::print(fit(&text).as_bytes())?;
    // What is left is worth a look, and is not all.
    ledger.check_whole()?;
    Ok(code)
}

/// The local zone's offset now. Indonesia has no summer time.
pub(super) fn utc_offset_ms() -> i64 {
    i64::from(TimeZone::system().to_offset(Timestamp::now()).seconds()) * 1000
}

fn as_json(status: &Status) -> Value {
    let tally = |tally: &Tally| serde_json::to_value(tally).unwrap_or_default();
    let run = |run: &RunLine| {
        json!({
            "run": run.id.0, "input": mask_digits(&run.label), "rows": run.rows, "state": run.state,
            "created_at": stamp(run.created_at), "ended_at": run.ended_at.map(stamp),
            "starts": run.starts, "last_stop": run.last_stop, "last_exit": run.last_exit,
            "tally": tally(&run.tally),
        })
    };
    let doubt = |doubt: &Doubt| {
        json!({
            "run": doubt.run.0, "record": doubt.record, "sent_at": stamp(doubt.at),
            "how": doubt.class.name(),
        })
    };
    let day = |total: &DayTotal| json!({"day": date(total.day), "tally": tally(&total.tally)});
    json!({
        "version": VERSION,
        "origin": status.origin,
        "runs": status.runs.iter().map(run).collect::<Vec<_>>(),
        "in_doubt": status.doubts_total,
        "doubts": status.doubts.iter().map(doubt).collect::<Vec<_>>(),
        "unsettled": status.unsettled,
        "days": status.days.iter().map(day).collect::<Vec<_>>(),
    })
}

fn as_text(status: &Status, name: &LedgerName) -> String {
    let sums = |tally: &Tally| [tally.calls, tally.confirmed, tally.possible.total()].map(number);
    let mut text = format!("ledger {name}\nof     {}\n\n", status.origin);
    text += &format!(
        "{:>5}  {:<16}  {:<10}  {:>10}  {:>10}  {:>10}  {:>9}  {:>6}  {}\n",
        "run", "started", "state", "rows", "calls", "charged", "possible", "starts", "input"
    );
    for run in &status.runs {
        let state = match (&run.last_stop, run.state.as_str()) {
            (Some(stop), "open") => stop.as_str(),
            (_, state) => state,
        };
        let [calls, charged, possible] = sums(&run.tally);
        text += &format!(
            "{:>5}  {:<16}  {state:<10}  {:>10}  {calls:>10}  {charged:>10}  {possible:>9}  {:>6}  {}\n",
            run.id.0,
            local(run.created_at, "%Y-%m-%d %H:%M"),
            number(run.rows),
            run.starts,
            // Again: it may have been made when less was masked.
            mask_digits(&run.label)
        );
    }
    text += &format!("\n{:<10}  {:>10}  {:>10}  {:>9}\n", "day", "calls", "charged", "possible");
    for DayTotal { day, tally } in &status.days {
        let (day, [calls, charged, possible]) = (date(*day), sums(tally));
        text += &format!("{day:<10}  {calls:>10}  {charged:>10}  {possible:>9}\n");
    }
    if status.doubts_total > 0 {
        text += &format!("\n{} in doubt (sent, no result came)\n", number(status.doubts_total));
        for doubt in status.doubts.iter().take(SHOWN_DOUBTS) {
            let (run, record, how) = (doubt.run.0, doubt.record, doubt.class.name());
            text += &format!("  run {run}, record {record}, sent {}, {how}\n", stamp(doubt.at));
        }
        if status.doubts_total > SHOWN_DOUBTS as u64 {
            text += "  … (more with --json)\n";
        }
    }
    if status.unsettled > 0 {
        let calls = number(status.unsettled);
        text += &format!("\n{calls} calls in flight, or in doubt if no run is under way\n");
    }
    text
}

fn stamp(at: WallMs) -> String {
    local(at, "%Y-%m-%dT%H:%M:%S%:z")
}

fn date(day: i64) -> String {
    let epoch = jiff::civil::date(1970, 1, 1);
    epoch.checked_add(day.days()).map(|date| date.to_string()).unwrap_or_default()
}
