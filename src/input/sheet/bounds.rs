//! What a workbook may unpack to, looked at before its reader sees it.
//!
//! Must hold: whatever passes lets the reader use bounded memory: no part, no piece of text between two tags, and no
//! count that the reader believes is larger than a real customer file's.
//! Never: believes a size that the file declares.

use super::{BROKEN_ZIP, SheetError, damaged};
use crate::input::error::Problem;
use std::io::{Read, Seek};
use zip::ZipArchive;

/// Limits. Those of `Default` are some ten times what a sheet full of customers needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of one sheet.
    pub(super) sheet: u64,
    /// Bytes of the list of texts that all sheets share, held in memory.
    pub(super) strings: u64,
    /// Bytes of a part that says how the workbook is built: styles, relations, the list of sheets.
    pub(super) frame: u64,
    /// Bytes of any other part, such as a picture, which nobody reads.
    pub(super) part: u64,
    /// Bytes between two tags, and of a part that is too small to be looked into.
    pub(super) text: u64,
    /// A part may be so many times as long as it is packed, once it is longer than `part`.
    pub(super) ratio: u64,
    /// Cells of a sheet, empty ones before a filled one included.
    pub(super) cells: u64,
    /// Bytes of a sheet's text.
    pub(super) kept: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            sheet: 4 << 30,
            strings: 256 << 20,
            frame: 8 << 20,
            part: 64 << 20,
            text: 1 << 20,
            ratio: 100,
            cells: 100_000_000,
            kept: 2 << 30,
        }
    }
}

/// Parts of a workbook. Real ones have dozens.
const PARTS: usize = 10_000;

/// Unpacks every part once, and throws it away.
pub(super) fn check(file: impl Read + Seek, bounds: &Bounds) -> Result<(), Problem> {
    let mut archive = ZipArchive::new(file).map_err(|_| damaged(BROKEN_ZIP))?;
    if archive.len() > PARTS {
        return Err(too_large("thousands of parts"));
    }
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|_| damaged(BROKEN_ZIP))?;
        let name = String::from_utf8_lossy(part.name_raw()).to_ascii_lowercase();
        let is_strings = name.ends_with("sharedstrings.xml");
        let is_frame = ["workbook", "styles", ".rels", "theme", "content_types"]
            .iter()
            .any(|word| name.contains(word) && !name.contains("media/"));
        let (most, is_table) = match () {
            () if is_strings => (bounds.strings, true),
            () if name.contains("worksheets/") && !name.ends_with(".rels") => (bounds.sheet, true),
            () if is_frame => (bounds.frame, false),
            () => (bounds.part, false),
        };
        let packed = part.compressed_size();
        let look = look_into(part, bounds, most, is_table, packed)?;
        if is_strings && look.promised > look.bytes {
            return Err(damaged("its list of texts is not as long as it says"));
        }
    }
    Ok(())
}

fn too_large(what: &'static str) -> Problem {
    Problem::Sheet(SheetError::TooLarge(what))
}

/// What one part shows.
struct Look {
    bytes: u64,
    /// How many texts a list says that it has: its reader makes room for them at once.
    promised: u64,
}

fn look_into(
    mut part: impl Read,
    bounds: &Bounds,
    most: u64,
    is_table: bool,
    packed: u64,
) -> Result<Look, Problem> {
    let mut head = Vec::new();
    let read = part.by_ref().take(bounds.text + 1).read_to_end(&mut head);
    read.map_err(|_| damaged(BROKEN_ZIP))?;
    let is_xml = head.trim_ascii_start().strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head);
    let is_xml = is_xml.trim_ascii_start().starts_with(b"<") && !head.contains(&0);
    let most = if is_xml { most } else { most.min(bounds.part) };
    // The other parts are too small to matter.
    let is_table = is_table && is_xml;
    let mut look = Look { bytes: 0, promised: if is_xml { promised(&head) } else { 0 } };
    let mut tags = Tags::default();
    let mut piece = head;
    while !piece.is_empty() {
        look.bytes += piece.len() as u64;
        if look.bytes > most || (look.bytes > bounds.part && look.bytes / bounds.ratio > packed) {
            return Err(too_large("a part that unpacks to a huge size"));
        }
        tags.add(&piece);
        if is_table && look.bytes > bounds.text && !tags.are_plain(bounds.text) {
            return Err(too_large("a huge text, or XML that no spreadsheet writes"));
        }
        piece.resize(64 * 1024, 0);
        let read = part.read(&mut piece).map_err(|_| damaged(BROKEN_ZIP))?;
        piece.truncate(read);
    }
    Ok(look)
}

/// The tags of a part, as far as they bound what a reader of XML holds at a time.
#[derive(Default)]
struct Tags {
    /// Bytes since the last tag began; the most there ever were.
    since: u64,
    longest: u64,
    /// The last byte began a tag; a comment, a CDATA section or a document type was seen. They can hold what looks
    /// like tags, and nothing bounds them.
    opened: bool,
    odd: bool,
}

impl Tags {
    fn add(&mut self, piece: &[u8]) {
        for &byte in piece {
            self.odd |= self.opened && byte == b'!';
            self.opened = byte == b'<';
            self.since = if self.opened { 0 } else { self.since + 1 };
            self.longest = self.longest.max(self.since);
        }
    }

    fn are_plain(&self, text: u64) -> bool {
        !self.odd && self.longest <= text
    }
}

/// The highest `uniqueCount` that stands in a part's beginning.
fn promised(head: &[u8]) -> u64 {
    const NAME: &[u8] = b"uniqueCount";
    let after = head.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    let digits = after.map(|(at, _)| {
        let rest = head.get(at + NAME.len()..).unwrap_or_default();
        let digits = rest.iter().skip_while(|b| b" =\t\r\n\"'".contains(b));
        digits.take_while(|b| b.is_ascii_digit())
    });
    let numbers = digits.map(|digits| {
        digits.fold(0u64, |n, b| n.saturating_mul(10).saturating_add(u64::from(b & 0x0f)))
    });
    numbers.max().unwrap_or(0)
}
