//! What is left of a run when it is over: its output again, its sums, its summary, and what to ask the
//! vendor about.
//!
//! Must hold: an export is what the run wrote, byte for byte. All sums are the same, to the call and
//! the rupiah, in the tally, the summary, `status`, the exports and the vendor's log. No NIK, no name
//! and no secret is in a summary or in `status`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use support::money::Charges;
use support::shared::Shared;
use support::{
    Running, Vendor, Workspace, billed, many_people, mixed_rows, months_around, name, nik,
    people_csv, run_arguments,
};

const LEDGER: [&str; 2] = ["--ledger", "my.ledger"];
/// Forms of an output: the ending of its name, and a flag.
const FORMS: [(&str, Option<&str>); 6] = [
    ("csv", None),
    ("xlsx", None),
    ("csv", Some("--excel")),
    ("tsv", None),
    ("csv.gz", None),
    ("txt", Some("--excel")),
];

/// One seeded story: an earlier night, a run that is killed again and again, and later nights that
/// find out other things about the same customers.
struct Story {
    place: Workspace,
    vendor: Vendor,
    dice: fastrand::Rng,
    form: (&'static str, Option<&'static str>),
}

impl Story {
    fn new(seed: u64) -> Self {
        let place = Workspace::new();
        let chaos = ["--latency", "5ms", "--chaos", "0.02", "--seed", "7"];
        let vendor = Vendor::start(&place, &chaos);
        let form = FORMS[seed as usize % FORMS.len()];
        Self { place, vendor, dice: fastrand::Rng::with_seed(seed), form }
    }

    fn output(&self, name: &str) -> String {
        format!("{name}.out.{}", self.form.0)
    }

    fn flags<'a>(&self, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let fixed = ["-o", output, "--concurrency", "8", "--max-attempts", "2", "--price", "1500"];
        [&LEDGER[..], &fixed, self.form.1.as_slice(), more].concat()
    }

    fn run(&self, input: &str, output: &str, more: &[&str]) {
        let ended = self.place.run(input, &self.vendor.base_url, &self.flags(output, more));
        assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    }

    /// Runs a file, and kills some of its starts.
    fn run_with_kills(&mut self, input: &str, output: &str, more: &[&str]) {
        for _ in 0..self.dice.u32(0..4) {
            let flags = self.flags(output, more);
            let arguments = run_arguments(input, &self.vendor.base_url, &flags);
            let mut running = Running::start(self.place.command(&arguments));
            sleep(Duration::from_millis(self.dice.u64(40..400)));
            if !running.is_over() {
                running.kill();
            }
        }
        self.run(input, output, more);
    }

    fn export(&self, input: &str, output: &str, more: &[&str]) {
        let arguments = ["export", input, "--base-url", &self.vendor.base_url, "-o", output];
        let form = self.form.1.as_slice();
        let ended = self.place.ceknik(&[&arguments[..], &LEDGER, form, more].concat());
        assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    }
}

/// Returns the lines of a CSV without its header, from one to another.
fn part(csv: &str, lines: std::ops::Range<usize>) -> String {
    let mut all = csv.lines();
    let head = all.next().unwrap();
    let part: Vec<_> = all.skip(lines.start).take(lines.len()).collect();
    format!("{head}\n{}\n", part.join("\n"))
}

/// Asserts that two outputs are equal, and shows the first line that is not.
#[track_caller]
fn assert_same(made: &[u8], written: &[u8], what: &str) {
    let line = |bytes: &[u8], at| -> String {
        let line = bytes.split(|byte| *byte == b'\n').nth(at);
        line.map(|line| String::from_utf8_lossy(line).into_owned()).unwrap_or_default()
    };
    if made != written {
        let at = (0..).find(|at| line(made, *at) != line(written, *at)).unwrap();
        panic!("{what}, line {at}: {:?}, not {:?}", line(made, at), line(written, at));
    }
}

