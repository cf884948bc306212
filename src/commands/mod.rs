//! One file a subcommand; each reads as a list of named stages.

mod last_words;
pub mod plan;
mod preamble;
pub mod purge;
pub mod run;
pub mod sandbox;
pub(crate) mod stages;
pub mod status;
mod typed;

use std::io::{self, Write};

use clap_complete::Shell;

use crate::cli;
use crate::error::Error;
use crate::model::exit_code::ExitCode;

/// Prints the manual: a page for the program, then one for each subcommand. Returns the exit code.
///
/// # Errors
/// What the system says.
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
/// What the system says.
pub fn completions(shell: Shell) -> Result<ExitCode, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "ceknik", &mut script);
    print(&script)
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no error.
fn print(text: &[u8]) -> Result<ExitCode, Error> {
    match io::stdout().write_all(text).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(not_written(error)),
        _ => Ok(ExitCode::Complete),
    }
}

fn not_written(error: io::Error) -> Error {
    Error::plain(ExitCode::Storage, format!("standard output cannot be written: {error}"))
}

/// The error where the system refuses what every program needs, such as a signal's handler.
fn internal(error: io::Error) -> Error {
    Error::plain(ExitCode::Internal, error.to_string())
}
