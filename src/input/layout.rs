//! The layout of a file, from its first records: form, delimiter, header, and which columns hold NIK and name.
//!
//! Must hold: what is found is told with its reason, for the user to read before the first call. Rows above the header
//! are left out only where they hold no data.
//! Never: reads more than a sample, but for the encoding of a text that does not name it.

use super::delimiter::{HEAD_BYTES, HEADER_WITHIN, sniff, texts};
use super::error::{InputError, Place, Problem};
use super::form::{self, Encoding, Form, Unsupported};
use super::records::{BUFFER_BYTES, RecordOptions, Records};
use super::sheet::{self, SheetSpec};
use super::source::{Source, SourceReader};
use super::stream::TextStream;
use crate::rules::columns::{
    ChosenColumn, ColumnError, ColumnLook, ColumnSample, ColumnSpec, HeaderRow, Seen, Table,
    Wanted, choose_columns, find_header,
};
use crate::rules::encoding::TextLook;
use crate::rules::headers::{HeaderKey, OUTCOME_HEADER, column_of_ours, is_header};
use crate::rules::nik::NikPolicy;
use crate::rules::skip::skip_of;
use std::collections::HashMap;
use std::io::Read;

/// Records and bytes of a sample, at most.
const SAMPLE_RECORDS: u64 = 1000;
const SAMPLE_BYTES: u64 = 256 * 1024;

/// What the user says about the input.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How characters are written, if it is not to be found.
    pub encoding: Option<Encoding>,
    /// The sheet of a workbook, if it is not to be found.
    pub sheet: Option<SheetSpec>,
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
    /// Leave out the rows that a workbook does not show.
    pub visible_rows: bool,
}

impl Options {
    /// What tells the sheet of a workbook.
    pub fn sheet_options(&self) -> sheet::Options<'_> {
        let (sheet, no_header) = (self.sheet.as_ref(), self.no_header);
        sheet::Options { sheet, no_header, wanted: self.wanted() }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted { id: self.id_column.as_ref(), name: self.name_column.as_ref() }
    }
}

/// The layout of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What kind of file it is.
    pub form: Form,
    /// The encoding was found by its bytes alone.
    pub encoding_guessed: bool,
    /// The byte between fields.
    pub delimiter: u8,
    /// Records above the header, which are no rows.
    pub titles: u64,
    /// The header as it stands in the file, quotes taken off.
    pub header: Option<Vec<Box<[u8]>>>,
    /// Fields of the header, or of the first record. Every row of a text has as many.
    pub width: usize,
    /// The NIK column, and why.
    pub id: ChosenColumn,
    /// The name column, and why.
    pub name: ChosenColumn,
    /// The columns, fit to be shown.
    pub seen: Seen,
    /// Data records that were looked at.
    pub sampled: u64,
}

impl Layout {
    /// The key of a column's header.
    pub fn header_key(&self, column: &ChosenColumn) -> Option<HeaderKey> {
        let cell = self.header.as_ref()?.get(column.index)?;
        Some(HeaderKey::of(&String::from_utf8_lossy(cell)))
    }

    /// True if it is an output of ours, fed back.
    pub fn is_ours(&self) -> bool {
        let headers = self.header.iter().flatten().map(|cell| String::from_utf8_lossy(cell));
        headers.into_iter().any(|header| column_of_ours(&header) == Some(OUTCOME_HEADER))
    }

    /// How many headers stand above more than one column.
    pub fn repeated_headers(&self) -> u64 {
        let mut columns = HashMap::new();
        for cell in self.header.iter().flatten() {
            *columns.entry(HeaderKey::of(&String::from_utf8_lossy(cell))).or_insert(0) += 1;
        }
        columns.iter().filter(|(key, count)| !key.is_empty() && **count > 1).count() as u64
    }
}

/// Finds the layout of a file.
///
/// # Errors
/// If the file can't be read, is in a form that we don't read, or its columns can't be told.
pub fn inspect(source: &Source, options: &Options) -> Result<Layout, InputError> {
    let (form, encoding_guessed, delimiter) = dialect(source, options)?;
    let mut records = open(source, &form, delimiter, blake3::Hasher::new())?;
    if options.no_header {
        records.number_from_here();
    }
    let sample = Sample::take(&mut records, options, matches!(form, Form::Sheet(_)))?;
    if sample.columns.is_empty() {
        return Err(source.error(Problem::Empty));
    }
    let headers = sample.header.as_deref().map(strings);
    let looks = sample.looks();
    let table = Table { headers: headers.as_deref(), certain: sample.certain, looks: &looks };
    let columns = choose_columns(table, options.wanted())
        .map_err(|error| source.error(sample.explain(error)))?;
    Ok(Layout {
        form,
        encoding_guessed,
        delimiter,
        titles: sample.titles,
        width: looks.len(),
        id: columns.id,
        name: columns.name,
        seen: Seen::of(table),
        sampled: sample.rows,
        header: sample.header,
    })
}

/// The records of a source in this form.
pub(super) fn open(
    source: &Source,
    form: &Form,
    delimiter: u8,
    hasher: blake3::Hasher,
) -> Result<Records<TextStream<SourceReader>>, InputError> {
    let options = RecordOptions {
        label: source.label(),
        delimiter,
        skip: form.skip(),
        skips_line: form.sep().is_some(),
        first: 0,
        buffer: BUFFER_BYTES,
    };
    Records::new(TextStream::new(source.open()?, form, hasher), options)
}

