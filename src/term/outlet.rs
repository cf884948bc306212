//! The way to stderr: a thread of its own writes what the others say.
//!
//! Must hold: whoever works never waits for a terminal that is stopped (Ctrl-S, a stalled link, a full pipe). What
//! the queue has no room for is left out, and its lines are counted. Lines come whole, beside the progress and not through
//! it. Never: fails because nobody listens any more.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use indicatif::MultiProgress;

use super::LogForm;

/// Texts that may wait to be written.
const WAITING: usize = 1024;

enum Message {
    Text(Vec<u8>),
    /// All that came before is written: to be told.
    Flush(SyncSender<()>),
}

/// Where logs and words go.
#[derive(Clone)]
pub(super) struct Outlet {
    queue: SyncSender<Message>,
    left_out: Arc<AtomicU64>,
}

impl Outlet {
    pub(super) fn new(bars: MultiProgress, form: LogForm) -> Self {
        let (queue, messages) = sync_channel(WAITING);
        let left_out = Arc::new(AtomicU64::new(0));
        let mut scribe = Scribe { bars, form, left_out: Arc::clone(&left_out) };
        // Without a thread nothing can be said; the work goes on all the same.
        let _ = std::thread::Builder::new()
            .name("stderr".to_owned())
            .spawn(move || scribe.write_all(&messages));
        Self { queue, left_out }
    }

    /// Says it when there is room for it.
    pub(super) fn say(&self, text: &[u8]) {
        if self.queue.try_send(Message::Text(text.to_vec())).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all that was said before is written. For those who have no call in flight.
    pub(super) fn flush(&self) {
        let (tell, told) = sync_channel(1);
        if self.queue.send(Message::Flush(tell)).is_ok() {
            // An error: the writer is gone, and with it whoever could be waited for.
            let _ = told.recv();
        }
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.say(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The thread that writes.
struct Scribe {
    bars: MultiProgress,
    form: LogForm,
    left_out: Arc<AtomicU64>,
}

impl Scribe {
    fn write_all(&mut self, messages: &Receiver<Message>) {
        while let Ok(message) = messages.recv() {
            match message {
                Message::Text(text) => {
                    self.write(&text);
                    self.own_up();
                }
                Message::Flush(told) => {
                    let _ = told.send(());
                }
            }
        }
    }

    /// Says how much was not said.
    fn own_up(&self) {
        let what = match self.left_out.swap(0, Ordering::Relaxed) {
            0 => return,
            lines => format!("{lines} lines were left out here: stderr was not read"),
        };
        let line = match self.form {
            LogForm::Text => format!("({what})\n"),
            LogForm::Json => {
                format!("{{\"level\":\"WARN\",\"fields\":{{\"message\":\"{what}\"}}}}\n")
            }
        };
        self.write(line.as_bytes());
    }

    fn write(&self, bytes: &[u8]) {
        // Nobody is left to be told when stderr is gone.
        let _ = self.bars.suspend(|| io::stderr().write_all(bytes));
    }
}
