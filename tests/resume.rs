//! Runs that are stopped anywhere and started again: nothing is bought twice, and the output is
//! that of an undisturbed run. The later tests check which answers of earlier runs are reused and
//! which rows are sent again.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's answer")]

mod support;

use std::collections::BTreeMap;

use support::{Row, Running, Vendor, Workspace, billed, name, nik, people_csv, run_arguments};

/// Returns rows with all kinds of verdicts, errors that pass at the second attempt, a duplicate and
/// a row without a NIK.
fn mixed() -> String {
    let endings = (0..48).map(|n| match n % 8 {
        0 => 2,
        1 => 8,
        2 => 3,
        3 => 16,
        4 => 4,
        _ => 1001 + n,
    });
    let text = people_csv(endings);
    let first = text.lines().nth(1).unwrap().to_owned();
    text + &first + "\n48,,NOBODY\n"
}

/// Returns the rows of an output without the columns that differ from call to call.
fn comparable(place: &Workspace, output: &str) -> Vec<Row> {
    let mut rows = place.rows(output);
    for row in &mut rows {
        row.retain(|column, _| {
            !["ck_request_id", "ck_handle_time", "ck_attempts"].contains(&column.as_str())
        });
    }
    rows
}

/// Asserts that no pair got two answers that end it.
#[track_caller]
fn nothing_was_asked_twice(calls: &[support::Call], what: &str) {
    let mut ends = BTreeMap::<_, u32>::new();
    let is_end = |answer: &str| matches!(answer, "01" | "02" | "03" | "04" | "77" | "cut");
    for call in calls.iter().filter(|call| is_end(&call.answer)) {
        *ends.entry(call.pair.clone()).or_default() += 1;
    }
    assert!(ends.values().all(|times| *times == 1), "{what}: a pair was asked again");
}

/// The ways to stop a run: name, flags of the vendor, flags of the run, exit code.
const STOPS: [(&str, &[&str], &[&str], i32); 6] = [
    ("limit", &[], &["--limit", "9"], 13),
    ("budget", &[], &["--max-charges", "6"], 13),
    ("quota", &["--quota", "5"], &[], 14),
    ("deadline", &["--latency", "20ms"], &["--deadline", "150ms", "--concurrency", "2"], 15),
    ("expired key", &["--expire-after", "20"], &[], 12),
    ("outage", &["--outage", "100ms..5m", "--latency", "15ms"], &["--max-outage", "300ms"], 16),
];

#[test]
fn a_stopped_run_goes_on_and_ends_like_an_undisturbed_one() {
    let undisturbed = Workspace::new();
    undisturbed.write("in.csv", mixed());
    undisturbed.ceknik(&["run", "in.csv", "--sandbox", "--backoff", "5ms", "-o", "o.csv"]).exits(3);
    let expected = comparable(&undisturbed, "o.csv");

    for (what, vendor_flags, run_flags, code) in STOPS {
        let place = Workspace::new();
        place.write("in.csv", mixed());
        let vendor = Vendor::start(&place, vendor_flags);
        let slow = [&["-o", "o.csv"][..], run_flags].concat();
        let slow = if run_flags.contains(&"--concurrency") {
            slow
        } else {
            [&slow[..], &["--concurrency", "4"]].concat()
        };
        place.run("in.csv", &vendor.base_url, &slow).exits(code);
        assert!(!place.path("o.csv").exists(), "{what}");
        let partial = place.column("o.partial.csv", "ck_outcome");
        assert_eq!(partial.len(), expected.len(), "{what}");
        assert!(partial.iter().any(|outcome| outcome == "not_sent"), "{what}");
        // On a busy machine these runs may stop before their first answer.
        let is_timed = ["deadline", "outage"].contains(&what);
        assert!(is_timed || partial.iter().any(|outcome| outcome == "match"), "{what}");

        // A vendor without faults answers at the same address.
        let port = vendor.base_url.rsplit(':').next().unwrap().to_owned();
        let mut calls = vendor.end();
        let logged = calls.len();
        let vendor = Vendor::start(&place, &["--port", &port]);
        let ended = place.run("in.csv", &vendor.base_url, &["-o", "o.csv"]).exits(3);
        assert!(ended.stderr.contains("continuing run 1"), "{what}: {}", ended.stderr);
        calls.extend(vendor.end().split_off(logged));
        nothing_was_asked_twice(&calls, what);
        assert_eq!(comparable(&place, "o.csv"), expected, "{what}");
        let summary = place.summary("o.csv");
        assert_eq!((&summary["run"], &summary["starts"]), (&1.into(), &2.into()), "{what}");
        assert_eq!(summary["spending"]["confirmed"], billed(&calls), "{what}");
        assert!(!place.path("o.partial.csv").exists(), "{what}");
    }
}

