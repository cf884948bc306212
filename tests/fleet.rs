//! Several workers on one ledger, as whole programs, under kills, freezes, crashes of the server and
//! a network that cuts them off.
//!
//! Must hold: the vendor's own log shows no pair bought twice, and what is confirmed lies within
//! what the vendor bills. `FLEET_TIMES=10` repeats each fault more often than CI does.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use support::postgres::{TestServer, server};
use support::severing::{Point, SeveringProxy};
use support::shared::{LEASE, Shared, settle_accounts, worker};
use support::{Running, Vendor, Workspace, many_people};

const CONCURRENCY: usize = 8;

/// Returns how often a fault is repeated: `few` times, unless the environment says otherwise.
fn times(few: usize) -> usize {
    std::env::var("FLEET_TIMES").map_or(few, |times| times.parse().unwrap())
}

/// Returns the outcome of each row, by the number of the row.
fn outcomes(place: &Workspace, output: &str) -> BTreeMap<String, String> {
    let rows = place.rows(output).into_iter();
    rows.map(|row| (row["id"].clone(), row["ck_outcome"].clone())).collect()
}

#[test]
fn workers_that_are_killed_and_replaced_buy_nothing_twice() {
    let Some(shared) = Shared::new(&["--latency", "100ms"]) else { return };
    let kills = times(5);
    let rows = 800 + 110 * kills as u32;
    shared.place.write("in.csv", many_people(rows));
    let alone = Workspace::new();
    alone.write("in.csv", many_people(rows));
    let vendor = Vendor::start(&alone, &[]);
    alone.run("in.csv", &vendor.base_url, &["-o", "o.csv", "--concurrency", "64"]);

    let mut random = fastrand::Rng::with_seed(7);
    let name = |n: usize| format!("o{n}.csv");
    let mut workers: Vec<Running> = (0..3).map(|n| worker(&shared, "in.csv", &name(n))).collect();
    for kill in 0..kills {
        shared.vendor.wait_for_more(random.usize(20..100), &mut workers[0]);
        let victim = random.usize(0..3);
        workers[victim].kill();
        workers[victim] = worker(&shared, "in.csv", &name(3 + kill));
    }
    let codes: Vec<_> = workers.into_iter().map(|worker| worker.end().code).collect();
    let doubts = settle_accounts(&shared, kills * CONCURRENCY);
    let expected = if doubts > 0 { Some(3) } else { codes[0] };
    assert!(codes.iter().all(|code| *code == expected), "{codes:?} with {doubts} doubts");
    let written: Vec<_> =
        (0..3 + kills).map(name).filter(|output| shared.place.path(output).exists()).collect();
    assert_eq!(written.len(), 1, "{written:?}");
    let (ours, theirs) = (outcomes(&shared.place, &written[0]), outcomes(&alone, "o.csv"));
    let differ = ours
        .iter()
        .filter(|(id, outcome)| outcome.as_str() != "in_doubt" && theirs.get(*id) != Some(outcome));
    assert_eq!((differ.count(), ours.len()), (0, theirs.len()), "rows differ");
    // An orchestrator that starts a worker again after the end buys nothing.
    let before = shared.vendor.count();
    worker(&shared, "in.csv", &written[0]).end().says("has finished");
    assert_eq!(shared.vendor.count(), before);
}

#[test]
fn a_server_that_crashes_leaves_nothing_in_doubt() {
    let Some(server) = TestServer::start() else { return };
    let shared = Shared::at(server.address_of("ceknik", "live"), &["--latency", "40ms"]);
    let crashes = times(2);
    shared.place.write("in.csv", many_people(1000 + 2000 * crashes as u32));
    let workers: Vec<Running> =
        (0..3).map(|n| worker(&shared, "in.csv", &format!("o{n}.csv"))).collect();
    for _ in 0..crashes {
        sleep(Duration::from_secs(3));
        server.crash();
    }
    for worker in workers {
        let ended = worker.end();
        assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    }
    assert_eq!(settle_accounts(&shared, 0), 0);
}

