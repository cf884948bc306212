//! A row of the results: the input's own cells, then what came of it.
//!
//! Must hold: rows come out as they went in, one each; a row that was too short is filled up
//! so that our columns stand under their headers; cells that were too many follow ours. Never: says
//! how a cell is written; that is each form's own.

use std::borrow::Cow;

use crate::input::Layout;
use crate::input::records::Fields;
use crate::input::sheet::TypedCell;
use crate::model::column::Column;
use crate::model::money::Charge;
use crate::model::outcome::Outcome;
use crate::model::row::Rejection;
use crate::model::texts::Texts;

/// Where a row's answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowSource {
    /// A call of this run.
    Call,
    /// The same pair, earlier in this file.
    Duplicate,
    /// An earlier run.
    Ledger,
    /// There is none.
    Nowhere,
}

impl RowSource {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Duplicate => "duplicate",
            Self::Ledger => "ledger",
            Self::Nowhere => "",
        }
    }
}

/// What came of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowResult<'a> {
    /// Its end state.
    pub outcome: Outcome,
    /// True if it is on the invoice.
    pub charged: Charge,
    /// Its attempts whose charge is unknown.
    pub possible: u8,
    /// Its sends.
    pub attempts: u8,
    /// Where the answer comes from.
    pub source: RowSource,
    /// The vendor's texts.
    pub texts: Cow<'a, Texts>,
    /// Why: the vendor's reason, or ours.
    pub reason: Cow<'a, str>,
}

impl RowResult<'_> {
    /// A row that our own check refused.
    pub fn rejected(why: Rejection) -> Self {
        Self {
            outcome: Outcome::Rejected,
            charged: Charge::Free,
            possible: 0,
            attempts: 0,
            source: RowSource::Nowhere,
            texts: Cow::Owned(Texts::default()),
            reason: Cow::Borrowed(why.code()),
        }
    }
}

/// A row's own cells, kept until its facts are there.
#[derive(Debug, Default)]
pub struct Cells {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// The row of a spreadsheet that opens the input, from 1.
    row: u64,
    /// Those that are no text to a spreadsheet, each with its column.
    typed: Vec<(usize, TypedCell)>,
}

impl Cells {
    /// A copy of a record's fields, and where it stands. `typed`: those that are no text to a spreadsheet. A record is at
    /// most 1 MB long, so ends fit.
    pub fn of(fields: Fields<'_>, row: u64, typed: Vec<(usize, TypedCell)>) -> Self {
        let ends = Vec::with_capacity(fields.len());
        let mut cells = Self { bytes: Vec::new(), ends, row, typed };
        for field in fields.iter() {
            cells.bytes.extend_from_slice(field);
            cells.ends.push(u32::try_from(cells.bytes.len()).unwrap_or(u32::MAX));
        }
        cells
    }

    /// How many bytes they take, about.
    pub fn size(&self) -> usize {
        self.bytes.len() + size_of_val(self.ends.as_slice()) + size_of_val(self.typed.as_slice())
    }

    /// The row of a spreadsheet that opens the input, from 1.
    pub(super) fn row(&self) -> u64 {
        self.row
    }

    /// A cell that is no text to a spreadsheet.
    pub(super) fn typed(&self, column: usize) -> Option<TypedCell> {
        // They stand in the order of their columns.
        let at = self.typed.binary_search_by_key(&column, |(at, _)| *at).ok()?;
        self.typed.get(at).map(|(_, cell)| *cell)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| self.bytes.get(start as usize..*end as usize).unwrap_or_default())
    }
}

/// Which of the input's columns stay, and where they stand.
#[derive(Debug, Clone)]
pub(super) struct OwnColumns {
    width: usize,
    id: usize,
    /// Which of them are ours, of an earlier output fed back: they are replaced.
    ours: Vec<bool>,
}

impl OwnColumns {
    pub(super) fn of(layout: &Layout) -> Self {
        let is_ours = |cell: &[u8]| Column::of_header(&String::from_utf8_lossy(cell)).is_some();
        let ours = match &layout.header {
            Some(header) => header.iter().map(|cell| is_ours(cell)).collect(),
            None => vec![false; layout.width],
        };
        Self { width: layout.width, id: layout.id.index, ours }
    }

    /// The places of those that stay.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.ours.iter().enumerate().filter(|(_, ours)| !**ours).map(|(at, _)| at)
    }

    /// Whether the column at a place holds the NIKs.
    pub(super) const fn is_id(&self, at: usize) -> bool {
        at == self.id
    }

    /// Hands over each cell that stays, and whether it is the NIK's; empty ones where the row is
    /// too short.
    pub(super) fn each<'a, E>(
        &self,
        mut cells: impl Iterator<Item = &'a [u8]>,
        mut take: impl FnMut(&'a [u8], usize, bool) -> Result<(), E>,
    ) -> Result<(), E> {
        for (at, ours) in self.ours.iter().enumerate() {
            let cell = cells.next().unwrap_or_default();
            if !ours {
                take(cell, at, self.is_id(at))?;
            }
        }
        Ok(())
    }

    /// The cells that were too many.
    pub(super) fn surplus<'a>(&self, cells: &'a Cells) -> impl Iterator<Item = &'a [u8]> {
        cells.iter().skip(self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cells, TypedCell};

    impl Cells {
        /// These cells in another row.
        pub(in crate::output) fn at(self, row: u64) -> Self {
            Self { row, ..self }
        }

        /// These cells, some of them no text to a spreadsheet.
        pub(in crate::output) fn with(self, typed: Vec<(usize, TypedCell)>) -> Self {
            Self { typed, ..self }
        }

        /// Cells that a test makes up.
        pub(in crate::output) fn made(texts: &[&str]) -> Self {
            let ends = texts.iter().scan(0, |end, text| {
                *end += text.len() as u32;
                Some(*end)
            });
            Self { ends: ends.collect(), bytes: texts.concat().into_bytes(), ..Self::default() }
        }
    }
}
