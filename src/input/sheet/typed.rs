//! The typed cells of a sheet, beside their text: numbers, days and truth values, kept in a file in the order of the rows.
//!
//! Must hold: reading a row costs no more than its own cells and those that were passed over.

use super::cells::{Kind, SheetRow};
use super::formats::FormatId;
use crate::input::source::SourceReader;
use std::io::{self, BufReader, Read, Write};

/// A cell that is no text to the spreadsheet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TypedCell {
    /// A number, or a day or time counted from 1900, with the place of its format in the sheet's list.
    Number(f64, usize),
    /// A text that has a number format all the same, so that what is typed over it stays one; the format's place.
    Text(usize),
    /// TRUE or FALSE.
    Truth(bool),
}

/// Bytes of a row's head (its place, how many cells) and of a cell (column, format, value).
const HEAD: usize = 4 + 2;
const CELL: usize = 2 + 2 + 8;
/// In place of a format: the cell is a truth value.
const TRUTH: u16 = u16::MAX;
/// Added to a format: the cell is a text.
const TEXT: u16 = 1 << 15;

/// Writes the typed cells of a row. `index`: its place among the lines of the text, from 0.
pub(super) fn write(row: &SheetRow, index: u64, to: &mut impl Write) -> io::Result<()> {
    let typed = row.cells.iter().enumerate().filter_map(|(column, cell)| match cell.kind {
        Kind::Number(value, FormatId(format)) | Kind::Time(value, FormatId(format)) => {
            Some((column, format, value))
        }
        Kind::Truth(truth) => Some((column, TRUTH, f64::from(u8::from(truth)))),
        Kind::Text(FormatId(0)) | Kind::Unstored | Kind::Lost => None,
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

/// Reads the typed cells of rows, from the first row on.
pub struct TypedRows {
    input: BufReader<SourceReader>,
    /// The row whose cells come next, from 0, and how many they are.
    ahead: Option<(u64, usize)>,
}

impl TypedRows {
    pub(super) fn new(input: SourceReader) -> io::Result<Self> {
        let mut rows = Self { input: BufReader::with_capacity(64 * 1024, input), ahead: None };
        rows.ahead = rows.head()?;
        Ok(rows)
    }

    /// The typed cells of a row, each with its column, both from 0. Rows must be asked for in their order.
    ///
    /// # Errors
    /// The system's error.
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
