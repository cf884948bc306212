//! SIGINT, SIGTERM and SIGHUP: counted, and told to whoever waits for them. SIGXFSZ: survived.
//!
//! The first asks to drain, the second to stop at once. What comes twice in one moment is one: `timeout` and others
//! signal both their child and its whole group, and systemd sends SIGHUP right after SIGTERM. A terminal that is closed is
//! never the second: nobody asked for more haste by it. Handlers do nothing but write to a pipe; a thread of its own reads it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use tokio::sync::mpsc;

use crate::model::stop::{Signal, StopReason};

/// Signals that may wait to be heard: two are enough to stop at once.
const WAITING: usize = 4;
/// The same signal again so soon is the echo of the first.
const ECHO: Duration = Duration::from_millis(250);

/// How many signals came so far, and what the last one asks for.
#[derive(Debug, Clone, Default)]
pub struct Interrupts {
    count: Arc<AtomicU32>,
    exit_code: Arc<AtomicU8>,
}

impl Interrupts {
    /// Begins to listen. The receiver hears each signal as it comes.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen() -> io::Result<(Self, mpsc::Receiver<Signal>)> {
        let interrupts = Self::default();
        let (tell, told) = mpsc::channel(WAITING);
        let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
        let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup))?;
        let heard = interrupts.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut last: Option<(Signal, Instant)> = None;
            for signal in signals.forever().filter_map(meaning) {
                let now = Instant::now();
                if last.is_some_and(|(first, at)| is_echo(first, signal, now - at)) {
                    continue;
                }
                last = Some((signal, now));
                heard
                    .exit_code
                    .store(StopReason::Interrupted(signal).exit_code(), Ordering::Relaxed);
                // Who sees the count sees the code too.
                heard.count.fetch_add(1, Ordering::Release);
                // A full channel has told it already.
                let _ = tell.try_send(signal);
            }
        })?;
        Ok((interrupts, told))
    }

    /// How many came so far.
    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    /// The exit code that the last one asks for.
    pub fn exit_code(&self) -> u8 {
        self.exit_code.load(Ordering::Relaxed)
    }
}

/// Makes a write past the limit of a file's size (`ulimit -f`) an error of that write, as on a full disk: the signal that
/// comes with it would end the program in the middle.
pub fn survive_large_files() {
    // Where the system takes no handler, it ends us as it would.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Whether a signal is no second one. What comes in one moment is heard in any order.
fn is_echo(first: Signal, signal: Signal, after: Duration) -> bool {
    let is_at_once = after < ECHO;
    signal == Signal::HangUp || (is_at_once && (signal == first || first == Signal::HangUp))
}

const fn meaning(number: i32) -> Option<Signal> {
    match number {
        SIGINT => Some(Signal::Interrupt),
        SIGTERM => Some(Signal::Terminate),
        SIGHUP => Some(Signal::HangUp),
        _ => None,
    }
}

/// Whether whoever started us wants a signal ignored, as `nohup` does. Where that can't be told, it is left alone.
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
    use super::*;
    use Signal::{HangUp, Interrupt, Terminate};

    #[test]
    fn which_signal_is_the_second() {
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
