//! A table that has headers: which of its columns are meant.
//!
//! Never: prefers one of two columns that fit equally well.

use super::error::{ColumnError, Seen};
use super::{ChosenColumn, ColumnLook, ColumnSpec, Role, by_index};
use crate::rules::headers::{
    HeaderKey, ID_EXPLICIT, ID_USUAL, ID_VAGUE, NAME_BARE, NAME_EXPLICIT, NAME_FULL, NAME_ROLE,
    is_data, shown,
};

/// One column of a table with headers.
struct HeadedColumn<'a> {
    index: usize,
    header: &'a str,
    key: HeaderKey,
    look: ColumnLook,
}

/// A table with headers.
pub(super) struct Headed<'a> {
    headers: &'a [String],
    columns: Vec<HeadedColumn<'a>>,
}

impl<'a> Headed<'a> {
    pub(super) fn new(headers: &'a [String], looks: &[ColumnLook]) -> Self {
        let looks = looks.iter().copied().chain(std::iter::repeat(ColumnLook::default()));
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
    pub(super) fn refuse_data(&self, only: Option<usize>) -> Result<(), ColumnError> {
        let mut looked_at =
            self.columns.iter().filter(|c| only.is_none_or(|index| index == c.index));
        match looked_at.find(|c| is_data(c.header)) {
            Some(c) => {
                Err(ColumnError::FirstRowIsData { column: c.index + 1, width: self.headers.len() })
            }
            None => Ok(()),
        }
    }

    /// The column that the user named: as written if one is, else as compared without case and punctuation.
    pub(super) fn asked(&self, role: Role, spec: &ColumnSpec) -> Result<ChosenColumn, ColumnError> {
        let name = match spec {
            ColumnSpec::Index(index) => return by_index(role, *index, self.headers.len()),
            ColumnSpec::Name(name) => name,
        };
        let key = HeaderKey::of(name);
        let exact: Vec<_> =
            self.columns.iter().filter(|c| c.header.trim() == name.trim()).collect();
        let alike = || self.columns.iter().filter(|c| c.key == key && !key.0.is_empty()).collect();
        let fitting = if exact.is_empty() { alike() } else { exact };
        let Some(one) = self.the_only(role, &fitting)? else {
            // Among a customer's cells there is no header to be found.
            self.refuse_data(None)?;
            return Err(ColumnError::NoSuchHeader { role, asked: shown(name), seen: self.seen() });
        };
        let why = format!("{} \"{}\"", role.flag(), shown(name));
        Ok(ChosenColumn { index: one.index, why })
    }

    /// The column that fits, if any does: several are ambiguous.
    fn the_only<'c>(
        &self,
        role: Role,
        fitting: &[&'c HeadedColumn<'a>],
    ) -> Result<Option<&'c HeadedColumn<'a>>, ColumnError> {
        match fitting {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            several => {
                let columns = several.iter().map(|c| c.index + 1).collect();
                Err(ColumnError::Ambiguous { role, columns, seen: self.seen() })
            }
        }
    }

    /// The NIK column: among those whose header and cells both fit, the one whose header says it most plainly.
    pub(super) fn find_id(&self) -> Result<ChosenColumn, ColumnError> {
        for fits in [ColumnLook::holds_niks, |look: ColumnLook| look.filled == 0] {
            // Empty columns prove nothing, so they count only where no header has filled cells that speak against it.
            for list in [ID_EXPLICIT, ID_USUAL, ID_VAGUE] {
                let fitting: Vec<_> =
                    self.columns.iter().filter(|c| c.key.is_in(list) && fits(c.look)).collect();
                if let Some(one) = self.the_only(Role::Id, &fitting)? {
                    return Ok(chosen_id(one));
                }
            }
            let headed = |list: &[&str]| {
                self.columns.iter().find(|c| c.key.is_in(list) && c.look.filled > 0)
            };
            if let Some(c) =
                headed(ID_EXPLICIT).or_else(|| headed(ID_USUAL)).or_else(|| headed(ID_VAGUE))
            {
                return Err(ColumnError::NotNiks {
                    column: c.index + 1,
                    look: c.look,
                    seen: self.seen(),
                });
            }
        }
        Err(ColumnError::NotFound { role: Role::Id, seen: self.seen() })
    }

    /// The name column: that of the card; else the one in the NIK's role; else the only one.
    pub(super) fn find_name(&self, id: usize) -> Result<ChosenColumn, ColumnError> {
        let role =
            self.columns.get(id).and_then(|c| c.key.0.strip_prefix("nik")).unwrap_or_default();
        let of_role = format!("nama{role}");
        let headed =
            |list: &[&str]| self.columns.iter().filter(|c| c.key.is_in(list)).collect::<Vec<_>>();
        let bare_or_full = [headed(NAME_FULL), headed(NAME_BARE)];
        let [full, bare] = &bare_or_full;
        let roles = headed(NAME_ROLE);
        let same_role: Vec<_> =
            roles.iter().copied().filter(|c| !role.is_empty() && c.key.0 == of_role).collect();
        // A whole name beats a bare one. Beside somebody's in a role, neither says whose it is.
        let own = if full.is_empty() { bare } else { full };
        let rest: Vec<_> = own.iter().chain(&roles).copied().collect();
        for fitting in [headed(NAME_EXPLICIT), same_role, rest] {
            if let Some(one) = self.the_only(Role::Name, &fitting)? {
                let why = format!("header \"{}\"", shown(one.header));
                return Ok(ChosenColumn { index: one.index, why });
            }
        }
        Err(ColumnError::NotFound { role: Role::Name, seen: self.seen() })
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
    ChosenColumn { index: column.index, why }
}
