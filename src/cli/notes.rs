//! The texts about a command that are not about one of its flags: remarks, examples and exit codes.
//! The help and the manual pages show them.
//!
//! Must hold: each example is a command line that works. `tests/docs.rs` runs them all.

use crate::model::exit_code::ExitCode;
use crate::sandbox::ENDINGS_HELP;

/// Texts about a command.
#[derive(Debug)]
pub(super) struct Notes {
    /// Paragraphs.
    pub(super) remarks: Vec<String>,
    /// A table that is shown as it is.
    pub(super) table: Option<&'static str>,
    /// Examples.
    pub(super) examples: &'static [Example],
    /// Exit codes with their meanings.
    pub(super) exit_codes: Vec<(ExitCode, &'static str)>,
}

/// An example of a command line.
#[derive(Debug)]
pub(super) struct Example {
    /// A sentence about the command line.
    pub(super) about: &'static str,
    /// The command line.
    pub(super) line: &'static str,
}

const fn example(about: &'static str, line: &'static str) -> Example {
    Example { about, line }
}

/// Returns the texts about a command. `path` is the name of the command, such as `ledger init`, and
/// is empty for the program.
pub(super) fn notes_of(path: &str) -> Notes {
    let mut remarks = Vec::new();
    let mut table = None;
    match path {
        "" => {
            remarks.push(same_command_continues());
            remarks.push(
                "If ceknik is stopped at any moment, run the same command again. It continues where it stopped, \
                 and no answer is paid twice."
                    .to_owned(),
            );
        }
        "run" => {
            remarks.push(same_command_continues());
            remarks.push(
                "The vendor's id and secret are read from CEKNIK_API_ID and CEKNIK_API_SECRET, or from files: see `ceknik man run`."
                    .to_owned(),
            );
            remarks.push(
                "Each flag can also be set by a variable (--rate by CEKNIK_RATE) or in the file ceknik.toml (rate = 10)."
                    .to_owned(),
            );
        }
        "plan" => remarks.push(
            "All flags of `ceknik run` are accepted. Those that --help-all does not list do not change the plan.".to_owned(),
        ),
        "export" => remarks.push(
            "The file is read as the run read it: the ledger has its sheet, its columns and its settings. A run of \
             ceknik 0.1 did not save them: give the flags of that run. All flags of `ceknik run` are accepted."
                .to_owned(),
        ),
        "sandbox" => table = Some(ENDINGS_HELP),
        _ => {}
    }
    Notes { remarks, table, examples: examples_of(path), exit_codes: exit_codes_of(path) }
}

/// Returns the sentence about the exit codes after which the same command continues.
fn same_command_continues() -> String {
    let numbers: Vec<u8> =
        ExitCode::ALL.into_iter().filter(|code| code.can_go_on()).map(ExitCode::number).collect();
    format!("After exit code {} the same command continues the run.", ranges(&numbers))
}

/// Returns the examples of a command.
fn examples_of(path: &str) -> &'static [Example] {
    match path {
        "" => &EXAMPLES_OF_PROGRAM,
        "run" => &EXAMPLES_OF_RUN,
        "plan" => &EXAMPLES_OF_PLAN,
        "export" => &EXAMPLES_OF_EXPORT,
        "status" => &EXAMPLES_OF_STATUS,
        "report" => &EXAMPLES_OF_REPORT,
        "sandbox" => &EXAMPLES_OF_SANDBOX,
        "backup" => &EXAMPLES_OF_BACKUP,
        "purge" => &EXAMPLES_OF_PURGE,
        "completions" => &EXAMPLES_OF_COMPLETIONS,
        "man" => &EXAMPLES_OF_MAN,
        _ => &[],
    }
}

static EXAMPLES_OF_PROGRAM: [Example; 3] = [
    example("Practise, without an account and without cost:", "ceknik run customers.csv --sandbox"),
    example("See what a file would cost:", "ceknik plan customers.csv --price 1500"),
    example("Check the file:", "ceknik run customers.csv --price 1500 --max-cost Rp500.000"),
];

static EXAMPLES_OF_RUN: [Example; 4] = [
    example("Practise, without an account and without cost:", "ceknik run customers.csv --sandbox"),
    example("Make 20 calls, and look at the first results:", "ceknik run customers.csv --limit 20"),
    example(
        "Check the whole file for at most Rp500.000:",
        "ceknik run customers.csv --price 1500 --max-cost Rp500.000",
    ),
    example(
        "Check it at night, and show nothing if all goes well:",
        "ceknik run customers.csv --price 1500 --max-cost 5jt --deadline 05:30 --time-zone WIB -q",
    ),
];

static EXAMPLES_OF_PLAN: [Example; 2] = [
    example("See what a file would cost:", "ceknik plan customers.csv --price 1500"),
    example(
        "See how many nights of 8 hours it takes at 10 calls a second:",
        "ceknik plan customers.csv --rate 10 --hours 8",
    ),
];

static EXAMPLES_OF_EXPORT: [Example; 2] = [
    example(
        "Write the results of the latest run as a workbook:",
        "ceknik export customers.csv -o results.xlsx",
    ),
    example(
        "Write only the mismatches and the rows in doubt of run 1:",
        "ceknik export customers.csv --run 1 --only mismatch,in_doubt -o open.xlsx",
    ),
];

static EXAMPLES_OF_STATUS: [Example; 4] = [
    example("List the latest runs, and the charges of each day:", "ceknik status"),
    example("See all about run 1:", "ceknik status 1"),
    example(
        "See the calls of a month, to check the vendor's invoice:",
        "ceknik status --month 2026-11 --price 1500",
    ),
    example(
        "List the calls to ask the vendor about:",
        "ceknik status --doubts -o ask.xlsx --input customers.csv",
    ),
];

