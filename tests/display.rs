//! What a person sees on a terminal: the progress of a run, its pauses, its end, and the question
//! before money.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::thread::sleep;
use std::time::Duration;

use insta::assert_snapshot;
use support::pty::Terminal;
use support::{
    CEKNIK, Running, Vendor, Workspace, many_people, people_csv, run_arguments, with_filters,
};

/// Patterns of text that differ from run to run, and their replacements.
const FILTERS: [(&str, &str); 12] = [
    (r"\d+ under way", "N under way"),
    (r"\d+ to send again", "N to send again"),
    (r"http://127\.0\.0\.1:\d+", "http://VENDOR"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d", "DATE TIME"),
    (
        r"[\dhms ]+ left, until about (\w+ [\d-]+ )?\d\d:\d\d \(UTC[+-]\d\d:\d\d\)",
        " TIME left, until about CLOCK",
    ),
    (r"\d\d:\d\d:\d\d", "CLOCK"),
    (r"[\d.]+ calls/s( ·|\n|$)", "N calls/s$1"),
    (r"about \d+s or more at", "about TIME at"),
    (r"\d+ a second, answered in \d+ / \d+ / \d+ ms", "N a second, answered in N / N / N ms"),
    (r"time( +)[\d.]+ s", "time$1 N s"),
    (r"(\d+ of \d+ done .*\n)+(90 of 100 done)", "$2"),
    (r"(█|░| )+ 90 %", "BAR 90 %"),
];

/// Returns a place with a file of a hundred people: ten of them are never answered, so that the last
/// tenth of the work stays open.
fn with_silent_rows() -> (Workspace, Vendor) {
    let place = Workspace::new();
    place.write("in.csv", people_csv((0..100).map(|n| if n < 90 { 1 } else { 11 })));
    let vendor = Vendor::start(&place, &[]);
    (place, vendor)
}

const CTRL_C: &str = "\x03";

/// Starts a run that ends up waiting for the ten silent rows.
fn waiting_run(
    place: &Workspace,
    vendor: &Vendor,
    term: &[(&str, &str)],
    size: (u16, u16),
) -> Terminal {
    let more = ["--concurrency", "10", "--price", "1500", "-y", "-o", "out.csv"];
    let words = [&[CEKNIK][..], &run_arguments("in.csv", &vendor.base_url, &more)].concat();
    Terminal::start(place, &words, term, size)
}

#[test]
fn progress_and_stop_on_terminals() {
    for (name, term, size) in [
        ("80x24", &[("TERM", "xterm")][..], (24, 80)),
        ("120x40", &[("TERM", "xterm-256color")], (40, 120)),
        ("no_size", &[("TERM", "xterm")], (0, 0)),
        ("no_color", &[("TERM", "xterm"), ("NO_COLOR", "1")], (24, 80)),
        ("dumb", &[("TERM", "dumb")], (40, 100)),
    ] {
        let (place, vendor) = with_silent_rows();
        let mut terminal = waiting_run(&place, &vendor, term, size);
        terminal.wait_for("90 of 100 done");
        sleep(Duration::from_millis(500));
        let running = terminal.screen();
        terminal.types(CTRL_C);
        let stopping = terminal.wait_for("in doubt");
        sleep(Duration::from_millis(500));
        let later = terminal.screen();
        terminal.types(CTRL_C);
        let written = terminal.written();
        let (code, last) = terminal.end();
        assert_eq!(code, Some(130), "{last}");
        with_filters(&FILTERS, || {
            let screens =
                [("", running), ("--- Ctrl-C ---\n", later), ("--- Ctrl-C again ---\n", last)];
            let screens = screens.map(|(key, screen)| format!("{key}{screen}"));
            assert_snapshot!(format!("display_{name}"), screens.join("\n\n"));
        });
        assert!(stopping.contains("waiting up to 1m for 10 calls"), "{stopping}");
        let is_colored = written.contains("\x1b[33mWARN");
        assert_eq!(is_colored, !matches!(name, "no_color" | "dumb"), "{name}");
        if name == "dumb" {
            assert!(!written.contains('\x1b'), "a dumb terminal gets no escape sequence");
        }
    }
}

#[test]
fn a_block_leaves_nothing_behind_where_the_terminal_becomes_narrower() {
    let (place, vendor) = with_silent_rows();
    let mut terminal = waiting_run(&place, &vendor, &[("TERM", "xterm")], (40, 120));
    let bars = |screen: &str| {
        let lines = screen.lines();
        lines.filter(|line| line.contains('░') || line.contains(" of 100 done")).count()
    };
    terminal.wait_for("90 of 100 done");
    for (rows, columns) in [(24, 80), (40, 60), (20, 40), (40, 120)] {
        terminal.resize(rows, columns);
        sleep(Duration::from_millis(600));
        let screen = terminal.screen();
        assert_eq!(bars(&screen), 2, "a bar and its figures, at {columns} columns:\n{screen}");
        let most = screen.lines().rev().take(2).map(|line| line.chars().count()).max();
        assert!(most < Some(columns.into()), "{screen}");
        // No line of the block is as wide as 80 columns, so nothing is wrapped by the first change.
        if columns == 80 {
            with_filters(&FILTERS, || assert_snapshot!("display_resized", screen));
        }
    }
    terminal.types(CTRL_C);
    terminal.wait_for("waiting up to 1m for 10 calls");
    sleep(Duration::from_millis(300));
    let screen = terminal.screen();
    assert_eq!(bars(&screen), 2, "the log line is above the block:\n{screen}");
    terminal.types(CTRL_C);
    let (_, last) = terminal.end();
    assert_eq!(bars(&last), 0, "{last}");
}

#[test]
fn a_pause_tells_since_when_and_until_when() {
    let place = Workspace::new();
    place.write("in.csv", people_csv((0..100).map(|_| 1)));
    let vendor = Vendor::start(&place, &["--outage", "0s..1h"]);
    for (name, columns, base_url) in
        [("down", 80, &*vendor.base_url), ("unreachable", 120, "http://127.0.0.1:1")]
    {
        let more = [
            "--concurrency",
            "4",
            "--max-attempts",
            "20",
            "-y",
            "-o",
            "out.csv",
            "--time-zone",
            "WIB",
        ];
        let words = [&[CEKNIK][..], &run_arguments("in.csv", base_url, &more)].concat();
        let terminal = Terminal::start(&place, &words, &[("TERM", "xterm")], (24, columns));
        let screen = terminal.wait_for("paused since");
        terminal.program.signal("USR1");
        terminal.wait_for("done · charged 0");
        terminal.program.signal("TERM");
        let (code, last) = terminal.end();
        assert_eq!(code, Some(143), "{last}");
        with_filters(&FILTERS, || assert_snapshot!(format!("display_{name}"), screen));
    }
}

#[test]
fn where_stderr_is_no_terminal_there_are_lines() {
    let (place, vendor) = with_silent_rows();
    let more = ["--concurrency", "10", "--price", "1500", "-o", "out.csv", "--timeout", "1s"];
    let ended = place.run("in.csv", &vendor.base_url, &more).exits(3);
    assert!(!ended.stderr.contains('\x1b'), "{}", ended.stderr);
    with_filters(&FILTERS, || assert_snapshot!("display_piped", ended.stderr));
}

/// Starts a run of twenty rows in a terminal, and returns it with the screen that asks.
fn asking_run(place: &Workspace, vendor: &Vendor, more: &[&str]) -> Terminal {
    place.write("in.csv", many_people(20));
    let arguments = run_arguments("in.csv", &vendor.base_url, more);
    Terminal::ceknik(place, &arguments, (24, 80))
}

#[test]
fn a_live_run_on_a_terminal_asks_once_before_money() {
    for (answer, code, calls) in
        [("y\n", 0, 20), ("ya\n", 0, 20), ("n\n", 13, 0), ("\n", 13, 0), (CTRL_C, 130, 0)]
    {
        let place = Workspace::new();
        let vendor = Vendor::start(&place, &[]);
        let mut terminal = asking_run(&place, &vendor, &["--price", "1500", "--tax", "ppn"]);
        let screen = terminal.wait_for("Send them? [y/N]");
        let question = "20 rows: at most 20 charged calls, at most Rp30.000, with 11 % PPN Rp33.300 (errors of a gateway can add a few)";
        assert!(screen.replace('\n', "").contains(question), "{screen}");
        assert_eq!(vendor.count(), 0, "nothing is sent before the answer");
        terminal.types(answer);
        let (ended, last) = terminal.end();
        assert_eq!((ended, vendor.count()), (Some(code), calls), "{answer:?}: {last}");
        let status = place.status_if_any(&["--base-url", &vendor.base_url]);
        let runs = status.map_or(0, |status| status["runs"].as_array().unwrap().len());
        assert_eq!(runs, usize::from(calls > 0), "no run is begun without a yes");
    }
}

#[test]
fn keys_before_the_question_are_no_answer() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let mut terminal = asking_run(&place, &vendor, &[]);
    terminal.types("y\n");
    terminal.wait_for("Send them? [y/N]");
    sleep(Duration::from_millis(500));
    assert_eq!(vendor.count(), 0);
    terminal.types("n\n");
    assert_eq!((terminal.end().0, vendor.count()), (Some(13), 0));
}