#[test]
fn thirty_runs_are_exported_as_they_were_written() {
    for seed in 0..30 {
        let mut story = Story::new(seed);
        let all = mixed_rows(90);
        let rows = all.lines().count() - 1;
        let (from, to) = (story.dice.usize(0..30), story.dice.usize(50..rows));
        for (name, csv) in [
            ("before.csv", part(&all, 0..story.dice.usize(5..40))),
            ("night.csv", part(&all, from..to)),
            ("after.csv", part(&all, story.dice.usize(0..60)..rows)),
        ] {
            story.place.write(name, csv);
        }
        let resends = ["--in-doubt", "resend", "--retry-refused"];
        let flags = if story.dice.bool() { &resends[..] } else { &[] };
        story.run("before.csv", &story.output("before"), &[]);
        story.run_with_kills("night.csv", &story.output("night"), flags);
        let bytes = |name: &str| fs::read(story.place.path(&story.output(name))).unwrap();
        let written = bytes("night");
        let number = story.place.summary(&story.output("night"))["run"].to_string();
        // What later runs find out changes nothing.
        story.run("after.csv", &story.output("after"), &["--reuse", "0", "--in-doubt", "resend"]);
        story.run("night.csv", &story.output("later"), &["--reuse", "0", "--in-doubt", "resend"]);
        story.export("night.csv", &story.output("again"), &["--run", &number]);
        assert_same(&bytes("again"), &written, &format!("seed {seed}, {:?}", story.form));
        story.export("night.csv", &story.output("latest"), &[]);
        let what = format!("seed {seed}, {:?}: the latest run", story.form);
        assert_same(&bytes("latest"), &bytes("later"), &what);
        story.export("before.csv", &story.output("first"), &[]);
        let what = format!("seed {seed}, {:?}: the first run", story.form);
        assert_same(&bytes("first"), &bytes("before"), &what);
    }
}

/// A run that has stopped is exported as its partial output, whatever happened to its customers since.
#[test]
fn a_run_that_was_taken_over_is_exported_as_it_was_left() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let run = |more: &[&str]| place.run("in.csv", &vendor.base_url, &[&LEDGER[..], more].concat());
    place.write("in.csv", many_people(30));
    run(&["-o", "out.csv", "--limit", "12"]).exits(13);
    let partial = place.read("out.partial.csv");
    let first = many_people(30);
    place.write("in.csv", many_people(31));
    run(&["-o", "next.csv"]).exits(0);
    place.write("old.csv", first);
    let export = ["export", "old.csv", "--base-url", &vendor.base_url, "-o", "again.csv"];
    place.ceknik(&[&export[..], &LEDGER].concat()).exits(3).says("run 1");
    assert_eq!(place.read("again.csv"), partial);
}

#[test]
fn answers_that_were_purged_are_said_to_be_gone() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1, 2, 12, 3]));
    let flags = [&LEDGER[..], &["-o", "out.csv"]].concat();
    place.run("in.csv", &vendor.base_url, &flags).exits(3);
    let which = ["--base-url", &*vendor.base_url];
    place
        .ceknik(&[&["purge", "--older-than", "0s", "--yes"][..], &LEDGER, &which].concat())
        .exits(0);
    let export = ["export", "in.csv", "-o", "again.csv"];
    let told = place.ceknik(&[&export[..], &LEDGER, &which].concat()).exits(3);
    told.says("`ceknik purge` has removed 3 answers of run 1");
    let column = |name: &str| place.column("again.csv", name);
    assert_eq!(column("ck_outcome"), ["not_sent", "not_sent", "in_doubt", "not_sent"]);
    assert_eq!(column("ck_reason")[0], "purged");
    assert_eq!(column("ck_charged"), ["no", "no", "unknown", "no"]);
    let status = |more: &[&str]| {
        place.ceknik(&[&["status"][..], more, &LEDGER, &which].concat()).exits(0).stdout
    };
    let run = status(&["1"]);
    for said in [
        "you owe   not known: `ceknik purge` has removed the answers of 3 calls",
        "the summary of session 1 says: at least 2, at most 3",
    ] {
        assert!(run.contains(said), "{said} is not in {run}");
    }
    let month = place.summary("out.csv")["start_began_at"].as_str().unwrap()[..7].to_owned();
    let days = status(&["--month", &month, "--price", "1500", "--csv"]);
    let purged: Vec<_> = days.lines().filter(|line| line.ends_with(",yes")).collect();
    assert!(purged.len() == 1 && purged[0].contains(",3,2,0,IDR,1500,"), "{days}");
}

