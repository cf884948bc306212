//! Stored copies of all texts that people and other programs read: help, plan, last words, status,
//! errors, the shapes of the JSON and the columns of the outputs. A change of such a text shows in
//! review as a change of a file in `tests/snapshots/`.
//!
//! `INSTA_UPDATE=always cargo test --test snapshots` stores the current texts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use insta::assert_snapshot;
use serde_json::{Map, Value, json};
use support::book::sheets;
use support::{Finished, Workspace, people_csv, with_filters};

/// Patterns of text that differ from run to run, and their replacements.
const FILTERS: [(&str, &str); 7] = [
    (r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?", "DATE"),
    (r"done \d\d:\d\d \(UTC[+-]\d\d:\d\d\)", "done TIME"),
    (
        r"[\d,]+ a second, answered in [\d,]+ / [\d,]+ / [\d,]+ ms",
        "N a second, answered in N / N / N ms",
    ),
    (r"time( +)[\d.,]+ s", "time$1 N s"),
    (r"(^|[^~])/[^ \n]*/state/", "${1}STATE/"),
    (r"\d+ of \d+ done · .*\n", ""),
    (r"ceknik \d+\.\d+\.\d+", "ceknik VERSION"),
];

/// Returns a place with a file of customers: a match, a mismatch, one row for each free answer, a
/// duplicate, and a row with a NIK that is too short.
fn with_customers() -> Workspace {
    let place = Workspace::new();
    let mut file = people_csv([1, 2, 3, 4]);
    let first = file.lines().nth(1).unwrap().to_owned();
    file += &format!("{first}\n6,3201,WARGA CUT\n");
    place.write("customers.csv", file);
    place
}

fn sandbox(place: &Workspace, command: &str, more: &[&str]) -> Finished {
    let fixed = [command, "customers.csv", "--sandbox", "--price", "1500"];
    place.ceknik(&[&fixed[..], more].concat())
}

#[test]
fn help() {
    let place = Workspace::new();
    with_filters(&FILTERS, || {
        for command in [
            "run",
            "plan",
            "export",
            "sandbox",
            "report",
            "status",
            "purge",
            "backup",
            "completions",
            "man",
        ] {
            let said = place.ceknik(&[command, "--help"]).exits(0).stdout;
            assert_snapshot!(format!("help_{command}"), said);
        }
        for command in ["init", "import"] {
            let said = place.ceknik(&["ledger", command, "--help"]).exits(0).stdout;
            assert_snapshot!(format!("help_ledger_{command}"), said);
        }
        let all = place.ceknik(&["run", "--help-all"]).exits(0).stdout;
        assert_snapshot!("help_run_all", all);
        assert_snapshot!("help", place.ceknik(&["--help"]).exits(0).stdout);
    });
}

#[test]
fn what_a_run_says_and_writes() {
    let place = with_customers();
    with_filters(&FILTERS, || {
        assert_snapshot!("plan", sandbox(&place, "plan", &["--tax", "ppn"]).exits(0).stdout);
        let run = sandbox(&place, "run", &["-o", "out.csv"]);
        assert_snapshot!("run", run.exits(3).stderr);
        assert_snapshot!("status", place.ceknik(&["status", "--sandbox"]).exits(0).stdout);
    });
}

#[test]
fn shapes() {
    let place = with_customers();
    let plan = sandbox(&place, "plan", &["--json"]).exits(0).stdout;
    sandbox(&place, "run", &["-o", "out.csv"]).exits(3);
    sandbox(&place, "run", &["-o", "out.xlsx"]).exits(3);
    let status = place.ceknik(&["status", "--sandbox", "--json"]).exits(0).stdout;
    with_filters(&FILTERS, || {
        assert_snapshot!("plan_json", shape_of(&plan));
        assert_snapshot!("status_json", shape_of(&status));
        assert_snapshot!("summary_json", shape_of(&place.read("out.csv.summary.json")));
        let columns = place.read("out.csv").lines().next().unwrap().replace(',', "\n");
        assert_snapshot!("columns_of_a_csv", columns);
        assert_snapshot!("columns_of_a_workbook", columns_of_the_sheets(&place, "out.xlsx"));
    });
}

#[test]
fn errors() {
    let place = with_customers();
    place.write("empty.csv", "");
    place.write("towns.csv", "kota,kode,cabang\nMedan,1,Solo\n");
    place.write("misspelt.toml", "rates = 5\n");
    place.write("theirs.csv", "notes of others\n");
    place.write("header.csv", "id,nik,nama\n");
    let cases: [&[&str]; 14] = [
        &["customers.csv"],
        &["run"],
        &["run", "customers.csv", "--api-secret", "5"],
        &["run", "header.csv", "--sandbox"],
        &["export", "customers.csv", "--sandbox", "--only", "mismatch"],
        &["run", "customers.csv", "--rat", "5"],
        &["run", "customers.csv", "--rate", "fast"],
        &["run", "customers.csv", "--config", "misspelt.toml"],
        &["run", "customers.csv", "--sandbox", "-o", "theirs.csv"],
        &["run", "none.csv", "--sandbox"],
        &["run", "empty.csv", "--sandbox"],
        &["run", "towns.csv", "--sandbox"],
        &["run", "customers.csv", "--sandbox", "--name-column", "Z"],
        &["status"],
    ];
    let mut all = String::new();
    for case in cases {
        let Finished { code, stderr, .. } = place.ceknik(case);
        all += &format!("$ ceknik {}\n{stderr}exit {}\n\n", case.join(" "), code.unwrap());
    }
    with_filters(&FILTERS, || assert_snapshot!("errors", all));
}

/// Returns the headings of each sheet of a workbook that the program wrote.
fn columns_of_the_sheets(place: &Workspace, file: &str) -> String {
    let mut text = String::new();
    for (name, rows) in sheets(place, file) {
        let heads: Vec<_> = rows.iter().take(1).flatten().map(ToString::to_string).collect();
        text += &format!("{name}: {}\n", heads.join(" | "));
    }
    text
}

/// Replaces each value of a JSON text by a word for its type. Of a list, only the first value is
/// kept.
fn shape_of(text: &str) -> String {
    fn shape(value: &Value) -> Value {
        match value {
            Value::Null => Value::Null,
            Value::Bool(_) => json!("true or false"),
            Value::Number(_) => json!("number"),
            Value::String(_) => json!("text"),
            Value::Array(list) => list.iter().take(1).map(shape).collect(),
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| (name.clone(), shape(value)));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }
    serde_json::to_string_pretty(&shape(&serde_json::from_str(text).unwrap())).unwrap()
}
