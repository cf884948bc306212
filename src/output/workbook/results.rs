//! The sheets of results: the input's own columns, the result of each row beside them, and folded
//! columns with technical details.

use std::io;

use rust_xlsxwriter::{Format, IgnoreError, Worksheet, XlsxError};

use super::basics::{HEAD_HEIGHT, Limits, catch_library_panic, set_page};
use super::cells::{Width, cut_to_cell};
use super::styles::Styles;
use crate::input::Layout;
use crate::input::sheet::TypedCell;
use crate::model::column::Column;
use crate::model::money::Charge;
use crate::output::input_cells::{Cells, InputColumns};
use crate::output::overview::in_words;
use crate::output::sentences::sentence;
use crate::rules::row_result::{RowResult, RowSource};

/// Approximate number of bytes that a cell takes in a sheet, in addition to its text.
const CELL_BYTES: u64 = 48;
/// Smallest width of a column of the input, in characters.
const NARROW: usize = 6;
/// Largest width of a column of the input or of a folded column, in characters.
const WIDE: usize = 45;
/// Smallest width of a folded column, in characters.
const TECHNICAL_WIDTH: usize = 14;
/// Largest width of the frozen columns in characters: about half a screen.
const FROZEN_WIDTH: f64 = 60.0;

/// Our columns that are not folded, each with its smallest and its largest width. All others are
/// folded.
const SHOWN: [(Column, usize, usize); 3] =
    [(Column::Outcome, 14, 14), (Column::Charged, 12, 12), (Column::Reason, 24, 60)];

/// Returns our columns that are folded.
fn folded() -> impl Iterator<Item = Column> {
    Column::ALL.into_iter().filter(|column| SHOWN.iter().all(|(shown, ..)| shown != column))
}

/// Returns our columns in the order of a sheet.
fn our_columns() -> impl Iterator<Item = Column> {
    SHOWN.into_iter().map(|(column, ..)| column).chain(folded())
}

/// Returns the header of one of our columns: `Result (ck_outcome)`.
pub(super) fn heading(column: Column) -> String {
    format!("{} ({})", column.title(), column.name())
}

/// Columns of the results. All sheets of results have the same columns.
pub(super) struct Columns {
    own: InputColumns,
    heads: Vec<String>,
    /// Number of the input's own columns that are written.
    kept: usize,
    /// Index of the NIK's column among the columns that are written, if it is one of them.
    id: Option<usize>,
    /// Index of the name's column among the columns that are written, if it is one of them.
    name: Option<usize>,
    /// True if the input is a workbook, whose cells have their own formats.
    has_formats: bool,
}

impl Columns {
    /// Returns the columns of an input's results. If the input has no header, its columns are named
    /// by their letters.
    pub(super) fn of(layout: &Layout, has_formats: bool) -> Self {
        let own = InputColumns::of(layout);
        let head = |at: usize| match &layout.header {
            Some(header) => header.get(at).map(|cell| String::from_utf8_lossy(cell).into_owned()),
            None => Some(format!("Column {}", crate::rules::columns::column_letters(at))),
        };
        let heads: Vec<_> = own.places().map(|at| head(at).unwrap_or_default()).collect();
        let place = |index| own.places().position(|at| at == index);
        let (id, name) = (place(layout.id.index), place(layout.name.index));
        Self { kept: heads.len(), id, name, own, heads, has_formats }
    }

    fn last(&self) -> u16 {
        column(self.kept + Column::ALL.len() - 1)
    }
}

/// Writer of a sheet of results.
pub(super) struct ResultsSheet {
    sheet: Worksheet,
    widths: Vec<Width>,
    rows: u32,
    bytes: u64,
}

impl ResultsSheet {
    /// Begins the first sheet. Unlike [`Self::begin_in`], it converts a panic of the library to an
    /// error.
    pub(super) fn begin(
        sheet: Worksheet,
        number: usize,
        columns: &Columns,
        styles: &Styles,
    ) -> io::Result<Self> {
        let mut begun = None;
        catch_library_panic(|| {
            begun = Some(Self::begin_in(sheet, number, columns, styles)?);
            Ok(())
        })?;
        begun.ok_or_else(|| io::ErrorKind::Other.into())
    }

