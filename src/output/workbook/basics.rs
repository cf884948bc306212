//! The parts that the sheets of a workbook have in common: limits, the printed page, and the
//! conversion of the library's errors.

use std::io;

use rust_xlsxwriter::{Worksheet, XlsxError};

use crate::output::format::Format as Form;
use crate::panics::catch_panic;

/// Largest size of a sheet.
#[derive(Debug, Clone, Copy)]
pub(in crate::output) struct Limits {
    /// Number of rows, including the header.
    pub(in crate::output) rows: u32,
    /// Approximate number of bytes of the sheet's XML: half of what an entry of a ZIP file may
    /// hold.
    pub(in crate::output) bytes: u64,
    /// Number of columns.
    pub(in crate::output) columns: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rows: 1_048_576, bytes: 1 << 31, columns: Form::MOST_COLUMNS as u16 }
    }
}

/// Height of the header row in points, enough for two lines.
pub(super) const HEAD_HEIGHT: f64 = 32.0;

/// Sets up the printed page: A4, landscape, scaled so that the visible columns fit into the width
/// of one page.
pub(super) fn set_page(sheet: &mut Worksheet, footer: &str) {
    const A4: u8 = 9;
    sheet.set_paper_size(A4).set_landscape().set_print_fit_to_pages(1, 0);
    sheet.set_margins(0.4, 0.4, 0.5, 0.6, 0.3, 0.3).set_footer(footer);
}

/// Converts an error of the library. An error of the system is returned without the text of the
/// library, which may contain the name of a folder.
pub(super) fn io_error(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) | XlsxError::TempFileError(_, error) => error,
        XlsxError::ZipError(error) => error.into(),
        error => io::Error::other(format!("the workbook: {error}")),
    }
}

pub(super) fn no_room() -> io::Error {
    let what = "the rows cannot be stored for a while in the output's folder; the disk may be full";
    io::Error::new(io::ErrorKind::StorageFull, what)
}

/// Runs a step of the library, which panics if its temporary file cannot be written. Such a panic
/// becomes an error, and the workbook must then be given up.
pub(super) fn catch_library_panic(step: impl FnOnce() -> Result<(), XlsxError>) -> io::Result<()> {
    catch_panic(step).ok_or_else(no_room)?.map_err(io_error)
}

/// Returns the height in points that a row needs to show these texts, each with the width of its
/// column in characters.
pub(super) fn row_height<'a>(texts: impl IntoIterator<Item = (f64, &'a str)>) -> f64 {
    const LINE: f64 = 15.0;
    const MOST_LINES: usize = 20;
    let lines = texts.into_iter().map(|(width, text)| {
        let width = width.max(1.0) as usize;
        text.lines().map(|line| line.chars().count().div_ceil(width).max(1)).sum()
    });
    lines.max().unwrap_or(1).clamp(1, MOST_LINES) as f64 * LINE
}
