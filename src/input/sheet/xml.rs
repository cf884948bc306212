//! Reads the XML of a workbook's part, one event at a time, decoded and within bounds.
//!
//! Must hold: memory is bounded by the longest text allowed between two tags, the longest text of
//! several pieces, and the depth of the elements. Tags that do not match, a lone `&` and bytes that
//! cannot be decoded do not make a part unusable: everything that can be read is read.
//!
//! Never: expands an entity that the part defines, fetches one, or puts the content of a part into
//! an error.

use std::io::{self, BufRead, BufReader, Read};

use encoding_rs::Encoding;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::bounds::BoundExceeded;
use crate::input::error::{BROKEN_ZIP, Problem, damaged};
use crate::input::stream::{DECODE_BYTES, Decoding};

/// Greatest depth of nested elements. Real parts have about a dozen.
const MOST_DEPTH: usize = 1000;
/// Bytes of the longest text of several pieces: far more than a cell holds.
pub(super) const LONGEST_TEXT: usize = 1 << 20;
/// Number of bytes at the start of a part in which its encoding is searched.
const DECLARATION: usize = 256;

/// Reader of the XML of a part.
pub(super) struct Xml<'a> {
    reader: Reader<Decoded<'a>>,
    buffer: Vec<u8>,
    /// Number of open elements.
    depth: usize,
}

impl<'a> Xml<'a> {
    /// Opens the XML at its first byte. `most` is the largest number of bytes from one tag to the
    /// next.
    pub(super) fn new(input: impl Read + 'a, most: usize) -> Result<Self, Problem> {
        let decoded =
            Decoded::new(Box::new(input), most).map_err(|error| from_read_error(&error))?;
        let mut reader = Reader::from_reader(decoded);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        Ok(Self { reader, buffer: Vec::with_capacity(1024), depth: 0 })
    }

    /// Returns the next event.
    pub(super) fn next(&mut self) -> Result<Event<'_>, Problem> {
        self.buffer.clear();
        self.reader.get_mut().since = 0;
        let event = self.reader.read_event_into(&mut self.buffer).map_err(|error| match error {
            quick_xml::Error::Io(error) => from_read_error(&error),
            _ => damaged("its XML is broken"),
        })?;
        match event {
            Event::Start(_) => self.depth += 1,
            Event::End(_) => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        match self.depth > MOST_DEPTH {
            // The library keeps the name of each open element in memory.
            true => Err(BoundExceeded::Text.into()),
            false => Ok(event),
        }
    }

    /// Appends the text of the element that was just opened, up to its end tag `name`. Elements
    /// inside it are skipped.
    pub(super) fn text_of(&mut self, name: &str, text: &mut String) -> Result<(), Problem> {
        let mut inner = 0_u64;
        let most = text.len().saturating_add(LONGEST_TEXT);
        loop {
            if text.len() > most {
                return Err(BoundExceeded::Text.into());
            }
            match self.next()? {
                Event::Text(piece) if inner == 0 => text.push_str(&piece.xml10_content()),
                Event::CData(piece) if inner == 0 => text.push_str(&piece.xml10_content()),
                Event::GeneralRef(entity) if inner == 0 => push_entity(&entity, text),
                Event::Start(_) => inner += 1,
                Event::End(end) if inner == 0 && end.local_name().as_ref() == name => return Ok(()),
                Event::End(_) => inner = inner.saturating_sub(1),
                Event::Eof => return Err(cut_off()),
                _ => {}
            }
        }
    }

    /// Reads the rest of the part, so that its checksum is compared. That shows a file that was
    /// changed in transit.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        let rest = self.reader.get_mut();
        rest.most = usize::MAX;
        io::copy(&mut rest.input, &mut io::sink()).map_err(|error| from_read_error(&error))?;
        Ok(())
    }
}

/// Returns the problem of a part that ends too early.
pub(super) fn cut_off() -> Problem {
    damaged("a part of it ends too early")
}

