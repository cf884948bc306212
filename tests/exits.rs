//! Every exit code of the program, with its messages and the files that remain.

mod support;

use std::fs;
use std::io::Write;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use support::table::count;
use support::{
    CEKNIK, Finished, OLDER, Running, Vendor, Workspace, closed_port, many_people, people_csv,
    run_arguments,
};

/// The result that a command must have.
struct Expected<'a> {
    code: i32,
    /// Phrases that standard error must contain.
    says: &'a [&'a str],
}

#[track_caller]
fn expect(what: &str, ended: &Finished, expected: &Expected<'_>) {
    let said = &ended.stderr;
    assert_eq!(ended.code, Some(expected.code), "{what}: {said}");
    for phrase in expected.says {
        assert!(said.contains(phrase), "{what}: {phrase:?} is not said in: {said}");
    }
    // Internals of the program are never shown.
    for ugly in ["panicked", "Os {", "Error {", "Some("] {
        assert!(!said.contains(ugly), "{what}: {said}");
    }
}

#[test]
fn usage_that_makes_no_sense_is_2() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1]));
    let url = "http://127.0.0.1:9";
    for (more, says) in [
        (&["--max-cost", "5"][..], "--max-cost: it needs --price"),
        (&["--price", "0"], "--price"),
        (&["--price", "1000000001"], "a price must be Rp1.000.000.000 or less"),
        (&["--price", "1.5"], "--price"),
        (&["--price", "1.000", "--currency", "USD"], "could be thousands"),
        (&["--concurrency", "0"], "1..=4096"),
        (&["--max-attempts", "21"], "1..=20"),
        (&["--stop-if-mismatch-over", "0.6"], "from 1% to 99%"),
        (&["--timeout", "0s"], "for '--timeout <DUR>': must be more than zero"),
        (&["--timeout", "10ms"], "at least 100ms for an address of this machine"),
        (&["--reuse", "30"], "90s, 30m or 30d"),
        (&["--deadline", "25:00"], "--deadline"),
        (&["--deadline", "05:3"], "--deadline"),
        (&["--summary", "-"], "--summary: `-` is not a file"),
        (&["--delimiter", "ab"], "--delimiter"),
        (&["--body", "xml"], "[possible values: auto, json, form]"),
        (&["--api-secret", "x"], "unexpected argument"),
    ] {
        let ended = place.run("in.csv", url, more);
        expect(&more.join(" "), &ended, &Expected { code: 2, says: &[says] });
    }
    let ended = place.ceknik(&["run", "in.csv", "--base-url", url, "--rate", "fast"]);
    let says = &["'fast' for '--rate <N>': not a number of calls per second such as 10"];
    expect("rate", &ended, &Expected { code: 2, says });
    place.ceknik(&[]).exits(2);
    place.ceknik(&["verify"]).exits(2);
}

type Words = &'static [&'static str];

