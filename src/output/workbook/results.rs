//! The sheets of results: the input's own columns, the result beside them, and what only a technician reads, folded.

use std::io;

use rust_xlsxwriter::{Format, IgnoreError, Worksheet, XlsxError};

use super::cells::{Width, fitting};
use super::styles::Styles;
use super::{HEAD_HEIGHT, Limits, caught, set_page};
use crate::input::Layout;
use crate::input::sheet::TypedCell;
use crate::model::column::Column;
use crate::model::money::Charge;
use crate::output::overview::in_words;
use crate::output::results::{Cells, OwnColumns, RowResult, RowSource};
use crate::output::sentences::sentence;

/// About what a cell takes in a sheet beside its own text.
const CELL_BYTES: u64 = 48;
/// The least and the greatest width of a column, in characters.
const NARROW: usize = 6;
const WIDE: usize = 45;
const TECHNICAL_WIDTH: usize = 14;
/// Columns that stay where they are while one scrolls take no more than about half a screen.
const FROZEN_WIDTH: f64 = 60.0;

/// Our columns that everybody reads, each with its least and its greatest width. All others are
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

/// Returns the heading of one of our columns.
pub(super) fn heading(column: Column) -> String {
    format!("{} ({})", column.title(), column.name())
}

/// The columns of the results, the same on each of their sheets.
pub(super) struct Columns {
    own: OwnColumns,
    heads: Vec<String>,
    /// The number of the input's own columns that are written; of those, the places of the NIK and of the name.
    kept: usize,
    id: Option<usize>,
    name: Option<usize>,
    /// The input is a workbook: its cells have formats of their own.
    has_formats: bool,
}

impl Columns {
    /// The columns of an input's results; where it has no header, its own are named by their letters.
    pub(super) fn of(layout: &Layout, has_formats: bool) -> Self {
        let own = OwnColumns::of(layout);
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

/// A sheet of results that is written to.
pub(super) struct ResultsSheet {
    sheet: Worksheet,
    widths: Vec<Width>,
    rows: u32,
    bytes: u64,
}

impl ResultsSheet {
    /// Begins the first sheet.
    pub(super) fn begin(
        sheet: Worksheet,
        number: usize,
        columns: &Columns,
        styles: &Styles,
    ) -> io::Result<Self> {
        let mut begun = None;
        caught(|| {
            begun = Some(Self::begin_in(sheet, number, columns, styles)?);
            Ok(())
        })?;
        begun.ok_or_else(|| io::ErrorKind::Other.into())
    }

    /// Begins a sheet: its name, and the head of its columns. `number`: how many stand before it.
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
            sheet.write_string_with_format(0, at, fitting(&head), &styles.head)?;
        }
        // What is typed into a column of texts stays a text: in that of the NIKs, and in all of a CSV.
        for at in (0..columns.kept).filter(|at| !columns.has_formats || columns.id == Some(*at)) {
            sheet.set_column_format(column(at), &styles.text)?;
        }
        let mut widths: Vec<_> = columns
            .heads
            .iter()
            .map(|head| {
                // A head of several words may stand in two lines.
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

    /// Sets what holds for a whole sheet: widths, what is folded and what stays in sight, a filter, its page, and that its
    /// digits are texts.
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
        // The sign that unfolds them stands in the column behind.
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

/// A row in the making.
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
            let (row, at, text) = (self.row, self.column, fitting(cell));
            match style {
                Some(style) => self.sheet.write_string_with_format(row, at, text, style)?,
                None => self.sheet.write_string(row, at, text)?,
            };
            self.saw(cell.len(), |width| width.see(cell));
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
            | Column::Status => {
                column.text().and_then(|text| result.texts.get(text)).unwrap_or_default()
            }
        };
        self.text(text, Some(&styles.text))
    }

    fn number(&mut self, number: f64, style: &Format) -> Result<(), XlsxError> {
        self.sheet.write_number_with_format(self.row, self.column, number, style)?;
        self.saw(0, |_| {});
        self.column += 1;
        Ok(())
    }

    /// A cell of the input that is no text, as it was. `text`: how it reads.
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
        // A day or a time is shown about as long as it reads.
        let is_time = text.contains(['-', ':']) && !text.starts_with('-');
        self.saw(
            text.len(),
            |width| if is_time { width.see(text) } else { width.see_number(text) },
        );
        self.column += 1;
        Ok(())
    }

    fn saw(&mut self, bytes: usize, see: impl FnOnce(&mut Width)) {
        self.bytes += bytes as u64 + CELL_BYTES;
        if let Some(width) = self.widths.get_mut(usize::from(self.column)) {
            see(width);
        }
    }

    /// Cells that were too many stand behind ours; those that no column is left for share the last.
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
