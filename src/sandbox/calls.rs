//! The calls log: one JSON line per request to the endpoint, written by a thread of its own.
//!
//! Must hold: lines are in the order of the decisions. No line is lost while the process lives,
//! because a full queue makes the server wait. A line is in the file about 10 ms after its
//! decision. The file has mode 0600. An existing file is set to that mode and appended to. A link
//! is not followed.
//!
//! Never: holds a NIK or a name. A pair is a plain hash, so anybody who knows the form of a NIK can
//! find the pair by trying all values. This is good enough for the invented people of a sandbox,
//! but not for customers.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::answer::Answer;
use crate::fs::trusted;

/// Most records that wait to be written. This is about 0.2 s of requests at full speed.
const QUEUE: usize = 16_384;

/// Time for which the writer lets records gather. The writer sleeps meanwhile, so that at full
/// speed it is not woken for every record.
const GATHER: Duration = Duration::from_millis(10);

/// One line of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    /// Time at which the request arrived, in microseconds since the epoch.
    pub(super) at_us: u64,
    /// Hash of the pair. `None` if the request could not be read.
    pub(super) pair: Option<u64>,
    pub(super) answer: Answer,
    /// Number of this request among those of its pair, from 1. 0 without a pair.
    pub(super) nth: u32,
}

/// Sender of records to the thread that writes the log.
#[derive(Debug)]
pub(super) struct CallLog {
    queue: SyncSender<Record>,
    writer: JoinHandle<io::Result<()>>,
}

impl CallLog {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = trusted::open_no_follow(path, OpenOptions::new().append(true).create(true))?;
        trusted::make_private(&file)?;
        let (queue, records) = sync_channel(QUEUE);
        let writer = thread::Builder::new()
            .name("sandbox-calls".to_owned())
            .spawn(move || write_all(&records, file))?;
        Ok(Self { queue, writer })
    }

    /// Queues a record. Waits if the file cannot keep up.
    pub(super) fn record(&self, record: Record) {
        // The writer still receives records after a failure, and reports the failure at the end. So
        // this can fail only after a panic of the writer, which is reported at the end too.
        let _ = self.queue.send(record);
    }

    /// Waits until all records are in the file.
    pub(super) fn finish(self) -> io::Result<()> {
        drop(self.queue);
        self.writer
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the writer of the calls log panicked")))
    }
}

fn write_all(records: &Receiver<Record>, file: File) -> io::Result<()> {
    let written = write_until_closed(records, BufWriter::with_capacity(1 << 16, file));
    if let Err(error) = &written {
        tracing::error!("the sandbox's calls log cannot be written: {error}");
        // Let the server go on. The failure is reported at the end of the sandbox.
        records.iter().for_each(drop);
    }
    written
}

fn write_until_closed(records: &Receiver<Record>, mut out: impl Write) -> io::Result<()> {
    while let Ok(first) = records.recv() {
        write(&mut out, &first)?;
        thread::sleep(GATHER);
        // The number is limited, so that lines are flushed even if requests come faster than the
        // disk can write.
        for record in records.try_iter().take(QUEUE) {
            write(&mut out, &record)?;
        }
        out.flush()?;
    }
    Ok(())
}

fn write(out: &mut impl Write, record: &Record) -> io::Result<()> {
    let terms = record.answer.terms();
    write!(out, r#"{{"at_us":{},"pair":"#, record.at_us)?;
    match record.pair {
        Some(pair) => write!(out, r#""{pair:016x}""#)?,
        None => out.write_all(b"null")?,
    }
    writeln!(
        out,
        r#","answer":"{}","http":{},"charged":{},"n":{}}}"#,
        terms.label, terms.http, terms.charged, record.nth
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn record(nth: u32) -> Record {
        Record {
            at_us: 1_700_000_000_000_000,
            pair: (nth > 0).then_some(0x0123_4567_89ab_cdef),
            answer: Answer::Match,
            nth,
        }
    }

    #[test]
    fn lines_are_whole_ordered_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls");
        for _start in 0..2 {
            let log = CallLog::open(&path).unwrap();
            for nth in 0..2 {
                log.record(record(nth));
            }
            log.finish().unwrap();
        }
        let once = "\
{\"at_us\":1700000000000000,\"pair\":null,\"answer\":\"01\",\"http\":200,\"charged\":true,\"n\":0}
{\"at_us\":1700000000000000,\"pair\":\"0123456789abcdef\",\"answer\":\"01\",\"http\":200,\"charged\":true,\"n\":1}
";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), once.repeat(2));
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        CallLog::open(&path).unwrap().finish().unwrap();
        assert_eq!(mode(), 0o600);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(CallLog::open(&link).is_err(), "a link is not followed");
    }

    #[test]
    fn a_line_is_soon_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls");
        let log = CallLog::open(&path).unwrap();
        log.record(record(1));
        let written = || std::fs::read_to_string(&path).unwrap().ends_with("}\n");
        let mut waits = 0;
        while !written() {
            waits += 1;
            assert!(waits < 1_000, "nothing is written");
            thread::sleep(Duration::from_millis(1));
        }
        log.finish().unwrap();
    }

    #[test]
    fn a_full_disk_is_reported_at_the_end() {
        let log = CallLog::open(Path::new("/dev/full")).unwrap();
        for nth in 1..40_000 {
            log.record(record(nth));
        }
        assert!(log.finish().is_err());
    }
}
