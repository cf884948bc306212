//! Rows: records, checked. What each pass over the input reads.
//!
//! Must hold: every data record is one row, in order, whatever is wrong with it; blank records and totals are none, and
//! are counted; each pass gives the same rows.
//! Never: stops for a bad row.

use super::delimiter::texts;
use super::error::{InputError, Place, Problem};
use super::form::Form;
use super::layout::{self, Layout, Options};
use super::records::{Fields, Record, Records};
use super::source::{Source, SourceReader};
use super::stream::TextStream;
use crate::model::finding::Skipped;
use crate::model::row::{Checked, NikLook, Reading, Rejection};
use crate::model::subject::{NIK_DIGITS, Subject};
use crate::rules::headers::{HeaderKey, OUTCOME_HEADER};
use crate::rules::name::check_name;
use crate::rules::nik::{NikPolicy, look_of, read_nik, read_number};
use crate::rules::skip::{Skip, skip_of};

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
}

/// Reads the rows of a file from the first to the last.
pub struct Rows {
    records: Records<TextStream<SourceReader>>,
    checker: Checker,
    source: Source,
    skipped: Skipped,
}

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
        Ok(Self { records, checker: Checker::new(layout, options), source, skipped })
    }

    /// The next row, or `None` at the end. Records that are no rows are counted and passed over.
    ///
    /// # Errors
    /// If reading fails, or the rest can't be taken apart. A row that is bad by itself is no error.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, InputError> {
        let reading = loop {
            if !self.records.advance()? {
                return Ok(None);
            }
            let record = self.records.record();
            let sheet = self.source.sheet();
            let is_number = |column| sheet.is_some_and(|s| s.is_number(record.place.row, column));
            let reading = match self.records.spans_lines() && swallows_rows(record.fields) {
                true => unread(Rejection::QuoteSwallowedRows),
                false => self.checker.read(record.fields, is_number),
            };
            let skip = match reading.checked {
                Ok(_) => None,
                Err(_) => skip_of(texts(record.fields).iter().map(AsRef::as_ref)),
            };
            match skip {
                None => break reading,
                Some(Skip::Blank) => self.skipped.blank += 1,
                Some(Skip::Total) => self.skipped.totals += 1,
            }
        };
        let Record { place, fields } = self.records.record();
        Ok(Some(Row { record: place.record, place, fields, reading }))
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
}

impl Checker {
    fn new(layout: &Layout, options: &Options) -> Self {
        Self {
            width: layout.width,
            even: !matches!(layout.form, Form::Sheet(_)),
            id: layout.id.index,
            name: layout.name.index,
            name_header: layout.header_key(&layout.name),
            ours: layout.header.iter().flatten().any(|cell| **cell == *OUTCOME_HEADER.as_bytes()),
            policy: options.nik,
        }
    }

    fn read(&self, fields: Fields<'_>, is_number: impl Fn(usize) -> bool) -> Reading {
        // In a ragged row every cell may stand in the wrong column: a name cut at a comma would be bought as it stands.
        if self.even && fields.len() != self.width {
            return unread(Rejection::RaggedRow);
        }
        let (id, name) = (fields.get(self.id), fields.get(self.name));
        let Ok(id) = std::str::from_utf8(id.unwrap_or_default()) else {
            return unread(Rejection::NotUtf8);
        };
        let name = std::str::from_utf8(name.unwrap_or_default());
        let nik = match is_number(self.id) {
            true => read_number(id, &self.policy),
            false => read_nik(id, &self.policy),
        };
        let checked = nik.result.and_then(|(nik, nik_warnings)| {
            let name = name.map_err(|_| Rejection::NotUtf8)?;
            let name = if self.ours { unmarked(name) } else { name };
            let name = check_name(name, self.name_header.as_ref())?;
            Ok(Checked {
                subject: Subject { nik, name: name.name },
                warnings: nik_warnings.union(name.warnings),
                name_changed: name.changed,
            })
        });
        let is_swapped = nik.look == NikLook::Words
            && name.is_ok_and(|name| matches!(look_of(name), NikLook::Digits(_)));
        Reading { checked, look: if is_swapped { NikLook::Swapped } else { nik.look } }
    }
}

fn unread(rejection: Rejection) -> Reading {
    Reading { checked: Err(rejection), look: NikLook::Other }
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