/// Unusable inputs: name, bytes, further flags and expected phrases.
fn bad_inputs() -> Vec<(&'static str, Vec<u8>, Words, Words)> {
    let text = people_csv([1, 2, 1]);
    let with = |row: &str| format!("{text}{row}").into_bytes();
    let many = |count: u32, odd: u32, row: &str| {
        let mut text = many_people(count);
        (0..odd).for_each(|_| text += row);
        text.into_bytes()
    };
    vec![
        ("empty", Vec::new(), &[], &["the file is empty"]),
        ("a BOM alone", b"\xef\xbb\xbf".to_vec(), &[], &["the file is empty"]),
        (
            "no columns",
            b"a,b\n1,2\n".to_vec(),
            &[],
            &["could not find the NIK column", "A   \"x\"  something else", "--id-column LETTER"],
        ),
        ("no name", b"nik,b\n3201011501900001,X\n".to_vec(), &[], &["--name-column"]),
        (
            "no such column",
            text.clone().into(),
            &["--id-column", "KTP"],
            &["\"KTP\": there is no such column", "--id-column B"],
        ),
        ("no such number", text.clone().into(), &["--id-column", "9"], &["has 3 columns"]),
        (
            "open quote at the end",
            with("9,3201011501900001,\"BUDI\n"),
            &[],
            &["line 5 (row 4,", "never closed"],
        ),
        ("NUL", with("9,3201011501900001,BU\0DI\n"), &[], &["line 5", "NUL byte"]),
        (
            "a record too long",
            with(&format!("9,3201011501900001,{}\n", "X".repeat(1_100_000))),
            &[],
            &["line 5 (row 4,", "longer than"],
        ),
        (
            "a record too wide",
            with(&format!("9,3201011501900001,{}\n", ",".repeat(20_000))),
            &[],
            &["line 5 (row 4,", "more than 16384 cells", "--delimiter"],
        ),
        (
            "scientific",
            many(90, 2, "x,3.20101E+15,BUDI\n"),
            &[],
            &["2 of 92 rows: the NIK is in scientific notation", "--force", "nothing was sent"],
        ),
        (
            "last digits zeroed",
            people_csv((0..60).map(|n| if n % 3 == 0 { 1010 } else { 1011 })).into_bytes(),
            &[],
            &["20 of 60 NIKs end in 0", "--force"],
        ),
        (
            "mostly rejected",
            many(5, 6, "x,3201011501900001,\n"),
            &[],
            &["6 of 11 rows: rejected by ceknik's own checks", "--force"],
        ),
    ]
}

#[test]
fn an_input_that_cannot_be_used_is_10_and_nothing_is_sent() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let run = |input: &str, more: &[&str]| place.run(input, &vendor.base_url, more);
    let missing = &["nope.csv: no such file", "Check the path"];
    expect("missing", &run("nope.csv", &[]), &Expected { code: 10, says: missing });
    fs::create_dir(place.path("folder")).unwrap();
    expect("folder", &run("folder", &[]), &Expected { code: 10, says: &["this is a folder"] });
    for (what, bytes, more, says) in bad_inputs() {
        place.write("in.csv", bytes);
        expect(what, &run("in.csv", more), &Expected { code: 10, says });
        let outputs = ["in.sandbox.csv", "in.verified.csv", "in.verified.partial.csv"];
        assert!(outputs.iter().all(|name| !place.path(name).exists()), "{what}");
    }
    assert_eq!(vendor.count(), 0);

    // Inputs that only look damaged can be sent with `--force`.
    for (what, bytes, ..) in bad_inputs().into_iter().rev().take(3) {
        place.write("in.csv", bytes);
        assert!(matches!(run("in.csv", &["--force"]).code, Some(0 | 3)), "{what}");
    }
    assert!(vendor.count() > 0);
}

#[test]
fn a_file_that_changes_under_a_run_is_10_and_its_answers_are_kept() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "60ms"]);
    place.write("in.csv", people_csv([1; 20]));
    place.write("in.sandbox.csv", OLDER);
    let slow = run_arguments("in.csv", &vendor.base_url, &["--concurrency", "2"]);
    let running = Running::start(place.command(&slow));
    vendor.wait_for(4);
    let mut input = fs::File::options().append(true).open(place.path("in.csv")).unwrap();
    input.write_all(people_csv([1; 21]).lines().last().unwrap().as_bytes()).unwrap();
    let ended = running.end().exits(10);
    for phrase in ["the input changed while it was read", "20 confirmed", "run the same command"] {
        assert!(ended.stderr.contains(phrase), "{phrase}: {}", ended.stderr);
    }
    assert_eq!(place.read("in.sandbox.csv"), OLDER);
    assert!(!place.path("in.sandbox.partial.csv").exists());

    let again = place.run("in.csv", &vendor.base_url, &[]).exits(0);
    assert!(again.stderr.contains("the file changed since run 1"), "{}", again.stderr);
    let calls = vendor.end();
    assert_eq!((calls.len(), calls.iter().all(|call| call.n == 1)), (21, true));
}

