//! What a workbook may unpack to, looked at before its reader sees it.
//!
//! Must hold: whatever passes lets the reader use bounded memory: no part, no piece of text between two tags, and no
//! count that the reader believes is larger than a real customer file's.
//! Never: believes a size that the file declares.

use super::{BROKEN_ZIP, damaged, too_large};
use crate::input::error::Problem;
use std::io::{Read, Seek, SeekFrom};
use zip::ZipArchive;

/// Limits. Those of `Default` are some ten times what a sheet full of customers needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of one sheet.
    pub(super) sheet: u64,
    /// Bytes of the list of texts that all sheets share, held in memory.
    pub(super) strings: u64,
    /// Texts of that list.
    pub(super) texts: u64,
    /// Bytes of a part that says how the workbook is built: styles, relations, the list of sheets.
    pub(super) frame: u64,
    /// Bytes of any other part, such as a picture, which nobody reads.
    pub(super) part: u64,
    /// Bytes between two tags, and of a part that is too small to be looked into.
    pub(super) text: u64,
    /// A part may be so many times as long as it is packed, once it is longer than `part`, and all parts together so
    /// many times as long as the file. Parts may share their packed bytes.
    pub(super) ratio: u64,
    /// Bytes of all parts together.
    pub(super) total: u64,
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
            // Five columns of a full sheet, no text twice.
            texts: 6_000_000,
            frame: 8 << 20,
            part: 64 << 20,
            text: 1 << 20,
            ratio: 100,
            total: 8 << 30,
            cells: 100_000_000,
            kept: 2 << 30,
        }
    }
}

/// Parts of a workbook. Real ones have dozens.
const PARTS: usize = 10_000;
/// Texts that may be promised whatever a list holds: room for so many is nothing.
const PROMISED: u64 = 1 << 20;
/// Begins a switch to another alphabet.
const ESCAPE: u8 = 0x1B;
/// Bytes of the shortest text of a list: `<si></si>`.
const TEXT_BYTES: u64 = 9;

/// Unpacks every part once, and throws it away.
pub(super) fn check(mut file: impl Read + Seek, bounds: &Bounds) -> Result<(), Problem> {
    let size = file.seek(SeekFrom::End(0)).map_err(|e| Problem::Io("read it", e))?;
    let mut room = size.saturating_mul(bounds.ratio).max(bounds.part).min(bounds.total);
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
        let look = look_into(part, bounds, most.min(room), is_table, packed)?;
        room -= look.bytes;
        if is_strings {
            check_texts(&look, bounds)?;
        }
    }
    Ok(())
}

/// The reader makes room for as many texts as the list promises, and holds all that are in it.
fn check_texts(look: &Look, bounds: &Bounds) -> Result<(), Problem> {
    if !look.is_xml || look.promised > (look.bytes / TEXT_BYTES).max(PROMISED).min(bounds.texts) {
        return Err(damaged("its list of texts is not as long as it says"));
    }
    match look.texts > bounds.texts {
        true => Err(too_large("more texts than any sheet of customers")),
        false => Ok(()),
    }
}

/// What one part shows.
struct Look {
    bytes: u64,
    is_xml: bool,
    /// How many texts a list has, and how many it says that it has.
    texts: u64,
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
    let is_xml = is_xml.trim_ascii_start().starts_with(b"<");
    // Nor what switches to another alphabet, in which the reader sees other tags than we.
    let is_xml = is_xml && !head.iter().any(|byte| [0, ESCAPE].contains(byte));
    let most = if is_xml { most } else { most.min(bounds.part) };
    // The other parts are too small to matter.
    let is_table = is_table && is_xml;
    let mut look = Look { bytes: 0, is_xml, texts: 0, promised: promised(&head) };
    let mut tags = Tags::default();
    tags.add(&head);
    let read_promises = tags.promises;
    let mut piece = head;
    while !piece.is_empty() {
        look.bytes += piece.len() as u64;
        if look.bytes > most || (look.bytes > bounds.part && look.bytes / bounds.ratio > packed) {
            return Err(too_large("a part that unpacks to a huge size"));
        }
        if is_table && look.bytes > bounds.text && !tags.are_plain(bounds.text) {
            return Err(too_large("a huge text, or XML that no spreadsheet writes"));
        }
        piece.resize(64 * 1024, 0);
        let read = part.read(&mut piece).map_err(|_| damaged(BROKEN_ZIP))?;
        piece.truncate(read);
        tags.add(&piece);
    }
    look.texts = tags.texts;
    if tags.promises > read_promises {
        look.promised = u64::MAX;
    }
    Ok(look)
}

/// The tags of a part, as far as they bound what a reader of XML holds at a time.
#[derive(Default)]
struct Tags {
    /// Bytes since the last tag began; the most there ever were.
    since: u64,
    longest: u64,
    /// A comment, a CDATA section or a document type was seen, which can hold what looks like tags, and nothing bounds
    /// them; or another alphabet.
    odd: bool,
    /// The last bytes, the latest lowest; whether they stand in a closing tag.
    last: u128,
    closes: bool,
    /// Texts of a list, and promises of texts.
    texts: u64,
    promises: u64,
}

/// Ends of what was read: a promise, and the names of a text's tag.
const PROMISE: u128 = u128::from_be_bytes(*b"\0\0\0\0\0uniqueCount");
const PROMISE_BITS: u128 = (1 << (8 * 11)) - 1;
const TEXT_TAGS: [u32; 2] = [u32::from_be_bytes(*b"\0<si"), u32::from_be_bytes(*b"\0:si")];

impl Tags {
    fn add(&mut self, piece: &[u8]) {
        for &byte in piece {
            let opened = self.last as u8 == b'<';
            self.odd |= (opened && byte == b'!') || byte == ESCAPE;
            self.closes = if opened { byte == b'/' } else { self.closes };
            let ends_name = matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>');
            let is_text = ends_name && TEXT_TAGS.contains(&(self.last as u32 & 0xFF_FFFF));
            self.texts += u64::from(is_text && !self.closes);
            self.last = self.last << 8 | u128::from(byte);
            self.promises += u64::from(self.last & PROMISE_BITS == PROMISE);
            self.since = if byte == b'<' { 0 } else { self.since + 1 };
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
    let numbers = after.map(|(at, _)| {
        let rest = head.iter().skip(at + NAME.len());
        let mut digits = rest.skip_while(|b| b" =\t\r\n\"'".contains(b));
        let number = digits.try_fold(0u64, |n, b| match b {
            b'0'..=b'9' => Ok(n.saturating_mul(10).saturating_add(u64::from(b & 0x0f))),
            _ => Err(n),
        });
        // One that goes on beyond the beginning may be any.
        number.map_or_else(|whole| whole, |_| u64::MAX)
    });
    numbers.max().unwrap_or(0)
}
