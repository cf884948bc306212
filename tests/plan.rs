//! `ceknik plan` compared with `ceknik run`: a plan announces what the run then does. A plan makes
//! no call and writes nothing.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's answer")]

mod support;

use std::collections::{BTreeSet, HashSet};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use serde_json::Value;
use support::files::{self, Contents};
use support::{
    Finished, Running, Vendor, Workspace, many_people, name, nik, people_csv, run_arguments,
};

/// Plans a file as JSON and as text, and checks that the figures add up. Returns the parsed JSON and
/// the result of the command for people.
#[track_caller]
fn plan(
    place: &Workspace,
    input: &str,
    base_url: &str,
    code: i32,
    more: &[&str],
) -> (Value, Finished) {
    let plan = |form: &[&str]| {
        let mut command =
            place.command(&[&["plan", input, "--base-url", base_url], form, more].concat());
        // A plan needs no account.
        command.env_remove("CEKNIK_API_ID").env_remove("CEKNIK_API_SECRET");
        let ended = Running::start(command).end().exits(code);
        assert_eq!(ended.stderr, "", "a plan is on standard output alone");
        ended
    };
    let json: Value = serde_json::from_str(&plan(&["--json"]).stdout).unwrap();
    assert_eq!(json["exit"], code);
    adds_up(&json);
    (json, plan(&[]))
}

fn number(plan: &Value, field: &str) -> u64 {
    plan.pointer(&format!("/{}", field.replace('.', "/"))).and_then(Value::as_u64).unwrap()
}

#[track_caller]
fn adds_up(plan: &Value) {
    let rejected = plan["rejected"].as_object().unwrap().values();
    let rejected: u64 = rejected.map(|rows| rows.as_u64().unwrap()).sum();
    let parts = ["duplicates", "reused", "in_doubt", "done", "to_send"];
    let parts: u64 = parts.map(|part| number(plan, part)).iter().sum();
    assert_eq!(rejected + parts, number(plan, "rows"), "{plan}");
    let ages = plan["ages"].as_object().unwrap().values().map(|n| n.as_u64().unwrap());
    assert_eq!(ages.sum::<u64>(), number(plan, "reused"), "{plan}");
}

/// Runs the file, and returns the number of pairs that the vendor was asked about.
fn asked(place: &Workspace, vendor: &Vendor, input: &str, more: &[&str]) -> u64 {
    let before = vendor.calls().len();
    let code = place.run(input, &vendor.base_url, more).code.unwrap();
    assert!([0, 3, 13].contains(&code), "{code}");
    let calls = vendor.calls().split_off(before);
    calls.into_iter().filter_map(|call| call.pair).collect::<HashSet<_>>().len() as u64
}

/// Returns rows with several kinds of answers that come without a long wait, a duplicate and two
/// rows that are rejected.
fn mixed(count: u32) -> String {
    let text = people_csv((0..count).map(|n| match n % 9 {
        0 => 12,
        1 => 6,
        2 => 3,
        3 => 5,
        4 => 13,
        _ => 1001 + n,
    }));
    let first = text.lines().nth(6).unwrap().to_owned();
    text + &first + "\n9,,NOBODY\n9,32010115019000A1,BUDI\n"
}

/// Returns the contents of all files in the state folder.
fn state(place: &Workspace) -> Contents {
    files::contents(&place.path("state"))
}

