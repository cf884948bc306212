//! Shows an error of the command line, of a variable or of the configuration file. Such an error
//! comes before the settings are known, so the form of the output is looked up in the words that
//! were typed.

use std::ffi::OsString;
use std::io::{self, Write};

use crate::error::Error;
use crate::model::exit_code::ExitCode;
use crate::model::mask::mask_niks;
use crate::panics::{DEFECT, DEFECT_HINT, last_place};
use crate::term::{LogForm, Screen, ScreenOptions};

/// Shows an error, and returns its exit code.
pub fn show(arguments: &[OsString], error: &Error) -> ExitCode {
    let is_run = arguments.get(1).is_some_and(|command| command == "run");
    Screen::new(&screen_options(arguments)).fail(error, is_run);
    error.code
}

/// Checks whether the user wants plain text, and more than one line of it.
pub fn wants_plain_text(arguments: &[OsString]) -> bool {
    let options = screen_options(arguments);
    options.form == LogForm::Text && !options.quiet
}

/// Shows that the program has panicked, unless that was shown where it happened. Returns the exit
/// code.
pub fn show_defect(arguments: &[OsString]) -> ExitCode {
    if wants_plain_text(arguments) {
        return ExitCode::Internal;
    }
    let what = format!("internal error{}: {DEFECT}", last_place());
    show(arguments, &Error::new(ExitCode::Internal, what, DEFECT_HINT))
}

/// Shows an error of the typed command line, or the help or the version that it asks for. Returns the
/// exit code.
pub fn exit(arguments: &[OsString], error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || wants_plain_text(arguments) {
        let text = error.render().to_string();
        let masked = mask_lines(&text);
        // If nobody reads the text, there is nobody to report the error to.
        let _ = match error.use_stderr() && masked != text {
            true => io::stderr().write_all(masked.as_bytes()),
            false => error.print(),
        };
        return if error.use_stderr() { ExitCode::Usage } else { ExitCode::Complete };
    }
    // The first paragraph says what is wrong. The usage follows it.
    let text = error.render().to_string();
    let what = text.split("\n\n").next().unwrap_or_default();
    let what = mask_lines(what.strip_prefix("error: ").unwrap_or(what));
    let command = arguments.get(1).and_then(|word| word.to_str());
    let help = match command.filter(|word| !word.starts_with('-') && word.is_ascii()) {
        Some(command) => format!("see ceknik {} --help", mask_niks(command)),
        None => "see ceknik --help".to_owned(),
    };
    show(arguments, &Error::new(ExitCode::Usage, what, help))
}

/// Masks each line of a text: a word that was typed may be the name of a file, which may contain a
/// NIK.
fn mask_lines(text: &str) -> String {
    text.split('\n').map(mask_niks).collect::<Vec<_>>().join("\n")
}

/// Returns the settings of the display, as far as words can be recognized as its flags.
fn screen_options(arguments: &[OsString]) -> ScreenOptions {
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    let is_set =
        |name| std::env::var(name).is_ok_and(|value| crate::cli::yes_or_no(&value) == Ok(true));
    let typed_json = words.iter().any(|word| word == "--log=json")
        || words.windows(2).any(|pair| pair[0] == "--log" && pair[1] == "json");
    let json = typed_json || std::env::var("CEKNIK_LOG").is_ok_and(|form| form == "json");
    // `-q` may stand among other short flags without a value.
    let is_quiet = |word: &str| {
        let short = word.strip_prefix('-').filter(|flags| flags.contains('q'));
        word == "--quiet"
            || short.is_some_and(|flags| flags.chars().all(|flag| "qvy".contains(flag)))
    };
    ScreenOptions {
        form: if json { LogForm::Json } else { LogForm::Text },
        quiet: is_set("CEKNIK_QUIET") || words.iter().any(|word| is_quiet(word)),
        ..ScreenOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_found_in_the_typed_words() {
        for (typed, json, quiet) in [
            ("run a.csv", false, false),
            ("run a.csv --log json -q", true, true),
            ("run --log=json --rat 5", true, false),
            ("run -vq a.csv", false, true),
            ("run --log text --quiet", false, true),
            ("run --seq", false, false),
            ("run -oq.csv", false, false),
        ] {
            let words: Vec<OsString> = typed.split(' ').map(OsString::from).collect();
            let options = screen_options(&words);
            assert_eq!((options.form == LogForm::Json, options.quiet), (json, quiet), "{typed}");
        }
    }
}
