//! The input's own cells of a row, as the output writes them beside our columns.
//!
//! Must hold: a row that was too short is filled up, so that our columns are under their headers.
//! Surplus cells follow our columns.
//!
//! Never: decides how a cell is written, which is different in each form.

use crate::input::Layout;
use crate::input::records::Fields;
use crate::input::sheet::TypedCell;
use crate::model::column::Column;

/// The input's cells of a row, kept until the facts about the row are fetched.
#[derive(Debug, Default)]
pub struct Cells {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// Number of the row in a spreadsheet that opens the input, from 1.
    row: u64,
    /// The typed cells, each with its column, in the order of the columns.
    typed: Vec<(usize, TypedCell)>,
}

impl Cells {
    /// Copies the fields of a record. `row` is the number of the row in a spreadsheet that opens
    /// the input. `typed` are the typed cells in the order of their columns. A record is at most 1
    /// MiB long, so each end of a cell fits into 32 bits.
    pub fn of(fields: Fields<'_>, row: u64, typed: Vec<(usize, TypedCell)>) -> Self {
        let ends = Vec::with_capacity(fields.len());
        let mut cells = Self { bytes: Vec::new(), ends, row, typed };
        for field in fields.iter() {
            cells.bytes.extend_from_slice(field);
            cells.ends.push(u32::try_from(cells.bytes.len()).unwrap_or(u32::MAX));
        }
        cells
    }

    /// Returns the approximate number of bytes in memory.
    pub fn size(&self) -> usize {
        self.bytes.len() + size_of_val(self.ends.as_slice()) + size_of_val(self.typed.as_slice())
    }

    /// Returns the number of the row in a spreadsheet that opens the input, from 1.
    pub(super) fn row(&self) -> u64 {
        self.row
    }

    /// Returns the typed cell of a column, if there is one.
    pub(super) fn typed(&self, column: usize) -> Option<TypedCell> {
        // The typed cells are in the order of their columns.
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

/// The input's columns that are written to the output.
#[derive(Debug, Clone)]
pub(super) struct InputColumns {
    width: usize,
    id: usize,
    /// For each column of the input, true if it is one of ours, from an earlier output that is now
    /// the input. These columns are left out, since new ones replace them.
    ours: Vec<bool>,
}

impl InputColumns {
    pub(super) fn of(layout: &Layout) -> Self {
        let is_ours = |cell: &[u8]| Column::of_header(&String::from_utf8_lossy(cell)).is_some();
        let ours = match &layout.header {
            Some(header) => header.iter().map(|cell| is_ours(cell)).collect(),
            None => vec![false; layout.width],
        };
        Self { width: layout.width, id: layout.id.index, ours }
    }

    /// Returns the indexes of the columns that are written.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.ours.iter().enumerate().filter(|(_, ours)| !**ours).map(|(at, _)| at)
    }

    /// Checks whether the column with this index holds the NIKs.
    pub(super) const fn is_id(&self, at: usize) -> bool {
        at == self.id
    }

    /// Passes each cell that is written to `take`, with the index of its column, and true if the
    /// cell is the NIK. The missing cells of a row that is too short are empty.
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

    /// Returns the surplus cells of a row: those beyond the width of the input.
    pub(super) fn surplus<'a>(&self, cells: &'a Cells) -> impl Iterator<Item = &'a [u8]> {
        cells.iter().skip(self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cells, TypedCell};

    impl Cells {
        /// Returns these cells with another row number.
        pub(in crate::output) fn at(self, row: u64) -> Self {
            Self { row, ..self }
        }

        /// Returns these cells with these typed cells.
        pub(in crate::output) fn with(self, typed: Vec<(usize, TypedCell)>) -> Self {
            Self { typed, ..self }
        }

        /// Creates the cells of a row from texts.
        pub(in crate::output) fn made(texts: &[&str]) -> Self {
            let ends = texts.iter().scan(0, |end, text| {
                *end += text.len() as u32;
                Some(*end)
            });
            Self { ends: ends.collect(), bytes: texts.concat().into_bytes(), ..Self::default() }
        }
    }
}
