//! `ceknik status`: shows the content of the ledger, for people or as JSON.
//!
//! Never: takes the lock.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::cli::StatusArgs;
use crate::config::{Origins, which_ledger};
use crate::error::Error;
use crate::ledger::{self, DayTotal, Doubt, LedgerName, RunLine, ShowLedger, Status, WorkerLine};
use crate::model::attempt::WallMs;
use crate::model::characters::terminal_safe;
use crate::model::exit_code::ExitCode;
use crate::model::mask::mask_digits;
use crate::model::money::{Tally, number};
use crate::output::local;

/// Version of the shape as JSON.
const VERSION: u32 = 1;
/// Largest number of doubts that are listed one by one.
const MOST_DOUBTS: u64 = 1000;
/// Largest number of doubts that are listed for people.
const SHOWN_DOUBTS: usize = 20;

/// Shows the ledger. Returns the exit code.
///
/// # Errors
/// Exit code 2: `--base-url` was typed together with `--sandbox`. Exit code 11: there is no ledger,
/// or its location cannot be found out. Exit code 18: the ledger cannot be read, facts are missing
/// from it, or standard output cannot be written.
pub fn status(args: &StatusArgs, origins: &Origins) -> Result<ExitCode, Error> {
    let location = which_ledger(&args.which, None, origins)?;
    let ledger = ledger::open_to_show(&location)?;
    let status = ledger.status(utc_offset_ms(), MOST_DOUBTS)?;
    let text = if args.json {
        to_json(&as_json(&status, ledger.name().is_shared()))?
    } else {
        as_text(&status, ledger.name())
    };
    let code = super::print(terminal_safe(&text).as_bytes())?;
    // The remains of a damaged ledger are shown first, and the error follows.
    ledger.check_nothing_lost()?;
    Ok(code)
}

/// Returns the current UTC offset of the local zone in milliseconds. It is used for all days,
/// because Indonesia has no summer time.
pub(super) fn utc_offset_ms() -> i64 {
    i64::from(TimeZone::system().to_offset(Timestamp::now()).seconds()) * 1000
}

/// Formats a value as JSON, one field a line.
fn to_json(value: &Value) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(value).map_err(|error| {
        Error::plain(ExitCode::Internal, format!("the status cannot be written as JSON: {error}"))
    })?;
    Ok(text + "\n")
}

fn as_json(status: &Status, is_shared: bool) -> Value {
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
    let worker = |worker: &WorkerLine| {
        json!({
            "run": worker.run.0, "host": worker.host, "since": stamp(worker.since),
            "state": worker_state(worker), "left": worker.left,
        })
    };
    let mut shown = json!({
        "version": VERSION,
        "origin": status.origin,
        "runs": status.runs.iter().map(run).collect::<Vec<_>>(),
        "in_doubt": status.doubts_total,
        "doubts": status.doubts.iter().map(doubt).collect::<Vec<_>>(),
        "unsettled": status.unsettled,
        "days": status.days.iter().map(day).collect::<Vec<_>>(),
    });
    // Only a shared ledger has workers.
    if is_shared && let Some(fields) = shown.as_object_mut() {
        fields.insert("workers".to_owned(), status.workers.iter().map(worker).collect());
    }
    shown
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
            // The label is masked again: an earlier version, which masked less, may have stored it.
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
    if !status.workers.is_empty() {
        text += &format!(
            "\n{:>5}  {:<16}  {:<10}  {:>10}  {}\n",
            "run", "since", "worker", "left", "machine"
        );
    }
    for worker in &status.workers {
        text += &format!(
            "{:>5}  {:<16}  {:<10}  {:>10}  {}\n",
            worker.run.0,
            local(worker.since, "%Y-%m-%d %H:%M"),
            worker_state(worker),
            number(worker.left),
            worker.host
        );
    }
    if status.unsettled > 0 {
        let calls = number(status.unsettled);
        text += &format!("\n{calls} calls in flight, or in doubt if no run is under way\n");
    }
    text
}

/// Returns the word for the state of a worker.
const fn worker_state(worker: &WorkerLine) -> &'static str {
    if worker.lives { "alive" } else { "silent" }
}

fn stamp(at: WallMs) -> String {
    local(at, "%Y-%m-%dT%H:%M:%S%:z")
}

fn date(day: i64) -> String {
    let epoch = jiff::civil::date(1970, 1, 1);
    epoch.checked_add(day.days()).map(|date| date.to_string()).unwrap_or_default()
}
