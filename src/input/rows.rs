//! Reads the rows of an input: its data records, each with the result of the checks. Each pass over
//! the input reads these rows.
//!
//! Must hold: every data record is exactly one row, in order, even if something is wrong with it.
//! Blank records and totals are not rows. Records that hold only their row number are not rows
//! either, if they come after the last row with data. All of these are counted. Each pass returns
//! the same rows.
//!
//! Never: stops because of a bad row.

use std::collections::VecDeque;
use std::str::Utf8Error;

use super::delimiter::texts;
use super::error::{InputError, InputPlace, Problem};
use super::form::Form;
use super::layout::{self, Layout, ReadOptions};
use super::reader::SourceReader;
use super::records::{Fields, Record, Records};
use super::source::Source;
use super::stream::TextStream;
use crate::model::finding::Skipped;
use crate::model::row::{Checked, NikShape, Reading, Rejection, Warnings};
use crate::model::subject::{NIK_DIGITS, Nik, Subject};
use crate::rules::headers::HeaderKey;
use crate::rules::name::check_name;
use crate::rules::nik::{NikPolicy, look_of, read_nik, read_number};
use crate::rules::skip::{Numbering, Skip, skip_reason};

/// One row of the input.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// Number of the row among the data records, from 1.
    pub record: u64,
    /// Place where the row begins.
    pub place: InputPlace,
    /// Cells of the row, unchanged.
    pub fields: Fields<'a>,
    /// Result of the checks.
    pub reading: Reading,
    /// The workbook hides the row.
    pub is_hidden: bool,
}

/// Reader of the rows of a file, from the first to the last.
pub struct Rows {
    records: Records<TextStream<SourceReader>>,
    checker: Checker,
    source: Source,
    skipped: Skipped,
    numbering: Numbering,
    /// Records that hold only their row number (1, 2, 3 …). They are rows only if a record with
    /// data follows.
    numbered: VecDeque<Numbered>,
    /// Number of cells in all of `numbered`.
    numbered_cells: usize,
    /// Reading of the record with data after `numbered`. `records` is still at that record.
    ahead: Option<Reading>,
    /// The numbered record that was returned last. A `Row` borrows its fields.
    given: Numbered,
}

/// Copy of a record that holds only its row number.
#[derive(Default)]
struct Numbered {
    place: Option<InputPlace>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Largest number of numbered records that are kept. If one more follows, all of them become rows.
const MOST_NUMBERED: usize = 1 << 20;
/// Number of cells at which no further numbered record is kept. If one more follows, all of them
/// become rows.
const MOST_NUMBERED_CELLS: usize = 1 << 23;

impl Rows {
    /// Begins a pass over the rows. `hasher` hashes every byte of the file.
    ///
    /// # Errors
    /// Returns an [`InputError`] if the titles or the header cannot be read. The problem is
    /// [`Problem::Changed`] if the header is not that of `layout`.
    pub fn open(
        source: &Source,
        layout: &Layout,
        options: &ReadOptions,
        hasher: blake3::Hasher,
    ) -> Result<Self, InputError> {
        let mut records = layout::open(source, &layout.form, layout.delimiter, hasher)?;
        for _ in 0..layout.titles {
            records.advance()?;
        }
        if let Some(header) = &layout.header {
            let same = records
                .next_record()?
                .is_some_and(|record| record.fields.iter().eq(header.iter().map(AsRef::as_ref)));
            if !same {
                return Err(source.error(Problem::Changed));
            }
        }
        records.number_from_here();
        let skipped = Skipped { titles: layout.titles, ..Skipped::default() };
        let source = source.clone();
        Ok(Self {
            records,
            checker: Checker::new(layout, options),
            source,
            skipped,
            numbering: Numbering::default(),
            numbered: VecDeque::new(),
            numbered_cells: 0,
            ahead: None,
            given: Numbered::default(),
        })
    }