#[test]
fn purged_calls_stay_on_the_vendors_day() {
    // At any time, it is another day than the vendor's in one of these zones.
    for zone in ["-12:00", "+14:00"] {
        let place = Workspace::new();
        place.write("in.csv", many_people(120));
        // 100 answers show the vendor's clock.
        place.ceknik(&["run", "in.csv", "--sandbox"]).exits(0);
        let months = place.status(&["--sandbox"])["runs"][0]["created_at"].clone();
        let days = || -> Vec<String> {
            let mut days = Vec::new();
            for month in months_around(months.as_str().unwrap()) {
                let month = ["status", "--sandbox", "--month", &month, "--csv", "--price", "1"];
                let said = place.ceknik(&month).exits(0).stdout;
                let lines = said.lines().skip(1).map(|line| line.split(',').next().unwrap());
                days.extend(lines.map(str::to_owned));
            }
            days
        };
        let before = days();
        let purge = ["purge", "--sandbox", "--older-than", "0s", "--time-zone", zone];
        place.ceknik(&purge).exits(0);
        assert_eq!((days(), before.is_empty()), (before, false), "{zone}");
    }
}

#[test]
fn calls_without_an_answer_are_told_until_the_next_start() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    // The second one never answers.
    place.write("in.csv", people_csv([1, 11]));
    let flags = [&LEDGER[..], &["-o", "out.csv"]].concat();
    let arguments = run_arguments("in.csv", &vendor.base_url, &flags);
    let mut running = Running::start(place.command(&arguments));
    vendor.wait_for_more(2, &mut running);
    // The match is answered at once. Wait until it is recorded.
    let which = [&LEDGER[..], &["--base-url", &vendor.base_url]].concat();
    while place.status(&which)["runs"][0]["tally"]["confirmed"] != 1 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    running.kill();
    let ceknik = |arguments: &[&str]| place.ceknik(&[arguments, &which].concat()).exits(0);
    let open = "1 call without an answer";
    let shown = ceknik(&["status", "1"]).stdout;
    assert!(shown.contains(open), "{shown}");
    // It may be on the invoice.
    assert!(
        shown.contains("at least 1 charged call\n            at most  2 charged calls"),
        "{shown}"
    );
    let priced = ceknik(&["status", "1", "--price", "1500"]).stdout;
    assert!(shown.contains("no price  2 calls"), "{shown}");
    assert!(priced.contains("at most  2 charged calls (Rp3.000)"), "{priced}");
    ceknik(&["status", "--doubts", "-o", "ask.csv"]).says(open);
    let month = ceknik(&["status", "1", "--json"]).stdout;
    let month: Value = serde_json::from_str(&month).unwrap();
    assert_eq!(month["unsettled"], 1);
    let month = month["began_at"].as_str().unwrap()[..7].to_owned();
    assert!(ceknik(&["status", "--month", &month]).stdout.contains(open));
}

#[test]
fn who_asks_for_another_form_is_told_of_the_export() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", many_people(3));
    let run = |output: &str| {
        let flags = [&LEDGER[..], &["-o", output]].concat();
        place.run("in.csv", &vendor.base_url, &flags).exits(0).stderr
    };
    let hint = "ceknik export in.csv --run 1 -o results.xlsx --base-url ";
    assert!(!run("out.csv").contains(hint));
    let said = run("out.xlsx");
    let command = said.lines().find(|line| line.contains(hint)).expect("it is told").trim();
    let words: Vec<_> = command.split(' ').skip(1).collect();
    place.ceknik(&words).exits(0);
    // The run that gave the hint is the latest one of the file, and charged nothing.
    let words = command.replace("results.xlsx", "again.csv");
    place.ceknik(&words.split(' ').skip(1).collect::<Vec<_>>()).exits(0);
    assert_eq!(place.column("again.csv", "ck_charged"), ["yes", "yes", "yes"]);
    assert_eq!(place.read("again.csv"), place.read("out.csv"));
    assert!(!run("third.csv").contains("ceknik export"), "the second run has no charges");
}

