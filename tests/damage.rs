//! Ledger files that are damaged, lost or replaced by old copies, and a disk that fails at each
//! single write.
//!
//! Must hold: whatever happens to the files, the program either continues without buying anything
//! twice or refuses to run. The vendor's call log shows what was charged.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::fs;

use support::faults::{Act, EIO, ENOSPC, Fault, STORAGE};
use support::files::{self, Contents};
use support::money::Charges;
use support::{
    Finished, LEDGER, Running, Vendor, Workspace, billed, bought_once, run_arguments, set_up,
};

fn run(place: &Workspace, vendor: &Vendor, more: &[&str]) -> Finished {
    place.run("in.csv", &vendor.base_url, &[&LEDGER[..], more].concat())
}

/// Returns the charges in the ledger.
fn charges(place: &Workspace) -> Charges {
    Charges::of_first_run(&place.status(&LEDGER[..2]))
}

/// Returns the files in the ledger's folder. The `-shm` and lock files are left out, since whoever
/// opens the ledger makes them anew. An empty WAL is left out too: it equals no WAL.
fn ledger_files(place: &Workspace) -> Contents {
    let mut files = files::contents(&place.path("disk"));
    files.retain(|name, bytes| {
        let is_passing = name.ends_with("-shm") || name.ends_with(".lock");
        !(is_passing || name.ends_with("-wal") && bytes.is_empty())
    });
    files
}

/// Makes these files the only ones in the ledger's folder.
fn put(place: &Workspace, files: &Contents) {
    for entry in fs::read_dir(place.path("disk")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, bytes) in files {
        place.write(&format!("disk/{name}"), bytes);
    }
}

/// Runs 50 rows with a fault, then again without one. Returns `true` if the fault happened.
fn run_with_fault(fault: Fault<'_>, undisturbed: &[String]) -> bool {
    let (place, vendor) = set_up(50, "0");
    let arguments = run_arguments("in.csv", &vendor.base_url, &LEDGER);
    let (mut command, mark) = (place.command(&arguments), place.path("mark"));
    fault.put_upon(&mut command, &mark);
    let ended = Running::start(command).end();
    let came = mark.exists();
    let expected = if came { &[0, 3, 18][..] } else { &[0] };
    assert!(expected.contains(&ended.code.unwrap()), "{fault:?}: {}", ended.stderr);
    let is_shown = |name| place.path(name).exists();
    if fault.path == LEDGER_FILES && ended.code == Some(18) && vendor.count() > 0 {
        // If the ledger fails, the output is written all the same. Where no answer is recorded, the
        // program does not know that the vendor is a sandbox, and names the output as for a live
        // vendor.
        let names = ["in.sandbox.partial.csv", "in.sandbox.csv", "in.verified.partial.csv"];
        assert!(names.into_iter().any(is_shown), "{fault:?}: {}", ended.stderr);
    }
    if is_shown("in.sandbox.partial.csv") {
        // The output shows recorded charges only. The ledger may hold more: a commit that reported
        // a failure can turn out to be complete.
        let shown = place.count("in.sandbox.partial.csv", "ck_charged", "yes") as u64;
        assert!(shown <= charges(&place).confirmed, "{fault:?}: {shown} shown");
    }

    let ended = run(&place, &vendor, &[]);
    let charges = charges(&place);
    let code = if charges.possible == 0 { 0 } else { 3 };
    assert_eq!(ended.code, Some(code), "{fault:?}: {}", ended.stderr);
    let calls = vendor.end();
    bought_once(&calls);
    assert!(charges.covers(billed(&calls)), "{fault:?}: {} billed, {charges:?}", billed(&calls));
    let outcomes = place.column("in.sandbox.csv", "ck_outcome");
    assert_eq!(outcomes.len(), undisturbed.len());
    for (outcome, undisturbed) in outcomes.iter().zip(undisturbed) {
        assert!(outcome == undisturbed || outcome == "in_doubt", "{fault:?}: {outcome}");
    }
    came
}

/// Lets every `step`-th write, cut and sync of these files fail in a run of 50 rows: first that
/// call alone, then all calls after it too.
fn each_write_fails(files: &str, step: usize, at_least: usize) {
    let (place, vendor) = set_up(50, "0");
    run(&place, &vendor, &[]).exits(0);
    let undisturbed = place.column("in.sandbox.csv", "ck_outcome");
    for act in [Act::Fail { errno: EIO, lasts: false }, Act::Fail { errno: ENOSPC, lasts: true }] {
        let fault = |at| Fault { calls: STORAGE, path: files, at, act };
        let failed = (1..).step_by(step).take_while(|at| run_with_fault(fault(*at), &undisturbed));
        let failed = failed.count();
        println!("{files}, {act:?}: {failed} writes failed, each in a run of its own");
        assert!(failed * step >= at_least, "a run writes more often");
    }
}