/// Tells a source's form, whether its encoding was guessed, and its delimiter, from the first bytes.
fn dialect(source: &Source, options: &Options) -> Result<(Form, bool, u8), InputError> {
    if let Some(sheet) = source.sheet() {
        return Ok((Form::Sheet(sheet.name.clone()), false, b','));
    }
    if options.sheet.is_some() {
        return Err(source.error(Problem::NoSheets));
    }
    let gzip = head_of(source, source.open()?)?.starts_with(form::GZIP);
    let stream = |encoding| {
        let form = Form::Text { gzip, encoding, skip: 0, sep: None };
        Ok::<_, InputError>(TextStream::new(source.open()?, &form, blake3::Hasher::new()))
    };
    // As the bytes are, once they are unpacked.
    let raw = || stream(Encoding::Utf8);
    let head = head_of(source, raw()?)?;
    form::check_magic(&head).map_err(|form| source.error(form))?;
    if gzip && (head.starts_with(form::GZIP) || head.starts_with(form::ZIP)) {
        return Err(source.error(Unsupported::PackedTwice));
    }
    // A mark is no guess.
    let told = form::marked_encoding(&head).or(options.encoding);
    let encoding = match told {
        Some(encoding) => encoding,
        None if look_at(source, raw()?)?.is_windows_1252() => Encoding::Windows1252,
        None => Encoding::Utf8,
    };
    let head = head_of(source, stream(encoding)?)?;
    let form = form::text_form(gzip, encoding, &head);
    let text = head.get(form.skip()..).unwrap_or_default();
    if text.is_empty() {
        return Err(source.error(Problem::Empty));
    }
    let named = options.delimiter.or(form.sep());
    let delimiter = named.unwrap_or_else(|| sniff(text, head.len() == HEAD_BYTES));
    Ok((form, told.is_none() && encoding != Encoding::Utf8, delimiter))
}

fn head_of(source: &Source, stream: impl Read) -> Result<Vec<u8>, InputError> {
    let mut head = Vec::new();
    let read = stream.take(HEAD_BYTES as u64).read_to_end(&mut head);
    read.map_err(|error| source.error(Problem::of_reading(error)))?;
    Ok(head)
}

/// All of the text. An accent may stand in the last row alone.
fn look_at(source: &Source, mut stream: impl Read) -> Result<TextLook, InputError> {
    let mut look = TextLook::default();
    let mut piece = vec![0; BUFFER_BYTES];
    loop {
        let read = stream.read(&mut piece);
        let read = read.map_err(|error| source.error(Problem::of_reading(error)))?;
        if read == 0 {
            return Ok(look);
        }
        look.add(piece.get(..read).unwrap_or_default());
    }
}

/// A record's cells, kept.
type Kept = Vec<Box<[u8]>>;

fn strings(cells: &[Box<[u8]>]) -> Vec<String> {
    cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect()
}

/// What the first records show.
struct Sample {
    titles: u64,
    header: Option<Kept>,
    /// It is certain that it is a header.
    certain: bool,
    columns: Vec<ColumnSample>,
    in_sheet: bool,
    rows: u64,
    /// The line of a record that looks like a header below the one that was taken.
    header_below: Option<u64>,
}

impl Sample {
    /// `in_sheet`: cells stand in their columns, however many a row has.
    fn take<R: Read>(
        records: &mut Records<R>,
        options: &Options,
        in_sheet: bool,
    ) -> Result<Self, InputError> {
        let mut first: Vec<(Place, Kept)> = Vec::new();
        while first.len() < HEADER_WITHIN
            && let Some(record) = records.next_record()?
        {
            first.push((record.place, record.fields.iter().map(Box::from).collect()));
        }
        let texts_of: Vec<_> = first.iter().map(|(_, cells)| strings(cells)).collect();
        let HeaderRow { at, certain } = match options.no_header {
            true => HeaderRow { at: 0, certain: false },
            false => find_header(&texts_of, options.wanted()),
        };
        let mut rest = first.into_iter().skip(at);
        let header = if options.no_header { None } else { rest.next().map(|(_, cells)| cells) };
        let rest: Vec<_> = rest.collect();
        let widest = match &header {
            Some(header) => header.len(),
            None if in_sheet => rest.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0),
            None => rest.first().map_or(0, |(_, cells)| cells.len()),
        };
        let mut sample = Self {
            titles: at as u64,
            certain,
            columns: vec![ColumnSample::default(); widest],
            in_sheet,
            header,
            rows: 0,
            header_below: None,
        };
        for (place, cells) in &rest {
            let texts = strings(cells);
            if is_header(texts.iter().map(String::as_str)) {
                sample.header_below.get_or_insert(place.line);
            } else {
                sample.add(&texts);
            }
        }
        while let Some(record) = records.next_record()? {
            if sample.rows >= SAMPLE_RECORDS || record.place.byte > SAMPLE_BYTES {
                break;
            }
            sample.add(&texts(record.fields));
        }
        Ok(sample)
    }

    fn add<T: AsRef<str>>(&mut self, cells: &[T]) {
        if skip_of(cells.iter().map(AsRef::as_ref)).is_some() {
            return;
        }
        self.rows += 1;
        // Cells of a ragged row may stand in the wrong column.
        if self.in_sheet || cells.len() == self.columns.len() {
            self.columns.iter_mut().zip(cells).for_each(|(look, cell)| look.add(cell.as_ref()));
        }
    }

    fn looks(&self) -> Vec<ColumnLook> {
        self.columns.iter().map(ColumnSample::look).collect()
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
