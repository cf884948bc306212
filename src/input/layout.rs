//! The layout of a file, from its first records: form, delimiter, header, and which columns hold NIK and name.
//!
//! Must hold: what is found is told with its reason, for the user to read before the first call.
//! Never: reads more than a sample.

use super::delimiter::{HEAD_BYTES, HEADER_WITHIN, sniff, texts};
use super::error::{InputError, Problem};
use super::form::{Form, tell_form};
use super::records::{BUFFER_BYTES, Fields, RecordOptions, Records};
use super::source::Source;
use crate::rules::columns::{
    ChosenColumn, ColumnError, ColumnLook, ColumnSpec, Seen, Table, Wanted, choose_columns,
};
use crate::rules::headers::is_header;
use crate::rules::nik::NikPolicy;
use std::io::Read;

/// Records and bytes of a sample, at most.
const SAMPLE_RECORDS: u64 = 1000;
const SAMPLE_BYTES: u64 = 256 * 1024;

/// What the user says about the input.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The byte between fields, if it is not to be found.
    pub delimiter: Option<u8>,
    /// The first record is data.
    pub no_header: bool,
    /// The NIK column, if it is not to be found.
    pub id_column: Option<ColumnSpec>,
    /// The name column, if it is not to be found.
    pub name_column: Option<ColumnSpec>,
    /// What to send in spite of a check.
    pub nik: NikPolicy,
}

/// The layout of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What kind of text it is.
    pub form: Form,
    /// The byte between fields.
    pub delimiter: u8,
    /// The header as it stands in the file, quotes taken off.
    pub header: Option<Vec<Box<[u8]>>>,
    /// Fields of the first record. Every row has as many.
    pub width: usize,
    /// The NIK column, and why.
    pub id: ChosenColumn,
    /// The name column, and why.
    pub name: ChosenColumn,
    /// The headers, fit to be shown.
    pub seen: Seen,
    /// Data records that were looked at.
    pub sampled: u64,
}

/// Finds the layout of a file.
///
/// # Errors
/// If the file can't be read, is in a form that we don't read, or its columns can't be told.
pub fn inspect(source: &Source, options: &Options) -> Result<Layout, InputError> {
    let (form, delimiter) = tell_dialect(source, options)?;
    let record_options = RecordOptions {
        label: source.label(),
        delimiter,
        skip: form.bom(),
        first: u64::from(options.no_header),
        buffer: BUFFER_BYTES,
    };
    let mut records = Records::new(source.open()?, record_options, blake3::Hasher::new())?;
    let sample = Sample::take(&mut records, options.no_header)?;
    if sample.looks.is_empty() {
        return Err(source.error(Problem::Empty));
    }
    let headers: Option<Vec<_>> = sample
        .header
        .as_ref()
        .map(|cells| cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect());
    let table = Table { headers: headers.as_deref(), looks: &sample.looks };
    let wanted = Wanted { id: options.id_column.as_ref(), name: options.name_column.as_ref() };
    let columns =
        choose_columns(table, wanted).map_err(|error| source.error(sample.explain(error)))?;
    Ok(Layout {
        form,
        delimiter,
        width: sample.looks.len(),
        id: columns.id,
        name: columns.name,
        seen: Seen::of(headers.as_deref().unwrap_or_default()),
        sampled: sample.rows,
        header: sample.header,
    })
}

/// Form and delimiter, from the first bytes.
fn tell_dialect(source: &Source, options: &Options) -> Result<(Form, u8), InputError> {
    let mut head = Vec::new();
    let read = source.open()?.take(HEAD_BYTES as u64).read_to_end(&mut head);
    read.map_err(|error| source.error(Problem::Io("read it", error)))?;
    let form = tell_form(&head).map_err(|form| source.error(form))?;
    let text = head.get(form.bom()..).unwrap_or_default();
    if text.is_empty() {
        return Err(source.error(Problem::Empty));
    }
    let delimiter = options.delimiter.unwrap_or_else(|| sniff(text, head.len() == HEAD_BYTES));
    Ok((form, delimiter))
}

/// What the first records show.
struct Sample {
    header: Option<Vec<Box<[u8]>>>,
    looks: Vec<ColumnLook>,
    rows: u64,
    /// The line of a record that looks like a header below the first.
    header_below: Option<u64>,
}

impl Sample {
    fn take<R: Read>(records: &mut Records<R>, no_header: bool) -> Result<Self, InputError> {
        let mut sample = Self { header: None, looks: Vec::new(), rows: 0, header_below: None };
        let Some(first) = records.next_record()? else {
            return Ok(sample);
        };
        sample.looks = vec![ColumnLook::default(); first.fields.len()];
        if no_header {
            sample.add(first.fields);
        } else {
            sample.header = Some(first.fields.iter().map(Box::from).collect());
        }
        while let Some(record) = records.next_record()? {
            if sample.rows >= SAMPLE_RECORDS || record.place.byte > SAMPLE_BYTES {
                break;
            }
            if sample.header_below.is_none() && sample.rows < HEADER_WITHIN as u64 {
                let is_header = is_header(texts(record.fields).iter().map(AsRef::as_ref));
                sample.header_below = is_header.then_some(record.place.line);
            }
            sample.add(record.fields);
        }
        Ok(sample)
    }

    fn add(&mut self, fields: Fields<'_>) {
        self.rows += 1;
        // Cells of a ragged row may stand in the wrong column.
        if fields.len() == self.looks.len() {
            self.looks.iter_mut().zip(texts(fields)).for_each(|(look, cell)| look.add(&cell));
        }
    }

    /// A missing column is better explained by rows above the header, if there are any.
    fn explain(&self, error: ColumnError) -> Problem {
        let missing = matches!(
            error,
            ColumnError::NotFound { .. }
                | ColumnError::NoSuchHeader { .. }
                | ColumnError::NoSuchIndex { .. }
        );
        match self.header_below {
            Some(line) if missing => Problem::HeaderBelow(line),
            _ => Problem::Columns(error),
        }
    }
}

#[cfg(test)]
mod tests;
