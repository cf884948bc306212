//! A workbook with one sheet: a table of texts.

use std::io::{self, Write};

use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, IgnoreError, Workbook as Book, Worksheet, XlsxError,
};

use super::basics::{HEAD_HEIGHT, catch_library_panic, row_height, set_page};
use super::cells::cut_to_cell;
use super::styles::Styles;
use crate::output::table::Table;

/// Writes a table as a workbook.
///
/// # Errors
/// The error of the destination.
pub(in crate::output) fn table_workbook<W: Write + Send>(
    mut to: W,
    table: &Table<'_>,
) -> io::Result<W> {
    catch_library_panic(|| {
        let mut book = Book::new();
        book.push_worksheet(sheet_of(table)?);
        // Equal tables are equal bytes.
        let epoch = ExcelDateTime::from_timestamp(0)?;
        book.set_properties(&DocProperties::new().set_creation_datetime(&epoch));
        book.save_to_writer(&mut to)
    })?;
    Ok(to)
}

fn sheet_of(table: &Table<'_>) -> Result<Worksheet, XlsxError> {
    let styles = Styles::new(&[], None);
    let mut sheet = Worksheet::new();
    sheet.set_name(table.sheet)?.set_row_height(0, HEAD_HEIGHT)?;
    for (at, column) in (0..).zip(table.columns) {
        sheet.set_column_width(at, column.width)?.set_column_format(at, &styles.text)?;
        sheet.write_string_with_format(0, at, column.title, &styles.head)?;
    }
    for (row, cells) in (1..).zip(&table.rows) {
        let widths = table.columns.iter().map(|column| column.width);
        let texts = widths.zip(cells).map(|(width, cell)| (width, cell.as_str()));
        sheet.set_row_height(row, row_height(texts))?;
        for (at, cell) in (0..).zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            sheet.write_string_with_format(row, at, cut_to_cell(cell), &styles.wrapped)?;
        }
    }
    let last_row = u32::try_from(table.rows.len()).unwrap_or(u32::MAX);
    let last_column = u16::try_from(table.columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
    sheet.autofilter(0, 0, last_row, last_column)?;
    sheet.ignore_error_range(0, 0, last_row, last_column, IgnoreError::NumberStoredAsText)?;
    sheet.set_freeze_panes(1, 0)?.set_repeat_rows(0, 0)?;
    set_page(&mut sheet, &format!("&L&8{}&R&8Page &P of &N", table.sheet));
    Ok(sheet)
}