#[test]
fn a_file_that_vanishes_under_a_run_is_10_and_its_answers_are_kept() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "60ms"]);
    let input = place.write("in.csv", people_csv([1; 20]));
    let slow = run_arguments("in.csv", &vendor.base_url, &["--concurrency", "2"]);
    let running = Running::start(place.command(&slow));
    vendor.wait_for(4);
    fs::remove_file(&input).unwrap();
    let ended = running.end().exits(10);
    assert!(ended.stderr.contains("20 confirmed"), "{}", ended.stderr);
    place.write("in.csv", people_csv([1; 20]));
    place.run("in.csv", &vendor.base_url, &[]).exits(0);
    assert_eq!(vendor.end().len(), 20);
}

#[test]
fn configuration_or_secrets_that_are_wrong_are_11() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1]));
    place.write("secret", "x\n");
    place.write("empty", "\n");
    let command = |more: &[&str]| place.command(&run_arguments("in.csv", &vendor.base_url, more));
    let set = |name: &str, value: &str| {
        let mut command = command(&[]);
        command.env(name, value);
        command
    };
    let without = |names: &[&str]| {
        let mut command = command(&[]);
        names.iter().for_each(|name| {
            command.env_remove(name);
        });
        command
    };
    let at = |url: &str| place.command(&["run", "in.csv", "--base-url", url]);
    let mut only_file = without(&["CEKNIK_API_SECRET"]);
    only_file.env("CEKNIK_API_SECRET_FILE", "nowhere");
    let mut empty_file = without(&["CEKNIK_API_SECRET"]);
    empty_file.env("CEKNIK_API_SECRET_FILE", "empty");
    fs::create_dir(place.path("folder.csv")).unwrap();
    place.write("report.csv", "an important report");
    let cases: [(&str, Command, &[&str]); 14] = [
        ("no id", without(&["CEKNIK_API_ID"]), &["CEKNIK_API_ID is not set", "_FILE"]),
        ("no secret", without(&["CEKNIK_API_SECRET"]), &["CEKNIK_API_SECRET is not set"]),
        (
            "twice",
            set("CEKNIK_API_SECRET_FILE", "secret"),
            &["both CEKNIK_API_SECRET and CEKNIK_API_SECRET_FILE are set"],
        ),
        ("no such file", only_file, &["_SECRET_FILE names cannot be used: No such file"]),
        ("empty file", empty_file, &["CEKNIK_API_SECRET is empty"]),
        ("empty", set("CEKNIK_API_SECRET", ""), &["CEKNIK_API_SECRET is not set"]),
        ("a line break", set("CEKNIK_API_SECRET", "a\nb"), &["line break"]),
        ("http", at("http://example.invalid"), &["http://", "this machine only", "https"]),
        ("no URL", at("vendor"), &["--base-url https://"]),
        ("no home", without(&["XDG_STATE_HOME"]), &["XDG_STATE_HOME nor HOME", "--ledger FILE"]),
        ("no CA", command(&["--ca-cert", "nowhere.pem"]), &["nowhere.pem", "--ca-cert"]),
        (
            "a file of somebody else",
            command(&["-o", "report.csv"]),
            &["report.csv exists already, and ceknik did not write it", "--overwrite"],
        ),
        ("no place for the output", command(&["-o", "nowhere/out.csv"]), &["nowhere/", "-o FILE"]),
        ("the output is a folder", command(&["-o", "folder.csv"]), &["not a regular file"]),
    ];
    for (what, command, says) in cases {
        expect(what, &Running::start(command).end(), &Expected { code: 11, says });
    }
    assert_eq!(vendor.count(), 0);

    // A secret can also come from a file.
    let mut from_file = without(&["CEKNIK_API_SECRET"]);
    from_file.env("CEKNIK_API_SECRET_FILE", "secret").args(["--ledger", "l"]);
    let ended = Running::start(from_file).end();
    expect("from a file", &ended, &Expected { code: 0, says: &[] });

    // A ledger belongs to one address.
    let says = &["belongs to http://127.0.0.1", "Each vendor address needs its own ledger"];
    let url = "http://127.0.0.1:9";
    let other = place.ceknik(&["run", "in.csv", "--base-url", url, "--ledger", "l"]);
    expect("other origin", &other, &Expected { code: 11, says });
    let other = place.ceknik(&["run", "in.csv", "--sandbox", "--ledger", "l"]);
    expect("the sandbox's origin", &other, &Expected { code: 11, says: &["not to sandbox"] });
}

