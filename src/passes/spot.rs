//! Places as a spreadsheet's user finds them.
//!
//! Never: shows a cell; its value is masked.

use crate::input::form::Form;
use crate::input::{Layout, Place, Row};
use crate::model::finding::Spot;
use crate::model::subject::mask_cell;
use crate::rules::columns::column_letters;
use crate::rules::findings::Sign;

/// The place of a sign, as a spreadsheet's user finds it.
pub(super) fn spot(row: &Row<'_>, layout: &Layout, sign: Sign) -> Spot {
    let column = if sign.is_of_name() { &layout.name } else { &layout.id };
    let cell = row.fields.get(column.index).unwrap_or_default();
    let value = mask_cell(&String::from_utf8_lossy(cell));
    spot_of(row.place, layout, column.index, value)
}

/// The place of a cell, and what stands there, masked.
pub(super) fn spot_of(place: Place, layout: &Layout, column: usize, value: String) -> Spot {
    let Place { line, row: sheet_row, record, .. } = place;
    Spot {
        line: if matches!(layout.form, Form::Sheet(_)) { sheet_row } else { line },
        record,
        cell: format!("{}{sheet_row}", column_letters(column)),
        value,
    }
}
