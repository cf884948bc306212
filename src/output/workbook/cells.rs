//! Sizes of cells in a sheet: the length of a text, and the width of a column.

use std::borrow::Cow;

/// Length of the longest text in a cell, in UTF-16 units.
pub(super) const LONGEST_CELL: usize = 32_767;
/// End of a text that was cut.
pub(super) const CUT: &str = " […cut]";

/// Returns a text as a cell can hold it. A longer text is cut between two characters, and `CUT` is
/// appended.
pub(super) fn cut_to_cell(text: &str) -> Cow<'_, str> {
    // No text has more UTF-16 units than UTF-8 bytes.
    if text.len() <= LONGEST_CELL || text.encode_utf16().count() <= LONGEST_CELL {
        return Cow::Borrowed(text);
    }
    let mut room = LONGEST_CELL - CUT.encode_utf16().count();
    let kept = text.chars().take_while(|letter| {
        let fits = letter.len_utf16() <= room;
        room = room.saturating_sub(letter.len_utf16());
        fits
    });
    Cow::Owned(kept.chain(CUT.chars()).collect())
}

/// Width of a column in characters, as far as its texts need it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Width {
    widest: usize,
    most: usize,
}

impl Width {
    /// Creates the width of a column: `least` characters, growing up to `most`.
    pub(super) fn between(least: usize, most: usize) -> Self {
        Self { widest: least, most }
    }

    /// Widens the column for a text, if necessary.
    pub(super) fn see(&mut self, text: &str) {
        if self.widest < self.most && text.len() > self.widest {
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            self.widest = self.widest.max(longest).min(self.most);
        }
    }

    /// Widens the column for a number, if necessary. The format of the number may add separators
    /// and a currency.
    pub(super) fn see_number(&mut self, text: &str) {
        const FORMAT: usize = 4;
        self.widest = self.widest.max(text.len() + text.len() / 3 + FORMAT).min(self.most);
    }

    /// Returns the width in characters, with the room that a spreadsheet leaves beside a text.
    pub(super) fn characters(self) -> f64 {
        self.widest as f64 + 1.5
    }
}
