//! The commands that README.md, the pages of docs/ and the help show: each of them is run, and what
//! is shown as their output is what they print.
//!
//! In a page, a block of the kind `sh` has commands. The blocks of a page run in order, in one folder
//! with a customer file, against a stand-in for the vendor. A comment at the end of a line may name
//! the exit code: `# exit 13`. Without it, the exit code is 0 or 3. A block of the kind `text` behind
//! it is what its last command prints. `text first=4 last=9` shows the first 4 and the last 9 lines,
//! and `text from=rows` what begins with the last line that begins with this word.
//! `CEKNIK_DOCS=update cargo test --test docs`, or `cargo xtask docs`, writes these blocks anew.
//!
//! Must hold: the only commands that are not run have a comment before their block that says why
//! (`<!-- not run: … -->`), or names the test that runs them (`<!-- run by tests/….rs -->`).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::path::Path;

use rust_xlsxwriter::Workbook;
use support::postgres::address;
use support::{CEKNIK, Finished, Running, Vendor, Workspace};

/// Lines that differ from run to run in their numbers.
const VARYING: [&str; 4] = ["calls/s", "a second", "sent again", "time  "];

/// Tests a page, and names it in the list of all pages.
macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        $(#[test] fn $name() { check_page($path); })*
        const PAGES: &[&str] = &[$($path),*];
    };
}

pages! {
    readme: "README.md",
    index: "docs/README.md",
    events: "docs/events.md",
    exit_codes: "docs/exit-codes.md",
    files: "docs/files.md",
    fleet: "docs/fleet.md",
    glossary: "docs/glossary.md",
    json: "docs/json.md",
    ledger: "docs/ledger.md",
    live: "docs/live.md",
    money: "docs/money.md",
    nights: "docs/nights.md",
    output: "docs/output.md",
    rates: "docs/rates.md",
    report: "docs/report.md",
    sandbox: "docs/sandbox.md",
    summary: "docs/summary.md",
    troubleshooting: "docs/troubleshooting.md",
    upgrading: "docs/upgrading.md",
}

#[test]
fn all_pages_are_tested() {
    for entry in std::fs::read_dir("docs").unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap();
        let is_page = path.extension().is_some_and(|ending| ending == "md");
        assert!(!is_page || PAGES.contains(&name), "{name} is not tested");
    }
}

/// A block of a page: the part between two fences.
struct Block {
    /// The words behind the first fence, such as `sh`.
    kind: String,
    /// The numbers of its lines in the page, from the first line behind the fence to the last fence.
    lines: std::ops::Range<usize>,
    /// The comment in the line before it.
    comment: Option<String>,
}

/// Returns the blocks of a page.
fn blocks(page: &[&str]) -> Vec<Block> {
    let is_fence = |line: &&str| line.trim_start().starts_with("```");
    let mut fences = page.iter().enumerate().filter(|(_, line)| is_fence(line)).map(|(n, _)| n);
    let mut blocks = Vec::new();
    while let (Some(begin), Some(end)) = (fences.next(), fences.next()) {
        let before = begin.checked_sub(1).map_or("", |line| page[line].trim());
        let comment = before.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
        blocks.push(Block {
            kind: page[begin].trim_start().trim_start_matches('`').to_owned(),
            lines: begin + 1..end,
            comment: comment.map(str::to_owned),
        });
    }
    blocks
}

