//! The choice of the NIK column and the name column.
//!
//! `NIK` also means employee number and a family-card number has 16 digits too, so the choice looks at the header
//! **and** at what a sample of the cells holds. What the user names always wins.
//!
//! Must hold: of two columns that fit equally well neither is taken; the user is asked. A column whose header has a word for
//! another person or another number is never taken, nor a name in a role that does not go with the NIK's.
//! Never: shows a cell.

mod error;
mod headed;
mod header_row;
mod look;

pub use error::{ColumnError, Seen, SeenColumn};
pub use header_row::{HeaderRow, find_header};
pub use look::{ColumnLook, ColumnSample};

use headed::Headed;

/// Which of the two columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The NIK.
    Id,
    /// The name.
    Name,
}

impl Role {
    /// The column in a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Id => "NIK",
            Self::Name => "name",
        }
    }

    /// The flag that names the column.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Id => "--id-column",
            Self::Name => "--name-column",
        }
    }
}

/// A column as the user names it. A text of only digits is a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnSpec {
    /// By its header, by a part of it that no other has, or by the letters that a spreadsheet gives it.
    Name(String),
    /// By its place, from 1.
    Index(usize),
}

impl From<&str> for ColumnSpec {
    fn from(text: &str) -> Self {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            // What overflows is past any table's width, and is refused as such.
            Self::Index(text.parse().unwrap_or(usize::MAX))
        } else {
            Self::Name(text.to_owned())
        }
    }
}

/// A column's name in a spreadsheet: A to Z, AA, AB and so on. `index`: its place, from 0.
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

/// The place of a column that is named as a spreadsheet does, from 0.
fn column_of_letters(letters: &str) -> Option<usize> {
    let place = letters.bytes().try_fold(0_usize, |sum, byte| {
        let value = byte.to_ascii_uppercase().checked_sub(b'A').filter(|value| *value < 26)?;
        sum.checked_mul(26)?.checked_add(usize::from(value) + 1)
    });
    place?.checked_sub(1)
}

/// A column that was chosen, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenColumn {
    /// Its place, from 0.
    pub index: usize,
    /// Why this one, for the user to read before the first call.
    pub why: String,
}

/// The two columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnChoice {
    /// The NIK.
    pub id: ChosenColumn,
    /// The name.
    pub name: ChosenColumn,
}

/// The columns of a file, as its first rows show them.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// The headers, if there are any.
    pub headers: Option<&'a [String]>,
    /// It is certain that they are headers, and no customer's row.
    pub certain: bool,
    /// A look at each column's cells; as many as the first record has fields.
    pub looks: &'a [ColumnLook],
}

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// `--id-column`
    pub id: Option<&'a ColumnSpec>,
    /// `--name-column`
    pub name: Option<&'a ColumnSpec>,
}

/// Chooses the two columns.
///
/// # Errors
/// If either can't be told for certain.
pub fn choose_columns(table: Table<'_>, wanted: Wanted<'_>) -> Result<ColumnChoice, ColumnError> {
    let headed = Headed::new(table);
    let asked_id = wanted.id.map(|spec| headed.asked(Role::Id, spec)).transpose()?;
    let asked_name = wanted.name.map(|spec| headed.asked(Role::Name, spec)).transpose()?;
    // Where both columns were named, a number among the other headers is none of our business.
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