#[test]
fn stopped_again_and_again_it_still_gets_there() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "10ms"]);
    place.write("in.csv", mixed());
    let flags = ["-o", "o.csv", "--concurrency", "3"];
    let mut starts = 1;
    loop {
        let mut running =
            Running::start(place.command(&run_arguments("in.csv", &vendor.base_url, &flags)));
        if vendor.wait_for_more(12, &mut running) {
            running.signal("TERM");
        }
        match running.end().code {
            Some(143) => starts += 1,
            Some(3) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(starts > 2, "{starts}");
    assert_eq!(place.summary("o.csv")["starts"], starts);
    nothing_was_asked_twice(&vendor.end(), "TERM");
    assert_eq!(place.count("o.csv", "ck_source", "call"), 48);
}

#[test]
fn what_is_still_in_a_file_that_changed_is_not_bought_again() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let text = people_csv([1, 2, 3, 1, 2]);
    place.write("in.csv", &text);
    place.run("in.csv", &vendor.base_url, &["-o", "o.csv", "--limit", "3"]).exits(13);
    let lines: Vec<&str> = text.lines().collect();
    let changed = [lines[0], lines[5], lines[3], lines[2]].join("\n");
    place.write("in.csv", changed + &format!("\n9,{},{}\n", nik(7, 1), name(7)));
    // Even with `--reuse 0` these answers are used: their run was cut short and not finished.
    let more = ["-o", "o.csv", "--reuse", "0", "--reask-after", "0"];
    let ended = place.run("in.csv", &vendor.base_url, &more).exits(0);
    let told = "the file changed since run 1 was stopped (3 calls, 2 charged): rows that have an answer \
                are not paid again; the budget starts from zero\n";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert_eq!(place.column("o.csv", "ck_source"), ["call", "ledger", "ledger", "call"]);
    assert_eq!(place.column("o.csv", "ck_outcome"), ["mismatch", "not_sure", "mismatch", "match"]);
    let summary = place.summary("o.csv");
    assert_eq!((&summary["run"], &summary["spending"]["confirmed"]), (&2.into(), &2.into()));
    assert_eq!(vendor.calls().len(), 5);
    // The first form of the file is a new run now, and its answers are still known.
    place.write("in.csv", text);
    place.run("in.csv", &vendor.base_url, &["-o", "o.csv"]).exits(0);
    assert_eq!(vendor.end().len(), 6);
}

