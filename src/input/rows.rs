//! Rows: records, checked. What each pass over the input reads.
//!
//! Must hold: every data record is one row, in order, whatever is wrong with it; blank records, totals, and numbers behind
//! the last row with data are none, and are counted; each pass gives the same rows.
//! Never: stops for a bad row.

use super::delimiter::texts;
use super::error::{InputError, Place, Problem};
use super::form::Form;
use super::layout::{self, Layout, Options};
use super::records::{Fields, Record, Records};
use super::source::{Source, SourceReader};
use super::stream::TextStream;
use crate::model::finding::Skipped;
use crate::model::row::{Checked, NikLook, Reading, Rejection, Warnings};
use crate::model::subject::{NIK_DIGITS, Nik, Subject};
use crate::rules::headers::HeaderKey;
use crate::rules::name::check_name;
use crate::rules::nik::{NikPolicy, look_of, read_nik, read_number};
use crate::rules::skip::{Numbering, Skip, skip_of};
use std::collections::VecDeque;
use std::str::Utf8Error;

/// One row.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// Its number among the data records, from 1.
    pub record: u64,
    /// Where it begins.
    pub place: Place,
    /// Its cells, as they stand in the file.
    pub fields: Fields<'a>,
    /// What the checks found.
    pub reading: Reading,
    /// The workbook does not show it.
    pub is_hidden: bool,
}

/// Reads the rows of a file from the first to the last.
pub struct Rows {
    records: Records<TextStream<SourceReader>>,
    checker: Checker,
    source: Source,
    skipped: Skipped,
    numbering: Numbering,
    /// Records with nothing but a number: rows only if one with data follows.
    numbered: VecDeque<Numbered>,
    /// The cells that they have together.
    numbered_cells: usize,
    /// The reading of the record that followed them, which stands at `records`.
    ahead: Option<Reading>,
    /// The fields of the numbered record that was given last.
    given: Numbered,
}