/// Part of the path of the ledger and the files beside it.
const LEDGER_FILES: &str = "/disk/my.ledger";
/// Part of the path of the output and its summary while they are written.
const OUTPUT_FILES: &str = "ceknik-tmp";

#[test]
fn a_write_that_fails_costs_no_answer() {
    each_write_fails(LEDGER_FILES, 9, 100);
    each_write_fails(OUTPUT_FILES, 1, 4);
}

#[test]
#[ignore = "takes minutes: a run for every single write"]
fn every_write_that_fails_costs_no_answer() {
    each_write_fails(LEDGER_FILES, 1, 100);
}

/// A ledger with a history: two starts that ended normally, and a third that was killed and left a
/// WAL.
struct LedgerHistory {
    place: Workspace,
    vendor: Vendor,
    /// The ledger's files after each start.
    moments: [Contents; 3],
}

impl LedgerHistory {
    fn new() -> Self {
        let (place, vendor) = set_up(400, "20ms");
        let moments = [0, 1, 2].map(|start| {
            if start < 2 {
                run(&place, &vendor, &["--limit", "100"]).exits(13);
            } else {
                let arguments = run_arguments("in.csv", &vendor.base_url, &LEDGER);
                let mut running = Running::start(place.command(&arguments));
                vendor.wait_for(250);
                running.kill();
            }
            ledger_files(&place)
        });
        assert!(moments[2].contains_key("my.ledger-wal"));
        Self { place, vendor, moments }
    }

    /// Returns the ledger's files after the third start, changed by `change`.
    fn but(&self, change: impl FnOnce(&mut Contents)) -> Contents {
        let mut files = self.moments[2].clone();
        change(&mut files);
        files
    }

    /// Checks that `run` and `plan` refuse these files, call nobody and leave the files unchanged.
    fn refused(&self, what: &str, files: &Contents) {
        put(&self.place, files);
        let before = self.vendor.calls().len();
        let arguments = run_arguments("in.csv", &self.vendor.base_url, &LEDGER);
        let plan = [&["plan", "in.csv"], &LEDGER[..2], &["--base-url", &self.vendor.base_url]];
        for arguments in [&arguments, &plan.concat()] {
            let ended = self.place.ceknik(arguments);
            assert_eq!(ended.code, Some(18), "{what}, {arguments:?}: {}", ended.stderr);
            assert!(ended.stderr.contains("hint: Bring the "), "{what}: {}", ended.stderr);
            let mut files = files.clone();
            files.retain(|name, bytes| !(name.ends_with("-wal") && bytes.is_empty()));
            assert!(ledger_files(&self.place) == files, "{what}: {arguments:?} changed it");
        }
        assert_eq!(self.vendor.calls().len(), before, "{what}");
    }
}

fn cut(files: &mut Contents, name: &str, to: impl FnOnce(usize) -> usize) {
    let bytes = files.get_mut(name).unwrap();
    bytes.truncate(to(bytes.len()));
}

fn drop_all(files: &mut Contents, names: &[&str]) {
    for name in names {
        assert!(files.remove(*name).is_some());
    }
}

#[test]
fn lost_facts_are_noticed() {
    let past = LedgerHistory::new();
    let (wal, ledger, key) = ("my.ledger-wal", "my.ledger", "my.ledger.key");
    let old = |files: &mut Contents, moment: usize| {
        files.insert(ledger.to_owned(), past.moments[moment][ledger].clone());
    };
    let none = |_: usize| 0;
    let cases: [(&str, Contents); 13] = [
        ("no WAL", past.but(|files| drop_all(files, &[wal]))),
        ("an empty WAL", past.but(|files| cut(files, wal, none))),
        ("half a WAL", past.but(|files| cut(files, wal, |bytes| bytes / 2))),
        (
            "a damaged WAL",
            past.but(|files| {
                let bytes = files.get_mut(wal).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }),
        ),
        (
            "an old copy of the ledger",
            past.but(|files| {
                old(files, 0);
                drop_all(files, &[wal]);
            }),
        ),
        ("the same beside a later WAL", past.but(|files| old(files, 0))),
        (
            "a later copy",
            past.but(|files| {
                old(files, 1);
                drop_all(files, &[wal]);
            }),
        ),
        ("an emptied ledger", past.but(|files| cut(files, ledger, none))),
        (
            "an emptied ledger without a witness",
            past.but(|files| {
                cut(files, ledger, none);
                drop_all(files, &["my.ledger.witness"]);
            }),
        ),
        ("half a ledger beside its WAL", past.but(|files| cut(files, ledger, |bytes| bytes / 2))),
        ("no ledger", past.but(|files| drop_all(files, &[ledger]))),
        ("no ledger, no WAL, no key", past.but(|files| drop_all(files, &[ledger, wal, key]))),
        (
            "half a ledger alone",
            past.but(|files| {
                cut(files, ledger, |bytes| bytes / 8192 * 4096);
                drop_all(files, &[wal]);
            }),
        ),
    ];
    for (what, files) in &cases {
        past.refused(what, files);
    }
    // The rows of the starts tell which facts belong to which run.
    for damage in [
        "UPDATE starts SET run = 3 WHERE id = 1",
        "UPDATE starts SET first_attempt = 150 WHERE id = 2",
        "DELETE FROM starts WHERE id = 1",
    ] {
        put(&past.place, &past.moments[1]);
        let ledger = rusqlite::Connection::open(past.place.path("disk/my.ledger")).unwrap();
        ledger.execute_batch(damage).unwrap();
        drop(ledger);
        past.refused(damage, &ledger_files(&past.place));
    }

    // With its files restored, the ledger continues to the end, and nothing is bought twice. A torn
    // witness proves nothing and is no reason to refuse.
    put(&past.place, &past.but(|files| cut(files, "my.ledger.witness", |bytes| bytes / 2)));
    let ended = run(&past.place, &past.vendor, &[]).exits(3);
    assert!(ended.stderr.contains("in doubt"), "{}", ended.stderr);
    bought_once(&past.vendor.calls());
}

