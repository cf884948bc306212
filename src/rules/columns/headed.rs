//! Choice of the columns of a table, by their headers and their cells.
//!
//! Never: prefers one of two columns that fit equally well.

use super::error::{ColumnError, Seen};
use super::look::ColumnLook;
use super::table::{ChosenColumn, ColumnSpec, Role, Table, column_letters, column_of_letters};
use crate::rules::headers::{
    HeaderKey, IdHeader, Meaning, NameHeader, is_data, may_be_one_person, roles_of, shown,
};

/// One column of the table.
struct HeadedColumn {
    index: usize,
    header: String,
    key: HeaderKey,
    meaning: Meaning,
    /// Roles that the header names.
    roles: Vec<u8>,
    look: ColumnLook,
}

impl HeadedColumn {
    /// Returns the kind of NIK header that the column has, if it has one.
    fn id_header(&self) -> Option<IdHeader> {
        match self.meaning {
            Meaning::Id(kind, _) => Some(kind),
            _ => None,
        }
    }
}

/// The columns of a table.
pub(super) struct Headed<'a> {
    table: Table<'a>,
    columns: Vec<HeadedColumn>,
}

/// Condition that a column may meet.
type Fits<'f> = &'f dyn Fn(&HeadedColumn) -> bool;

impl<'a> Headed<'a> {
    pub(super) fn new(table: Table<'a>) -> Self {
        let headers = table.headers.unwrap_or_default();
        let column = |index: usize| {
            let header = headers.get(index).cloned().unwrap_or_default();
            HeadedColumn {
                index,
                key: HeaderKey::of(&header),
                meaning: Meaning::of(&header),
                roles: roles_of(&header),
                look: table.looks.get(index).copied().unwrap_or_default(),
                header,
            }
        };
        let width = if table.headers.is_some() { headers.len() } else { table.looks.len() };
        Self { table, columns: (0..width).map(column).collect() }
    }

    fn seen(&self) -> Seen {
        Seen::of(self.table)
    }

    /// Refuses a table in which a header holds data, such as a NIK. `only` limits the check
    /// to one column.
    pub(super) fn refuse_data(&self, only: Option<usize>) -> Result<(), ColumnError> {
        let looked_at = self.columns.iter().filter(|c| only.is_none_or(|index| index == c.index));
        match looked_at.clone().find(|c| is_data(&c.header)) {
            Some(column) => {
                let names = self.fitting(&|c| c.index != column.index && c.look.must_be_names());
                let name = match names.as_slice() {
                    [one] => Some(one.index),
                    _ if self.columns.len() == 2 => Some(1 - column.index.min(1)),
                    _ => None,
                };
                let seen = self.seen();
                Err(ColumnError::FirstRowIsData { column: column.index, name, seen })
            }
            None => Ok(()),
        }
    }

    /// Finds the column that the user named. The name is compared in four ways: with the headers as
    /// written; with the headers, ignoring case and punctuation; with the letters of a spreadsheet;
    /// and with parts of the headers. The first way that finds a column decides. If that way finds
    /// several columns, the choice is ambiguous.
    pub(super) fn asked(&self, role: Role, spec: &ColumnSpec) -> Result<ChosenColumn, ColumnError> {
        let width = self.columns.len();
        let name = match spec {
            ColumnSpec::Index(asked) => {
                let index = asked.checked_sub(1).filter(|index| *index < width);
                let none = ColumnError::NoSuchIndex { role, asked: *asked, width };
                let index = index.ok_or(none)?;
                let why = format!("{} {asked}{}", role.flag(), self.empty_header(index));
                return Ok(ChosenColumn { index, why });
            }
            ColumnSpec::Name(name) => name,
        };
        let key = HeaderKey::of(name);
        let exact = self.fitting(&|c| !name.is_empty() && c.header.trim() == name.trim());
        let alike = || self.fitting(&|c| c.key == key && !key.is_empty());
        let letters = column_of_letters(name).filter(|index| *index < width);
        let lettered = || self.fitting(&|c| letters == Some(c.index));
        let part = || self.fitting(&|c| !key.is_empty() && c.key.has_part(&key));
        let or = |found: Vec<_>, other: &dyn Fn() -> Vec<_>| {
            if found.is_empty() { other() } else { found }
        };
        let fitting = or(or(or(exact, &alike), &lettered), &part);
        let Some(one) = self.the_only(role, &fitting)? else {
            // If the record is a customer's row, it has no header to find, and that is the
            // better message.
            self.refuse_data(None)?;
            return Err(ColumnError::NoSuchHeader { role, asked: shown(name), seen: self.seen() });
        };
        let why = format!("{} \"{}\"{}", role.flag(), shown(name), self.empty_header(one.index));
        Ok(ChosenColumn { index: one.index, why })
    }

