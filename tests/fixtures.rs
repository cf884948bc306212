//! The files of `fixtures/files`: `plan` reports what the expectation beside each file says, and
//! `run` makes exactly the calls that `plan` announced.
//!
//! `fixtures/make/files.py` makes the files with real spreadsheet software. It counts the
//! expectations from the rows that it wrote, not from the output of this program.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::{Vendor, Workspace, run_arguments};

/// A file and its expectation.
struct Fixture {
    name: String,
    bytes: Vec<u8>,
    expected: Value,
}

impl Fixture {
    fn flags(&self) -> Vec<&str> {
        self.expected["flags"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
    }

    /// Returns `true` if the file is sent without `--force`.
    fn is_sendable(&self) -> bool {
        self.expected["exit"] == 0
    }
}

/// Returns every file that has an expectation.
fn fixtures() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/files");
    let mut found: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .filter_map(|entry| {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let name = file.strip_suffix(".expect.json")?.to_owned();
            let expected = serde_json::from_slice(&fs::read(folder.join(&file)).unwrap()).unwrap();
            Some(Fixture { bytes: fs::read(folder.join(&name)).unwrap(), name, expected })
        })
        .collect();
    assert!(!found.is_empty());
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Returns the fields of a plan that an expectation has.
fn essence(plan: &Value) -> Value {
    let mut findings: Vec<String> = plan["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|finding| {
            let word = |key: &str| finding[key].as_str().unwrap_or("?").to_owned();
            format!("{}:{}", word("code"), word("class"))
        })
        .collect();
    findings.sort();
    json!({
        "rows": plan["rows"],
        "rejected": plan["rejected"],
        "skipped": plan["skipped"],
        "to_send": plan["to_send"],
        "findings": findings,
    })
}

#[test]
fn plan_says_of_each_what_is_expected() {
    let place = Workspace::new();
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        place.write(&fixture.name, &fixture.bytes);
        let ended =
            place.ceknik(&[&["plan", &fixture.name, "--json"][..], &fixture.flags()].concat());
        let mut expected = fixture.expected.clone();
        let fields = expected.as_object_mut().unwrap();
        fields.remove("flags");
        let exit = fields.remove("exit").unwrap();
        let found = match expected["error"].as_str() {
            Some(error) if ended.stderr.contains(error) => expected.clone(),
            Some(_) => Value::from(ended.stderr),
            None => essence(&serde_json::from_str(&ended.stdout).unwrap_or_default()),
        };
        if (ended.code.map(Value::from), &found) != (Some(exit.clone()), &expected) {
            let (name, code) = (fixture.name, ended.code);
            wrong.push(format!("{name}: exit {exit}, {expected}\n  but {code:?}, {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} are not as expected:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn run_makes_exactly_the_calls_that_plan_says() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let mut made = 0;
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        place.write(&fixture.name, &fixture.bytes);
        // Each file has its own ledger, since the same people may occur in several files.
        let ledger = format!("{}.ledger", fixture.name);
        let more = [&["-o", "out.csv", "--ledger", &ledger][..], &fixture.flags()].concat();
        let ended = place.ceknik(&run_arguments(&fixture.name, &vendor.base_url, &more));
        let calls = vendor.calls().len() - made;
        made += calls;
        let (name, sendable) = (&fixture.name, fixture.is_sendable());
        let expected = if sendable { fixture.expected["to_send"].as_u64().unwrap() } else { 0 };
        let ends_well = if sendable { &[0, 3][..] } else { &[10] };
        if calls as u64 != expected || !ended.code.is_some_and(|code| ends_well.contains(&code)) {
            let said = ended.stderr.lines().last().unwrap_or_default().to_owned();
            wrong.push(format!(
                "{name}: {expected} calls but {calls}, exit {:?}: {said}",
                ended.code
            ));
        }
    }
    assert!(wrong.is_empty(), "{} are not as expected:\n{}", wrong.len(), wrong.join("\n"));
}

/// The file is read as the run read it: without the flags that the run had.
#[test]
fn export_makes_the_output_of_each_again() {
    let place = Workspace::new();
    let mut made = 0;
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        place.write(&fixture.name, &fixture.bytes);
        for (ending, excel) in
            [("csv", None), ("tsv.gz", None), ("csv", Some("--excel")), ("xlsx", None)]
        {
            let ledger = format!("{}.{ending}.{}.ledger", fixture.name, excel.is_some());
            let which = ["--sandbox", "--ledger", &ledger, "--overwrite"];
            let (output, again) = (format!("out.{ending}"), format!("again.{ending}"));
            let form = [&which[..], excel.as_slice()].concat();
            let flags = fixture.flags();
            let run = [&["run", &fixture.name, "-o", &output][..], &form, &flags].concat();
            if !matches!(place.ceknik(&run).code, Some(0 | 3)) {
                continue;
            }
            let export = [&["export", &fixture.name, "-o", &again][..], &form].concat();
            let told = place.ceknik(&export);
            let bytes = |name: &str| fs::read(place.path(name)).unwrap_or_default();
            if bytes(&output) != bytes(&again) || bytes(&output).is_empty() {
                wrong.push(format!("{} as {ending}: {}", fixture.name, told.stderr));
            }
            made += 1;
        }
    }
    assert!(made > 80, "{made}");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
