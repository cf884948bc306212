//! The origin of each setting: the command line, an environment variable, or a line of the
//! configuration file.
//!
//! Must hold: an error about a value names the place that the user has to change.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, FromArgMatches};

use super::file::FileLines;
use super::values::usage_error;
use crate::cli::Cli;
use crate::error::Error;
use crate::model::exit_code::ExitCode;

/// Origin of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SetBy {
    /// The command line.
    Typed,
    /// The environment variable with this name.
    Variable(String),
    /// The configuration file. The text has the name of the file, the line and the key.
    File(String),
}

/// Origins of a command's settings, by long flag (`--rate`). A flag that is not in the map has its
/// built-in default.
#[derive(Debug, Default)]
pub struct Origins(BTreeMap<String, SetBy>);

impl Origins {
    /// Returns the origins of the settings of a parsed command line.
    fn of(command: &Command, matches: &ArgMatches, lines: &FileLines) -> Self {
        let Some((name, matches)) = matches.subcommand() else { return Self::default() };
        let arguments = command.find_subcommand(name).into_iter().flat_map(Command::get_arguments);
        let origin = |argument: &clap::Arg| {
            let flag = argument.get_long()?;
            let variable = || argument.get_env().map(|name| name.to_string_lossy().into_owned());
            let origin = match matches.value_source(argument.get_id().as_str())? {
                ValueSource::CommandLine => SetBy::Typed,
                ValueSource::EnvVariable => SetBy::Variable(variable()?),
                _ => SetBy::File(lines.place(flag)?),
            };
            Some((format!("--{flag}"), origin))
        };
        Self(arguments.filter_map(origin).collect())
    }

    /// Returns the error with a message that names the place that the user has to change: the flag,
    /// the variable, or the line of the file.
    pub fn explain(&self, error: Error) -> Error {
        let Some(flag) = error.flag else { return error };
        let (Some(SetBy::Variable(name)) | Some(SetBy::File(name))) = self.0.get(flag) else {
            return error;
        };
        let own = error
            .message
            .strip_prefix(flag)
            .map_or(&*error.message, |rest| rest.trim_start_matches([':', ' ']));
        Error { message: format!("{name}: {own}"), ..error }
    }

    /// Returns those of `flags` that a variable or the file sets, and that have no effect together
    /// with `--sandbox`. Each has the name under which the user set it.
    ///
    /// # Errors
    /// Exit code 2: one of `flags` was typed on the command line.
    pub fn unused_in_sandbox(&self, flags: &[&str]) -> Result<Vec<String>, Error> {
        let mut unused = Vec::new();
        for flag in flags {
            match self.0.get(*flag) {
                None => {}
                Some(SetBy::Variable(name) | SetBy::File(name)) => unused.push(name.clone()),
                Some(SetBy::Typed) => {
                    let sandbox = match self.0.get("--sandbox") {
                        Some(SetBy::Variable(name) | SetBy::File(name)) => name,
                        Some(SetBy::Typed) | None => "--sandbox",
                    };
                    return Err(Error::new(
                        ExitCode::Usage,
                        format!(
                            "{flag} cannot be used with {sandbox}: the sandbox has no other address"
                        ),
                        "leave one of them out",
                    ));
                }
            }
        }
        Ok(unused)
    }
}

/// Reason why the command line was not converted to a command.
#[derive(Debug)]
pub enum Refused {
    /// The typed command line has an error, or asks for the help or the version. Clap itself shows
    /// the text.
    Typed(clap::Error),
    /// A variable or the configuration file has an error.
    Set(Error),
}

/// Parses the command line, with the environment and the configuration file as defaults.
///
/// # Errors
/// [`Refused::Typed`] if the typed command line has an error, and [`Refused::Set`] if a variable or
/// the configuration file has one.
pub fn parse(arguments: &[OsString]) -> Result<(Cli, Origins), Refused> {
    let (command, lines) = super::file::command(arguments).map_err(Refused::Set)?;
    let matches =
        command.clone().try_get_matches_from(arguments).map_err(
            |error| match fault_of_variable(&command, arguments, &error) {
                Some(fault) => Refused::Set(fault),
                None => Refused::Typed(with_tip(error)),
            },
        )?;
    let cli = Cli::from_arg_matches(&matches).map_err(Refused::Typed)?;
    super::environment::check(&cli.command).map_err(Refused::Set)?;
    Ok((cli, Origins::of(&command, &matches, &lines)))
}

/// Adds a tip to an error that a newcomer makes: the word `run` is missing, or a secret is typed.
fn with_tip(mut error: clap::Error) -> clap::Error {
    let tip = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::InvalidSubcommand, _) => "to check a file: ceknik run FILE",
        (ErrorKind::UnknownArgument, Some(ContextValue::String(flag)))
            if flag.starts_with("--api") =>
        {
            "no secret is a flag: set CEKNIK_API_ID and CEKNIK_API_SECRET"
        }
        _ => return error,
    };
    error.remove(ContextKind::SuggestedArg);
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}

/// Converts an error of clap that the value of a variable caused. Returns `None` if the typed
/// command line caused the error.
fn fault_of_variable(
    command: &Command,
    arguments: &[OsString],
    error: &clap::Error,
) -> Option<Error> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    // `--concurrency <N>`
    let flag = context(ContextKind::InvalidArg)?.split([' ', '=']).next()?;
    let is_typed = arguments.iter().any(|typed| {
        let typed = typed.to_string_lossy();
        typed == flag || typed.starts_with(&format!("{flag}="))
    });
    let sub = arguments.iter().find_map(|name| command.find_subcommand(name))?;
    let argument = sub.get_arguments().find(|argument| {
        argument.get_long().is_some_and(|long| flag.strip_prefix("--") == Some(long))
    })?;
    let variable = argument.get_env().filter(|name| std::env::var_os(name).is_some())?;
    let why = super::file::reason(error);
    (!is_typed).then(|| usage_error(format!("{}: {why}", variable.to_string_lossy())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        let typed = ("--price".to_owned(), SetBy::Typed);
        let variable = ("--rate".to_owned(), SetBy::Variable("CEKNIK_RATE".to_owned()));
        let file = SetBy::File("ceknik.toml, line 3, base-url".to_owned());
        Origins([typed, variable, ("--base-url".to_owned(), file)].into_iter().collect())
    }

    #[test]
    fn an_error_names_what_has_to_be_changed() {
        let origins = origins();
        let told = |flag: &'static str, message: &str| {
            origins.explain(Error::plain(ExitCode::Usage, message).of_flag(flag)).message
        };
        assert_eq!(told("--rate", "--rate: no number"), "CEKNIK_RATE: no number");
        assert_eq!(told("--price", "--price: no number"), "--price: no number");
        assert_eq!(told("--reuse", "--reuse: no duration"), "--reuse: no duration");
        assert_eq!(told("--base-url", "no URL"), "ceknik.toml, line 3, base-url: no URL");
        assert_eq!(
            origins.explain(Error::plain(ExitCode::Internal, "--rate: x")).message,
            "--rate: x"
        );
    }

    #[test]
    fn flags_without_effect_in_the_sandbox_are_refused_or_reported() {
        let origins = origins();
        assert_eq!(origins.unused_in_sandbox(&["--ca-cert"]).unwrap(), [""; 0]);
        let said = origins.unused_in_sandbox(&["--base-url", "--rate"]).unwrap();
        assert_eq!(said, ["ceknik.toml, line 3, base-url", "CEKNIK_RATE"]);
        assert_eq!(origins.unused_in_sandbox(&["--price"]).unwrap_err().code, ExitCode::Usage);
    }
}
