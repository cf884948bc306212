//! Writes the results as a workbook for people: a summary, every row with its result in words, and
//! the rows that need attention.
//!
//! Must hold: no cell of the input or of the vendor becomes a formula or a link. A NIK is a text.
//! Every other cell of the input keeps its type and its number format. Memory does not grow with
//! the number of rows, because rows are kept in temporary files. These files have no name and end
//! with the process.
//!
//! Never: ends the program if the disk is full.

mod attention;
mod basics;
mod cells;
mod results;
mod styles;
mod summary;
mod table;

use std::io::{self, Write};
use std::path::Path;

use attention::Attention;
pub(super) use basics::Limits;
use basics::{catch_library_panic, io_error, no_room};
use results::ResultsSheet;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook as Book, Worksheet};
use styles::Styles;
pub(super) use table::table_workbook;

use super::input_cells::Cells;
use super::report::{RowTotals, RunReport};
use crate::input::Layout;
use crate::input::sheet::NumberFormat;
use crate::model::money::Price;
use crate::panics::catch_panic;
use crate::rules::row_result::RowResult;

/// Facts about the input and the run that a workbook is made with.
#[derive(Debug, Clone, Copy)]
pub struct BookOptions<'a> {
    /// Layout of the input.
    pub layout: &'a Layout,
    /// Number formats of the input's cells. Empty if the input is not a workbook.
    pub formats: &'a [NumberFormat],
    /// Name of the input, fit to be shown.
    pub input: &'a str,
    /// Number of the run in the ledger.
    pub run: u64,
    /// Price of a charged call, if it is known.
    pub price: Option<&'a Price>,
}

/// Writer of the results as a workbook.
pub struct Workbook<W: Write> {
    to: W,
    book: Book,
    limits: Limits,
    styles: Styles,
    footer: String,
    plan: results::Columns,
    /// Full sheets of results, in their order.
    full: Vec<Worksheet>,
    /// Sheet of results that is being written.
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
        let sheet = |book: &mut Book| catch_panic(|| book.new_worksheet_with_constant_memory());
        let mut made = || sheet(&mut book).ok_or_else(no_room)?.map_err(io_error);
        let current = ResultsSheet::begin(made()?, 0, &plan, &styles)?;
        let attention = Attention::begin(made()?, options.layout, &styles)?;
        Ok(Self { to, book, limits, styles, footer, plan, full: Vec::new(), current, attention })
    }

    pub(super) fn row(&mut self, cells: &Cells, result: &RowResult<'_>) -> io::Result<()> {
        let Self { book, limits, styles, footer, plan, full, current, attention, .. } = self;
        catch_library_panic(|| {
            if current.is_full(limits) {
                let next = book.new_worksheet_with_constant_memory()?;
                let next = ResultsSheet::begin_in(next, full.len() + 1, plan, styles)?;
                full.push(std::mem::replace(current, next).finish(plan, footer)?);
            }
            current.write(cells, result, plan, styles, limits)?;
            attention.write(cells, result, styles, limits)
        })
    }

    /// Adds the summary, writes the whole workbook to its destination, and returns the destination.
    pub(super) fn finish(self, report: &RunReport, written: &RowTotals) -> io::Result<W> {
        let Self { mut to, mut book, styles, footer, plan, full, current, attention, .. } = self;
        catch_library_panic(|| {
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

/// Returns the footer of each printed page. In a footer, `&` begins a command, so `&` is doubled in
/// the name of the input.
fn footer(input: &str, run: u64) -> String {
    const LONGEST: usize = 100;
    let input: String = input.chars().take(LONGEST).collect();
    format!("&L&8{}, run {run}&R&8Page &P of &N", input.replace('&', "&&"))
}

#[cfg(test)]
mod tests;
