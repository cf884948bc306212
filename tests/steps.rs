//! Killed at each single step of a run: before each write, cut, sync and rename of its files, before each send, and
//! when each answer has come. So at every row: after the intent, after the permit, after the send, after the answer;
//! then before the output's rename and before the merge of what is known.
//!
//! The steps are found by tracing a run that nobody disturbs. One call is in flight at a time, so that its steps have
//! one order. The vendor's call log is the truth about what was sent and charged.

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
use support::{Call, Place, Running, Vendor};
use support::{billed, bought_once, many_people, run_arguments};

const ROWS: usize = 5;
/// Kills at a time.
const AT_A_TIME: usize = 4;
const ALONE: [&str; 6] = ["--concurrency", "1", "--ledger", "disk/my.ledger", "-o", "out.csv"];

fn place() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("disk")).unwrap();
    place.write("in.csv", many_people(ROWS as u32));
    place
}

/// Runs in this place, with what is put upon the program.
fn run(place: &Place, vendor: &Vendor, put: impl FnOnce(&mut std::process::Command)) -> i32 {
    let mut command = place.command(&run_arguments("in.csv", &vendor.base_url, &ALONE));
    put(&mut command);
    // A kill has no code.
    Running::start(command).end().code.unwrap_or(-1)
}

/// The steps of a run: what kind of call, of which file.
fn steps(place: &Place, vendor: &Vendor) -> Vec<String> {
    let (folder, into) = (place.path(""), place.path("trace"));
    let code = run(place, vendor, |command| trace(command, ANY, folder.to_str().unwrap(), &into));
    assert_eq!(code, 0);
    place.read("trace").lines().map(str::to_owned).collect()
}

/// What the ledger says of the run; `None` where there is none yet.
fn status(place: &Place) -> Option<Value> {
    let ended = place.ceknik(&["status", "--json", "--ledger", "disk/my.ledger"]);
    match ended.code {
        Some(0) => Some(serde_json::from_str(&ended.stdout).unwrap()),
        // Not made yet.
        Some(11) => None,
        code => panic!("status ends with {code:?}: {}", ended.stderr),
    }
}

/// Confirmed charges, and those that are possible or may still turn out so.
fn charges(status: &Value) -> (u64, u64) {
    // A later one buys nothing.
    let runs = status["runs"].as_array().unwrap();
    let run = runs.iter().find(|run| run["run"] == 1).map_or(&Value::Null, |run| &run["tally"]);
    let possible = run["possible"].as_object().into_iter().flat_map(|kinds| kinds.values());
    let possible: u64 = possible.map(|kind| kind.as_u64().unwrap()).sum();
    let unsettled = status["unsettled"].as_u64().unwrap();
    assert!(unsettled <= 1, "{unsettled} open calls, and one may be in flight");
    (run["confirmed"].as_u64().unwrap_or(0), possible + unsettled)
}

fn check_money(status: &Value, calls: &[Call]) {
    let (confirmed, possible) = charges(status);
    let billed = billed(calls);
    assert!(
        confirmed <= billed && billed <= confirmed + possible,
        "{billed} billed, {confirmed} confirmed, {possible} possible"
    );
}

/// Kills a run before this step, and runs it again. Says how many rows are in doubt.
fn killed_before(at: usize, step: &str, vendor: &Vendor, undisturbed: &[String]) -> usize {
    let place = place();
    let before = vendor.count();
    let mark = place.path("mark");
    let folder = place.path("");
    let fault = Fault { calls: ANY, path: folder.to_str().unwrap(), at, act: Act::Kill };
    let what = format!("step {at}, before {step}");
    let code = run(&place, vendor, |command| fault.put_upon(command, &mark));
    assert!(mark.exists() && code == -1, "{what}: not killed");

    let at_kill = status(&place);
    let calls = vendor.calls().split_off(before);
    match &at_kill {
        Some(status) => check_money(status, &calls),
        None => assert_eq!(calls.len(), 0, "{what}: calls, and no ledger"),
    }
    let plan = ["plan", "in.csv", "--ledger", "disk/my.ledger", "--base-url", &vendor.base_url];
    let ended = place.ceknik(&plan);
    assert_eq!(ended.code, Some(0), "{what}: {}", ended.stderr);
    let code = run(&place, vendor, |_| {});
    // Finished is finished: whoever runs it again buys nothing.
    assert_eq!(run(&place, vendor, |_| {}), code, "{what}");
    let calls = vendor.calls().split_off(before);
    bought_once(&calls);
    check_money(&status(&place).unwrap(), &calls);
    let outcomes = place.column("out.csv", "ck_outcome");
    let pairs = outcomes.iter().zip(undisturbed);
    let doubts = pairs.filter(|(outcome, expected)| outcome != expected).count();
    let in_doubt = outcomes.iter().filter(|outcome| *outcome == "in_doubt").count();
    assert_eq!((outcomes.len(), doubts), (ROWS, in_doubt), "{what}: {outcomes:?}");
    assert!(in_doubt <= 1, "{what}: {in_doubt} in doubt");
    assert_eq!(code, if in_doubt == 0 { 0 } else { 3 }, "{what}");
    // What left is answered or in doubt, and nothing else is.
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
    // How often each step was the next, and how many rows were left in doubt.
    let met: Mutex<BTreeMap<&str, (usize, usize)>> = Mutex::default();
    let next = AtomicUsize::new(0);
    // The runs wait for their disks more than they compute.
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                let own = Place::new();
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
    // The steps that have a name were there, at each row.
    assert_eq!(met["send socket"], (ROWS, ROWS), "after the intent and the permit");
    assert_eq!(met["recv socket"], (ROWS, ROWS), "after the send and the answer");
    assert_eq!(met["rename out.csv"], (1, 0), "before the rename");
    let rename = steps.iter().position(|step| step == "rename out.csv").unwrap();
    let after = steps[rename..].iter().filter(|step| *step == "sync my.ledger-wal").count();
    assert!(after >= 3, "before the merge: the last of the ledger's commits");
}
