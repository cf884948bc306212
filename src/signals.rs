//! SIGINT and SIGTERM: counted, and told to whoever waits for them.
//!
//! The first asks to drain, the second to stop at once. Handlers do nothing but write to a pipe; a
//! thread of its own reads it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::mpsc;

use crate::model::stop::Signal;

/// Signals that may wait to be heard: two are enough to stop at once.
const WAITING: usize = 4;

/// How many signals came so far, and which the last one was.
#[derive(Debug, Clone, Default)]
pub struct Interrupts {
    count: Arc<AtomicU32>,
    terminated: Arc<AtomicU32>,
}

impl Interrupts {
    /// Begins to listen. The receiver hears each signal as it comes.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen() -> io::Result<(Self, mpsc::Receiver<Signal>)> {
        let interrupts = Self::default();
        let (tell, told) = mpsc::channel(WAITING);
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let heard = interrupts.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for number in signals.forever() {
                let signal = if number == SIGTERM { Signal::Terminate } else { Signal::Interrupt };
                heard.count.fetch_add(1, Ordering::Relaxed);
                heard.terminated.store(u32::from(number == SIGTERM), Ordering::Relaxed);
                // A full channel has told it already.
                let _ = tell.try_send(signal);
            }
        })?;
        Ok((interrupts, told))
    }

    /// How many came so far.
    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// The exit code that the last one asks for.
    pub fn exit_code(&self) -> u8 {
        if self.terminated.load(Ordering::Relaxed) == 1 { 143 } else { 130 }
    }
}