#[test]
fn only_some_results_are_exported() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1, 2, 12, 3, 2]));
    place.run("in.csv", &vendor.base_url, &[&LEDGER[..], &["-o", "out.csv"]].concat()).exits(3);
    let export = |more: &[&str]| {
        let fixed = ["export", "in.csv", "--base-url", &vendor.base_url, "-o", "some.csv"];
        place.ceknik(&[&fixed[..], &LEDGER, more].concat())
    };
    export(&["--only", "mismatch,in_doubt"]).exits(3);
    assert_eq!(place.column("some.csv", "id"), ["1", "2", "4"]);
    export(&["--only", "mismatches"]).exits(2).says("not one of match, mismatch");
}

/// The sums of a summary, of `status` in its three forms, and of an output, in calls.
fn assert_sums(place: &Workspace, which: &[&str], runs: &[(u64, &str)]) -> (u64, u64) {
    let status = |more: &[&str]| -> Value {
        let told = place.ceknik(&[&["status", "--json"][..], which, more].concat()).exits(0);
        serde_json::from_str(&told.stdout).unwrap()
    };
    let (overview, mut calls, mut sum) = (status(&[]), 0, Charges { confirmed: 0, possible: 0 });
    for (number, output) in runs {
        let one = status(&[&number.to_string()]);
        let of_run = Charges::of_tally(&one["tally"]);
        let line = overview["runs"].as_array().unwrap().iter().find(|run| run["run"] == *number);
        assert_eq!(line.unwrap()["tally"], one["tally"], "run {number}");
        assert_eq!(Charges::of_rows(&place.rows(output)), of_run, "run {number}: its rows");
        let summary = place.summary(output);
        assert_eq!(Charges::of_tally(&summary["spending"]), of_run, "run {number}: its summary");
        let starts = one["starts"].as_array().unwrap();
        let of_starts = starts.iter().map(|start| start["tally"]["calls"].as_u64().unwrap());
        assert_eq!(of_starts.sum::<u64>(), one["tally"]["calls"].as_u64().unwrap());
        assert_eq!(starts.last().unwrap()["summary"]["spending"], summary["spending"]);
        let money = &one["money"][0];
        let owed = |name: &str| summary["spending"]["money"][name].as_u64().unwrap();
        let amounts =
            (money["owed_at_least"].as_u64().unwrap(), money["owed_at_most"].as_u64().unwrap());
        assert_eq!(amounts, (owed("at_least"), owed("at_most")), "run {number}: its money");
        calls += one["tally"]["calls"].as_u64().unwrap();
        sum.confirmed += of_run.confirmed;
        sum.possible += of_run.possible;
    }
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    // A night at the end of a month is on the first day of the next one in Jakarta.
    let months = [now.clone(), now.checked_add(jiff::Span::new().hours(7)).unwrap()];
    let mut names: Vec<_> = months.iter().map(|at| at.strftime("%Y-%m").to_string()).collect();
    names.dedup();
    let mut of_months = (0, 0, 0, 0, 0);
    for month in &names {
        let month = status(&["--month", month]);
        for total in month["totals"].as_array().unwrap() {
            let number = |name: &str| total[name].as_u64().unwrap_or(0);
            of_months.0 += number("calls");
            of_months.1 += number("charged");
            of_months.2 += number("possible");
            of_months.3 += number("owed_at_least");
            of_months.4 += number("owed_at_most");
        }
        let days = month["days"].as_array().unwrap().iter();
        let by_day: u64 = days.map(|day| day["charged"].as_u64().unwrap()).sum();
        let totals = month["totals"].as_array().unwrap().iter();
        assert_eq!(by_day, totals.map(|total| total["charged"].as_u64().unwrap()).sum::<u64>());
    }
    let Charges { confirmed, possible } = sum;
    let most = confirmed + possible;
    assert_eq!(of_months, (calls, confirmed, possible, confirmed * 1500, most * 1500), "{names:?}");
    (confirmed, possible)
}

