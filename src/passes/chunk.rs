//! Rows gathered to be handed to another thread.
//!
//! What must hold: a chunk ends where its rows or its bytes are enough, so that long rows take no more memory than
//! many.

/// Bytes of rows handed over at a time, about.
const BYTES: usize = 4 << 20;

/// Rows gathered so far.
pub(super) struct Chunk<T> {
    rows: Vec<T>,
    most: usize,
    bytes: usize,
}

impl<T> Chunk<T> {
    /// Of at most so many rows.
    pub(super) fn of(most: usize) -> Self {
        Self { rows: Vec::with_capacity(most), most, bytes: 0 }
    }

    /// Takes a row in, so many bytes long. Gives all of them away once they are enough.
    pub(super) fn add(&mut self, row: T, bytes: usize) -> Option<Vec<T>> {
        self.rows.push(row);
        self.bytes += bytes;
        let is_full = self.rows.len() >= self.most || self.bytes >= BYTES;
        is_full.then(|| std::mem::replace(self, Self::of(self.most)).rows)
    }

    /// What is left at the end.
    pub(super) fn rest(self) -> Vec<T> {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_ends_by_rows_or_bytes() {
        for (bytes, sizes) in [(10, [3, 3, 1]), (BYTES / 2, [2, 2, 3]), (BYTES, [1, 1, 5])] {
            let mut chunk = Chunk::of(3);
            let mut given: Vec<_> = (0..7).filter_map(|row| chunk.add(row, bytes)).collect();
            given.push(chunk.rest());
            assert_eq!(given.concat(), (0..7).collect::<Vec<_>>());
            let rest = given[2..].iter().map(Vec::len).sum();
            assert_eq!([given[0].len(), given[1].len(), rest], sizes, "{bytes}");
        }
    }
}
