//! Reads the bytes of a file at its own position.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Reader of a source. Several readers of one source do not disturb each other.
#[derive(Debug)]
pub struct SourceReader {
    file: Arc<File>,
    at: u64,
}

impl SourceReader {
    /// Creates a reader that starts at the first byte of `file`. Other readers of the file do not
    /// matter.
    pub(super) fn of(file: Arc<File>) -> Self {
        Self { file, at: 0 }
    }
}

impl Read for SourceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Reads at an explicit position. The readers of a temporary file share one open file, and
        // so would share its cursor.
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for SourceReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
