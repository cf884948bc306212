//! The command line that was typed, with changed flags and ready to be pasted: NIKs are masked, and
//! words are quoted for a shell.

use std::ffi::OsString;

use crate::model::shell::quoted;

/// A change of a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// The flag is set to this value, or set if it has none.
    Set(&'static str, Option<String>),
    /// The flag, which has a value, is left out.
    LeaveOut(&'static str),
}

impl Change {
    /// Converts flags to be set.
    pub(super) fn set(flags: Vec<(&'static str, Option<String>)>) -> Vec<Self> {
        flags.into_iter().map(|(flag, value)| Self::Set(flag, value)).collect()
    }

    const fn flag(&self) -> &'static str {
        match self {
            Self::Set(flag, _) | Self::LeaveOut(flag) => flag,
        }
    }

    const fn has_value(&self) -> bool {
        matches!(self, Self::Set(_, Some(_)) | Self::LeaveOut(_))
    }
}

/// Returns the command that was typed, with these changes. NIKs are masked, because a path may
/// contain one.
pub(super) fn command_with(changes: &[Change]) -> String {
    rebuilt(std::env::args_os().skip(1), changes)
}

/// Flags that choose a ledger. Those in the second list have no value.
const LEDGER_FLAGS: [&str; 5] =
    ["--ledger", "--base-url", "--key-file", "--ledger-ca-cert", "--config"];
const LEDGER_SWITCHES: [&str; 1] = ["--sandbox"];

/// Returns another command about the ledger of the command that was typed: the flags that choose it
/// are taken over.
pub(super) fn command_on_ledger(words: &[&str]) -> String {
    on_ledger(words, std::env::args_os().skip(1))
}

fn on_ledger(words: &[&str], typed: impl Iterator<Item = OsString>) -> String {
    let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let mut typed = typed.map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = typed.next().filter(|word| word != "--") {
        let name = word.split('=').next().unwrap_or_default();
        if LEDGER_SWITCHES.contains(&name) {
            words.push(word);
        } else if LEDGER_FLAGS.contains(&name) {
            let value = (!word.contains('=')).then(|| typed.next()).flatten();
            words.push(word);
            words.extend(value);
        }
    }
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Checks whether a flag was typed.
pub(super) fn is_typed(flag: &str) -> bool {
    let is_flag = |word: OsString| word.to_string_lossy().split('=').next() == Some(flag);
    std::env::args_os().skip(1).any(is_flag)
}

/// Checks whether the output was typed (`-o`): a variable or the configuration file may set it too.
pub(super) fn is_output_typed() -> bool {
    std::env::args_os().skip(1).any(|word| is_output_flag(&word.to_string_lossy()))
}

fn is_output_flag(word: &str) -> bool {
    // `-o` may stand behind short flags without a value, and before its value.
    let short = word.strip_prefix('-').map(|flags| flags.trim_start_matches(['q', 'v', 'y']));
    word == "--output"
        || word.starts_with("--output=")
        || short.is_some_and(|flags| flags.starts_with('o'))
}

fn rebuilt(typed: impl Iterator<Item = OsString>, changes: &[Change]) -> String {
    let mut words = vec!["ceknik".to_owned()];
    let mut typed = typed.map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = typed.next() {
        let (name, has_value) = match word.split_once('=') {
            Some((name, _)) => (name, true),
            None => (word.as_str(), false),
        };
        match changes.iter().find(|change| change.flag() == name) {
            // The former value of the flag is left out too.
            Some(change) if change.has_value() && !has_value => drop(typed.next()),
            Some(_) => {}
            None => words.push(word),
        }
    }
    // After a bare `--` there are no flags.
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let set = changes.iter().flat_map(|change| match change {
        Change::Set(flag, value) => [Some((*flag).to_owned()), value.clone()],
        Change::LeaveOut(_) => [None, None],
    });
    words.splice(end..end, set.flatten());
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_of_the_output_is_known() {
        for word in ["-o", "-oout.csv", "-qo", "--output", "--output=out.csv"] {
            assert!(is_output_flag(word), "{word}");
        }
        for word in ["-q", "-", "--", "--once", "--overwrite", "--outputs", "out.csv", "-b-o"] {
            assert!(!is_output_flag(word), "{word}");
        }
    }

    #[test]
    fn another_command_uses_the_same_ledger() {
        for (typed, command) in [
            ("run a.csv --price 5", "ceknik status"),
            ("run a.csv --sandbox -q", "ceknik status --sandbox"),
            (
                "run --ledger x.ledger a.csv --base-url=http://127.0.0.1:9",
                "ceknik status --ledger x.ledger --base-url=http://127.0.0.1:9",
            ),
            ("run --ledger x.ledger -- --sandbox", "ceknik status --ledger x.ledger"),
        ] {
            let typed = typed.split(' ').map(OsString::from);
            assert_eq!(on_ledger(&["ceknik", "status"], typed), command);
        }
    }

    #[test]
    fn changes_replace_typed_flags() {
        let set = |flag, value: &str| Change::Set(flag, Some(value.to_owned()));
        let column = || set("--id-column", "C");
        for (typed, changes, command) in [
            ("plan a.csv", vec![], "ceknik plan a.csv"),
            ("plan a.csv", vec![column()], "ceknik plan a.csv --id-column C"),
            (
                "run a.csv --id-column nik --rate 5",
                vec![column()],
                "ceknik run a.csv --rate 5 --id-column C",
            ),
            (
                "run --id-column=nik a.csv --no-header",
                vec![Change::Set("--no-header", None), column()],
                "ceknik run a.csv --no-header --id-column C",
            ),
            ("plan -- a.csv", vec![column()], "ceknik plan --id-column C -- a.csv"),
            (
                "run --limit 20 a.csv --limit=5",
                vec![Change::LeaveOut("--limit")],
                "ceknik run a.csv",
            ),
            ("plan it's", vec![], "ceknik plan 'it'\\''s'"),
            ("plan 3275014107900001.csv", vec![], "ceknik plan ******.csv"),
        ] {
            let typed = typed.split(' ').map(OsString::from);
            assert_eq!(rebuilt(typed, &changes), command);
        }
    }
}
