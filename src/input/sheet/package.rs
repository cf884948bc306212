//! Finds the parts of a workbook's ZIP file by name, and unpacks them within bounds.
//!
//! Must hold: only a requested part is unpacked, and only as far as it is read. So no other part
//! can make the file unusable. A part returns no more bytes than its bound, whatever sizes the file
//! declares.
//!
//! Never: believes an unpacked size that the file declares.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};

use zip::ZipArchive;

use super::bounds::{BoundExceeded, Bounds};
use super::xml::Xml;
use crate::input::error::{BROKEN_ZIP, Problem, damaged, too_large};
use crate::input::reader::SourceReader;

/// Largest number of parts in a workbook. Real workbooks have dozens.
const MOST_PARTS: usize = 100_000;

/// ZIP file of a workbook, with its parts by name.
pub(super) struct Package {
    archive: ZipArchive<BufReader<SourceReader>>,
    /// Index of each part in the archive, by its name as [`plain`] returns it.
    parts: HashMap<String, usize>,
    pub(super) bounds: Bounds,
}

/// Part that was found: its index in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part(usize);

impl Package {
    /// Reads the list of parts.
    ///
    /// # Errors
    /// Returns [`Problem::Sheet`] if the file is no readable ZIP file or has too many parts.
    pub(super) fn open(file: SourceReader, bounds: Bounds) -> Result<Self, Problem> {
        let file = BufReader::with_capacity(64 * 1024, file);
        let archive = ZipArchive::new(file).map_err(|_| damaged(BROKEN_ZIP))?;
        if archive.len() > MOST_PARTS {
            return Err(too_large("more than a hundred thousand parts"));
        }
        let names = archive.file_names().enumerate();
        let parts = names.filter_map(|(at, name)| Some((plain(name.ok()?.as_ref()), at))).collect();
        Ok(Self { archive, parts, bounds })
    }

    /// Finds a part by its name. Case, the kind of slash and a leading slash do not matter.
    pub(super) fn find(&self, name: &str) -> Option<Part> {
        self.parts.get(&plain(name)).copied().map(Part)
    }

    /// Returns the names of all parts, in lower case.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.keys().map(String::as_str)
    }

    /// Opens the XML of a part, of which at most `most` bytes can be read.
    pub(super) fn xml(&mut self, part: Part, most: u64) -> Result<Xml<'_>, Problem> {
        let Bounds { text, ratio, plain, .. } = self.bounds;
        let part = self.archive.by_index(part.0).map_err(|_| damaged(BROKEN_ZIP))?;
        let packed = part.compressed_size();
        Xml::new(Unpacked { part, read: 0, most, packed, ratio, plain }, text)
    }
}

/// Converts the name of a part to the form in which names are compared. Some programs write names
/// in another case, with backslashes, or with a leading slash.
fn plain(name: &str) -> String {
    name.trim_start_matches(['/', '\\']).to_ascii_lowercase().replace('\\', "/")
}

/// Reader of the unpacked bytes of a part, which fails when a bound is exceeded.
struct Unpacked<R> {
    part: R,
    /// Number of bytes read so far.
    read: u64,
    /// Bound of `read`.
    most: u64,
    /// Packed bytes of the part, as the file declares them.
    packed: u64,
    /// See [`Bounds::ratio`].
    ratio: u64,
    /// See [`Bounds::plain`].
    plain: u64,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.part.read(buffer)?;
        self.read += read as u64;
        let is_bomb = self.read > self.plain && self.read / self.ratio > self.packed;
        match self.read > self.most || is_bomb {
            true => Err(io::Error::other(BoundExceeded::Part)),
            false => Ok(read),
        }
    }
}