#[test]
fn every_sum_is_that_of_the_vendors_log() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", mixed_rows(100));
    place.write("more.csv", mixed_rows(140));
    let fixed = [&LEDGER[..], &["--price", "1500"]].concat();
    let run = |input: &str, more: &[&str]| {
        place.run(input, &vendor.base_url, &[&fixed[..], more].concat())
    };
    run("in.csv", &["-o", "in.out.csv", "--limit", "40"]).exits(13);
    run("in.csv", &["-o", "in.out.csv"]).exits(3);
    run("more.csv", &["-o", "more.out.csv"]).exits(3);
    let calls = vendor.count();
    let which = [&LEDGER[..], &["--base-url", &vendor.base_url]].concat();
    let (confirmed, possible) =
        assert_sums(&place, &which, &[(1, "in.out.csv"), (2, "more.out.csv")]);
    for (number, output) in [("1", "in.out.csv"), ("2", "more.out.csv")] {
        let input = output.replace(".out", "");
        let export = ["export", &input, "-o", "again.csv", "--run", number, "--overwrite"];
        place.ceknik(&[&export[..], &which].concat()).exits(3);
        assert_eq!(
            Charges::of_rows(&place.rows("again.csv")),
            Charges::of_rows(&place.rows(output))
        );
    }
    let billed = billed(&vendor.calls());
    assert!(
        (confirmed..=confirmed + possible).contains(&billed),
        "{confirmed} {possible} {billed}"
    );
    // Each call that the vendor has charged and answered is confirmed.
    let answers = vendor.calls();
    let answered = answers.iter().filter(|call| ["01", "02"].contains(&&*call.answer)).count();
    assert_eq!(confirmed, answered as u64);
    assert_eq!(vendor.count(), calls, "nobody was called");
}

#[test]
fn the_sums_of_a_shared_ledger_are_the_same() {
    let Some(shared) = Shared::new(&[]) else { return };
    shared.place.write("in.csv", mixed_rows(60));
    shared.run("in.csv", &["-o", "out.csv", "--price", "1500", "--limit", "20"]).exits(13);
    shared.run("in.csv", &["-o", "out.csv", "--price", "1500"]).exits(3);
    let written = shared.place.read("out.csv");
    let (confirmed, possible) = assert_sums(&shared.place, &shared.which(), &[(1, "out.csv")]);
    let billed = billed(&shared.vendor.calls());
    assert!((confirmed..=confirmed + possible).contains(&billed));
    // Another run finds out other things about the same customers.
    shared.place.write("more.csv", mixed_rows(61));
    let again = ["-o", "more.csv.out.csv", "--reuse", "0", "--in-doubt", "resend"];
    shared.run("more.csv", &again).exits(3);
    shared.ledger(&["export", "in.csv", "-o", "again.csv"]).exits(3);
    assert_eq!(shared.place.read("again.csv"), written);
    shared.ledger(&["export", "in.csv", "-o", "again.xlsx"]).exits(3);
}

/// The oldest worker writes the output, and another one has left before: the export is that of the
/// writer, with what it knew.
#[test]
fn the_output_of_several_workers_is_made_again() {
    let Some(shared) = Shared::new(&["--latency", "30ms"]) else { return };
    shared.place.write("in.csv", many_people(120));
    shared.place.write("one.csv", many_people(1));
    let output = |name: &'static str| ["-o", name, "--concurrency", "4", "--price", "1500"];
    let mut first = Running::start(shared.run_command("in.csv", &output("out.xlsx")));
    shared.vendor.wait_for_more(8, &mut first);
    let limit = [&output("other.xlsx")[..], &["--limit", "4"]].concat();
    shared.run("in.csv", &limit).exits(13);
    first.end().exits(0);
    let written = fs::read(shared.place.path("out.xlsx")).unwrap();
    // The helper's start has a higher number than the writer's, and knew less.
    shared.run("one.csv", &["-o", "one.out.csv", "--reuse", "0"]).exits(0);
    let told = shared.ledger(&["export", "in.csv", "-o", "again.xlsx"]).exits(0);
    assert!(!told.stderr.contains("removed"), "{}", told.stderr);
    assert_same(&fs::read(shared.place.path("again.xlsx")).unwrap(), &written, "several workers");
}

