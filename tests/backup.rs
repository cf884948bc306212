//! `ceknik backup`, as a whole program.
//!
//! Must hold: a copy has everything that was confirmed before it was made, also while a run is under
//! way, and a run on it buys nothing twice. No file is overwritten.

#![allow(clippy::unwrap_used, reason = "a test: what is not as expected is the test's answer")]

mod support;

use support::files::{mode, names};
use support::shared::Shared;
use support::{Running, bought_once, many_people, run_arguments, set_up};

#[test]
fn a_copy_that_is_made_while_a_run_is_under_way_has_everything() {
    let (place, vendor) = set_up(600, "20ms");
    let url = vendor.base_url.clone();
    let flags = ["--ledger", "my.ledger", "-o", "o.csv", "--concurrency", "8"];
    let mut running = Running::start(place.command(&run_arguments("in.csv", &url, &flags)));
    vendor.wait_for_more(200, &mut running);
    let which = ["--base-url", &url, "--ledger", "my.ledger"];
    let before = place.status(&which)["runs"][0]["tally"]["confirmed"].as_u64().unwrap();
    assert!(before > 50);
    let made = place.ceknik(&[&["backup", "copy.ledger"], &which[..]].concat()).exits(0);
    assert!(made.stdout.contains("is a copy of the ledger my.ledger"), "{}", made.stdout);
    assert!(!running.is_over(), "the run is under way");
    running.kill();

    for name in ["copy.ledger", "copy.ledger.key", "copy.ledger.witness"] {
        assert_eq!(mode(&place.path(name)), 0o600, "{name}");
    }
    let of_copy = ["--base-url", &url, "--ledger", "copy.ledger"];
    let copied = place.status(&of_copy)["runs"][0]["tally"]["confirmed"].as_u64().unwrap();
    assert!(copied >= before, "{copied} of {before}");
    // A run on the copy goes on from there: no answer that is in it is bought again.
    let calls = vendor.count() as u64;
    let flags = ["--ledger", "copy.ledger", "-o", "copy.csv"];
    let ended = place.run("in.csv", &url, &flags);
    assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    assert!(vendor.count() as u64 - calls <= 600 - copied);
    // The ledger itself goes on as if nothing had been.
    place.ceknik(&["plan", "in.csv", which[0], which[1], which[2], which[3]]).exits(0);
}

#[test]
fn a_copy_of_a_ledger_at_rest_is_the_ledger() {
    let (place, vendor) = set_up(30, "0ms");
    let url = vendor.base_url.clone();
    let ended = place.run("in.csv", &url, &["--ledger", "my.ledger", "-o", "o.csv"]);
    assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    let backup = |more: &[&str]| {
        let which = ["--base-url", &url, "--ledger", "my.ledger"];
        place.ceknik(&[&["backup"], more, &which].concat())
    };
    let before = names(&place.path(""));
    backup(&["copy.ledger"]).exits(0);
    let mut made = names(&place.path(""));
    made.retain(|name| !before.contains(name));
    assert_eq!(made, ["copy.ledger", "copy.ledger.key", "copy.ledger.witness"]);
    let shown = |ledger: &str| place.status(&["--base-url", &url, "--ledger", ledger]);
    assert_eq!(shown("copy.ledger"), shown("my.ledger"));
    place.run("in.csv", &url, &["--ledger", "copy.ledger", "-o", "again.csv"]);
    bought_once(&vendor.calls());
    assert_eq!(vendor.count(), 30);
}

#[test]
fn a_backup_that_cannot_be_made_is_told_and_changes_nothing() {
    let (place, vendor) = set_up(10, "0ms");
    let url = vendor.base_url.clone();
    let backup = |to: &str, ledger: &str| {
        place.ceknik(&["backup", to, "--base-url", &url, "--ledger", ledger])
    };
    assert!(backup("copy", "my.ledger").exits(11).stderr.contains("there is no ledger"));
    place.run("in.csv", &url, &["--ledger", "my.ledger", "-o", "o.csv"]);
    for there in ["copy", "copy.key", "copy.witness", "copy.part", "copy.part.key"] {
        place.write(there, "mine");
        let refused = backup("copy", "my.ledger").exits(18);
        assert!(refused.stderr.contains("this file exists already"), "{}", refused.stderr);
        assert_eq!(place.read(there), "mine");
        std::fs::remove_file(place.path(there)).unwrap();
    }
    backup("nowhere/copy", "my.ledger").exits(18);
    // A ledger that has lost facts is no backup.
    backup("good", "my.ledger").exits(0);
    std::fs::copy(place.path("my.ledger.witness"), place.path("later.witness")).unwrap();
    std::fs::write(place.path("my.ledger"), "").unwrap();
    backup("copy", "my.ledger").exits(18);
    assert!(!place.path("copy").exists());
    let other = place.ceknik(&["backup", "copy", "--sandbox", "--ledger", "good"]).exits(11);
    assert!(other.stderr.contains("belongs to"), "{}", other.stderr);
}

#[test]
fn a_shared_ledger_is_backed_up_by_its_server() {
    let Some(shared) = Shared::new(&[]) else { return };
    shared.place.write("in.csv", many_people(5));
    let refused = shared.ledger(&["backup", "copy"]).exits(2);
    refused.says("pg_dump").says("this key file").says(".key");
    assert!(!shared.place.path("copy").exists());
}
