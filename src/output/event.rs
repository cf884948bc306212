//! Events: what a command tells while it works and when it ends, for people and as JSON.
//!
//! Must hold: with `--log json` each line is one event. The shape is versioned and documented in
//! docs/events.md. Times are in UTC. An event of a run has the run's number, once it is known.
//!
//! Never: holds a NIK, a name or a secret.

use serde::{Serialize, Serializer};

use super::plan::Plan;
use super::report::RunReport;
use super::words::{count, duration};
use crate::model::attempt::WallMs;
use crate::model::exit_code::ExitCode;
use crate::model::money::{Price, number, price_in_brackets};
use crate::model::zone::Zone;

/// Version of the shape of all events. Events and fields are only added within a version.
pub const EVENTS_VERSION: u32 = 1;

/// A time that is written in UTC: `2026-11-30T05:30:12.123Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utc(pub WallMs);

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Zone::utc().show(self.0, "%FT%T.%3fZ"))
    }
}

/// Importance of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Details for whoever looks for a fault.
    Debug,
    /// The usual course of things.
    Info,
    /// Something that may need somebody, or that ended before its end as it was asked to.
    Warn,
    /// Something is wrong, and needs somebody.
    Error,
}

/// What a command tells.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// The file was read: the calls that will be sent, their price and their time.
    Plan {
        /// The plan, in the shape of `ceknik plan --json`.
        plan: &'a Plan<'a>,
    },
    /// A start of a run begins.
    RunStarted {
        /// Number of the start, from 1.
        start: u64,
        /// Name of the input, safe to be shown.
        input: &'a str,
        /// The vendor's address, or the sandbox.
        vendor: &'a str,
        /// Number of the process.
        process: u32,
        /// Calls per second; `null` if there is no limit.
        rate: Option<f64>,
        /// Time after which no call is started.
        deadline: Option<Utc>,
    },
    /// The figures of a run under way.
    Progress(Progress),
    /// The source is down, or the vendor cannot be reached.
    Paused {
        /// Name of the reason, as in `ended` of the summary.
        cause: &'static str,
        /// Description of the failure.
        detail: &'a str,
        /// Begin, next call and end of the pause.
        #[serde(flatten)]
        times: PauseClock,
    },
    /// The source answers again.
    Resumed {
        /// Length of the pause.
        paused_seconds: u64,
    },
    /// The vendor asked to slow down.
    RateLimited {
        /// Calls per second after the pause; `null` if there is no limit.
        calls_per_second: Option<f64>,
        /// Begin, next call and end of the pause.
        #[serde(flatten)]
        times: PauseClock,
    },
    /// Nothing more is started.
    Stopping {
        /// Name of the reason, as in `ended` of the summary.
        reason: &'static str,
        /// True if a signal asked for it.
        #[serde(skip)]
        by_signal: bool,
        /// Number of calls whose answers are waited for.
        in_flight: usize,
        /// Longest time that this takes.
        at_most_seconds: u64,
    },
    /// The answers of these calls are no longer waited for: their rows are in doubt.
    Abandoned {
        /// Number of calls.
        calls: usize,
    },
    /// The end of `ceknik run`, always its last event.
    RunFinished(Finished<'a>),
    /// The error that ended another command.
    Failed(Finished<'a>),
    /// A text without figures.
    Note {
        /// The text.
        #[serde(skip)]
        text: &'a str,
    },
}

/// Times of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PauseClock {
    /// Begin of the pause.
    pub since: Utc,
    /// Next call; `null` while a call finds out whether the pause is over.
    pub next_call_at: Option<Utc>,
    /// Time at which the run is given up; `null` if it is not given up because of this pause.
    pub gives_up_at: Option<Utc>,
}

/// Figures of a run under way, over all its starts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// Number of pairs that the run has to check.
    pub pairs: u64,
    /// Number of those that have their end.
    pub pairs_done: u64,
    /// Calls that were sent.
    pub calls: u64,
    /// Calls that will surely be on the invoice.
    pub charged: u64,
    /// Calls that may be on the invoice.
    pub possible: u64,
    /// Calls that were answered "match".
    pub matches: u64,
    /// Calls per second in the last seconds.
    pub calls_per_second: f64,
    /// Calls whose answers are waited for.
    pub in_flight: usize,
    /// Rows that wait to be asked again.
    pub waiting: usize,
    /// Seconds that are left, about; `null` where nothing is known.
    pub seconds_left: Option<u64>,
    /// Time at which the run will be done, about.
    pub done_at: Option<Utc>,
    /// Reason why nothing is being sent: `outage`, `rate_limited`, `stopping`; `null` otherwise.
    pub pause: Option<&'static str>,
}

