//! The results in whichever form was asked for.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::delimited::Delimited;
use super::format::Format;
use super::report::{RowTotals, RunReport};
use super::results::{Cells, RowResult};
use super::workbook::{BookOptions, Limits, Workbook};
use crate::input::Layout;

/// Writes the results. The form is asked once a row, never once a cell.
pub enum Writer<W: Write> {
    /// CSV.
    Plain(Box<Delimited<W>>),
    /// CSV, packed. Neither name nor time is in it, so that equal results are equal bytes.
    Packed(Box<Delimited<GzEncoder<W>>>),
    /// A workbook.
    Workbook(Box<Workbook<W>>),
}

impl<W: Write + Send> Writer<W> {
    /// Writes to `to`. What a workbook must put aside is kept in `folder`, in files without a name.
    ///
    /// # Errors
    /// What the system says.
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

    /// Writes the header.
    ///
    /// # Errors
    /// What the system says.
    pub fn header(&mut self, layout: &Layout) -> io::Result<()> {
        match self {
            Self::Plain(csv) => csv.header(layout),
            Self::Packed(csv) => csv.header(layout),
            // Each of its sheets has one.
            Self::Workbook(_) => Ok(()),
        }
    }

    /// Returns `true` if a cell of the input keeps its type, and so has to be known.
    pub const fn keeps_types(&self) -> bool {
        matches!(self, Self::Workbook(_))
    }

    /// Writes a row.
    ///
    /// # Errors
    /// What the system says.
    pub fn row(&mut self, cells: &Cells, result: &RowResult<'_>) -> io::Result<()> {
        match self {
            Self::Plain(csv) => csv.row(cells, result),
            Self::Packed(csv) => csv.row(cells, result),
            Self::Workbook(workbook) => workbook.row(cells, result),
        }
    }

    /// Gives the destination back, everything written out. A workbook gets its first sheet from the report
    /// and the sums over its rows.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(self, report: &RunReport, written: &RowTotals) -> io::Result<W> {
        match self {
            Self::Plain(csv) => csv.into_inner(),
            Self::Packed(csv) => csv.into_inner()?.finish(),
            Self::Workbook(workbook) => workbook.finish(report, written),
        }
    }
}
