//! Parses the text into records and their fields, one record at a time.
//!
//! Must hold: memory is bounded by the longest record allowed. The records do not depend on the
//! sizes of the reads. A line end is LF, CRLF or CR. A blank line is not a record. A line end
//! inside quotes is part of the cell.
//!
//! Never: judges a record, or continues after a NUL byte or after a quote that is never closed.

use std::io::{self, Read};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::error::{InputError, InputPlace, Problem};

/// Number of bytes read at once. The hasher in the stream below is faster with large pieces.
pub const BUFFER_BYTES: usize = 256 * 1024;
/// Length of the longest record in bytes. In a longer one, a lone quote has swallowed the rest of
/// the file, or the file is no table at all.
pub const RECORD_BYTES: usize = 1024 * 1024;
/// Largest number of fields in a record: the number of columns of the widest sheet.
const MOST_COLUMNS: usize = 16_384;

/// ReadOptions for reading a stream of records.
#[derive(Clone, Copy, Debug)]
pub struct RecordOptions<'a> {
    /// Name of the input in messages.
    pub label: &'a str,
    /// Byte between two fields.
    pub delimiter: u8,
    /// Number of bytes before the first record: a BOM, and a line that names the separator.
    pub skip: usize,
    /// The skipped bytes contain a line (`sep=;`), which a spreadsheet does not show as a row.
    pub skips_line: bool,
    /// Number of the first record: 0 for a header.
    pub first: u64,
    /// Number of bytes read at once.
    pub buffer: usize,
}

/// Reader of records.
pub struct Records<R> {
    input: R,
    label: String,
    parser: Reader,
    /// The latest piece of the text. Its bytes `start..end` are not yet parsed.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the text at which `buffer` begins.
    base: u64,
    /// The input has returned its last byte.
    ended: bool,
    /// Offset of a NUL byte in the text, at which reading must stop.
    nul: Option<u64>,
    /// Line of the byte at `start`, from 1.
    line: u64,
    /// The byte before `start` is a CR, and its line end is not counted yet: a LF may follow.
    after_cr: bool,
    /// Number of line ends that do not start a new row in a spreadsheet: those inside quotes, and
    /// that of a hidden first line.
    inner_lines: u64,
    /// The latest record has a line end inside quotes.
    spans_lines: bool,
    /// Number of lines without a record.
    blank: u64,
    /// Number of the next record.
    next: u64,
    /// Fields of the latest record, one directly after the other.
    fields: Vec<u8>,
    /// End of each field in `fields`. Only the first `width` of them are valid.
    ends: Vec<usize>,
    /// Number of fields of the latest record.
    width: usize,
    /// Place where the latest record begins.
    place: InputPlace,
}

