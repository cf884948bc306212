//! Rows: records, checked. What each pass over the input reads.
//!
//! Must hold: every data record is one row, in order, whatever is wrong with it; each pass gives the same rows.
//! Never: stops for a bad row.

use super::error::{InputError, Problem};
use super::layout::{Layout, Options};
use super::records::{BUFFER_BYTES, Fields, RecordOptions, Records};
use super::source::{Source, SourceReader};
use crate::model::row::{Checked, NikLook, Reading, Rejection};
use crate::model::subject::Subject;
use crate::rules::headers::HeaderKey;
use crate::rules::name::check_name;
use crate::rules::nik::{NikPolicy, read_nik};

/// One row.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// Its number among the data records, from 1.
    pub record: u64,
    /// The line it begins on, from 1.
    pub line: u64,
    /// The byte it begins at, from 0.
    pub byte: u64,
    /// Its cells, as they stand in the file.
    pub fields: Fields<'a>,
    /// What the checks found.
    pub reading: Reading,
}

/// Reads the rows of a file from the first to the last.
pub struct Rows {
    records: Records<SourceReader>,
    checker: Checker,
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
        let record_options = RecordOptions {
            label: source.label(),
            delimiter: layout.delimiter,
            skip: layout.form.bom(),
            first: u64::from(layout.header.is_none()),
            buffer: BUFFER_BYTES,
        };
        let mut records = Records::new(source.open()?, record_options, hasher)?;
        if let Some(header) = &layout.header {
            let same = records
                .next_record()?
                .is_some_and(|record| record.fields.iter().eq(header.iter().map(AsRef::as_ref)));
            if !same {
                return Err(source.error(Problem::Changed));
            }
        }
        Ok(Self { records, checker: Checker::new(layout, options) })
    }

    /// The next row, or `None` at the end.
    ///
    /// # Errors
    /// If reading fails, or the rest can't be taken apart. A row that is bad by itself is no error.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, InputError> {
        if !self.records.advance()? {
            return Ok(None);
        }
        let record = self.records.record();
        let reading = self.checker.read(record.fields);
        let place = record.place;
        Ok(Some(Row {
            record: place.record,
            line: place.line,
            byte: place.byte,
            fields: record.fields,
            reading,
        }))
    }

    /// Ends the pass: the hash of all the bytes of the file, also of those that were not asked for.
    ///
    /// # Errors
    /// If reading fails.
    pub fn finish(self) -> Result<blake3::Hash, InputError> {
        self.records.finish()
    }
}

/// Checks the fields of one record.
struct Checker {
    width: usize,
    id: usize,
    name: usize,
    name_header: Option<HeaderKey>,
    policy: NikPolicy,
}

impl Checker {
    fn new(layout: &Layout, options: &Options) -> Self {
        let header = layout.header.as_ref().and_then(|cells| cells.get(layout.name.index));
        Self {
            width: layout.width,
            id: layout.id.index,
            name: layout.name.index,
            name_header: header.map(|cell| HeaderKey::of(&String::from_utf8_lossy(cell))),
            policy: options.nik,
        }
    }

    fn read(&self, fields: Fields<'_>) -> Reading {
        let unread = |rejection| Reading { checked: Err(rejection), look: NikLook::Other };
        // In a ragged row every cell may stand in the wrong column: a name cut at a comma would be bought as it stands.
        if fields.len() != self.width {
            return unread(Rejection::RaggedRow);
        }
        let (Some(id), Some(name)) = (fields.get(self.id), fields.get(self.name)) else {
            return unread(Rejection::RaggedRow);
        };
        let Ok(id) = std::str::from_utf8(id) else {
            return unread(Rejection::NotUtf8);
        };
        let nik = read_nik(id, &self.policy);
        let checked = nik.result.and_then(|(nik, nik_warnings)| {
            let name = std::str::from_utf8(name).map_err(|_| Rejection::NotUtf8)?;
            let name = check_name(name, self.name_header.as_ref())?;
            Ok(Checked {
                subject: Subject { nik, name: name.name },
                warnings: nik_warnings.union(name.warnings),
                name_changed: name.changed,
            })
        });
        Reading { checked, look: nik.look }
    }
}

#[cfg(test)]
mod tests;
