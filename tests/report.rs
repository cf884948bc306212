//! `ceknik report` and `run --report`: the page about a run.
//!
//! Must hold: equal facts are equal bytes. The figures are those of the summary and of `status`. No NIK,
//! no name and no secret is in a page, and it refers to nothing outside of itself.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::fs;

use quick_xml::Reader;
use quick_xml::events::Event;
use support::shared::Shared;
use support::{
    Finished, Running, SECRET, Vendor, Workspace, many_people, mixed_rows, months_around,
    people_csv, run_arguments,
};

const LEDGER: [&str; 2] = ["--ledger", "my.ledger"];
/// Largest size of a page.
const LARGEST: usize = 1_500_000;

/// A page, taken apart.
#[derive(Debug, Default)]
struct Page {
    text: String,
    /// Texts of cells of tables.
    cells: Vec<String>,
    /// Texts in drawings.
    drawn: Vec<String>,
    /// Ids of the headings.
    sections: Vec<String>,
}

impl Page {
    /// Takes a page apart. Asserts that it is well-formed and refers to nothing outside.
    fn of(text: String) -> Self {
        assert!(text.len() <= LARGEST, "{} bytes", text.len());
        let mut page = Self::default();
        let mut reader = Reader::from_str(&text);
        let mut path: Vec<String> = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) => {
                    let name = tag.name().as_ref().to_owned();
                    if name == "h2" {
                        let id = tag.try_get_attribute("id").unwrap().unwrap();
                        page.sections.push(id.value.into_owned());
                    }
                    if matches!(&*name, "td" | "th") {
                        page.cells.push(String::new());
                    }
                    if name == "text" {
                        page.drawn.push(String::new());
                    }
                    path.push(name);
                }
                Event::End(_) => drop(path.pop()),
                Event::Text(part) => {
                    let part = part.xml10_content();
                    page.add(path.last().map(String::as_str), &part);
                }
                Event::GeneralRef(entity) => {
                    let character = entity.resolve_char_ref().unwrap();
                    let name = entity.xml10_content();
                    let known = quick_xml::escape::resolve_predefined_entity(&name);
                    let text = character.map(String::from).or(known.map(str::to_owned));
                    page.add(path.last().map(String::as_str), &text.unwrap());
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert!(path.is_empty(), "{path:?}");
        for (what, allowed) in [
            ("http", &["http://www.w3.org/2000/svg", "http-equiv"][..]),
            ("//", &["//www.w3.org/2000/svg"]),
            ("url(", &["url(#"]),
            ("href=", &["href=\"#"]),
            ("src=", &[]),
            ("<script", &[]),
            ("style=", &[]),
            ("<details", &[]),
        ] {
            for (at, _) in text.match_indices(what) {
                let is_allowed = allowed.iter().any(|allowed| text[at..].starts_with(allowed));
                assert!(is_allowed, "{what}: {}", &text[at..text.len().min(at + 80)]);
            }
        }
        page.text = text;
        page
    }

    fn add(&mut self, element: Option<&str>, text: &str) {
        match element {
            Some("td" | "th") => self.cells.last_mut().unwrap().push_str(text),
            Some("text") => self.drawn.last_mut().unwrap().push_str(text),
            _ => {}
        }
    }

    fn has_cell(&self, text: &str) -> bool {
        self.cells.iter().any(|cell| cell == text)
    }
}

fn report(place: &Workspace, vendor: &Vendor, more: &[&str]) -> Finished {
    let which = ["--base-url", &vendor.base_url];
    place.ceknik(&[&["report"][..], &LEDGER, &which, more].concat())
}

/// Formats a number as the page does.
fn number(n: u64) -> String {
    ceknik::model::money::number(n)
}

