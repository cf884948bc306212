//! One file a subcommand; each reads as a list of named stages.

pub mod purge;
pub mod run;
pub mod sandbox;
pub mod status;
mod words;

use crate::cli::Cli;
use crate::error::{Error, exit};
use clap::CommandFactory;

/// Writes the manual page.
///
/// # Errors
/// What the system says.
pub fn man(to: &mut dyn std::io::Write) -> Result<(), Error> {
    clap_mangen::Man::new(Cli::command()).render(to).map_err(|error| Error {
        code: exit::STORAGE,
        message: format!("the manual page cannot be written: {error}"),
        hint: None,
    })
}
