//! Lines on standard error: events and log lines, for people or as JSON.
//!
//! Must hold: with `--log json` each line is one JSON object. No text controls the terminal.
//!
//! Never: waits for a terminal.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::options::ScreenOptions;
use super::outlet::{LogForm, Outlet};
use crate::clock;
use crate::model::characters::terminal_safe;
use crate::model::zone::Zone;
use crate::output::{EVENTS_VERSION, Event, Level, Utc};

/// Writer of events and log lines.
#[derive(Clone)]
pub(super) struct Lines {
    pub(super) outlet: Outlet,
    form: LogForm,
    zone: Zone,
    is_colored: bool,
    /// Number of the run; 0 while it is not known.
    run: Arc<AtomicU64>,
}

/// A line as JSON.
#[derive(Serialize)]
struct JsonLine<'a, E: Serialize> {
    version: u32,
    time: Utc,
    level: Level,
    run: Option<u64>,
    #[serde(flatten)]
    event: E,
    message: &'a str,
}

/// The event of a log line.
#[derive(Serialize)]
struct LogEvent {
    event: &'static str,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl Lines {
    pub(super) fn new(outlet: Outlet, options: &ScreenOptions, is_colored: bool) -> Self {
        let (form, zone) = (options.form, options.zone.clone());
        Self { outlet, form, zone, is_colored, run: Arc::default() }
    }

    /// Sets the run that all later events belong to.
    pub(super) fn set_run(&self, run: u64) {
        self.run.store(run, Ordering::Relaxed);
    }

    /// Returns the zone in which times are shown.
    pub(super) const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Writes an event.
    pub(super) fn event(&self, event: &Event<'_>) {
        let text = event.text(&self.zone, clock::now());
        match self.form {
            LogForm::Text => self.log_line(event.level(), &text),
            LogForm::Json => self.json(event.level(), event, &text),
        }
    }

    /// Writes a log line for people: time, level and text.
    fn log_line(&self, level: Level, text: &str) {
        let (word, color) = match level {
            Level::Debug => ("DEBUG", "\x1b[2m"),
            Level::Info => ("INFO", "\x1b[32m"),
            Level::Warn => ("WARN", "\x1b[33m"),
            Level::Error => ("ERROR", "\x1b[31m"),
        };
        let (on, off) = if self.is_colored { (color, "\x1b[0m") } else { ("", "") };
        let time = self.zone.show(clock::now(), "%F %T %:z");
        let text = terminal_safe(text);
        self.outlet.say(format!("{time} {on}{word}{off} {text}\n").as_bytes());
    }

    /// Writes an event as a JSON object. `text` is the event in words.
    fn json(&self, level: Level, event: impl Serialize, text: &str) {
        let run = Some(self.run.load(Ordering::Relaxed)).filter(|run| *run > 0);
        let (time, message) = (Utc(clock::now()), &*terminal_safe(text));
        let line = JsonLine { version: EVENTS_VERSION, time, level, run, event, message };
        // All keys are texts, so this cannot fail.
        if let Ok(mut json) = serde_json::to_vec(&line) {
            json.push(b'\n');
            self.outlet.say(&json);
        }
    }
}

/// Log lines of the program's own code.
impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { message, others } = fields;
        let (level, event) = match *event.metadata().level() {
            tracing::Level::ERROR => (Level::Error, "error"),
            tracing::Level::WARN => (Level::Warn, "warning"),
            tracing::Level::INFO => (Level::Info, "note"),
            _ => (Level::Debug, "debug"),
        };
        match self.form {
            LogForm::Json => self.json(level, LogEvent { event, fields: others }, &message),
            LogForm::Text => {
                let others = others.iter().map(|(name, value)| match value {
                    Value::String(text) => format!(" ({name}: {text})"),
                    value => format!(" ({name}: {value})"),
                });
                self.log_line(level, &(message + &others.collect::<String>()));
            }
        }
    }
}

/// Collects the message and the fields of a log line.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn take(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            // `version` and the others of `JsonLine` stay what they are.
            (name @ ("version" | "time" | "level" | "run" | "event"), value) => {
                self.others.insert(format!("{name}_"), value);
            }
            (name, value) => {
                self.others.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, terminal_safe(&format!("{value:?}")).into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, terminal_safe(value).into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value.into());
    }
}
