//! Writes the results as CSV: byte for byte for machines, or in a form that is safe for a
//! spreadsheet.

use std::io::{self, Write};

use super::format::Dialect;
use super::input_cells::{Cells, InputColumns};
use super::spreadsheet::spreadsheet_safe;
use crate::input::Layout;
use crate::model::column::Column;
use crate::rules::row_result::RowResult;

/// Byte order mark, which tells a spreadsheet that the text is UTF-8.
const BOM: &[u8] = b"\xEF\xBB\xBF";
/// Number of bytes that are collected before they are passed to the destination.
const BUFFER: usize = 256 * 1024;

/// Writer of the results as CSV.
pub struct Delimited<W: Write> {
    csv: csv::Writer<W>,
    columns: InputColumns,
    dialect: Dialect,
}

impl<W: Write> Delimited<W> {
    pub(super) fn new(
        mut to: W,
        dialect: Dialect,
        delimiter: Option<u8>,
        layout: &Layout,
    ) -> io::Result<Self> {
        let mut form = csv::WriterBuilder::new();
        form.flexible(true).buffer_capacity(BUFFER);
        match dialect {
            Dialect::Exact => form.delimiter(delimiter.unwrap_or(layout.delimiter)),
            Dialect::Spreadsheet => {
                to.write_all(BOM)?;
                // With quotes, no cell is split if the file is opened with another separator.
                let form =
                    form.delimiter(delimiter.unwrap_or(b';')).terminator(csv::Terminator::CRLF);
                form.quote_style(csv::QuoteStyle::Always)
            }
        };
        Ok(Self { csv: form.from_writer(to), columns: InputColumns::of(layout), dialect })
    }

    /// Writes the header, if the input has one.
    pub(super) fn header(&mut self, layout: &Layout) -> io::Result<()> {
        let Some(header) = &layout.header else { return Ok(()) };
        let Self { csv, columns, dialect } = self;
        columns
            .each(header.iter().map(AsRef::as_ref), |cell, _, _| put(csv, *dialect, cell, false))?;
        for column in Column::ALL {
            csv.write_field(column.name()).map_err(io_error)?;
        }
        self.end()
    }

    pub(super) fn row(&mut self, cells: &Cells, result: &RowResult<'_>) -> io::Result<()> {
        let Self { csv, columns, dialect } = self;
        columns.each(cells.iter(), |cell, _, is_id| put(csv, *dialect, cell, is_id))?;
        for column in Column::ALL {
            let mut digits = [0; 3];
            put(csv, *dialect, value(column, result, &mut digits), false)?;
        }
        for cell in columns.surplus(cells) {
            put(csv, *dialect, cell, false)?;
        }
        self.end()
    }

    /// Writes everything out, and returns the destination.
    pub(super) fn into_inner(self) -> io::Result<W> {
        self.csv.into_inner().map_err(|error| io::Error::from(error.error().kind()))
    }

    fn end(&mut self) -> io::Result<()> {
        self.csv.write_record(None::<&[u8]>).map_err(io_error)
    }
}

fn put<W: Write>(
    csv: &mut csv::Writer<W>,
    dialect: Dialect,
    cell: &[u8],
    is_id: bool,
) -> io::Result<()> {
    match dialect {
        Dialect::Exact => csv.write_field(cell),
        Dialect::Spreadsheet => csv.write_field(spreadsheet_safe(cell, is_id)),
    }
    .map_err(io_error)
}

/// Returns the value of one of our columns. A number is formatted into `digits`.
fn value<'a>(column: Column, result: &'a RowResult<'_>, digits: &'a mut [u8; 3]) -> &'a [u8] {
    let text = match column {
        Column::Outcome => result.outcome.word(),
        Column::Charged => result.charged.word(),
        Column::Reason => &result.reason,
        Column::Source => result.source.word(),
        Column::Possible => return decimal(result.possible, digits),
        Column::Attempts => return decimal(result.attempts, digits),
        Column::Result
        | Column::OrderNo
        | Column::HandleTime
        | Column::Remark
        | Column::RequestId
        | Column::Status => result.vendor_text(column),
    };
    text.as_bytes()
}

/// Formats a number in decimal without an allocation.
fn decimal(number: u8, digits: &mut [u8; 3]) -> &[u8] {
    *digits = [b'0' + number / 100, b'0' + number / 10 % 10, b'0' + number % 10];
    let from = match number {
        0..=9 => 2,
        10..=99 => 1,
        _ => 0,
    };
    digits.get(from..).unwrap_or_default()
}

fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::ErrorKind::InvalidData.into(),
    }
}