#[test]
fn what_is_planned_is_what_is_sent() {
    let fixture =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/customers.csv"));
    let new = nik(7000, 1001);
    let cases = [
        ("the fixture", fixture.unwrap(), format!("x,NEW,{new},\n")),
        ("mixed", mixed(60), format!("x,{new},NEW\n")),
        ("plain", many_people(30), format!("x,{new},NEW\n")),
    ];
    for (what, text, row) in cases {
        let place = Workspace::new();
        let vendor = Vendor::start(&place, &[]);
        place.write("in.csv", &text);
        let to_send = |input, more: &[&str]| {
            let before = state(&place);
            let (plan, _) = plan(&place, input, &vendor.base_url, 0, more);
            assert!(state(&place) == before, "{what}: a plan writes nothing");
            number(&plan, "to_send")
        };
        // Plans are made before any run, after a stopped run, after a change of the file, and after
        // a finished run.
        let all = to_send("in.csv", &[]);
        assert!(!place.path("state").exists(), "{what}");
        // Some of the nine calls are second attempts of a pair.
        let first = asked(&place, &vendor, "in.csv", &["--limit", "9", "--concurrency", "2"]);
        assert!((1..=9).contains(&first), "{what}: {first}");
        let rest = to_send("in.csv", &[]);
        assert!(rest < all, "{what}: {rest} of {all}");
        place.write("in.csv", text + &row);
        let changed = to_send("in.csv", &[]);
        assert_eq!(changed, rest + 1, "{what}");
        assert_eq!(asked(&place, &vendor, "in.csv", &[]), changed, "{what}");
        let again = to_send("in.csv", &[]);
        assert_eq!(asked(&place, &vendor, "in.csv", &[]), again, "{what}");
        // Rows in doubt are sent again on request, and so are rows with a recorded answer.
        for more in [&["--in-doubt", "resend"][..], &["--reuse", "0", "--reask-after", "0"]] {
            let planned = to_send("in.csv", more);
            assert_eq!(asked(&place, &vendor, "in.csv", more), planned, "{what} {more:?}");
        }
    }
}

#[test]
fn a_plan_shows_what_the_ledger_knows() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1, 1, 2, 12, 3]));
    place.run("in.csv", &vendor.base_url, &["--limit", "2", "--concurrency", "1"]).exits(13);
    let (stopped, said) = plan(&place, "in.csv", &vendor.base_url, 0, &[]);
    assert!(said.stdout.contains("continuing run 1: 2 calls, 2 charged"), "{}", said.stdout);
    assert_eq!((number(&stopped, "done"), number(&stopped, "spent.confirmed")), (2, 2));

    place.write("in.csv", people_csv([1, 1, 2, 12, 3, 1]));
    let (changed, said) = plan(&place, "in.csv", &vendor.base_url, 0, &[]);
    assert!(said.stdout.contains("the file changed since run 1"), "{}", said.stdout);
    assert_eq!((number(&changed, "reused"), number(&changed, "to_send")), (2, 4));

    place.run("in.csv", &vendor.base_url, &[]).exits(3);
    let (finished, said) = plan(&place, "in.csv", &vendor.base_url, 0, &["--price", "1500"]);
    assert_eq!((number(&finished, "reused"), number(&finished, "in_doubt")), (5, 1));
    assert_eq!(number(&finished, "to_send"), 0);
    assert_eq!(number(&finished, "ages.under_1_day"), 5);
    assert_eq!(number(&finished, "money.saved"), 7500);
    assert!(said.stdout.contains("Rp7.500"), "{}", said.stdout);
}

#[test]
fn expected_charges_come_from_the_ledger_or_the_user_or_not_at_all() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("a.csv", people_csv([1, 1, 1, 1, 2, 3, 4, 13, 6, 5]));
    place.write("b.csv", people_csv((0..1000).map(|_| 2001)));
    let plan = |more: &[&str]| plan(&place, "b.csv", &vendor.base_url, 0, more).0;
    let none = plan(&["--price", "2"]);
    assert!(none["charges"]["expected"].is_null() && none["history"].is_null());
    assert!(none["money"]["expected"].is_null());
    assert_eq!((number(&none, "charges.at_least"), number(&none, "charges.at_most")), (0, 1000));
    place.run("a.csv", &vendor.base_url, &["--max-attempts", "2"]).exits(3);

    let known = plan(&["--price", "2"]);
    assert_eq!((number(&known, "history.answers"), number(&known, "history.charged")), (8, 5));
    assert_eq!(number(&known, "charges.expected"), 625);
    let (low, high) =
        (number(&known, "charges.expected_low"), number(&known, "charges.expected_high"));
    // The Wilson interval for 5 of 8 is 0.3057 to 0.8632.
    assert_eq!((low, high), (305, 864));
    assert_eq!((number(&known, "money.expected"), number(&known, "money.at_most")), (1250, 2000));

    let given = plan(&["--charge-share", "93%", "--rate", "0.5", "--hours", "0.25"]);
    assert_eq!(
        (number(&given, "charges.expected"), given["charge_share"].as_f64()),
        (930, Some(0.93))
    );
    assert_eq!((number(&given, "seconds"), number(&given, "nights")), (2000, 3));
    assert!(plan(&["--rate", "unlimited", "--hours", "8"])["seconds"].is_null());
}

