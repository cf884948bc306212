//! Output while a command runs: logs, notes and progress, on standard error only.
//!
//! Must hold: no NIK, name or secret gets here. Meaning is never shown by color alone. No text
//! controls the terminal. With `--log json` every line is a JSON object, except for a question and
//! the live progress.

use std::io::{self, IsTerminal};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use clap::ColorChoice;
use indicatif::MultiProgress;
use tracing_subscriber::filter::LevelFilter;

/// Interval at which [`Screen::ask`] checks whether the question was given up.
const LOOK_EVERY: Duration = Duration::from_millis(50);

mod outlet;
mod progress;

pub use outlet::LogForm;
use outlet::Outlet;
pub use progress::Progress;

use crate::error::Error;
use crate::model::characters::terminal_safe;

/// Settings for the output on standard error.
#[derive(Debug, Clone)]
pub struct ScreenOptions {
    /// Form of the log lines.
    pub form: LogForm,
    /// Number of levels of detail above the usual: 1 adds debug lines, 2 or more add trace lines.
    pub verbosity: u8,
    /// True if only errors and questions are shown.
    pub quiet: bool,
    /// Use of color in the logs.
    pub color: ColorChoice,
    /// True if progress is shown.
    pub progress: bool,
}

impl Default for ScreenOptions {
    fn default() -> Self {
        let (form, color) = (LogForm::Text, ColorChoice::Auto);
        Self { form, verbosity: 0, quiet: false, color, progress: false }
    }
}

/// Output of a command to the user.
#[derive(Clone)]
pub struct Screen {
    bars: MultiProgress,
    outlet: Outlet,
    form: LogForm,
    quiet: bool,
    progress: bool,
}

impl Default for Screen {
    fn default() -> Self {
        Self::new(&ScreenOptions::default())
    }
}

impl Screen {
    /// Makes the output of a command. The first call in a process also sets up the logs.
    pub fn new(options: &ScreenOptions) -> Self {
        let bars = MultiProgress::new();
        let outlet = Outlet::new(bars.clone(), options.form);
        let logs = outlet.clone();
        let level = match (options.quiet, options.verbosity) {
            (true, _) => LevelFilter::ERROR,
            (false, 0) => LevelFilter::INFO,
            (false, 1) => LevelFilter::DEBUG,
            (false, _) => LevelFilter::TRACE,
        };
        // Other crates may log any value that they were given, so only our own lines are shown.
        let filter = tracing_subscriber::filter::Targets::new().with_target("ceknik", level);
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || logs.clone())
            // Internal errors would be printed on standard error, with a panic if it is gone.
            .log_internal_errors(false)
            .with_ansi(wants_color(options.color))
            .with_target(false)
            .with_max_level(level);
        use tracing_subscriber::layer::SubscriberExt;
        use tracing_subscriber::util::SubscriberInitExt;
        // A second set-up in one process (in tests) keeps the first.
        let _ = match options.form {
            LogForm::Text => subscriber.finish().with(filter).try_init(),
            LogForm::Json => subscriber.json().finish().with(filter).try_init(),
        };
        let (form, quiet) = (options.form, options.quiet);
        Self { bars, outlet, form, quiet, progress: options.progress && !quiet }
    }

    /// Shows a text to a person. With `--log json` each of its lines is logged instead. Nothing is
    /// shown if the output is quiet.
    pub fn say(&self, text: &str) {
        match self.form {
            _ if self.quiet || text.is_empty() => {}
            LogForm::Text => self.line(text.trim_end_matches('\n')),
            LogForm::Json => {
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    tracing::info!(target: "ceknik", "{}", terminal_safe(line.trim()));
                }
            }
        }
        self.outlet.flush();
    }

    /// Asks a person and waits for a line of standard input, even if the output is quiet. Returns
    /// `None` if `given_up` returns true before the line comes. Returns an empty line if standard
    /// input cannot be read.
    pub fn ask(&self, question: &str, given_up: &dyn Fn() -> bool) -> Option<String> {
        self.outlet.say(terminal_safe(question).as_bytes());
        self.outlet.flush();
        let (tell, told) = std::sync::mpsc::channel();
        // A separate thread reads the line, because a signal does not end the reading of a line.
        let reader = std::thread::Builder::new().name("answer".to_owned()).spawn(move || {
            let mut line = String::new();
            let read = io::stdin().read_line(&mut line);
            // The channel is closed if the question was given up.
            let _ = tell.send(read.map_or_else(|_| String::new(), |_| line));
        });
        loop {
            match told.recv_timeout(LOOK_EVERY) {
                Ok(line) => return Some(line),
                Err(RecvTimeoutError::Timeout) if given_up() => {
                    self.line("");
                    return None;
                }
                Err(RecvTimeoutError::Timeout) if reader.is_ok() => {}
                Err(_) => return Some(String::new()),
            }
        }
    }

    /// Shows the error that ended the command, even if the output is quiet.
    pub fn fail(&self, error: &Error) {
        match self.form {
            LogForm::Text => self.line(&format!("error: {error}")),
            LogForm::Json => tracing::error!(
                target: "ceknik",
                exit = error.code.number(),
                hint = terminal_safe(error.hint.as_deref().unwrap_or_default()),
                "{}",
                terminal_safe(&error.message)
            ),
        }
        self.outlet.flush();
    }

    fn line(&self, text: &str) {
        self.outlet.say((terminal_safe(text) + "\n").as_bytes());
    }
}

/// Checks whether logs are colored: the flag decides, otherwise `NO_COLOR` and the terminal.
fn wants_color(choice: ColorChoice) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        }
    }
}
