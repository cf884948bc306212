//! The command line that was typed, with changed flags and ready to be pasted: NIKs are masked, and
//! words are quoted for a shell.

use std::ffi::OsString;

use crate::model::mask::mask_niks;

/// A flag to be set, with its value if it has one.
pub(super) type Flag = (&'static str, Option<String>);

/// Returns the command that was typed, with `flags` in place of their former values. NIKs are
/// masked, because a path may contain one.
pub(super) fn command_with(flags: &[Flag]) -> String {
    rebuilt(std::env::args_os().skip(1), flags)
}

fn rebuilt(typed: impl Iterator<Item = OsString>, flags: &[Flag]) -> String {
    let mut words = vec!["ceknik".to_owned()];
    let mut typed = typed.map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = typed.next() {
        let (name, has_value) = match word.split_once('=') {
            Some((name, _)) => (name, true),
            None => (word.as_str(), false),
        };
        match flags.iter().find(|(flag, _)| *flag == name) {
            // The former value of the flag is left out too.
            Some((_, Some(_))) if !has_value => drop(typed.next()),
            Some(_) => {}
            None => words.push(word),
        }
    }
    // After a bare `--` there are no flags.
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let set = flags.iter().flat_map(|(flag, value)| [Some((*flag).to_owned()), value.clone()]);
    words.splice(end..end, set.flatten());
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Quotes a word for a shell, if necessary, and masks NIKs in it.
fn quoted(word: &str) -> String {
    let shown = mask_niks(word);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+*".contains(c);
    if !shown.is_empty() && shown.chars().all(is_plain) {
        return shown.into_owned();
    }
    format!("'{}'", shown.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_replace_typed_ones() {
        let letter = |letter: &str| Some(letter.to_owned());
        for (typed, flags, command) in [
            ("plan a.csv", &[][..], "ceknik plan a.csv"),
            ("plan a.csv", &[("--id-column", letter("C"))], "ceknik plan a.csv --id-column C"),
            (
                "run a.csv --id-column nik --rate 5",
                &[("--id-column", letter("C"))],
                "ceknik run a.csv --rate 5 --id-column C",
            ),
            (
                "run --id-column=nik a.csv --no-header",
                &[("--no-header", None), ("--id-column", letter("C"))],
                "ceknik run a.csv --no-header --id-column C",
            ),
            (
                "plan -- a.csv",
                &[("--id-column", letter("C"))],
                "ceknik plan --id-column C -- a.csv",
            ),
            ("plan it's", &[], "ceknik plan 'it'\\''s'"),
            ("plan 3275014107900001.csv", &[], "ceknik plan ******.csv"),
        ] {
            let typed = typed.split(' ').map(OsString::from);
            assert_eq!(rebuilt(typed, flags), command);
        }
    }
}