    /// Returns the next row, or `None` at the end. Records that are not rows are counted and
    /// skipped.
    ///
    /// # Errors
    /// Returns the error of [`Records::next_record`] if the file cannot be read or parsed. A row
    /// that fails a check is not an error.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, InputError> {
        if self.ahead.is_none() {
            self.ahead = self.next_reading()?;
        }
        if self.ahead.is_none() {
            return Ok(None);
        }
        if let Some(numbered) = self.numbered.pop_front() {
            self.numbered_cells = self.numbered_cells.saturating_sub(numbered.ends.len());
            self.given = numbered;
            return Ok(self.numbered_row());
        }
        let Some(reading) = self.ahead.take() else { return Ok(None) };
        let Record { place, fields } = self.records.record();
        let is_hidden = self.is_hidden(place);
        Ok(Some(Row { record: place.record, place, fields, reading, is_hidden }))
    }

    /// Moves to the next record with data and checks it. Blank records and totals are counted and
    /// skipped. Numbered records are kept in `numbered`.
    fn next_reading(&mut self) -> Result<Option<Reading>, InputError> {
        while self.records.advance()? {
            let record = self.records.record();
            let continues = self.numbering.next(record.fields.iter());
            let reading = self.read(record, self.records.spans_lines());
            if reading.checked.is_ok() {
                return Ok(Some(reading));
            }
            match skip_reason(texts(record.fields).iter().map(AsRef::as_ref)) {
                Some(Skip::Blank) => self.skipped.blank += 1,
                Some(Skip::Total) => self.skipped.totals += 1,
                None if continues
                    && self.numbered.len() < MOST_NUMBERED
                    && self.numbered_cells < MOST_NUMBERED_CELLS =>
                {
                    self.numbered_cells += record.fields.len();
                    self.numbered.push_back(Numbered::of(record));
                }
                None => return Ok(Some(reading)),
            }
        }
        // No record with data followed the numbered ones.
        self.skipped.numbered += self.numbered.len() as u64;
        self.numbered.clear();
        Ok(None)
    }

    fn read(&self, record: Record<'_>, spans_lines: bool) -> Reading {
        let row = record.place.row;
        if self.checker.visible_rows && self.is_hidden(record.place) {
            return Reading::refused(Rejection::RowHidden);
        }
        if spans_lines && has_nik_across_lines(record.fields) {
            return Reading::refused(Rejection::QuoteSwallowedRows);
        }
        let cell = |column| match self.source.sheet() {
            Some(sheet) if sheet.is_number(row, column) => CellKind::Number,
            Some(sheet) if sheet.is_formula_without_value(row, column) => {
                CellKind::FormulaWithoutValue
            }
            _ => CellKind::Text,
        };
        self.checker.read(record.fields, cell)
    }

    /// Returns `given` as a row.
    fn numbered_row(&self) -> Option<Row<'_>> {
        let place = self.given.place?;
        let fields = Fields::new(&self.given.bytes, &self.given.ends);
        let reading = self.read(Record { place, fields }, false);
        let is_hidden = self.is_hidden(place);
        Some(Row { record: place.record, place, fields, reading, is_hidden })
    }

    fn is_hidden(&self, place: InputPlace) -> bool {
        self.source.sheet().is_some_and(|sheet| sheet.is_hidden(place.row))
    }

    /// Returns the number of records so far that are not rows, by kind. Lines without a record
    /// count as blank.
    pub fn skipped(&self) -> Skipped {
        Skipped { blank: self.skipped.blank + self.records.blank(), ..self.skipped }
    }

    /// Ends the pass and returns the hash of all bytes of the file, also of the bytes after the
    /// last row that was read.
    ///
    /// # Errors
    /// Returns an [`InputError`] if the rest of the file cannot be read.
    pub fn finish(self) -> Result<blake3::Hash, InputError> {
        let hash = self.records.into_input().finish();
        hash.map_err(|error| self.source.error(Problem::from_read_error(error)))
    }
}

impl Numbered {
    fn of(record: Record<'_>) -> Self {
        let mut kept = Self { place: Some(record.place), ..Self::default() };
        for field in record.fields.iter() {
            kept.bytes.extend_from_slice(field);
            kept.ends.push(kept.bytes.len());
        }
        kept
    }
}

/// Kind of a cell in a workbook, which the text of the cell does not show.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CellKind {
    /// Any cell that is neither of the others. In a text, every cell.
    Text,
    Number,
    /// A formula without a stored value.
    FormulaWithoutValue,
}

