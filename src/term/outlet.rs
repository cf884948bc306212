//! Writer of standard error: a separate thread writes the texts of all other threads.
//!
//! Must hold: a thread that sends calls never waits for a terminal that is stopped (Ctrl-S, a
//! stalled link, a full pipe). A text for which the queue has no room is dropped and counted. Lines
//! are written whole, and the progress is taken off the terminal while they are written.
//!
//! Never: fails because nobody reads standard error any more.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use indicatif::MultiProgress;

use crate::clock;
use crate::model::zone::Zone;
use crate::output::EVENTS_VERSION;

/// Most texts that may wait to be written.
const WAITING: usize = 1024;

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

enum Message {
    Text(Vec<u8>),
    /// Request for a message on this channel once all earlier texts are written.
    Flush(SyncSender<()>),
}

/// Sender of texts to the thread that writes them.
#[derive(Clone)]
pub(super) struct Outlet {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Outlet {
    pub(super) fn new(bars: MultiProgress, form: LogForm) -> Self {
        let (queue, messages) = sync_channel(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut writer = StderrWriter { bars, form, dropped: Arc::clone(&dropped) };
        // Without the thread nothing can be shown, but the work goes on.
        let _ = std::thread::Builder::new()
            .name("stderr".to_owned())
            .spawn(move || writer.write_all(&messages));
        Self { queue, dropped }
    }

    /// Queues a text. If the queue is full, the text is dropped and counted.
    pub(super) fn say(&self, text: &[u8]) {
        if self.queue.try_send(Message::Text(text.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all earlier texts are written. A stopped terminal blocks this call, so it is
    /// only for threads that have no call in flight.
    pub(super) fn flush(&self) {
        let (tell, told) = sync_channel(1);
        if self.queue.send(Message::Flush(tell)).is_ok() {
            // An error means that the writer is gone, so there is nothing to wait for.
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

/// State of the thread that writes.
struct StderrWriter {
    bars: MultiProgress,
    form: LogForm,
    dropped: Arc<AtomicU64>,
}

impl StderrWriter {
    fn write_all(&mut self, messages: &Receiver<Message>) {
        while let Ok(message) = messages.recv() {
            match message {
                Message::Text(text) => {
                    self.write(&text);
                    self.report_dropped();
                }
                Message::Flush(told) => {
                    let _ = told.send(());
                }
            }
        }
    }

    /// Writes how many texts were dropped because standard error was not read.
    fn report_dropped(&self) {
        let what = match self.dropped.swap(0, Ordering::Relaxed) {
            0 => return,
            lines => format!("lines left out here, because stderr was not read: {lines}"),
        };
        let line = match self.form {
            LogForm::Text => format!("({what})\n"),
            LogForm::Json => {
                let (version, time) =
                    (EVENTS_VERSION, Zone::utc().show(clock::now(), "%FT%T.%3fZ"));
                format!(
                    "{{\"version\":{version},\"time\":\"{time}\",\"level\":\"WARN\",\"run\":null,\
                     \"event\":\"warning\",\"message\":\"{what}\"}}\n"
                )
            }
        };
        self.write(line.as_bytes());
    }

    fn write(&self, bytes: &[u8]) {
        // If standard error is gone, there is nobody to report the error to.
        let _ = self.bars.suspend(|| io::stderr().write_all(bytes));
    }
}