#[test]
fn whoever_set_a_limit_or_said_yes_is_not_asked() {
    for (more, asks) in [
        (&["--yes"][..], false),
        (&["--limit", "5"], false),
        (&["--max-charges", "50"], false),
        (&["--price", "1500", "--max-cost", "Rp75.000"], false),
        (&["--price", "1500", "--confirm-above", "30000"], false),
        (&["--price", "1500", "--confirm-above", "29999"], true),
        (&["--price", "1500", "--max-charges", "50", "--confirm-above", "29999"], true),
        (&["--price", "1500", "--confirm-above", "1", "--yes"], false),
        (&["--sandbox"], false),
        (&["--deadline", "0s"], false),
        (&[], true),
    ] {
        let place = Workspace::new();
        let vendor = Vendor::start(&place, &[]);
        let mut terminal = match more {
            ["--sandbox"] => {
                place.write("in.csv", many_people(20));
                Terminal::ceknik(&place, &["run", "in.csv", "--sandbox"], (24, 80))
            }
            _ => asking_run(&place, &vendor, more),
        };
        if asks {
            terminal.wait_for("Send them? [y/N]");
            terminal.types("n\n");
        }
        let (code, last) = terminal.end();
        let code_of_no = if asks { Some(13) } else { code };
        assert_eq!((code, vendor.count() == 0 || !asks), (code_of_no, true), "{more:?}: {last}");
        assert_eq!(last.contains("[y/N]"), asks, "{more:?}: {last}");
    }
}

