//! `run --join`, as a whole program: a worker that only helps a run that another one begins.
//!
//! Must hold: it begins no run and writes no output.

#![allow(clippy::unwrap_used, reason = "a test: what is not as expected is the test's answer")]

mod support;

use std::thread::sleep;
use std::time::{Duration, Instant};

use support::shared::{LEASE, Shared, settle_accounts, worker};
use support::{Running, many_people};

/// Starts a worker that helps the run of [`worker`].
fn helper(shared: &Shared, more: &[&str]) -> Running {
    let flags = ["--once", "night", "--concurrency", "8", "--join"];
    Running::start(shared.run_command("in.csv", &[&flags, more].concat()))
}

/// Returns the outputs and summaries in the workspace.
fn written(shared: &Shared) -> Vec<String> {
    let names = support::files::names(&shared.place.path(""));
    names.into_iter().filter(|name| name.contains("verified") || name.starts_with("o.")).collect()
}

#[test]
fn a_worker_that_joins_waits_for_a_run_helps_and_writes_nothing() {
    let Some(shared) = Shared::new(&["--latency", "30ms"]) else { return };
    shared.place.write("in.csv", many_people(400));
    let helps = helper(&shared, &["--lock-wait", "30s"]);
    helps.wait_to_say("waiting for another worker to begin the run");
    sleep(Duration::from_millis(300));
    assert_eq!((shared.vendor.count(), written(&shared)), (0, vec![]));
    let begins = worker(&shared, "in.csv", "o.csv");
    let (helped, begun) = (helps.end(), begins.end());
    assert!(matches!(begun.code, Some(0 | 3)), "{:?}: {}", begun.code, begun.stderr);
    assert_eq!(helped.code, begun.code, "{}", helped.stderr);
    helped.says("this worker only helps, and writes no output").says("the output was written by");
    assert_eq!(written(&shared), ["o.csv", "o.csv.summary.json"]);
    assert_eq!(settle_accounts(&shared, 0), 0);
    assert_eq!(shared.vendor.count(), 400);

    // Who comes late has nothing to do.
    let late = helper(&shared, &[]).end();
    assert_eq!(late.code, begun.code);
    late.says("has finished: there is nothing to help with");
    assert_eq!(shared.vendor.count(), 400);
}

#[test]
fn a_worker_that_joins_begins_no_run() {
    let Some(shared) = Shared::new(&[]) else { return };
    shared.place.write("in.csv", many_people(20));
    let begun = Instant::now();
    let refused = helper(&shared, &["--lock-wait", "500ms"]).end().exits(17);
    refused.says("has no open run of this file").says("the same flags and without --join");
    assert!(begun.elapsed() >= Duration::from_millis(500));
    assert_eq!(shared.status()["runs"], serde_json::json!([]));
    // A run of another name is not the one.
    let ended = shared.run("in.csv", &["-o", "o.csv"]);
    assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    helper(&shared, &[]).end().exits(17);
    let waits = helper(&shared, &["--lock-wait", "10m"]);
    waits.wait_to_say("waiting for another worker");
    waits.signal("TERM");
    waits.end().exits(143);
    let file = ["run", "in.csv", "--join", "--ledger", "my.ledger"];
    shared.ledger(&file).exits(2).says("--join needs a shared ledger");
}

#[test]
fn helpers_that_are_left_alone_finish_the_calls_and_name_the_next_command() {
    let Some(shared) = Shared::new(&["--latency", "40ms"]) else { return };
    shared.place.write("in.csv", many_people(300));
    let mut begins = worker(&shared, "in.csv", "o.csv");
    shared.vendor.wait_for_more(20, &mut begins);
    let helpers = [helper(&shared, &[]), helper(&shared, &[])];
    helpers.iter().for_each(|helper| helper.wait_to_say("this worker only helps"));
    begins.kill();
    sleep(LEASE);
    for helper in helpers {
        let ended = helper.end();
        assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
        ended.says("no worker is left that writes the output");
    }
    assert_eq!(written(&shared), Vec::<String>::new());
    let calls = shared.vendor.count();
    let ended = worker(&shared, "in.csv", "o.csv").end();
    assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    assert_eq!(shared.vendor.count(), calls);
    assert_eq!(shared.place.rows("o.csv").len(), 300);
    settle_accounts(&shared, 8);
}

#[test]
fn a_worker_that_leaves_helpers_behind_says_that_they_write_nothing() {
    let Some(shared) = Shared::new(&["--latency", "40ms"]) else { return };
    shared.place.write("in.csv", many_people(400));
    let mut begins = worker(&shared, "in.csv", "o.csv");
    shared.vendor.wait_for_more(20, &mut begins);
    let helps = helper(&shared, &[]);
    helps.wait_to_say("this worker only helps");
    sleep(LEASE / 3);
    begins.signal("TERM");
    begins.end().exits(143).says("they only help (--join), and write no output");
    helps.signal("TERM");
    helps.end().exits(143).says("no worker is left that writes the output");
    assert_eq!(written(&shared), Vec::<String>::new());
}