/// A record with nothing but a number, kept.
#[derive(Default)]
struct Numbered {
    place: Option<Place>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Numbered records that are kept, at most, and the cells that they have together: more are rows.
const MOST_NUMBERED: usize = 1 << 20;
const MOST_NUMBERED_CELLS: usize = 1 << 23;

impl Rows {
    /// Begins a pass. The hasher is given every byte of the file.
    ///
    /// # Errors
    /// If the file can't be read, or its header is not that of the layout.
    pub fn open(
        source: &Source,
        layout: &Layout,
        options: &Options,
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

    /// The next row, or `None` at the end. Records that are no rows are counted and passed over.
    ///
    /// # Errors
    /// If reading fails, or the rest can't be taken apart. A row that is bad by itself is no error.
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

    /// Moves to the next record with data and reads it. Those that are no rows are counted and passed over; numbered ones
    /// wait.
    fn next_reading(&mut self) -> Result<Option<Reading>, InputError> {
        while self.records.advance()? {
            let record = self.records.record();
            let continues = self.numbering.next(record.fields.iter());
            let reading = self.read(record, self.records.spans_lines());
            if reading.checked.is_ok() {
                return Ok(Some(reading));
            }
            match skip_of(texts(record.fields).iter().map(AsRef::as_ref)) {
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
        // Nobody with data came after them.
        self.skipped.numbered += self.numbered.len() as u64;
        self.numbered.clear();
        Ok(None)
    }

    fn read(&self, record: Record<'_>, spans_lines: bool) -> Reading {
        let row = record.place.row;
        if self.checker.visible_rows && self.is_hidden(record.place) {
            return Reading::refused(Rejection::RowHidden);
        }
        if spans_lines && swallows_rows(record.fields) {
            return Reading::refused(Rejection::QuoteSwallowedRows);
        }
        let cell = |column| match self.source.sheet() {
            Some(sheet) if sheet.is_number(row, column) => CellKind::Number,
            Some(sheet) if sheet.is_unstored(row, column) => CellKind::Unstored,
            _ => CellKind::Text,
        };
        self.checker.read(record.fields, cell)
    }

    fn numbered_row(&self) -> Option<Row<'_>> {
        let place = self.given.place?;
        let fields = Fields::new(&self.given.bytes, &self.given.ends);
        let reading = self.read(Record { place, fields }, false);
        let is_hidden = self.is_hidden(place);
        Some(Row { record: place.record, place, fields, reading, is_hidden })
    }

    fn is_hidden(&self, place: Place) -> bool {
        self.source.sheet().is_some_and(|sheet| sheet.is_hidden(place.row))
    }

    /// Records that were no rows, so far.
    pub fn skipped(&self) -> Skipped {
        Skipped { blank: self.skipped.blank + self.records.blank(), ..self.skipped }
    }

    /// Ends the pass: the hash of all the bytes of the file, also of those that were not asked for.
    ///
    /// # Errors
    /// If reading fails.
    pub fn finish(self) -> Result<blake3::Hash, InputError> {
        let hash = self.records.into_input().finish();
        hash.map_err(|error| self.source.error(Problem::of_reading(error)))
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

/// The kind of a workbook's cell, which its text does not tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CellKind {
    Text,
    Number,
    /// A formula whose value was never stored.
    Unstored,
}

/// Checks the fields of one record.
struct Checker {
    width: usize,
    /// A row of another width has its cells in the wrong columns. A sheet's cells stand where they stand.
    even: bool,
    id: usize,
    name: usize,
    name_header: Option<HeaderKey>,
    /// The file is an output of ours: formulas in it may have been marked as text.
    ours: bool,
    policy: NikPolicy,
    /// Rows that the workbook does not show are left out.
    visible_rows: bool,
}

impl Checker {
    fn new(layout: &Layout, options: &Options) -> Self {
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
        // In a ragged row every cell may stand in the wrong column: a name cut at a comma would be bought as it stands.
        if self.even && fields.len() != self.width {
            return Reading::refused(Rejection::RaggedRow);
        }
        let (id, name) = (fields.get(self.id), fields.get(self.name));
        if [self.id, self.name].into_iter().any(|column| kind(column) == CellKind::Unstored) {
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
        let is_swapped = nik.look == NikLook::Words
            && name.is_ok_and(|name| matches!(look_of(name), NikLook::Digits(_)));
        let look = if is_swapped { NikLook::Swapped } else { nik.look };
        let checked = self.with_name(nik.result, name);
        let formerly = match checked {
            Err(Rejection::NikTemporary) => {
                let policy = NikPolicy { send_temporary: true, ..self.policy };
                self.with_name(read_nik(id, &policy).result, name).ok().map(Box::new)
            }
            _ => None,
        };
        Reading { checked, look, formerly }
    }

    /// Checks the name beside a NIK that passed.
    fn with_name(
        &self,
        nik: Result<(Nik, Warnings), Rejection>,
        name: Result<&str, Utf8Error>,
    ) -> Result<Checked, Rejection> {
        let (nik, nik_warnings) = nik?;
        let name = name.map_err(|_| Rejection::NotUtf8)?;
        let name = if self.ours { unmarked(name) } else { name };
        let name = check_name(name, self.name_header.as_ref())?;
        Ok(Checked {
            subject: Subject { nik, name: name.name },
            warnings: nik_warnings.union(name.warnings),
            name_changed: name.changed,
        })
    }
}

/// Whether a cell over several lines holds NIKs. Two lone quotes in one column make a record of the right width out of
/// several rows: the name of one and the NIK of another.
fn swallows_rows(fields: Fields<'_>) -> bool {
    let is_nik = |run: &[u8]| run.len() >= NIK_DIGITS - 1;
    let has_nik = |cell: &[u8]| cell.split(|byte| !byte.is_ascii_digit()).any(is_nik);
    // A line end around a NIK is typed by people; one inside a cell with a NIK is not.
    fields.iter().any(|cell| cell.trim_ascii().contains(&b'\n') && has_nik(cell))
}

/// Takes off the `'` with which our CSV for spreadsheets marks what begins like a formula, so that the name is the one
/// that was sent.
fn unmarked(name: &str) -> &str {
    let inner = name.strip_prefix('\'');
    inner.filter(|rest| rest.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])).unwrap_or(name)
}

#[cfg(test)]
mod tests;
