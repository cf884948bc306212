//! The definition of the command line, with the help of each command. The help of a flag that
//! several commands accept is adapted to each command.
//!
//! Must hold: `--help` lists the flags for every day, and `--help-all` lists all flags.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::Cli;
use super::notes::notes_of;

/// Flags that the help of a command lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed {
    /// The flags for every day.
    Everyday,
    /// All flags.
    All,
}

/// Returns the definition of the command line, whose help lists all flags.
pub fn command() -> Command {
    definition(Listed::All)
}

/// Returns the definition of the command line for these arguments. Its help lists the flags for
/// every day, unless `--help-all` is typed.
pub fn command_for(arguments: &[OsString]) -> Command {
    let asks_for_all = arguments.iter().any(|word| word == "--help-all");
    definition(if asks_for_all { Listed::All } else { Listed::Everyday })
}

fn definition(listed: Listed) -> Command {
    let command = with_help(with_adapted_flags(Cli::command()), "");
    EVERYDAY.into_iter().fold(command, |command, (name, everyday)| {
        command.mut_subcommand(name, |sub| with_two_pages(sub, everyday, listed))
    })
}

/// Adapts the help of flags that mean something else for another command, and hides those that mean
/// nothing.
fn with_adapted_flags(command: Command) -> Command {
    let ledger_of_sandbox = |command: Command| {
        command.mut_arg("sandbox", |arg| arg.help("Use the ledger of `run --sandbox`"))
    };
    let whose_ledger = |command: Command| {
        ledger_of_sandbox(command)
            .mut_arg("base_url", |arg| arg.help("The address of the vendor whose ledger is used"))
    };
    command
        .mut_subcommand("plan", |plan| {
            let plan = without(ledger_of_sandbox(plan), &PLAN_IGNORES);
            plan.mut_arg("input", |arg| {
                arg.help("The customer file, as for `run`; `-` reads standard input")
            })
        })
        .mut_subcommand("export", |export| {
            let export = without(ledger_of_sandbox(export), &EXPORT_IGNORES);
            export
                .mut_arg("input", |arg| {
                    arg.help("The customer file of the run; `-` reads standard input")
                })
                .mut_arg("once", |arg| arg.help("The name of the run, if it has one"))
        })
        .mut_subcommand("report", whose_ledger)
        .mut_subcommand("status", whose_ledger)
        .mut_subcommand("purge", whose_ledger)
        .mut_subcommand("backup", whose_ledger)
}

/// Hides these flags.
fn without(command: Command, flags: &[&'static str]) -> Command {
    flags.iter().fold(command, |command, flag| command.mut_arg(flag, |arg| arg.hide(true)))
}

/// Gives a command two pages of help: one without groups for these flags, and one for all flags.
fn with_two_pages(command: Command, everyday: &[&str], listed: Listed) -> Command {
    let command = match listed {
        Listed::All => command
            .mut_arg("time_zone", |arg| arg.help_heading("Settings"))
            .mut_arg("config", |arg| arg.help_heading("Settings")),
        Listed::Everyday => {
            command.mut_args(|arg| match everyday.contains(&arg.get_id().as_str()) {
                true => arg.help_heading(None),
                false => arg.hide_short_help(true).hide_long_help(true),
            })
        }
    };
    let all = Arg::new("help_all")
        .long("help-all")
        .action(ArgAction::HelpShort)
        .help_heading(None)
        .help("Show all flags, by group");
    command.arg(all)
}

/// Adds the texts of the help to a command and its subcommands. `path` is the name of the command,
/// and is empty for the program.
fn with_help(command: Command, path: &str) -> Command {
    let names: Vec<String> =
        command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = names.into_iter().fold(command, |command, name| {
        let path = format!("{path} {name}");
        command.mut_subcommand(name, |sub| with_help(sub, path.trim_start()))
    });
    let help = Arg::new("help")
        .short('h')
        .long("help")
        .action(ArgAction::HelpShort)
        .help_heading(None)
        .help("Show this page");
    // The manual lists the variables.
    command
        .mut_args(|arg| arg.hide_env(true))
        .disable_help_flag(true)
        .arg(help)
        .after_help(notes_of(path).after_help())
}

/// Commands with two pages of help, and their flags for every day.
const EVERYDAY: [(&str, &[&str]); 3] = [
    (
        "run",
        &[
            "help",
            "input",
            "output",
            "sandbox",
            "id_column",
            "name_column",
            "price",
            "max_cost",
            "limit",
            "deadline",
            "report",
            "yes",
            "quiet",
        ],
    ),
    (
        "plan",
        &[
            "help",
            "input",
            "sandbox",
            "id_column",
            "name_column",
            "price",
            "max_cost",
            "limit",
            "rate",
            "hours",
            "charge_share",
            "json",
        ],
    ),
    ("export", &["help", "input", "number", "only", "output", "excel", "overwrite", "sandbox"]),
];

/// Flags of `run` that do not change a plan. `plan` accepts them, but its help does not list them.
const PLAN_IGNORES: [&str; 20] = [
    "join",
    "output",
    "excel",
    "overwrite",
    "summary",
    "report",
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
    "operator",
    "lock_wait",
    "no_progress",
];

/// Flags of `run` that do not change the output of a run that has begun, or that the run recorded.
const EXPORT_IGNORES: [&str; 38] = [
    "join",
    "encoding",
    "sheet",
    "delimiter",
    "no_header",
    "id_column",
    "name_column",
    "visible_rows",
    "send_truncated",
    "send_odd_dates",
    "summary",
    "report",
    "body",
    "timeout",
    "connect_timeout",
    "keep_alive",
    "ca_cert",
    "rate",
    "rate_max",
    "concurrency",
    "max_attempts",
    "backoff",
    "max_outage",
    "deadline",
    "max_charges",
    "max_cost",
    "stop_if_mismatch_over",
    "limit",
    "confirm_above",
    "yes",
    "reuse",
    "reask_after",
    "in_doubt",
    "retry_refused",
    "force",
    "operator",
    "lock_wait",
    "no_progress",
];
