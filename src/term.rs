//! Output while a command runs: events, logs, notes and progress, on standard error only.
//!
//! Must hold: no NIK, name or secret gets here. Meaning is never shown by color alone. No text
//! controls the terminal. With `--log json` every line is a JSON object, except for a question.

use std::io::{self, IsTerminal};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::ColorChoice;
use indicatif::MultiProgress;
use rustix::termios::{QueueSelector, tcflush, tcgetpgrp};
use tracing_subscriber::filter::LevelFilter;

/// Interval at which [`Screen::ask`] checks whether the question was given up.
const LOOK_EVERY: Duration = Duration::from_millis(50);

mod lines;
mod options;
mod outlet;
mod progress;
mod terminal;

use lines::Lines;
pub use options::ScreenOptions;
pub use outlet::LogForm;
use outlet::Outlet;
pub use progress::Progress;

use crate::clock;
use crate::error::Error;
use crate::model::characters::terminal_safe;
use crate::model::zone::Zone;
use crate::output::{self, Event, Finished, Level};

/// What a run is doing, for whoever asks.
#[derive(Debug, Clone, Default)]
pub enum Doing {
    /// The file and the ledger are read.
    #[default]
    Reading,
    /// The user is asked.
    Asking,
    /// Other workers of the run are waited for.
    Waiting,
    /// Calls are made.
    Calling {
        /// The latest figures.
        figures: Box<output::Progress>,
        /// The same for people, with the pause that is under way.
        line: String,
    },
    /// The output is written.
    Writing,
}

/// Output of a command to the user.
#[derive(Clone)]
pub struct Screen {
    bars: MultiProgress,
    lines: Lines,
    form: LogForm,
    quiet: bool,
    progress: bool,
    doing: Arc<Mutex<Doing>>,
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
        let lines = Lines::new(outlet, options, wants_color(options.color));
        let level = match (options.quiet, options.verbosity) {
            (true, _) => LevelFilter::OFF,
            (false, 0) => LevelFilter::INFO,
            (false, 1) => LevelFilter::DEBUG,
            (false, _) => LevelFilter::TRACE,
        };
        // Other crates may log any value that they were given, so only our own lines are shown.
        let filter = tracing_subscriber::filter::Targets::new().with_target("ceknik", level);
        use tracing_subscriber::layer::SubscriberExt;
        use tracing_subscriber::util::SubscriberInitExt;
        let logs = tracing_subscriber::registry().with(filter).with(lines.clone());
        // A second set-up in one process (in tests) keeps the first.
        let _ = logs.try_init();
        let (form, quiet) = (options.form, options.quiet);
        let progress = options.progress && !quiet;
        Self { bars, lines, form, quiet, progress, doing: Arc::default() }
    }

    /// Returns the zone in which times are shown to people.
    pub const fn zone(&self) -> &Zone {
        self.lines.zone()
    }

    /// Sets the run that all later events belong to.
    pub fn set_run(&self, run: u64) {
        self.lines.set_run(run);
    }

    /// Shows a text to a person whose figures are in an event too. With `--log json` it is not
    /// shown.
    pub fn say(&self, text: &str) {
        if !self.quiet && self.form == LogForm::Text && !text.is_empty() {
            self.line(text.trim_end_matches('\n'));
        }
        self.lines.outlet.flush();
    }

    /// Shows a text that is in no event. With `--log json` it is an event of its own.
    pub fn note(&self, text: &str) {
        self.say_event(&Event::Note { text }, text);
        self.lines.outlet.flush();
    }

    /// Shows an event: to a person as `text`, and otherwise as JSON. Never waits for the terminal.
    pub fn say_event(&self, event: &Event<'_>, text: &str) {
        match self.form {
            _ if self.quiet => {}
            LogForm::Text => self.line(text.trim_end_matches('\n')),
            LogForm::Json => self.lines.event(event),
        }
    }

    /// Shows an event: to a person as a log line, and otherwise as JSON. Never waits for the
    /// terminal.
    pub fn tell(&self, event: &Event<'_>) {
        if !self.quiet {
            self.lines.event(event);
        }
    }

    /// Shows an event that a person sees in another form, so only as JSON.
    pub fn record(&self, event: &Event<'_>) {
        if self.form == LogForm::Json {
            self.tell(event);
        }
    }

    /// Shows the end of a command. A person who wants few words sees one line, unless the command
    /// succeeded; other people have seen it in other words.
    pub fn finish(&self, event: &Event<'_>) {
        match self.form {
            _ if self.quiet && event.level() == Level::Info => {}
            LogForm::Json => self.lines.event(event),
            LogForm::Text if self.quiet => {
                self.line(&format!("ceknik: {}", event.text(self.zone(), clock::now())));
            }
            LogForm::Text => {}
        }
        self.lines.outlet.flush();
    }

    /// Shows the error that ended a command before it did anything. `is_run` is true for
    /// `ceknik run`.
    pub fn fail(&self, error: &Error, is_run: bool) {
        let (exit, hint) = (error.code, error.hint.as_deref());
        let end =
            Finished { exit, reason: "error", what: &error.message, next: hint, summary: None };
        self.finish(&if is_run { Event::RunFinished(end) } else { Event::Failed(end) });
        if !self.quiet && self.form == LogForm::Text {
            self.line(&format!("error: {error}"));
            self.lines.outlet.flush();
        }
    }

    /// Notes what the run is doing, for [`Self::show_doing`].
    pub fn set_doing(&self, doing: Doing) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = doing;
    }

    /// Shows what the run is doing, even if the output is quiet.
    pub fn show_doing(&self) {
        let doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (text, event) = match &doing {
            Doing::Reading => ("reading the file and the ledger".to_owned(), None),
            Doing::Asking => ("waiting for your answer".to_owned(), None),
            Doing::Waiting => ("waiting for the other workers of the run".to_owned(), None),
            Doing::Writing => ("writing the output".to_owned(), None),
            Doing::Calling { figures, line } => {
                (line.clone(), Some(Event::Progress((**figures).clone())))
            }
        };
        match self.form {
            LogForm::Text => self.line(&text),
            LogForm::Json => self.lines.event(&event.unwrap_or(Event::Note { text: &text })),
        }
    }

    /// Checks whether somebody can be asked: standard input and standard error are terminals, and
    /// this process is in the foreground. A process in the background that reads from the terminal
    /// is stopped.
    pub fn can_ask() -> bool {
        let group = rustix::process::getpgrp();
        let is_in_front = || tcgetpgrp(io::stdin()).is_ok_and(|front| front == group);
        io::stdin().is_terminal() && io::stderr().is_terminal() && is_in_front()
    }

    /// Asks a person and waits for a line of standard input, even if the output is quiet. Returns
    /// `None` if `given_up` returns true before the line comes. Returns an empty line if standard
    /// input cannot be read.
    pub fn ask(&self, question: &str, given_up: &dyn Fn() -> bool) -> Option<String> {
        self.set_doing(Doing::Asking);
        // Keys that were pressed before the question are no answer to it.
        let _ = tcflush(io::stdin(), QueueSelector::IFlush);
        self.lines.outlet.say(terminal_safe(question).as_bytes());
        self.lines.outlet.flush();
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

    fn line(&self, text: &str) {
        self.lines.outlet.say((terminal_safe(text) + "\n").as_bytes());
    }
}

/// Checks whether logs are colored: the flag decides, otherwise `NO_COLOR` and the terminal.
fn wants_color(choice: ColorChoice) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            terminal::can_draw() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        }
    }
}
