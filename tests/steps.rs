//! Kills at each single step of a run: before each write, cut, sync and rename of a file, before
//! each send, and when each answer has come. So the program is killed after each row's intent,
//! permission to send, send and answer, then before the output's rename and before the ledger's
//! merge.
//!
//! The steps are found by tracing an undisturbed run. One call is in flight at a time, so that the
//! steps have a fixed order. The vendor's call log shows what was sent and charged.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;
use support::faults::{ANY, Act, Fault, trace};
use support::money::Charges;
use support::table::count;
use support::{
    Call, LEDGER, Running, Vendor, Workspace, billed, bought_once, many_people, run_arguments,
};

const ROWS: usize = 5;
/// Number of kills at the same time.
const AT_A_TIME: usize = 4;
const ALONE: [&str; 6] = ["--concurrency", "1", "--ledger", "disk/my.ledger", "-o", "out.csv"];

fn place() -> Workspace {
    let place = Workspace::new();
    std::fs::create_dir(place.path("disk")).unwrap();
    place.write("in.csv", many_people(ROWS as u32));
    place
}

/// Runs the program in this place. `put` may change the command first. Returns the exit code, or -1
/// after a kill.
fn run(place: &Workspace, vendor: &Vendor, put: impl FnOnce(&mut std::process::Command)) -> i32 {
    let mut command = place.command(&run_arguments("in.csv", &vendor.base_url, &ALONE));
    put(&mut command);
    // A process that was killed has no exit code.
    Running::start(command).end().code.unwrap_or(-1)
}

/// Returns the steps of an undisturbed run: the kind of each call and the name of its file.
fn steps(place: &Workspace, vendor: &Vendor) -> Vec<String> {
    let (folder, into) = (place.path(""), place.path("trace"));
    let code = run(place, vendor, |command| trace(command, ANY, folder.to_str().unwrap(), &into));
    assert_eq!(code, 0);
    place.read("trace").lines().map(str::to_owned).collect()
}

/// Checks that the charges in the ledger cover the calls that the vendor bills. A call that is not
/// settled may be charged.
fn check_money(status: &Value, calls: &[Call]) {
    let unsettled = status["unsettled"].as_u64().unwrap();
    assert!(unsettled <= 1, "{unsettled} open calls, and one may be in flight");
    // Later runs buy nothing.
    let charges = Charges::of_first_run(status).with_possible(unsettled);
    assert!(charges.covers(billed(calls)), "{} billed, but {charges:?}", billed(calls));
}

/// Kills a run before this step, and runs it again. Returns the number of rows in doubt.
fn killed_before(at: usize, step: &str, vendor: &Vendor, undisturbed: &[String]) -> usize {
    let place = place();
    let before = vendor.count();
    let mark = place.path("mark");
    let folder = place.path("");
    let fault = Fault { calls: ANY, path: folder.to_str().unwrap(), at, act: Act::Kill };
    let what = format!("step {at}, before {step}");
    let code = run(&place, vendor, |command| fault.put_upon(command, &mark));
    assert!(mark.exists() && code == -1, "{what}: not killed");

    let at_kill = place.status_if_any(&LEDGER[..2]);
    let calls = vendor.calls().split_off(before);
    match &at_kill {
        Some(status) => check_money(status, &calls),
        None => assert_eq!(calls.len(), 0, "{what}: calls, and no ledger"),
    }
    let plan = ["plan", "in.csv", "--ledger", "disk/my.ledger", "--base-url", &vendor.base_url];
    let ended = place.ceknik(&plan);
    assert_eq!(ended.code, Some(0), "{what}: {}", ended.stderr);
    let code = run(&place, vendor, |_| {});
    // A finished run stays finished: running it again buys nothing.
    assert_eq!(run(&place, vendor, |_| {}), code, "{what}");
    let calls = vendor.calls().split_off(before);
    bought_once(&calls);
    check_money(&place.status(&LEDGER[..2]), &calls);
    let outcomes = place.column("out.csv", "ck_outcome");
    let pairs = outcomes.iter().zip(undisturbed);
    let doubts = pairs.filter(|(outcome, expected)| outcome != expected).count();
    let in_doubt = count(&outcomes, "in_doubt");
    assert_eq!((outcomes.len(), doubts), (ROWS, in_doubt), "{what}: {outcomes:?}");
    assert!(in_doubt <= 1, "{what}: {in_doubt} in doubt");
    assert_eq!(code, if in_doubt == 0 { 0 } else { 3 }, "{what}");
    // Each row was sent or is in doubt.
    let unasked = ROWS - calls.len();
    assert!(unasked <= in_doubt, "{what}: {} calls, {in_doubt} in doubt", calls.len());
    in_doubt
}

#[test]
fn killed_at_each_step() {
    let calm = place();
    let vendor = Vendor::start(&calm, &[]);
    let steps = steps(&calm, &vendor);
    let undisturbed = calm.column("out.csv", "ck_outcome");
    // For each kind of step: the number of kills before it, and the number of rows that they left
    // in doubt.
    let met: Mutex<BTreeMap<&str, (usize, usize)>> = Mutex::default();
    let next = AtomicUsize::new(0);
    // Runs wait for the disk more than they use the CPU.
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                let own = Workspace::new();
                let vendor = Vendor::start(&own, &[]);
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(step) = steps.get(at)
                {
                    let doubts = killed_before(at + 1, step, &vendor, &undisturbed);
                    let mut met = met.lock().unwrap();
                    let (times, in_doubt) = met.entry(step).or_default();
                    (*times, *in_doubt) = (*times + 1, *in_doubt + doubts);
                }
            });
        }
    });
    let met = met.into_inner().unwrap();
    println!("{} kills, by what came next (and how many left a doubt): {met:#?}", steps.len());
    // The steps of a call occurred once for each row, and the rename of the output once.
    assert_eq!(met["send socket"], (ROWS, ROWS), "after the intent and the permit");
    assert_eq!(met["recv socket"], (ROWS, ROWS), "after the send and the answer");
    assert_eq!(met["rename out.csv"], (1, 0), "before the rename");
    let rename = steps.iter().position(|step| step == "rename out.csv").unwrap();
    let after = steps[rename..].iter().filter(|step| *step == "sync my.ledger-wal").count();
    assert!(after >= 3, "before the merge: the last of the ledger's commits");
}
