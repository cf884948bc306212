//! The ledger and the output on storage that fails, and two processes that want the same ledger.
//!
//! Must hold: whatever the disk does, every charge is in the ledger as confirmed or possible, and
//! nothing is bought twice. The vendor's call log shows what was charged.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::faults::{Act, ENOSPC, Fault, STORAGE};
use support::files::{limited, names};
use support::money::Charges;
use support::table::repeated;
use support::{
    Finished, LEDGER, Running, Vendor, Workspace, billed, bought_once, many_people, run_arguments,
    set_up,
};

/// Number of calls in flight, as [`LEDGER`] sets it.
const CONCURRENCY: u64 = 8;
const LATENCY: &str = "20ms";

/// Checks a run whose ledger could not be written in the middle of the run. Returns the number of
/// calls in doubt.
fn check_cut_short(place: &Workspace, vendor: &Vendor, ended: Finished) -> u64 {
    let ended = ended.exits(18);
    assert!(ended.stderr.contains("the ledger could not be written"), "{}", ended.stderr);
    let calls = vendor.calls();
    let status = place.status(&LEDGER[..2]);
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let unsettled = number(&status["unsettled"]);
    assert!(unsettled <= CONCURRENCY, "{unsettled} in doubt");
    // Every call that was sent has an intent, and every charge is confirmed or possible.
    let attempts = number(&status["runs"][0]["tally"]["attempts"]);
    assert!(calls.len() as u64 <= attempts + unsettled, "sent without intent");
    let doubts = number(&status["in_doubt"]) + unsettled;
    let charges = Charges { possible: doubts, ..Charges::of_first_run(&status) };
    assert!(charges.covers(billed(&calls)), "{} billed, but {charges:?}", billed(&calls));
    // The output shows recorded facts only.
    let shown = |column, word| place.count("in.sandbox.partial.csv", column, word) as u64;
    assert_eq!(shown("ck_charged", "yes"), charges.confirmed);
    assert_eq!(shown("ck_outcome", "in_doubt"), doubts);
    doubts
}

/// Checks that with enough room the same command finishes the run and buys nothing twice.
fn check_goes_on(place: &Workspace, vendor: Vendor, rows: u64, doubts: u64) {
    let code = if doubts == 0 { 0 } else { 3 };
    place.run("in.csv", &vendor.base_url, &LEDGER).exits(code);
    let calls = vendor.end();
    bought_once(&calls);
    let summary = place.summary("in.sandbox.csv");
    let in_doubt = summary["outcomes"]["in_doubt"].as_u64().unwrap();
    assert_eq!((in_doubt, summary["rows"].as_u64().unwrap()), (doubts, rows));
    let owed = Charges::owed(&summary);
    assert!(owed.covers(billed(&calls)), "{} billed, but {owed:?}", billed(&calls));
    assert_eq!(owed.possible, doubts);
    assert!(!place.path("in.sandbox.partial.csv").exists());
}

#[test]
fn a_ledger_that_cannot_grow_stops_the_run_and_covers_every_charge() {
    // Blocks of 512 bytes for each file: enough to begin, too few to finish.
    for blocks in ["500", "800", "1300"] {
        let (place, vendor) = set_up(400, LATENCY);
        let arguments = run_arguments("in.csv", &vendor.base_url, &LEDGER);
        let ended = Running::start(limited(&place, blocks, &arguments)).end();
        let doubts = check_cut_short(&place, &vendor, ended);
        println!("{blocks} blocks: {} calls, {doubts} in doubt", vendor.count());
        check_goes_on(&place, vendor, 400, doubts);
    }
}

/// A small file system in memory. Dropping this value unmounts it.
struct Disk(std::path::PathBuf);

