//! What several workers on one ledger share, as whole programs: one rate, one budget, and what one
//! of them has found out.
//!
//! Must hold: the vendor's own log shows that the workers together keep to the rate and the budget.
//! `FLEET_TIMES=10` makes the tests of the rate longer than in CI.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::shared::{LEASE, Shared, settle_accounts, worker};
use support::{Call, Running, billed, many_people, people_csv};

/// Rate of the account in these tests, in calls a second.
const RATE: u32 = 200;
/// Serials of people that the stand-in vendor answers with a match or with a mismatch.
const MATCH: u32 = 1;
const MISMATCH: u32 = 2;
/// Serial of a person whose first call is refused: the vendor asks to slow down.
const SLOW_DOWN: u32 = 19;

/// Held by the tests that measure a rate, so that the other tests of this file do not slow them down.
static MEASURING: RwLock<()> = RwLock::new(());

/// Makes a shared ledger for a test that measures nothing.
fn shared(vendor_flags: &[&str]) -> Option<(RwLockReadGuard<'static, ()>, Shared)> {
    let together = MEASURING.read().unwrap_or_else(PoisonError::into_inner);
    Shared::new(vendor_flags).map(|shared| (together, shared))
}

/// Starts a worker that keeps to the rate.
fn at_the_rate(shared: &Shared, n: usize) -> Running {
    let (rate, output) = (RATE.to_string(), format!("o{n}.csv"));
    let concurrency = ["--concurrency", "32", "--backoff", "5ms"];
    let flags = ["run", "in.csv", "--once", "night", "--rate", &rate, "-o", &output];
    Running::start(shared.command(&[&flags[..], &concurrency].concat()))
}

/// Returns the number of calls in the fullest second, and its beginning in seconds after the first
/// call.
fn fullest_second(calls: &[Call]) -> (usize, f64) {
    let times: Vec<u64> = calls.iter().map(|call| call.at_us).collect();
    let second = |i: usize| times[i..].partition_point(|at| *at < times[i] + 1_000_000);
    let fullest = (0..times.len()).map(|i| (second(i), i)).max().unwrap_or_default();
    (fullest.0, (times[fullest.1] - times[0]) as f64 / 1e6)
}

/// Returns the number of calls a second between two moments, in seconds after the first call.
fn mean(calls: &[Call], from: f64, to: f64) -> f64 {
    let first = calls[0].at_us;
    let seconds = |call: &&Call| (call.at_us - first) as f64 / 1e6;
    let within = calls.iter().filter(|call| (from..to).contains(&seconds(call)));
    within.count() as f64 / (to - from)
}

/// Lets workers share the rate. One of them is killed, and the vendor asks once to slow down.
fn share_the_rate(workers: usize) {
    let _alone = MEASURING.write().unwrap_or_else(PoisonError::into_inner);
    let Some(shared) = Shared::new(&["--latency", "40ms"]) else { return };
    let longer = std::env::var("FLEET_TIMES").map_or(0, |times| times.parse::<u32>().unwrap());
    let rows = RATE * (24 + 20 * longer);
    let slow_down_at = rows / 3;
    let serials = (0..rows).map(|n| if n == slow_down_at { SLOW_DOWN } else { 1001 + n % 8000 });
    shared.place.write("in.csv", people_csv(serials));
    let mut workers: Vec<Running> = (0..workers).map(|n| at_the_rate(&shared, n)).collect();
    shared.vendor.wait_for(3 * RATE as usize);
    workers.pop().unwrap().kill();
    for worker in workers {
        let ended = worker.end();
        assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    }
    let mut calls = shared.vendor.calls();
    calls.sort_by_key(|call| call.at_us);
    let (fullest, fullest_from) = fullest_second(&calls);
    let first = calls[0].at_us;
    let refused = calls.iter().find(|call| call.answer.contains("RATE_LIMIT")).unwrap();
    let (refused, last) = (refused.at_us - first, calls.last().unwrap().at_us - first);
    let (refused, last) = (refused as f64 / 1e6, last as f64 / 1e6);
    if std::env::var_os("SHOW_SECONDS").is_some() {
        let seconds: Vec<f64> =
            (0..last as u32).map(|n| mean(&calls, n.into(), f64::from(n + 1))).collect();
        println!("refused at {refused:.1}, calls in each second: {seconds:?}");
    }
    // After a refusal the workers pause for a moment, and their rate is back within a few seconds.
    let (before, after) = (mean(&calls, 2.0, refused), mean(&calls, refused + 9.5, last - 3.0));
    println!(
        "fullest second {fullest} from {fullest_from:.2} s on, before the refusal {before:.1}/s, after it {after:.1}/s, \
         overall {:.1}/s of {RATE}/s",
        calls.len() as f64 / last
    );
    let rate = f64::from(RATE);
    assert!(fullest as f64 <= 1.05 * rate, "{fullest} calls in a second");
    assert!(before >= 0.95 * rate, "{before} calls a second before the refusal");
    assert!(after >= 0.95 * rate, "{after} calls a second after the refusal");
}

