//! Finds the layout of a file from its first records: form, delimiter, header, and the columns that
//! hold NIK and name.
//!
//! Must hold: each choice of a column is kept with its reason, which the user can read before the
//! first call. Rows above the header are left out only if they hold no data.
//!
//! Never: reads more than a sample of the file, with one exception: if neither a BOM nor the user
//! names the encoding, the whole text is read to find it.

use std::collections::HashMap;
use std::io::Read;

use super::delimiter::{HEAD_BYTES, HEADER_WITHIN, sniff, texts};
use super::error::{InputError, InputPlace, Problem, Unsupported};
use super::form::{self, Encoding, Form};
use super::reader::SourceReader;
use super::records::{BUFFER_BYTES, RecordOptions, Records};
use super::sheet::{self, SheetSpec};
use super::source::Source;
use super::stream::TextStream;
use crate::model::column::Column;
use crate::rules::columns::{
    ChosenColumn, ColumnError, ColumnLook, ColumnSample, ColumnSpec, HeaderRow, Seen, Table,
    Wanted, choose_columns, find_header,
};
use crate::rules::encoding::EncodingDetector;
use crate::rules::headers::{HeaderKey, is_header};
use crate::rules::nik::NikPolicy;
use crate::rules::skip::skip_reason;

/// Largest number of data records in the sample.
const SAMPLE_RECORDS: u64 = 1000;
/// Offset in the text, in bytes, after which no record is added to the sample. The first
/// [`HEADER_WITHIN`] records are added in any case.
const SAMPLE_BYTES: u64 = 256 * 1024;

/// ReadOptions with which the user describes the input.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Encoding of the text. `None`: find it. A BOM in the text wins over this option.
    pub encoding: Option<Encoding>,
    /// Sheet of a workbook. `None`: find it.
    pub sheet: Option<SheetSpec>,
    /// Byte between two fields. `None`: find it.
    pub delimiter: Option<u8>,
    /// The first record is data, not a header.
    pub no_header: bool,
    /// Number of records above the header, as an earlier run noted it. `None`: find it.
    pub titles: Option<usize>,
    /// The NIK column. `None`: find it.
    pub id_column: Option<ColumnSpec>,
    /// The name column. `None`: find it.
    pub name_column: Option<ColumnSpec>,
    /// NIKs to send although they fail a check.
    pub nik: NikPolicy,
    /// Rows that the workbook hides are rejected.
    pub visible_rows: bool,
}

impl ReadOptions {
    /// Returns the options that matter for the choice of a workbook's sheet.
    pub fn sheet_options(&self) -> sheet::ChoiceOptions<'_> {
        let (sheet, no_header) = (self.sheet.as_ref(), self.no_header);
        sheet::ChoiceOptions { sheet, no_header, wanted: self.wanted() }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted { id: self.id_column.as_ref(), name: self.name_column.as_ref() }
    }
}

/// Layout of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Kind of the file.
    pub form: Form,
    /// The encoding is a guess from the bytes: neither a BOM nor the user names it, and it is not
    /// UTF-8.
    pub encoding_guessed: bool,
    /// Byte between two fields.
    pub delimiter: u8,
    /// Number of records above the header. They are not rows.
    pub titles: u64,
    /// Cells of the header as in the file, without their quotes. `None` with
    /// [`ReadOptions::no_header`].
    pub header: Option<Vec<Box<[u8]>>>,
    /// Number of fields of the header. Without a header: of the first record, or of the widest of a
    /// sheet's first records. In a text, a row with another number of fields is rejected.
    pub width: usize,
    /// The NIK column, with the reason for the choice.
    pub id: ChosenColumn,
    /// The name column, with the reason for the choice.
    pub name: ChosenColumn,
    /// All columns, masked for display.
    pub seen: Seen,
    /// Number of data records in the sample.
    pub sampled: u64,
}

impl Layout {
    /// Returns the key of a column's header, or `None` if the file has no header.
    pub fn header_key(&self, column: &ChosenColumn) -> Option<HeaderKey> {
        let cell = self.header.as_ref()?.get(column.index)?;
        Some(HeaderKey::of(&String::from_utf8_lossy(cell)))
    }

    /// Returns `true` if the file is an output of this program that is used as an input.
    pub fn is_ours(&self) -> bool {
        let headers = self.header.iter().flatten().map(|cell| String::from_utf8_lossy(cell));
        headers.into_iter().any(|header| Column::of_header(&header) == Some(Column::Outcome))
    }

