//! Records: bytes to fields, one record at a time.
//!
//! Must hold: memory is bounded by the longest record allowed; the records are the same whatever the sizes of the reads.
//! A line end is LF, CRLF or CR; blank lines are no records; a line end inside quotes is part of the cell.
//! Never: judges a record, or goes on past a NUL byte or a quote that is never closed.

use super::error::{InputError, Place, Problem};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::io::{self, Read};

/// Bytes read at once. The hasher beneath likes large pieces.
pub const BUFFER_BYTES: usize = 256 * 1024;
/// A record longer than this is a lone quote that swallowed the file, or no table at all.
pub const RECORD_BYTES: usize = 1024 * 1024;
/// No table has more columns than the widest sheet.
const MOST_COLUMNS: usize = 16_384;

/// How a stream of records is to be read.
#[derive(Clone, Copy, Debug)]
pub struct RecordOptions<'a> {
    /// What messages call the input.
    pub label: &'a str,
    /// The byte between fields.
    pub delimiter: u8,
    /// Bytes in front of the first record: a BOM, a line that names the separator.
    pub skip: usize,
    /// Whether these bytes hold a line, which a spreadsheet does not show.
    pub skips_line: bool,
    /// The number of the first record: 0 for a header.
    pub first: u64,
    /// Bytes read at once.
    pub buffer: usize,
}

/// Reads records.
pub struct Records<R> {
    input: R,
    label: String,
    parser: Reader,
    /// What was read: `start..end` is not yet parsed.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where in the file `buffer` begins.
    base: u64,
    /// Whether the last byte was read.
    ended: bool,
    /// Where reading must stop for a NUL byte.
    nul: Option<u64>,
    /// The line that `start` is on, and whether a CR stands before it that no LF has followed yet.
    line: u64,
    after_cr: bool,
    /// Line ends that a spreadsheet makes no row of: those inside quotes, that of a hidden first line.
    inner_lines: u64,
    spans_lines: bool,
    /// Lines without a record.
    blank: u64,
    /// The number of the next record.
    next: u64,
    /// The record: its fields end to end, where each ends, how many there are, and where it began.
    fields: Vec<u8>,
    ends: Vec<usize>,
    width: usize,
    place: Place,
}

impl<R: Read> Records<R> {
    /// Begins at the first byte of `input`.
    ///
    /// # Errors
    /// If reading fails.
    pub fn new(input: R, options: RecordOptions<'_>) -> Result<Self, InputError> {
        let mut parser = ReaderBuilder::new().delimiter(options.delimiter).build();
        // The parser would strip a BOM of its own accord, but only from a first piece that holds all of it. That is
        // done here, so let it see that it isn't at the start. A line end alone is nothing to it.
        parser.read_record(b"\n", &mut [0], &mut [0]);
        let mut records = Self {
            input,
            label: options.label.to_owned(),
            parser,
            buffer: vec![0; options.buffer.max(1)],
            start: 0,
            end: 0,
            base: 0,
            ended: false,
            nul: None,
            line: 1 + u64::from(options.skips_line),
            after_cr: false,
            inner_lines: u64::from(options.skips_line),
            spans_lines: false,
            blank: 0,
            next: options.first,
            fields: vec![0; 8 * 1024],
            ends: vec![0; 64],
            width: 0,
            place: Place { line: 1, row: 1, record: options.first, byte: 0 },
        };
        for _ in 0..options.skip {
            if records.peek()?.is_some() {
                records.start += 1;
            }
        }
        Ok(records)
    }

