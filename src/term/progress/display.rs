//! Display of a run's progress: a live block on a terminal, otherwise a line from time to time.
//!
//! Must hold: all figures are the run's, over all its starts. The last ones are shown at the end.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::call_rate::CallRate;
use super::fitted::{BETWEEN, fitted};
use super::pause_clock::clock_of;
use super::time_left::TimeLeft;
use crate::clock;
use crate::engine::{Pause, Snapshot};
use crate::model::attempt::{Tick, WallMs};
use crate::model::funnel::Funnel;
use crate::model::money::Price;
use crate::model::stop::StopReason;
use crate::output::{self, Event, Utc, count};
use crate::term::terminal::{StderrTerminal, block_columns, can_draw};
use crate::term::{Doing, LogForm, Screen};

/// Longest time between two lines where no block is drawn.
const LINE_INTERVAL: Duration = Duration::from_secs(60);
/// Interval at which the figures are noted elsewhere.
const NOTE_INTERVAL: Duration = Duration::from_secs(2);
/// Number of parts of the work. The end of each part also brings a line.
const TENTHS: u64 = 10;

/// State of the thread that draws.
pub(super) struct Display {
    screen: Screen,
    bar: Option<ProgressBar>,
    price: Option<Price>,
    /// Number of pairs that the run has to check, over all its starts.
    pairs: u64,
    /// Number of those that had their end before this start.
    done_before: u64,
    said_at: Tick,
    said_tenth: u64,
    last_shown: Option<Snapshot>,
    /// Number of calls that the last line showed.
    said_calls: Option<u64>,
    rate: CallRate,
    time_left: TimeLeft,
    on_figures: Box<dyn Fn(&output::Progress) + Send>,
    noted_at: Option<Tick>,
}

