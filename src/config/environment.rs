//! Checks the environment variables whose names begin with `CEKNIK_`.
//!
//! Must hold: a variable that nothing reads is an error, because a limit with a mistyped name would
//! limit nothing. An empty variable counts as not set. Variables that an orchestrator sets for a
//! service named ceknik are ignored.
//!
//! Never: shows the value of a variable.

use std::env;
use std::ffi::OsStr;

use clap::Arg;

use super::values::usage_error;
use crate::cli::{self, Command};
use crate::error::Error;

const PREFIX: &str = "CEKNIK_";
/// Variables of secrets, which have no flag.
const SECRETS: [&str; 6] = [
    "CEKNIK_API_ID",
    "CEKNIK_API_ID_FILE",
    "CEKNIK_API_SECRET",
    "CEKNIK_API_SECRET_FILE",
    "CEKNIK_LEDGER_PASSWORD",
    "CEKNIK_LEDGER_PASSWORD_FILE",
];
/// Prefixes of names that are ignored: variables of our tests, and variables that Kubernetes sets
/// for a service named ceknik.
const PASSED_OVER: [&str; 3] = ["CEKNIK_TEST_", "CEKNIK_SERVICE_", "CEKNIK_PORT"];
/// Lowest similarity at which a known name is suggested. Equal names have a similarity of 1.
const LIKENESS: f64 = 0.8;

/// Checks that no variable is set that nothing reads. The commands `completions` and `man` only
/// print, and do not check.
///
/// # Errors
/// Exit code 2: such a variable is set. The message suggests a similar name, if there is one.
pub(super) fn check(command: &Command) -> Result<(), Error> {
    if matches!(command, Command::Completions { .. } | Command::Man(_)) {
        return Ok(());
    }
    let read = variables();
    let set = env::vars_os().filter(|(_, value)| !value.is_empty());
    let names = set.map(|(name, _)| name.to_string_lossy().into_owned());
    match names.filter(|name| !is_known(name, &read)).min() {
        None => Ok(()),
        Some(name) => Err(usage_error(unknown(&name, &read))),
    }
}

/// Returns the definition of the command line with empty variables treated as not set.
pub(super) fn without_empty(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| env::var_os(name).is_some_and(|value| value.is_empty());
    let names: Vec<String> =
        command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |sub| {
            sub.mut_args(|argument| match argument.get_env().is_some_and(is_empty) {
                // No variable can have an empty name.
                true => argument.env("").hide_env(true),
                false => argument,
            })
        })
    })
}

/// Returns the names of the variables that are read: those of the flags, and those of the
/// credentials.
fn variables() -> Vec<String> {
    let command = cli::command();
    let flags = command.get_subcommands().flat_map(clap::Command::get_arguments);
    let of_flags = flags.filter_map(Arg::get_env).map(|name| name.to_string_lossy().into_owned());
    of_flags.chain(SECRETS.map(str::to_owned)).collect()
}

fn is_known(name: &str, read: &[String]) -> bool {
    !name.starts_with(PREFIX)
        || PASSED_OVER.iter().any(|begin| name.starts_with(begin))
        || read.iter().any(|known| known == name)
}

fn unknown(name: &str, read: &[String]) -> String {
    let meant = nearest(name, read.iter().map(String::as_str), PREFIX);
    let meant = meant.map_or_else(
        || "unset it, or see the variables in `ceknik man run`".to_owned(),
        |known| format!("did you mean {known}?"),
    );
    format!("the environment variable {name:?} is set, but ceknik does not know it: {meant}")
}

/// Returns the known name that is most similar to `name`; `None` if no name is similar enough.
/// `prefix` is removed first, since a prefix that all names have makes them more similar than they
/// are.
pub(super) fn nearest<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
    prefix: &str,
) -> Option<&'a str> {
    let own = |name: &str| name.strip_prefix(prefix).unwrap_or(name).to_owned();
    known
        .map(|known| (strsim::jaro_winkler(&own(known), &own(name)), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_read_passed_over_and_refused() {
        let read = variables();
        for (name, meant) in [
            ("CEKNIK_MAX_CHARGES", None),
            ("CEKNIK_API_SECRET_FILE", None),
            ("CEKNIK_LOCK_WAIT", None),
            ("CEKNIK_TEST_INSIDE", None),
            ("CEKNIK_SERVICE_HOST", None),
            ("CEKNIK_PORT_80_TCP", None),
            ("PATH", None),
            ("CEKNIK_MAX_CHARGE", Some("did you mean CEKNIK_MAX_CHARGES?")),
            ("CEKNIK_CONCURENCY", Some("did you mean CEKNIK_CONCURRENCY?")),
            ("CEKNIK_API_SECRETFILE", Some("did you mean CEKNIK_API_SECRET_FILE?")),
            ("CEKNIK_ZZZ", Some("unset it")),
        ] {
            let said = (!is_known(name, &read)).then(|| unknown(name, &read));
            match (said, meant) {
                (None, None) => {}
                (Some(said), Some(meant)) => assert!(said.contains(meant), "{name}: {said}"),
                (said, _) => panic!("{name}: {said:?}"),
            }
        }
    }
}
