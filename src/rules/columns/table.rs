//! The columns of a file: how they are named, and what is known of them before two are chosen.

use super::look::ColumnLook;

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
pub(super) fn column_of_letters(letters: &str) -> Option<usize> {
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