#[test]
fn three_workers_share_a_rate() {
    share_the_rate(3);
}

#[test]
fn ten_workers_share_a_rate() {
    share_the_rate(10);
}

#[test]
fn workers_share_a_budget() {
    let Some((_together, shared)) = shared(&["--latency", "60ms"]) else { return };
    let max = 500;
    // A third of the answers is free: not sure, failed, refused.
    let serials = (0..1100).map(|n| match n % 9 {
        0 => 3,
        1 => 4,
        2 => 5,
        _ => MATCH,
    });
    shared.place.write("in.csv", people_csv(serials));
    let mut n = 0;
    let mut start = || {
        n += 1;
        let output = format!("o{n}.csv");
        let flags = ["--once", "night", "--concurrency", "8", "--max-charges", "500"];
        Running::start(shared.run_command("in.csv", &[&flags[..], &["-o", &output]].concat()))
    };
    let mut workers = [start(), start(), start()];
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..5 {
        shared.vendor.wait_for_more(random.usize(20..60), &mut workers[0]);
        let victim = random.usize(0..3);
        workers[victim].kill();
        workers[victim] = start();
    }
    for worker in workers {
        worker.end().exits(13);
    }
    let doubts = settle_accounts(&shared, 5 * 8);
    let charged = billed(&shared.vendor.calls());
    let possible = shared.status()["runs"][0]["tally"]["possible"]["in_doubt"].as_u64().unwrap();
    let confirmed = shared.status()["runs"][0]["tally"]["confirmed"].as_u64().unwrap();
    println!("{confirmed} confirmed, {possible} possible, {charged} charged of {max}");
    assert_eq!(possible, doubts);
    assert!(confirmed + possible <= max, "{confirmed} + {possible}");
    assert!(confirmed + possible >= max - 3, "{confirmed} + {possible}");
}

/// A worker with a limit and one without do not work together.
#[test]
fn all_or_none_of_the_workers_have_a_budget() {
    let Some((_together, shared)) = shared(&["--latency", "40ms"]) else { return };
    shared.place.write("in.csv", many_people(200));
    let mut first = worker(&shared, "in.csv", "a.csv");
    shared.vendor.wait_for_more(5, &mut first);
    let flags = ["--once", "night", "--max-charges", "100", "-o", "b.csv"];
    shared.run("in.csv", &flags).exits(17).says("either all or none have --max-charges");
    assert!(matches!(first.end().code, Some(0 | 3)));
}

#[test]
fn a_quota_that_is_used_up_stops_all_workers() {
    let Some((_together, shared)) = shared(&["--latency", "40ms", "--quota", "100"]) else {
        return;
    };
    shared.place.write("in.csv", many_people(2000));
    let workers = ["a.csv", "b.csv", "c.csv"].map(|output| worker(&shared, "in.csv", output));
    for worker in workers {
        worker.end().exits(14);
    }
    let refused = shared.vendor.calls().iter().filter(|call| call.http == 403).count();
    assert!(refused <= 3 * 8, "{refused} calls after the quota");
    // A later start tries again.
    let calls = shared.vendor.count();
    worker(&shared, "in.csv", "a.csv").end().exits(14);
    assert!(shared.vendor.count() > calls);
}