#[test]
fn the_page_of_a_run_is_that_of_the_ledger() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", mixed_rows(120));
    let flags = ["-o", "out.csv", "--price", "1500", "--report", "night.html", "--limit", "30"];
    let flags = [&LEDGER[..], &flags].concat();
    place.run("in.csv", &vendor.base_url, &flags).exits(13);
    let unfinished = Page::of(place.read("night.html"));
    assert!(unfinished.text.contains("UNFINISHED"));
    place.run("in.csv", &vendor.base_url, &flags[..flags.len() - 2]).exits(3);
    let written = place.read("night.html");
    report(&place, &vendor, &["--input", "in.csv", "-o", "again.html"]).exits(0);
    assert_eq!(place.read("again.html"), written);
    assert_eq!(
        report(&place, &vendor, &["1", "--input", "in.csv", "-o", "-"]).exits(0).stdout,
        written
    );
    // Without the file there are places and no values.
    report(&place, &vendor, &[]).exits(0).says("ceknik-run-1.html");
    let page = Page::of(place.read("ceknik-run-1.html"));
    assert_eq!(page.sections, Page::of(written).sections);
    // The figures are those of the summary.
    let summary = place.summary("out.csv");
    let of = |path: &str| summary.pointer(path).unwrap().as_u64().unwrap();
    for path in ["/rows", "/spending/confirmed", "/spending/owed_at_most", "/outcomes/match"] {
        assert!(page.has_cell(&number(of(path))), "{path}: {}", of(path));
    }
    let rupiah = |path: &str| format!("Rp{}", number(of(path) * 1500).replace(' ', "."));
    assert!(page.has_cell(&rupiah("/spending/owed_at_least")));
    assert!(page.has_cell(&rupiah("/spending/owed_at_most")));
    // So are those of `status`, and of the output's columns.
    let status = place.ceknik(
        &[&["status", "1", "--json"][..], &LEDGER, &["--base-url", &vendor.base_url]].concat(),
    );
    let status: serde_json::Value = serde_json::from_str(&status.exits(0).stdout).unwrap();
    assert_eq!(status["tally"]["confirmed"], summary["spending"]["confirmed"]);
    assert_eq!(
        status["money"][0]["owed_at_most"].as_u64(),
        Some(of("/spending/owed_at_most") * 1500)
    );
    let charged =
        place.column("out.csv", "ck_charged").iter().filter(|cell| *cell == "yes").count();
    assert!(page.has_cell(&number(charged as u64)));
    let possible = place.column("out.csv", "ck_possible");
    let possible: u64 = possible.iter().map(|cell| cell.parse::<u64>().unwrap()).sum();
    assert_eq!(of("/spending/owed_at_least") + possible, of("/spending/owed_at_most"));
    // Each figure that is drawn with a name stands in a table.
    let figures = page.drawn.iter().filter_map(|text| text.split_once(": "));
    for (_, figure) in figures {
        let figure = figure.split(" (").next().unwrap();
        assert!(page.has_cell(figure) || figure == "0", "{figure}");
    }
    let sections = "summary tiles next money outcomes timeline latency errors findings doubts starts settings figures words";
    assert_eq!(page.sections.join(" "), sections);
}

#[test]
fn the_page_compares_a_run_with_earlier_ones() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1, 2, 16]));
    for _ in 0..2 {
        let flags = [&LEDGER[..], &["-o", "out.csv", "--reuse", "0"]].concat();
        place.run("in.csv", &vendor.base_url, &flags).exits(0);
    }
    report(&place, &vendor, &["-o", "page.html"]).exits(0);
    let page = Page::of(place.read("page.html"));
    assert!(page.sections.contains(&"trend".to_owned()), "{:?}", page.sections);
}

#[test]
fn the_page_of_a_time_has_all_its_runs() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let history = |since: &str| {
        report(&place, &vendor, &["--since", since, "-o", "history.html"]).exits(0);
        Page::of(place.read("history.html"))
    };
    for (n, input) in ["one.csv", "two.csv"].iter().enumerate() {
        place.write(input, mixed_rows(20 + n as u32));
        let output = format!("{input}.out.csv");
        let flags = [&LEDGER[..], &["-o", &output, "--price", "1500", "--reuse", "0"]].concat();
        place.run(input, &vendor.base_url, &flags).exits(3);
    }
    let page = history("30d");
    assert_eq!(page.sections.join(" "), "summary tiles money trend doubts starts words");
    let calls = |run: usize| {
        let summary = place.summary(["one.csv.out.csv", "two.csv.out.csv"][run]);
        summary["spending"]["calls"].as_u64().unwrap()
    };
    assert!(page.has_cell(&number(calls(0))) && page.has_cell(&number(calls(0) + calls(1))));
    assert!(page.has_cell("one.csv") && page.has_cell("two.csv"));
    assert_eq!(history("30d").text, page.text, "equal facts are equal bytes");
    assert!(!history("2099-01-01").has_cell("one.csv"));
    let default = report(&place, &vendor, &["--since", "1d"]).exits(0);
    default.says("ceknik-history.html");
    report(&place, &vendor, &["--since", "soon"]).exits(2).says("not a span such as 30d");
    report(&place, &vendor, &["1", "--since", "1d"]).exits(2);
}

