//! Reads `ceknik.toml`. Its keys are the long flags of `ceknik run` and `ceknik plan`, and its
//! values become the defaults of these flags. So the command line and the environment win over the
//! file.
//!
//! Must hold: an unknown key is an error with a suggestion. A value that its flag does not accept
//! is reported as an error of the file. A secret in the file is refused. A file that was found, and
//! not named by the user, is used only if it belongs to this user or to root and other users cannot
//! write to it, because it decides where the secrets are sent and which files are written.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction};
use toml::de::{DeTable, DeValue};

use super::environment::{nearest, without_empty};
use crate::cli::{self, yes_or_no};
use crate::error::Error;
use crate::fs::trusted::{is_mine, open_without_waiting, others_may_write, read_bounded, text};
use crate::model::mask::mask_path;

/// Name of the file that is read if the user names none.
const DEFAULT_FILE: &str = "ceknik.toml";
/// Largest size of the file in bytes. A larger file holds more than settings.
const LARGEST: u64 = 1 << 20;

/// Flags with a variable that are not settings.
const NOT_SETTINGS: [&str; 2] = ["config", "json"];

/// Lines of a configuration file that set a flag.
#[derive(Debug, Default)]
pub(super) struct FileLines {
    file: String,
    /// Number of the line, from 1, by the long flag without its dashes.
    lines: BTreeMap<String, usize>,
}

impl FileLines {
    /// Returns the place at which a flag is set: the file, the line and the key. Returns `None` if
    /// the file does not set the flag. `flag` is a long flag without its dashes.
    pub(super) fn place(&self, flag: &str) -> Option<String> {
        self.lines.get(flag).map(|line| format!("{}, line {line}, {flag}", self.file))
    }
}

/// Returns the definition of the command line with the values of the file as defaults, and the
/// lines that set them.
///
/// # Errors
/// Exit code 11: the file cannot be read, is not trusted, is not TOML, or has a secret, an unknown
/// key, or a value that its flag does not accept.
pub(super) fn command(arguments: &[OsString]) -> Result<(clap::Command, FileLines), Error> {
    let command = without_empty(cli::command_for(arguments));
    let Some((path, text)) = read(&command, arguments)? else {
        return Ok((command, FileLines::default()));
    };
    let refuse = |message: String| {
        let hint = "use the long flags of `ceknik run --help-all` and `ceknik plan --help-all` as keys, without the dashes";
        Error::config(format!("{}: {message}", mask_path(&path)), hint)
    };
    let line = |at| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    let place = |at| format!("line {}: ", line(at));
    let table = DeTable::parse(&text).map_err(|error| {
        let place = error.span().map(|span| place(span.start)).unwrap_or_default();
        refuse(format!("{place}{}", error.message()))
    })?;
    let settings = settings(&command);
    let mut defaults = BTreeMap::new();
    let mut lines = FileLines { file: mask_path(&path), lines: BTreeMap::new() };
    for (key, value) in table.into_inner() {
        let (line, place) = (line(key.span().start), place(key.span().start));
        let key = key.into_inner();
        let name = key.replace('_', "-").to_lowercase();
        if name.contains("api-id") || name.contains("api-secret") {
            let what = format!("{key}: secrets are never read from this file");
            let hint = "set the environment variables CEKNIK_API_ID and CEKNIK_API_SECRET, or CEKNIK_API_ID_FILE and CEKNIK_API_SECRET_FILE to the paths of files";
            return Err(Error::config(format!("{}: {place}{what}", mask_path(&path)), hint));
        }
        let Some(setting) = settings.iter().find(|known| known.get_long() == Some(&name)) else {
            return Err(refuse(place + &unknown(&key, &name, &settings)));
        };
        let wanted = "the value must be a text, a number, true or false";
        let value =
            plain(value.get_ref()).ok_or_else(|| refuse(format!("{place}{key}: {wanted}")))?;
        check(setting, &value).map_err(|why| refuse(format!("{place}{key}: {value:?}: {why}")))?;
        lines.lines.entry(name.clone()).or_insert(line);
        defaults.entry(name).or_insert(value);
    }
    Ok((with_defaults(command, &defaults), lines))
}