#[test]
fn a_budget_stops_the_run_where_the_plan_said() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let rows: Vec<_> = people_csv([1; 9]).lines().map(str::to_owned).collect();
    // The rows before the stop include a duplicate and a rejected row.
    let text = [&rows[..4], &rows[1..2], &["9,1,X".to_owned()], &rows[4..]].concat().join("\n");
    place.write("in.csv", text);
    for (more, code, stop) in [
        (&["--max-charges", "9"][..], 0, None),
        (&["--max-charges", "5"], 13, Some((5, 8))),
        (&["--max-cost", "7500", "--price", "1500"], 13, Some((5, 8))),
        (&["--max-charges", "0"], 13, Some((0, 1))),
    ] {
        let (plan, said) = plan(&place, "in.csv", &vendor.base_url, code, more);
        let budget = &plan["budget"];
        assert_eq!(budget["fits"], stop.is_none());
        let found = budget["stops_after_calls"].as_u64().zip(budget["stops_at_record"].as_u64());
        assert_eq!(found, stop, "{more:?}");
        assert_eq!(budget["stops_at_line"].as_u64(), stop.map(|(_, record)| record + 1));
        assert_eq!(said.stdout.contains("not enough: "), stop.is_some(), "{}", said.stdout);
    }
    place.run("in.csv", &vendor.base_url, &["--max-charges", "5", "--concurrency", "1"]).exits(13);
    let outcomes = place.column("in.sandbox.partial.csv", "ck_outcome");
    assert_eq!(outcomes.iter().position(|outcome| outcome == "not_sent"), Some(7));
    // Earlier starts of the run have used up the budget.
    let (plan, _) = plan(&place, "in.csv", &vendor.base_url, 13, &["--max-charges", "6"]);
    assert_eq!(
        (number(&plan, "budget.remaining"), number(&plan, "budget.stops_at_record")),
        (1, 9)
    );
}

#[test]
fn names_that_differ_are_shown_where_they_stand() {
    let place = Workspace::new();
    let twins = (0..8).map(|n| format!("{n},{},NAMA {}\n", nik(1, 1001), char::from(b'A' + n)));
    let more = format!("9,{},SATU\n10,{},NAMA B\n", nik(2, 1001), nik(1, 1001));
    place.write("in.csv", format!("id,nik,nama\n{}{more}", twins.collect::<String>()));
    let (plan, said) = plan(&place, "in.csv", "http://127.0.0.1:9", 0, &[]);
    let finding = plan["findings"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&finding["code"], &finding["class"]),
        (&"nik_several_names".into(), &"warn".into())
    );
    assert_eq!((number(finding, "count"), number(finding, "of")), (7, 9));
    let places = finding["places"].as_array().unwrap();
    let shown: Vec<_> =
        places.iter().map(|place| (number(place, "line"), &place["cell"])).collect();
    let cells = ["B3", "B4", "B5", "B6", "B7"].map(Value::from);
    assert_eq!(shown, (3..8).zip(&cells).collect::<Vec<_>>());
    assert!(said.stdout.contains("cell B3 (customer 2): 320201******1001"), "{}", said.stdout);
    for printed in [&said.stdout, &plan.to_string()] {
        assert!(!printed.contains(&nik(1, 1001)) && !printed.contains("NAMA A"), "{printed}");
    }
}

/// Returns a file in which every second row has a NIK that a spreadsheet has damaged.
fn damaged(rows: u32) -> String {
    let row = |n| match n % 2 {
        0 => format!("{n},3.20101E+15,{}\n", name(n)),
        _ => format!("{n},{},{}\n", nik(n, 1001), name(n)),
    };
    "id,nik,nama\n".to_owned() + &(0..rows).map(row).collect::<String>()
}

