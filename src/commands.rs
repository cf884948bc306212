//! The subcommands, one per file, each written as a list of named stages.

pub mod backup;
mod command_line;
mod last_words;
pub mod ledger;
pub mod plan;
mod preamble;
mod prices;
pub mod purge;
pub mod refused;
pub mod report;
pub mod run;
pub mod sandbox;
pub(crate) mod stages;
pub mod status;

use std::io::{self, Write};

use clap_complete::Shell;

use crate::cli;
use crate::error::Error;
use crate::model::exit_code::ExitCode;
use crate::model::stop::StopReason;
use crate::passes::PassError;
use crate::signals::Interrupts;

/// Prints the manual: a page for the program, then one for each subcommand. Returns the exit code.
///
/// # Errors
/// Exit code 18: standard output cannot be written.
pub fn man() -> Result<ExitCode, Error> {
    let mut program = cli::command();
    program.build();
    let mut pages = Vec::new();
    for command in std::iter::once(&program).chain(program.get_subcommands()) {
        let page = clap_mangen::Man::new(command.clone());
        page.render(&mut pages).map_err(not_written)?;
    }
    print(&pages)
}

/// Prints the completion script of a shell. Returns the exit code.
///
/// # Errors
/// Exit code 18: standard output cannot be written.
pub fn completions(shell: Shell) -> Result<ExitCode, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "ceknik", &mut script);
    print(&script)
}

/// Writes to standard output. It is no error if the reader has closed the pipe, as `| head` does.
fn print(text: &[u8]) -> Result<ExitCode, Error> {
    match io::stdout().write_all(text).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(not_written(error)),
        _ => Ok(ExitCode::Complete),
    }
}

fn not_written(error: io::Error) -> Error {
    Error::plain(ExitCode::Storage, format!("standard output cannot be written: {error}"))
}

/// Creates the error for the case that the system refuses something that every program needs, such
/// as a signal handler (exit code 1).
fn internal(error: io::Error) -> Error {
    Error::plain(ExitCode::Internal, error.to_string())
}

/// Makes the error of a pass. If a signal interrupted it, the exit code is that of the signal.
fn interrupted(error: PassError, interrupts: &Interrupts) -> Error {
    let is_signal = matches!(error, PassError::Interrupted);
    let signal = interrupts.last().filter(|_| is_signal);
    let error = Error::from(error);
    match signal {
        Some(signal) => Error { code: StopReason::Interrupted(signal).exit_code(), ..error },
        None => error,
    }
}
