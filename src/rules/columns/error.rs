//! Why no two columns could be chosen, in words that end in what to do.
//!
//! Never: shows a cell; headers are shown with long runs of digits masked.

use super::{ColumnLook, Role};
use crate::model::subject::mask_digits;
use crate::rules::headers::shown_all;
use std::fmt;

/// At most this many headers are shown.
pub(super) const SHOWN_COLUMNS: usize = 60;

/// Why no two columns could be chosen. The texts show headers, never cells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's text says what its fields are")]
pub enum ColumnError {
    /// No header is known to us.
    NotFound { role: Role, seen: Seen },
    /// No column has the header that was asked for.
    NoSuchHeader { role: Role, asked: String, seen: Seen },
    /// The table is narrower than the index that was asked for.
    NoSuchIndex { role: Role, asked: usize, width: usize },
    /// Several columns fit; their places from 1.
    Ambiguous { role: Role, columns: Vec<usize>, seen: Seen },
    /// The header fits and the cells don't; the place from 1.
    NotNiks { column: usize, look: ColumnLook, seen: Seen },
    /// Without a header, columns are found by number only.
    NeedsNumbers,
    /// One column was asked for twice; the place from 1.
    SameColumn { column: usize },
    /// The first record is data; where a number stands in it, from 1, and how many columns there are.
    FirstRowIsData { column: usize, width: usize },
}

/// The headers of a table, fit to be shown: `1 "No", 2 "NIK"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen(Vec<String>);

impl Seen {
    /// Of these headers.
    pub fn of(headers: &[String]) -> Self {
        Self(shown_all(headers))
    }

    /// Each of them.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.0.iter().take(SHOWN_COLUMNS).enumerate();
        let mut shown: Vec<_> =
            named.map(|(index, header)| format!("{} \"{header}\"", index + 1)).collect();
        if self.0.len() > SHOWN_COLUMNS {
            shown.push(format!("and {} more", self.0.len() - SHOWN_COLUMNS));
        }
        f.write_str(&shown.join(", "))
    }
}

impl std::error::Error for ColumnError {}

impl fmt::Display for ColumnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { role, seen } => {
                write!(
                    f,
                    "no column has a header that we know as the {}; columns seen: {seen}",
                    role.noun()
                )
            }
            Self::NoSuchHeader { role, asked, seen } => {
                write!(f, "{} {asked:?}: no such column; columns seen: {seen}", role.flag())
            }
            Self::NoSuchIndex { role, asked, width } => {
                write!(
                    f,
                    "{} {}: the first row has {width} columns, counted from 1",
                    role.flag(),
                    mask_digits(&asked.to_string())
                )
            }
            Self::Ambiguous { role, columns, seen } => {
                let columns: Vec<_> = columns.iter().map(usize::to_string).collect();
                let (columns, noun) = (columns.join(", "), role.noun());
                write!(f, "columns {columns} fit equally well as the {noun}; columns seen: {seen}")
            }
            Self::NotNiks { column, look, seen } => write!(
                f,
                "column {column} is headed like a NIK, but {} of {} sampled cells look like one; columns seen: {seen}",
                look.like_nik, look.filled
            ),
            Self::NeedsNumbers => {
                f.write_str("without a header row, the columns must be given by number")
            }
            Self::SameColumn { column } => {
                write!(f, "column {column} can't be both the NIK and the name")
            }
            Self::FirstRowIsData { column, .. } => {
                write!(
                    f,
                    "the first row looks like data, not like headers (a long number stands in column {column})"
                )
            }
        }
    }
}

impl ColumnError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotFound { role, .. } => {
                format!("name it: {} followed by the header or its number", role.flag())
            }
            Self::NoSuchHeader { role, .. } | Self::Ambiguous { role, .. } => {
                format!("use the column's number: {} N", role.flag())
            }
            Self::NoSuchIndex { .. } => {
                "is the separator right? Give it with --delimiter".to_owned()
            }
            Self::NotNiks { column, .. } => {
                format!(
                    "choose another with --id-column, or insist on this one with --id-column {column}"
                )
            }
            Self::NeedsNumbers => "use --no-header --id-column N --name-column M".to_owned(),
            Self::SameColumn { .. } => {
                "give --id-column and --name-column different columns".to_owned()
            }
            Self::FirstRowIsData { column, width } => {
                let name = match (column, width) {
                    (1, 2) => "2",
                    (2, 2) => "1",
                    _ => "M",
                };
                format!("use --no-header --id-column {column} --name-column {name}")
            }
        }
    }
}
