//! The choice of the NIK column and the name column.
//!
//! "NIK" can also mean an employee number, and a family-card number has 16 digits too. So
//! the choice looks at the header **and** at a sample of the cells. A column that the user
//! names always wins.
//!
//! Must hold: if two columns fit equally well, neither is chosen and the user is asked. Unless the
//! user names it, a column whose header has a word for another person or another number is never
//! chosen, nor is a name in a role that does not go with the role of the NIK.
//!
//! Never: shows a cell.

mod error;
mod headed;
mod header_row;
mod look;
mod table;

pub use error::{ColumnError, Seen, SeenColumn};
use headed::Headed;
pub use header_row::{HeaderRow, find_header};
pub use look::{ColumnLook, ColumnSample};
pub use table::{ChosenColumn, ColumnSpec, Role, Table, Wanted, column_letters};

/// The two chosen columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnChoice {
    /// The column of the NIKs.
    pub id: ChosenColumn,
    /// The column of the names.
    pub name: ChosenColumn,
}

/// Chooses the two columns.
///
/// ```
/// use ceknik::rules::columns::{ColumnSample, Table, Wanted, choose_columns};
///
/// let headers = ["No", "No. KTP", "Nama Nasabah", "Nama Ibu Kandung"].map(str::to_owned);
/// let rows = [
///     ["1", "3275014107900001", "Siti Nur'aini", "Aminah"],
///     ["2", "3275014107900002", "Ayu Lestari", "Dewi"],
/// ];
/// let mut samples = vec![ColumnSample::default(); headers.len()];
/// for row in rows {
///     samples.iter_mut().zip(row).for_each(|(sample, cell)| sample.add(cell));
/// }
/// let looks: Vec<_> = samples.iter().map(ColumnSample::look).collect();
///
/// let table = Table { headers: Some(&headers), certain: true, looks: &looks };
/// let choice = choose_columns(table, Wanted::default()).unwrap();
/// assert_eq!((choice.id.index, choice.name.index), (1, 2));
/// assert_eq!(choice.id.why, "header \"No. KTP\", and 2 of 2 sampled cells look like NIKs");
/// ```
///
/// # Errors
/// Returns a [`ColumnError`] if a column that the user named does not exist, if no column or
/// several columns fit, if the cells below the NIK's header do not look like NIKs, if one column
/// would be both, or if the first record is data.
pub fn choose_columns(table: Table<'_>, wanted: Wanted<'_>) -> Result<ColumnChoice, ColumnError> {
    let headed = Headed::new(table);
    let asked_id = wanted.id.map(|spec| headed.asked(Role::Id, spec)).transpose()?;
    let asked_name = wanted.name.map(|spec| headed.asked(Role::Name, spec)).transpose()?;
    // If the user named both columns, a number among the other headers does not matter.
    let only = asked_id.as_ref().zip(asked_name.as_ref()).map(|(id, _)| id.index);
    headed.refuse_data(only)?;
    let id = asked_id.map_or_else(|| headed.find_id(asked_name.as_ref()), Ok)?;
    let name = asked_name.map_or_else(|| headed.find_name(&id), Ok)?;
    if id.index == name.index {
        return Err(ColumnError::SameColumn { column: id.index });
    }
    Ok(ColumnChoice { id, name })
}

#[cfg(test)]
mod tests;
