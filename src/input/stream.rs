//! Converts the bytes of a file to UTF-8 text: hashes them as they are, unpacks and decodes them.
//!
//! Must hold: each byte of the file is hashed exactly once, even if no text comes from it. Memory
//! is constant. A small file never unpacks to a huge text.
//!
//! Never: looks at the content of the text.

use std::io::{self, BufRead, BufReader, Read};

use encoding_rs::{CoderResult, Decoder};
use flate2::read::MultiGzDecoder;

use super::error::{MOST_UNPACKED, PackedError};
use super::form::{Encoding, Form};

/// Length of a text in bytes up to which its ratio does not matter.
const BOMB_BYTES: u64 = 64 * 1024 * 1024;
/// Number of bytes decoded at once.
pub(super) const DECODE_BYTES: usize = 64 * 1024;

/// Reader that hashes and counts the bytes that are read through it.
struct Hashed<R> {
    input: R,
    hasher: blake3::Hasher,
    read: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        self.read += read as u64;
        Ok(read)
    }
}

/// Reader of the bytes of the text, unpacked and still in the encoding of the text.
enum Unpacked<R> {
    Plain(Box<Hashed<R>>),
    Gzip { decoder: Box<MultiGzDecoder<Hashed<R>>>, unpacked: u64 },
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (decoder, unpacked) = match self {
            Self::Plain(hashed) => return hashed.read(buffer),
            Self::Gzip { decoder, unpacked } => (decoder, unpacked),
        };
        let read = decoder.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidData
            | io::ErrorKind::UnexpectedEof => io::Error::other(PackedError::Damaged),
            _ => error,
        })?;
        *unpacked += read as u64;
        if *unpacked > BOMB_BYTES && *unpacked / MOST_UNPACKED > decoder.get_ref().read {
            return Err(io::Error::other(PackedError::Bomb));
        }
        Ok(read)
    }
}

/// Reader of a file as UTF-8 text, which also hashes the bytes of the file. If the encoding is
/// UTF-8, bytes that are not valid UTF-8 are passed on unchanged.
pub struct TextStream<R> {
    input: BufReader<Unpacked<R>>,
    decoding: Option<Box<Decoding>>,
}

/// Decoder of bytes to UTF-8 as they are read. Bytes that cannot be decoded become U+FFFD.
pub(super) struct Decoding {
    decoder: Decoder,
    /// The latest piece of decoded text.
    text: String,
    /// Number of bytes of `text` that were taken already.
    given: usize,
    /// The last byte of the input was read.
    ended: bool,
    /// The decoder has written the last character. It panics if it is called after that.
    finished: bool,
}

impl<R: Read> TextStream<R> {
    /// Opens the text of a file that has this form. A UTF-8 BOM stays in the text.
    pub fn new(input: R, form: &Form, hasher: blake3::Hasher) -> Self {
        let hashed = Hashed { input, hasher, read: 0 };
        let input = match form {
            Form::Text { gzip: true, .. } => {
                Unpacked::Gzip { decoder: Box::new(MultiGzDecoder::new(hashed)), unpacked: 0 }
            }
            _ => Unpacked::Plain(Box::new(hashed)),
        };
        let decoding = form.encoding().decoder().map(|decoder| Box::new(Decoding::new(decoder)));
        Self { input: BufReader::with_capacity(DECODE_BYTES, input), decoding }
    }

    /// Returns the hash of all bytes of the file, also of the bytes that were not read as text.
    ///
    /// # Errors
    /// Returns the system's error if the rest of the file cannot be read.
    pub fn finish(self) -> io::Result<blake3::Hash> {
        let mut hashed = match self.input.into_inner() {
            Unpacked::Plain(hashed) => *hashed,
            Unpacked::Gzip { decoder, .. } => decoder.into_inner(),
        };
        io::copy(&mut hashed, &mut io::sink())?;
        Ok(hashed.hasher.finalize())
    }
}

impl<R: Read> Read for TextStream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.decoding {
            // The buffer is used only for decoding, so it is empty here and can be bypassed.
            None => self.input.get_mut().read(buffer),
            Some(decoding) => decoding.read(&mut self.input, buffer),
        }
    }
}

impl Decoding {
    pub(super) fn new(decoder: Decoder) -> Self {
        // One byte becomes at most three bytes of UTF-8.
        let text = String::with_capacity(3 * DECODE_BYTES);
        Self { decoder, text, given: 0, ended: false, finished: false }
    }

    /// Returns the decoded text that was not taken yet, and decodes more if there is none. The
    /// result is empty only at the end.
    pub(super) fn fill(&mut self, input: &mut impl BufRead) -> io::Result<&[u8]> {
        while self.given == self.text.len() && !self.finished {
            self.decode(input)?;
        }
        Ok(self.text.as_bytes().get(self.given..).unwrap_or_default())
    }

    /// Marks this number of bytes of the text as taken.
    pub(super) fn take(&mut self, bytes: usize) {
        self.given = (self.given + bytes).min(self.text.len());
    }

    /// Copies decoded text to `buffer`. A small buffer may get only a part of a character.
    fn read(&mut self, input: &mut impl BufRead, buffer: &mut [u8]) -> io::Result<usize> {
        let given = self.fill(input)?.read(buffer)?;
        self.take(given);
        Ok(given)
    }

    fn decode(&mut self, input: &mut impl BufRead) -> io::Result<()> {
        let unread: &[u8] = if self.ended { &[] } else { input.fill_buf()? };
        self.ended = unread.is_empty();
        self.text.clear();
        self.given = 0;
        let (result, read, _) = self.decoder.decode_to_string(unread, &mut self.text, self.ended);
        input.consume(read);
        self.finished = self.ended && result == CoderResult::InputEmpty;
        Ok(())
    }
}

impl Encoding {
    /// Returns a decoder to UTF-8, or `None` if the encoding is UTF-8 already.
    fn decoder(self) -> Option<Decoder> {
        let encoding = match self {
            Self::Utf8 => return None,
            Self::Utf16Le => encoding_rs::UTF_16LE,
            Self::Utf16Be => encoding_rs::UTF_16BE,
            Self::Windows1252 => encoding_rs::WINDOWS_1252,
        };
        Some(encoding.new_decoder_with_bom_removal())
    }
}

#[cfg(test)]
mod tests;