#[test]
fn a_run_in_the_background_of_a_shell_is_not_stopped_by_a_question() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", many_people(20));
    let shell = ["bash", "--norc", "-i"];
    let mut terminal =
        Terminal::start(&place, &shell, &[("TERM", "xterm"), ("PS1", "$ ")], (24, 80));
    terminal.wait_for("$ ");
    let run = [&[CEKNIK][..], &run_arguments("in.csv", &vendor.base_url, &["-q"])].concat();
    terminal.types(&format!("{} & wait $!; echo ended $?\n", run.join(" ")));
    let screen = terminal.wait_for("ended 0");
    assert_eq!(vendor.count(), 20, "{screen}");
    terminal.types("exit\n");
    terminal.end();
}

#[test]
fn sigusr1_shows_how_far_a_run_is_and_ends_nothing() {
    let place = Workspace::new();
    place.write("in.csv", many_people(60));
    let vendor = Vendor::start(&place, &["--latency", "100ms"]);
    for (log, expected) in [("text", " of 60 done · "), ("json", r#""event":"progress""#)] {
        place.write("in.csv", many_people(if log == "text" { 60 } else { 61 }));
        let more = ["-q", "--concurrency", "4", "--log", log, "--reuse", "0"];
        let running =
            Running::start(place.command(&run_arguments("in.csv", &vendor.base_url, &more)));
        vendor.wait_for(if log == "text" { 20 } else { 80 });
        running.signal("USR1");
        let ended = running.end().exits(0);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
    // Before anything can be answered, the signal is ignored.
    let waiting = Running::start(place.command(&["sandbox"]));
    sleep(Duration::from_millis(300));
    waiting.signal("USR1");
    sleep(Duration::from_millis(100));
    waiting.signal("TERM");
    waiting.end().exits(0);
}

#[test]
fn purge_asks_on_a_terminal() {
    let place = Workspace::new();
    place.write("in.csv", many_people(2000));
    let ledger = ["--sandbox", "--ledger", "my.ledger"];
    place.ceknik(&[&["run", "in.csv"], &ledger[..]].concat()).exits(0);
    sleep(Duration::from_millis(5));
    let purge = [&["purge", "--older-than", "0s"], &ledger[..]].concat();
    let charged = place.status(&ledger)["runs"][0]["tally"]["confirmed"].as_u64().unwrap();
    let size = || std::fs::metadata(place.path("my.ledger")).unwrap().len();

    let before = std::fs::read(place.path("my.ledger")).unwrap();
    let counted = place.ceknik(&[&purge[..], &["--dry-run"]].concat()).exits(0).stdout;
    let words = format!("would remove 2000 answers, of which {charged} were charged\n");
    assert!(counted.starts_with(&words), "{counted}");
    for (answer, code) in [("n\n", 13), ("\n", 13), (CTRL_C, 130), ("y\n", 0)] {
        let unchanged = std::fs::read(place.path("my.ledger")).unwrap() == before;
        assert!(unchanged, "nothing was removed before a yes");
        let mut terminal = Terminal::ceknik(&place, &purge, (24, 80));
        let screen = terminal.wait_for("[y/N]");
        let question = format!(
            "Remove 2000 stored answers? {charged} of them were charged, and a later run may pay for them again."
        );
        assert!(screen.replace('\n', "").contains(&question), "{screen}");
        terminal.types(answer);
        let (ended, last) = terminal.end();
        assert_eq!(ended, Some(code), "{last}");
        if code == 0 {
            assert!(last.contains("2000 answers removed; the ledger's file has "), "{last}");
        }
    }
    assert!(size() * 3 < before.len() as u64, "{} of {}", size(), before.len());
    place.ceknik(&[&["purge", "--older-than", "0s", "--yes"], &ledger[..]].concat()).exits(0);
}