#[test]
fn pages_of_no_rows_and_of_killed_runs_are_made() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("empty.csv", "id,nik,nama\n");
    let flags = [&LEDGER[..], &["-o", "out.csv", "--report", "page.html"]].concat();
    place.run("empty.csv", &vendor.base_url, &flags).exits(0);
    Page::of(place.read("page.html"));
    // The second one never answers.
    place.write("in.csv", people_csv([1, 11]));
    let flags = [&LEDGER[..], &["-o", "killed.csv", "--price", "1500"]].concat();
    let arguments = run_arguments("in.csv", &vendor.base_url, &flags);
    let mut running = Running::start(place.command(&arguments));
    vendor.wait_for_more(2, &mut running);
    running.kill();
    report(&place, &vendor, &["-o", "page.html"]).exits(0);
    let page = Page::of(place.read("page.html"));
    assert!(page.text.contains("1 call without an answer"), "{}", page.text);
    assert!(page.text.contains("Possible: in doubt, no answer came"), "{}", page.text);
    assert!(page.text.contains("under way, or killed"));
    // What may be owed at most is the same on every page.
    let at_most = "at most Rp3.000, without tax";
    assert!(page.text.contains(at_most), "{}", page.text);
    report(&place, &vendor, &["--since", "30d", "-o", "history.html"]).exits(0);
    let history = Page::of(place.read("history.html"));
    assert!(history.text.contains(at_most), "{}", history.text);
    let which = [&LEDGER[..2], &["--base-url", &vendor.base_url]].concat();
    let began = place.status(&which)["runs"][0]["created_at"].clone();
    let owed = |month: &String| {
        let shown = place.status(&[&which[..], &["--month", month]].concat());
        shown["totals"][0]["owed_at_most"].as_u64().unwrap_or(0)
    };
    let months = months_around(began.as_str().unwrap());
    assert_eq!(months.iter().map(owed).sum::<u64>(), 3000);
}

#[test]
fn the_commands_of_a_page_have_the_price_the_limit_and_the_ledger() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1; 30].iter().enumerate().map(|(n, _)| 1001 + n as u32)));
    let run = ["run", "in.csv", "--sandbox", "--price", "1500", "--max-cost", "Rp6.000"];
    place.ceknik(&[&run[..], &["--report", "page.html"]].concat()).exits(13);
    let page = Page::of(place.read("page.html"));
    for said in [
        "with a higher limit: run the same command with the same flags (the last ones were --price 1500 --max-charges 4).",
        " --sandbox",
    ] {
        assert!(page.text.contains(said), "{said} is not in {}", page.text);
    }
    assert!(!page.text.contains("invoice."), "a sandbox sends no invoice: {}", page.text);
    place.ceknik(&["report", "--sandbox"]).exits(0);
    assert!(place.path("ceknik-sandbox-run-1.html").is_file());
}

