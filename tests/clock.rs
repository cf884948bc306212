//! The wall clock is changed in the middle of a run and between runs, also across midnight and the
//! end of summer time. `--deadline` and `--reuse` must keep their meaning.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::fs;

use jiff::{SignedDuration, Timestamp};
use support::faults::{Act, Fault, set_clock};
use support::{Finished, Running, Vendor, Workspace, run_arguments, set_up};

const ROWS: u32 = 40;
const LATENCY: &str = "5ms";
/// Number of the send call at which the clock is changed.
const AT_CALL: usize = 6;

/// Runs the program with a clock that is wrong by `shift`, and moves the clock by `jump` in the
/// middle of the run.
fn run(
    place: &Workspace,
    vendor: &Vendor,
    zone: &str,
    (shift, jump): (SignedDuration, SignedDuration),
    more: &[&str],
) -> Finished {
    let more = [&["--concurrency", "2", "-o", "out.csv"], more].concat();
    let mut command = place.command(&run_arguments("in.csv", &vendor.base_url, &more));
    command.env("TZ", zone);
    set_clock(&mut command, shift.as_secs());
    let act = Act::ShiftClock(jump.as_secs());
    let fault = Fault { calls: "send", path: "/", at: AT_CALL, act };
    let mark = place.path("mark");
    // An earlier run of this place may have left its mark.
    let _ = fs::remove_file(&mark);
    fault.put_upon(&mut command, &mark);
    let before = vendor.calls().len();
    let ended = Running::start(command).end();
    let calls = vendor.calls().len() - before;
    assert!(mark.exists() || calls < AT_CALL, "{calls} calls, and the clock was not set");
    ended
}

#[test]
fn a_deadline_holds_whatever_the_clock_does() {
    let (jakarta, berlin) = ("Asia/Jakarta", "Europe/Berlin");
    let (hours, minutes) = (SignedDuration::from_hours, SignedDuration::from_mins);
    for (zone, start, deadline, jump, code) in [
        (jakarta, "2026-11-28T04:00+07", "05:30", hours(0), 0),
        (jakarta, "2026-11-28T04:00+07", "05:30", hours(1), 0),
        (jakarta, "2026-11-28T04:50+07", "05:30", hours(1), 15),
        (jakarta, "2026-11-28T05:00+07", "05:30", hours(-1), 0),
        (jakarta, "2026-11-28T22:00+07", "05:30", hours(8), 15),
        (jakarta, "2026-11-28T22:00+07", "6h", hours(1), 0),
        (jakarta, "2026-11-28T22:00+07", "6h", hours(7), 15),
        // Across midnight.
        (jakarta, "2026-11-28T23:59:58+07", "00:30", hours(0), 0),
        (jakarta, "2026-11-28T23:50+07", "00:30", hours(1), 15),
        (jakarta, "2026-11-29T00:10+07", "00:30", hours(-1), 0),
        // Across the end of summer time, when one hour occurs twice.
        (berlin, "2026-10-24T22:00+02", "05:30", minutes(8 * 60 + 15), 0),
        (berlin, "2026-10-24T22:00+02", "05:30", minutes(8 * 60 + 45), 15),
        (berlin, "2026-10-25T02:45+02", "02:50", hours(0), 0),
        (berlin, "2026-10-25T02:45+01", "02:50", hours(0), 0),
    ] {
        let (place, vendor) = set_up(ROWS, LATENCY);
        let shift = start.parse::<Timestamp>().unwrap().duration_since(Timestamp::now());
        let ended = run(&place, &vendor, zone, (shift, jump), &["--deadline", deadline]);
        let what = format!("{zone} {start}, until {deadline}, set by {jump:?}");
        assert_eq!(ended.code, Some(code), "{what}: {}", ended.stderr);
        let calls = vendor.end().len();
        match code {
            0 => assert_eq!(calls, ROWS as usize, "{what}"),
            // Calls that were in flight when the clock was changed are still answered.
            _ => assert!((AT_CALL..AT_CALL + 4).contains(&calls), "{what}: {calls} calls"),
        }
    }
}

#[test]
fn answers_are_used_again_whatever_the_clock_does() {
    let (hours, none) = (SignedDuration::from_hours, SignedDuration::ZERO);
    let (place, vendor) = set_up(ROWS, LATENCY);
    // The clock is one hour fast. In the middle of the run it is set back to the right time.
    run(&place, &vendor, "UTC", (hours(1), hours(-1)), &[]).exits(0);
    for (shift, calls) in [
        (none, 0),
        // The recorded answers seem to come from the future, then from one hour and twenty hours
        // ago, then from 31 days ago, which is too old.
        (hours(-2), 0),
        (hours(1), 0),
        (hours(20), 0),
        (hours(31 * 24), ROWS as usize),
    ] {
        let before = vendor.calls().len();
        run(&place, &vendor, "UTC", (shift, none), &["--reask-after", "30d"]).exits(0);
        assert_eq!(vendor.calls().len() - before, calls, "the clock is off by {shift:?}");
    }
}