    /// Returns a note for a chosen column whose header is empty, since the choice may be a slip.
    fn empty_header(&self, index: usize) -> &'static str {
        let header = self.table.headers.and_then(|headers| headers.get(index));
        if header.is_some_and(|header| header.trim().is_empty()) {
            " (its header is empty)"
        } else {
            ""
        }
    }

    /// Returns `true` if a column may be chosen by its cells alone: not if the headers may be a
    /// customer's row.
    fn may_go_by_cells(&self) -> bool {
        self.table.certain || self.table.headers.is_none()
    }

    fn fitting(&self, fits: Fits<'_>) -> Vec<&HeadedColumn> {
        self.columns.iter().filter(|column| fits(column)).collect()
    }

    /// Returns the only fitting column, or `None` if there is none. Several fitting columns
    /// are ambiguous.
    fn the_only<'c>(
        &self,
        role: Role,
        fitting: &[&'c HeadedColumn],
    ) -> Result<Option<&'c HeadedColumn>, ColumnError> {
        match fitting {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            several => {
                let mut columns: Vec<_> = several.iter().map(|c| c.index).collect();
                columns.sort_unstable();
                Err(ColumnError::Ambiguous { role, columns, seen: self.seen() })
            }
        }
    }

    /// Finds the NIK column. Among the columns whose header and cells both fit, the one whose
    /// header says so most plainly is chosen; otherwise the only column whose cells cannot be
    /// anything else; otherwise an empty column with a fitting header. `name` is the column that
    /// the user named as the name.
    pub(super) fn find_id(&self, name: Option<&ChosenColumn>) -> Result<ChosenColumn, ColumnError> {
        let is_free = |c: &HeadedColumn| name.is_none_or(|name| name.index != c.index);
        let headed =
            |fits: Fits<'_>| self.fitting(&|c| c.id_header().is_some() && fits(c) && is_free(c));
        let holding = headed(&|c| c.look.holds_niks());
        // A column that is nearly empty is somebody's note, and not the customers' numbers.
        let most = holding.iter().map(|c| c.look.filled).max().unwrap_or(0);
        let holding: Vec<_> = holding.into_iter().filter(|c| c.look.filled * 2 >= most).collect();
        if let Some(one) = self.plainest(&holding)? {
            return Ok(chosen_id(one));
        }
        let empty = headed(&|c| c.look.filled == 0);
        let certain = self.fitting(&|c| {
            let is_unknown = c.meaning == Meaning::Unknown && self.may_go_by_cells();
            is_unknown && c.look.must_be_niks() && is_free(c)
        });
        // An empty column with the header of a NIK speaks against choosing another one
        // by its cells.
        let rivals = if certain.is_empty() { Vec::new() } else { empty.clone() };
        let candidates: Vec<_> = certain.into_iter().chain(rivals).collect();
        if let Some(one) = self.the_only(Role::Id, &candidates)? {
            return Ok(chosen_id(one));
        }
        // The header fits and the cells do not: most often these are the numbers of employees.
        let filled = headed(&|c| c.look.filled > 0);
        if let Some(c) = filled.iter().min_by_key(|c| c.id_header()) {
            let (column, look) = (c.index, c.look);
            return Err(ColumnError::NotNiks { column, look, seen: self.seen() });
        }
        // Empty columns prove nothing, so they count only if nothing speaks against them.
        match self.plainest(&empty)? {
            Some(one) => Ok(chosen_id(one)),
            None => Err(ColumnError::NotFound { role: Role::Id, seen: self.seen() }),
        }
    }

    /// Returns the column, among candidates for the NIK, whose header says so most plainly. A
    /// column that names no role is the customer's own. Columns of different roles belong to
    /// different persons, so they are ambiguous.
    fn plainest<'c>(
        &self,
        columns: &[&'c HeadedColumn],
    ) -> Result<Option<&'c HeadedColumn>, ColumnError> {
        let own: Vec<_> = columns.iter().copied().filter(|c| c.roles.is_empty()).collect();
        let candidates = if own.is_empty() { columns } else { own.as_slice() };
        let first = candidates.first().map(|c| &c.roles);
        if candidates.iter().any(|c| Some(&c.roles) != first) {
            return self.the_only(Role::Id, candidates);
        }
        let best = candidates.iter().filter_map(|c| c.id_header()).min();
        let plainest: Vec<_> =
            candidates.iter().copied().filter(|c| c.id_header() == best).collect();
        self.the_only(Role::Id, &plainest)
    }

    /// Finds the name column, in this order: the name in the role of the NIK; the name on the card;
    /// the only column with a known name header; the only column whose header names a name beside
    /// unknown words, or whose cells cannot be anything else. A name in a role that does not go
    /// with the role of the NIK belongs to another person.
    pub(super) fn find_name(&self, id: &ChosenColumn) -> Result<ChosenColumn, ColumnError> {
        let roles =
            self.columns.get(id.index).map(|column| column.roles.clone()).unwrap_or_default();
        let fits = |c: &HeadedColumn| {
            c.index != id.index && c.look.may_be_names() && may_be_one_person(&c.roles, &roles)
        };
        let headed = |is_meant: &dyn Fn(NameHeader, &HeadedColumn) -> bool| {
            self.fitting(&|c| match &c.meaning {
                Meaning::Name(kind, _) => is_meant(*kind, c) && fits(c),
                _ => false,
            })
        };
        let known = |kind: NameHeader| kind != NameHeader::Odd;
        let same_role = headed(&|kind, c| known(kind) && !roles.is_empty() && c.roles == roles);
        let card = headed(&|kind, c| kind == NameHeader::Card && c.roles.is_empty());
        // A full name beats a bare one. Beside a name in a role, neither says whose name it is.
        let whole = headed(&|kind, c| kind == NameHeader::Whole && c.roles.is_empty());
        let bare = headed(&|kind, c| kind == NameHeader::Plain && c.roles.is_empty());
        let own = if whole.is_empty() { bare } else { whole };
        let in_roles = headed(&|kind, c| known(kind) && !c.roles.is_empty());
        // Beside a NIK in a role, a name in another role is chosen only if no other column
        // may be meant.
        let (beside_own, at_last) =
            if roles.is_empty() { (in_roles, Vec::new()) } else { (Vec::new(), in_roles) };
        let any: Vec<_> = own.into_iter().chain(beside_own).collect();
        let odd = headed(&|kind, _| !known(kind) && self.may_go_by_cells());
        let certain = self.fitting(&|c| {
            let is_unknown = c.meaning == Meaning::Unknown && self.may_go_by_cells();
            is_unknown && fits(c) && c.look.must_be_names()
        });
        let by_cells = odd.into_iter().chain(certain).chain(at_last).collect();
        for fitting in [same_role, card, any, by_cells] {
            if let Some(one) = self.the_only(Role::Name, &fitting)? {
                return Ok(chosen_name(one));
            }
        }
        Err(ColumnError::NotFound { role: Role::Name, seen: self.seen() })
    }
}

fn chosen_id(column: &HeadedColumn) -> ChosenColumn {
    let ColumnLook { filled, like_nik, .. } = column.look;
    let header = headed_by(column);
    let why = match filled {
        0 => format!("{header} (no cell is filled in the sample)"),
        _ => format!("{header}, and {like_nik} of {filled} sampled cells look like NIKs"),
    };
    ChosenColumn { index: column.index, why }
}

fn chosen_name(column: &HeadedColumn) -> ChosenColumn {
    let ColumnLook { filled, like_name, .. } = column.look;
    let header = headed_by(column);
    let why = match &column.meaning {
        Meaning::Name(kind, _) if *kind != NameHeader::Odd => header,
        _ => format!("{header}, and {like_name} of {filled} sampled cells look like names"),
    };
    ChosenColumn { index: column.index, why }
}

fn headed_by(column: &HeadedColumn) -> String {
    match column.header.trim() {
        "" => format!("column {}", column_letters(column.index)),
        header => format!("header \"{}\"", shown(header)),
    }
}
