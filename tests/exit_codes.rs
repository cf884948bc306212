//! The exit codes in the texts for people: the help, the manual and docs/exit-codes.md list each
//! code that the program knows, and no other code.

#![allow(clippy::unwrap_used, reason = "a test: what is not as expected is the test's answer")]

mod support;

use ceknik::model::exit_code::ExitCode;
use support::Workspace;

/// Returns the numbers at the beginning of the lines after the line `heading`, up to the first line
/// that does not begin with a number.
fn numbers_below(text: &str, heading: &str) -> Vec<u8> {
    let lines = text.lines().skip_while(|line| !line.starts_with(heading)).skip(1);
    // A long meaning goes on below itself.
    let codes = lines.filter(|line| !line.starts_with("       "));
    codes.map_while(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

/// Returns the numbers in the terms of the section EXIT STATUS.
fn numbers_in_manual(page: &str) -> Vec<u8> {
    let lines = page.lines().skip_while(|line| *line != ".SH \"EXIT STATUS\"").skip(1);
    let section = lines.take_while(|line| !line.starts_with(".SH"));
    let terms = section.filter_map(|line| line.strip_prefix("\\fB")?.strip_suffix("\\fR"));
    terms.map(|code| code.parse().unwrap()).collect()
}

/// Returns the numbers in the first cells of the table of exit codes.
fn numbers_of_page() -> Vec<u8> {
    let page = std::fs::read_to_string("docs/exit-codes.md").unwrap();
    let rows = page.lines().skip_while(|line| !line.starts_with("| exit |")).skip(2);
    let cells = rows.map_while(|row| row.strip_prefix("| ")?.split(" | ").next());
    cells.flat_map(|cell| cell.split(", ").map(|code| code.parse().unwrap())).collect()
}

#[test]
fn help_manual_and_page_list_all_exit_codes() {
    let all = ExitCode::ALL.map(ExitCode::number);
    let place = Workspace::new();
    let print = |arguments: &[&str]| place.ceknik(arguments).stdout;
    assert_eq!(numbers_below(&print(&["--help"]), "Exit codes:"), all, "help");
    assert_eq!(numbers_in_manual(&print(&["man"])), all, "manual");
    assert_eq!(numbers_of_page(), all, "docs/exit-codes.md");
}
