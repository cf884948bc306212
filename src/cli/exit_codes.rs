//! The lists of exit codes at the end of the help.

use crate::model::exit_code::ExitCode;

/// Formats a list of exit codes, one per line.
fn exit_codes(codes: impl IntoIterator<Item = (ExitCode, &'static str)>) -> String {
    let lines =
        codes.into_iter().map(|(code, meaning)| format!("\n  {:>3} {meaning}", code.number()));
    format!("Exit codes:{}", lines.collect::<String>())
}

/// Returns the list of the program's exit codes, as text for the end of the help.
pub(super) fn all_exit_codes() -> String {
    let list = exit_codes(ExitCode::ALL.map(|code| (code, code.meaning())));
    let go_on = ExitCode::ALL.into_iter().filter(|code| code.can_go_on());
    let go_on = ranges(&go_on.map(ExitCode::number).collect::<Vec<_>>());
    format!("{list}\nAfter {go_on} the same command goes on from there.")
}

/// Returns the text at the end of the help of `plan`.
pub(super) fn after_plan() -> String {
    let codes = exit_codes([
        (ExitCode::Complete, "can be sent"),
        (ExitCode::Usage, ExitCode::Usage.meaning()),
        (ExitCode::Input, "the file is stopped by its findings, or unusable"),
        (ExitCode::Config, ExitCode::Config.meaning()),
        (ExitCode::Budget, "does not fit the budget"),
        (ExitCode::Source, "--stop-if-mismatch-over holds the run"),
        (ExitCode::Storage, "the ledger cannot be used"),
    ]);
    format!(
        "All other flags of `ceknik run` are accepted too: they do not change the plan.\n\n{codes}"
    )
}

/// Returns the text at the end of the help of `export`.
pub(super) fn after_export() -> String {
    let codes = exit_codes([
        (ExitCode::Complete, "every row has a verdict"),
        (ExitCode::Usage, ExitCode::Usage.meaning()),
        (ExitCode::SomeWithoutVerdict, ExitCode::SomeWithoutVerdict.meaning()),
        (ExitCode::Input, "the file is unusable, or the ledger has no run of it"),
        (ExitCode::Config, ExitCode::Config.meaning()),
        (ExitCode::Storage, "the ledger cannot be read, or the output cannot be written"),
    ]);
    format!(
        "The file is read as the run read it: the ledger recorded its sheet, its columns and its \
         settings. A run of ceknik 0.1 did not record them: give the flags that it was given.\n\
         All other flags of `ceknik run` are accepted too: the command line of a run, with `export` \
         in place of `run`, makes its output again.\n\n{codes}"
    )
}

/// Lists rising numbers: `1 to 4, 8 and 9`.
fn ranges(numbers: &[u8]) -> String {
    let runs = numbers.chunk_by(|one, next| next - one == 1);
    let mut parts: Vec<String> = runs
        .flat_map(|run| match run {
            [first, _, .., last] => vec![format!("{first} to {last}")],
            few => few.iter().map(u8::to_string).collect(),
        })
        .collect();
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn numbers_as_people_list_them() {
        for (numbers, text) in [
            (&[][..], ""),
            (&[7], "7"),
            (&[1, 2, 3, 4, 8, 9], "1 to 4, 8 and 9"),
            (&[12, 13, 14, 129], "12 to 14 and 129"),
        ] {
            assert_eq!(ranges(numbers), text);
        }
    }
}