/// Returns the value of an attribute as it is written, with its entities.
pub(super) fn attribute<'e>(
    element: &'e BytesStart<'_>,
    name: &str,
) -> Option<std::borrow::Cow<'e, str>> {
    let mut attributes = element.attributes();
    let found = attributes.with_checks(false).filter_map(Result::ok);
    found.into_iter().find(|a| a.key.local_name().as_ref() == name).map(|a| a.value)
}

/// Returns the value of an attribute with its entities resolved. If that fails, returns the value
/// as it is written.
pub(super) fn text_attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = element.attributes();
    let found = attributes.with_checks(false).filter_map(Result::ok);
    let attribute = found.into_iter().find(|a| a.key.local_name().as_ref() == name)?;
    let whole =
        attribute.normalized_value(XmlVersion::Implicit1_0).map(std::borrow::Cow::into_owned);
    Some(whole.unwrap_or_else(|_| attribute.value.into_owned()))
}

/// Appends the character that an entity represents. An unknown entity is appended as it is written,
/// such as `&unknown;`.
fn push_entity(entity: &BytesRef<'_>, text: &mut String) {
    if let Ok(Some(character)) = entity.resolve_char_ref() {
        text.push(character);
        return;
    }
    let name = entity.xml10_content();
    match quick_xml::escape::resolve_predefined_entity(&name) {
        Some(known) => text.push_str(known),
        None => text.extend(["&", &*name, ";"]),
    }
}

/// Converts an error of reading a part. Any error that is not an [`BoundExceeded`] is reported as a
/// damaged ZIP file.
fn from_read_error(error: &io::Error) -> Problem {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<BoundExceeded>()) {
        Some(excess) => (*excess).into(),
        None => damaged(BROKEN_ZIP),
    }
}

/// Reader of a part as UTF-8.
struct Decoded<'a> {
    input: BufReader<Box<dyn Read + 'a>>,
    decoding: Decoding,
    /// Number of bytes taken since the last event began.
    since: usize,
    /// Bound of `since`.
    most: usize,
}

impl<'a> Decoded<'a> {
    fn new(input: Box<dyn Read + 'a>, most: usize) -> io::Result<Self> {
        let mut head = Vec::with_capacity(DECLARATION);
        let mut input = input;
        input.by_ref().take(DECLARATION as u64).read_to_end(&mut head)?;
        let decoder = encoding_of(&head).new_decoder_with_bom_removal();
        let whole: Box<dyn Read + 'a> = Box::new(io::Cursor::new(head).chain(input));
        let input = BufReader::with_capacity(DECODE_BYTES, whole);
        Ok(Self { input, decoding: Decoding::new(decoder), since: 0, most })
    }
}

/// Finds the encoding of a part: by its BOM, by the bytes of its first tag, or by its XML
/// declaration.
fn encoding_of(head: &[u8]) -> &'static Encoding {
    if let Some((marked, _)) = Encoding::for_bom(head) {
        return marked;
    }
    match head {
        [b'<', 0, ..] => return encoding_rs::UTF_16LE,
        [0, b'<', ..] => return encoding_rs::UTF_16BE,
        _ => {}
    }
    let text = String::from_utf8_lossy(head);
    let declared = text.split_once("?>").map_or("", |(declaration, _)| declaration);
    let label = declared.split_once("encoding").map_or("", |(_, rest)| rest);
    let label = label.trim_start_matches([' ', '=', '"', '\'']).split(['"', '\'']).next();
    let told = label.and_then(|label| Encoding::for_label(label.as_bytes()));
    // The declaration could be read as ASCII, so the part cannot be UTF-16, whatever it declares.
    told.filter(|told| told.is_ascii_compatible()).unwrap_or(encoding_rs::UTF_8)
}

impl Read for Decoded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Decoded<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since > self.most {
            return Err(io::Error::other(BoundExceeded::Text));
        }
        self.decoding.fill(&mut self.input)
    }

    fn consume(&mut self, bytes: usize) {
        self.since = self.since.saturating_add(bytes);
        self.decoding.take(bytes);
    }
}