#[test]
fn more_connections_than_files_may_be_open_is_11() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1; 30]));
    // Of the two limits, the program may raise the soft one.
    for (concurrency, limit, code) in [("64", "-n", 11), ("8", "-n", 0), ("64", "-S -n", 0)] {
        let run = run_arguments("in.csv", &vendor.base_url, &["--concurrency", concurrency]);
        let script = format!("ulimit {limit} 64; exec \"$@\"");
        let limited = ["-c", &script, "sh", CEKNIK];
        let command = place.command_of("/bin/sh", &[&limited[..], &run].concat());
        let ended = Running::start(command).end().exits(code);
        assert_eq!(ended.stderr.contains("ulimit -n"), code == 11, "{}", ended.stderr);
    }
    assert_eq!(vendor.end().len(), 30);
}

#[test]
fn an_account_or_address_that_is_refused_is_12_and_resumable() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1; 5]));
    let wrong = format!("{}/v9", vendor.base_url);
    for (id, secret, url, ended, says) in [
        ("refused", "refused", &vendor.base_url, "unauthorized", "CEKNIK_API_SECRET"),
        ("expired", "x", &vendor.base_url, "key_expired", "KEY_EXPIRED"),
        ("forbidden", "x", &vendor.base_url, "no_permission", "ask the vendor"),
        ("a", "b", &wrong, "not_found", "--base-url"),
    ] {
        let mut command = place.command(&run_arguments("in.csv", url, &["-o", "out.csv"]));
        command.env("CEKNIK_API_ID", id).env("CEKNIK_API_SECRET", secret);
        let says = &[says, "stopped:", "continues:\n               ceknik run in.csv"];
        expect(ended, &Running::start(command).end(), &Expected { code: 12, says });
        assert_eq!(place.column("out.partial.csv", "ck_outcome"), ["not_sent"; 5], "{ended}");
        let summary = place.summary("out.csv");
        assert_eq!((&summary["ended"], &summary["exit"]), (&ended.into(), &12.into()));
        assert_eq!(summary["spending"]["confirmed"], 0);
    }
    place.run("in.csv", &vendor.base_url, &["-o", "out.csv"]).exits(0);
    assert_eq!(place.column("out.csv", "ck_outcome"), ["match"; 5]);
    assert_eq!(place.summary("out.csv")["starts"], 4);
    assert!(!place.path("out.partial.csv").exists());
}

#[test]
fn a_budget_that_is_used_up_is_13_and_raising_it_goes_on() {
    for (tight, loose, bought) in [
        (&["--max-charges", "3"][..], &["--max-charges", "9"][..], 3),
        (
            &["--price", "1500", "--max-cost", "6000"],
            &["--price", "1500", "--max-cost", "60000"],
            4,
        ),
        (&["--limit", "5"], &["--limit", "5"], 5),
        (&["--max-charges", "2", "--limit", "7"], &[], 2),
        (&["--max-charges", "0"], &[], 0),
    ] {
        let place = Workspace::new();
        let vendor = Vendor::start(&place, &["--latency", "10ms"]);
        place.write("in.csv", people_csv([1; 8]));
        let ended = place.run("in.csv", &vendor.base_url, tight);
        let limit = if bought == 5 { "--limit" } else { "--max-charges" };
        expect(tight[0], &ended, &Expected { code: 13, says: &["stopped:", limit] });
        assert_eq!(vendor.calls().len(), bought, "{tight:?}");
        place.run("in.csv", &vendor.base_url, loose).exits(0);
        assert_eq!(place.column("in.sandbox.csv", "ck_charged"), ["yes"; 8], "{tight:?}");
        assert_eq!(vendor.end().len(), 8, "{tight:?}");
    }
}

#[test]
fn the_vendors_quota_is_14() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--quota", "3"]);
    place.write("in.csv", people_csv([1; 6]));
    let ended = place.run("in.csv", &vendor.base_url, &["--concurrency", "2"]).exits(14);
    assert!(ended.stderr.contains("quota is used up"), "{}", ended.stderr);
    assert_eq!(place.count("in.sandbox.partial.csv", "ck_outcome", "match"), 3);
    assert_eq!(place.summary("in.sandbox.csv")["ended"], "out_of_quota");
}

