//! The end of a command as an unattended night sees it: each exit code with `-q`, as text and as
//! JSON, and the figures of a run wherever they are shown.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::process::Command;

use serde_json::Value;
use support::{
    Finished, Running, Vendor, Workspace, closed_port, many_people, people_csv, run_arguments,
};

/// A way to make `ceknik run` end with an exit code.
struct Case {
    code: i32,
    level: &'static str,
    /// Flags of the vendor.
    vendor: &'static [&'static str],
    input: String,
    /// Further flags of the run.
    flags: &'static [&'static str],
    /// Changes of the environment.
    variables: &'static [(&'static str, &'static str)],
    /// Signals that are sent once the vendor has got a call.
    signals: &'static [&'static str],
    /// What the one line of `-q` contains.
    says: &'static [&'static str],
}

impl Case {
    fn new(code: i32, level: &'static str, says: &'static [&'static str]) -> Self {
        let (vendor, flags, variables, signals): (&[_], &[_], &[_], &[_]) = (&[], &[], &[], &[]);
        Self { code, level, vendor, input: people_csv([1; 30]), flags, variables, signals, says }
    }
}

fn cases() -> Vec<Case> {
    vec![
        Case::new(0, "INFO", &[]),
        Case { flags: &["--rat", "5"], ..Case::new(2, "ERROR", &["unexpected argument '--rat'"]) },
        Case { flags: &["--max-cost", "5"], ..Case::new(2, "ERROR", &["it needs --price"]) },
        Case {
            input: people_csv([1, 12]),
            flags: &["--price", "1500"],
            ..Case::new(
                3,
                "WARN",
                &[
                    "1 of 2 rows have a result",
                    "1 call charged (Rp1.500), possibly 1 more (Rp1.500)",
                    "--in-doubt resend",
                ],
            )
        },
        Case {
            input: "a,b\n1,2\n".into(),
            ..Case::new(10, "ERROR", &["the NIK column", "next: "])
        },
        Case {
            variables: &[("CEKNIK_API_ID", "")],
            ..Case::new(11, "ERROR", &["CEKNIK_API_ID is not set", "(--sandbox) needs none"])
        },
        Case {
            variables: &[("CEKNIK_API_ID", "expired")],
            ..Case::new(
                12,
                "ERROR",
                &["KEY_EXPIRED", "0 calls charged", "renew the key", "ceknik run in.csv"],
            )
        },
        Case {
            flags: &["--max-charges", "4"],
            ..Case::new(13, "WARN", &["4 of 30 rows have a result", "--max-charges 30"])
        },
        Case {
            flags: &["--limit", "4"],
            ..Case::new(13, "WARN", &["4 of 30 rows have a result", "all calls that are left"])
        },
        Case {
            vendor: &["--quota", "3"],
            flags: &["--concurrency", "1"],
            ..Case::new(14, "ERROR", &["quota is used up", "3 calls charged", "buy more calls"])
        },
        Case {
            flags: &["--deadline", "0s"],
            ..Case::new(15, "WARN", &["the deadline has passed"])
        },
        Case {
            vendor: &["--outage", "0s..5m"],
            flags: &["--max-outage", "300ms"],
            ..Case::new(16, "ERROR", &["the vendor was down", "the same command continues"])
        },
        Case {
            flags: &["--ledger", "held.ledger"],
            ..Case::new(
                17,
                "ERROR",
                &["another command is using the ledger held.ledger", "process ", "--lock-wait 10m"],
            )
        },
        Case {
            flags: &["--ledger", "in.csv"],
            ..Case::new(18, "ERROR", &["the key file", "Bring the key file back"])
        },
    ]
}

/// Returns the cases of runs that a signal stops.
fn stopped_by_signals() -> impl Iterator<Item = Case> {
    let cases: [(i32, &[&str], &[&str]); 3] = [
        (129, &["HUP"], &["the terminal is gone", "the same command continues"]),
        (130, &["INT"], &["interrupted", "the same command continues"]),
        (143, &["TERM"], &["terminated", "the same command continues"]),
    ];
    cases.into_iter().map(|(code, signals, says)| Case {
        vendor: &["--latency", "100ms"],
        flags: &["--concurrency", "2"],
        signals,
        ..Case::new(code, "WARN", says)
    })
}

/// Plays a case with further flags.
fn play(case: &Case, more: &[&str]) -> Finished {
    let place = Workspace::new();
    place.write("in.csv", &case.input);
    let vendor = Vendor::start(&place, case.vendor);
    let arguments = [case.flags, more, &["-o", "out.csv"]].concat();
    let mut command: Command =
        place.command(&run_arguments("in.csv", &vendor.base_url, &arguments));
    command.envs(case.variables.iter().copied());
    let _held = (case.code == 17).then(|| hold(&place, &vendor));
    let running = Running::start(command);
    if !case.signals.is_empty() {
        vendor.wait_for(2);
        case.signals.iter().for_each(|signal| running.signal(signal));
    }
    running.end().exits(case.code)
}

/// Starts a run that holds the ledger.
fn hold(place: &Workspace, vendor: &Vendor) -> Running {
    place.write("slow.csv", people_csv([11]));
    let flags = ["--ledger", "held.ledger", "-o", "slow.out.csv"];
    let held = Running::start(place.command(&run_arguments("slow.csv", &vendor.base_url, &flags)));
    vendor.wait_for(1);
    held
}

#[test]
fn quiet_says_nothing_on_success_and_one_line_otherwise() {
    for case in cases().into_iter().chain(stopped_by_signals()) {
        let said = play(&case, &["-q"]).stderr;
        if case.code == 0 {
            assert_eq!(said, "");
            continue;
        }
        let lines: Vec<&str> = said.lines().collect();
        let [line] = lines.as_slice() else { panic!("{}: {said}", case.code) };
        assert!(line.starts_with(&format!("ceknik: exit {}: ", case.code)), "{line}");
        for words in case.says {
            assert!(line.contains(words), "{}: {words:?} is not in {line}", case.code);
        }
    }
}

#[test]
fn as_text_every_end_has_its_reason() {
    for case in cases().into_iter().chain(stopped_by_signals()).filter(|case| case.code != 0) {
        let said = play(&case, &[]).stderr;
        let told = ["error: ", "stopped: ", "in_doubt"];
        assert!(told.iter().any(|told| said.contains(told)), "{}: {said}", case.code);
        assert!(!said.contains("ceknik: exit"), "{}: {said}", case.code);
    }
}

#[test]
fn as_json_the_last_event_has_the_exit_code() {
    for case in cases().into_iter().chain(stopped_by_signals()) {
        let said = play(&case, &["--log", "json"]).stderr;
        let events = events(&said);
        let last = events.last().unwrap();
        assert_eq!(last["event"], "run_finished", "{}: {said}", case.code);
        assert_eq!((&last["exit"], &last["level"]), (&case.code.into(), &case.level.into()));
        let message = last["message"].as_str().unwrap();
        assert!(case.says.iter().all(|words| message.contains(words)), "{message}");
        let finished = events.iter().filter(|event| event["event"] == "run_finished").count();
        assert_eq!(finished, 1, "{said}");
        if let Some(summary) = last["summary"].as_object() {
            let progress = named(&events, "progress").last().map(|event| &event["charged"]);
            let confirmed = &summary["spending"]["confirmed"];
            // Nothing is shown of a start that made no call.
            assert!(
                progress == Some(confirmed) || summary["start_calls"] == 0,
                "{progress:?}: {said}"
            );
            assert_eq!((&summary["exit"], &last["run"]), (&case.code.into(), &summary["run"]));
        }
        let quiet = play(&case, &["--log", "json", "-q"]).stderr;
        assert_eq!(quiet.lines().count(), usize::from(case.code != 0), "{quiet}");
    }
}

/// Reads the events of a run, and checks what each of them has.
fn events(said: &str) -> Vec<Value> {
    let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &events {
        assert_eq!(event["version"], 1, "{event}");
        assert!(["DEBUG", "INFO", "WARN", "ERROR"].iter().any(|level| event["level"] == *level));
        let time = event["time"].as_str().unwrap();
        assert!(time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "{event}");
        assert!(event["event"].is_string() && event["message"].is_string(), "{event}");
    }
    let begun = events.iter().skip_while(|event| event["event"] != "run_started");
    assert!(begun.clone().all(|event| event["run"].is_u64()), "{said}");
    events
}

fn named<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

#[test]
fn the_figures_are_the_same_wherever_they_are_shown() {
    // Two matches, a mismatch, and calls whose charge is unknown: cut, unknown code, gateway.
    let serials = [1, 1, 2, 3, 4, 12, 13, 14, 1, 1, 2, 8, 16];
    let place = Workspace::new();
    let text = Workspace::new();
    let vendors = [&place, &text].map(|place| {
        place.write("in.csv", people_csv(serials));
        Vendor::start(place, &[])
    });
    let flags = ["--concurrency", "1", "--price", "1500", "-o", "out.csv"];
    let run = |at: usize, more: &[&str]| {
        let place = [&place, &text][at];
        place.run("in.csv", &vendors[at].base_url, &[&flags[..], more].concat())
    };
    // The run is finished by its second start, so that its figures are not those of one start.
    run(0, &["--log", "json", "--limit", "4"]).exits(13);
    run(1, &["--limit", "4"]).exits(13);
    let events = events(&run(0, &["--log", "json"]).exits(3).stderr);
    let said = run(1, &[]).exits(3).stderr;

    let summary = place.summary("out.csv");
    let last = named(&events, "run_finished")[0];
    assert_eq!(last["summary"], summary, "the last event has the summary");
    let spending = &summary["spending"];
    let progress = *named(&events, "progress").last().unwrap();
    let possible: u64 = ["in_doubt", "unknown_code", "gateway"]
        .iter()
        .map(|kind| spending["possible"][*kind].as_u64().unwrap())
        .sum();
    let (charged, calls) = (&spending["confirmed"], &spending["calls"]);
    assert_eq!((&progress["charged"], &progress["calls"]), (charged, calls));
    assert_eq!(progress["possible"], possible);
    assert_eq!((&progress["pairs"], &progress["pairs_done"]), (&13.into(), &13.into()));
    let plan = &named(&events, "plan")[0]["plan"];
    let planned = plan["to_send"].as_u64().unwrap() + plan["done"].as_u64().unwrap();
    assert_eq!(progress["pairs"], planned);

    let status = place.status(&["--base-url", &vendors[0].base_url]);
    assert_eq!(&status["runs"][0]["tally"]["confirmed"], charged);
    let billed = vendors[0].calls().iter().filter(|call| call.charged).count() as u64;
    let charged = charged.as_u64().unwrap();
    assert!((charged..=charged + possible).contains(&billed));
    for words in [
        format!("13 of 13 done · charged {charged} (Rp{}", charged * 1500 / 1000),
        format!("possibly {possible} more"),
        format!(
            "charged    {charged} confirmed: you owe between {charged} and {} calls",
            charged + possible
        ),
    ] {
        assert!(said.contains(&words), "{words:?} is not said in {said}");
    }
}

#[test]
fn events_of_a_night_with_an_outage() {
    let place = Workspace::new();
    place.write("in.csv", many_people(60));
    let vendor = Vendor::start(&place, &["--outage", "0s..1s"]);
    let flags = ["--log", "json", "--concurrency", "4", "--max-attempts", "20", "-o", "out.csv"];
    let said = place.run("in.csv", &vendor.base_url, &flags).exits(0).stderr;
    let events = events(&said);
    let first = |name: &str| {
        let found = named(&events, name);
        (*found.first().unwrap_or_else(|| panic!("no {name} in {said}"))).clone()
    };
    let started = first("run_started");
    assert_eq!((&started["run"], &started["start"]), (&1.into(), &1.into()));
    assert_eq!(started["input"], "in.csv");
    let paused = first("paused");
    assert_eq!((&paused["cause"], &paused["level"]), (&"source_down".into(), &"WARN".into()));
    for time in ["since", "next_call_at", "gives_up_at"] {
        assert!(paused[time].as_str().unwrap().ends_with('Z'), "{paused}");
    }
    assert!(first("resumed")["paused_seconds"].is_u64());
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!((names[0], names.last()), ("plan", Some(&"run_finished")));
}

#[test]
fn a_vendor_that_cannot_be_reached_is_told_with_its_cause_once() {
    let place = Workspace::new();
    place.write("in.csv", many_people(30));
    let (_held, closed) = closed_port();
    let flags = ["--max-outage", "400ms", "-q", "-o", "out.csv"];
    let line = place.run("in.csv", &format!("http://{closed}"), &flags).exits(16).stderr;
    assert_eq!(line.matches("refused").count(), 1, "{line}");
    assert!(line.contains("0 of 30 rows have a result; 0 calls charged"), "{line}");
}

#[test]
fn a_proposal_reaches_past_the_environment_and_a_name() {
    let place = Workspace::new();
    place.write("wrong.csv", people_csv([2; 220]));
    place.write("away.csv", people_csv([1, 9]));
    let vendor = Vendor::start(&place, &[]);
    let run = |input: &str, variable: (&str, &str), more: &[&str]| {
        let mut command = place.command(&run_arguments(input, &vendor.base_url, more));
        command.env(variable.0, variable.1);
        Running::start(command).end()
    };
    let brake = ("CEKNIK_STOP_IF_MISMATCH_OVER", "50%");
    let line = run("wrong.csv", brake, &["-q", "--concurrency", "1"]).exits(16).stderr;
    assert!(proposed(&line).ends_with("--stop-if-mismatch-over 99%"), "{line}");
    let named = ["-q", "--once", "night", "--max-attempts", "1"];
    let line = run("away.csv", ("TZ", "UTC"), &named).exits(3).stderr;
    assert!(!proposed(&line).contains("--once") && line.contains("unavailable"), "{line}");
    // What was paid for is not paid for again: of the two rows one has its answer.
    let anew = ["-q", "--reuse", "0", "--in-doubt", "resend", "--max-attempts", "1"];
    let line = run("away.csv", ("TZ", "UTC"), &anew).exits(3).stderr;
    assert!(proposed(&line).ends_with("--reuse 30d --in-doubt hold"), "{line}");
    let words = proposed(&line).replacen("ceknik", support::CEKNIK, 1);
    let before = vendor.count();
    Running::start(place.command_of("sh", &["-c", &words])).end().exits(3);
    assert_eq!(vendor.count(), before + 1);
}

/// Returns the command that the one line of `-q` proposes.
fn proposed(line: &str) -> &str {
    let at = line.rfind(": ceknik ").unwrap_or_else(|| panic!("no command in {line}"));
    line[at + 2..].trim()
}

#[test]
fn the_command_that_is_proposed_works() {
    for (vendor, flags) in [
        (&[][..], &["--max-charges", "4"][..]),
        (&[], &["--price", "1500", "--max-cost", "6000"]),
        (&[], &["--price", "Rp1.500", "--max-cost", "6rb", "--max-charges", "9"]),
        (&[], &["--limit", "4"]),
        (&["--quota", "9"], &["--limit=4"]),
    ] {
        let place = Workspace::new();
        place.write("in.csv", people_csv([1; 9]));
        let vendor = Vendor::start(&place, vendor);
        let more = [flags, &["-q", "-o", "an output.csv"]].concat();
        let line = place.run("in.csv", &vendor.base_url, &more).exits(13).stderr;
        let words = proposed(&line).replacen("ceknik", support::CEKNIK, 1);
        let ended = Running::start(place.command_of("sh", &["-c", &words])).end();
        assert_eq!((ended.code, vendor.count()), (Some(0), 9), "{line}{}", ended.stderr);
    }
}
