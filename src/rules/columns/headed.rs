//! A table's columns: which of them are meant, by their headers and their cells.
//!
//! Never: prefers one of two columns that fit equally well.

use super::error::{ColumnError, Seen};
use super::{ChosenColumn, ColumnLook, ColumnSpec, Role, Table, column_letters, column_of_letters};
use crate::rules::headers::{HeaderKey, IdHeader, Meaning, NameHeader, is_data, shown};

/// One column.
struct Column {
    index: usize,
    header: String,
    key: HeaderKey,
    meaning: Meaning,
    look: ColumnLook,
}

/// A table's columns.
pub(super) struct Headed<'a> {
    table: Table<'a>,
    columns: Vec<Column>,
}

/// Whether a column is meant.
type Fits<'f> = &'f dyn Fn(&Column) -> bool;

impl<'a> Headed<'a> {
    pub(super) fn new(table: Table<'a>) -> Self {
        let headers = table.headers.unwrap_or_default();
        let column = |index: usize| {
            let header = headers.get(index).cloned().unwrap_or_default();
            Column {
                index,
                key: HeaderKey::of(&header),
                meaning: Meaning::of(&header),
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

    /// Refuses a header that holds what only data holds, in any column or in `only`.
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

    /// The column that the user named: as it is written if one is; else as compared without case and punctuation; else by
    /// its letters in a spreadsheet; else by a part that no other has.
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
            // Among a customer's cells there is no header to be found.
            self.refuse_data(None)?;
            return Err(ColumnError::NoSuchHeader { role, asked: shown(name), seen: self.seen() });
        };
        let why = format!("{} \"{}\"{}", role.flag(), shown(name), self.empty_header(one.index));
        Ok(ChosenColumn { index: one.index, why })
    }

    /// A note where a column that was chosen has no header, which may be a slip.
    fn empty_header(&self, index: usize) -> &'static str {
        let header = self.table.headers.and_then(|headers| headers.get(index));
        if header.is_some_and(|header| header.trim().is_empty()) {
            " (its header is empty)"
        } else {
            ""
        }
    }

    /// Whether a column may be taken by its cells alone: not under headers that may be a customer's row.
    fn may_go_by_cells(&self) -> bool {
        self.table.certain || self.table.headers.is_none()
    }

    fn fitting(&self, fits: Fits<'_>) -> Vec<&Column> {
        self.columns.iter().filter(|column| fits(column)).collect()
    }

