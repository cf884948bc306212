//! Standard error that is closed, full or not read: the run continues, and no call is lost.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::fs::OpenOptions;
use std::io::{Read, Write, pipe};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use support::{Running, Vendor, Workspace, bought_once, run_arguments, set_up};

const ROWS: u32 = 200;
const LATENCY: &str = "50ms";

/// Checks the output of a drained run: each row is answered or was not sent, and none is in doubt.
fn check_drained(place: &Workspace, vendor: Vendor) {
    let outcomes = place.column("out.partial.csv", "ck_outcome");
    assert_eq!(outcomes.len(), ROWS as usize);
    assert!(outcomes.iter().any(|outcome| outcome == "not_sent"));
    assert!(outcomes.iter().all(|outcome| outcome != "in_doubt"), "{outcomes:?}");
    bought_once(&vendor.end());
}

#[test]
fn where_stderr_takes_nothing_a_signal_still_drains() {
    for log in ["text", "json"] {
        for stderr in ["full", "closed"] {
            let (place, vendor) = set_up(ROWS, LATENCY);
            let more = ["-o", "out.csv", "--concurrency", "4", "-v", "--log", log];
            let mut command = place.command(&run_arguments("in.csv", &vendor.base_url, &more));
            let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
            let (reader, writer) = pipe().unwrap();
            command.stderr(if stderr == "full" { Stdio::from(full) } else { writer.into() });
            // Nobody ever reads standard error.
            drop(reader);
            let running = Running::start(command);
            vendor.wait_for(20);
            running.signal("TERM");
            running.end().exits(143);
            check_drained(&place, vendor);
        }
    }
}

#[test]
fn where_stderr_is_not_read_the_run_goes_on() {
    let (place, vendor) = set_up(ROWS, LATENCY);
    let more = ["-o", "out.csv", "--concurrency", "4", "--timeout", "1s"];
    let mut command = place.command(&run_arguments("in.csv", &vendor.base_url, &more));
    let (mut reader, writer) = pipe().unwrap();
    let mut filler = writer.try_clone().unwrap();
    command.stderr(writer);
    let mut running = Running::start(command);
    vendor.wait_for(20);
    // The pipe is filled, so that all later output of the program finds no room. The calls go on
    // all the same.
    let filling = thread::spawn(move || while filler.write_all(&[b'.'; 4096]).is_ok() {});
    vendor.wait_for(41);
    running.signal("TERM");
    // The output is written before anybody reads the last words.
    let deadline = Instant::now() + Duration::from_secs(20);
    while !place.path("out.partial.csv").exists() {
        assert!(Instant::now() < deadline && !running.is_over());
        thread::sleep(Duration::from_millis(10));
    }
    let reading = thread::spawn(move || {
        let mut chunk = [0; 4096];
        while reader.read(&mut chunk).is_ok_and(|bytes| bytes > 0) && chunk[0] != 0 {}
    });
    running.end().exits(143);
    check_drained(&place, vendor);
    // The two threads wait for each other and are left to end with the test process.
    drop((filling, reading));
}