#[test]
fn a_deadline_is_15() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "30ms"]);
    place.write("in.csv", people_csv([1; 40]));
    let past = (jiff::Timestamp::now() - jiff::SignedDuration::from_mins(5)).to_string();
    for deadline in ["0s", &past[11..16]] {
        let more = ["--deadline", deadline, "-o", "out.csv"];
        let mut command = place.command(&run_arguments("in.csv", &vendor.base_url, &more));
        command.env("TZ", "UTC");
        let says = &["the deadline has passed", "the same command continues"];
        expect(deadline, &Running::start(command).end(), &Expected { code: 15, says });
        assert_eq!(place.column("out.partial.csv", "ck_outcome"), ["not_sent"; 40]);
    }
    assert_eq!(vendor.count(), 0);
    let more = ["--deadline", "500ms", "--concurrency", "1", "-o", "out.csv"];
    place.run("in.csv", &vendor.base_url, &more).exits(15);
    let outcomes = place.column("out.partial.csv", "ck_outcome");
    let matches = count(&outcomes, "match");
    assert!(matches < 40, "{matches}");
    // The call in flight was waited for.
    assert_eq!(count(&outcomes, "in_doubt"), 0);
    assert_eq!(vendor.end().len(), matches);
}

#[test]
fn a_source_that_stays_away_is_16() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--outage", "0s..5m"]);
    let throttling = Vendor::start(&place, &["--rate", "0.001"]);
    place.write("in.csv", people_csv([1; 30]));
    let (_held, closed) = closed_port();
    let gone = format!("http://{closed}");
    for (what, url, ended, says) in [
        ("down", vendor.base_url.as_str(), "source_down", "the vendor was down for longer"),
        ("unreachable", &gone, "unreachable", "the vendor could not be reached"),
        ("throttled", &throttling.base_url, "throttled", "every call as too fast"),
    ] {
        let more = ["--max-outage", "500ms", "-o", "out.csv"];
        let expected = Expected { code: 16, says: &[says, "--max-outage"] };
        expect(what, &place.run("in.csv", url, &more), &expected);
        let summary = place.summary("out.csv");
        assert_eq!((&summary["ended"], &summary["exit"]), (&ended.into(), &16.into()));
        // An outage must not use up the rows' attempts.
        let outcomes = place.column("out.partial.csv", "ck_outcome");
        assert!(count(&outcomes, "not_sent") >= 29, "{what}: {outcomes:?}");
    }
}

#[test]
fn refusals_in_a_row_are_16_and_a_resume_asks_them_again() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([5; 22]));
    let one = ["--concurrency", "1"];
    let ended = place.run("in.csv", &vendor.base_url, &[&one[..], &["-o", "o.csv"]].concat());
    assert!(ended.exits(16).stderr.contains("refused 20 rows one after another"));
    let outcomes = place.column("o.partial.csv", "ck_outcome");
    assert_eq!(outcomes[..20], ["refused"; 20]);
    assert_eq!(outcomes[20..], ["not_sent"; 2]);
    place.run("in.csv", &vendor.base_url, &[&one[..], &["-o", "o.csv"]].concat()).exits(16);
    let calls = vendor.end();
    assert_eq!((calls.len(), calls.iter().filter(|call| call.n == 2).count()), (40, 20));
}

#[test]
fn lost_answers_in_a_row_are_16_and_stay_in_doubt() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([12; 23]));
    let ended = place.run("in.csv", &vendor.base_url, &["--concurrency", "1", "-o", "o.csv"]);
    let said = ended.exits(16).stderr;
    assert!(said.contains("each of these calls may have been charged"), "{said}");
    assert!(said.contains("you owe between 0 and 20 calls"), "{said}");
    place.run("in.csv", &vendor.base_url, &["-o", "o.csv"]).exits(3);
    assert_eq!(place.column("o.csv", "ck_outcome"), ["in_doubt"; 23]);
    assert!(vendor.end().iter().all(|call| call.n == 1));
}

