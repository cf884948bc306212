//! The sheet of the rows without a verdict, with a sentence on what happened to each, and one on
//! what to do.

use std::io;

use rust_xlsxwriter::{IgnoreError, Worksheet, XlsxError};

use super::basics::{HEAD_HEIGHT, Limits, catch_library_panic, row_height, set_page};
use super::cells::cut_to_cell;
use super::styles::Styles;
use crate::input::Layout;
use crate::output::input_cells::Cells;
use crate::output::overview::in_words;
use crate::output::sentences::{advice, sentence};
use crate::rules::row_result::RowResult;

/// Headers of the columns, and their widths in characters.
const COLUMNS: [(&str, f64); 6] = [
    ("Row in your file", 10.0),
    ("NIK", 19.0),
    ("Name", 28.0),
    ("Result", 14.0),
    ("What happened", 60.0),
    ("What to do", 54.0),
];

/// Writer of the sheet of the rows without a verdict.
pub(super) struct Attention {
    sheet: Worksheet,
    id: usize,
    name: usize,
    rows: u32,
    /// Number of rows that do not fit into the sheet.
    more: u64,
}

impl Attention {
    pub(super) fn begin(sheet: Worksheet, layout: &Layout, styles: &Styles) -> io::Result<Self> {
        let (id, name) = (layout.id.index, layout.name.index);
        let mut begun = Self { sheet, id, name, rows: 1, more: 0 };
        catch_library_panic(|| {
            let sheet = &mut begun.sheet;
            sheet.set_name("Needs attention")?.set_row_height(0, HEAD_HEIGHT)?;
            for (at, (head, width)) in (0..).zip(COLUMNS) {
                sheet.set_column_width(at, width)?;
                sheet.write_string_with_format(0, at, head, &styles.head)?;
            }
            Ok(())
        })?;
        Ok(begun)
    }

    pub(super) fn write(
        &mut self,
        cells: &Cells,
        result: &RowResult<'_>,
        styles: &Styles,
        limits: &Limits,
    ) -> Result<(), XlsxError> {
        if result.outcome.has_verdict() {
            return Ok(());
        }
        // The last row of the sheet is kept for a note on the rows that do not fit.
        if self.rows + 1 >= limits.rows {
            self.more += 1;
            return Ok(());
        }
        let own = |at: usize| {
            String::from_utf8_lossy(cells.iter().nth(at).unwrap_or_default()).into_owned()
        };
        let (sheet, row) = (&mut self.sheet, self.rows);
        sheet.write_number_with_format(row, 0, cells.row() as f64, &styles.centred)?;
        let (nik, name) = (own(self.id), own(self.name));
        let word = in_words(result.outcome).0;
        let happened = sentence(result);
        let width = |column: usize| COLUMNS.get(column).map_or(1.0, |(_, width)| *width);
        let texts = [(2, &*name), (4, &*happened), (5, advice(result))];
        let texts = texts.map(|(column, text)| (width(column), text));
        sheet.set_row_height(row, row_height(texts))?;
        for (at, text, style) in [
            (1, nik.as_str(), &styles.wrapped),
            (2, &name, &styles.wrapped),
            (3, word, styles.outcome(result.outcome)),
            (4, &happened, &styles.wrapped),
            (5, advice(result), &styles.wrapped),
        ] {
            sheet.write_string_with_format(row, at, cut_to_cell(text), style)?;
        }
        self.rows += 1;
        Ok(())
    }

    pub(super) fn finish(mut self, styles: &Styles, footer: &str) -> Result<Worksheet, XlsxError> {
        let (sheet, row) = (&mut self.sheet, self.rows);
        if row == 1 {
            sheet.write_string_with_format(row, 0, "Every row has a result.", &styles.text)?;
        } else {
            let (last_row, last_column) = (row - 1, COLUMNS.len() as u16 - 1);
            sheet.autofilter(0, 0, last_row, last_column)?;
            let as_text = IgnoreError::NumberStoredAsText;
            sheet.ignore_error_range(0, 0, last_row, last_column, as_text)?;
        }
        if self.more > 0 {
            let more =
                format!("Rows that are not listed here: {}. See the sheet Results.", self.more);
            sheet.write_string_with_format(row, 0, more, &styles.text)?;
        }
        sheet.set_freeze_panes(1, 0)?;
        sheet.set_repeat_rows(0, 0)?;
        set_page(sheet, footer);
        Ok(self.sheet)
    }
}