#[test]
fn a_page_says_that_answers_were_purged() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1, 2, 3]));
    let flags = [&LEDGER[..], &["-o", "out.csv", "--price", "1500"]].concat();
    place.run("in.csv", &vendor.base_url, &flags).exits(0);
    let purge = ["purge", "--older-than", "0s", "--yes", "--base-url", &vendor.base_url];
    place.ceknik(&[&purge[..], &LEDGER].concat()).exits(0);
    let page = |more: &[&str]| {
        report(&place, &vendor, &[more, &["-o", "page.html"]].concat()).exits(0);
        Page::of(place.read("page.html"))
    };
    let purged = page(&[]);
    for words in [
        "PURGED: the answers of 3 calls were removed",
        "not known",
        "the last summary of the run says: at least 2 calls (Rp3.000), at most 2 (Rp3.000)",
        "None of the calls that the ledger still has",
    ] {
        assert!(purged.text.contains(words), "{words} is not in {}", purged.text);
    }
    let history = page(&["--since", "30d"]);
    assert!(history.text.contains("PURGED: the answers of 3 calls"), "{}", history.text);
    assert!(history.sections.contains(&"purges".to_owned()), "{:?}", history.sections);
}

#[test]
fn a_page_needs_a_place_before_the_first_call() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", many_people(2));
    place.write("mine.html", "<p>my own page</p>");
    fs::create_dir(place.path("folder")).unwrap();
    let run = |page: &str| {
        let flags = [&LEDGER[..], &["-o", "out.csv", "--report", page]].concat();
        place.run("in.csv", &vendor.base_url, &flags)
    };
    run("mine.html").exits(11).says("ceknik did not write it");
    run("folder").exits(11).says("is not a regular file");
    run("nowhere/page.html").exits(11).says("the report cannot be written");
    run("in.csv").exits(2).says("the report in.csv would overwrite the input");
    run("out.csv").exits(2).says("would overwrite the output");
    run("-").exits(2).says("`-` is not a file");
    assert_eq!(vendor.count(), 0);
    run("page.html").exits(0);
    report(&place, &vendor, &["7"]).exits(10).says("the ledger has no run 7");
    report(&place, &vendor, &["-o", "mine.html"]).exits(11).says("ceknik did not write it");
    report(&place, &vendor, &["-o", "mine.html", "--overwrite"]).exits(0);
    let ledger = report(&place, &vendor, &["-o", "my.ledger", "--overwrite"]);
    ledger.exits(2).says("would overwrite the ledger");
    place.write("other.csv", many_people(3));
    let other = report(&place, &vendor, &["--input", "other.csv", "-o", "page.html"]);
    other.exits(10).says("other.csv is not the file of run 1");
}

#[test]
fn a_page_about_several_workers_names_their_machines() {
    let Some(shared) = Shared::new(&["--latency", "20ms"]) else { return };
    shared.place.write("in.csv", many_people(60));
    let flags = ["-o", "out.csv", "--price", "1500", "--report", "night.html"];
    shared.run("in.csv", &[&flags[..], &["--limit", "20"]].concat()).exits(13);
    shared.run("in.csv", &flags).exits(0);
    let written = shared.place.read("night.html");
    let page = Page::of(written.clone());
    assert!(page.has_cell("Machine"), "{:?}", page.cells);
    shared.ledger(&["report", "1", "--input", "in.csv", "-o", "again.html"]).exits(0);
    assert_eq!(shared.place.read("again.html"), written);
}

/// The canary: a customer whose NIK and name stand wherever a careless program would repeat them.
#[test]
fn no_customer_and_no_secret_is_in_a_page() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let (canary_nik, canary_name) = ("3171234107909999", "Kenari Kuning");
    let head = format!("id,nik {canary_nik} {canary_name},nama");
    let people = mixed_rows(60).replacen("id,nik,nama", &head, 1);
    let rows = format!("{people}x,{canary_nik},{canary_name}\ny,12345,{canary_name}\n");
    let input = format!("{canary_name} {canary_nik}.csv");
    place.write(&input, rows);
    let flags = ["-o", "out.csv", "--price", "1500", "--report", "page.html", "--id-column", "2"];
    let flags = [&LEDGER[..], &flags, &["--name-column", "3"]].concat();
    place.run(&input, &vendor.base_url, &flags).exits(3);
    report(&place, &vendor, &["--input", &input, "-o", "again.html"]).exits(0);
    for name in ["page.html", "again.html"] {
        let page = Page::of(place.read(name));
        let lower = page.text.to_lowercase();
        for canary in [canary_nik, "12345,", &canary_name.to_lowercase(), SECRET] {
            assert!(!lower.contains(canary), "{name} has {canary}");
        }
    }
}
