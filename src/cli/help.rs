//! The help: what flags of several commands mean to each, and the exit codes.

use clap::CommandFactory;

use super::Cli;
use crate::model::exit_code::ExitCode;

/// Returns the definition of the command line. The help of a shared flag is adapted to the command.
pub fn command() -> clap::Command {
    let ledger_of_sandbox = |command: clap::Command| {
        command.mut_arg("sandbox", |arg| arg.help("The ledger of `run --sandbox`"))
    };
    let whose_ledger = |command: clap::Command| {
        ledger_of_sandbox(command)
            .mut_arg("base_url", |arg| arg.help("The vendor's address whose ledger it is"))
    };
    Cli::command()
        .mut_subcommand("plan", |plan| {
            let plan = PLAN_IGNORES.iter().fold(ledger_of_sandbox(plan), |plan, flag| {
                plan.mut_arg(flag, |arg| arg.hide(true))
            });
            plan.mut_arg("input", |arg| {
                arg.help("The customer file, as for `run`; `-` reads standard input")
            })
        })
        .mut_subcommand("status", whose_ledger)
        .mut_subcommand("purge", whose_ledger)
}

/// Flags of `run` that do not change a plan. `plan` accepts them, but its help does not list them.
const PLAN_IGNORES: [&str; 17] = [
    "output",
    "excel",
    "overwrite",
    "summary",
    "body",
    "timeout",
    "connect_timeout",
    "keep_alive",
    "ca_cert",
    "concurrency",
    "backoff",
    "max_outage",
    "deadline",
    "confirm_above",
    "yes",
    "lock_wait",
    "no_progress",
];

/// Renders a list of exit codes, one a line.
fn exit_codes(codes: impl IntoIterator<Item = (ExitCode, &'static str)>) -> String {
    let lines =
        codes.into_iter().map(|(code, meaning)| format!("\n  {:>3} {meaning}", code.number()));
    format!("Exit codes:{}", lines.collect::<String>())
}

/// Returns the exit codes of the program.
pub(super) fn all_exit_codes() -> String {
    let list = exit_codes(ExitCode::ALL.map(|code| (code, code.meaning())));
    format!("{list}\nAfter 12 to 18, 129, 130 and 143 the same command goes on from there.")
}

/// Returns the end of the help of `plan`.
pub(super) fn after_plan() -> String {
    let codes = exit_codes([
        (ExitCode::Complete, "can be sent"),
        (ExitCode::Usage, ExitCode::Usage.meaning()),
        (ExitCode::Input, "the file is stopped by its findings, or unusable"),
        (ExitCode::Config, ExitCode::Config.meaning()),
        (ExitCode::Budget, "does not fit the budget"),
        (ExitCode::Source, "--stop-if-mismatch-over holds the run"),
        (ExitCode::Storage, "the ledger cannot be used"),
    ]);
    format!(
        "All other flags of `ceknik run` are accepted too: they do not change the plan.\n\n{codes}"
    )
}
