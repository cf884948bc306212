//! `ceknik status`: shows the content of the ledger, for people or as JSON: an overview, one run in
//! full, the calls of a month, or what to ask the vendor about.
//!
//! Never: takes the lock, or shows a NIK or a name, except in the file of `--doubts`.

mod doubts;
mod month;
mod run;
mod show;

use serde_json::{Value, json};

use self::show::{date, stamp, sums, to_json};
use crate::cli::StatusArgs;
use crate::clock;
use crate::config::{Origins, price_of_flags, which_ledger, zone};
use crate::error::Error;
use crate::ledger::{
    self, DayTotal, Doubt, LedgerName, RunId, RunLine, ShowLedger, Status, UnderWay, WorkerLine,
};
use crate::model::attempt::WallMs;
use crate::model::characters::terminal_safe;
use crate::model::exit_code::ExitCode;
use crate::model::mask::mask_digits;
use crate::model::money::{Tally, number};
use crate::model::stop::StopReason;
use crate::model::zone::Zone;
use crate::output::{Limits, count, in_words, limit_words};
use crate::rules::rate::Learned;

/// Version of the shape as JSON.
const VERSION: u32 = 1;
/// Largest number of doubts that are listed one by one.
const MOST_DOUBTS: u64 = 1000;
/// Largest number of doubts that are listed for people.
const SHOWN_DOUBTS: usize = 20;

/// Largest number of runs, and of days, that are listed for people, unless all are asked for.
const SHOWN_RUNS: usize = 20;
const SHOWN_DAYS: usize = 31;

/// Shows the ledger. Returns the exit code.
///
/// # Errors
/// Exit code 2: `--base-url` was typed together with `--sandbox`, or a value cannot be used. Exit
/// code 10: the ledger has no such run, or the input cannot be used. Exit code 11: there is no ledger,
/// its location cannot be found out, or the file of doubts cannot be written. Exit code 18: the ledger
/// cannot be read, facts are missing from it, or standard output cannot be written.
pub fn status(args: &StatusArgs, origins: &Origins) -> Result<ExitCode, Error> {
    let location = which_ledger(&args.which, args.key.key_file.clone(), origins)?;
    let zone = zone(&args.zone)?;
    if args.doubts.doubts {
        return doubts::write(&args.doubts, &location, &zone);
    }
    let mut ledger = ledger::open_to_show(&location)?;
    if args.run.is_some() || args.month.month.is_some() {
        ledger.read_one_moment()?;
    }
    // The list of runs needs no price, so a wrong variable does not stop it.
    let price = || price_of_flags(args.month.price.as_deref(), &args.month.currency);
    let text = match (args.run, args.month.month) {
        (Some(number), _) => run::show(&ledger, RunId(number), args.json, price()?, &zone)?,
        (None, Some(first)) => month::show(&ledger, first, args, price()?, &zone)?,
        (None, None) => {
            let status = ledger.status(zone.offset_ms(clock::now()), MOST_DOUBTS)?;
            match args.json {
                true => to_json(&as_json(&status, ledger.name().is_shared(), &zone))?,
                false => as_text(&status, ledger.name(), &zone, args.all),
            }
        }
    };
    let code = super::print(terminal_safe(&text).as_bytes())?;
    // The remains of a damaged ledger are shown first, and the error follows.
    ledger.check_nothing_lost()?;
    Ok(code)
}