/// The end of a command.
#[derive(Debug, Clone, Serialize)]
pub struct Finished<'a> {
    /// Exit code.
    pub exit: ExitCode,
    /// Name of the reason: `finished`, the reason for a stop, or `error`.
    pub reason: &'a str,
    /// Description of the reason for people, without advice.
    #[serde(skip)]
    pub what: &'a str,
    /// What to do next, if there is anything.
    pub next: Option<&'a str>,
    /// The summary of the run; `null` if no run was begun.
    pub summary: Option<&'a RunReport>,
}

impl Event<'_> {
    /// Returns the importance of the event.
    pub const fn level(&self) -> Level {
        match self {
            Self::Plan { .. }
            | Self::RunStarted { .. }
            | Self::Progress(_)
            | Self::Resumed { .. }
            | Self::Note { .. } => Level::Info,
            Self::Paused { .. }
            | Self::RateLimited { .. }
            | Self::Stopping { .. }
            | Self::Abandoned { .. } => Level::Warn,
            Self::RunFinished(end) | Self::Failed(end) => level_of(end.exit),
        }
    }

    /// Formats the event for people. Times are shown in `zone`.
    pub fn text(&self, zone: &Zone, now: WallMs) -> String {
        match self {
            Self::Plan { plan } => {
                let calls = count(plan.forecast.funnel.to_send, "call");
                format!("{}, {calls} to be sent", count(plan.forecast.funnel.rows, "row"))
            }
            Self::RunStarted { start, input, .. } => format!("start {start} of {input}"),
            Self::Progress(figures) => figures.text(None, zone, now),
            Self::Paused { detail, times, .. } => {
                format!("paused: {detail}; {}", times.text(zone, now))
            }
            Self::Resumed { paused_seconds } => {
                let long = duration(*paused_seconds);
                format!("the vendor answers again after {long}: calls continue")
            }
            Self::RateLimited { calls_per_second, times } => {
                let rate =
                    calls_per_second.map(|rate| format!(" at most {} calls/s;", rounded(rate)));
                let rate = rate.unwrap_or_default();
                format!("the vendor asks for fewer calls:{rate} {}", times.text(zone, now))
            }
            Self::Stopping { reason, by_signal, in_flight, at_most_seconds } => {
                stopping(reason, *by_signal, *in_flight, *at_most_seconds)
            }
            Self::Abandoned { calls } => {
                let calls = count(*calls as u64, "call");
                format!("stopped at once: {calls} had no answer yet, and may have been charged")
            }
            Self::RunFinished(end) | Self::Failed(end) => end.text(),
            Self::Note { text } => (*text).to_owned(),
        }
    }
}

/// Returns the importance of an exit code. Whoever set a limit or sent a signal expects the end, and
/// is only warned of the work that is left.
const fn level_of(exit: ExitCode) -> Level {
    match exit {
        ExitCode::Complete => Level::Info,
        ExitCode::SomeWithoutVerdict
        | ExitCode::Budget
        | ExitCode::Deadline
        | ExitCode::HungUp
        | ExitCode::Interrupted
        | ExitCode::Terminated => Level::Warn,
        ExitCode::Internal
        | ExitCode::Usage
        | ExitCode::Input
        | ExitCode::Config
        | ExitCode::Account
        | ExitCode::Quota
        | ExitCode::Source
        | ExitCode::LedgerBusy
        | ExitCode::Storage => Level::Error,
    }
}

fn stopping(reason: &str, by_signal: bool, in_flight: usize, at_most_seconds: u64) -> String {
    let why = if by_signal { String::new() } else { format!(" ({})", reason.replace('_', " ")) };
    if in_flight == 0 {
        return format!("stopping{why}: no call is under way");
    }
    let (calls, most) = (count(in_flight as u64, "call"), duration(at_most_seconds));
    let them = if in_flight == 1 { "that row" } else { "those rows" };
    let again = match by_signal {
        true => format!(". Ctrl-C again (or SIGTERM): stop now, {them} in doubt"),
        false => String::new(),
    };
    format!("stopping{why}: waiting up to {most} for {calls}{again}")
}

