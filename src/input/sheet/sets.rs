//! Sets of cells and of rows of a sheet, with one bit for each member.

use std::collections::HashMap;

/// Set of cells.
#[derive(Debug, Default)]
pub(super) struct CellSet {
    /// One bit for each of the first 64 columns, one `u64` for each row.
    near: Vec<u64>,
    /// Further columns in the set, by row.
    far: HashMap<u64, Vec<usize>>,
}

impl CellSet {
    /// Adds a cell. Rows count from 1, columns from 0.
    pub(super) fn insert(&mut self, row: u64, column: usize) {
        match (bit(column), place(row)) {
            (Some(bit), Some(at)) => {
                if at >= self.near.len() {
                    self.near.resize(at + 1, 0);
                }
                self.near.iter_mut().skip(at).take(1).for_each(|bits| *bits |= bit);
            }
            _ => self.far.entry(row).or_default().push(column),
        }
    }

    /// Returns `true` if a cell is in the set. Rows count from 1, columns from 0.
    pub(super) fn contains(&self, row: u64, column: usize) -> bool {
        match (bit(column), place(row)) {
            (Some(bit), Some(at)) => self.near.get(at).is_some_and(|bits| bits & bit != 0),
            _ => self.far.get(&row).is_some_and(|columns| columns.contains(&column)),
        }
    }
}

/// Set of rows, stored as a [`CellSet`]: 64 rows of the sheet are one row of that set.
#[derive(Debug, Default)]
pub(super) struct RowSet(CellSet);

impl RowSet {
    /// Adds a row. Rows count from 1.
    pub(super) fn insert(&mut self, row: u64) {
        self.0.insert(row / 64 + 1, (row % 64) as usize);
    }

    /// Returns `true` if a row is in the set. Rows count from 1.
    pub(super) fn contains(&self, row: u64) -> bool {
        self.0.contains(row / 64 + 1, (row % 64) as usize)
    }
}

/// Returns the bit of a column, or `None` from column 64 on.
fn bit(column: usize) -> Option<u64> {
    u32::try_from(column).ok().and_then(|column| 1_u64.checked_shl(column))
}

/// Returns the index of a row, which counts from 1.
fn place(row: u64) -> Option<usize> {
    row.checked_sub(1).and_then(|row| usize::try_from(row).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_contain_what_was_inserted() {
        let mut cells = CellSet::default();
        for (row, column) in [(1, 0), (1, 63), (1, 64), (9, 200), (70, 3)] {
            cells.insert(row, column);
        }
        let all = (0..80).flat_map(|row| (0..210).map(move |column| (row, column)));
        let found: Vec<_> = all.filter(|(row, column)| cells.contains(*row, *column)).collect();
        assert_eq!(found, [(1, 0), (1, 63), (1, 64), (9, 200), (70, 3)]);

        let mut rows = RowSet::default();
        [1, 63, 64, 1000].into_iter().for_each(|row| rows.insert(row));
        let found: Vec<_> = (0..1100).filter(|row| rows.contains(*row)).collect();
        assert_eq!(found, [1, 63, 64, 1000]);
    }
}
