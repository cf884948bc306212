//! The error of a table in which the two columns could not be chosen: says what each column holds,
//! and what to choose.
//!
//! Never: shows a cell. A header that looks like personal data is masked.

use std::fmt;

use super::look::ColumnLook;
use super::table::{Role, Table, column_letters};
use crate::model::mask::mask_digits;
use crate::rules::headers::{Meaning, is_data, shown_all};

/// Largest number of columns that are listed.
pub(super) const SHOWN_COLUMNS: usize = 60;

/// Reason for which the two columns could not be chosen. Columns are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's text says what its fields are")]
pub enum ColumnError {
    /// No column fits.
    NotFound { role: Role, seen: Seen },
    /// No column has the header that the user asked for.
    NoSuchHeader { role: Role, asked: String, seen: Seen },
    /// The table has no column at the position that the user asked for, counted from 1.
    NoSuchIndex { role: Role, asked: usize, width: usize },
    /// Several columns fit equally well.
    Ambiguous { role: Role, columns: Vec<usize>, seen: Seen },
    /// The header fits, but the cells do not look like NIKs.
    NotNiks { column: usize, look: ColumnLook, seen: Seen },
    /// One column would be both the NIK and the name.
    SameColumn { column: usize },
    /// The first record is data: `column` holds a long number, and `name` seems to hold names.
    FirstRowIsData { column: usize, name: Option<usize>, seen: Seen },
}

/// The columns of a table, in a form that is fit to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    columns: Vec<SeenColumn>,
    /// `true` if the headers may be a customer's row.
    may_be_data: bool,
}

/// A column, in a form that is fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenColumn {
    /// Header of the column, masked where it may be personal data.
    pub header: String,
    /// Counts of a sample of the column's cells.
    pub look: ColumnLook,
    /// `true` if the header speaks of another person or another thing.
    is_other: bool,
}

impl Seen {
    /// Prepares the columns of a table to be shown.
    pub fn of(table: Table<'_>) -> Self {
        let headers = table.headers.unwrap_or_default();
        let certain = table.certain && !headers.iter().any(|header| is_data(header));
        let shown = shown_all(headers, certain);
        let look = |index| table.looks.get(index).copied().unwrap_or_default();
        let is_other = |header: &String| Meaning::of(header) == Meaning::Other;
        let width = if table.headers.is_some() { headers.len() } else { table.looks.len() };
        let column = |index: usize| SeenColumn {
            header: shown.get(index).cloned().unwrap_or_default(),
            look: look(index),
            is_other: headers.get(index).is_some_and(is_other),
        };
        let may_be_data = table.headers.is_some() && !certain;
        Self { columns: (0..width).map(column).collect(), may_be_data }
    }

    /// Checks whether the headers may be the row of a customer.
    pub const fn may_be_data(&self) -> bool {
        self.may_be_data
    }

    /// Returns the columns, in their order.
    pub fn columns(&self) -> &[SeenColumn] {
        &self.columns
    }

    /// Returns all columns in one line, each with its letters: `A "No", B "NIK"`. The line is empty
    /// if no column has a header.
    pub fn line(&self) -> String {
        if self.columns.iter().all(|column| column.header.is_empty()) {
            return String::new();
        }
        let named = self.columns.iter().take(SHOWN_COLUMNS).enumerate();
        let mut shown: Vec<_> = named
            .map(|(at, column)| format!("{} \"{}\"", column_letters(at), column.header))
            .collect();
        if self.columns.len() > SHOWN_COLUMNS {
            shown.push(format!("and {} more", self.columns.len() - SHOWN_COLUMNS));
        }
        shown.join(", ")
    }

    /// Returns the column that most likely holds the NIK or the name, if one does. `among` limits
    /// the search, unless it is empty. A column whose header speaks of another person or another
    /// thing is not proposed: whoever means it has to say so.
    fn likeliest(&self, role: Role, among: &[usize]) -> Option<usize> {
        let share = |look: ColumnLook| match role {
            Role::Id => look.like_nik,
            Role::Name => look.like_name,
        };
        let columns = self.columns.iter().enumerate();
        let fitting = columns.filter(|(at, column)| {
            let is_wanted = among.is_empty() || among.contains(at);
            share(column.look) > 0 && is_wanted && !column.is_other
        });
        let best = fitting.max_by_key(|(at, column)| (share(column.look), std::cmp::Reverse(*at)));
        best.map(|(at, _)| at)
    }
}