    /// The next record, or `None` at the end.
    ///
    /// # Errors
    /// If reading fails, or the text can't be taken apart.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, InputError> {
        Ok(self.advance()?.then(|| self.record()))
    }

    /// Moves to the next record. False at the end.
    pub(super) fn advance(&mut self) -> Result<bool, InputError> {
        if !self.skip_line_ends()? {
            return Ok(false);
        }
        self.place = self.here();
        self.next += 1;
        let (mut bytes, mut width) = (0, 0);
        loop {
            let result = self.parse(&mut bytes, &mut width);
            if self.position() - self.place.byte > RECORD_BYTES as u64 {
                return Err(self.error(Problem::TooLong(RECORD_BYTES)).at(self.place));
            }
            if width > MOST_COLUMNS {
                return Err(self.error(Problem::TooWide(MOST_COLUMNS)).at(self.place));
            }
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::OutputFull => self.fields.resize(self.fields.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                // Not even the line end after the last byte ended the record: it is part of a quoted cell.
                ReadRecordResult::InputEmpty if self.ended => {
                    return Err(self.error(Problem::OpenQuote).at(self.place));
                }
                ReadRecordResult::InputEmpty => {
                    self.fill()?;
                }
                ReadRecordResult::End => return Ok(false),
            }
        }
        self.width = width;
        let own_end = u64::from(self.ends_in_lf());
        let inner = (self.line - self.place.line).saturating_sub(own_end);
        self.spans_lines = inner > 0;
        self.inner_lines += inner;
        Ok(true)
    }

    /// The record that `advance` moved to.
    pub(super) fn record(&self) -> Record<'_> {
        let ends = self.ends.get(..self.width).unwrap_or_default();
        Record { place: self.place, fields: Fields { bytes: &self.fields, ends } }
    }

    /// The input, read as far as it was needed.
    pub fn into_input(self) -> R {
        self.input
    }

    /// Whether the record that `advance` moved to goes over more than one line.
    pub(super) fn spans_lines(&self) -> bool {
        self.spans_lines
    }

    /// Lines without a record, so far.
    pub fn blank(&self) -> u64 {
        self.blank
    }

    /// Numbers the records from 1, from the next one on.
    pub(super) fn number_from_here(&mut self) {
        self.next = 1;
    }

    pub(super) fn error(&self, problem: impl Into<Problem>) -> InputError {
        InputError::new(&self.label, problem)
    }

    /// The place of a record that begins here.
    fn here(&self) -> Place {
        let row = self.line - self.inner_lines;
        Place { line: self.line, row, record: self.next, byte: self.position() }
    }

    /// Whether the last byte that was parsed is a LF.
    fn ends_in_lf(&self) -> bool {
        !self.ended && self.start.checked_sub(1).and_then(|at| self.buffer.get(at)) == Some(&b'\n')
    }

    /// Where in the text the parser stands.
    fn position(&self) -> u64 {
        self.base + self.start as u64
    }

    /// Gives the parser what is there. After the file's last byte that is a line end, which a last record without one
    /// needs, and which tells a quote that is still open. (A copy of the parser can't be asked: it doesn't copy well.)
    fn parse(&mut self, bytes: &mut usize, width: &mut usize) -> ReadRecordResult {
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        let piece = if self.ended { b"\n" } else { unread };
        let fields = self.fields.get_mut(*bytes..).unwrap_or_default();
        let ends = self.ends.get_mut(*width..).unwrap_or_default();
        let line_ends = self.parser.line();
        let (result, read, written, ended) = self.parser.read_record(piece, fields, ends);
        *bytes += written;
        *width += ended;
        if self.ended {
            return result;
        }
        self.line += self.parser.line() - line_ends;
        if let Some(last) = read.checked_sub(1) {
            // Of interest at a record's end only; inside one, more bytes follow.
            self.after_cr = piece.get(last) == Some(&b'\r');
        }
        self.start += read;
        result
    }

    /// Moves to the first byte of the next record, counting lines. False at the end.
    fn skip_line_ends(&mut self) -> Result<bool, InputError> {
        loop {
            let Some(byte) = self.peek()? else {
                return Ok(false);
            };
            // A CR is a line end of its own unless a LF follows.
            if self.after_cr && byte != b'\n' {
                self.line += 1;
            }
            let ends_crlf = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.blank += u64::from(!ends_crlf);
                }
                b'\r' => self.blank += 1,
                _ => return Ok(true),
            }
            self.start += 1;
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, InputError> {
        if self.start == self.end && !self.fill()? {
            return Ok(None);
        }
        Ok(self.buffer.get(self.start).copied())
    }

    /// Reads the next piece, once the last is parsed. False at the end.
    fn fill(&mut self) -> Result<bool, InputError> {
        if self.ended {
            return Ok(false);
        }
        self.base += self.end as u64;
        (self.start, self.end) = (0, 0);
        if let Some(byte) = self.nul {
            let place = Place { line: self.line, byte, ..self.place };
            return Err(self.error(Problem::Nul).at(place));
        }
        let read = loop {
            match self.input.read(&mut self.buffer) {
                Ok(read) => break read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(Problem::of_reading(error))),
            }
        };
        let piece = self.buffer.get(..read).unwrap_or_default();
        self.end = read;
        if piece.contains(&0) {
            // What stands before it is still parsed, so that the place can be told.
            let before = piece.iter().take_while(|byte| **byte != 0).count();
            self.nul = Some(self.base + before as u64);
            self.end = before;
            if before == 0 {
                return self.fill();
            }
        }
        self.ended = read == 0;
        Ok(!self.ended)
    }
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Where it begins.
    pub place: Place,
    /// Its fields.
    pub fields: Fields<'a>,
}

/// The fields of one record, their quotes taken off.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Fields<'a> {
    /// Fields end to end, and where each ends.
    pub(super) fn new(bytes: &'a [u8], ends: &'a [usize]) -> Self {
        Self { bytes, ends }
    }

    /// How many there are. A record has at least one.
    pub fn len(self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.ends.is_empty()
    }

    /// One of them, counted from 0.
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..end)
    }

    /// Each of them, in order.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.len()).filter_map(move |index| self.get(index))
    }
}

impl std::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fields({} hidden)", self.ends.len())
    }
}

#[cfg(test)]
mod tests;