/// The canary: a customer whose NIK and name stand wherever a careless program would repeat them.
#[test]
fn no_customer_and_no_secret_is_in_a_summary_or_in_status() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    // This serial has the vendor repeat NIK and name.
    let (canary_nik, canary_name) = (nik(7, 18), name(7));
    let mut people = mixed_rows(60);
    people = people.replacen("id,nik,nama", &format!("{canary_name} {canary_nik},nik,nama"), 1);
    people += &format!("x,{canary_nik},{canary_name}\n");
    let input = format!("{canary_name} {canary_nik}.csv");
    let output = format!("hasil {canary_name} {canary_nik}.csv");
    place.write(&input, people);
    let flags =
        [&LEDGER[..], &["-o", &output, "--price", "1500", "--operator", "night shift"]].concat();
    place.run(&input, &vendor.base_url, &flags).exits(3);
    let summary = place.read(&format!("{output}.summary.json"));
    let which = [&LEDGER[..], &["--base-url", &vendor.base_url]].concat();
    let month = jiff::Timestamp::now().strftime("%Y-%m").to_string();
    let mut texts = vec![("summary", summary)];
    for more in [
        &[][..],
        &["--json"],
        &["1"],
        &["1", "--json"],
        &["--month", &month],
        &["--month", &month, "--json"],
        &["--month", &month, "--csv"],
    ] {
        let told = place.ceknik(&[&["status"][..], &which, more].concat()).exits(0);
        texts.push(("status", told.stdout + &told.stderr));
    }
    let secret = support::SECRET;
    let lower = canary_name.to_lowercase();
    for (what, text) in texts {
        for canary in [&canary_nik, &canary_name, &lower, &secret.to_owned()] {
            assert!(!text.contains(&**canary), "{what} has {canary}: {text}");
        }
        assert!(text.contains("xxxxx") || !text.contains(".csv"), "{what}: {text}");
    }
    // The ledger has none of them either.
    let ledger = fs::read(place.path("my.ledger")).unwrap();
    for canary in [canary_nik.as_bytes(), canary_name.as_bytes(), secret.as_bytes()] {
        assert!(!ledger.windows(canary.len()).any(|bytes| bytes == canary));
    }
}

#[test]
fn what_to_ask_the_vendor_about_is_written_to_a_file() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    // A match, a doubt, a code that is not documented, and a doubt of another file.
    place.write("in.csv", people_csv([1, 12, 13]));
    place.write("other.csv", format!("id,nik,nama\n9,{},{}\n", nik(99, 12), name(99)));
    for input in ["in.csv", "other.csv"] {
        let output = format!("{input}.out.csv");
        let flags = [&LEDGER[..], &["-o", &output]].concat();
        place.run(input, &vendor.base_url, &flags);
    }
    let list = |more: &[&str]| {
        let fixed = ["status", "--base-url", &vendor.base_url, "--doubts", "--time-zone", "WIB"];
        place.ceknik(&[&fixed[..], &LEDGER, more].concat())
    };
    let told = list(&["-o", "ask.csv", "--input", "in.csv"]).exits(0);
    told.says("2 calls written to ask.csv").says("1 more call with an unknown charge");
    let column = |name: &str| place.column("ask.csv", name);
    let mut rows: Vec<_> =
        column("row").into_iter().zip(column("nik")).zip(column("name")).collect();
    rows.sort();
    let row = |at: u32, serial| ((format!("{}", at + 2), nik(at, serial)), name(at));
    assert_eq!(rows, [row(1, 12), row(2, 13)]);
    assert!(column("sent_at").iter().all(|at| at.ends_with("+07:00")), "{:?}", column("sent_at"));
    list(&["-o", "ask.csv"]).exits(11).says("exists already");
    list(&["-o", "in.csv", "--input", "in.csv"]).exits(2).says("would overwrite the input");
    list(&["-o", "ask.pdf"]).exits(11);
    list(&[]).exits(2);
    list(&["-o", "all.csv"]).exits(0).says("the list has no NIKs and no names");
    assert_eq!(place.column("all.csv", "nik"), ["", "", ""]);
    let printed = list(&["-o", "-", "--input", "other.csv"]).exits(0).stdout;
    assert!(printed.contains(&nik(99, 12)), "{printed}");
    list(&["-o", "ask.xlsx", "--input", "in.csv"]).exits(0);
    assert_eq!(support::files::mode(&place.path("ask.xlsx")), 0o600);
}