/// Checks for the fields of one record, with their options.
struct Checker {
    width: usize,
    /// Each row must have `width` fields, because the cells of any other row may be in the wrong
    /// columns. False for a sheet, where the column of each cell is known.
    even: bool,
    id: usize,
    name: usize,
    name_header: Option<HeaderKey>,
    /// The file is an output of this program, in which `'` may mark cells that begin like a
    /// formula.
    ours: bool,
    policy: NikPolicy,
    /// Rows that the workbook hides are rejected.
    visible_rows: bool,
}

impl Checker {
    fn new(layout: &Layout, options: &ReadOptions) -> Self {
        Self {
            width: layout.width,
            even: !matches!(layout.form, Form::Sheet(_)),
            id: layout.id.index,
            name: layout.name.index,
            name_header: layout.header_key(&layout.name),
            ours: layout.is_ours(),
            policy: options.nik,
            visible_rows: options.visible_rows,
        }
    }

    fn read(&self, fields: Fields<'_>, kind: impl Fn(usize) -> CellKind) -> Reading {
        // In a ragged row every cell may be in the wrong column. A name that was cut at a comma
        // would be sent, and paid for.
        if self.even && fields.len() != self.width {
            return Reading::refused(Rejection::RaggedRow);
        }
        let (id, name) = (fields.get(self.id), fields.get(self.name));
        if [self.id, self.name]
            .into_iter()
            .any(|column| kind(column) == CellKind::FormulaWithoutValue)
        {
            return Reading::refused(Rejection::FormulaWithoutValue);
        }
        let Ok(id) = std::str::from_utf8(id.unwrap_or_default()) else {
            return Reading::refused(Rejection::NotUtf8);
        };
        let name = std::str::from_utf8(name.unwrap_or_default());
        let read_nik = match kind(self.id) {
            CellKind::Number => read_number,
            _ => read_nik,
        };
        let nik = read_nik(id, &self.policy);
        let is_swapped = nik.look == NikShape::Words
            && name.is_ok_and(|name| matches!(look_of(name), NikShape::Digits(_)));
        let look = if is_swapped { NikShape::Swapped } else { nik.look };
        let checked = self.with_name(nik.result, name);
        let sendable_before = match checked {
            Err(Rejection::NikTemporary) => {
                let policy = NikPolicy { send_temporary: true, ..self.policy };
                self.with_name(read_nik(id, &policy).result, name).ok().map(Box::new)
            }
            _ => None,
        };
        Reading { checked, look, sendable_before }
    }

    /// Checks the name of a row after its NIK. Returns the rejection of the NIK if there is one.
    fn with_name(
        &self,
        nik: Result<(Nik, Warnings), Rejection>,
        name: Result<&str, Utf8Error>,
    ) -> Result<Checked, Rejection> {
        let (nik, nik_warnings) = nik?;
        let name = name.map_err(|_| Rejection::NotUtf8)?;
        let name = if self.ours { without_formula_mark(name) } else { name };
        let name = check_name(name, self.name_header.as_ref())?;
        Ok(Checked {
            subject: Subject { nik, name: name.name },
            warnings: nik_warnings.union(name.warnings),
            name_changed: name.changed,
        })
    }
}

/// Checks whether a cell with several lines holds a NIK, or 15 digits of one. Two lone quotes in
/// one column join several rows to one record of the right width, which has the name of one row and
/// the NIK of another.
fn has_nik_across_lines(fields: Fields<'_>) -> bool {
    let is_nik = |run: &[u8]| run.len() >= NIK_DIGITS - 1;
    let has_nik = |cell: &[u8]| cell.split(|byte| !byte.is_ascii_digit()).any(is_nik);
    // People may type a line end before or after a NIK, but not inside a cell with a NIK.
    fields.iter().any(|cell| cell.trim_ascii().contains(&b'\n') && has_nik(cell))
}

/// Removes the `'` that our CSV for spreadsheets puts before a text that begins like a formula. So
/// the name is again the name that was sent.
fn without_formula_mark(name: &str) -> &str {
    let inner = name.strip_prefix('\'');
    inner.filter(|rest| rest.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])).unwrap_or(name)
}

#[cfg(test)]
mod tests;
