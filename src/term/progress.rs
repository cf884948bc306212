//! Progress of a run: a live block on a terminal, otherwise a plain line from time to time.

use std::io::IsTerminal;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Screen;
use crate::engine::{Pause, Snapshot};
use crate::model::attempt::Tick;
use crate::model::funnel::Funnel;
use crate::model::money::{Price, number, price_in_brackets};
use crate::rules::durations;

/// Longest time between two lines where standard error is not a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(60);
/// Number of parts of the work. The end of each part also brings a line.
const TENTHS: u64 = 10;
/// Time over which the calls per second are measured.
const WINDOW: Duration = Duration::from_secs(5);
/// Longest time to wait for the end of the display.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Display of a run's progress. A separate thread draws it, so the thread that sends calls never
/// waits for a terminal.
pub struct Progress {
    snapshots: SyncSender<Snapshot>,
    ended: Receiver<()>,
}

impl Progress {
    /// Starts the display for a run that is about to send what the funnel leaves to be sent.
    pub fn new(screen: &Screen, funnel: &Funnel, price: Option<Price>) -> Self {
        let (snapshots, snapshot) = sync_channel::<Snapshot>(1);
        let (tell, ended) = sync_channel(1);
        let mut display = Display::new(screen, funnel, price);
        // Without the thread no progress is shown, but the run goes on.
        let _ = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
            while let Ok(snapshot) = snapshot.recv() {
                display.show(&snapshot);
            }
            if let Some(bar) = display.bar {
                bar.finish_and_clear();
            }
            let _ = tell.send(());
        });
        Self { snapshots, ended }
    }

    /// Passes a snapshot to the display. The snapshot is dropped if an earlier one is still
    /// waiting.
    pub fn show(&mut self, snapshot: &Snapshot) {
        let _ = self.snapshots.try_send(*snapshot);
    }

    /// Removes the display. If the terminal is stopped, this does not wait longer than two seconds.
    pub fn end(self) {
        drop(self.snapshots);
        let _ = self.ended.recv_timeout(END_TIMEOUT);
    }
}

/// State of the thread that draws.
struct Display {
    screen: Screen,
    bar: Option<ProgressBar>,
    price: Option<Price>,
    rows: u64,
    to_send: u64,
    /// Rows that need no call.
    settled: u64,
    said_at: Tick,
    said_tenth: u64,
    /// Time and number of sent calls at the last measurement of the rate.
    past: (Tick, u64),
    rate: f64,
}

impl Display {
    fn new(screen: &Screen, funnel: &Funnel, price: Option<Price>) -> Self {
        let live = screen.progress && std::io::stderr().is_terminal();
        let bar = live.then(|| {
            let bar = ProgressBar::with_draw_target(
                Some(funnel.rows),
                ProgressDrawTarget::stderr_with_hz(8),
            );
            let style = ProgressStyle::with_template("{wide_bar} {percent:>3} %\n{msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            screen.bars.add(bar.with_style(style))
        });
        Self {
            screen: screen.clone(),
            bar,
            price,
            rows: funnel.rows,
            to_send: funnel.to_send,
            settled: funnel.rows - funnel.to_send,
            said_at: Tick::ZERO,
            said_tenth: 0,
            past: (Tick::ZERO, 0),
            rate: 0.0,
        }
    }

    fn show(&mut self, snapshot: &Snapshot) {
        if snapshot.now >= self.past.0 + WINDOW || self.rate == 0.0 {
            let span = (snapshot.now - self.past.0).as_secs_f64();
            self.rate = (snapshot.sent - self.past.1) as f64 / span.max(0.001);
            self.past = (snapshot.now, snapshot.sent);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.settled + snapshot.finished);
            bar.set_message(self.line(snapshot));
            return;
        }
        let tenth = TENTHS * snapshot.finished / self.to_send.max(1);
        if self.screen.progress
            && (tenth > self.said_tenth || snapshot.now >= self.said_at + LINE_INTERVAL)
        {
            (self.said_at, self.said_tenth) = (snapshot.now, tenth);
            self.screen.say(&self.line(snapshot));
        }
    }

    fn line(&self, snapshot: &Snapshot) -> String {
        let charged = snapshot.tally.at_least();
        let mut line = format!(
            "rows {}/{} · {:.0} calls/s · {} · match {} mismatch {} · charged {}{} · in flight {}",
            number(self.settled + snapshot.finished),
            number(self.rows),
            self.rate,
            self.time_left(snapshot),
            number(snapshot.matches),
            number(snapshot.mismatches),
            number(charged),
            price_in_brackets(self.price.as_ref(), charged),
            snapshot.in_flight,
        );
        if snapshot.waiting > 0 {
            line += &format!(" · waiting {}", snapshot.waiting);
        }
        line += match snapshot.pause {
            None => "",
            Some(Pause::Outage(_)) => " · paused: the source does not answer",
            Some(Pause::Throttled) => " · paused: the vendor asked to slow down",
            Some(Pause::Draining(_)) => " · ending: waiting for calls in flight",
        };
        line
    }

    fn time_left(&self, snapshot: &Snapshot) -> String {
        let left = self.to_send.saturating_sub(snapshot.finished);
        // The pace of the whole start is steadier than that of the last seconds.
        let pace = snapshot.finished as f64 / snapshot.now.as_secs_f64().max(0.001);
        match Duration::try_from_secs_f64(left as f64 / pace) {
            Ok(time) if snapshot.finished > 0 => {
                format!("{} left", durations::format(Duration::from_secs(time.as_secs())))
            }
            _ => "time left unknown".to_owned(),
        }
    }
}
