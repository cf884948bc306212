//! The definition of the command line. The help of a flag that several commands accept is adapted
//! to each command.

use clap::CommandFactory;

use super::Cli;

/// Returns the definition of the command line.
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
        .mut_subcommand("export", |export| {
            let export = EXPORT_IGNORES.iter().fold(ledger_of_sandbox(export), |export, flag| {
                export.mut_arg(flag, |arg| arg.hide(true))
            });
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