#[test]
fn exit_codes() {
    let place = Workspace::new();
    place.write("good.csv", people_csv([1, 2]));
    place.write("bad.csv", damaged(20));
    place.write("none.csv", "a,b\n1,2\n");
    let base = ["--base-url", "http://127.0.0.1:9"];
    for (what, arguments, code, phrase) in [
        ("good", &["good.csv"][..], 0, "ready      `ceknik run` with the same flags sends 2 calls"),
        (
            "damaged",
            &["bad.csv"],
            10,
            "stopped    `ceknik run` will not send this file (file_scientific)",
        ),
        ("forced", &["bad.csv", "--force"], 0, "file_scientific"),
        ("both", &["bad.csv", "--max-charges", "1"], 10, "stopped  "),
        ("forced, over budget", &["bad.csv", "--force", "--max-charges", "1"], 13, "not enough"),
        ("over budget", &["good.csv", "--max-charges", "1"], 13, "not enough"),
        ("missing", &["nope.csv"], 10, "no such file"),
        ("no columns", &["none.csv"], 10, "error:"),
        ("share", &["good.csv", "--charge-share", "1.5"], 2, "--charge-share"),
        ("hours", &["good.csv", "--hours", "25"], 2, "--hours"),
        ("cost without price", &["good.csv", "--max-cost", "1"], 2, "--max-cost: it needs --price"),
        ("the limit of a start", &["good.csv", "--limit", "1"], 0, "sends 1 of 2 calls (--limit)"),
        (
            "flags that change nothing",
            &["good.csv", "--concurrency", "4", "-y"],
            0,
            "sends 2 calls",
        ),
        ("a flag of run that is wrong", &["good.csv", "--timeout", "soon"], 2, "--timeout"),
    ] {
        let ended = place.ceknik(&[&["plan"], arguments, &base[..]].concat());
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, Some(code), "{what}: {said}");
        assert!(said.contains(phrase), "{what}: {said}");
        assert!(!place.path("state").exists(), "{what}");
    }
    let quiet = place.ceknik(&[&["plan", "bad.csv", "-q"], &base[..]].concat()).exits(10);
    assert!(quiet.stdout.contains("file_scientific"), "the plan is what was asked for");
    assert_eq!(quiet.stderr, "");
    // The last lines are the price, the time and what is wrong, so that they stay on a screen.
    let good = place.ceknik(
        &[&["plan", "good.csv", "--rate", "10", "--price", "1,5rb", "--tax", "ppn"], &base[..]]
            .concat(),
    );
    let last: Vec<String> = good.exits(0).stdout.lines().map(str::to_owned).collect();
    let begins = [
        "price      at most Rp3.000",
        "           with 11 % PPN at most Rp3.330",
        "time  ",
        "ready  ",
    ];
    for (line, begin) in last[last.len() - 4..].iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}");
    }
}

#[test]
fn a_ledger_that_a_run_would_refuse_is_refused() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1]));
    let ledger = ["--ledger", "my ledger?#%41.db"];
    place.run("in.csv", &vendor.base_url, &ledger).exits(0);
    let known = plan(&place, "in.csv", &vendor.base_url, 0, &ledger).0;
    assert_eq!(number(&known, "reused"), 1);
    let refused = |base: &str, code, phrase: &str| {
        let said = place.ceknik(&["plan", "in.csv", "--base-url", base, ledger[0], ledger[1]]);
        assert!(said.stderr.contains(phrase), "{}", said.stderr);
        said.exits(code);
    };
    refused("http://127.0.0.1:9", 11, "belongs to");
    let key = place.path("my ledger?#%41.db.key");
    fs::rename(&key, place.path("away")).unwrap();
    refused(&vendor.base_url, 18, "is missing");
    fs::write(&key, format!("ceknik-key-1 {}\n", "0".repeat(64))).unwrap();
    refused(&vendor.base_url, 18, "is not the key of");
    fs::write(&key, "damaged").unwrap();
    refused(&vendor.base_url, 18, "is not a ceknik key");
    fs::rename(place.path("away"), &key).unwrap();
    place.write(
        "my ledger?#%41.db",
        "this is no database, and it is longer than a header is: 0123456789",
    );
    refused(&vendor.base_url, 18, "is not a ledger");
}

