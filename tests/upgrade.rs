//! Ledgers that ceknik 0.1 and the versions after it made, used by the current program. Runs that were finished, stopped or
//! killed continue or are reused, nothing is bought twice, and an upgrade that is interrupted at
//! any step leaves a usable ledger.
//!
//! The ledgers are stored in `fixtures/ledgers`, by the version of their tables; `fixtures/make/ledgers.sh` made them. The tests
//! set a very long `--reuse`, since the stored answers grow older than its default.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::faults::{Act, ENOSPC, Fault, STORAGE, trace};
use support::files::{self, Contents, mode};
use support::table::count;
use support::{Finished, Running, Workspace};

const LEDGER: &str = "disk/my.ledger";
/// Version of the tables that this program makes.
const CURRENT: i64 = 4;
const LONG: [&str; 4] = ["--reuse", "36500d", "--reask-after", "36500d"];

/// Returns a place with a copy of a stored ledger and of the inputs.
fn stored(name: &str) -> Workspace {
    let place = Workspace::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/ledgers");
    fs::create_dir(place.path("disk")).unwrap();
    for input in ["customers.csv", "temporary.csv"] {
        fs::copy(fixtures.join(input), place.path(input)).unwrap();
    }
    for entry in fs::read_dir(fixtures.join(name)).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, place.path("disk").join(from.file_name().unwrap())).unwrap();
    }
    place
}

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let run = ["run", "customers.csv", "--sandbox", "--ledger", LEDGER, "-o", "out.csv"];
    [&run[..], &LONG, more].concat()
}

fn run(place: &Workspace, more: &[&str]) -> Finished {
    place.ceknik(&arguments(more))
}

/// Returns the files in the ledger's folder that hold facts, with their bytes: ledger, WAL, key,
/// witness and any copy of them. The lock, `-shm` and empty files are left out.
fn facts(place: &Workspace) -> Contents {
    let mut files = files::contents(&place.path("disk"));
    files.retain(|name, bytes| {
        let is_passing = name.ends_with("lock") || name.ends_with("ledger-shm");
        !is_passing && !bytes.is_empty()
    });
    files
}

/// Returns the number of pairs that have more than one recorded result.
fn bought_twice(ledger: &Path) -> u64 {
    let ledger = rusqlite::Connection::open(ledger).unwrap();
    let query = "SELECT count(*) FROM (
        SELECT i.pair FROM intents i JOIN settlements s ON s.id = i.id
        WHERE s.result IS NOT NULL GROUP BY i.pair HAVING count(*) > 1)";
    ledger.query_row(query, [], |row| row.get(0)).unwrap()
}

fn calls_in(ledger: &Path) -> u64 {
    let ledger = rusqlite::Connection::open(ledger).unwrap();
    ledger.query_row("SELECT count(*) FROM intents", [], |row| row.get(0)).unwrap()
}