#[test]
fn without_its_witness_an_old_copy_of_the_ledger_goes_on_and_buys_again() {
    let past = LedgerHistory::new();
    let old = past.but(|files| {
        files.insert("my.ledger".to_owned(), past.moments[0]["my.ledger"].clone());
        drop_all(files, &["my.ledger-wal"]);
    });
    past.refused("an old copy", &old);
    // `status` is not refused: it shows the facts that are left, and says that some are lost.
    let status = past.place.ceknik(&["status", "--ledger", "disk/my.ledger"]).exits(18);
    assert!(status.stdout.contains("in.csv"), "{}", status.stdout);
    assert!(status.stderr.contains("has lost data: it had "), "{}", status.stderr);

    fs::remove_file(past.place.path("disk/my.ledger.witness")).unwrap();
    let before = past.vendor.calls().len();
    run(&past.place, &past.vendor, &[]).exits(0);
    let again = past.vendor.end().len() - before;
    println!("{again} calls, {} of them again", again + before - 400);
    assert_eq!(again, 300, "all but the first hundred");
    assert!(past.place.path("disk/my.ledger.witness").exists());
}

/// Returns NIK and outcome of each row.
fn verdicts(place: &Workspace) -> Vec<(String, String)> {
    let rows = place.rows("in.sandbox.csv");
    rows.into_iter().map(|row| (row["nik"].clone(), row["ck_outcome"].clone())).collect()
}

/// Runs with copies of a ledger in each of which one bit is flipped, at about `most` different
/// bytes.
fn check_flipped_bits(limit: &str, code: i32, most: usize) {
    let (place, vendor) = set_up(120, "0");
    run(&place, &vendor, &["--limit", limit]).exits(code);
    let whole = ledger_files(&place);
    let bought = vendor.calls();
    run(&place, &vendor, &[]).exits(0);
    let (to_send, undisturbed) = (vendor.calls().len() - bought.len(), verdicts(&place));
    let bytes = (0..).zip(&whole["my.ledger"]).filter(|(_, byte)| **byte != 0);
    let used: Vec<usize> = bytes.map(|(at, _)| at).collect();
    let mut refused = 0;
    for at in used.iter().step_by(used.len() / most) {
        let mut files = whole.clone();
        files.get_mut("my.ledger").unwrap()[*at] ^= 0x10;
        put(&place, &files);
        let before = vendor.count();
        let ended = run(&place, &vendor, &[]);
        let sent = vendor.calls().split_off(before);
        let again = sent.iter().find(|call| bought.iter().any(|old| old.pair == call.pair));
        assert!(again.is_none(), "byte {at}: {again:?} {}", ended.stderr);
        // The bit may be one of the vendor's address.
        let is_of_another = ended.code == Some(11) && ended.stderr.contains(" belongs to ");
        if ended.code == Some(18) || is_of_another {
            assert!(
                ended.stderr.contains("hint: ") || ended.stderr.contains("stopped: the ledger"),
                "byte {at}: {}",
                ended.stderr
            );
            refused += 1;
        } else {
            assert_eq!((ended.code, sent.len()), (Some(0), to_send), "byte {at}: {}", ended.stderr);
            assert!(verdicts(&place) == undisturbed, "byte {at}");
        }
    }
    println!("{} bits flipped, {refused} of them refused", used.len().min(most));
    assert!(refused > most / 4, "{refused}: the test shows little");
}

#[test]
fn a_flipped_bit_buys_nothing_and_changes_no_verdict() {
    // First a run that is finished, whose answers are reused, then a run that continues.
    check_flipped_bits("120", 0, 60);
    check_flipped_bits("60", 13, 40);
}