#[test]
fn too_many_mismatches_are_16_until_the_limit_is_raised() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    // Two of three rows are mismatches in `wrong`, half of the rows in `half`.
    place.write("wrong.csv", people_csv((0..320).map(|n| 2 - u32::from(n % 3 == 0))));
    place.write("half.csv", people_csv((0..320).map(|n| 1 + n % 2)));
    let run = |input, share: &[&'static str]| {
        let more = [&["--concurrency", "4", "--ledger", input][..], share].concat();
        place.run(&format!("{input}.csv"), &vendor.base_url, &more)
    };
    let sixty = ["--stop-if-mismatch-over", "60%"];
    let said = run("wrong", &sixty).exits(16).stderr;
    for phrase in ["too many of the first 200 results", "anyway:\n               ceknik run"] {
        assert!(said.contains(phrase), "{phrase}: {said}");
    }
    assert_eq!(place.summary("wrong.sandbox.csv")["ended"], "mismatches");
    let calls = vendor.calls().len();
    assert!((200..204).contains(&calls), "{calls}");
    assert_eq!(place.count("wrong.sandbox.partial.csv", "ck_outcome", "not_sent"), 320 - calls);

    run("wrong", &sixty).exits(16);
    assert_eq!(vendor.calls().len(), calls, "stopped before any further call");
    let plan = |share: &[&'static str]| {
        let which = ["plan", "wrong.csv", "--ledger", "wrong", "--base-url", &vendor.base_url];
        place.ceknik(&[&which, share].concat())
    };
    assert!(plan(&sixty).exits(16).stdout.contains("sends no more rows"));
    plan(&["--stop-if-mismatch-over", "80"]).exits(0);
    run("wrong", &["--stop-if-mismatch-over", "80"]).exits(0);
    assert_eq!(vendor.calls().len(), 320);
    assert!(!place.path("wrong.sandbox.partial.csv").exists());
    run("half", &sixty).exits(0);
    assert_eq!(vendor.end().len(), 640);
}

#[test]
fn a_run_whose_verdicts_are_nearly_all_failed_warns() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let word = "nearly all of the first results are \"failed\"";
    for (input, matches, told) in [("few", 20, 0), ("many", 10, 2)] {
        let serials = (0..210).map(|n| if n < matches { 1 } else { 4 });
        place.write("in.csv", people_csv(serials));
        // With one call at a time, the first 200 rows are the first 200 verdicts.
        let more = ["--concurrency", "1", "--ledger", input];
        let said = place.run("in.csv", &vendor.base_url, &more).exits(0).stderr;
        assert_eq!(said.matches(word).count(), told, "once as a warning, once at the end: {said}");
    }
}

#[test]
fn a_second_run_on_the_ledger_is_17_or_waits() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "100ms"]);
    place.write("in.csv", people_csv([1; 30]));
    let one = run_arguments("in.csv", &vendor.base_url, &["--concurrency", "2"]);
    let first = Running::start(place.command(&one));
    vendor.wait_for(2);
    // The first run may be writing such a file at this moment.
    let half = ".in.verified.csv.ceknik-tmp";
    place.write(half, "half");
    let says = &["another command is using the ledger", "--lock-wait"];
    for (what, arguments) in [
        ("run", one.clone()),
        ("purge", vec!["purge", "--older-than", "1d", "--base-url", &vendor.base_url]),
    ] {
        expect(what, &place.ceknik(&arguments), &Expected { code: 17, says });
    }
    assert_eq!(place.read(half), "half");
    place.ceknik(&["status", "--base-url", &vendor.base_url]).exits(0);
    let waiting = ["--lock-wait", "30s", "-o", "second.csv"];
    place.run("in.csv", &vendor.base_url, &waiting).exits(0);
    first.end().exits(0);
    assert_eq!(place.column("second.csv", "ck_source"), ["ledger"; 30]);
    assert_eq!(vendor.end().len(), 30);
}

