//! The choice of the NIK column and the name column.
//!
//! `NIK` also means employee number and a family-card number has 16 digits too, so the choice looks at the header
//! **and** at what a sample of the cells holds. What the user names always wins.
//!
//! Must hold: of two columns that fit equally well neither is taken; the user is asked.
//! Never: takes a column by content alone, or shows a cell.

mod error;

pub use error::{ColumnError, Seen};

use super::headers::{
    HeaderKey, ID_EXPLICIT, ID_USUAL, ID_VAGUE, NAME_BARE, NAME_EXPLICIT, NAME_FULL, NAME_ROLE,
    is_data, shown,
};
use super::nik::look_of;
use std::convert::Infallible;
use std::str::FromStr;

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
    #[must_use]
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

impl FromStr for ColumnSpec {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let text = text.trim();
        Ok(
            if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
                // What overflows is past any table's width, and is refused as such.
                Self::Index(text.parse().unwrap_or(usize::MAX))
            } else {
                Self::Name(text.to_owned())
            },
        )
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
    let asked_id = wanted
        .id
        .map(|spec| headed.asked(Role::Id, spec))
        .transpose()?;
    let asked_name = wanted
        .name
        .map(|spec| headed.asked(Role::Name, spec))
        .transpose()?;
    // Where both columns were named, a number among the other headers is none of our business.
    let only = asked_id
        .as_ref()
        .zip(asked_name.as_ref())
        .map(|(id, _)| id.index);
    headed.refuse_data(only)?;
    let id = asked_id.map_or_else(|| headed.find_id(), Ok)?;
    let name = asked_name.map_or_else(|| headed.find_name(id.index), Ok)?;
    distinct(id, name)
}

fn distinct(id: ChosenColumn, name: ChosenColumn) -> Result<ColumnChoice, ColumnError> {
    if id.index == name.index {
        return Err(ColumnError::SameColumn {
            column: id.index + 1,
        });
    }
    Ok(ColumnChoice { id, name })
}

fn by_index(role: Role, asked: usize, width: usize) -> Result<ChosenColumn, ColumnError> {
    match asked.checked_sub(1) {
        Some(index) if index < width => Ok(ChosenColumn {
            index,
            why: format!("{} {asked}", role.flag()),
        }),
        _ => Err(ColumnError::NoSuchIndex { role, asked, width }),
    }
}

/// One column of a table with headers.
struct HeadedColumn<'a> {
    index: usize,
    header: &'a str,
    key: HeaderKey,
    look: ColumnLook,
}

/// A table with headers.
struct Headed<'a> {
    headers: &'a [String],
    columns: Vec<HeadedColumn<'a>>,
}

impl<'a> Headed<'a> {
    fn new(headers: &'a [String], looks: &[ColumnLook]) -> Self {
        let looks = looks
            .iter()
            .copied()
            .chain(std::iter::repeat(ColumnLook::default()));
        let columns = headers
            .iter()
            .zip(looks)
            .enumerate()
            .map(|(index, (header, look))| HeadedColumn {
                index,
                header,
                key: HeaderKey::of(header),
                look,
            })
            .collect();
        Self { headers, columns }
    }

    fn seen(&self) -> Seen {
        Seen::of(self.headers)
    }

    /// Refuses a first record that holds what only data holds, in any column or in `only`.
    fn refuse_data(&self, only: Option<usize>) -> Result<(), ColumnError> {
        let mut looked_at = self
            .columns
            .iter()
            .filter(|c| only.is_none_or(|index| index == c.index));
        match looked_at.find(|c| is_data(c.header)) {
            Some(c) => Err(ColumnError::FirstRowIsData {
                column: c.index + 1,
                width: self.headers.len(),
            }),
            None => Ok(()),
        }
    }