    /// Counts the distinct headers that more than one column has. Empty headers do not count.
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
/// Returns an [`InputError`] with one of these problems:
/// - [`Problem::Missing`], [`Problem::Io`] or [`Problem::Packed`]: the file cannot be opened, read
///   or unpacked.
/// - [`Problem::Unsupported`]: the file is in a form that is not read.
/// - [`Problem::NoSheets`]: the user named a sheet, and the input is no workbook.
/// - [`Problem::Empty`]: the file has no record.
/// - [`Problem::Nul`], [`Problem::OpenQuote`], [`Problem::TooLong`] or [`Problem::TooWide`]: a
///   record of the sample cannot be parsed.
/// - [`Problem::Columns`] or [`Problem::HeaderBelow`]: the two columns cannot be chosen.
pub fn inspect(source: &Source, options: &ReadOptions) -> Result<Layout, InputError> {
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

/// Opens the records of a source that has this form. `hasher` hashes the bytes of the file.
///
/// # Errors
/// Returns an [`InputError`] if the source cannot be opened or its first bytes cannot be read.
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

/// Finds the form of a source, whether its encoding is a guess, and its delimiter. The first bytes
/// are enough, except to find an encoding that neither a BOM nor the user names.
fn dialect(source: &Source, options: &ReadOptions) -> Result<(Form, bool, u8), InputError> {
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
    // The unpacked bytes, not decoded.
    let raw = || stream(Encoding::Utf8);
    let head = head_of(source, raw()?)?;
    form::refuse_unsupported(&head).map_err(|form| source.error(form))?;
    if gzip && (head.starts_with(form::GZIP) || head.starts_with(form::ZIP)) {
        return Err(source.error(Unsupported::PackedTwice));
    }
    // A BOM or the user's option is certain. Only an encoding that is found by the bytes is a
    // guess.
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

/// Reads the first [`HEAD_BYTES`] of a stream, or all of a shorter one.
fn head_of(source: &Source, stream: impl Read) -> Result<Vec<u8>, InputError> {
    let mut head = Vec::new();
    let read = stream.take(HEAD_BYTES as u64).read_to_end(&mut head);
    read.map_err(|error| source.error(Problem::from_read_error(error)))?;
    Ok(head)
}

/// Reads all of the text, because an accent may occur only in the last row.
fn look_at(source: &Source, mut stream: impl Read) -> Result<EncodingDetector, InputError> {
    let mut look = EncodingDetector::default();
    let mut piece = vec![0; BUFFER_BYTES];
    loop {
        let read = stream.read(&mut piece);
        let read = read.map_err(|error| source.error(Problem::from_read_error(error)))?;
        if read == 0 {
            return Ok(look);
        }
        look.add(piece.get(..read).unwrap_or_default());
    }
}

/// Copy of the cells of a record.
type Kept = Vec<Box<[u8]>>;

fn strings(cells: &[Box<[u8]>]) -> Vec<String> {
    cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect()
}

/// Sample of the first records, from which the columns are chosen.
struct Sample {
    titles: u64,
    header: Option<Kept>,
    /// `header` is certainly a header, and not a customer's row.
    certain: bool,
    columns: Vec<ColumnSample>,
    in_sheet: bool,
    rows: u64,
    /// Line of the first record below the chosen header that looks like a header too.
    header_below: Option<u64>,
}

impl Sample {
    /// Reads the sample. `in_sheet` is true for a workbook's sheet, where each cell is in its
    /// column even if rows have different numbers of cells.
    fn take<R: Read>(
        records: &mut Records<R>,
        options: &ReadOptions,
        in_sheet: bool,
    ) -> Result<Self, InputError> {
        let mut first: Vec<(InputPlace, Kept)> = Vec::new();
        while first.len() < HEADER_WITHIN
            && let Some(record) = records.next_record()?
        {
            first.push((record.place, record.fields.iter().map(Box::from).collect()));
        }
        let texts_of: Vec<_> = first.iter().map(|(_, cells)| strings(cells)).collect();
        let HeaderRow { at, certain } = match (options.no_header, options.titles) {
            (true, _) => HeaderRow { at: 0, certain: false },
            (false, Some(at)) => HeaderRow { at, certain: true },
            (false, None) => find_header(&texts_of, options.wanted()),
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

    /// Adds a data record. Blank records and totals are left out.
    fn add<T: AsRef<str>>(&mut self, cells: &[T]) {
        if skip_reason(cells.iter().map(AsRef::as_ref)).is_some() {
            return;
        }
        self.rows += 1;
        // The cells of a ragged row may be in the wrong columns.
        if self.in_sheet || cells.len() == self.columns.len() {
            self.columns.iter_mut().zip(cells).for_each(|(look, cell)| look.add(cell.as_ref()));
        }
    }

    fn looks(&self) -> Vec<ColumnLook> {
        self.columns.iter().map(ColumnSample::look).collect()
    }

    /// Converts the error of a choice to a problem. If a column is missing and a header was found
    /// further down, the rows above that header are the better explanation.
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