#[test]
fn a_summary_says_who_what_and_when() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", many_people(8));
    let flags = [&LEDGER[..], &["-o", "out.csv", "--time-zone", "WIB"]].concat();
    place.run("in.csv", &vendor.base_url, &[&flags[..], &["--limit", "3"]].concat()).exits(13);
    place.run("in.csv", &vendor.base_url, &flags).exits(0);
    let summary = place.summary("out.csv");
    assert_eq!((&summary["version"], &summary["start"]), (&2.into(), &2.into()));
    let time = |name: &str| {
        let text = summary[name].as_str().unwrap();
        assert!(text.ends_with("+07:00"), "{text}");
        text.parse::<jiff::Timestamp>().unwrap()
    };
    let times = ["run_began_at", "start_began_at", "start_ended_at"].map(time);
    assert!(times.is_sorted() && times[1] > times[0], "{times:?}");
    assert_eq!(summary["run_ended_at"], summary["start_ended_at"]);
    let sha256 = |path: &str| {
        let told = std::process::Command::new("sha256sum").arg(place.path(path)).output().unwrap();
        String::from_utf8(told.stdout).unwrap()[..64].to_owned()
    };
    assert_eq!(summary["input"]["sha256"], sha256("in.csv"));
    assert_eq!(summary["output"]["sha256"], sha256("out.csv"));
    assert_eq!(summary["output"]["path"], "out.csv");
    assert_eq!(summary["program_version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(summary["settings"]["rate"], "unlimited");
    assert_eq!(summary["settings"]["time_zone"], "Asia/Jakarta");
    assert!(!summary["operator"].as_str().unwrap().is_empty());
    assert_eq!((&summary["start_calls"], &summary["spending"]["calls"]), (&5.into(), &8.into()));
    // The ledger keeps it.
    let one = place.ceknik(
        &[&["status", "1", "--json", "--base-url", &vendor.base_url][..], &LEDGER].concat(),
    );
    let one: Value = serde_json::from_str(&one.stdout).unwrap();
    assert_eq!(one["starts"][1]["summary"], summary);
}

/// Each name in a summary has one meaning: it occurs once, apart from maps whose keys are codes.
#[test]
fn each_name_in_a_summary_occurs_once() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", many_people(8));
    let flags = [&LEDGER[..], &["-o", "out.csv", "--price", "1500"]].concat();
    place.run("in.csv", &vendor.base_url, &flags).exits(0);
    let mut names = Vec::new();
    fn collect(value: &Value, names: &mut Vec<String>) {
        for (name, value) in value.as_object().into_iter().flatten() {
            match value {
                // Counts of rows or calls, each by the code of what is counted.
                Value::Object(_) if ["outcomes", "funnel", "possible"].contains(&name.as_str()) => {
                }
                Value::Object(_) => collect(value, names),
                _ => names.push(name.clone()),
            }
        }
    }
    collect(&place.summary("out.csv"), &mut names);
    names.sort();
    let twice: Vec<_> =
        names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| &pair[0]).collect();
    // Of the run and of the settings, with the same meaning.
    assert_eq!(twice, ["currency", "price", "sha256"]);
}