/// Runs the commands of a page, and compares what they print with what is shown.
fn check_page(path: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    let page: Vec<&str> = text.lines().collect();
    check_spans(path, &page);
    let needs_server = path == "docs/fleet.md";
    let Some(place) = Place::new(needs_server) else { return };
    let is_update = std::env::var("CEKNIK_DOCS").is_ok_and(|wish| wish == "update");
    let mut exports = String::new();
    let mut printed = String::new();
    let mut written: Vec<String> = Vec::new();
    let mut next = 0;
    let mut ran_until = 0;
    for block in blocks(&page) {
        // Only a blank line is between the commands and their output.
        let is_output = block.lines.start == ran_until + 3;
        written.extend(page[next..block.lines.start].iter().map(|line| (*line).to_owned()));
        next = block.lines.end;
        let lines = &page[block.lines.clone()];
        let mut shown: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        match (block.kind.split(' ').next().unwrap(), &block.comment) {
            ("sh", Some(why)) => assert_excused(path, why, lines),
            ("sh", None) => {
                printed = run_all(&place, path, lines, &mut exports);
                ran_until = block.lines.end;
            }
            ("text", None) if !is_output => {
                let is_plain = !block.kind.contains('=');
                assert!(is_plain, "{path}: no command stands above {:?}", block.kind);
            }
            ("text", None) => {
                let expected = excerpt(&printed, &block.kind);
                if is_update {
                    shown = expected;
                } else {
                    assert_eq!(comparable(&shown), comparable(&expected), "{path}: {printed}");
                }
            }
            _ => {}
        }
        written.extend(shown);
    }
    written.extend(page[next..].iter().map(|line| (*line).to_owned()));
    let written = written.join("\n") + "\n";
    if is_update && written != text {
        std::fs::write(path, written).unwrap();
    }
}

/// Asserts that a block which is not run says why, or names a test that runs such commands.
fn assert_excused(path: &str, why: &str, lines: &[&str]) {
    let Some(test) = why.strip_prefix("run by ") else {
        assert!(why.starts_with("not run: "), "{path}: {why}");
        return;
    };
    let test = std::fs::read_to_string(test).unwrap();
    for line in lines.iter().filter_map(|line| line.trim().strip_prefix("ceknik ")) {
        let command = line.split(' ').take_while(|word| word.chars().all(char::is_alphabetic));
        let command: Vec<String> = command.map(|word| format!("{word:?}")).collect();
        let command = command.join(", ");
        assert!(!command.is_empty(), "{path}: {line} names no command");
        assert!(test.contains(&command), "{path}: the test does not run {line}");
    }
}

/// Runs the commands of a block, and returns what the last one prints.
fn run_all(place: &Place, path: &str, lines: &[&str], exports: &mut String) -> String {
    let mut printed = String::new();
    for line in lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        if line.starts_with("export ") {
            *exports += &format!("{line}\n");
            continue;
        }
        let ended = place.run(&format!("{exports}{line}"));
        let code = ended.code.unwrap();
        assert!(may_exit(line, code), "{path}: exit code {code} of {line}\n{}", ended.stdout);
        printed = ended.stdout;
    }
    printed
}

/// Checks whether a command may end with this code: the one that a comment at its end names, or else
/// 0 or 3, or 13 if `--limit` may stop the run.
fn may_exit(line: &str, code: i32) -> bool {
    let named = line.split_once('#').and_then(|(_, comment)| comment.split_once("exit "));
    match named {
        Some((_, named)) => named.trim() == code.to_string(),
        None => matches!(code, 0 | 3) || code == 13 && line.contains("--limit"),
    }
}

/// Returns the lines to be shown of what a command printed.
fn excerpt(printed: &str, kind: &str) -> Vec<String> {
    let number = |name: &str| -> Option<usize> {
        kind.split(' ').find_map(|word| word.strip_prefix(name)).map(|n| n.parse().unwrap())
    };
    let lines = printed.lines().filter(|line| !is_progress(line)).map(str::trim_end);
    let mut all: Vec<String> = lines.map(str::to_owned).collect();
    if let Some(word) = kind.split(' ').find_map(|part| part.strip_prefix("from=")) {
        let begin = all.iter().rposition(|line| line.trim_start().starts_with(word));
        all.drain(..begin.unwrap());
    }
    let first = number("first=").unwrap_or(if kind.contains("last=") { 0 } else { all.len() });
    let last = number("last=").unwrap_or(0);
    if first + last >= all.len() {
        return all;
    }
    let begin = if first > 0 { [&all[..first], &["…".to_owned()]].concat() } else { Vec::new() };
    [begin.as_slice(), &all[all.len() - last..]].concat()
}

/// Checks whether a line shows how far a run is: how many of them there are depends on the time.
fn is_progress(line: &str) -> bool {
    line.contains(" done · ")
}

