//! The cells of a sheet as rows of text, one row at a time.
//!
//! Must hold: rows come in their order, with their place in the sheet; a number is written without loss and without an
//! exponent.

use super::bounds::Bounds;
use super::{broken, damaged, too_large};
use crate::input::error::Problem;
use calamine::{Cell, DataRef, ExcelDateTime, Xlsx, XlsxCellReader, XlsxError};
use std::io::{self, Read, Seek, Write};

/// The rows and columns of the largest sheet that a spreadsheet opens.
const MOST_ROWS: u32 = 1_048_576;
const MOST_COLUMNS: u32 = 16_384;
/// Bytes of a cell: 32,767 characters of up to four bytes.
const LONGEST_CELL: usize = 4 * 32_767;

/// One row of a sheet.
#[derive(Debug, Default)]
pub(super) struct SheetRow {
    /// Its place in the sheet, from 0.
    pub(super) index: usize,
    /// Empty rows in front of it.
    blank: usize,
    /// Its cells, each with whether it is a number.
    cells: Vec<(String, bool)>,
}

impl SheetRow {
    /// Its texts.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().map(|(text, _)| text.as_str())
    }

    /// The columns of its numbers.
    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> {
        let cells = self.cells.iter().enumerate();
        cells.filter_map(|(column, (_, is_number))| is_number.then_some(column))
    }

    /// Writes it as a line, and the empty rows in front of it as empty ones.
    /// Says how many bytes of text that is.
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<u64> {
        for _ in 0..self.blank {
            to.write_all(b"\n")?;
        }
        for (column, text) in self.texts().enumerate() {
            if column > 0 {
                to.write_all(b",")?;
            }
            if text.contains([',', '"', '\n', '\r']) {
                write!(to, "\"{}\"", text.replace('"', "\"\""))?;
            } else {
                to.write_all(text.as_bytes())?;
            }
        }
        to.write_all(b"\n")?;
        Ok(self.texts().map(|text| text.len() as u64 + 1).sum())
    }

    fn put(&mut self, cell: &Cell<DataRef<'_>>) -> Result<(), Problem> {
        let column = cell.get_position().1 as usize;
        if column < self.cells.len() {
            return Err(damaged("its cells are out of order"));
        }
        self.cells.resize_with(column, Default::default);
        let (text, is_number) = text_of(cell.get_value());
        if text.len() > LONGEST_CELL {
            return Err(too_large("a cell longer than a spreadsheet's longest"));
        }
        self.cells.push((text, is_number));
        Ok(())
    }
}

/// Reads the rows that have a filled cell.
pub(super) struct Rows<'a, R: Read + Seek> {
    reader: XlsxCellReader<'a, R>,
    /// The first cell of the next row.
    ahead: Option<Cell<DataRef<'a>>>,
    /// The row after the last one.
    next: usize,
    /// Cells that may still come.
    left: u64,
}

impl<'a, R: Read + Seek> Rows<'a, R> {
    pub(super) fn of(
        workbook: &'a mut Xlsx<R>,
        name: &str,
        bounds: &Bounds,
    ) -> Result<Self, Problem> {
        let reader = workbook.worksheet_cells_reader(name).map_err(|error| broken(&error))?;
        let mut rows = Self { reader, ahead: None, next: 0, left: bounds.cells };
        rows.ahead = rows.filled()?;
        Ok(rows)
    }

    /// The next row with a filled cell.
    pub(super) fn next_row(&mut self) -> Result<Option<SheetRow>, Problem> {
        let Some(first) = self.ahead.take() else { return Ok(None) };
        let index = first.get_position().0 as usize;
        let blank =
            index.checked_sub(self.next).ok_or_else(|| damaged("its rows are out of order"))?;
        let mut row = SheetRow { index, blank, cells: Vec::new() };
        let mut cell = Some(first);
        while let Some(at) = cell.filter(|cell| cell.get_position().0 as usize == index) {
            row.put(&at)?;
            cell = self.filled()?;
            self.ahead = cell.clone();
        }
        self.next = index + 1;
        let used = row.cells.len() as u64;
        self.left = self.left.checked_sub(used).ok_or(too_large("far too many cells"))?;
        Ok(Some(row))
    }

    /// The next cell with something in it.
    fn filled(&mut self) -> Result<Option<Cell<DataRef<'a>>>, Problem> {
        loop {
            let cell = match self.reader.next_cell() {
                Ok(Some(cell)) => cell,
                Ok(None) => return Ok(None),
                // `#SPILL!` and whatever else is new: a cell without a value.
                Err(XlsxError::CellError(_)) => continue,
                Err(error) => return Err(broken(&error)),
            };
            let (row, column) = cell.get_position();
            if row >= MOST_ROWS || column >= MOST_COLUMNS {
                return Err(damaged("a cell stands outside of any sheet"));
            }
            let is_empty = match cell.get_value() {
                DataRef::Empty => true,
                DataRef::String(text) => text.is_empty(),
                DataRef::SharedString(text) => text.is_empty(),
                _ => false,
            };
            if !is_empty {
                return Ok(Some(cell));
            }
        }
    }
}

/// A cell as text, and whether it is a number.
fn text_of(value: &DataRef<'_>) -> (String, bool) {
    // The text goes into a file of lines that knows no NUL.
    let plain = |text: &str| (text.replace('\0', ""), false);
    match value {
        DataRef::Int(number) => (number.to_string(), true),
        // Rust writes the shortest digits that are this very number, and no exponent.
        DataRef::Float(number) => (number.to_string(), true),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            plain(text)
        }
        DataRef::SharedString(text) => plain(text),
        DataRef::Bool(true) => plain("TRUE"),
        DataRef::Bool(false) => plain("FALSE"),
        DataRef::DateTime(time) if time.is_duration() => (time.as_f64().to_string(), true),
        DataRef::DateTime(time) => (date(time), false),
        DataRef::Error(error) => plain(&error.to_string()),
        DataRef::Empty => plain(""),
    }
}

/// `2026-11-23`, with the time of the day where there is one.
fn date(time: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    match (hour, minute, second) {
        (0, 0, 0) => date,
        _ => format!("{date} {hour:02}:{minute:02}:{second:02}"),
    }
}
