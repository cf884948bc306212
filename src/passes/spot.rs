//! Converts the place of a row to the spot where the user of a spreadsheet finds it.
//!
//! Never: shows the value of a cell unmasked.

use crate::input::form::Form;
use crate::input::{InputPlace, Layout, Row};
use crate::model::finding::Spot;
use crate::model::mask::mask_cell;
use crate::rules::columns::column_letters;
use crate::rules::findings::Sign;

/// Returns the spot of a sign in a row: the NIK cell or the name cell.
pub(super) fn spot(row: &Row<'_>, layout: &Layout, sign: Sign) -> Spot {
    let column = if sign.is_of_name() { &layout.name } else { &layout.id };
    let cell = row.fields.get(column.index).unwrap_or_default();
    let value = mask_cell(&String::from_utf8_lossy(cell));
    spot_of(row.place, layout, column.index, value)
}

/// Returns the spot of a cell. `value` is the masked value of the cell. In a workbook, the line is
/// the row of the sheet.
pub(super) fn spot_of(place: InputPlace, layout: &Layout, column: usize, value: String) -> Spot {
    let InputPlace { line, row: sheet_row, record, .. } = place;
    Spot {
        line: if matches!(layout.form, Form::Sheet(_)) { sheet_row } else { line },
        record,
        cell: format!("{}{sheet_row}", column_letters(column)),
        value,
    }
}
