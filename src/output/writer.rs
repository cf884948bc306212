//! Writes the results in the form that was asked for.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::delimited::Delimited;
use super::format::Format;
use super::input_cells::Cells;
use super::report::{RowTotals, RunReport};
use super::workbook::{BookOptions, Limits, Workbook};
use crate::input::Layout;
use crate::rules::row_result::RowResult;

/// Writer of the results. The form is checked once per row, and not once per cell.
pub enum Writer<W: Write> {
    /// A CSV.
    Plain(Box<Delimited<W>>),
    /// A packed CSV. The packed file contains neither a name nor a time, so that equal results are
    /// equal bytes.
    Packed(Box<Delimited<GzEncoder<W>>>),
    /// A workbook.
    Workbook(Box<Workbook<W>>),
}

impl<W: Write + Send> Writer<W> {
    /// Creates a writer to `to`. A workbook keeps its rows in unnamed temporary files in `folder`
    /// until it is finished.
    ///
    /// # Errors
    /// The error of `to`, or of a temporary file.
    pub fn new(to: W, format: Format, options: BookOptions<'_>, folder: &Path) -> io::Result<Self> {
        let layout = options.layout;
        Ok(match format {
            Format::Csv { dialect, packed: false, delimiter } => {
                Self::Plain(Box::new(Delimited::new(to, dialect, delimiter, layout)?))
            }
            Format::Csv { dialect, packed: true, delimiter } => {
                let to = GzEncoder::new(to, Compression::default());
                Self::Packed(Box::new(Delimited::new(to, dialect, delimiter, layout)?))
            }
            Format::Workbook => {
                let workbook = Workbook::new(to, options, folder, Limits::default())?;
                Self::Workbook(Box::new(workbook))
            }
        })
    }

    /// Writes the header of a CSV, if the input has one. Does nothing for a workbook, whose sheets
    /// have their headers already.
    ///
    /// # Errors
    /// The error of the destination.
    pub fn header(&mut self, layout: &Layout) -> io::Result<()> {
        match self {
            Self::Plain(csv) => csv.header(layout),
            Self::Packed(csv) => csv.header(layout),
            // Each sheet has its header already.
            Self::Workbook(_) => Ok(()),
        }
    }

    /// Checks whether cells keep their types, so that the typed cells of the input must be passed
    /// to [`Self::row`].
    pub const fn keeps_types(&self) -> bool {
        matches!(self, Self::Workbook(_))
    }

    /// Writes a row.
    ///
    /// # Errors
    /// The error of the destination, or of a temporary file of a workbook.
    pub fn row(&mut self, cells: &Cells, result: &RowResult<'_>) -> io::Result<()> {
        match self {
            Self::Plain(csv) => csv.row(cells, result),
            Self::Packed(csv) => csv.row(cells, result),
            Self::Workbook(workbook) => workbook.row(cells, result),
        }
    }

    /// Writes everything out, and returns the destination. `report` and `written`, the sums over
    /// the rows, are the content of a workbook's first sheet.
    ///
    /// # Errors
    /// The error of the destination, or of a temporary file of a workbook.
    pub fn finish(self, report: &RunReport, written: &RowTotals) -> io::Result<W> {
        match self {
            Self::Plain(csv) => csv.into_inner(),
            Self::Packed(csv) => csv.into_inner()?.finish(),
            Self::Workbook(workbook) => workbook.finish(report, written),
        }
    }
}