#[test]
fn a_ledger_that_cannot_be_trusted_is_18() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1]));
    let run = |ledger: &str| place.run("in.csv", &vendor.base_url, &["--ledger", ledger]);
    for ledger in ["a", "b", "c", "d", "e"] {
        expect(ledger, &run(ledger), &Expected { code: 0, says: &[] });
    }
    let bought = vendor.calls().len();
    let patch = |name: &str, at: usize, bytes: &[u8]| {
        let mut file = fs::read(place.path(name)).unwrap();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        fs::write(place.path(name), file).unwrap();
    };
    patch("a", 60, &99_u32.to_be_bytes());
    fs::remove_file(place.path("b.key")).unwrap();
    fs::copy(place.path("a.key"), place.path("c.key")).unwrap();
    patch("d.key", 20, b"??");
    patch("e", 0, b"garbage, garbage");
    for (ledger, says) in [
        ("a", &["has version 99", "use the version of ceknik that wrote this ledger"][..]),
        ("b", &["b.key", "is missing", "Bring the key file back"]),
        ("c", &["c.key", "is not the key of the ledger c"]),
        ("d", &["d.key", "is not a ceknik key, or is damaged"]),
        ("e", &["is not a ledger, or is damaged"]),
    ] {
        expect(ledger, &run(ledger), &Expected { code: 18, says });
    }
    assert!(!place.path("b.key").exists(), "a new key would buy all answers again");
    assert_eq!(vendor.calls().len(), bought);
}

#[test]
fn the_first_signal_drains_and_the_second_leaves_doubts() {
    for (signal, echo, codes) in [
        ("INT", "INT", [130, 130]),
        ("TERM", "TERM", [143, 143]),
        ("HUP", "HUP", [129, 129]),
        // The order in which the two signals are noticed is not defined.
        ("TERM", "HUP", [143, 129]),
    ] {
        let place = Workspace::new();
        let vendor = Vendor::start(&place, &["--latency", "100ms"]);
        place.write("in.csv", people_csv([1; 40]));
        let arguments = run_arguments("in.csv", &vendor.base_url, &["--concurrency", "4"]);
        let running = Running::start(place.command(&arguments));
        vendor.wait_for(4);
        // The same signal twice at once, as `timeout` and systemd send it, counts once.
        running.signal(signal);
        running.signal(echo);
        let ended = running.end();
        assert!(codes.map(Some).contains(&ended.code), "{:?}: {}", ended.code, ended.stderr);
        assert!(ended.stderr.contains("the same command continues"), "{}", ended.stderr);
        let outcomes = place.column("in.sandbox.partial.csv", "ck_outcome");
        let matches = count(&outcomes, "match");
        assert_eq!(matches + count(&outcomes, "not_sent"), 40, "a drain leaves no doubt");
        assert_eq!(vendor.end().len(), matches);
    }

    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    // The calls in flight never end.
    place.write("in.csv", people_csv([1, 11, 11, 11, 1, 1]));
    let more = ["--concurrency", "3", "-o", "out.csv"];
    let running = Running::start(place.command(&run_arguments("in.csv", &vendor.base_url, &more)));
    vendor.wait_for(4);
    running.signal("INT");
    running.wait_to_say("WARN stopping");
    // The same signal within 250 ms would count as an echo of the first.
    sleep(Duration::from_millis(300));
    running.signal("INT");
    let ended = running.end().exits(130);
    assert!(ended.stderr.contains("3 may be charged: in doubt"), "{}", ended.stderr);
    let rows = place.rows("out.partial.csv");
    let doubts: Vec<_> = rows.iter().filter(|row| row["ck_outcome"] == "in_doubt").collect();
    assert_eq!(doubts.len(), 3);
    assert!(doubts.iter().all(|row| row["ck_reason"] == "lost_interrupted"));
    // Rows in doubt are never sent again by themselves.
    place.run("in.csv", &vendor.base_url, &["-o", "out.csv"]).exits(3);
    assert_eq!(
        place.column("out.csv", "ck_outcome"),
        ["match", "in_doubt", "in_doubt", "in_doubt", "match", "match"]
    );
    assert_eq!(vendor.calls().len(), 6);
}