#[test]
fn what_an_earlier_run_knows_is_used_by_its_rules() {
    // Endings: match, mismatch, not sure, failed, refused, asked too often, unknown code, in doubt,
    // unavailable. `asked` lists those that the second run sends again.
    let endings = [1, 2, 3, 4, 5, 7, 13, 12, 6];
    for (more, asked) in [
        (&[][..], &[6][..]),
        (&["--reuse", "0"], &[1, 2, 5, 7, 13, 6]),
        (&["--reuse", "0", "--reask-after", "0s"], &[1, 2, 3, 4, 5, 7, 13, 6]),
        (&["--reask-after", "0s"], &[3, 4, 6]),
        (&["--retry-refused"], &[5, 6]),
        (&["--in-doubt", "resend"], &[12, 6]),
    ] {
        let place = Workspace::new();
        let vendor = Vendor::start(&place, &[]);
        place.write("in.csv", people_csv(endings));
        let run = |more: &[&str]| {
            let more = [&["-o", "o.csv", "--max-attempts", "1"], more].concat();
            place.run("in.csv", &vendor.base_url, &more).exits(3);
            vendor.calls().len()
        };
        let first = run(&[]);
        assert_eq!(first, endings.len());
        let second = run(more);
        assert_eq!(second - first, asked.len(), "{more:?}");
        for (row, ending) in place.rows("o.csv").iter().zip(endings) {
            let expected = if asked.contains(&ending) { "call" } else { "ledger" };
            assert_eq!(row["ck_source"], expected, "{more:?}: ending {ending}");
        }
        // The next run without these flags reuses the new answers, and sends only the pair that is
        // unavailable.
        assert_eq!(run(&[]) - second, 1, "{more:?}");
    }
}

#[test]
fn within_one_run_nothing_is_asked_twice_whatever_the_flags() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1, 2, 3, 4, 5, 7, 12, 1]));
    let eager = ["--reuse", "0", "--reask-after", "0s", "--retry-refused", "--in-doubt", "resend"];
    let run = |limit: &str| {
        let more = [&["-o", "o.csv", "--concurrency", "1", "--limit", limit], &eager[..]].concat();
        place.run("in.csv", &vendor.base_url, &more)
    };
    run("4").exits(13);
    run("3").exits(13);
    run("9").exits(3);
    assert_eq!(place.column("o.csv", "ck_source"), ["call"; 8]);
    assert!(vendor.end().iter().all(|call| call.n == 1));
}

#[test]
fn what_was_in_doubt_is_sent_again_once_a_run() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([12, 1, 1]));
    let run =
        |more: &[&str]| place.run("in.csv", &vendor.base_url, &[&["-o", "o.csv"], more].concat());
    let sends = || {
        let calls = vendor.calls();
        calls.iter().filter(|call| call.answer == "cut").count()
    };
    run(&["--limit", "1"]).exits(13);
    // The doubt arose in this run. Only doubts of earlier runs are sent again.
    run(&["--limit", "1", "--in-doubt", "resend"]).exits(13);
    let ended = run(&["--in-doubt", "resend"]).exits(3);
    assert_eq!(sends(), 1);
    assert!(!ended.stderr.contains("resend --in-doubt resend"), "{}", ended.stderr);
    // The next run sends the pair, loses the answer again and leaves the pair in doubt.
    place.write("more.csv", people_csv([12, 1, 1, 2, 2]));
    let more = |flags: &[&str]| {
        place.run("more.csv", &vendor.base_url, &[&["-o", "m.csv"], flags].concat())
    };
    more(&["--in-doubt", "resend", "--limit", "1"]).exits(13);
    assert_eq!(sends(), 2);
    more(&["--in-doubt", "resend", "--limit", "1"]).exits(13);
    more(&["--in-doubt", "resend"]).exits(3);
    assert_eq!(sends(), 2);
    let row = &place.rows("m.csv")[0];
    assert_eq!((row["ck_outcome"].as_str(), row["ck_possible"].as_str()), ("in_doubt", "1"));
    // Without `--in-doubt resend`, the doubts of both runs remain.
    let ended = more(&[]).exits(3);
    assert_eq!(sends(), 2);
    assert!(ended.stderr.contains("in doubt, not sent again"), "{}", ended.stderr);
    let status = place.ceknik(&["status", "--base-url", &vendor.base_url]).exits(0);
    assert!(status.stdout.contains("2 calls in doubt"), "{}", status.stdout);
}