#[test]
fn a_plan_calls_nobody() {
    let place = Workspace::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    nobody.set_nonblocking(true).unwrap();
    let base_url = format!("http://{}", nobody.local_addr().unwrap());
    place.write("in.csv", mixed(20));
    plan(&place, "in.csv", &base_url, 0, &[]);
    assert_eq!(nobody.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    // As a control, a run does call the vendor.
    nobody.set_nonblocking(false).unwrap();
    let (tell, called) = mpsc::channel();
    thread::spawn(move || tell.send(nobody.accept().is_ok()));
    let run = place.command(&run_arguments("in.csv", &base_url, &["--timeout", "300ms"]));
    let running = Running::start(run);
    let is_called = called.recv_timeout(Duration::from_secs(60));
    assert_eq!(is_called, Ok(true), "the control was not called");
    drop(running);
}

#[test]
fn a_run_under_way_is_looked_at_and_left_alone() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "40ms"]);
    place.write("in.csv", many_people(200));
    let run = run_arguments("in.csv", &vendor.base_url, &["--concurrency", "4"]);
    let mut running = Running::start(place.command(&run));
    vendor.wait_for(20);
    let mut noted = 0;
    while !running.is_over() {
        let (seen, said) = plan(&place, "in.csv", &vendor.base_url, 0, &[]);
        noted += u32::from(said.stdout.contains("may still come, if a run is under way"));
        assert!(number(&seen, "unsettled") <= 8, "{seen}");
        assert_eq!(number(&seen, "rows"), 200);
    }
    assert!(noted > 0);
    running.end().exits(0);
    assert_eq!(number(&plan(&place, "in.csv", &vendor.base_url, 0, &[]).0, "reused"), 200);
}

#[test]
fn after_a_kill_the_plan_is_what_the_next_start_finds() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "200ms"]);
    place.write("in.csv", many_people(60));
    let run = run_arguments("in.csv", &vendor.base_url, &["--concurrency", "5"]);
    let mut running = Running::start(place.command(&run));
    vendor.wait_for(15);
    running.kill();
    let before = state(&place);
    let (planned, _) = plan(&place, "in.csv", &vendor.base_url, 0, &[]);
    assert!(state(&place) == before, "not a byte is written, not beside the ledger either");
    let lost = number(&planned, "unsettled");
    assert!((1..=5).contains(&lost), "{planned}");
    assert_eq!(number(&planned, "spent.possible"), lost);
    assert_eq!(asked(&place, &vendor, "in.csv", &[]), number(&planned, "to_send"));
    assert_eq!(place.count("in.sandbox.csv", "ck_outcome", "in_doubt") as u64, lost);
}

#[test]
fn the_shape_of_the_json_is_documented() {
    let place = Workspace::new();
    place.write("in.csv", damaged(20) + &mixed(9).lines().skip(1).collect::<Vec<_>>().join("\n"));
    let more = ["--price", "1500", "--max-charges", "3", "--charge-share", "0.9", "--hours", "8"];
    let (plan, _) = plan(&place, "in.csv", "http://127.0.0.1:9", 10, &more);
    let page = include_str!("../docs/json.md");
    let section = page.split("### The plan as JSON").nth(1).unwrap();
    let section = section.split("\n#").next().unwrap();
    let mut fields = BTreeSet::new();
    let mut open = vec![&plan];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(values) => open.extend(values),
            Value::Object(object) => {
                for (field, value) in object {
                    // The keys of `rejected` and `warnings` are codes, and not fields of the plan.
                    if !["rejected", "warnings"].contains(&field.as_str()) {
                        open.push(value);
                    }
                    fields.insert(field.clone());
                }
            }
            _ => {}
        }
    }
    assert!(fields.len() > 40);
    for field in fields {
        assert!(section.contains(&format!("`{field}`")), "{field} is not documented");
    }
}

#[test]
fn settings_come_from_the_environment_and_the_file_too() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1, 2, 3]));
    place.settings("price = 1500\nhours = 2\nrate = 0.5\nsandbox = true\n");
    let mut command = place.command(&["plan", "-", "--json"]);
    command.env("CEKNIK_CHARGE_SHARE", "0.5").env("CEKNIK_RATE", "0.0001");
    command.stdin(fs::File::open(place.path("in.csv")).unwrap());
    let ended = Running::start(command).end().exits(0);
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((number(&plan, "seconds"), number(&plan, "nights")), (30_000, 5));
    assert_eq!((number(&plan, "charges.expected"), number(&plan, "money.at_most")), (2, 4500));
    assert_eq!(
        (&plan["origin"], &plan["file"]["input"]),
        (&"sandbox".into(), &"standard input".into())
    );
}

#[test]
fn without_a_terminal_a_run_goes_on_unasked() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1, 1]));
    let asked = ["--confirm-above", "1", "--price", "1500"];
    place.run("in.csv", &vendor.base_url, &asked[..2]).exits(2);
    let said = place.run("in.csv", &vendor.base_url, &asked).exits(0).stderr;
    assert!(
        said.contains("at most") && said.contains("Rp3.000") && !said.contains("[y/N]"),
        "{said}"
    );
    assert_eq!(vendor.end().len(), 2);
}