#[test]
fn a_worker_that_is_frozen_longer_than_its_lease_sends_nothing_that_was_taken_over() {
    let Some(shared) = Shared::new(&["--latency", "80ms"]) else { return };
    let freezes = times(2);
    shared.place.write("in.csv", many_people(600 + 1100 * freezes as u32));
    let mut workers = [worker(&shared, "in.csv", "a.csv"), worker(&shared, "in.csv", "b.csv")];
    for freeze in 0..freezes {
        shared.vendor.wait_for_more(40, &mut workers[0]);
        let frozen = &workers[freeze % 2];
        frozen.signal("STOP");
        sleep(LEASE * 3 / 2 + LEASE / 5);
        frozen.signal("CONT");
        sleep(LEASE);
    }
    for worker in workers {
        let ended = worker.end();
        assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    }
    // Answers that came while the worker was frozen are recorded when it lives again.
    settle_accounts(&shared, freezes * CONCURRENCY);
}

#[test]
fn a_worker_that_is_cut_off_anywhere_sends_nothing_after_half_a_lease() {
    let batch = "enable_seqscan = off; SET LOCAL";
    let points = [
        Point::Connection(1),
        Point::Before(batch, 20),
        Point::Within(batch, 20),
        Point::BeforeTheAnswer(batch, 20),
        Point::Before("UPDATE beats", 4),
        Point::BeforeTheAnswer("UPDATE beats", 4),
        Point::Before("FROM pairs p", 1),
    ];
    // Most of the time is spent waiting.
    for few in points.chunks(3) {
        std::thread::scope(|scope| {
            few.iter().for_each(|point| drop(scope.spawn(|| cut_off_at(*point))));
        });
    }
}

/// Cuts a worker off at a point, lets another one take over, and lets the first one back.
fn cut_off_at(point: Point) {
    let Some(shared) = Shared::new(&["--latency", "30ms"]) else { return };
    let proxy = SeveringProxy::start(server().unwrap().port(), point);
    shared.place.write("in.csv", many_people(500));
    let mut command =
        shared.run_command("in.csv", &["--concurrency", "8", "-o", "a.csv", "--once", "n"]);
    let direct = format!(":{}/", server().unwrap().port());
    let through = shared.address.replace(&direct, &format!(":{}/", proxy.port));
    command.env("CEKNIK_LEDGER", through);
    let mut cut_off = Running::start(command);
    while proxy.severed_at().is_none() {
        assert!(!cut_off.is_over(), "{point:?}");
        sleep(Duration::from_millis(5));
    }
    sleep(LEASE / 2 + Duration::from_millis(300));
    let calls = shared.vendor.calls().len();
    sleep(LEASE);
    assert_eq!(shared.vendor.calls().len(), calls, "{point:?}: calls after half a lease");
    let flags = ["--concurrency", "8", "-o", "b.csv", "--once", "n"];
    let other = Running::start(shared.run_command("in.csv", &flags));
    sleep(LEASE + LEASE / 3);
    proxy.let_back();
    for worker in [cut_off, other] {
        let ended = worker.end();
        assert!(matches!(ended.code, Some(0 | 3)), "{point:?}: {}", ended.stderr);
    }
    settle_accounts(&shared, CONCURRENCY);
}

#[test]
fn two_files_with_the_same_customers_buy_each_pair_once() {
    let Some(shared) = Shared::new(&["--latency", "20ms"]) else { return };
    let customers = many_people(800);
    let header_and_rows: Vec<&str> = customers.lines().collect();
    let mut other = vec![header_and_rows[0]];
    other.extend(header_and_rows[1..].iter().rev());
    shared.place.write("one.csv", &customers);
    shared.place.write("two.csv", other.join("\n") + "\n");
    let start = |input, output| worker(&shared, input, output);
    let mut workers = vec![
        start("one.csv", "o1.csv"),
        start("two.csv", "o2.csv"),
        start("one.csv", "o3.csv"),
        start("two.csv", "o4.csv"),
    ];
    shared.vendor.wait_for_more(100, &mut workers[0]);
    workers.remove(2).kill();
    for worker in workers {
        let ended = worker.end();
        assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    }
    let doubts = settle_accounts(&shared, CONCURRENCY);
    let calls = shared.vendor.calls().len() as u64;
    assert!(calls <= 800 && 800 <= calls + doubts, "{calls} calls, {doubts} doubts");
    // The oldest worker of each file has written.
    let written = |outputs: [&str; 2]| {
        let is_there = |output: &&&str| shared.place.path(output).exists();
        outcomes(&shared.place, outputs.iter().find(is_there).unwrap()).len()
    };
    assert_eq!((written(["o1.csv", "o3.csv"]), written(["o2.csv", "o4.csv"])), (800, 800));
}