#[test]
fn attempts_are_counted_over_all_starts_and_can_be_raised() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    // The first row always gets QUERY_FAILED, the second gets a match.
    place.write("in.csv", people_csv([6, 1]));
    let run = |attempts: &str, limit: &str| {
        let flags = ["-o", "o.csv", "--concurrency", "1", "--backoff", "1ms"];
        let url = vendor.base_url.as_str();
        let more = ["--max-attempts", attempts, "--limit", limit];
        place.ceknik(&[&["run", "in.csv", "--base-url", url][..], &flags, &more].concat())
    };
    // The first start makes one attempt for each row, the second start the last attempt of the
    // first row.
    run("2", "2").exits(13);
    let ended = run("2", "1");
    let sends = |n: usize| assert_eq!(vendor.calls().len(), n);
    ended.exits(3);
    sends(3);
    assert_eq!(place.column("o.csv", "ck_outcome"), ["unavailable", "match"]);
    assert_eq!(place.column("o.csv", "ck_attempts"), ["2", "1"]);
    // A pair that had no attempts left in a run that was cut short gets more when `--max-attempts`
    // is raised.
    place.write("two.csv", people_csv([6, 1, 1]).replace("WARGA", "ORANG"));
    let two = |attempts: &str, limit: &str| {
        let url = ["run", "two.csv", "--base-url", &vendor.base_url, "--concurrency", "1"];
        let more = ["--backoff", "1ms", "-o", "t.csv"];
        let limits = ["--max-attempts", attempts, "--limit", limit];
        place.ceknik(&[&url[..], &more, &limits].concat())
    };
    two("1", "2").exits(13);
    assert_eq!(place.column("t.partial.csv", "ck_outcome"), ["unavailable", "match", "not_sent"]);
    two("3", "9").exits(3);
    assert_eq!(place.column("t.csv", "ck_attempts"), ["3", "1", "1"]);
    sends(8);
    // A new run counts attempts from zero. Stopped before its end, it continues with more attempts
    // when the limit is raised.
    run("1", "1").exits(3);
    sends(9);
    run("3", "2").exits(13);
    sends(11);
    run("5", "9").exits(3);
    sends(14);
    assert_eq!(place.column("o.csv", "ck_attempts"), ["5", "0"]);
    assert_eq!(place.column("o.csv", "ck_source"), ["call", "ledger"]);
}

#[test]
fn another_output_other_columns_and_other_flags() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1, 2, 3]));
    let run = |more: &[&str]| place.run("in.csv", &vendor.base_url, more);
    run(&["-o", "a.csv", "--limit", "1"]).exits(13);
    // Output, rate and price do not identify a run.
    run(&["-o", "b.csv", "--price", "100", "--concurrency", "1"]).exits(0);
    assert_eq!(place.column("b.csv", "ck_source"), ["call"; 3]);
    assert_eq!(place.summary("b.csv")["starts"], 2);
    // Neither does the path of the file.
    std::fs::rename(place.path("in.csv"), place.path("moved.csv")).unwrap();
    place.run("moved.csv", &vendor.base_url, &["-o", "c.csv"]).exits(0);
    assert_eq!(place.column("c.csv", "ck_source"), ["ledger"; 3]);
    assert_eq!(place.summary("c.csv")["spending"]["confirmed"], 0);
    assert_eq!(place.summary("c.csv")["funnel"]["reused"], 3);
    assert_eq!(vendor.calls().len(), 3);
    // The way in which a file is read does.
    place.write("other.csv", people_csv([2, 1]));
    place.run("other.csv", &vendor.base_url, &["-o", "d.csv", "--limit", "1"]).exits(13);
    let ended =
        place.run("other.csv", &vendor.base_url, &["-o", "d.csv", "--send-odd-dates"]).exits(0);
    let told = "the file is the same, but read in another way (columns or flags), since run 3 was \
                stopped (1 call, 1 charged)";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert_eq!(place.column("d.csv", "ck_source"), ["ledger", "call"]);
}