impl Disk {
    /// Mounts the file system. Returns `None` where this user may not mount.
    fn mount(at: &Path, options: &str) -> Option<Self> {
        mount(&["-t", "tmpfs", "-o", options, "ceknik-test", at.to_str().unwrap()])
            .then(|| Self(at.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str]) -> bool {
    let mut command = Command::new("mount");
    command.args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Returns `true` if this process may mount. If not, the test is run once more in a new user
/// namespace, where it may, and `false` is returned.
fn may_mount(test: &str) -> bool {
    const INSIDE: &str = "CEKNIK_TEST_INSIDE";
    let probe = tempfile::tempdir().unwrap();
    if Disk::mount(probe.path(), "size=4k").is_some() {
        return true;
    }
    let may = Command::new("unshare").args(["-rm", "true"]).stderr(Stdio::null()).status();
    if std::env::var_os(INSIDE).is_some() || !may.is_ok_and(|status| status.success()) {
        println!("skipped: this user may not mount a small file system, nor make a namespace");
        return false;
    }
    let mut command = Command::new("unshare");
    command.arg("-rm").arg(std::env::current_exe().unwrap()).args(["--exact", test]);
    assert!(command.env(INSIDE, "yes").status().unwrap().success());
    false
}

#[test]
fn a_full_disk_stops_the_run_and_covers_every_charge() {
    if !may_mount("a_full_disk_stops_the_run_and_covers_every_charge") {
        return;
    }
    let (place, vendor) = set_up(400, LATENCY);
    let _disk = Disk::mount(&place.path("disk"), "size=4m").unwrap();
    // A file of somebody else that leaves half a megabyte.
    let ballast = place.write("disk/ballast", vec![0; 7 << 19]);
    let ended = place.run("in.csv", &vendor.base_url, &LEDGER);
    let doubts = check_cut_short(&place, &vendor, ended);
    println!("4 MB: {} calls, {doubts} in doubt", vendor.count());
    // The disk is still full: the run uses the little room that is left, stops again and loses
    // nothing.
    let ended = place.run("in.csv", &vendor.base_url, &LEDGER);
    let doubts = doubts.max(check_cut_short(&place, &vendor, ended));
    fs::remove_file(ballast).unwrap();
    check_goes_on(&place, vendor, 400, doubts);
}

#[test]
fn a_disk_that_cannot_be_written_is_told_before_the_first_call() {
    let (place, vendor) = set_up(5, LATENCY);
    // The ledger's folder would be a file, so that not even root can write there.
    place.write("disk/file", "");
    let ended = place.run("in.csv", &vendor.base_url, &["--ledger", "disk/file/my.ledger"]);
    ended.exits(18);
    match Disk::mount(&place.path("disk"), "ro") {
        Some(_disk) => {
            place.run("in.csv", &vendor.base_url, &LEDGER).exits(18);
        }
        None => println!("skipped in part: this user may not mount a file system"),
    }
    assert_eq!(vendor.end().len(), 0);
}

#[test]
fn a_damaged_ledger_is_refused_and_never_replaced() {
    let (place, vendor) = set_up(300, LATENCY);
    place.run("in.csv", &vendor.base_url, &LEDGER).exits(0);
    let whole = fs::read(place.path("disk/my.ledger")).unwrap();
    let key = fs::read(place.path("disk/my.ledger.key")).unwrap();
    let put = |ledger: &[u8], key: &[u8]| {
        for beside in ["disk/my.ledger-wal", "disk/my.ledger-shm"] {
            let _ = fs::remove_file(place.path(beside));
        }
        place.write("disk/my.ledger", ledger);
        place.write("disk/my.ledger.key", key);
    };
    let pages: Vec<u8> =
        whole.iter().enumerate().map(|(at, byte)| if at < 4096 { *byte } else { 0xa5 }).collect();
    let other = other_programs_database(&place);
    let damages: [(&str, &[u8]); 6] = [
        ("a text", b"not a ledger at all, but long enough to be taken for one: ....."),
        ("noise", &[0x5a; 8192]),
        ("half of it", &whole[..whole.len() / 2]),
        ("its first bytes", &whole[..100]),
        ("pages overwritten", &pages),
        ("another program's", &other),
    ];
    for (what, bytes) in damages {
        put(bytes, &key);
        let ended = place.run("in.csv", &vendor.base_url, &LEDGER);
        assert_eq!(ended.code, Some(18), "{what}: {}", ended.stderr);
        assert!(ended.stderr.contains("hint:"), "{what}: {}", ended.stderr);
    }
    let other_key = [&key[..key.len() - 5], b"0000\n"].concat();
    for (what, bytes) in [("a damaged key", &b"ceknik-key-1 12"[..]), ("another key", &other_key)] {
        put(&whole, bytes);
        let ended = place.run("in.csv", &vendor.base_url, &LEDGER);
        assert_eq!(ended.code, Some(18), "{what}: {}", ended.stderr);
        assert_eq!(fs::read(place.path("disk/my.ledger.key")).unwrap(), bytes);
    }
    put(&whole, &key);
    fs::remove_file(place.path("disk/my.ledger.key")).unwrap();
    place.run("in.csv", &vendor.base_url, &LEDGER).exits(18);
    assert!(!place.path("disk/my.ledger.key").exists(), "a new key would buy everything again");
    // With ledger and key in place again, all answers are there.
    put(&whole, &key);
    place.run("in.csv", &vendor.base_url, &LEDGER).exits(0);
    assert_eq!(vendor.end().len(), 300);
}

fn other_programs_database(place: &Workspace) -> Vec<u8> {
    let path = place.path("other.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')").unwrap();
    drop(other);
    fs::read(path).unwrap()
}

#[test]
fn an_output_folder_that_vanishes_costs_no_answer() {
    let (place, vendor) = set_up(200, LATENCY);
    fs::create_dir(place.path("results")).unwrap();
    let more = [&LEDGER[..], &["-o", "results/out.csv"]].concat();
    let arguments = run_arguments("in.csv", &vendor.base_url, &more);
    let running = Running::start(place.command(&arguments));
    vendor.wait_for(50);
    fs::remove_dir_all(place.path("results")).unwrap();
    let ended = running.end().exits(18);
    assert!(ended.stderr.contains("The answers are safe in the ledger"), "{}", ended.stderr);
    assert_eq!(vendor.calls().len(), 200);
    // A folder that does not exist is reported before anything is sent.
    place.run("in.csv", &vendor.base_url, &more).exits(11);
    fs::create_dir(place.path("results")).unwrap();
    place.run("in.csv", &vendor.base_url, &more).exits(0);
    assert_eq!(place.column("results/out.csv", "ck_source"), vec!["call"; 200]);
    assert_eq!(vendor.end().len(), 200);
}

/// Checks that the last words are written even where neither the output nor the ledger can be
/// written.
#[test]
fn a_disk_that_is_full_for_ledger_and_output_leaves_the_last_words() {
    let (place, vendor) = set_up(200, LATENCY);
    let more = [&LEDGER[..], &["-o", "disk/out.csv", "--summary", "summary.json"]].concat();
    let mut command = place.command(&run_arguments("in.csv", &vendor.base_url, &more));
    let act = Act::Fail { errno: ENOSPC, lasts: true };
    let fault = Fault { calls: STORAGE, path: "/disk/", at: 150, act };
    fault.put_upon(&mut command, &place.path("mark"));
    let said = Running::start(command).end().exits(18).stderr;
    for words in ["stopped: the ledger could not be written", "rows       200", "you owe", "next"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let summary: Value = serde_json::from_str(&place.read("summary.json")).unwrap();
    assert_eq!((&summary["exit"], &summary["ended"]), (&18.into(), &"storage".into()));
    assert!(summary["outcomes"].is_null() && summary["output"].is_null());
    let (calls, owed) = (vendor.calls(), Charges::owed(&summary));
    assert!(!calls.is_empty());
    assert!(owed.covers(billed(&calls)), "{} billed, but {owed:?}", billed(&calls));
    let doubts = summary["spending"]["possible"]["in_doubt"].as_u64().unwrap();
    place.run("in.csv", &vendor.base_url, &more).exits(if doubts == 0 { 0 } else { 3 });
    bought_once(&vendor.end());
}

#[test]
fn a_ledger_is_the_file_that_its_name_says() {
    for name in [":memory:", "file:a?mode=memory", "file:a%20b#c"] {
        let (place, vendor) = set_up(3, LATENCY);
        for _ in 0..2 {
            place.run("in.csv", &vendor.base_url, &["--ledger", name]).exits(0);
        }
        assert_eq!(vendor.calls().len(), 3, "{name}: bought twice");
        assert!(place.path(name).is_file(), "{name}");
        let which = ["--ledger", name, "--base-url", &vendor.base_url];
        let plan = place.ceknik(&[&["plan", "in.csv", "--json"], &which[..]].concat()).exits(0);
        let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
        assert_eq!(plan["reused"], 3, "{name}: {plan}");
        let status = place.status(&which);
        assert_eq!(status["runs"].as_array().unwrap().len(), 2, "{name}");
    }
}

#[test]
fn a_link_to_a_ledger_is_that_ledger() {
    let (place, vendor) = set_up(100, LATENCY);
    std::os::unix::fs::symlink("disk/my.ledger", place.path("link")).unwrap();
    let by_link = ["--ledger", "link"];
    place.run("in.csv", &vendor.base_url, &by_link).exits(11);
    let slow = [&LEDGER[..2], &["--concurrency", "1"]].concat();
    let first = Running::start(place.command(&run_arguments("in.csv", &vendor.base_url, &slow)));
    vendor.wait_for(5);
    place.run("in.csv", &vendor.base_url, &by_link).exits(17);
    // The facts of a run under way are in the WAL.
    let plan = ["plan", "in.csv", "--json", "--ledger", "link", "--base-url", &vendor.base_url];
    let plan: Value = serde_json::from_str(&place.ceknik(&plan).exits(0).stdout).unwrap();
    assert!(plan["done"].as_u64().unwrap() >= 3, "{plan}");
    first.end().exits(0);
    place.run("in.csv", &vendor.base_url, &by_link).exits(0);
    assert_eq!(vendor.end().len(), 100);
    let names = names(&place.path(""));
    assert_eq!(names.iter().filter(|name| name.starts_with("link")).count(), 1);
}

#[test]
fn one_run_at_a_time_on_a_ledger() {
    let (place, vendor) = set_up(200, LATENCY);
    place.write("other.csv", many_people(50));
    let arguments = run_arguments("in.csv", &vendor.base_url, &LEDGER);
    let first = Running::start(place.command(&arguments));
    vendor.wait_for(20);
    let refused = place.run("other.csv", &vendor.base_url, &LEDGER).exits(17);
    assert!(refused.stderr.contains("--lock-wait"), "{}", refused.stderr);
    assert!(!place.path("other.sandbox.csv").exists());
    // `status` needs no lock.
    assert_eq!(place.status(&LEDGER[..2])["runs"][0]["state"], "open");
    let waits = [&LEDGER[..], &["--lock-wait", "60s"]].concat();
    let arguments = run_arguments("other.csv", &vendor.base_url, &waits);
    let second = Running::start(place.command(&arguments));
    first.end().exits(0);
    second.end().exits(0);
    // The people of the second file are among those of the first.
    assert_eq!(place.column("other.sandbox.csv", "ck_source"), vec!["ledger"; 50]);
    // The wait for the lock ends after `--lock-wait`.
    let third = Running::start(place.command(&run_arguments(
        "in.csv",
        &vendor.base_url,
        &["--ledger", "disk/my.ledger", "--reuse", "0", "--reask-after", "0", "--concurrency", "2"],
    )));
    vendor.wait_for(210);
    let briefly = [&LEDGER[..], &["--lock-wait", "150ms"]].concat();
    place.run("other.csv", &vendor.base_url, &briefly).exits(17);
    third.end().exits(0);
    assert_eq!(vendor.end().len(), 400);
}

#[test]
fn a_second_start_never_disturbs_the_output_of_the_first() {
    let (place, vendor) = set_up(40, LATENCY);
    place.write("in.csv", repeated(40, 40_000));
    let more = [&LEDGER[..], &["-o", "out.csv"]].concat();
    let arguments = run_arguments("in.csv", &vendor.base_url, &more);
    let mut first = Running::start(place.command(&arguments));
    vendor.wait_for(40);
    let mut refusals = 0;
    while !first.is_over() {
        let second = place.ceknik(&arguments);
        if !first.is_over() {
            second.exits(17);
            refusals += 1;
        }
    }
    first.end().exits(0);
    println!("{refusals} further starts refused");
    assert!(refusals > 0);
    assert_eq!(place.column("out.csv", "ck_outcome").len(), 40_000);
    assert_eq!(vendor.end().len(), 40);
}
