//! Writes and reads the typed cells of a sheet, which are kept in an unnamed file beside the text:
//! numbers, dates and truth values, in the order of the rows.
//!
//! Must hold: reading a row costs no more than reading its own typed cells and those of the rows
//! that are skipped before it.

use std::io::{self, BufReader, Read, Write};

use super::cells::{Kind, SheetRow};
use super::formats::FormatId;
use crate::input::reader::SourceReader;

/// Cell that has a type or a number format in the spreadsheet, which its text does not show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TypedCell {
    /// A number, or a date or time in days from 1900, and the index of its format in
    /// [`Sheet::formats`](super::Sheet::formats).
    Number(f64, usize),
    /// A text whose cell has a number format, and the index of that format. The format is kept for
    /// values that somebody types over the text later.
    Text(usize),
    /// TRUE or FALSE.
    Truth(bool),
}

/// Bytes of the head of a row in the file: its index and the number of its cells.
const HEAD: usize = 4 + 2;
/// Bytes of a cell in the file: its column, format and value.
const CELL: usize = 2 + 2 + 8;
/// Value in place of a format, for a cell that is a truth value.
const TRUTH: u16 = u16::MAX;
/// Bit that is set in the format of a cell that is a text.
const TEXT: u16 = 1 << 15;

/// Writes the typed cells of a row. `index` is the row's index in the text, from 0. A row without
/// typed cells is left out.
pub(super) fn write(row: &SheetRow, index: u64, to: &mut impl Write) -> io::Result<()> {
    let typed = row.cells.iter().enumerate().filter_map(|(column, cell)| match cell.kind {
        Kind::Number(value, FormatId(format)) | Kind::Time(value, FormatId(format)) => {
            Some((column, format, value))
        }
        Kind::Truth(truth) => Some((column, TRUTH, f64::from(u8::from(truth)))),
        Kind::Text(FormatId(0)) | Kind::FormulaWithoutValue | Kind::MissingText => None,
        Kind::Text(FormatId(format)) => Some((column, format | TEXT, 0.0)),
    });
    let count = u16::try_from(typed.clone().count()).unwrap_or(u16::MAX);
    if count == 0 {
        return Ok(());
    }
    to.write_all(&u32::try_from(index).unwrap_or(u32::MAX).to_le_bytes())?;
    to.write_all(&count.to_le_bytes())?;
    for (column, format, value) in typed.take(usize::from(count)) {
        to.write_all(&u16::try_from(column).unwrap_or(u16::MAX).to_le_bytes())?;
        to.write_all(&format.to_le_bytes())?;
        to.write_all(&value.to_le_bytes())?;
    }
    Ok(())
}

/// Reader of the typed cells, from the first row on.
pub struct TypedRows {
    input: BufReader<SourceReader>,
    /// Index of the next row in the file, from 0, and the number of its cells.
    ahead: Option<(u64, usize)>,
}

impl TypedRows {
    pub(super) fn new(input: SourceReader) -> io::Result<Self> {
        let mut rows = Self { input: BufReader::with_capacity(64 * 1024, input), ahead: None };
        rows.ahead = rows.head()?;
        Ok(rows)
    }

    /// Returns the typed cells of a row, each with its column. Rows and columns count from 0. The
    /// rows must be requested in ascending order.
    ///
    /// # Errors
    /// Returns the system's error if the file cannot be read.
    pub fn of_row(&mut self, row: u64) -> io::Result<Vec<(usize, TypedCell)>> {
        while let Some((at, count)) = self.ahead.filter(|(at, _)| *at <= row) {
            let mut cells = vec![0; count * CELL];
            self.input.read_exact(&mut cells)?;
            self.ahead = self.head()?;
            if at == row {
                return Ok(cells.chunks_exact(CELL).filter_map(cell_of).collect());
            }
        }
        Ok(Vec::new())
    }

    /// Reads the head of the next row. Returns `None` at the end of the file.
    fn head(&mut self) -> io::Result<Option<(u64, usize)>> {
        let mut head = [0; HEAD];
        match self.input.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let [a, b, c, d, low, high] = head;
        let (row, count) = (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([low, high]));
        Ok(Some((u64::from(row), usize::from(count))))
    }
}

/// Decodes one cell with its column.
fn cell_of(bytes: &[u8]) -> Option<(usize, TypedCell)> {
    let (column, rest) = bytes.split_first_chunk::<2>()?;
    let (format, rest) = rest.split_first_chunk::<2>()?;
    let value = f64::from_le_bytes(*rest.first_chunk::<8>()?);
    let column = usize::from(u16::from_le_bytes(*column));
    Some(match u16::from_le_bytes(*format) {
        TRUTH => (column, TypedCell::Truth(value != 0.0)),
        format if format & TEXT != 0 => (column, TypedCell::Text(usize::from(format & !TEXT))),
        format => (column, TypedCell::Number(value, usize::from(format))),
    })
}
