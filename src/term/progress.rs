//! Progress of a run: takes what the engine tells, makes events of its notices, and hands the figures
//! to a thread that shows them.
//!
//! Must hold: the thread that sends calls never waits for a terminal.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use self::display::Display;
use super::Screen;
use crate::clock;
use crate::engine::{Notice, Observer, Snapshot};
use crate::model::attempt::Tick;
use crate::model::class::Class;
use crate::model::funnel::Funnel;
use crate::model::money::Price;
use crate::model::stop::StopReason;
use crate::output::{self, Event, RateFound, in_words};

mod call_rate;
mod display;
mod fitted;
mod pause_clock;
mod time_left;

use pause_clock::clock_of;

/// Longest time to wait for the end of the display.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Progress of a run. A separate thread shows it.
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
    /// `timeout` is the longest time that a call takes. `on_figures` is called with the figures every
    /// two seconds.
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
            Notice::RateLimited { times } => {
                self.screen.tell(&Event::RateLimited { times: clock(times) });
            }
            Notice::RateFound(change) => {
                self.screen.tell(&Event::RateFound(RateFound::new(change)));
            }
            Notice::Stopping { reason, in_flight } => {
                let by_signal = matches!(reason, StopReason::Interrupted(_));
                let event = Event::Stopping {
                    reason: reason.name(),
                    by_signal,
                    in_flight,
                    at_most_seconds: if in_flight == 0 { 0 } else { self.timeout.as_secs().max(1) },
                };
                match in_flight > 0 || by_signal {
                    true => self.screen.tell(&event),
                    // The last words follow at once, and say the reason to a person.
                    false => self.screen.record(&event),
                }
            }
            Notice::Abandoned { calls: 0 } => {}
            Notice::Abandoned { calls } => self.screen.tell(&Event::Abandoned { calls }),
        }
    }
}

/// Describes an outage. `class` is the reply that showed it, and `cause` its description.
fn describe_outage(why: StopReason, class: Option<Class>, cause: Option<&str>) -> String {
    let told = class.map_or("another worker has reported it", in_words);
    let cause = cause.unwrap_or(told);
    match why {
        StopReason::Unreachable => format!("the vendor cannot be reached ({cause})"),
        _ => format!("the vendor is down ({cause})"),
    }
}
