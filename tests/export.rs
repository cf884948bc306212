//! `ceknik export`: the output of a run is made again, from its file and the ledger.
//!
//! Must hold: nothing is sent, and nothing is written but the output.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::io::Read;
use std::process::Stdio;

use support::shared::Shared;
use support::{Vendor, Workspace, many_people, people_csv};

/// Flags of a ledger in the test's folder.
const LEDGER: [&str; 2] = ["--ledger", "my.ledger"];

/// Returns the arguments of an export of `in.csv`.
fn export<'a>(base_url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["export", "in.csv", "--base-url", base_url][..], &LEDGER, more].concat()
}

#[test]
fn the_output_of_a_run_is_made_again() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    // A match, a mismatch, a refusal, a doubt, a row that is never sent, and a pair twice.
    let text = people_csv([1, 2, 5, 12, 0, 1001]);
    let twice = text.lines().nth(1).unwrap().to_owned();
    place.write("in.csv", text + &twice + "\n");
    let flags = [&LEDGER[..], &["-o", "out.csv"]].concat();
    place.run("in.csv", &vendor.base_url, &flags).exits(3);
    let calls = vendor.count();
    let ledger = std::fs::read(place.path("my.ledger")).unwrap();
    // It needs no secrets.
    let mut command = place.command(&export(&vendor.base_url, &["-o", "again.csv"]));
    command.env_remove("CEKNIK_API_ID").env_remove("CEKNIK_API_SECRET");
    let exported = support::Running::start(command).end().exits(3).says("export     run 1");
    assert!(!exported.stderr.contains("to send them again"), "it has no next command");
    assert_eq!(place.read("again.csv"), place.read("out.csv"));
    assert!(!place.path("again.csv.summary.json").exists(), "it is no start of the run");
    place.ceknik(&export(&vendor.base_url, &["-o", "again.xlsx"])).exits(3);
    assert_eq!(vendor.count(), calls);
    assert_eq!(std::fs::read(place.path("my.ledger")).unwrap(), ledger, "nothing is written");
    let stdout = place.ceknik(&export(&vendor.base_url, &["-o", "-"])).exits(3).stdout;
    assert_eq!(stdout, place.read("out.csv"));
}

/// If a run begins meanwhile, the ledger is read once more. What was read before must not be printed.
#[test]
fn a_run_that_begins_meanwhile_is_not_printed_twice() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", many_people(4000));
    place.write("other.csv", people_csv([1, 2, 3]));
    let flags = [&LEDGER[..], &["-o", "out.csv"]].concat();
    place.run("in.csv", &vendor.base_url, &flags).exits(0);
    let mut command = place.command(&export(&vendor.base_url, &["-o", "-"]));
    let mut exporting = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut printed = exporting.stdout.take().unwrap();
    // The export waits until somebody reads the rest: it is longer than a pipe.
    let mut text = vec![0];
    printed.read_exact(&mut text).unwrap();
    place.run("other.csv", &vendor.base_url, &LEDGER).exits(0);
    printed.read_to_end(&mut text).unwrap();
    assert_eq!(exporting.wait().unwrap().code(), Some(0));
    let expected = place.read("out.csv");
    assert!(text == expected.as_bytes(), "{} bytes of {}", text.len(), expected.len());
}

#[test]
fn a_finished_output_is_not_replaced_by_one_that_is_not() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1, 2, 1]));
    let run = |more: &[&str]| place.run("in.csv", &vendor.base_url, &[&LEDGER, more].concat());
    run(&[]).exits(0);
    let finished = place.read("in.sandbox.csv");
    run(&["--reuse", "0", "--limit", "1"]).exits(13);
    std::fs::remove_file(place.path("in.sandbox.partial.csv")).unwrap();
    place.ceknik(&export(&vendor.base_url, &[])).exits(3);
    assert_eq!(place.read("in.sandbox.csv"), finished);
    assert_eq!(place.count("in.sandbox.partial.csv", "ck_outcome", "not_sent"), 2);
}

