//! Counts of a sample of a column's cells, by what they look like: NIKs, names, or something else.
//!
//! Never: keeps a cell.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::model::row::Warning;
use crate::rules::nik::{NikPolicy, check_nik, look_of};

/// Percent of a sample's filled cells that look like NIKs in a column of NIKs, at least.
const LIKE_NIK_PERCENT: u64 = 80;
/// Percent of a sample's filled cells that look like names in a column of names, at least.
const LIKE_NAME_PERCENT: u64 = 80;
/// Below this many filled cells it tells nothing that one of them stands there twice.
const TELLING_CELLS: u64 = 5;
/// Letters of the shortest name, and characters and words of the longest.
const SHORTEST_NAME: usize = 2;
const LONGEST_NAME: usize = 60;
const MOST_WORDS: usize = 8;

/// Counts of a sample of one column's cells, by what they look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnLook {
    /// Cells that are not empty.
    pub filled: u64,
    /// Those of them that look like NIKs, damaged ones included, so that a damaged file gets the message about damage.
    pub like_nik: u64,
    /// Those of them that pass the checks of a NIK.
    pub niks: u64,
    /// Those of them that have letters.
    pub letters: u64,
    /// Those of them that look like a person's name.
    pub like_name: u64,
    /// Cells that differ from one another.
    pub distinct: u64,
}

impl ColumnLook {
    /// Returns `true` if the cells look like NIKs.
    pub(super) fn holds_niks(self) -> bool {
        self.filled > 0 && self.like_nik * 100 >= self.filled * LIKE_NIK_PERCENT
    }

    /// Returns `true` if the cells are NIKs by what they hold alone: other numbers have 16 digits too.
    pub(super) fn must_be_niks(self) -> bool {
        self.filled > 0 && self.niks * 100 >= self.filled * LIKE_NIK_PERCENT
    }

    /// Returns `true` if the cells do not speak against a header that says that they are names.
    pub(super) fn may_be_names(self) -> bool {
        self.letters * 2 >= self.filled
    }

    /// Returns `true` if the cells are persons' names by what they hold alone: those of towns and branches stand there again
    /// and again.
    pub(super) fn must_be_names(self) -> bool {
        let varies = self.filled < TELLING_CELLS || self.distinct * 2 >= self.filled;
        self.filled > 0 && self.like_name * 100 >= self.filled * LIKE_NAME_PERCENT && varies
    }
}

/// Gathers a look cell by cell.
#[derive(Clone, Debug, Default)]
pub struct ColumnSample {
    look: ColumnLook,
    seen: HashSet<u64>,
}

impl ColumnSample {
    /// Counts one cell.
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

    /// The look so far.
    pub fn look(&self) -> ColumnLook {
        self.look
    }
}

/// Returns `true` if a cell can be little else than a NIK: a date and a province that there are.
fn is_sure_nik(cell: &str) -> bool {
    let unknown = Warning::NikProvinceUnknown;
    check_nik(cell, &NikPolicy::default()).is_ok_and(|(_, warnings)| !warnings.contains(unknown))
}

/// Returns `true` if a cell may be a person's name: words of letters, with the marks that names have.
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