    /// The column that fits, if any does: several are ambiguous.
    fn the_only<'c>(
        &self,
        role: Role,
        fitting: &[&'c Column],
    ) -> Result<Option<&'c Column>, ColumnError> {
        match fitting {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            several => {
                let columns = several.iter().map(|c| c.index).collect();
                Err(ColumnError::Ambiguous { role, columns, seen: self.seen() })
            }
        }
    }

    /// The NIK column: among those whose header and cells both fit, the one whose header says it most plainly; else the
    /// only one whose cells can be nothing else. `name`: the column that the user named as the name.
    pub(super) fn find_id(&self, name: Option<&ChosenColumn>) -> Result<ChosenColumn, ColumnError> {
        let is_free = |c: &Column| name.is_none_or(|name| name.index != c.index);
        let headed = |kind: IdHeader, fits: Fits<'_>| {
            self.fitting(&|c| {
                matches!(c.meaning, Meaning::Id(k, _) if k == kind) && fits(c) && is_free(c)
            })
        };
        for kind in IdHeader::ALL {
            let fitting = headed(kind, &|c| c.look.holds_niks());
            if let Some(one) = self.the_only(Role::Id, &fitting)? {
                return Ok(chosen_id(one));
            }
        }
        let certain = self.fitting(&|c| {
            let is_unknown = c.meaning == Meaning::Unknown && self.may_go_by_cells();
            is_unknown && c.look.must_be_niks() && is_free(c)
        });
        if let Some(one) = self.the_only(Role::Id, &certain)? {
            return Ok(chosen_id(one));
        }
        // A header that fits and cells that don't: an employee's number, most often.
        let filled = |kind| headed(kind, &|c| c.look.filled > 0);
        if let Some(c) = IdHeader::ALL.into_iter().find_map(|kind| filled(kind).first().copied()) {
            let (column, look) = (c.index, c.look);
            return Err(ColumnError::NotNiks { column, look, seen: self.seen() });
        }
        // Empty columns prove nothing, so they count only where nothing speaks against them.
        for kind in IdHeader::ALL {
            let fitting = headed(kind, &|c| c.look.filled == 0);
            if let Some(one) = self.the_only(Role::Id, &fitting)? {
                return Ok(chosen_id(one));
            }
        }
        Err(ColumnError::NotFound { role: Role::Id, seen: self.seen() })
    }

    /// The name column: that of the card; else the one in the NIK's role; else the only one with a header that we know;
    /// else the only one that is headed as a name; else the only one whose cells can be nothing else.
    pub(super) fn find_name(&self, id: &ChosenColumn) -> Result<ChosenColumn, ColumnError> {
        let roles = match self.columns.get(id.index).map(|column| &column.meaning) {
            Some(Meaning::Id(_, roles)) => roles.as_slice(),
            _ => &[],
        };
        let fits = |c: &Column| c.index != id.index && c.look.may_be_names();
        let headed = |is_meant: &dyn Fn(NameHeader, &[u8]) -> bool| {
            self.fitting(&|c| match &c.meaning {
                Meaning::Name(kind, roles) => is_meant(*kind, roles) && fits(c),
                _ => false,
            })
        };
        let card = headed(&|kind, _| kind == NameHeader::Card);
        let same_role =
            headed(&|kind, of| !roles.is_empty() && of == roles && kind != NameHeader::Odd);
        // A whole name beats a bare one. Beside somebody's in a role, neither says whose it is.
        let whole = headed(&|kind, of| kind == NameHeader::Whole && of.is_empty());
        let bare = headed(&|kind, of| kind == NameHeader::Plain && of.is_empty());
        let others = headed(&|kind, of| {
            !matches!(kind, NameHeader::Odd | NameHeader::Card) && !of.is_empty()
        });
        let own = if whole.is_empty() { bare } else { whole };
        let known: Vec<_> = own.into_iter().chain(others).collect();
        let odd = headed(&|kind, _| kind == NameHeader::Odd && self.may_go_by_cells());
        for fitting in [card, same_role, known, odd] {
            if let Some(one) = self.the_only(Role::Name, &fitting)? {
                return Ok(chosen_name(one));
            }
        }
        let certain = self.fitting(&|c| {
            let is_unknown = c.meaning == Meaning::Unknown && self.may_go_by_cells();
            is_unknown && c.index != id.index && c.look.must_be_names()
        });
        match self.the_only(Role::Name, &certain)? {
            Some(one) => Ok(chosen_name(one)),
            None => Err(ColumnError::NotFound { role: Role::Name, seen: self.seen() }),
        }
    }
}

fn chosen_id(column: &Column) -> ChosenColumn {
    let ColumnLook { filled, like_nik, .. } = column.look;
    let header = headed_by(column);
    let why = match filled {
        0 => format!("{header} (no cell is filled in the sample)"),
        _ => format!("{header}, and {like_nik} of {filled} sampled cells look like NIKs"),
    };
    ChosenColumn { index: column.index, why }
}

fn chosen_name(column: &Column) -> ChosenColumn {
    let ColumnLook { filled, like_name, .. } = column.look;
    let header = headed_by(column);
    let why = match &column.meaning {
        Meaning::Name(kind, _) if *kind != NameHeader::Odd => header,
        _ => format!("{header}, and {like_name} of {filled} sampled cells look like names"),
    };
    ChosenColumn { index: column.index, why }
}

fn headed_by(column: &Column) -> String {
    match column.header.trim() {
        "" => format!("column {}", column_letters(column.index)),
        header => format!("header \"{}\"", shown(header)),
    }
}