#[test]
fn a_workbook_that_was_saved_again_has_the_settings_of_its_run() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let mut book = std::fs::read("fixtures/files/number-cells.xlsx").unwrap();
    place.write("in.xlsx", &book);
    let flags = [&LEDGER[..], &["--price", "1500"]].concat();
    let ran = place.run("in.xlsx", &vendor.base_url, &flags).stderr;
    let charged = ran.lines().find(|line| line.contains("confirmed: you owe")).unwrap();
    assert!(charged.contains("(Rp"), "{charged}");
    // Other bytes and the same sheets: a comment of one character ends the file.
    let length = book.len() - 2;
    assert_eq!(book[length..], [0, 0], "it has no comment");
    book[length] = 1;
    book.push(b'x');
    place.write("in.xlsx", &book);
    let address = ["export", "in.xlsx", "--base-url", &vendor.base_url, "-o", "again.xlsx"];
    place.ceknik(&[&address[..], &LEDGER].concat()).says(charged);
}

#[test]
fn a_run_is_chosen_by_its_number_and_by_its_file() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1, 2, 3]));
    let run = |more: &[&str]| place.run("in.csv", &vendor.base_url, more);
    run(&["--ledger", "my.ledger", "-o", "first.csv"]).exits(0);
    run(&["--ledger", "my.ledger", "-o", "second.csv", "--reuse", "0", "--once", "night"]).exits(0);
    let again = |more: &[&str]| {
        place.ceknik(&export(
            &vendor.base_url,
            &[&["-o", "again.csv", "--overwrite"], more].concat(),
        ))
    };
    again(&[]).exits(0).says("run 2");
    assert_eq!(place.read("again.csv"), place.read("second.csv"));
    again(&["--run", "1"]).exits(0).says("run 1");
    again(&["--once", "night"]).exits(0).says("run 2");
    again(&["--once", "other"]).exits(10).says("no run of this file");
    again(&["--run", "7"]).exits(10).says("no run 7 of this file");
    // The file is read as the run read it, whatever the flags say.
    again(&["--id-column", "1", "--name-column", "3"]).exits(0).says("run 2");
    assert_eq!(place.read("again.csv"), place.read("second.csv"));
    place.write("in.csv", people_csv([1, 2, 4]));
    again(&[]).exits(10).says("no run of this file");
    let missing = ["--ledger", "none.ledger"];
    let arguments = [&["export", "in.csv", "--base-url", &vendor.base_url][..], &missing].concat();
    place.ceknik(&arguments).exits(10).says("no run of this file");
    assert!(!place.path("none.ledger").exists(), "an export makes no ledger");
}

#[test]
fn a_run_that_is_not_finished_is_shown_as_it_is() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", many_people(20));
    let flags = [&LEDGER[..], &["-o", "out.csv", "--limit", "5"]].concat();
    place.run("in.csv", &vendor.base_url, &flags).exits(13);
    let told = place.ceknik(&export(&vendor.base_url, &["-o", "again.csv"])).exits(3);
    told.says("run 1, which is not finished");
    assert_eq!(place.read("again.csv"), place.read("out.partial.csv"));
    // An export in the place of the output leaves the partial one alone.
    place.ceknik(&export(&vendor.base_url, &["-o", "out.csv"])).exits(3);
    assert_eq!(place.read("out.csv"), place.read("out.partial.csv"));
    // The run goes on as if nothing had happened.
    place.run("in.csv", &vendor.base_url, &[&LEDGER[..], &["-o", "out.csv"]].concat());
    assert_eq!(vendor.count(), 20);
}

#[test]
fn a_run_on_a_shared_ledger_is_exported_on_any_machine() {
    let Some(shared) = Shared::new(&[]) else { return };
    shared.place.write("in.csv", people_csv([1, 2, 5, 12, 1001]));
    shared.run("in.csv", &["-o", "out.csv", "--once", "night"]).exits(3);
    let calls = shared.vendor.count();
    shared.ledger(&["export", "in.csv", "-o", "again.csv"]).exits(3);
    assert_eq!(shared.place.read("again.csv"), shared.place.read("out.csv"));
    assert_eq!(shared.vendor.count(), calls);
    assert_eq!(shared.status()["runs"].as_array().unwrap().len(), 1);
    assert!(shared.status()["workers"].as_array().unwrap().is_empty());
}