impl PauseClock {
    /// Formats the times for people.
    fn text(&self, zone: &Zone, now: WallMs) -> String {
        self.parts(zone, now).join(", ")
    }

    /// Returns the parts of the text: the next call, and the end of the pause.
    pub(crate) fn parts(&self, zone: &Zone, now: WallMs) -> Vec<String> {
        let clock = |Utc(at): Utc| {
            let is_today = zone.show(at, "%F") == zone.show(now, "%F");
            zone.show(at, if is_today { "%T" } else { "%F %T" })
        };
        let next = match self.next_call_at {
            Some(at) => format!("next call at {}", clock(at)),
            None => "a call is under way to find out".to_owned(),
        };
        let gives_up = self.gives_up_at.map(|at| format!("gives up at {}", clock(at)));
        [Some(next), gives_up].into_iter().flatten().collect()
    }
}

impl Progress {
    /// Returns the figures of a start that has sent nothing yet.
    pub const fn begun(pairs_done: u64, pairs: u64) -> Self {
        Self {
            pairs,
            pairs_done,
            calls: 0,
            charged: 0,
            possible: 0,
            matches: 0,
            calls_per_second: 0.0,
            in_flight: 0,
            waiting: 0,
            seconds_left: None,
            done_at: None,
            pause: None,
        }
    }

    /// Formats the figures as one line for people.
    pub fn text(&self, price: Option<&Price>, zone: &Zone, now: WallMs) -> String {
        self.parts(price, zone, now).join(" · ")
    }

    /// Returns the parts of the line, the most important ones first.
    pub(crate) fn parts(&self, price: Option<&Price>, zone: &Zone, now: WallMs) -> Vec<String> {
        let mut parts = vec![format!("{} of {} done", number(self.pairs_done), number(self.pairs))];
        if let (Some(seconds), Some(Utc(at))) = (self.seconds_left, self.done_at) {
            let clock = zone.show_clock(at, now);
            parts.push(format!("{} left, until about {clock}", duration(seconds)));
        }
        let money = price_in_brackets(price, self.charged);
        parts.push(format!("charged {}{money}", number(self.charged)));
        if self.possible > 0 {
            parts.push(format!("possibly {} more", number(self.possible)));
        }
        parts.push(format!("{} calls/s", rounded(self.calls_per_second)));
        if let Some(percent) = (self.matches * 100).checked_div(self.charged) {
            parts.push(format!("match {percent} % of charged"));
        }
        if self.in_flight > 0 {
            parts.push(format!("{} under way", self.in_flight));
        }
        if self.waiting > 0 {
            parts.push(format!("{} to ask again", number(self.waiting as u64)));
        }
        parts
    }
}

impl Finished<'_> {
    /// Formats the end of a command as one line: the reason, the counts, the money, and what to do
    /// next.
    pub fn text(&self) -> String {
        let mut text = format!("exit {}: {}", self.exit.number(), one_line(self.what));
        if let Some(report) = self.summary {
            text += &figures(report);
        }
        if let Some(next) = self.next {
            text += &format!("; next: {}", one_line(next));
        }
        text
    }
}

/// Formats the counts and the money of a run, to follow the reason for its end.
fn figures(report: &RunReport) -> String {
    let spending = &report.spending;
    let mut text = String::new();
    if let Some(written) = &report.written {
        let (done, rows) = (number(written.outcomes.with_verdict()), count(report.rows, "row"));
        let have = if report.rows == 1 { "has" } else { "have" };
        text += &format!("; {done} of {rows} {have} a result");
    }
    let (least, most) = (spending.owed_at_least(), spending.owed_at_most());
    let price = spending.price.as_ref();
    text += &format!("; {} charged{}", count(least, "call"), price_in_brackets(price, least));
    if most > least {
        let money = price_in_brackets(price, most - least);
        text += &format!(", possibly {} more{money}", number(most - least));
    }
    text
}

/// Joins the lines of a text to one line.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Formats a rate with as many digits as people need.
pub(crate) fn rounded(rate: f64) -> String {
    if rate < 9.95 { format!("{rate:.1}") } else { number(rate.round() as u64) }
}