#[test]
fn another_sheet_of_a_workbook_is_another_table() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let mut workbook = rust_xlsxwriter::Workbook::new();
    for (name, from) in [("Utara", 0), ("Selatan", 20)] {
        let sheet = workbook.add_worksheet().set_name(name).unwrap();
        sheet.write_row(0, 0, ["nik", "nama"]).unwrap();
        for row in 1..=20 {
            let person = [support::nik(from + row, 1), support::name(from + row)];
            sheet.write_row(row, 0, person).unwrap();
        }
    }
    place.write("two.xlsx", workbook.save_to_buffer().unwrap());
    let run = |sheet: &str, more: &[&str]| {
        let output = format!("{sheet}.csv");
        let which = ["--sheet", sheet, "--reuse", "0", "-o", &output, "--concurrency", "1"];
        place.run("two.xlsx", &vendor.base_url, &[&which, more].concat())
    };
    place.run("two.xlsx", &vendor.base_url, &["-o", "x.csv"]).exits(10);
    // Each sheet is a run, and one run does not supersede the other.
    run("Utara", &["--limit", "15"]).exits(13);
    run("Selatan", &["--limit", "15"]).exits(13);
    run("Utara", &[]).exits(0);
    run("Selatan", &[]).exits(0);
    assert_eq!(vendor.end().len(), 40);
}

/// An orchestrator starts a finished run again: with `--once`, nothing is bought, and the output is
/// written where it is missing.
#[test]
fn a_finished_run_of_a_name_makes_no_call_and_writes_what_is_missing() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    // One pair is unavailable, which a new run would ask about again.
    place.write("in.csv", people_csv([1001, 6, 2, 1005]));
    let flags = ["-o", "o.csv", "--once", "night-1", "--max-attempts", "2"];
    place.run("in.csv", &vendor.base_url, &flags).exits(3);
    let (first, calls) = (place.read("o.csv"), vendor.calls().len());
    let again = [&flags[..4], &["--max-attempts", "9"]].concat();
    let there = place.run("in.csv", &vendor.base_url, &again).exits(3);
    there.says("run 1 has finished, and its output is there already");
    std::fs::remove_file(place.path("o.csv")).unwrap();
    std::fs::remove_file(place.path("o.csv.summary.json")).unwrap();
    let written = place.run("in.csv", &vendor.base_url, &again).exits(3);
    written.says("run 1 has finished: 5 calls");
    assert_eq!((place.read("o.csv"), vendor.calls().len()), (first, calls));
    let summary = place.summary("o.csv");
    assert_eq!((&summary["run"], &summary["starts"]), (&1.into(), &1.into()));
    let status = place.status(&["--base-url", &vendor.base_url]);
    assert_eq!(
        (&status["runs"][0]["starts"], &status["runs"][0]["state"]),
        (&1.into(), &"finished".into())
    );

    // Its answers are gone: an output without them would be wrong.
    place.ceknik(&["purge", "--older-than", "0s", "--base-url", &vendor.base_url]).exits(0);
    place.run("in.csv", &vendor.base_url, &again).exits(3).says("its output is there already");
    std::fs::remove_file(place.path("o.csv")).unwrap();
    place
        .run("in.csv", &vendor.base_url, &again)
        .exits(18)
        .says("`ceknik purge` has removed its answers");
    assert!(!place.path("o.csv").exists());

    // Another name, another file and no name are other runs.
    let other = ["-o", "p.csv", "--once", "night-2", "--max-attempts", "2"];
    place.run("in.csv", &vendor.base_url, &other).exits(3);
    assert_eq!(vendor.calls().len(), 2 * calls, "nothing is known any more");
    place.write("in.csv", people_csv([1001, 6, 2, 1005, 1007]));
    place.run("in.csv", &vendor.base_url, &flags).exits(3);
    assert_eq!(place.summary("o.csv")["run"], 3);

    // An output of another run is not the one.
    let calls = vendor.calls().len();
    place.write("in.csv", people_csv([1001, 6, 2, 1005]));
    let second = ["-o", "o.csv", "--once", "night-2", "--max-attempts", "2"];
    place.run("in.csv", &vendor.base_url, &second).exits(3).says("run 2 has finished: 5 calls");
    assert_eq!((&place.summary("o.csv")["run"], place.rows("o.csv").len()), (&2.into(), 4));
    assert_eq!(vendor.calls().len(), calls);
}
