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

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap_complete::Shell;

use crate::cli::{self, ManArgs, ManualPage};
use crate::error::Error;
use crate::model::exit_code::ExitCode;
use crate::model::mask::mask_path;
use crate::model::stop::StopReason;
use crate::passes::PassError;
use crate::signals::Interrupts;

/// Prints a manual page, or writes all pages to a folder. Returns the exit code.
///
/// # Errors
/// Exit code 2: there is no such page. Exit code 18: standard output or a file cannot be written.
pub fn man(args: &ManArgs) -> Result<ExitCode, Error> {
    let pages = cli::manual_pages().map_err(not_written)?;
    let Some(folder) = &args.dir else {
        let command = args.page.as_deref().unwrap_or_default().replace('-', " ");
        let page = pages.iter().find(|page| page.command == command);
        return page
            .map_or_else(|| Err(no_page(&pages, &command)), |page| print(page.text.as_bytes()));
    };
    fs::create_dir_all(folder).map_err(|error| no_manual(folder, &error))?;
    for page in &pages {
        let file = folder.join(&page.file_name);
        fs::write(&file, &page.text).map_err(|error| no_manual(&file, &error))?;
    }
    Ok(ExitCode::Complete)
}

/// Creates the error for a page that does not exist.
fn no_page(pages: &[ManualPage], command: &str) -> Error {
    let names: Vec<&str> = pages.iter().skip(1).map(|page| page.command.as_str()).collect();
    Error::new(
        ExitCode::Usage,
        format!("there is no manual page about {command:?}"),
        format!("the pages are: {}", names.join(", ")),
    )
}

/// Creates the error for a page that cannot be written.
fn no_manual(path: &Path, error: &io::Error) -> Error {
    let what = format!("{} cannot be written: {error}", mask_path(path));
    Error::new(ExitCode::Storage, what, "choose a folder in which you can write files")
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
