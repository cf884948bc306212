//! What is shown while a command runs: logs, notes and progress, on stderr only.
//!
//! Must hold: nothing that holds a NIK, a name or a secret comes here; meaning is never shown
//! by colour alone; on `--log json` every line is a JSON object; no text steers the terminal.

use std::io::{self, IsTerminal};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use clap::ColorChoice;
use indicatif::MultiProgress;
use tracing_subscriber::filter::LevelFilter;

/// How often it is looked whether a question is given up.
const LOOK_EVERY: Duration = Duration::from_millis(50);

mod outlet;
mod progress;

pub use progress::Progress;

use outlet::Outlet;

use crate::error::Error;
use crate::model::text::fit;

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How things are shown.
#[derive(Debug, Clone)]
pub struct Options {
    /// How logs are written.
    pub form: LogForm,
    /// How much more is said than usual.
    pub verbosity: u8,
    /// Say nothing but errors.
    pub quiet: bool,
    /// Whether to use colours.
    pub color: ColorChoice,
    /// Whether to show progress.
    pub progress: bool,
}

impl Default for Options {
    fn default() -> Self {
        let (form, color) = (LogForm::Text, ColorChoice::Auto);
        Self { form, verbosity: 0, quiet: false, color, progress: false }
    }
}

/// The user's side of a command.
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
        Self::new(&Options::default())
    }
}

impl Screen {
    /// Sets up the logs. Only the first call in a process does.
    pub fn new(options: &Options) -> Self {
        let bars = MultiProgress::new();
        let outlet = Outlet::new(bars.clone(), options.form);
        let logs = outlet.clone();
        let level = match (options.quiet, options.verbosity) {
            (true, _) => LevelFilter::ERROR,
            (false, 0) => LevelFilter::INFO,
            (false, 1) => LevelFilter::DEBUG,
            (false, _) => LevelFilter::TRACE,
        };
        // Other crates may log whatever they were given: only our own lines are shown.
        let filter = tracing_subscriber::filter::Targets::new().with_target("ceknik", level);
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || logs.clone())
            // They would be said on stderr, by a panic where it is gone.
            .log_internal_errors(false)
            .with_ansi(wants_color(options.color))
            .with_target(false)
            .with_max_level(level);
        use tracing_subscriber::layer::SubscriberExt;
        use tracing_subscriber::util::SubscriberInitExt;
        // A second set-up in one process (tests) keeps the first.
        let _ = match options.form {
            LogForm::Text => subscriber.finish().with(filter).try_init(),
            LogForm::Json => subscriber.json().finish().with(filter).try_init(),
        };
        let (form, quiet) = (options.form, options.quiet);
        Self { bars, outlet, form, quiet, progress: options.progress && !quiet }
    }

    /// Says something to a person, or logs it line by line for a machine.
    pub fn say(&self, text: &str) {
        match self.form {
            _ if self.quiet || text.is_empty() => {}
            LogForm::Text => self.line(text.trim_end_matches('\n')),
            LogForm::Json => {
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    tracing::info!(target: "ceknik", "{}", fit(line.trim()));
                }
            }
        }
        self.outlet.flush();
    }

    /// Asks a person, quiet or not, and waits for a line of standard input; `None` where `given_up` says so before.
    pub fn ask(&self, question: &str, given_up: &dyn Fn() -> bool) -> Option<String> {
        self.outlet.say(fit(question).as_bytes());
        self.outlet.flush();
        let (tell, told) = std::sync::mpsc::channel();
        // A thread of its own, since a signal does not end the reading of a line.
        let reader = std::thread::Builder::new().name("answer".to_owned()).spawn(move || {
            let mut line = String::new();
            let read = io::stdin().read_line(&mut line);
            // The asker may have given up.
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

    /// Tells what ended the command. Said also when quiet.
    pub fn fail(&self, error: &Error) {
        match self.form {
            LogForm::Text => self.line(&format!("error: {error}")),
            LogForm::Json => tracing::error!(
                target: "ceknik",
                exit = error.code,
                hint = fit(error.hint.as_deref().unwrap_or_default()),
                "{}",
                fit(&error.message)
            ),
        }
        self.outlet.flush();
    }

    fn line(&self, text: &str) {
        self.outlet.say((fit(text) + "\n").as_bytes());
    }
}

/// Whether logs are coloured: by the flag, else by `NO_COLOR` and the terminal.
fn wants_color(choice: ColorChoice) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        }
    }
}