    /// Begins a sheet: writes its name and the headers of its columns. `number` is the number of
    /// sheets of results before it.
    pub(super) fn begin_in(
        mut sheet: Worksheet,
        number: usize,
        columns: &Columns,
        styles: &Styles,
    ) -> Result<Self, XlsxError> {
        match number {
            0 => sheet.set_name("Results")?,
            n => sheet.set_name(format!("Results {}", n + 1))?,
        };
        sheet.set_row_height(0, HEAD_HEIGHT)?;
        let heads = columns.heads.iter().cloned().chain(our_columns().map(heading));
        for (at, head) in (0..).zip(heads) {
            sheet.write_string_with_format(0, at, cut_to_cell(&head), &styles.head)?;
        }
        // A value that somebody types into a column of texts later stays a text. Columns of texts
        // are that of the NIKs, and all columns of a CSV.
        for at in (0..columns.kept).filter(|at| !columns.has_formats || columns.id == Some(*at)) {
            sheet.set_column_format(column(at), &styles.text)?;
        }
        let mut widths: Vec<_> = columns
            .heads
            .iter()
            .map(|head| {
                // A header of several words may be shown in two lines.
                let longest = head.split_whitespace().map(|word| word.chars().count()).max();
                let half = head.chars().count().div_ceil(2) + 2;
                let least = longest.unwrap_or(0).max(half.min(WIDE)).max(NARROW);
                Width::between(least, WIDE)
            })
            .collect();
        widths.extend(SHOWN.iter().map(|(_, least, most)| Width::between(*least, *most)));
        widths.extend(folded().map(|_| Width::between(TECHNICAL_WIDTH, WIDE)));
        Ok(Self { sheet, widths, rows: 1, bytes: 0 })
    }

    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        self.rows >= limits.rows || self.bytes >= limits.bytes
    }

    pub(super) fn write(
        &mut self,
        cells: &Cells,
        result: &RowResult<'_>,
        columns: &Columns,
        styles: &Styles,
        limits: &Limits,
    ) -> Result<(), XlsxError> {
        let Self { sheet, widths, rows, bytes } = self;
        let mut line = Line { sheet, widths, row: *rows, column: 0, bytes: 0 };
        columns.own.each(cells.iter(), |cell, at, is_id| {
            let text = String::from_utf8_lossy(cell);
            match cells.typed(at) {
                Some(typed) if !is_id => line.typed(typed, &text, styles),
                _ => line.text(&text, None),
            }
        })?;
        for column in our_columns() {
            line.ours(column, result, styles)?;
        }
        line.surplus(columns.own.surplus(cells), limits.columns, &styles.text)?;
        *bytes += line.bytes;
        *rows += 1;
        Ok(())
    }

    /// Sets the properties of the whole sheet: the widths of the columns, the folded and the frozen
    /// columns, the filter, the printed page, and that digits stored as text are no errors.
    pub(super) fn finish(
        mut self,
        columns: &Columns,
        footer: &str,
    ) -> Result<Worksheet, XlsxError> {
        let (last_row, last_column) = (self.rows.saturating_sub(1), columns.last());
        let sheet = &mut self.sheet;
        for (at, width) in (0..).zip(&self.widths) {
            sheet.set_column_width(at, width.characters())?;
        }
        let folded = column(columns.kept + SHOWN.len());
        // The button that unfolds the columns is at the column behind them, which must exist.
        if last_column + 1 < Limits::default().columns {
            sheet.group_columns_collapsed(folded, last_column)?;
        }
        let frozen = columns.name.map_or(0, |name| name + 1);
        let width: f64 = self.widths.iter().take(frozen).map(|width| width.characters()).sum();
        sheet.set_freeze_panes(1, if width <= FROZEN_WIDTH { column(frozen) } else { 0 })?;
        sheet.autofilter(0, 0, last_row, last_column)?;
        let as_text = IgnoreError::NumberStoredAsText;
        sheet.ignore_error_range(0, 0, last_row, last_column, as_text)?;
        sheet.set_repeat_rows(0, 0)?;
        set_page(sheet, footer);
        Ok(self.sheet)
    }
}

