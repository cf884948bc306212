//! Counts the distinct NIKs of a file, and finds the first rows that repeat a NIK with a new name.
//!
//! Never: keeps a name. Two names of one NIK are distinguished by the first four bytes of their
//! pair keys.

use crate::model::attempt::PairKey;
use crate::model::finding::SPOTS;

/// NIK of a row, with the data to compare names: 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NikRow {
    nik: u64,
    /// Index of the row among the rows that passed the checks, from 0.
    row: u32,
    /// First four bytes of the pair key, which distinguish the names of one NIK.
    tag: u32,
}

impl NikRow {
    pub(super) fn of(nik: u64, row: u32, key: &PairKey) -> Self {
        let [a, b, c, d, ..] = key.0;
        Self { nik, row, tag: u32::from_le_bytes([a, b, c, d]) }
    }
}

/// Result of the comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Number of distinct NIKs.
    pub(super) niks: u64,
    /// The first rows that repeat a NIK with a name that no earlier row of the NIK has, at most
    /// [`SPOTS`]: the index of each row, and its NIK.
    pub(super) others: Vec<(u32, u64)>,
}

/// Compares the names of the rows that have the same NIK. Of each NIK, only its first rows are
/// compared (`SPOTS * SPOTS + 2`), so that the time stays small for a NIK with thousands of rows.
pub(super) fn compare(mut rows: Vec<NikRow>) -> Names {
    rows.sort_unstable();
    let mut names = Names::default();
    for same in rows.chunk_by(|a, b| a.nik == b.nik) {
        names.niks += 1;
        // Nearly every NIK has only one row, so this loop is short.
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

/// Removes all but the first [`SPOTS`] rows.
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
        // For a NIK with thousands of names, only a few rows are compared.
        let many: Vec<_> = (0..10_000).map(|n| row(n, 1, n as u8)).collect();
        assert_eq!(compare(many).others.len(), SPOTS);
    }
}