static EXAMPLES_OF_REPORT: [Example; 2] = [
    example("Write a page about the latest run:", "ceknik report -o run.html"),
    example(
        "Write a page about all runs of the last 30 days:",
        "ceknik report --since 30d -o month.html",
    ),
];

static EXAMPLES_OF_SANDBOX: [Example; 1] = [example(
    "Serve at 50 calls a second, with 2 % faults:",
    "ceknik sandbox --rate 50 --chaos 0.02",
)];

static EXAMPLES_OF_BACKUP: [Example; 1] =
    [example("Copy the ledger:", "ceknik backup copy.ledger")];

static EXAMPLES_OF_PURGE: [Example; 2] = [
    example(
        "Show how many answers are older than 90 days:",
        "ceknik purge --older-than 90d --dry-run",
    ),
    example("Remove them without a question:", "ceknik purge --older-than 90d --yes"),
];

static EXAMPLES_OF_COMPLETIONS: [Example; 1] = [example(
    "Install the completions of bash, if the folder exists:",
    "ceknik completions bash > ~/.local/share/bash-completion/completions/ceknik",
)];

static EXAMPLES_OF_MAN: [Example; 2] = [
    example("Print the page about a command, to read it with `man -l -`:", "ceknik man run"),
    example("Install all pages:", "ceknik man --dir ~/.local/share/man/man1"),
];

/// Returns the exit codes of a command with their meanings.
fn exit_codes_of(path: &str) -> Vec<(ExitCode, &'static str)> {
    use ExitCode::{
        Budget, Complete, Config, Input, Internal, LedgerBusy, SomeWithoutVerdict, Source, Storage,
        Usage,
    };
    let usual = |code: ExitCode| (code, code.meaning());
    let cannot_read = (Storage, "the ledger cannot be read");
    match path {
        "" => ExitCode::ALL.map(usual).to_vec(),
        "run" => ExitCode::ALL.into_iter().filter(|code| *code != Internal).map(usual).collect(),
        "plan" => vec![
            (Complete, "the file can be sent"),
            usual(Usage),
            (Input, "the file cannot be used, or its findings stop it"),
            usual(Config),
            (Budget, "the budget may not be enough"),
            (Source, "--stop-if-mismatch-over has stopped the run"),
            cannot_read,
        ],
        "export" => vec![
            usual(Complete),
            usual(Usage),
            usual(SomeWithoutVerdict),
            (Input, "the file cannot be used, or the ledger has no run of it"),
            usual(Config),
            (Storage, "the ledger cannot be read, or the output cannot be written"),
        ],
        "status" => vec![
            (Complete, "shown"),
            usual(Usage),
            (Input, "the ledger has no such run, or the customer file cannot be used"),
            usual(Config),
            cannot_read,
        ],
        "report" => vec![
            (Complete, "the page is written"),
            usual(Usage),
            (Input, "the ledger has no such run, or the customer file cannot be used"),
            usual(Config),
            (Storage, "the ledger cannot be read, or the page cannot be written"),
        ],
        "purge" => vec![
            (Complete, "done"),
            usual(Usage),
            usual(Config),
            (Budget, "the question was not answered with yes"),
            usual(LedgerBusy),
            usual(Storage),
        ],
        "ledger import" => {
            vec![(Complete, "done"), usual(Usage), usual(Config), usual(LedgerBusy), usual(Storage)]
        }
        "backup" => vec![
            (Complete, "done"),
            usual(Usage),
            usual(Config),
            (Storage, "the copy exists already or cannot be written, or the ledger cannot be read"),
        ],
        "ledger init" => vec![(Complete, "done"), usual(Usage), usual(Config), usual(Storage)],
        "sandbox" => vec![(Complete, "stopped by Ctrl-C"), usual(Usage), usual(Config)],
        _ => vec![(Complete, "done"), usual(Usage), (Storage, "the text cannot be written")],
    }
}

impl Notes {
    /// Formats the texts for the end of the help.
    pub(super) fn after_help(&self) -> String {
        let mut parts = Vec::new();
        if !self.examples.is_empty() {
            let lines = self
                .examples
                .iter()
                .map(|Example { about, line }| format!("\n  {about}\n    {line}"));
            parts.push(format!("Examples:{}", lines.collect::<String>()));
        }
        parts.extend(self.table.map(|table| table.trim_end().to_owned()));
        let codes = self
            .exit_codes
            .iter()
            .map(|(code, meaning)| format!("\n  {:>3}  {}", code.number(), indented(meaning)));
        parts.push(format!("Exit codes:{}", codes.collect::<String>()));
        parts.extend(self.remarks.iter().cloned());
        parts.join("\n\n")
    }
}

/// Breaks a text into lines that stand below each other behind an exit code.
fn indented(text: &str) -> String {
    const WIDTH: usize = 72;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= WIDTH => *line += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n       ")
}

/// Lists rising numbers: `1 to 4, 8 and 9`.
fn ranges(numbers: &[u8]) -> String {
    let runs = numbers.chunk_by(|one, next| next - one == 1);
    let mut parts: Vec<String> = runs
        .flat_map(|run| match run {
            [first, _, .., last] => vec![format!("{first} to {last}")],
            few => few.iter().map(u8::to_string).collect(),
        })
        .collect();
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() { last } else { format!("{} or {last}", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn numbers_as_people_list_them() {
        for (numbers, text) in [
            (&[][..], ""),
            (&[7], "7"),
            (&[1, 2, 3, 4, 8, 9], "1 to 4, 8 or 9"),
            (&[12, 13, 14, 129], "12 to 14 or 129"),
        ] {
            assert_eq!(ranges(numbers), text);
        }
    }
}