/// Writes one line for each column: its letters, its header, and its content.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.columns.iter().take(SHOWN_COLUMNS);
        let widest = shown.clone().map(|c| c.header.chars().count()).max().unwrap_or(0);
        for (index, SeenColumn { header, look, is_other }) in shown.enumerate() {
            let (letters, room) = (column_letters(index), widest + 2);
            let header = format!("\"{header}\"");
            let other = match look.like_nik + look.like_name {
                filled if *is_other && filled > 0 => {
                    ", header: not the customer's NIK or full name"
                }
                _ => "",
            };
            write!(f, "\n    {letters:<3} {header:<room$}  {}{other}", holds(*look))?;
        }
        match self.columns.len().checked_sub(SHOWN_COLUMNS) {
            Some(1) => write!(f, "\n    and 1 more column"),
            Some(more) if more > 0 => write!(f, "\n    and {more} more columns"),
            _ => Ok(()),
        }
    }
}

/// Describes a column's cells in a few words.
fn holds(look: ColumnLook) -> String {
    let ColumnLook { filled, like_nik, like_name, .. } = look;
    if filled == 0 {
        "empty".to_owned()
    } else if like_nik * 2 >= filled {
        format!("NIKs: {like_nik} of {filled} cells")
    } else if like_name * 2 >= filled {
        format!("names: {like_name} of {filled} cells")
    } else {
        "something else".to_owned()
    }
}

impl std::error::Error for ColumnError {}

impl fmt::Display for ColumnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { role, seen } => {
                let noun = role.noun();
                write!(
                    f,
                    "ceknik could not find the {noun} column by its header or its cells. The columns are:{seen}"
                )
            }
            Self::NoSuchHeader { role, asked, seen } => {
                write!(
                    f,
                    "{} {asked:?}: there is no such column. The columns are:{seen}",
                    role.flag()
                )
            }
            Self::NoSuchIndex { role, asked, width } => {
                let asked = mask_digits(&asked.to_string()).into_owned();
                let columns =
                    if *width == 1 { "1 column".to_owned() } else { format!("{width} columns") };
                write!(
                    f,
                    "{} {asked}: there is no such column; the first row has {columns}",
                    role.flag()
                )
            }
            Self::Ambiguous { role, columns, seen } => {
                let columns: Vec<_> = columns.iter().map(|index| column_letters(*index)).collect();
                let (columns, noun) = (columns.join(", "), role.noun());
                write!(
                    f,
                    "each of the columns {columns} could be the {noun} column. The columns are:{seen}"
                )
            }
            Self::NotNiks { column, look, seen } => write!(
                f,
                "the header of column {} says NIK, but only {} of {} sampled cells look like a NIK. The columns are:{seen}",
                column_letters(*column),
                look.like_nik,
                look.filled
            ),
            Self::SameColumn { column } => {
                write!(f, "column {} cannot be both the NIK and the name", column_letters(*column))
            }
            Self::FirstRowIsData { column, .. } => write!(
                f,
                "the first row looks like data, not like headers (column {} has a long number)",
                column_letters(*column)
            ),
        }
    }
}

impl ColumnError {
    /// Returns the flags that resolve the error, each with its value. The value of a column is the
    /// letters of the likeliest column, or `LETTER`, which the user has to replace. Empty if the
    /// error does not tell which flags would help.
    pub fn flags(&self) -> Vec<(&'static str, Option<String>)> {
        let choice = |role: Role, seen: &Seen, among: &[usize]| {
            let column = seen.likeliest(role, among);
            (role.flag(), Some(column.map_or("LETTER".to_owned(), column_letters)))
        };
        match self {
            Self::NotFound { role, seen } | Self::NoSuchHeader { role, seen, .. } => {
                vec![choice(*role, seen, &[])]
            }
            Self::Ambiguous { role, columns, seen } => vec![choice(*role, seen, columns)],
            Self::NotNiks { column, seen, .. } => match seen.likeliest(Role::Id, &[]) {
                Some(other) if other != *column => vec![choice(Role::Id, seen, &[])],
                _ => vec![(Role::Id.flag(), Some(column_letters(*column)))],
            },
            Self::NoSuchIndex { .. } | Self::SameColumn { .. } => Vec::new(),
            Self::FirstRowIsData { column, name, .. } => {
                let name = name.map_or("LETTER".to_owned(), column_letters);
                let id = column_letters(*column);
                vec![
                    ("--no-header", None),
                    (Role::Id.flag(), Some(id)),
                    (Role::Name.flag(), Some(name)),
                ]
            }
        }
    }
}