fn column(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

/// A row that is being written.
struct Line<'a> {
    sheet: &'a mut Worksheet,
    widths: &'a mut [Width],
    row: u32,
    column: u16,
    bytes: u64,
}

impl Line<'_> {
    fn text(&mut self, cell: &str, style: Option<&Format>) -> Result<(), XlsxError> {
        if !cell.is_empty() {
            let (row, at, text) = (self.row, self.column, cut_to_cell(cell));
            match style {
                Some(style) => self.sheet.write_string_with_format(row, at, text, style)?,
                None => self.sheet.write_string(row, at, text)?,
            };
            self.count_cell(cell.len(), |width| width.see(cell));
        }
        self.column += 1;
        Ok(())
    }

    /// Writes one of our columns.
    fn ours(
        &mut self,
        column: Column,
        result: &RowResult<'_>,
        styles: &Styles,
    ) -> Result<(), XlsxError> {
        let text = match column {
            Column::Outcome => {
                let (word, style) = (in_words(result.outcome).0, styles.outcome(result.outcome));
                return self.text(word, Some(style));
            }
            Column::Reason => return self.text(&sentence(result), Some(&styles.text)),
            Column::Possible => return self.number(f64::from(result.possible), &styles.count),
            Column::Attempts => return self.number(f64::from(result.attempts), &styles.count),
            Column::Charged => charged(result.charged),
            Column::Source => source(result.source),
            Column::Result
            | Column::OrderNo
            | Column::HandleTime
            | Column::Remark
            | Column::RequestId
            | Column::Status => result.vendor_text(column),
        };
        self.text(text, Some(&styles.text))
    }

    fn number(&mut self, number: f64, style: &Format) -> Result<(), XlsxError> {
        self.sheet.write_number_with_format(self.row, self.column, number, style)?;
        self.count_cell(0, |_| {});
        self.column += 1;
        Ok(())
    }

    /// Writes a typed cell of the input as it was. `text` is the text of the cell, which decides
    /// the width of the column.
    fn typed(&mut self, cell: TypedCell, text: &str, styles: &Styles) -> Result<(), XlsxError> {
        let (row, at) = (self.row, self.column);
        match cell {
            TypedCell::Number(number, format) => {
                let style = styles.numbers.get(format).or(styles.numbers.first());
                let style = style.unwrap_or(&styles.count);
                self.sheet.write_number_with_format(row, at, number, style)?;
            }
            TypedCell::Text(format) => return self.text(text, styles.numbers.get(format)),
            TypedCell::Truth(truth) => {
                self.sheet.write_boolean(row, at, truth)?;
            }
        }
        // A date or a time is shown with about the length of its text.
        let is_time = text.contains(['-', ':']) && !text.starts_with('-');
        self.count_cell(
            text.len(),
            |width| if is_time { width.see(text) } else { width.see_number(text) },
        );
        self.column += 1;
        Ok(())
    }

    fn count_cell(&mut self, bytes: usize, see: impl FnOnce(&mut Width)) {
        self.bytes += bytes as u64 + CELL_BYTES;
        if let Some(width) = self.widths.get_mut(usize::from(self.column)) {
            see(width);
        }
    }

    /// Writes surplus cells after our columns. The cells for which there is no column are joined in
    /// the last column.
    fn surplus<'c>(
        &mut self,
        mut cells: impl Iterator<Item = &'c [u8]>,
        columns: u16,
        style: &Format,
    ) -> Result<(), XlsxError> {
        while let Some(cell) = cells.next() {
            let mut cell = String::from_utf8_lossy(cell).into_owned();
            if self.column + 1 >= columns {
                for more in cells.by_ref() {
                    cell.push_str(" | ");
                    cell.push_str(&String::from_utf8_lossy(more));
                }
            }
            self.text(&cell, Some(style))?;
        }
        Ok(())
    }
}

const fn charged(charge: Charge) -> &'static str {
    match charge {
        Charge::Charged => "Yes",
        Charge::Free => "No",
        Charge::Unknown => "Unknown",
    }
}

const fn source(source: RowSource) -> &'static str {
    match source {
        RowSource::Call => "Call",
        RowSource::Duplicate => "Duplicate",
        RowSource::Ledger => "Earlier run",
        RowSource::Nowhere => "",
    }
}