fn version(ledger: &Path) -> i64 {
    let ledger = rusqlite::Connection::open(ledger).unwrap();
    ledger.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

fn outcomes(place: &Workspace) -> Vec<String> {
    place.column("out.csv", "ck_outcome")
}

/// Returns the outcomes of an undisturbed run of the same file.
fn undisturbed() -> Vec<String> {
    let place = stored("v2/finished");
    fs::remove_dir_all(place.path("disk")).unwrap();
    fs::create_dir(place.path("disk")).unwrap();
    run(&place, &[]).exits(0);
    outcomes(&place)
}

#[test]
fn an_open_run_of_an_older_ledger_goes_on_and_buys_nothing_twice() {
    let expected = undisturbed();
    for (name, exit, in_doubt) in
        [("v2/stopped", 0, 0), ("v2/killed", 3, 1), ("v3/stopped", 0, 0), ("v3/killed", 3, 1)]
    {
        let place = stored(name);
        let before = calls_in(&place.path(LEDGER));
        let ended = run(&place, &[]).exits(exit);
        assert!(ended.stderr.contains("continuing run 1: "), "{}", ended.stderr);
        let kept = ended.stderr.matches("is updated now").count();
        let copy = format!("disk/my.ledger.{}", &name[..2]);
        assert!(kept == 1 && ended.stderr.contains(&copy), "{}", ended.stderr);
        let summary = place.summary("out.csv");
        assert_eq!((&summary["run"], &summary["starts"]), (&1.into(), &3.into()), "the same run");
        let calls = summary["start_calls"].as_u64().unwrap();
        assert_eq!(calls_in(&place.path(LEDGER)), before + calls, "{name}");
        assert!(calls < 60 && bought_twice(&place.path(LEDGER)) == 0, "{name}: {calls} calls");
        let other = outcomes(&place).into_iter().zip(&expected);
        let other: Vec<_> = other.filter(|(outcome, expected)| outcome != *expected).collect();
        assert_eq!(other.len(), in_doubt, "{name}: {other:?}");
        assert!(other.iter().all(|(outcome, _)| outcome == "in_doubt"));
        // A second run finds all answers, and does not report the upgrade again.
        let again = run(&place, &["--retry-refused"]);
        assert!(!again.stderr.contains("is updated now"), "{}", again.stderr);
        assert_eq!(bought_twice(&place.path(LEDGER)), 0, "{name}");
    }
}

/// The open run of 0.1 has asked for four temporary NIKs, which today's checks refuse. It has not
/// reached four others.
#[test]
fn what_an_open_run_has_asked_for_is_shown_even_if_it_is_refused_today() {
    let place = stored("v2/temporary");
    let arguments =
        |command| [command, "temporary.csv", "--sandbox", "--ledger", LEDGER, "--price", "1500"];
    let plan = place.ceknik(&arguments("plan")).exits(0).stdout;
    assert!(plan.contains("continuing run 1: 12 calls"), "{plan}");
    assert!(plan.contains("nik_temporary                  4\n"), "{plan}");

    let ended = place.ceknik(&[&arguments("run")[..], &["-o", "out.csv"]].concat()).exits(3);
    assert!(ended.stderr.contains("continuing run 1: 12 calls"), "{}", ended.stderr);
    let column = |name: &str| place.column("out.csv", name);
    let (niks, outcomes) = (column("nik"), column("ck_outcome"));
    let temporary: Vec<_> = (0..niks.len()).filter(|row| niks[*row].starts_with("03")).collect();
    let shown: Vec<_> = temporary.iter().map(|row| outcomes[*row].as_str()).collect();
    let asked = ["mismatch", "match", "match", "in_doubt"];
    let refused = ["rejected"; 4];
    // The last row repeats the first of them.
    assert_eq!(shown, [&asked[..], &refused, &["mismatch"]].concat());
    let reasons = column("ck_reason");
    assert!(temporary[4..8].iter().all(|row| reasons[*row] == "nik_temporary"), "{reasons:?}");
    // The cost of the four pairs is in the output and in the bill. None of the others was bought.
    let summary = place.summary("out.csv");
    assert_eq!(
        (summary["spending"]["calls"].as_u64(), summary["start_calls"].as_u64()),
        (Some(20), Some(8))
    );
    assert_eq!(summary["spending"]["confirmed"], count(&column("ck_charged"), "yes"));
    assert_eq!(summary["rejected_by_reason"]["nik_temporary"].as_u64(), Some(4));
    assert_eq!(bought_twice(&place.path(LEDGER)), 0);
    // A new run of the same file refuses all temporary NIKs.
    let again =
        place.ceknik(&[&arguments("run")[..], &["-o", "out.csv", "--force"]].concat()).exits(3);
    assert!(!again.stderr.contains("continuing run"), "{}", again.stderr);
    assert_eq!(count(&column("ck_outcome"), "rejected"), 9);
}

#[test]
fn the_answers_of_a_finished_run_are_reused() {
    for name in ["v2/finished", "v3/finished"] {
        let place = stored(name);
        let before = calls_in(&place.path(LEDGER));
        run(&place, &[]).exits(0);
        let summary = place.summary("out.csv");
        assert_eq!(summary["run"], 2, "a new run");
        // Only pairs that never got an answer would be sent again.
        assert_eq!(summary["funnel"]["reused"], place.count("out.csv", "ck_source", "ledger"));
        assert_eq!(summary["funnel"]["to_send"], 0, "{}", summary["funnel"]);
        assert_eq!(calls_in(&place.path(LEDGER)), before);
        assert_eq!(bought_twice(&place.path(LEDGER)), 0);
    }
}

/// The settings of the run are not recorded: the file is read by today's flags, which are the defaults.
#[test]
fn the_output_of_an_older_run_is_made_again() {
    let expected = undisturbed();
    for name in ["v2/finished", "v3/finished"] {
        let place = stored(name);
        let before = facts(&place);
        let export = ["export", "customers.csv", "--sandbox", "--ledger", LEDGER, "-o", "out.csv"];
        let told = place.ceknik(&export).exits(0);
        told.says("run 1 was made by an older version of ceknik")
            .says("the rows have the same results");
        assert_eq!(outcomes(&place), expected, "{name}");
        assert!(place.column("out.csv", "ck_charged").contains(&"yes".to_owned()));
        assert!(facts(&place) == before, "{name}: not a byte is written");
    }
}

#[test]
fn a_plan_and_a_status_show_an_older_ledger_as_it_is() {
    let ledgers = [("finished", 0, 0), ("stopped", 0, 0), ("killed", 3, 1)];
    let versions = ["v2", "v3"].into_iter().flat_map(|v| ledgers.map(|ledger| (v, ledger)));
    for (version, (name, exit, unsettled)) in versions {
        let place = stored(&format!("{version}/{name}"));
        let before = facts(&place);
        let plan = ["plan", "customers.csv", "--sandbox", "--ledger", LEDGER, "--json"];
        let plan = place.ceknik(&[&plan[..], &LONG].concat()).exits(0);
        let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
        let shown = place.status(&["--ledger", LEDGER]);
        assert_eq!(
            (&plan["unsettled"], &shown["unsettled"]),
            (&unsettled.into(), &unsettled.into())
        );
        assert!(facts(&place) == before, "{name}: not a byte is written");
        // The run sends what the plan announced.
        run(&place, &[]).exits(exit);
        assert_eq!(place.summary("out.csv")["funnel"]["to_send"], plan["to_send"], "{name}");
    }
}

#[test]
fn a_purge_brings_an_older_ledger_up_to_date_too() {
    let place = stored("v2/finished");
    let purged =
        place.ceknik(&["purge", "--older-than", "36500d", "--sandbox", "--ledger", LEDGER]);
    let purged = purged.exits(0);
    assert!(purged.stdout.contains("0 answers removed"), "{}", purged.stdout);
    assert!(purged.stderr.contains("a copy of the old ledger is kept at"), "{}", purged.stderr);
    let copy = place.path("disk/my.ledger.v2");
    assert_eq!((version(&place.path(LEDGER)), version(&copy)), (CURRENT, 2));
}

#[test]
fn the_copy_of_a_ledger_is_the_file_that_its_name_says() {
    for name in ["file:live.ledger", "file:a#b", "file:a?mode=memory"] {
        let place = stored("v2/finished");
        for ending in ["", ".key", ".witness"] {
            let stored = place.path(&format!("{LEDGER}{ending}"));
            fs::rename(stored, place.path(&format!("{name}{ending}"))).unwrap();
        }
        fs::write(place.path("a"), "a file of somebody else").unwrap();
        let purge = ["purge", "--older-than", "36500d", "--sandbox", "--ledger", name];
        place.ceknik(&purge).exits(0);
        let copy = place.path(&format!("{name}.v2"));
        // SQLite must not interpret the name here either.
        fs::copy(&copy, place.path("copy")).unwrap();
        assert_eq!((version(&place.path("copy")), mode(&copy)), (2, 0o600), "{name}");
        assert_eq!(place.read("a"), "a file of somebody else", "{name}");
    }
}

#[test]
fn without_room_for_the_copy_nothing_is_changed() {
    let calm = stored("v2/stopped");
    let mut command = calm.command(&arguments(&[]));
    trace(&mut command, STORAGE, "my.ledger.v2", &calm.path("trace"));
    Running::start(command).end().exits(0);
    let steps = calm.read("trace").lines().count();
    assert!(steps > 10, "{steps} steps of a copy");
    for at in 1..=steps {
        let place = stored("v2/stopped");
        let before = facts(&place);
        let act = Act::Fail { errno: ENOSPC, lasts: true };
        let mut command = place.command(&arguments(&[]));
        let fault = Fault { calls: STORAGE, path: "my.ledger.v2", at, act };
        fault.put_upon(&mut command, &place.path("mark"));
        let ended = Running::start(command).end().exits(18);
        let said = ended.stderr;
        assert!(said.contains("my.ledger.v2") && said.contains("older ledger"), "{at}: {said}");
        assert!(facts(&place) == before, "step {at}: something is changed, or left");
        run(&place, &[]).exits(0);
        assert_eq!(bought_twice(&place.path(LEDGER)), 0);
    }
}

#[test]
fn killed_at_each_step_of_an_upgrade_the_next_start_goes_on() {
    for version in ["v2", "v3"] {
        killed_at_each_step_of_an_upgrade_from(version);
    }
}

fn killed_at_each_step_of_an_upgrade_from(older: &str) {
    let (expected, ledger) = (undisturbed(), format!("{older}/stopped"));
    let calm = stored(&ledger);
    let mut command = calm.command(&arguments(&["--limit", "1"]));
    trace(&mut command, "write,cut,sync,rename", "/disk/", &calm.path("trace"));
    Running::start(command).end().exits(13);
    let trace = calm.read("trace");
    let steps: Vec<&str> = trace.lines().collect();
    let renamed = steps.iter().position(|step| step.starts_with("rename")).unwrap();
    assert!(renamed > 10 && steps.len() > renamed + 10, "{steps:?}");
    // The kills cover the copy, the upgrade and the first facts of the new start.
    for at in 1..=(renamed + 14).min(steps.len()) {
        let place = stored(&ledger);
        let mut command = place.command(&arguments(&["--limit", "1"]));
        let fault = Fault { calls: "write,cut,sync,rename", path: "/disk/", at, act: Act::Kill };
        fault.put_upon(&mut command, &place.path("mark"));
        let killed = Running::start(command).end();
        assert_eq!(killed.code, None, "step {at}: {}", killed.stderr);
        let code = run(&place, &[]).code;
        assert!(matches!(code, Some(0 | 3)), "step {at}: {code:?}");
        assert_eq!(version(&place.path(LEDGER)), CURRENT, "step {at}");
        let copy = version(&place.path(&format!("disk/my.ledger.{older}")));
        assert_eq!(format!("v{copy}"), older, "step {at}: the copy is complete");
        assert_eq!(bought_twice(&place.path(LEDGER)), 0, "step {at}");
        let other =
            outcomes(&place).into_iter().zip(&expected).filter(|(one, other)| one != *other);
        let doubts = other.map(|(outcome, _)| assert_eq!(outcome, "in_doubt")).count();
        assert!(doubts <= 1, "step {at}: {doubts} rows differ");
    }
}
