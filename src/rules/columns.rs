//! The choice of the NIK column and the name column.
//!
//! `NIK` also means employee number and a family-card number has 16 digits too, so the choice looks at the header
//! **and** at what a sample of the cells holds. What the user names always wins.
//!
//! Must hold: of two columns that fit equally well neither is taken; the user is asked.
//! Never: takes a column by content alone, or shows a cell.

mod error;
mod headed;

pub use error::{ColumnError, Seen};

use super::headers::{HeaderKey, is_id_header, is_name_header};
use super::nik::look_of;
use headed::Headed;

/// Of a sample's filled cells, at least this share, in percent, must look like NIKs.
const LIKE_NIK_PERCENT: u64 = 80;

/// Which of the two columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The NIK.
    Id,
    /// The name.
    Name,
}

impl Role {
    pub(super) fn noun(self) -> &'static str {
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

/// A column as the user names it. A text of only digits is an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnSpec {
    /// By its header.
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

/// What a sample of one column's cells looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnLook {
    /// Cells that are not empty.
    pub filled: u64,
    /// Those of them that look like NIKs, damaged ones included, so that a damaged file gets the message about damage.
    pub like_nik: u64,
}

impl ColumnLook {
    /// Counts one cell.
    pub fn add(&mut self, cell: &str) {
        if !cell.trim().is_empty() {
            self.filled += 1;
            self.like_nik += u64::from(look_of(cell).like_nik());
        }
    }

    fn holds_niks(self) -> bool {
        self.filled > 0 && self.like_nik * 100 >= self.filled * LIKE_NIK_PERCENT
    }
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
    /// The headers, if the first record is a header.
    pub headers: Option<&'a [String]>,
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

impl Wanted<'_> {
    /// Whether a record is the header: each column's own name, as the user gave it or as it is known, is among its
    /// cells. Where both columns were asked for by number, any filled record that has them will do.
    pub fn is_header<'c>(self, cells: impl Iterator<Item = &'c str>) -> bool {
        let (mut id, mut name, mut filled, mut width) = (false, false, false, 0);
        for cell in cells {
            let key = HeaderKey::of(cell);
            let asked = |spec: Option<&ColumnSpec>| match spec {
                Some(ColumnSpec::Name(asked)) => Some(HeaderKey::of(asked) == key),
                _ => None,
            };
            id |= asked(self.id).unwrap_or_else(|| is_id_header(&key));
            name |= asked(self.name).unwrap_or_else(|| is_name_header(&key));
            filled |= !cell.trim().is_empty();
            width += 1;
        }
        match (self.id, self.name) {
            (Some(ColumnSpec::Index(id)), Some(ColumnSpec::Index(name))) => {
                filled && width >= *id.max(name)
            }
            _ => id && name,
        }
    }
}

/// Chooses the two columns.
///
/// # Errors
/// If either can't be told for certain.
pub fn choose_columns(table: Table<'_>, wanted: Wanted<'_>) -> Result<ColumnChoice, ColumnError> {
    let Some(headers) = table.headers else {
        let (Some(ColumnSpec::Index(id)), Some(ColumnSpec::Index(name))) = (wanted.id, wanted.name)
        else {
            return Err(ColumnError::NeedsNumbers);
        };
        let id = by_index(Role::Id, *id, table.looks.len())?;
        let name = by_index(Role::Name, *name, table.looks.len())?;
        return distinct(id, name);
    };
    let headed = Headed::new(headers, table.looks);
    let asked_id = wanted.id.map(|spec| headed.asked(Role::Id, spec)).transpose()?;
    let asked_name = wanted.name.map(|spec| headed.asked(Role::Name, spec)).transpose()?;
    // Where both columns were named, a number among the other headers is none of our business.
    let only = asked_id.as_ref().zip(asked_name.as_ref()).map(|(id, _)| id.index);
    headed.refuse_data(only)?;
    let id = asked_id.map_or_else(|| headed.find_id(), Ok)?;
    let name = asked_name.map_or_else(|| headed.find_name(id.index), Ok)?;
    distinct(id, name)
}

fn distinct(id: ChosenColumn, name: ChosenColumn) -> Result<ColumnChoice, ColumnError> {
    if id.index == name.index {
        return Err(ColumnError::SameColumn { column: id.index + 1 });
    }
    Ok(ColumnChoice { id, name })
}

fn by_index(role: Role, asked: usize, width: usize) -> Result<ChosenColumn, ColumnError> {
    match asked.checked_sub(1) {
        Some(index) if index < width => {
            Ok(ChosenColumn { index, why: format!("{} {asked}", role.flag()) })
        }
        _ => Err(ColumnError::NoSuchIndex { role, asked, width }),
    }
}

#[cfg(test)]
mod tests;
