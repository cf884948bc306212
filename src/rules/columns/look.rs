//! Counts of a sample of a column's cells, by their look: NIKs, names, or something else.
//!
//! Never: keeps a cell.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::model::row::Warning;
use crate::rules::nik::{NikPolicy, check_nik, look_of};

/// Lowest percentage of filled cells that look like NIKs in a column of NIKs.
const LIKE_NIK_PERCENT: u64 = 80;
/// Lowest percentage of filled cells that look like names in a column of names.
const LIKE_NAME_PERCENT: u64 = 80;
/// Number of filled cells below which repeated cells say nothing about the column.
const TELLING_CELLS: u64 = 5;
/// Fewest letters of a name.
const SHORTEST_NAME: usize = 2;
/// Most characters of a name.
const LONGEST_NAME: usize = 60;
/// Most words of a name.
const MOST_WORDS: usize = 8;

/// Counts of a sample of one column's cells, by their look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnLook {
    /// Cells that are not empty.
    pub filled: u64,
    /// Filled cells that look like NIKs. Damaged NIKs count too, so that a damaged file gets the
    /// message about its damage.
    pub like_nik: u64,
    /// Filled cells that pass the checks of a NIK and begin with a known province.
    pub niks: u64,
    /// Filled cells that have letters.
    pub letters: u64,
    /// Filled cells that look like a person's name.
    pub like_name: u64,
    /// Filled cells that differ from one another.
    pub distinct: u64,
}

impl ColumnLook {
    /// Returns `true` if the cells look like NIKs.
    pub(super) fn holds_niks(self) -> bool {
        self.filled > 0 && self.like_nik * 100 >= self.filled * LIKE_NIK_PERCENT
    }

    /// Returns `true` if the cells alone prove that these are NIKs. They have to pass the checks,
    /// since other numbers have 16 digits too.
    pub(super) fn must_be_niks(self) -> bool {
        self.filled > 0 && self.niks * 100 >= self.filled * LIKE_NIK_PERCENT
    }

    /// Returns `true` if the cells do not contradict a header that says that these are names.
    pub(super) fn may_be_names(self) -> bool {
        self.letters * 2 >= self.filled
    }

    /// Returns `true` if the cells alone prove that these are names of persons. Names of towns and
    /// branches look alike, but they repeat.
    pub(super) fn must_be_names(self) -> bool {
        let varies = self.filled < TELLING_CELLS || self.distinct * 2 >= self.filled;
        self.filled > 0 && self.like_name * 100 >= self.filled * LIKE_NAME_PERCENT && varies
    }
}

/// Counter of a column's cells, fed cell by cell.
#[derive(Clone, Debug, Default)]
pub struct ColumnSample {
    look: ColumnLook,
    seen: HashSet<u64>,
}

impl ColumnSample {
    /// Counts one cell. An empty cell is ignored.
    pub fn add(&mut self, cell: &str) {
        let cell = cell.trim();
        if cell.is_empty() {
            return;
        }
        let look = &mut self.look;
        look.filled += 1;
        look.like_nik += u64::from(look_of(cell).like_nik());
        look.niks += u64::from(is_sure_nik(cell));
        look.letters += u64::from(cell.chars().any(char::is_alphabetic));
        look.like_name += u64::from(is_like_name(cell));
        let mut hasher = DefaultHasher::new();
        cell.hash(&mut hasher);
        self.seen.insert(hasher.finish());
        look.distinct = self.seen.len() as u64;
    }

    /// Returns the counts so far.
    pub fn look(&self) -> ColumnLook {
        self.look
    }
}

/// Returns `true` if a cell is hardly anything but a NIK: the date and the province exist.
fn is_sure_nik(cell: &str) -> bool {
    let unknown = Warning::NikProvinceUnknown;
    check_nik(cell, &NikPolicy::default()).is_ok_and(|(_, warnings)| !warnings.contains(unknown))
}

/// Returns `true` if a cell may be a person's name: words of letters, with the
/// punctuation of names.
fn is_like_name(cell: &str) -> bool {
    let letters = cell.chars().filter(|c| c.is_alphabetic()).count();
    letters >= SHORTEST_NAME
        && cell.chars().count() <= LONGEST_NAME
        && cell.split_whitespace().count() <= MOST_WORDS
        && cell.chars().all(|c| c.is_alphabetic() || c.is_whitespace() || ".,'’`-/()".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(cells: &[&str]) -> ColumnLook {
        let mut sample = ColumnSample::default();
        cells.iter().for_each(|cell| sample.add(cell));
        sample.look()
    }

    #[test]
    fn the_sample_counts_filled_cells() {
        let found = look(&[
            "",
            "  ",
            "3275014107900001",
            "3.27501E+15",
            "9999999999999999",
            "BUDI",
            "327501",
        ]);
        let expected =
            ColumnLook { filled: 5, like_nik: 3, niks: 1, letters: 2, like_name: 1, distinct: 5 };
        assert_eq!(found, expected);
    }

    #[test]
    fn columns_are_told_by_their_cells() {
        for (cells, niks, names) in [
            (&["3275014107900001"][..], true, false),
            (&["4111111111111111"], false, false),
            (&["BUDI SANTOSO, S.E.", "Siti Nur'aini"], false, true),
            (&["JL. MELATI NO. 3", "JL. MAWAR 5"], false, false),
            (&["x", "x"], false, false),
            (&["Jakarta", "Jakarta", "Jakarta", "Medan", "Jakarta"], false, false),
            (&["Budi", "Siti", "Ayu", "Dewi", "Budi"], false, true),
            (&[], false, false),
        ] {
            let found = look(cells);
            assert_eq!((found.must_be_niks(), found.must_be_names()), (niks, names), "{cells:?}");
        }
    }
}