fn as_json(status: &Status, is_shared: bool, zone: &Zone) -> Value {
    let stamp = |at| stamp(at, zone);
    let tally = |tally: &Tally| serde_json::to_value(tally).unwrap_or_default();
    let run = |run: &RunLine| {
        json!({
            "run": run.id.0, "input": mask_digits(&run.label), "rows": run.rows, "state": run.state,
            "created_at": stamp(run.created_at), "ended_at": run.ended_at.map(&stamp),
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
    let under_way = |run: &UnderWay| {
        json!({
            "run": run.run.0, "process": run.holder.map(|holder| holder.process),
            "since": stamp(run.since), "pairs_done": run.pairs_done, "pairs": run.pairs,
            "percent": percent(run), "calls_per_second": run.calls_per_second,
            "done_at": run.done_at.map(stamp), "pause": run.pause,
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
        "under_way": status.under_way.iter().map(under_way).collect::<Vec<_>>(),
        "utc_offset": stamp(clock::now()).split_off(19),
        "days": status.days.iter().map(day).collect::<Vec<_>>(),
        "vendor_allows": learned(status).and_then(|(known, _)| Limits::of(&known)),
        "vendor_clock": status.vendor_clock.name(),
    });
    // Only a shared ledger has workers.
    if is_shared && let Some(fields) = shown.as_object_mut() {
        fields.insert("workers".to_owned(), status.workers.iter().map(worker).collect());
    }
    shown
}

fn as_text(status: &Status, name: &LedgerName, zone: &Zone, all: bool) -> String {
    let mut text = format!("ledger {name}\nvendor {}\n", status.origin);
    text += &format!("clock  {}\n\n", status.vendor_clock.in_words());
    text += &runs_words(&status.runs, zone, all);
    for run in &status.under_way {
        text += &under_way_words(run, zone);
    }
    text += &days_words(&status.days, zone, all);
    if let Some((known, at)) = learned(status)
        && let Some(limit) = limit_words(&known)
    {
        let at = zone.show(at, "%F %H:%M");
        text += &format!("\nthe vendor allowed {limit} (found {at})\n");
    }
    text += &doubts_words(status, zone);
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
            zone.show(worker.since, "%F %H:%M"),
            worker_state(worker),
            number(worker.left),
            worker.host
        );
    }
    if status.unsettled > 0 {
        let calls = count(status.unsettled, "call");
        let meaning = match status.under_way.is_empty() && status.workers.is_empty() {
            true => "without an answer may be charged too: in doubt when the file is run again",
            false => "under way, in no figure above",
        };
        text += &format!("\n{calls} {meaning}\n");
    }
    text
}

/// Formats the runs, the latest ones only unless all are asked for. Each column is as wide as its
/// widest cell, so that the table fits a terminal where that is possible.
fn runs_words(runs: &[RunLine], zone: &Zone, all: bool) -> String {
    let older = if all { 0 } else { runs.len().saturating_sub(SHOWN_RUNS) };
    let head = ["run", "started", "state", "rows", "calls", "charged", "possible", "input"];
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(runs.iter().skip(older).map(|run| run_cells(run, zone)));
    let width = |at: usize| lines.iter().map(|cells| cells[at].chars().count()).max();
    let widths: [usize; 8] = std::array::from_fn(|at| width(at).unwrap_or_default());
    let mut text = String::new();
    for (n, cells) in lines.iter().enumerate() {
        if n == 1 && older > 0 {
            text += &format!("  …  {}: --all\n", count(older as u64, "older run"));
        }
        let padded = cells.iter().zip(widths).enumerate().map(|(at, (cell, width))| match at {
            // Times and states are at the left. The input is the last column.
            1 | 2 => format!("{cell:<width$}"),
            7 => cell.clone(),
            _ => format!("{cell:>width$}"),
        });
        text += &format!("{}\n", padded.collect::<Vec<_>>().join("  "));
    }
    text
}

fn run_cells(run: &RunLine, zone: &Zone) -> [String; 8] {
    let state = match (&run.last_stop, run.state.as_str()) {
        (Some(stop), "open") => StopReason::in_words(stop),
        (_, state) => state.to_owned(),
    };
    let [calls, charged, possible] = sums(&run.tally);
    [
        run.id.0.to_string(),
        zone.show(run.created_at, "%F %H:%M"),
        state,
        number(run.rows),
        calls,
        charged,
        possible,
        // The label is masked again: an earlier version, which masked less, may have stored it.
        mask_digits(&run.label).into_owned(),
    ]
}

/// Formats the days, the latest ones only unless all are asked for.
fn days_words(days: &[DayTotal], zone: &Zone, all: bool) -> String {
    let offset = zone.show(clock::now(), "%:z");
    let mut text = format!(
        "\n{:<10}  {:>10}  {:>10}  {:>9}   (days at UTC{offset}; for the invoice: --month)\n",
        "day", "calls", "charged", "possible"
    );
    let older = if all { 0 } else { days.len().saturating_sub(SHOWN_DAYS) };
    if older > 0 {
        text += &format!("…  {}: --all\n", count(older as u64, "earlier day"));
    }
    for DayTotal { day, tally } in days.iter().skip(older) {
        let (day, [calls, charged, possible]) = (date(*day), sums(tally));
        text += &format!("{day:<10}  {calls:>10}  {charged:>10}  {possible:>9}\n");
    }
    text
}

/// Returns what is known of the vendor's limits and since when, unless it is too old.
fn learned(status: &Status) -> Option<(Learned, WallMs)> {
    let known = status.learned?;
    Some((known.if_fresh(clock::now())?, known.at))
}

/// Formats the latest attempts in doubt. Returns an empty text if there are none.
fn doubts_words(status: &Status, zone: &Zone) -> String {
    if status.doubts_total == 0 {
        return String::new();
    }
    let mut text =
        format!("\n{} in doubt (sent, but no answer came)\n", count(status.doubts_total, "call"));
    for doubt in status.doubts.iter().take(SHOWN_DOUBTS) {
        let (run, row, at) = (doubt.run.0, doubt.record, zone.show(doubt.at, "%F %T"));
        text += &format!("  run {run}, customer {row}, sent {at}: {}\n", in_words(doubt.class));
    }
    if status.doubts_total > SHOWN_DOUBTS as u64 {
        text += "  … (more with --json)\n";
    }
    text += "  to list all calls that may be charged, add to this command: --doubts -o FILE --input INPUT\n";
    text
}

/// Formats a run under way: `run 2 is under way (process 1234, since 22:00): 38 %, …`.
fn under_way_words(run: &UnderWay, zone: &Zone) -> String {
    let now = clock::now();
    let process = run.holder.map(|holder| format!("process {}, ", holder.process));
    let done = run.done_at.map(|at| format!(", done about {}", zone.show_clock(at, now)));
    let pause = run.pause.as_deref().map(|pause| match pause {
        "outage" => ", paused: the vendor is down or cannot be reached",
        "rate_limited" => ", paused: the vendor refuses calls for a while",
        _ => ", stopping",
    });
    format!(
        "\nrun {} is under way ({}since {}): {} %, {:.1} calls/s{}{}\n",
        run.run.0,
        process.unwrap_or_default(),
        zone.show_clock(run.since, now),
        percent(run),
        run.calls_per_second,
        done.unwrap_or_default(),
        pause.unwrap_or_default()
    )
}

/// Returns how much of a run is done, in whole percent.
fn percent(run: &UnderWay) -> u64 {
    (u128::from(run.pairs_done) * 100 / u128::from(run.pairs.max(1))) as u64
}

/// Returns the word for the state of a worker.
const fn worker_state(worker: &WorkerLine) -> &'static str {
    if worker.lives { "alive" } else { "silent" }
}
