//! The bounds within which a workbook is read.

use crate::input::error::{Problem, too_large};

/// Bounds for reading a workbook. The defaults are about ten times as large as a full sheet of
/// customers needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Unpacked bytes of the part of one sheet.
    pub(super) sheet: u64,
    /// Unpacked bytes of the part with the shared texts, which are kept in memory.
    pub(super) strings: u64,
    /// Number of shared texts.
    pub(super) texts: usize,
    /// Unpacked bytes of a part that describes the workbook: styles, relations, the list of sheets.
    pub(super) frame: u64,
    /// Bytes from one tag to the next.
    pub(super) text: usize,
    /// Ratio between the unpacked and the packed bytes of a part. It counts only if the part is
    /// longer than `plain`.
    pub(super) ratio: u64,
    /// Unpacked bytes of a part up to which its ratio does not matter.
    pub(super) plain: u64,
    /// Number of cells of a sheet. Empty cells before a filled one count too.
    pub(super) cells: u64,
    /// Bytes of the text that a sheet is converted to.
    pub(super) kept: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            sheet: 4 << 30,
            strings: 256 << 20,
            // Five columns of a full sheet in which no text occurs twice, and some more.
            texts: 6_000_000,
            frame: 64 << 20,
            text: 1 << 20,
            ratio: 100,
            plain: 64 << 20,
            cells: 100_000_000,
            kept: 2 << 30,
        }
    }
}

/// Bound that a part exceeded.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum BoundExceeded {
    /// The unpacked bytes of the part, or their ratio to its packed bytes.
    #[error("a part that unpacks to a huge size")]
    Part,
    /// The bytes between two tags, the length of a text of several pieces, or the depth of the
    /// elements.
    #[error("a huge text, or XML that no spreadsheet writes")]
    Text,
}

impl From<BoundExceeded> for Problem {
    fn from(excess: BoundExceeded) -> Self {
        too_large(match excess {
            BoundExceeded::Part => "a part that unpacks to a huge size",
            BoundExceeded::Text => "a huge text, or XML that no spreadsheet writes",
        })
    }
}
