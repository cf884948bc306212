//! The results as a workbook, for people: a summary, every row with its result in words, and the rows that need somebody.
//!
//! Must hold: no cell of the input or the vendor is a formula or a link; a NIK is a text; every other cell of the input
//! keeps its type and its number format. Memory does not grow with the rows; what is put aside has no name and ends with
//! us.
//! Never: ends the program where the disk is full.

mod attention;
mod cells;
mod results;
mod styles;
mod summary;

use std::io::{self, Write};
use std::path::Path;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook as Book, Worksheet, XlsxError};

use super::format::Format as Form;
use super::report::{RowTotals, RunReport};
use super::results::{Cells, RowResult};
use crate::input::Layout;
use crate::input::sheet::NumberFormat;
use crate::model::money::Price;
use crate::panics::contained;
use attention::Attention;
use results::ResultsSheet;
use styles::Styles;

/// What a sheet holds, at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Rows, the header among them.
    pub(super) rows: u32,
    /// Bytes of its XML, about: half of what a ZIP entry may hold.
    pub(super) bytes: u64,
    /// Columns.
    pub(super) columns: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rows: 1_048_576, bytes: 1 << 31, columns: Form::MOST_COLUMNS as u16 }
    }
}

/// The height of a head, for two lines.
const HEAD_HEIGHT: f64 = 32.0;

/// Facts of the input and the run that a workbook is made with.
#[derive(Debug, Clone, Copy)]
pub struct BookOptions<'a> {
    /// The places of the input's columns.
    pub layout: &'a Layout,
    /// The number formats of its cells.
    pub formats: &'a [NumberFormat],
    /// The input, fit to be shown.
    pub input: &'a str,
    /// The run in the ledger.
    pub run: u64,
    /// The price of a charged call, where it is known.
    pub price: Option<&'a Price>,
}

/// Writes the results as a workbook.
pub struct Workbook<W: Write> {
    to: W,
    book: Book,
    limits: Limits,
    styles: Styles,
    footer: String,
    plan: results::Columns,
    /// Full sheets of results, in their order; then the one that is written to.
    full: Vec<Worksheet>,
    current: ResultsSheet,
    attention: Attention,
}

impl<W: Write + Send> Workbook<W> {
    pub(super) fn new(
        to: W,
        options: BookOptions<'_>,
        folder: &Path,
        limits: Limits,
    ) -> io::Result<Self> {
        let mut book = Book::new();
        book.set_tempdir(folder).map_err(io_error)?;
        let styles = Styles::new(options.formats, options.price);
        let plan = results::Columns::of(options.layout, !options.formats.is_empty());
        let footer = footer(options.input, options.run);
        let sheet = |book: &mut Book| contained(|| book.new_worksheet_with_constant_memory());
        let mut made = || sheet(&mut book).ok_or_else(no_room)?.map_err(io_error);
        let current = ResultsSheet::begin(made()?, 0, &plan, &styles)?;
        let attention = Attention::begin(made()?, options.layout, &styles)?;
        Ok(Self { to, book, limits, styles, footer, plan, full: Vec::new(), current, attention })
    }

    pub(super) fn row(&mut self, cells: &Cells, result: &RowResult<'_>) -> io::Result<()> {
        let Self { book, limits, styles, footer, plan, full, current, attention, .. } = self;
        caught(|| {
            if current.is_full(limits) {
                let next = book.new_worksheet_with_constant_memory()?;
                let next = ResultsSheet::begin_in(next, full.len() + 1, plan, styles)?;
                full.push(std::mem::replace(current, next).finish(plan, footer)?);
            }
            current.write(cells, result, plan, styles, limits)?;
            attention.write(cells, result, styles, limits)
        })
    }

    /// Writes the summary, and all of it to its destination.
    pub(super) fn finish(self, report: &RunReport, written: &RowTotals) -> io::Result<W> {
        let Self { mut to, mut book, styles, footer, plan, full, current, attention, .. } = self;
        caught(|| {
            book.push_worksheet(summary::sheet(report, written, &styles, &footer)?);
            full.into_iter().for_each(|sheet| book.push_worksheet(sheet));
            book.push_worksheet(current.finish(&plan, &footer)?);
            book.push_worksheet(attention.finish(&styles, &footer)?);
            let begun = ExcelDateTime::from_timestamp(report.begun.0 / 1000)?;
            let title = format!("Results of {}", report.input);
            let properties = DocProperties::new().set_creation_datetime(&begun).set_title(title);
            book.set_properties(&properties);
            book.save_to_writer(&mut to)
        })?;
        Ok(to)
    }
}

/// The text at the foot of each page. `&` begins a command there.
fn footer(input: &str, run: u64) -> String {
    const LONGEST: usize = 100;
    let input: String = input.chars().take(LONGEST).collect();
    format!("&L&8{}, run {run}&R&8Page &P of &N", input.replace('&', "&&"))
}

/// A page of A4, on its side, as wide as the columns that are shown.
fn set_page(sheet: &mut Worksheet, footer: &str) {
    const A4: u8 = 9;
    sheet.set_paper_size(A4).set_landscape().set_print_fit_to_pages(1, 0);
    sheet.set_margins(0.4, 0.4, 0.5, 0.6, 0.3, 0.3).set_footer(footer);
}

/// What the library says, as the system's error where it is one. Its texts may name a folder.
fn io_error(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) | XlsxError::TempFileError(_, error) => error,
        XlsxError::ZipError(error) => error.into(),
        error => io::Error::other(format!("the workbook: {error}")),
    }
}

fn no_room() -> io::Error {
    let what = "the rows cannot be put aside in the output's folder (is the disk full?)";
    io::Error::new(io::ErrorKind::StorageFull, what)
}

/// Runs a step of the library, which ends the thread where its file cannot be written: that is an
/// error like any other, and the workbook is given up.
fn caught(step: impl FnOnce() -> Result<(), XlsxError>) -> io::Result<()> {
    contained(step).ok_or_else(no_room)?.map_err(io_error)
}

#[cfg(test)]
mod tests;
