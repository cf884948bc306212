//! The parts of a workbook's file: found by name, unpacked within bounds.
//!
//! Must hold: only a part that is asked for is unpacked, and only as far as it is read, so that no other part can refuse
//! the file. Whatever a file says of its sizes, a part gives no more bytes than its bound.
//! Never: believes a size that the file declares.

use super::xml::Xml;
use super::{BROKEN_ZIP, damaged, too_large};
use crate::input::error::Problem;
use crate::input::source::SourceReader;
use std::collections::HashMap;
use std::io::{self, BufReader, Read};
use zip::ZipArchive;

/// Limits. Those of `Default` are some ten times what a sheet full of customers needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of one sheet.
    pub(super) sheet: u64,
    /// Bytes of the list of texts that all sheets share, held in memory.
    pub(super) strings: u64,
    /// Texts of that list.
    pub(super) texts: usize,
    /// Bytes of a part that says how the workbook is built: styles, relations, the list of sheets.
    pub(super) frame: u64,
    /// Bytes from one tag to the next.
    pub(super) text: usize,
    /// A part may be so many times as long as it is packed, once it is longer than `plain`.
    pub(super) ratio: u64,
    /// Bytes of a part that no ratio matters for.
    pub(super) plain: u64,
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
            frame: 64 << 20,
            text: 1 << 20,
            ratio: 100,
            plain: 64 << 20,
            cells: 100_000_000,
            kept: 2 << 30,
        }
    }
}

/// Parts of a workbook that are looked through. Real ones have dozens.
const MOST_PARTS: usize = 100_000;

/// The parts of a workbook's file.
pub(super) struct Package {
    archive: ZipArchive<BufReader<SourceReader>>,
    /// Names in small letters, with plain slashes, and where the part stands.
    parts: HashMap<String, usize>,
    pub(super) bounds: Bounds,
}

/// A part that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part(usize);

impl Package {
    pub(super) fn open(file: SourceReader, bounds: Bounds) -> Result<Self, Problem> {
        let file = BufReader::with_capacity(64 * 1024, file);
        let archive = ZipArchive::new(file).map_err(|_| damaged(BROKEN_ZIP))?;
        if archive.len() > MOST_PARTS {
            return Err(too_large("a hundred thousand parts"));
        }
        let names = archive.file_names().enumerate();
        let parts = names.filter_map(|(at, name)| Some((plain(name.ok()?.as_ref()), at))).collect();
        Ok(Self { archive, parts, bounds })
    }

    /// The part of this name, however it is written.
    pub(super) fn find(&self, name: &str) -> Option<Part> {
        self.parts.get(&plain(name)).copied().map(Part)
    }

    /// The names of all parts, in small letters.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.keys().map(String::as_str)
    }

    /// The XML of a part, of at most so many bytes.
    pub(super) fn xml(&mut self, part: Part, most: u64) -> Result<Xml<'_>, Problem> {
        let Bounds { text, ratio, plain, .. } = self.bounds;
        let part = self.archive.by_index(part.0).map_err(|_| damaged(BROKEN_ZIP))?;
        let packed = part.compressed_size();
        Xml::new(Unpacked { part, read: 0, most, packed, ratio, plain }, text)
    }
}

/// A part's name as it is compared. Some writers use another case, backslashes, or a slash in front.
fn plain(name: &str) -> String {
    name.trim_start_matches(['/', '\\']).to_ascii_lowercase().replace('\\', "/")
}

/// The bytes of a part, up to its bound.
struct Unpacked<R> {
    part: R,
    read: u64,
    most: u64,
    packed: u64,
    ratio: u64,
    plain: u64,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.part.read(buffer)?;
        self.read += read as u64;
        let is_bomb = self.read > self.plain && self.read / self.ratio > self.packed;
        match self.read > self.most || is_bomb {
            true => Err(io::Error::other(Excess::Part)),
            false => Ok(read),
        }
    }
}

/// The bound that a part passed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum Excess {
    /// Its bytes.
    #[error("a part that unpacks to a huge size")]
    Part,
    /// The bytes between two of its tags.
    #[error("a huge text, or XML that no spreadsheet writes")]
    Text,
}

impl From<Excess> for Problem {
    fn from(excess: Excess) -> Self {
        too_large(match excess {
            Excess::Part => "a part that unpacks to a huge size",
            Excess::Text => "a huge text, or XML that no spreadsheet writes",
        })
    }
}