/// Reads the configuration file, and returns its path and its text. Returns `None` if the user
/// names no file and there is none with the default name.
///
/// # Errors
/// Exit code 11: the file cannot be read, or is not named by the user and not trusted.
fn read(
    command: &clap::Command,
    arguments: &[OsString],
) -> Result<Option<(PathBuf, String)>, Error> {
    let named = named(command, arguments);
    let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    let what = format!("the configuration file {}", mask_path(&path));
    let unreadable = |error: io::Error| {
        Error::config(
            format!("{what} cannot be read: {error}"),
            "name another file with --config FILE",
        )
    };
    let file = match open_without_waiting(&path) {
        Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(unreadable)?,
    };
    let link = path.symlink_metadata().map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    let distrusted = if link.is_symlink() && !is_mine(&link) {
        Some("is a link of another user")
    } else if !is_mine(&found) {
        Some("belongs to another user")
    } else {
        others_may_write(&found).then_some("can be changed by other users")
    };
    if let Some(why) = distrusted.filter(|_| named.is_none()) {
        let hint = "Read the file first: whoever can change it decides where your secrets go. Then make it yours alone \
                    (chown, chmod go-w), or name it with --config FILE";
        return Err(Error::config(format!("{what} {why}"), hint));
    }
    let text = read_bounded(&file, LARGEST).and_then(text).map_err(unreadable)?;
    Ok(Some((path, text)))
}

/// Returns the path of the file that is used, if there is one. `named` is the file that the user
/// named.
pub(super) fn used(named: Option<&Path>) -> Option<PathBuf> {
    let found = Path::new(DEFAULT_FILE);
    named.or_else(|| found.exists().then_some(found)).map(Path::to_owned)
}

/// Returns the file that `--config` or its variable names. Errors in the command line are ignored
/// here, because the actual parsing reports them.
fn named(command: &clap::Command, arguments: &[OsString]) -> Option<PathBuf> {
    let matches = command.clone().ignore_errors(true).try_get_matches_from(arguments).ok()?;
    let (_, matches) = matches.subcommand()?;
    matches.try_get_one::<PathBuf>("config").ok().flatten().cloned()
}

/// Returns the flags that are settings: those with a variable.
fn settings(command: &clap::Command) -> Vec<Arg> {
    ["run", "plan", "status"]
        .into_iter()
        .filter_map(|name| command.find_subcommand(name))
        .flat_map(clap::Command::get_arguments)
        .filter(|argument| {
            argument.get_env().is_some()
                && !argument.get_long().is_some_and(|name| NOT_SETTINGS.contains(&name))
        })
        .cloned()
        .collect()
}

/// Checks that a flag accepts this value. The error is the reason why it does not.
fn check(setting: &Arg, value: &str) -> Result<(), String> {
    if matches!(setting.get_action(), ArgAction::SetTrue) {
        return yes_or_no(value).map(drop);
    }
    let typed = format!("--{}={value}", setting.get_long().unwrap_or_default());
    let trial = clap::Command::new("").no_binary_name(true).arg(setting.clone());
    let Err(error) = trial.try_get_matches_from([typed]) else { return Ok(()) };
    Err(reason(&error))
}

/// Returns the reason for which clap refused a value.
pub(super) fn reason(error: &clap::Error) -> String {
    match (error.get(ContextKind::ValidValue), std::error::Error::source(error)) {
        (Some(ContextValue::Strings(known)), _) => {
            format!("it must be one of {}", known.join(", "))
        }
        (_, Some(why)) => why.to_string(),
        (_, None) => "this value cannot be used".to_owned(),
    }
}

fn with_defaults(command: clap::Command, defaults: &BTreeMap<String, String>) -> clap::Command {
    let names: Vec<String> =
        command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    // `ceknik sandbox` is a separate server, to which the settings of a run do not apply.
    names.into_iter().filter(|name| name != "sandbox").fold(command, |command, name| {
        command.mut_subcommand(name, |sub| {
            sub.mut_args(|argument| {
                let setting = argument.get_long().filter(|_| argument.get_env().is_some());
                let value = setting.and_then(|name| defaults.get(name));
                let Some(value) = value.cloned() else { return argument };
                // The help must not show the value, which may be private: an address may contain a
                // password.
                let hides = argument.get_action().takes_values();
                argument.default_value(value).hide_default_value(hides)
            })
        })
    })
}

fn unknown(key: &str, name: &str, settings: &[Arg]) -> String {
    match nearest(name, settings.iter().filter_map(Arg::get_long), "") {
        Some(known) => format!("unknown key {key:?}, did you mean {known:?}?"),
        None => format!("unknown key {key:?}"),
    }
}

/// Returns a value as text; `None` for an array, a table or a date. A number keeps its notation,
/// because `1.000` may mean a thousand, which the parser of the flag reports.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}