impl<R: Read> Records<R> {
    /// Creates a reader of the records of `input`, and skips the bytes before the first record.
    ///
    /// # Errors
    /// Returns an [`InputError`] if the skipped bytes cannot be read.
    pub fn new(input: R, options: RecordOptions<'_>) -> Result<Self, InputError> {
        let mut parser = ReaderBuilder::new().delimiter(options.delimiter).build();
        // The parser strips a BOM itself, but only if the first piece contains all of it. The BOM
        // is skipped below instead, so the parser must not believe that it is at the start. The
        // parser ignores the single line end that it gets here.
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
            place: InputPlace { line: 1, row: 1, record: options.first, byte: 0 },
        };
        for _ in 0..options.skip {
            if records.peek()?.is_some() {
                records.start += 1;
            }
        }
        Ok(records)
    }

    /// Returns the next record, or `None` at the end.
    ///
    /// # Errors
    /// The problem is [`Problem::Io`] or [`Problem::Packed`] if the input cannot be read. It is
    /// [`Problem::Nul`], [`Problem::OpenQuote`], [`Problem::TooLong`] or [`Problem::TooWide`] if
    /// the text cannot be parsed.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, InputError> {
        Ok(self.advance()?.then(|| self.record()))
    }

    /// Moves to the next record. Returns `false` at the end.
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
                // `parse` has added a line end after the last byte, and not even that ended the
                // record: a quote is still open.
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

    /// Returns the record that `advance` moved to.
    pub(super) fn record(&self) -> Record<'_> {
        let ends = self.ends.get(..self.width).unwrap_or_default();
        Record { place: self.place, fields: Fields { bytes: &self.fields, ends } }
    }

    /// Returns the input, which may have unread bytes.
    pub fn into_input(self) -> R {
        self.input
    }

    /// Returns `true` if the record that `advance` moved to has a line end inside quotes.
    pub(super) fn spans_lines(&self) -> bool {
        self.spans_lines
    }

    /// Returns the number of lines without a record so far.
    pub fn blank(&self) -> u64 {
        self.blank
    }

    /// Gives the next record the number 1.
    pub(super) fn number_from_here(&mut self) {
        self.next = 1;
    }

    /// Makes an error of this input that has no place.
    pub(super) fn error(&self, problem: impl Into<Problem>) -> InputError {
        InputError::new(&self.label, problem)
    }

    /// Returns the place of a record that begins at the current position.
    fn here(&self) -> InputPlace {
        let row = self.line - self.inner_lines;
        InputPlace { line: self.line, row, record: self.next, byte: self.position() }
    }

    /// Returns `true` if the last parsed byte is a LF.
    fn ends_in_lf(&self) -> bool {
        !self.ended && self.start.checked_sub(1).and_then(|at| self.buffer.get(at)) == Some(&b'\n')
    }

    /// Returns the offset in the text of the next byte to be parsed.
    fn position(&self) -> u64 {
        self.base + self.start as u64
    }

    /// Passes the unread bytes to the parser, or a line end if the input has ended. A last record
    /// without a line end needs that line end. If the record does not end even then, a quote is
    /// still open. (Asking a clone of the parser instead does not work, because the parser does not
    /// clone correctly.)
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
            // This value matters only at the end of a record. Inside a record, later bytes replace
            // it.
            self.after_cr = piece.get(last) == Some(&b'\r');
        }
        self.start += read;
        result
    }

    /// Moves to the first byte of the next record and counts the lines. Returns `false` at the end.
    fn skip_line_ends(&mut self) -> Result<bool, InputError> {
        loop {
            let Some(byte) = self.peek()? else {
                return Ok(false);
            };
            // A CR without a LF after it is a line end.
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

    /// Returns the next byte without consuming it, or `None` at the end.
    fn peek(&mut self) -> Result<Option<u8>, InputError> {
        if self.start == self.end && !self.fill()? {
            return Ok(None);
        }
        Ok(self.buffer.get(self.start).copied())
    }

    /// Reads the next piece, after the previous one was parsed. Returns `false` at the end.
    fn fill(&mut self) -> Result<bool, InputError> {
        if self.ended {
            return Ok(false);
        }
        self.base += self.end as u64;
        (self.start, self.end) = (0, 0);
        if let Some(byte) = self.nul {
            let place = InputPlace { line: self.line, byte, ..self.place };
            return Err(self.error(Problem::Nul).at(place));
        }
        let read = loop {
            match self.input.read(&mut self.buffer) {
                Ok(read) => break read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(Problem::from_read_error(error))),
            }
        };
        let piece = self.buffer.get(..read).unwrap_or_default();
        self.end = read;
        if piece.contains(&0) {
            // The bytes before the NUL are still parsed, so that the error has the right place.
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

/// One record of a text.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Place where the record begins.
    pub place: InputPlace,
    /// Fields of the record.
    pub fields: Fields<'a>,
}

/// Fields of one record, without their quotes.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Fields<'a> {
    /// Creates the fields from their bytes, one directly after the other, and the end of each
    /// field.
    pub(super) fn new(bytes: &'a [u8], ends: &'a [usize]) -> Self {
        Self { bytes, ends }
    }

    /// Returns the number of fields. A record has at least one.
    pub fn len(self) -> usize {
        self.ends.len()
    }

    /// Returns `true` if there are no fields.
    pub fn is_empty(self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the field at `index`, from 0.
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..end)
    }

    /// Returns an iterator over the fields, in order.
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
