//! The entry point: parses the command line, converts it to settings, runs the command, and returns
//! the exit code.
//!
//! Never: does the work of a command.

use std::ffi::OsString;
use std::process;

use ceknik::cli::{Command, LedgerCommand};
use ceknik::commands::refused;
use ceknik::config::{Origins, PlanConfig, RunConfig, origins};
use ceknik::error::Error;
use ceknik::model::exit_code::ExitCode;
use ceknik::term::Screen;
use ceknik::{commands, panics, signals};

/// The allocator of the program. Facts are allocated on one thread and freed on the ledger's
/// thread, which costs mimalloc little. `Cargo.toml` has the figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> process::ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    panics::hide_panic_messages(refused::wants_plain_text(&arguments));
    signals::ignore_harmless_signals();
    let ended = panics::or_on_panic(|| Some(run(&arguments)), None);
    process::ExitCode::from(ended.unwrap_or_else(|| refused::show_defect(&arguments)).number())
}

fn run(arguments: &[OsString]) -> ExitCode {
    match origins::parse(arguments) {
        Err(origins::Refused::Typed(error)) => refused::exit(arguments, &error),
        Err(origins::Refused::Set(error)) => refused::show(arguments, &error),
        Ok((cli, origins)) => dispatch(&cli.command, &origins)
            .unwrap_or_else(|error| refused::show(arguments, &origins.explain(error))),
    }
}

fn dispatch(command: &Command, origins: &Origins) -> Result<ExitCode, Error> {
    match command {
        Command::Run(args) => {
            let config = RunConfig::new(args, origins)?;
            let screen = Screen::new(&config.screen);
            let ended = commands::run::run(&config, &screen);
            Ok(ended.unwrap_or_else(|error| show_error(&screen, &origins.explain(error), true)))
        }
        Command::Plan(args) => {
            let config = PlanConfig::new(args, origins)?;
            let screen = Screen::new(&config.screen);
            let ended = commands::plan::plan(&config);
            Ok(ended.unwrap_or_else(|error| show_error(&screen, &origins.explain(error), false)))
        }
        Command::Export(args) => commands::run::export::export(args, origins),
        Command::Sandbox(args) => commands::sandbox::sandbox(args, &Screen::default()),
        Command::Report(args) => commands::report::report(args, origins),
        Command::Status(args) => commands::status::status(args, origins),
        Command::Purge(args) => commands::purge::purge(args, origins),
        Command::Backup(args) => commands::backup::backup(args, origins),
        Command::Ledger(LedgerCommand::Init(args)) => commands::ledger::init(args, origins),
        Command::Ledger(LedgerCommand::Import(args)) => commands::ledger::import(args, origins),
        Command::Completions { shell } => commands::completions(*shell),
        Command::Man(args) => commands::man(args),
    }
}

/// Shows an error to the user, and returns its exit code. `is_run` is true for `ceknik run`.
fn show_error(screen: &Screen, error: &Error, is_run: bool) -> ExitCode {
    screen.fail(error, is_run);
    error.code
}
