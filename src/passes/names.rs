//! NIKs that stand in a file with different names: how many, and the first rows that show it.
//!
//! Never: keeps a name. Two names of one NIK are told apart by the first bytes of their pairs' keys.

use crate::model::attempt::PairKey;
use crate::model::finding::SPOTS;

/// A row's NIK, as far as names are compared: 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NikRow {
    nik: u64,
    /// Its place among the rows that passed, from 0.
    row: u32,
    /// Tells its name from others of the same NIK.
    tag: u32,
}

impl NikRow {
    pub(super) fn of(nik: u64, row: u32, key: &PairKey) -> Self {
        let [a, b, c, d, ..] = key.0;
        Self { nik, row, tag: u32::from_le_bytes([a, b, c, d]) }
    }
}

/// The different NIKs of a file, and the rows that give one of them another name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Different NIKs.
    pub(super) niks: u64,
    /// The first rows that give a NIK of a row above another name, with that NIK.
    pub(super) others: Vec<(u32, u64)>,
}

/// Looks at the NIKs of all rows that passed.
pub(super) fn compare(mut rows: Vec<NikRow>) -> Names {
    rows.sort_unstable();
    let mut names = Names::default();
    for same in rows.chunk_by(|a, b| a.nik == b.nik) {
        names.niks += 1;
        // Nearly every NIK stands in one row.
        for (at, row) in same.iter().enumerate().skip(1) {
            let above = same.get(..at).unwrap_or_default();
            if above.iter().all(|other| other.tag != row.tag) {
                names.others.push((row.row, row.nik));
            }
            if at > SPOTS * SPOTS {
                break;
            }
        }
        if names.others.len() > SPOTS * SPOTS {
            keep_first(&mut names.others);
        }
    }
    keep_first(&mut names.others);
    names
}

/// Keeps the first rows alone.
fn keep_first(rows: &mut Vec<(u32, u64)>) {
    rows.sort_unstable();
    rows.truncate(SPOTS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_with_another_name_are_found_in_their_order() {
        let row = |row: u32, nik: u64, name: u8| NikRow::of(nik, row, &PairKey([name; 16]));
        let rows = vec![
            row(0, 7, 1),
            row(1, 5, 1),
            row(2, 7, 1),
            row(3, 5, 2),
            row(4, 7, 3),
            row(5, 5, 2),
            row(6, 5, 3),
            row(7, 9, 1),
        ];
        let expected = Names { niks: 3, others: vec![(3, 5), (4, 7), (6, 5)] };
        assert_eq!(compare(rows), expected);
        assert_eq!(compare(Vec::new()), Names::default());
        let many: Vec<_> = (0..10_000).map(|n| row(n, u64::from(n / 2), (n % 2) as u8)).collect();
        let found = compare(many);
        assert_eq!(found.niks, 5000);
        let first: Vec<_> = (0..SPOTS as u32).map(|n| (2 * n + 1, u64::from(n))).collect();
        assert_eq!(found.others, first);
        // One NIK with thousands of names costs no more than a look at a few.
        let many: Vec<_> = (0..10_000).map(|n| row(n, 1, n as u8)).collect();
        assert_eq!(compare(many).others.len(), SPOTS);
    }
}
