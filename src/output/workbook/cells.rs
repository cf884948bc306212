//! Cells as they stand in a sheet: how long a text may be, and how wide it is shown.

use std::borrow::Cow;

/// The most that a cell holds, in UTF-16 units.
pub(super) const LONGEST_CELL: usize = 32_767;
/// The end of a cell that was cut.
pub(super) const CUT: &str = " […cut]";

/// As much of a text as a cell holds; the cut is marked.
pub(super) fn fitting(text: &str) -> Cow<'_, str> {
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

/// The width that a column needs, in characters, to show what stands in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Width {
    widest: usize,
    most: usize,
}

impl Width {
    /// A column at least as wide as this, and at most as that.
    pub(super) fn between(least: usize, most: usize) -> Self {
        Self { widest: least, most }
    }

    /// Sees a text.
    pub(super) fn see(&mut self, text: &str) {
        if self.widest < self.most && text.len() > self.widest {
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            self.widest = self.widest.max(longest).min(self.most);
        }
    }

    /// Sees a number, which its format may widen by separators and a currency.
    pub(super) fn see_number(&mut self, text: &str) {
        const FORMAT: usize = 4;
        self.widest = self.widest.max(text.len() + text.len() / 3 + FORMAT).min(self.most);
    }

    /// With the room that a spreadsheet leaves beside a text.
    pub(super) fn characters(self) -> f64 {
        self.widest as f64 + 1.5
    }
}
