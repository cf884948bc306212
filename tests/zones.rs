//! Time zones: deadlines, days and times are those of the zone that was given, and a zone that is
//! not known is refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use support::{Finished, Running, Workspace, people_csv};

/// Runs a command on a file, with these variables.
fn with(variables: &[(&str, &str)], arguments: &[&str]) -> Finished {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1]));
    let mut command = place.command(arguments);
    command.envs(variables.iter().copied());
    Running::start(command).end()
}

#[test]
fn a_deadline_is_shown_with_its_date_and_offset() {
    for (variables, more, offset) in [
        (&[("TZ", "UTC")][..], &["--time-zone", "WIB"][..], "+07:00"),
        (&[("TZ", "UTC")], &["--time-zone", "+05:45"], "+05:45"),
        (&[("TZ", "UTC")], &[], "+00:00"),
        (&[("TZ", "Asia/Makassar")], &[], "+08:00"),
        (&[("TZ", "WIT")], &[], "+09:00"),
        (&[("TZ", "UTC"), ("CEKNIK_TIME_ZONE", "WITA")], &[], "+08:00"),
        // The zones are built in: containers often have none.
        (&[("TZDIR", "/nowhere"), ("TZ", "UTC")], &["--time-zone", "Asia/Jakarta"], "+07:00"),
    ] {
        let run = ["run", "in.csv", "--sandbox", "--deadline", "05:30"];
        let said = with(variables, &[&run[..], more].concat()).stderr;
        let line = said.lines().find(|line| line.starts_with("deadline   ")).unwrap();
        assert!(line.contains(&format!(" 05:30 (UTC{offset})")), "{variables:?}: {line}");
    }
}

#[test]
fn a_zone_that_is_given_and_not_known_is_an_error() {
    let says = "not a time zone: give WIB, WITA, WIT, UTC";
    for (variables, more, begin) in [
        (&[][..], &["--time-zone", "Asia/Jakrta"][..], "error: invalid value 'Asia/Jakrta'"),
        (&[("CEKNIK_TIME_ZONE", "Mars")], &[], "error: CEKNIK_TIME_ZONE: "),
        (&[("TZ", "Mars/Olympus")], &[], "error: TZ: "),
    ] {
        for command in [&["run", "in.csv", "--sandbox"][..], &["plan", "in.csv", "--sandbox"]] {
            let ended = with(variables, &[command, more].concat()).exits(2);
            assert!(ended.stderr.starts_with(begin), "{begin}: {}", ended.stderr);
            assert!(ended.stderr.contains(says), "{begin}: {}", ended.stderr);
        }
    }
    // A zone that was given in another way counts, whatever `TZ` is.
    with(&[("TZ", "Mars")], &["plan", "in.csv", "--sandbox", "--time-zone", "WIB"]).exits(0);
}

#[test]
fn the_days_of_status_are_those_of_the_zone() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1]));
    place.ceknik(&["run", "in.csv", "--sandbox"]).exits(0);
    // No two zones are further apart: it is never the same day in both.
    let [first, last] = ["-12:00", "+14:00"].map(|zone| {
        let status = place.status(&["--sandbox", "--time-zone", zone]);
        assert_eq!(status["utc_offset"], zone);
        status["days"][0]["day"].as_str().unwrap().to_owned()
    });
    assert!(first < last, "{first} {last}");
    let text = place.ceknik(&["status", "--sandbox", "--time-zone", "WIB"]).exits(0).stdout;
    assert!(text.contains("(days at UTC+07:00; for the invoice: --month)"), "{text}");
}
