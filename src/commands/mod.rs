//! One file a subcommand; each reads as a list of named stages.

pub mod purge;
pub mod run;
pub mod sandbox;
pub mod status;
mod words;

use std::io::{self, Write};

use crate::cli::Cli;
use crate::error::{Error, exit};
use clap::CommandFactory;

/// Prints the manual page. Returns the exit code.
///
/// # Errors
/// What the system says.
pub fn man() -> Result<u8, Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(|error| unwritable(&error))?;
    print(&page)
}

/// Prints a completion script. Returns the exit code.
///
/// # Errors
/// What the system says.
pub fn completions(shell: clap_complete::Shell) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ceknik", &mut script);
    print(&script)
}

/// Prints all that a command has to say. A reader that has seen enough (`| head`) is no error.
fn print(text: &[u8]) -> Result<u8, Error> {
    let mut to = io::stdout().lock();
    match to.write_all(text).and_then(|()| to.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unwritable(&error)),
        _ => Ok(exit::COMPLETE),
    }
}

fn unwritable(error: &io::Error) -> Error {
    let message = format!("standard output cannot be written: {error}");
    Error { code: exit::STORAGE, message, hint: None }
}