/// Returns the lines without what differs from run to run.
fn comparable(lines: &[String]) -> Vec<String> {
    let plain = |line: &String| {
        let all = VARYING.iter().any(|mark| line.contains(mark));
        let is_time = |word: &str| word.contains(':') || word.matches('-').count() == 2;
        let words = line.split_whitespace().map(|word| match all || is_time(word) {
            true => word.replace(|c: char| c.is_ascii_digit(), ""),
            false => word.to_owned(),
        });
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    lines.iter().map(plain).collect()
}

/// Folder in which the commands of a page run.
struct Place {
    place: Workspace,
    vendor: Vendor,
    /// Address of a shared ledger, which replaces the one in the page.
    server: Option<String>,
}

impl Place {
    /// Makes the folder; `None` if it needs a server and there is none on this machine.
    fn new(needs_server: bool) -> Option<Self> {
        let server = match needs_server {
            true => Some(address()?),
            false => None,
        };
        let place = Workspace::new();
        let customers = std::fs::read("fixtures/customers.csv").unwrap();
        std::fs::create_dir(place.path("fixtures")).unwrap();
        place.write("customers.csv", &customers);
        place.write("fixtures/customers.csv", &customers);
        write_workbook(&place.path("nasabah_oktober.xlsx"));
        let home = place.path("ani");
        std::fs::create_dir_all(home.join(".local/share/bash-completion/completions")).unwrap();
        let vendor = Vendor::start(&place, &[]);
        Some(Self { place, vendor, server })
    }

    /// Runs a command in a shell. Standard output has all that it prints, as a user would see it.
    fn run(&self, line: &str) -> Finished {
        let line = match &self.server {
            Some(server) => line
                .replace("postgres://ceknik@db.example/kyc?schema=live", server)
                .replace("export CEKNIK_LEDGER_PASSWORD_FILE=", "export UNUSED="),
            // In a clone, cargo builds the program and then runs it.
            None => line.replace("cargo run --release -- ", "ceknik "),
        };
        // A time of day may have passed when the test runs.
        let line = line.replace("05:30", "7h");
        let mut command = self.place.command_of("/bin/sh", &["-c", &format!("exec 2>&1\n{line}")]);
        let programs = Path::new(CEKNIK).parent().unwrap().display();
        command
            .env("PATH", format!("{programs}:/usr/bin:/bin"))
            .env("HOME", self.place.path("ani"))
            .env_remove("XDG_STATE_HOME")
            .env("TZ", "Asia/Jakarta")
            .env("CEKNIK_BACKOFF", "20ms")
            .env("CEKNIK_TIMEOUT", "2s");
        if !line.contains("--sandbox") {
            command.env("CEKNIK_BASE_URL", &self.vendor.base_url);
        }
        let ended = Running::start(command).end();
        // What a reader would see: a home of their own, and the vendor in place of the stand-in, whose
        // answers are never written under the name of a live output.
        let folder = self.place.path("ani").display().to_string();
        let mut stdout = ended.stdout.replace(&folder, "/home/ani");
        if !line.contains("--sandbox") {
            stdout = stdout
                .replace(&self.vendor.base_url, "https://cloudapi.indonesia.accuauth.com")
                .replace(".sandbox.", ".verified.")
                .replace(
                    "             a test vendor answered (sandbox): nothing is really charged\n",
                    "",
                );
        }
        Finished { stdout, ..ended }
    }
}

/// Writes a workbook as branches send it: titles above the headers, and no English in it.
fn write_workbook(path: &Path) {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write(0, 0, "DATA NASABAH BARU").unwrap();
    sheet.write(1, 0, "Cabang Bandung, Oktober 2026").unwrap();
    for (column, title) in
        ["No.", "Nama Lengkap Nasabah", "NO. KTP / NIK", "Kota"].iter().enumerate()
    {
        sheet.write(3, u16::try_from(column).unwrap(), *title).unwrap();
    }
    for row in 0..30 {
        let n = 4 + row;
        sheet.write(n, 0, row + 1).unwrap();
        sheet.write(n, 1, support::name(row)).unwrap();
        sheet.write(n, 2, support::nik(row, 1000 + row)).unwrap();
        sheet.write(n, 3, "Bandung").unwrap();
    }
    workbook.save(path).unwrap();
}

/// Asserts that the commands in the sentences of a page are commands of the program.
fn check_spans(path: &str, page: &[&str]) {
    let text = page.join("\n");
    for span in text.split('`').skip(1).step_by(2).filter(|span| span.starts_with("ceknik ")) {
        if span.contains(['…', '\n', '<', '>', '|']) {
            continue;
        }
        let words = span.split_whitespace().map(|word| match word {
            "N" | "RUN" => "1",
            "DUR" => "1h",
            "AMOUNT" => "1500",
            "ZONE" => "WIB",
            word => word.trim_matches('\''),
        });
        let words: Vec<&str> = words.collect();
        use clap::error::ErrorKind::{
            DisplayHelp, InvalidValue, MissingRequiredArgument, MissingSubcommand,
        };
        if let Err(error) = ceknik::cli::command().try_get_matches_from(&words) {
            // A sentence may name a command without all that it needs.
            let is_named = match error.kind() {
                InvalidValue => words.last().is_some_and(|word| word.starts_with("--")),
                kind => matches!(kind, DisplayHelp | MissingRequiredArgument | MissingSubcommand),
            };
            assert!(is_named, "{path}: `{span}`: {error}");
        }
    }
}

#[test]
fn the_messages_of_troubleshooting_are_those_of_the_program() {
    let mut source = String::new();
    add_sources(Path::new("src"), &mut source);
    let page = include_str!("../docs/troubleshooting.md");
    let seen = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let spans = seen.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let messages: Vec<&str> =
        spans.filter(|span| span.split(' ').count() >= 3 && !span.contains('…')).collect();
    assert!(messages.len() > 40, "{messages:?}");
    let unknown: Vec<&&str> =
        messages.iter().filter(|message| !is_message_of(&source, message)).collect();
    assert!(unknown.is_empty(), "no code says {unknown:#?}");
}

/// Adds the source files of a folder, with each text on one line.
fn add_sources(folder: &Path, source: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_sources(&path, source);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut pieces = text.split("\\\n");
            *source += pieces.next().unwrap();
            pieces.for_each(|piece| *source += piece.trim_start());
        }
    }
}

