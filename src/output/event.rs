//! Events: what a command tells while it works and when it ends, for people and as JSON.
//!
//! Must hold: with `--log json` each line is one event. The shape is versioned and documented in
//! docs/events.md. Times are in UTC. An event of a run has the run's number, once it is known.
//!
//! Never: holds a NIK, a name or a secret.

use serde::Serialize;

mod finished;
mod progress;
mod rate;
mod times;

pub use finished::Finished;
pub use progress::Progress;
pub use rate::RateFound;
pub use times::{PauseClock, Utc};

use super::plan::Plan;
use super::words::{count, duration};
use crate::model::attempt::WallMs;
use crate::model::exit_code::ExitCode;
use crate::model::stop::StopReason;
use crate::model::zone::Zone;

/// Version of the shape of all events. Events and fields are only added within a version.
pub const EVENTS_VERSION: u32 = 1;

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
        /// Calls per second that the user asked for; `null` if the run finds out what the vendor
        /// allows, or if there is no limit.
        rate: Option<f64>,
        /// Most calls per second; `null` if there is no limit.
        rate_max: Option<f64>,
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
    /// The vendor refuses every call for a while, or asks for a long wait.
    RateLimited {
        /// Begin, next call and end of the pause.
        #[serde(flatten)]
        times: PauseClock,
    },
    /// The vendor's limit was found, or has moved.
    RateFound(RateFound),
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
    /// The end of `ceknik run` or `ceknik export`, always the last event.
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

impl Event<'_> {
    /// Returns the importance of the event.
    pub const fn level(&self) -> Level {
        match self {
            Self::Plan { .. }
            | Self::RunStarted { .. }
            | Self::Progress(_)
            | Self::Resumed { .. }
            | Self::RateFound(_)
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
            Self::RunStarted { start, input, .. } => {
                format!("the check of {input} begins (session {start})")
            }
            Self::Progress(figures) => figures.text(None, zone, now),
            Self::Paused { detail, times, .. } => {
                format!("paused: {detail}; {}", times.text(zone, now))
            }
            Self::Resumed { paused_seconds } => {
                let long = duration(*paused_seconds);
                format!("the vendor answers again after {long}: calls continue")
            }
            Self::RateLimited { times } => {
                format!("the vendor refuses calls for a while: {}", times.text(zone, now))
            }
            Self::RateFound(found) => found.text(),
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
    let why =
        if by_signal { String::new() } else { format!(" ({})", StopReason::in_words(reason)) };
    if in_flight == 0 {
        return format!("stopping{why}: no call is under way");
    }
    let (calls, most) = (count(in_flight as u64, "call"), duration(at_most_seconds));
    let them = if in_flight == 1 { "that row is then" } else { "those rows are then" };
    let again = match by_signal {
        true => format!(". Press Ctrl-C again (or send SIGTERM) to stop now; {them} in doubt"),
        false => String::new(),
    };
    format!("stopping{why}: waiting up to {most} for {calls}{again}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract, written out by hand: an alert on `ERROR` misses nothing that is wrong.
    #[test]
    fn levels_of_exit_codes() {
        let of = |level| {
            let codes = ExitCode::ALL.into_iter().filter(|code| level_of(*code) == level);
            codes.map(ExitCode::number).collect::<Vec<_>>()
        };
        assert_eq!(of(Level::Info), [0]);
        assert_eq!(of(Level::Warn), [3, 13, 15, 129, 130, 143]);
        assert_eq!(of(Level::Error), [1, 2, 10, 11, 12, 14, 16, 17, 18]);
    }

    #[test]
    fn a_stop_says_what_is_waited_for() {
        for (by_signal, in_flight, text) in [
            (
                true,
                1,
                "stopping: waiting up to 1m for 1 call. Press Ctrl-C again (or send SIGTERM) to stop now; that row is then in doubt",
            ),
            (false, 3, "stopping (vendor down): waiting up to 1m for 3 calls"),
            (true, 0, "stopping: no call is under way"),
        ] {
            assert_eq!(stopping("source_down", by_signal, in_flight, 60), text);
        }
    }
}
