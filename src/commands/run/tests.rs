//! Tests of the ways in which a start can end: for each, the exit code is returned, and the summary
//! says how much is owed. The ledger is in memory, and fails as the test wants.

use clap::Parser;
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use super::*;
use crate::cli::{Cli, Command};
use crate::config::Origins;
use crate::engine::Delivery;
use crate::ledger::testing::{Backend, MemoryBackend, Trap};
use crate::ledger::{RunLine, ShowLedger};
use crate::model::stop::StopReason;
use crate::passes::PassError;

/// Returns a file of thirty people with distinct names. Two NIKs occur twice.
fn people() -> String {
    let row = |n: u32| format!("{n},3201{:02}0101900{:03},WARGA {n}\n", n % 28 + 1, n % 28 + 100);
    "id,nik,nama\n".to_owned() + &(0..30).map(row).collect::<String>()
}

/// Everything that a start leaves behind.
struct Seen {
    result: Result<ExitCode, Error>,
    summary: Value,
    /// The run in the ledger.
    line: RunLine,
    has_output: bool,
    has_partial: bool,
}

impl Seen {
    fn code(&self) -> ExitCode {
        match &self.result {
            Ok(code) => *code,
            Err(error) => error.code,
        }
    }
}

/// Runs a file through all stages on a ledger that fails in this way, with this reader.
fn run_with(trap: Option<Trap>, read: impl ReadRows) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("people.csv"), people()).unwrap();
    let (input, output) = (path("people.csv"), path("out.csv"));
    let typed = ["ceknik", "run", input.to_str().unwrap(), "--sandbox", "-q", "-o"];
    let cli = Cli::parse_from(typed.into_iter().chain([output.to_str().unwrap()]));
    let Command::Run(arguments) = cli.command else { panic!("a run was typed") };
    let config = RunConfig::new(&arguments, &Origins::default()).unwrap();
    let screen = Screen::new(&config.screen);
    let vendor = Connection::prepare(&config).unwrap();
    let (source, layout, destination) = open_input(&config, &screen).unwrap();
    let mut place = MemoryBackend::new();
    let ledger = place.open(clock::now()).unwrap();
    MemoryBackend::set_trap(&ledger, trap);
    let (interrupts, begun) = (Interrupts::default(), Instant::now());
    let (_signal, signals) = tokio::sync::mpsc::channel(1);
    let (config, destination) = (&config, &destination);
    let (screen, vendor, interrupts) = (&screen, &vendor, &interrupts);
    let account = None;
    let settings = &notes::settings(config, &source, &layout, clock::now());
    let setting = Setting { config, destination, settings, screen, interrupts, account, begun };
    let start = Start { setting, vendor };
    let told = start.run_stages(ledger, source, layout, signals, read);
    let result = told.and_then(|told| told.0);
    let summary = std::fs::read(path("out.csv.summary.json")).expect("the summary is written");
    let shown = place.open(clock::now()).unwrap();
    Seen {
        result,
        summary: serde_json::from_slice(&summary).unwrap(),
        line: shown.status(0, 0).unwrap().runs.remove(0),
        has_output: path("out.csv").exists(),
        has_partial: path("out.partial.csv").exists(),
    }
}

/// Delivers seven rows, and then stops without an end.
fn some_rows(input: &Input, fingerprint: [u8; 16], to: &Sender<Delivery>) {
    let (give, mut taken) = tokio::sync::mpsc::channel(9);
    read_candidates(input, fingerprint, &give).unwrap();
    let Ok(Delivery::Rows(mut rows)) = taken.try_recv() else { panic!("there are rows") };
    rows.truncate(7);
    to.blocking_send(Delivery::Rows(rows)).unwrap();
}

fn panics(input: &Input, fingerprint: [u8; 16], to: &Sender<Delivery>) -> Result<(), PassError> {
    some_rows(input, fingerprint, to);
    panic!("a defect")
}

fn finds_another_file(
    input: &Input,
    fingerprint: [u8; 16],
    to: &Sender<Delivery>,
) -> Result<(), PassError> {
    some_rows(input, fingerprint, to);
    to.blocking_send(Delivery::Failed(StopReason::InputChanged)).unwrap();
    Err(PassError::Changed)
}

fn finds_no_file(
    input: &Input,
    fingerprint: [u8; 16],
    to: &Sender<Delivery>,
) -> Result<(), PassError> {
    let _ = finds_another_file(input, fingerprint, to);
    let missing = Source::file("/nowhere/people.csv".as_ref());
    Err(missing.map(drop).expect_err("there is no such file").into())
}

#[test]
fn a_start_without_faults_finishes_its_run() {
    let seen = run_with(None, read_candidates);
    assert!(
        matches!(seen.result, Ok(ExitCode::Complete | ExitCode::SomeWithoutVerdict)),
        "{:?}",
        seen.result
    );
    assert_eq!(seen.summary["ended"], "finished");
    assert!(seen.has_output && !seen.has_partial);
    assert_eq!(
        (seen.line.state.as_str(), seen.line.last_exit),
        ("finished", Some(seen.code().number()))
    );
}

/// Each row of the table is one way to end: the trap, the reader, and the expected result.
#[test]
fn every_end_writes_a_summary_with_the_costs() {
    type Read = fn(&Input, [u8; 16], &Sender<Delivery>) -> Result<(), PassError>;
    type Row = (&'static str, Option<Trap>, Read, u8, &'static str, bool);
    let rows: [Row; 9] = [
        ("the ledger refuses", Some(Trap::RefusesAfter(2)), read_candidates, 18, "storage", true),
        ("from the first", Some(Trap::RefusesAfter(0)), read_candidates, 18, "storage", true),
        ("the writer dies", Some(Trap::WriterDiesAfter(2)), read_candidates, 18, "storage", false),
        ("before a fact", Some(Trap::WriterDiesAfter(0)), read_candidates, 18, "storage", false),
        ("there is no writer", Some(Trap::NoWriter), read_candidates, 18, "storage", false),
        ("no output", Some(Trap::Unreadable), read_candidates, 18, "finished", false),
        ("the reader panics", None, panics, 1, "internal_error", true),
        ("another file", None, finds_another_file, 10, "input_changed", false),
        ("no file", None, finds_no_file, 10, "input_unreadable", false),
    ];
    for (what, trap, read, code, ended, has_partial) in rows {
        let seen = run_with(trap, read);
        assert_eq!(seen.code().number(), code, "{what}: {:?}", seen.result);
        assert!(seen.result.is_err(), "{what}: the error is told");
        assert_eq!((&seen.summary["exit"], &seen.summary["ended"]), (&code.into(), &ended.into()));
        assert_eq!((seen.has_output, seen.has_partial), (false, has_partial), "{what}");
        assert_eq!(seen.summary["outcomes"].is_object(), has_partial, "{what}");
        // The costs in the summary are those in the ledger, and the doubts are those that the next
        // start will find.
        let spending = &seen.summary["spending"];
        let tally = seen.line.tally;
        assert_eq!(spending["confirmed"], tally.confirmed, "{what}");
        assert_eq!(spending["possible"]["in_doubt"], tally.possible.in_doubt, "{what}");
        assert_eq!(seen.line.state, "open", "{what}: the same command goes on");
    }
}

#[test]
fn an_unreadable_input_is_reported_as_unreadable() {
    let seen = run_with(None, finds_no_file);
    let told = seen.result.unwrap_err().message;
    assert!(told.contains("no such file") && !told.contains("changed"), "{told}");
    let seen = run_with(None, finds_another_file);
    assert!(seen.result.unwrap_err().message.contains("changed"));
}
