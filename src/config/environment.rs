//! The variables of the environment whose names begin with `CEKNIK_`.
//!
//! Must hold: one that nothing reads is told, for a limit whose name is mistyped limits nothing; an empty one is not
//! set; what an orchestrator sets for a service of this name is passed over. Never: shows a value.

use std::env;
use std::ffi::OsStr;

use clap::Arg;

use super::values::usage;
use crate::cli::{self, Command};
use crate::error::Error;

const PREFIX: &str = "CEKNIK_";
/// Read without a flag.
const SECRETS: [&str; 4] =
    ["CEKNIK_API_ID", "CEKNIK_API_ID_FILE", "CEKNIK_API_SECRET", "CEKNIK_API_SECRET_FILE"];
/// Those of tests, and those that Kubernetes sets for a service that is called ceknik.
const PASSED_OVER: [&str; 3] = ["CEKNIK_TEST_", "CEKNIK_SERVICE_", "CEKNIK_PORT"];
/// A name is suggested where it is this like the one that was set, or more.
const LIKENESS: f64 = 0.8;

/// Refuses a variable that nothing reads. The commands that only print do not care.
///
/// # Errors
/// Exit code 2, with the name that may be meant.
pub(super) fn check(command: &Command) -> Result<(), Error> {
    if matches!(command, Command::Completions { .. } | Command::Man) {
        return Ok(());
    }
    let read = variables();
    let set = env::vars_os().filter(|(_, value)| !value.is_empty());
    let names = set.map(|(name, _)| name.to_string_lossy().into_owned());
    match names.filter(|name| !is_known(name, &read)).min() {
        None => Ok(()),
        Some(name) => Err(usage(unknown(&name, &read))),
    }
}

/// A command line's definition in which a variable that is empty is not set.
pub(super) fn without_empty(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| env::var_os(name).is_some_and(|value| value.is_empty());
    let names: Vec<String> =
        command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |sub| {
            sub.mut_args(|argument| match argument.get_env().is_some_and(is_empty) {
                // No variable has this name.
                true => argument.env("").hide_env(true),
                false => argument,
            })
        })
    })
}

/// The variables that a flag or a secret is read from.
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
        || "unset it, or see the variables in `ceknik run --help`".to_owned(),
        |known| format!("did you mean {known}?"),
    );
    format!("the environment sets {name:?}, which ceknik does not read: {meant}")
}

/// The known name that is most like one that is not known. What all begin with says nothing.
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