#[test]
fn the_first_verdicts_of_all_workers_together_stop_a_wrong_file() {
    let Some((_together, shared)) = shared(&["--latency", "40ms"]) else { return };
    shared
        .place
        .write("in.csv", people_csv((0..2000).map(|n| if n % 3 > 0 { MISMATCH } else { MATCH })));
    let start = |output| {
        let flags = ["--once", "night", "--concurrency", "8", "--stop-if-mismatch-over", "40"];
        Running::start(shared.run_command("in.csv", &[&flags[..], &["-o", output]].concat()))
    };
    for worker in ["a.csv", "b.csv", "c.csv"].map(start) {
        worker.end().exits(16);
    }
    let calls = shared.vendor.calls().len();
    assert!((200..320).contains(&calls), "{calls} calls, where 200 are judged");
}

/// The first worker finds out which kind of body the vendor takes, and the others hear of it.
#[test]
fn one_worker_finds_out_the_kind_of_body() {
    let Some((_together, shared)) = shared(&["--latency", "40ms", "--accepts", "form"]) else {
        return;
    };
    shared.place.write("in.csv", many_people(300));
    let mut first = worker(&shared, "in.csv", "a.csv");
    shared.vendor.wait_for_more(60, &mut first);
    let other = worker(&shared, "in.csv", "b.csv");
    for worker in [first, other] {
        assert!(matches!(worker.end().code, Some(0 | 3)));
    }
    let refused = shared.vendor.calls().iter().filter(|call| call.http == 400).count();
    assert_eq!(refused, 1, "calls in the wrong kind");
}

#[test]
fn an_outage_of_the_source_is_tried_by_one_worker() {
    let Some((_together, shared)) = shared(&["--latency", "20ms", "--outage", "3s..11s"]) else {
        return;
    };
    shared.place.write("in.csv", many_people(3000));
    let start = |output| {
        let flags = ["run", "in.csv", "--once", "night", "--backoff", "500ms", "--rate", "150"];
        Running::start(shared.command(&[&flags[..], &["-o", output]].concat()))
    };
    for worker in ["a.csv", "b.csv", "c.csv"].map(start) {
        assert!(matches!(worker.end().code, Some(0 | 3)));
    }
    let calls = shared.vendor.calls();
    let failed: Vec<_> = calls.iter().filter(|call| call.http == 512).collect();
    let first = failed[0].at_us;
    let late = failed.iter().filter(|call| call.at_us > first + 1_500_000).count();
    assert!(late <= 4, "{late} calls in the outage, where one worker tries");
}

#[test]
fn the_rows_of_a_killed_worker_are_taken_over_after_a_lease() {
    let Some((_together, shared)) = shared(&["--latency", "150ms"]) else { return };
    shared.place.write("in.csv", many_people(400));
    let start = |concurrency, output| {
        let flags = ["--once", "night", "--concurrency", concurrency, "-o", output];
        Running::start(shared.run_command("in.csv", &flags))
    };
    let (mut slow, fast) = (start("1", "slow.csv"), start("64", "fast.csv"));
    // The fast worker has sent its share, and waits.
    fast.wait_to_say("waiting for the other workers");
    slow.kill();
    let (killed, before) = (Instant::now(), shared.vendor.count());
    while shared.vendor.count() < before + 5 {
        assert!(killed.elapsed() < LEASE + Duration::from_secs(2), "nobody takes its rows over");
        sleep(Duration::from_millis(5));
    }
    println!("taken over after {:.2} s", killed.elapsed().as_secs_f64());
    assert!(matches!(fast.end().code, Some(0 | 3)));
    settle_accounts(&shared, 1);
}
