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

pub use error::{ColumnError, Seen, SeenColumn};
pub use header_row::{HeaderRow, find_header};
pub use look::{ColumnLook, ColumnSample};

use headed::Headed;

/// One of the two columns to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The column of the NIKs.
    Id,
    /// The column of the names.
    Name,
}

impl Role {
    /// Returns the noun for the column in a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Id => "NIK",
            Self::Name => "name",
        }
    }

    /// Returns the flag that names the column.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Id => "--id-column",
            Self::Name => "--name-column",
        }
    }
}

/// A column as the user names it. A text of digits only is a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnSpec {
    /// The header, a part of the header that no other header has, or the letters of the column in
    /// a spreadsheet.
    Name(String),
    /// The position, counted from 1.
    Index(usize),
}

impl From<&str> for ColumnSpec {
    fn from(text: &str) -> Self {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            // A number that overflows is beyond the width of any table, and is refused as such.
            Self::Index(text.parse().unwrap_or(usize::MAX))
        } else {
            Self::Name(text.to_owned())
        }
    }
}

/// Returns the name of a column in a spreadsheet: A to Z, AA, AB and so on. `index` counts from 0.
pub fn column_letters(index: usize) -> String {
    let mut letters = Vec::new();
    let mut left = index + 1;
    while left > 0 {
        let digit = u8::try_from((left - 1) % 26).unwrap_or_default();
        letters.push(char::from(b'A' + digit));
        left = (left - 1) / 26;
    }
    letters.iter().rev().collect()
}

/// Returns the index, from 0, of a column that is named as in a spreadsheet; `None` if the text is
/// empty or has anything but the letters A to Z.
fn column_of_letters(letters: &str) -> Option<usize> {
    let place = letters.bytes().try_fold(0_usize, |sum, byte| {
        let value = byte.to_ascii_uppercase().checked_sub(b'A').filter(|value| *value < 26)?;
        sum.checked_mul(26)?.checked_add(usize::from(value) + 1)
    });
    place?.checked_sub(1)
}

/// A chosen column, with the reason for the choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenColumn {
    /// Index of the column, from 0.
    pub index: usize,
    /// Reason for the choice, for the user to read before the first call.
    pub why: String,
}

/// The two chosen columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnChoice {
    /// The column of the NIKs.
    pub id: ChosenColumn,
    /// The column of the names.
    pub name: ChosenColumn,
}

/// Headers of a file, and counts of a sample of its cells, column by column.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// Headers; `None` if the file has none.
    pub headers: Option<&'a [String]>,
    /// `true` if the headers certainly are headers, and not the row of a customer.
    pub certain: bool,
    /// Counts of a sample of the cells, one for each column.
    pub looks: &'a [ColumnLook],
}

/// Columns that the user named.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Value of `--id-column`.
    pub id: Option<&'a ColumnSpec>,
    /// Value of `--name-column`.
    pub name: Option<&'a ColumnSpec>,
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