/// Whoever stops last writes what is known.
#[test]
fn workers_that_stop_together_leave_one_partial_output() {
    let Some(shared) = Shared::new(&["--latency", "40ms"]) else { return };
    shared.place.write("in.csv", many_people(600));
    let outputs = ["a.csv", "b.csv", "c.csv"];
    let mut workers = outputs.map(|output| worker(&shared, "in.csv", output));
    shared.vendor.wait_for_more(60, &mut workers[0]);
    workers.iter().for_each(|worker| worker.signal("TERM"));
    let ended = workers.map(|worker| worker.end().exits(143));
    let others = ended.iter().filter(|of| of.stderr.contains("other workers continue the run"));
    assert_eq!(others.count(), 2);
    let partial = |output: &&&str| {
        let name = output.replace(".csv", ".partial.csv");
        shared.place.path(&name).exists()
    };
    assert_eq!(outputs.iter().filter(partial).count(), 1);
    worker(&shared, "in.csv", "a.csv").end().exits(0);
    settle_accounts(&shared, 0);
}

/// A retry may be in the same batch as the answer to the call before.
#[test]
fn a_vendor_that_takes_forms_only_is_understood() {
    let Some(shared) = Shared::new(&["--accepts", "form"]) else { return };
    shared.place.write("in.csv", many_people(30));
    let ended = worker(&shared, "in.csv", "o.csv").end();
    assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    assert!(shared.vendor.calls().len() <= 32, "{} calls", shared.vendor.calls().len());
}

#[test]
fn workers_of_a_run_have_the_same_rules() {
    let Some(shared) = Shared::new(&["--latency", "40ms"]) else { return };
    shared.place.write("in.csv", many_people(200));
    let mut first = worker(&shared, "in.csv", "a.csv");
    shared.vendor.wait_for_more(5, &mut first);
    let flags = ["--once", "night", "--in-doubt", "resend", "-o", "b.csv"];
    shared.run("in.csv", &flags).exits(17).says("its workers have other flags");
    // A dead worker is not in the way for longer than its lease.
    first.kill();
    sleep(LEASE);
    let ended = shared.run("in.csv", &flags);
    assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    settle_accounts(&shared, CONCURRENCY);
}

/// A purge ends the start of a worker that is cut off, because a removed pair begins anew.
#[test]
fn a_worker_whose_start_was_ended_records_its_answers_and_stops() {
    let Some(shared) = Shared::new(&["--latency", "30ms"]) else { return };
    let batch = Point::Before("enable_seqscan = off; SET LOCAL", 20);
    let proxy = SeveringProxy::start(server().unwrap().port(), batch);
    shared.place.write("in.csv", many_people(300));
    let mut command = shared.run_command("in.csv", &["--concurrency", "4", "-o", "o.csv"]);
    let direct = format!(":{}/", server().unwrap().port());
    command.env("CEKNIK_LEDGER", shared.address.replace(&direct, &format!(":{}/", proxy.port)));
    let mut cut_off = Running::start(command);
    while proxy.severed_at().is_none() {
        assert!(!cut_off.is_over());
        sleep(Duration::from_millis(5));
    }
    sleep(LEASE);
    shared.ledger(&["purge", "--older-than", "90d"]).exits(0);
    assert!(!shared.status()["doubts"].as_array().unwrap().is_empty());
    proxy.let_back();
    cut_off.end().exits(17);
    assert_eq!(shared.place.summary("o.csv")["ended"], "taken_over");
    assert_eq!(shared.status()["doubts"], serde_json::json!([]), "its answers are recorded");
    let ended = shared.run("in.csv", &["-o", "o.csv"]);
    assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    settle_accounts(&shared, 0);
}

#[test]
fn a_worker_that_the_vendor_refuses_leaves_its_rows_to_the_others() {
    let Some(shared) = Shared::new(&["--latency", "40ms"]) else { return };
    shared.place.write("in.csv", many_people(200));
    let mut good = worker(&shared, "in.csv", "good.csv");
    shared.vendor.wait_for_more(10, &mut good);
    let flags = ["--once", "night", "--concurrency", "8", "-o", "bad.csv"];
    let mut command = shared.run_command("in.csv", &flags);
    command.env("CEKNIK_API_ID", "refused").env("CEKNIK_API_SECRET", "refused");
    let refused = Running::start(command).end().exits(12);
    refused.says("other workers continue the run");
    let ended = good.end();
    assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    assert_eq!(outcomes(&shared.place, "good.csv").len(), 200);
    assert!(!shared.place.path("bad.csv").exists());
}