    /// The column that the user named: as written if one is, else as compared without case and punctuation.
    fn asked(&self, role: Role, spec: &ColumnSpec) -> Result<ChosenColumn, ColumnError> {
        let name = match spec {
            ColumnSpec::Index(index) => return by_index(role, *index, self.headers.len()),
            ColumnSpec::Name(name) => name,
        };
        let key = HeaderKey::of(name);
        let exact: Vec<_> = self
            .columns
            .iter()
            .filter(|c| c.header.trim() == name.trim())
            .collect();
        let alike = || {
            self.columns
                .iter()
                .filter(|c| c.key == key && !key.0.is_empty())
                .collect()
        };
        let fitting = if exact.is_empty() { alike() } else { exact };
        match fitting.as_slice() {
            [one] => Ok(ChosenColumn {
                index: one.index,
                why: format!("{} \"{}\"", role.flag(), shown(name)),
            }),
            [] => Err(ColumnError::NoSuchHeader {
                role,
                asked: shown(name),
                seen: self.seen(),
            }),
            several => Err(self.ambiguous(role, several)),
        }
    }

    fn ambiguous(&self, role: Role, columns: &[&HeadedColumn<'_>]) -> ColumnError {
        let columns = columns.iter().map(|c| c.index + 1).collect();
        ColumnError::Ambiguous {
            role,
            columns,
            seen: self.seen(),
        }
    }

    /// The NIK column: among those whose header and cells both fit, the one whose header says it most plainly.
    fn find_id(&self) -> Result<ChosenColumn, ColumnError> {
        for fits in [ColumnLook::holds_niks, |look: ColumnLook| look.filled == 0] {
            // Empty columns prove nothing, so they count only where no header has filled cells that speak against it.
            for list in [ID_EXPLICIT, ID_USUAL, ID_VAGUE] {
                let fitting: Vec<_> = self
                    .columns
                    .iter()
                    .filter(|c| c.key.is_in(list) && fits(c.look))
                    .collect();
                match fitting.as_slice() {
                    [] => {}
                    [one] => return Ok(chosen_id(one)),
                    several => return Err(self.ambiguous(Role::Id, several)),
                }
            }
            let headed = |list: &[&str]| {
                self.columns
                    .iter()
                    .find(|c| c.key.is_in(list) && c.look.filled > 0)
            };
            if let Some(c) = headed(ID_EXPLICIT)
                .or_else(|| headed(ID_USUAL))
                .or_else(|| headed(ID_VAGUE))
            {
                return Err(ColumnError::NotNiks {
                    column: c.index + 1,
                    look: c.look,
                    seen: self.seen(),
                });
            }
        }
        Err(ColumnError::NotFound {
            role: Role::Id,
            seen: self.seen(),
        })
    }

    /// The name column: that of the card; else the one in the NIK's role; else the only one.
    fn find_name(&self, id: usize) -> Result<ChosenColumn, ColumnError> {
        let role = self
            .columns
            .get(id)
            .and_then(|c| c.key.0.strip_prefix("nik"))
            .unwrap_or_default();
        let of_role = format!("nama{role}");
        let headed = |list: &[&str]| {
            self.columns
                .iter()
                .filter(|c| c.key.is_in(list))
                .collect::<Vec<_>>()
        };
        let bare_or_full = [headed(NAME_FULL), headed(NAME_BARE)];
        let [full, bare] = &bare_or_full;
        let roles = headed(NAME_ROLE);
        let same_role: Vec<_> = roles
            .iter()
            .copied()
            .filter(|c| !role.is_empty() && c.key.0 == of_role)
            .collect();
        // A whole name beats a bare one. Beside somebody's in a role, neither says whose it is.
        let own = if full.is_empty() { bare } else { full };
        let rest: Vec<_> = own.iter().chain(&roles).copied().collect();
        for fitting in [headed(NAME_EXPLICIT), same_role, rest] {
            match fitting.as_slice() {
                [] => {}
                [one] => {
                    return Ok(ChosenColumn {
                        index: one.index,
                        why: format!("header \"{}\"", shown(one.header)),
                    });
                }
                several => return Err(self.ambiguous(Role::Name, several)),
            }
        }
        Err(ColumnError::NotFound {
            role: Role::Name,
            seen: self.seen(),
        })
    }
}

fn chosen_id(column: &HeadedColumn<'_>) -> ChosenColumn {
    let ColumnLook { filled, like_nik } = column.look;
    let header = shown(column.header);
    let why = match filled {
        0 => format!("header \"{header}\" (no cell is filled in the sample)"),
        _ => {
            format!("header \"{header}\", and {like_nik} of {filled} sampled cells look like NIKs")
        }
    };
    ChosenColumn {
        index: column.index,
        why,
    }
}

#[cfg(test)]
mod tests;
