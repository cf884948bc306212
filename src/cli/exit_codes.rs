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
    format!("{list}\nAfter 12 to 18, 129, 130 and 143 the same command goes on from there.")
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
