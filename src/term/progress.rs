//! Progress of a run: a live block on a terminal, otherwise a line from time to time.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::call_rate::CallRate;
use self::time_left::TimeLeft;
use super::terminal::{StderrTerminal, block_columns, can_draw};
use super::{LogForm, Screen};
use crate::clock;
use crate::engine::{Notice, Observer, Pause, PauseTimes, Snapshot};
use crate::model::attempt::{Tick, WallMs};
use crate::model::class::Class;
use crate::model::funnel::Funnel;
use crate::model::money::Price;
use crate::model::stop::StopReason;
use crate::output::{self, Event, PauseClock, Utc, count, in_words};

mod call_rate;
mod time_left;

/// Longest time between two lines where no block is drawn.
const LINE_INTERVAL: Duration = Duration::from_secs(60);
/// Interval at which the figures are noted elsewhere.
const NOTE_INTERVAL: Duration = Duration::from_secs(2);
/// Number of parts of the work. The end of each part also brings a line.
const TENTHS: u64 = 10;
/// Longest time to wait for the end of the display.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Display of a run's progress. A separate thread draws it, so the thread that sends calls never
/// waits for a terminal.
pub struct Progress {
    screen: Screen,
    /// Longest time that a call takes.
    timeout: Duration,
    latest: Arc<Mutex<Option<Snapshot>>>,
    news: SyncSender<()>,
    ended: Receiver<()>,
}

impl Progress {
    /// Starts the display for a run that is about to send what the funnel leaves to be sent.
    /// `timeout` is the longest time that a call takes.
    /// `on_figures` is called with the figures every two seconds.
    pub fn new(
        screen: &Screen,
        funnel: &Funnel,
        price: Option<Price>,
        timeout: Duration,
        on_figures: impl Fn(&output::Progress) + Send + 'static,
    ) -> Self {
        let (news, has_news) = sync_channel::<()>(1);
        let (tell, ended) = sync_channel(1);
        let latest = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&latest);
        let take = move || seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut display = Display::new(screen, funnel, price, Box::new(on_figures));
        // Without the thread no progress is shown, but the run goes on.
        let _ = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
            while has_news.recv().is_ok() {
                if let Some(snapshot) = take() {
                    display.show(&snapshot);
                }
            }
            display.end(take());
            let _ = tell.send(());
        });
        Self { screen: screen.clone(), timeout, latest, news, ended }
    }

    /// Removes the display. If the terminal is stopped, this does not wait longer than two seconds.
    pub fn end(self) {
        drop(self.news);
        let _ = self.ended.recv_timeout(END_TIMEOUT);
    }
}

impl Observer for Progress {
    fn progress(&mut self, snapshot: &Snapshot) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(*snapshot);
        let _ = self.news.try_send(());
    }

    fn notice(&mut self, notice: Notice, now: Tick) {
        let clock = |times| clock_of(times, now, clock::now());
        match notice {
            Notice::Paused { why, class, cause, times } => {
                let detail = describe_outage(why, class, cause.as_deref());
                let (cause, times) = (why.name(), clock(times));
                self.screen.tell(&Event::Paused { cause, detail: &detail, times });
            }
            Notice::Resumed { after } => {
                self.screen.tell(&Event::Resumed { paused_seconds: after.as_secs() });
            }
            Notice::RateLimited { times, rate } => {
                let (times, rate) = (clock(times), rate.map(|rate| (rate * 10.0).round() / 10.0));
                self.screen.tell(&Event::RateLimited { calls_per_second: rate, times });
            }
            Notice::Stopping { reason, in_flight } => {
                let event = Event::Stopping {
                    reason: reason.name(),
                    by_signal: matches!(reason, StopReason::Interrupted(_)),
                    in_flight,
                    at_most_seconds: if in_flight == 0 { 0 } else { self.timeout.as_secs().max(1) },
                };
                match in_flight {
                    // The last words follow at once, and say the reason to a person.
                    0 => self.screen.record(&event),
                    _ => self.screen.tell(&event),
                }
            }
            Notice::Abandoned { calls: 0 } => {}
            Notice::Abandoned { calls } => self.screen.tell(&Event::Abandoned { calls }),
        }
    }
}

/// Describes an outage. `class` is the reply that showed it, and `cause` its description.
fn describe_outage(why: StopReason, class: Option<Class>, cause: Option<&str>) -> String {
    let told = class.map_or("another worker has told it", in_words);
    let cause = cause.unwrap_or(told);
    match why {
        StopReason::Unreachable => format!("the vendor cannot be reached ({cause})"),
        _ => format!("the vendor is down ({cause})"),
    }
}

/// Converts the times of a pause to times on the clock.
fn clock_of(times: PauseTimes, now: Tick, wall: WallMs) -> PauseClock {
    let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    let at = |tick: Tick| {
        let later = millis(tick.saturating_sub(now));
        let earlier = millis(now.saturating_sub(tick));
        Utc(WallMs(wall.0.saturating_add(later).saturating_sub(earlier)))
    };
    PauseClock {
        since: at(times.since),
        next_call_at: times.next_call.map(at),
        gives_up_at: times.gives_up.map(at),
    }
}

/// State of the thread that draws.
struct Display {
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
    fn new(
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

    fn show(&mut self, snapshot: &Snapshot) {
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
        self.screen.set_doing(super::Doing::Calling { figures: Box::new(figures), line });
    }

    /// Shows the last figures as a line, if lines are shown and the last one showed others, and
    /// removes the block.
    fn end(&mut self, last: Option<Snapshot>) {
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
            Some(Pause::Throttled(times)) => ("the vendor asks for fewer calls", times),
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

/// Separator of parts.
const BETWEEN: &str = " · ";

/// Distributes parts over at most `most` lines of at most `columns` characters. Parts for which
/// there is no room are left out.
fn fitted(parts: &[String], columns: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let width = |text: &str| text.chars().count();
    for part in parts {
        let begun = lines.len();
        match lines.last_mut() {
            Some(line) if width(line) + width(BETWEEN) + width(part) <= columns => {
                *line += BETWEEN;
                *line += part;
            }
            _ if begun < most => lines.push(cut(part, columns)),
            _ => break,
        }
    }
    lines
}

/// Cuts a line to a number of characters.
fn cut(line: &str, columns: usize) -> String {
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    line.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_fitted_to_the_terminal() {
        let parts = ["1 of 9 done", "20s left", "charged 1", "2 calls/s"].map(str::to_owned);
        let all = "1 of 9 done · 20s left · charged 1 · 2 calls/s";
        for (columns, most, lines) in [
            (80, 2, &[all][..]),
            (26, 2, &["1 of 9 done · 20s left", "charged 1 · 2 calls/s"]),
            (26, 1, &["1 of 9 done · 20s left"]),
            (20, 2, &["1 of 9 done", "20s left · charged 1"]),
            (8, 1, &["1 of 9 …"]),
        ] {
            assert_eq!(fitted(&parts, columns, most), lines, "{columns}");
        }
    }

    #[test]
    fn times_of_a_pause_are_shown_on_the_clock() {
        let secs = Duration::from_secs;
        let times = PauseTimes { since: secs(10), next_call: Some(secs(25)), gives_up: None };
        let clock = clock_of(times, secs(20), WallMs(1_000_000));
        assert_eq!(clock.since, Utc(WallMs(990_000)));
        assert_eq!((clock.next_call_at, clock.gives_up_at), (Some(Utc(WallMs(1_005_000))), None));
    }
}
