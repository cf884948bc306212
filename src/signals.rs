//! Signals: SIGINT, SIGTERM and SIGHUP are counted and passed to a receiver, SIGUSR1 (and SIGINFO,
//! where there is one) asks what the program is doing, and SIGXFSZ does not end the program. The
//! first signal asks for a drain, the second for an immediate stop.
//!
//! Must hold: a signal that comes twice at the same moment counts once. `timeout` and other
//! programs signal both their child and its whole group, and systemd sends SIGHUP right after
//! SIGTERM. SIGHUP never counts as the second signal, because a closed terminal is no request to
//! hurry.
//!
//! Never: does more in a handler than write to a pipe or set a flag. A separate thread reads the
//! pipe.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tokio::sync::mpsc;

use crate::model::stop::Signal;

/// Most signals that may wait for the receiver. Two are enough for an immediate stop.
const WAITING: usize = 4;
/// Signals that ask what the program is doing.
#[cfg(not(any(
    target_os = "macos",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
const QUESTIONS: [i32; 1] = [SIGUSR1];
#[cfg(any(
    target_os = "macos",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
))]
const QUESTIONS: [i32; 2] = [SIGUSR1, signal_hook::consts::SIGINFO];
/// Time within which a repeated signal counts as an echo of the first.
const ECHO: Duration = Duration::from_millis(250);

/// The signals that came so far: their number, and the last one.
#[derive(Debug, Clone, Default)]
pub struct Interrupts {
    count: Arc<AtomicU32>,
    last: Arc<AtomicU8>,
    /// Flag that the second signal sets.
    on_second: Arc<OnceLock<Arc<AtomicBool>>>,
    /// True once a signal ends the process, as if nobody listened.
    ends_at_once: Arc<AtomicBool>,
}

impl Interrupts {
    /// Starts to listen for signals. The receiver gets each signal that counts. A signal that asks
    /// what the program is doing is answered with `on_question`.
    ///
    /// # Errors
    /// The system's error, if a handler or the thread cannot be set up.
    pub fn listen(
        on_question: impl Fn() + Send + 'static,
    ) -> io::Result<(Self, mpsc::Receiver<Signal>)> {
        let interrupts = Self::default();
        let (tell, told) = mpsc::channel(WAITING);
        let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
        let ends = [SIGINT, SIGTERM].into_iter().chain(hangup);
        let mut signals = Signals::new(ends.chain(QUESTIONS))?;
        let heard = interrupts.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut last: Option<(Signal, Instant)> = None;
            for number in signals.forever() {
                let Some(signal) = meaning(number) else {
                    on_question();
                    continue;
                };
                if heard.ends_at_once.load(Ordering::Relaxed) {
                    // If the system refuses it, the command goes on to its end.
                    let _ = emulate_default_handler(number);
                }
                let now = Instant::now();
                if last.is_some_and(|(first, at)| is_echo(first, signal, now - at)) {
                    continue;
                }
                last = Some((signal, now));
                heard.last.store(number_of(signal) as u8, Ordering::Relaxed);
                // A reader that sees the new count sees the signal too.
                let earlier = heard.count.fetch_add(1, Ordering::Release);
                if earlier > 0 {
                    heard.set_flag();
                }
                // If the channel is full, the receiver has enough signals already.
                let _ = tell.try_send(signal);
            }
        })?;
        Ok((interrupts, told))
    }

    /// Lets each further signal end the process, as if nobody listened.
    pub fn end_at_once(&self) {
        self.ends_at_once.store(true, Ordering::Relaxed);
    }

    /// Lets the second signal set a flag. Only the first flag counts.
    pub fn set_on_second(&self, flag: Arc<AtomicBool>) {
        let _ = self.on_second.set(flag);
        if self.count() > 1 {
            self.set_flag();
        }
    }

    fn set_flag(&self) {
        if let Some(flag) = self.on_second.get() {
            flag.store(true, Ordering::Relaxed);
        }
    }

    /// Returns the number of signals that came so far.
    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    /// Returns the last signal that came; `None` before the first.
    pub fn last(&self) -> Option<Signal> {
        let signal = || meaning(self.last.load(Ordering::Relaxed).into());
        (self.count() > 0).then(signal).flatten()
    }
}

/// Keeps signals that are no request to stop from ending the program: a question that comes before
/// it can be answered, and the signal of a write past the limit of the file size (`ulimit -f`),
/// which then fails with an error, as on a full disk.
pub fn ignore_harmless_signals() {
    for signal in QUESTIONS.into_iter().chain([SIGXFSZ]) {
        // If the system accepts no handler, the signal ends the program as usual.
        let _ = signal_hook::flag::register(signal, Arc::default());
    }
}

/// Checks whether a signal is an echo of `first`, the latest signal that counted. An echo does not
/// count as the second signal. `after` is the time between the two. Signals of the same moment can
/// arrive in any order.
fn is_echo(first: Signal, signal: Signal, after: Duration) -> bool {
    let is_at_once = after < ECHO;
    signal == Signal::HangUp || (is_at_once && (signal == first || first == Signal::HangUp))
}

const fn number_of(signal: Signal) -> i32 {
    match signal {
        Signal::Interrupt => SIGINT,
        Signal::Terminate => SIGTERM,
        Signal::HangUp => SIGHUP,
    }
}

const fn meaning(number: i32) -> Option<Signal> {
    match number {
        SIGINT => Some(Signal::Interrupt),
        SIGTERM => Some(Signal::Terminate),
        SIGHUP => Some(Signal::HangUp),
        _ => None,
    }
}

/// Checks whether the parent process wants a signal to be ignored, as `nohup` does. Returns true
/// where this cannot be found out, so that the signal keeps its usual effect.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    match mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()) {
        Some(mask) => mask >> (signal - 1) & 1 == 1,
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use Signal::{HangUp, Interrupt, Terminate};

    use super::*;

    #[test]
    fn echoes_do_not_count_as_a_second_signal() {
        for (first, then, after, is_second) in [
            (Interrupt, Interrupt, 249, false),
            (Interrupt, Interrupt, 250, true),
            (Terminate, Terminate, 0, false),
            (Interrupt, Terminate, 0, true),
            (Terminate, HangUp, 0, false),
            (Terminate, HangUp, 9000, false),
            (HangUp, Terminate, 1, false),
            (HangUp, Terminate, 250, true),
            (HangUp, HangUp, 9000, false),
        ] {
            let echo = is_echo(first, then, Duration::from_millis(after));
            assert_eq!(!echo, is_second, "{first:?} {then:?} {after}");
        }
    }
}
