//! Places as a spreadsheet's user finds them.
//!
//! Never: shows a cell; its value is masked.

use crate::input::form::Form;
use crate::input::{Layout, Place, Row};
use crate::model::finding::Spot;
use crate::model::subject::mask_cell;
use crate::rules::findings::Sign;

/// The place of a sign, as a spreadsheet's user finds it.
pub(super) fn spot(row: &Row<'_>, layout: &Layout, sign: Sign) -> Spot {
    let column = if sign.is_of_name() { &layout.name } else { &layout.id };
    let cell = row.fields.get(column.index).unwrap_or_default();
    let Place { line, row: sheet_row, record, .. } = row.place;
    Spot {
        line: if matches!(layout.form, Form::Sheet(_)) { sheet_row } else { line },
        record,
        cell: format!("{}{sheet_row}", column_letters(column.index)),
        value: mask_cell(&String::from_utf8_lossy(cell)),
    }
}

/// A column's name in a spreadsheet: A to Z, AA, AB and so on.
fn column_letters(index: usize) -> String {
    let mut letters = Vec::new();
    let mut left = index + 1;
    while left > 0 {
        let digit = u8::try_from((left - 1) % 26).unwrap_or_default();
        letters.push(char::from(b'A' + digit));
        left = (left - 1) / 26;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_columns_as_a_spreadsheet_does() {
        for (index, letters) in [
            (0, "A"),
            (25, "Z"),
            (26, "AA"),
            (51, "AZ"),
            (52, "BA"),
            (701, "ZZ"),
            (702, "AAA"),
            (16_383, "XFD"),
        ] {
            assert_eq!(column_letters(index), letters);
        }
    }
}