impl Display {
    pub(super) fn new(
        screen: &Screen,
        funnel: &Funnel,
        price: Option<Price>,
        on_figures: Box<dyn Fn(&output::Progress) + Send>,
    ) -> Self {
        let is_live = screen.progress && screen.form == LogForm::Text && can_draw();
        let bar = is_live.then(|| {
            let terminal = Box::new(StderrTerminal::default());
            let target = ProgressDrawTarget::term_like_with_hz(terminal, 8);
            screen.bars.set_draw_target(target);
            let bar = ProgressBar::new(funnel.done + funnel.to_send);
            let style = ProgressStyle::with_template("{wide_bar} {percent:>3} %\n{msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            screen.bars.add(bar.with_style(style))
        });
        Self {
            screen: screen.clone(),
            bar,
            price,
            pairs: funnel.done + funnel.to_send,
            done_before: funnel.done,
            said_at: Tick::ZERO,
            said_tenth: 0,
            last_shown: None,
            said_calls: None,
            rate: CallRate::default(),
            time_left: TimeLeft::default(),
            on_figures,
            noted_at: None,
        }
    }

    pub(super) fn show(&mut self, snapshot: &Snapshot) {
        self.last_shown = Some(*snapshot);
        let figures = self.figures(snapshot);
        let pause = self.describe_pause(snapshot);
        if self.noted_at.is_none_or(|at| snapshot.now >= at + NOTE_INTERVAL) {
            self.noted_at = Some(snapshot.now);
            (self.on_figures)(&figures);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(figures.pairs_done);
            bar.set_message(self.block(&figures, &pause));
        } else {
            let to_send = self.pairs - self.done_before;
            let done_now = figures.pairs_done.saturating_sub(self.done_before);
            let tenth = TENTHS * done_now / to_send.max(1);
            if tenth > self.said_tenth || snapshot.now >= self.said_at + LINE_INTERVAL {
                (self.said_at, self.said_tenth) = (snapshot.now, tenth);
                self.say(&figures, &pause);
            }
        }
        let line = self.line(&figures, &pause);
        self.screen.set_doing(Doing::Calling { figures: Box::new(figures), line });
    }

    /// Shows the last figures as a line, if lines are shown and the last one showed others, and
    /// removes the block.
    pub(super) fn end(&mut self, last: Option<Snapshot>) {
        if let Some(snapshot) = &last {
            self.show(snapshot);
        }
        if let Some(snapshot) = self.last_shown
            && self.bar.is_none()
            && self.said_calls != Some(snapshot.tally.calls)
        {
            let figures = self.figures(&snapshot);
            self.say(&figures, &[]);
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Shows the figures as a line.
    fn say(&mut self, figures: &output::Progress, pause: &[String]) {
        if !self.screen.progress {
            return;
        }
        self.said_calls = Some(figures.calls);
        let line = self.line(figures, pause);
        self.screen.say_event(&Event::Progress(figures.clone()), &line);
    }

    /// Returns the figures and the description of a pause in one line.
    fn line(&self, figures: &output::Progress, pause: &[String]) -> String {
        let mut parts = figures.parts(self.price.as_ref(), self.screen.zone(), clock::now());
        parts.extend_from_slice(pause);
        parts.join(BETWEEN)
    }

    fn figures(&mut self, snapshot: &Snapshot) -> output::Progress {
        let left = snapshot.left.min(self.pairs);
        let pairs_done = self.pairs - left;
        let is_paused = snapshot.pause.is_some();
        let done_now = pairs_done.saturating_sub(self.done_before);
        let time = self.time_left.update(snapshot.now, done_now, left, is_paused);
        let done_at = time.map(|time| {
            let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
            Utc(WallMs(clock::now().0.saturating_add(millis)))
        });
        output::Progress {
            pairs: self.pairs,
            pairs_done,
            calls: snapshot.tally.calls,
            charged: snapshot.tally.at_least(),
            possible: snapshot.tally.possible.total(),
            matches: snapshot.matches,
            calls_per_second: self.rate.update(snapshot.now, snapshot.sent),
            in_flight: snapshot.in_flight,
            waiting: snapshot.waiting,
            seconds_left: time.map(|time| time.as_secs()),
            done_at,
            pause: snapshot.pause.map(|pause| match pause {
                Pause::Outage(..) => "outage",
                Pause::Throttled(_) => "rate_limited",
                Pause::Draining(_) => "stopping",
            }),
        }
    }

    /// Describes why nothing is being sent, in parts. Returns none if calls are being sent.
    fn describe_pause(&self, snapshot: &Snapshot) -> Vec<String> {
        let (zone, wall) = (self.screen.zone(), clock::now());
        let (why, times) = match snapshot.pause {
            None => return Vec::new(),
            Some(Pause::Draining(_)) if snapshot.in_flight == 0 => return Vec::new(),
            Some(Pause::Draining(_)) => {
                let calls = count(snapshot.in_flight as u64, "call");
                return vec![format!("stopping: waiting for {calls}")];
            }
            Some(Pause::Outage(StopReason::Unreachable, times)) => {
                ("the vendor cannot be reached", times)
            }
            Some(Pause::Outage(_, times)) => ("the vendor is down", times),
            Some(Pause::Throttled(times)) => ("the vendor refuses calls for a while", times),
        };
        let times = clock_of(times, snapshot.now, wall);
        let since = zone.show(times.since.0, "%T");
        let mut parts = vec![format!("paused since {since}: {why}")];
        parts.extend(times.parts(zone, wall));
        parts
    }

    /// Returns the lines below the bar, each fitted to the terminal.
    fn block(&self, figures: &output::Progress, pause: &[String]) -> String {
        let parts = figures.parts(self.price.as_ref(), self.screen.zone(), clock::now());
        let columns = block_columns();
        let mut lines = fitted(&parts, columns, if pause.is_empty() { 2 } else { 1 });
        lines.extend(fitted(pause, columns, 2));
        lines.join("\n")
    }
}
