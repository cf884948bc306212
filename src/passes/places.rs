//! Keeps the places of a file's rows in little memory, because most rows directly follow the row
//! before them.

use crate::input::InputPlace;

/// Places of rows, in their order.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Index and place of the first row of each stretch. Within a stretch, line, spreadsheet row
    /// and record each grow by one from row to row.
    stretches: Vec<(u64, InputPlace)>,
    /// Number of rows.
    rows: u64,
    /// Place of the latest row.
    last: Option<InputPlace>,
}

impl Places {
    /// Adds the place of the next row.
    pub(super) fn add(&mut self, place: InputPlace) {
        let follows = self.last.is_some_and(|last| {
            (place.line, place.row, place.record) == (last.line + 1, last.row + 1, last.record + 1)
        });
        if !follows {
            self.stretches.push((self.rows, place));
        }
        self.rows += 1;
        self.last = Some(place);
    }

    /// Returns the place of the row with this index, from 0. Its `byte` is that of the first row in
    /// the stretch.
    pub(super) fn get(&self, row: u64) -> Option<InputPlace> {
        let after = self.stretches.partition_point(|(first, _)| *first <= row);
        let (first, place) = self.stretches.get(after.checked_sub(1)?)?;
        let on = row.checked_sub(*first).filter(|_| row < self.rows)?;
        let InputPlace { line, row, record, byte } = *place;
        Some(InputPlace { line: line + on, row: row + on, record: record + on, byte })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_again() {
        let place = |line, row, record| InputPlace { line, row, record, byte: 0 };
        let all = [
            place(2, 2, 1),
            place(3, 3, 2),
            place(4, 4, 3),
            // A cell over two lines, a blank line, a rejected row.
            place(6, 5, 4),
            place(8, 7, 5),
            place(9, 8, 6),
            place(11, 10, 8),
        ];
        let mut places = Places::default();
        all.into_iter().for_each(|place| places.add(place));
        let found: Vec<_> = (0..8).map(|row| places.get(row)).collect();
        let expected: Vec<_> = all.into_iter().map(Some).chain([None]).collect();
        assert_eq!(found, expected);
        assert_eq!(places.stretches.len(), 4);
        assert_eq!(Places::default().get(0), None);
    }
}