/// Checks whether the source has this message. One or two of its words, but not the last, may be
/// inserted when the message is made.
fn is_message_of(source: &str, message: &str) -> bool {
    let words: Vec<&str> = message.split(' ').collect();
    let has = |from: usize, to: usize| {
        let (begin, end) = (words[..from].join(" "), words[to..].join(" "));
        source.match_indices('{').any(|(at, _)| {
            let after = source[at..].split_once('}').map_or("", |(_, after)| after);
            let before = &source[..at];
            let begins = match begin.is_empty() {
                true => before.ends_with('"'),
                false => before.trim_end().ends_with(begin.as_str()),
            };
            begins && after.trim_start().starts_with(end.as_str())
        })
    };
    source.contains(&message.replace('"', "\\\""))
        || (0..words.len())
            .any(|from| (from + 1..=from + 2).any(|to| to < words.len() && has(from, to)))
}

/// Returns the examples of a command's help.
fn examples_of(place: &Place, command: &str) -> Vec<String> {
    let help = place.run(&format!("ceknik {command} --help")).stdout;
    let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    let block = lines.take_while(|line| !line.is_empty());
    let lines = block.filter_map(|line| line.strip_prefix("    "));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_examples_of_the_help_work() {
    let place = Place::new(false).unwrap();
    let mut count = 0;
    for command in
        ["", "plan", "run", "status", "report", "export", "backup", "purge", "completions", "man"]
    {
        let lines = examples_of(&place, command);
        assert!(!lines.is_empty(), "{command}");
        for line in lines {
            let code = place.run(&line).code.unwrap();
            assert!(may_exit(&line, code), "exit code {code} of {line}");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
    let line = examples_of(&place, "sandbox").remove(0);
    // A server runs until it is stopped.
    let said = place.run(&format!("timeout 1 {line} || true")).stdout;
    assert!(said.starts_with("http://127.0.0.1:"), "{said}");
}
