//! From a file's bytes to UTF-8 text: hashed as they are, unpacked, decoded.
//!
//! Must hold: each byte of the file is hashed once, whatever the text made of it; memory is constant; a small
//! file never unpacks to a huge text.
//! Never: looks at what the text says.

use super::form::{Encoding, Form};
use encoding_rs::{CoderResult, Decoder};
use flate2::read::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Read};

/// A text may be so many times as long as its gzip file. Customer files pack to a tenth or so; deflate could
/// do a thousandth.
const MOST_UNPACKED: u64 = 100;
/// No text this short is taken for a bomb.
const BOMB_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes decoded at once.
pub(super) const DECODE_BYTES: usize = 64 * 1024;

/// Why a packed file can't be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackedError {
    /// Cut off, or changed on its way.
    #[error("the gzip file is damaged or cut off")]
    Damaged,
    /// It unpacks to far more than any customer file.
    #[error(
        "the gzip file unpacks to more than {MOST_UNPACKED} times its size: this is no customer file"
    )]
    Bomb,
}

/// Hashes what is read through it.
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

/// The bytes of the text, in the text's encoding.
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

/// UTF-8 text, its file's bytes hashed beneath it. Bytes that are not valid in an encoding that is declared
/// UTF-8 come through as they are.
pub struct TextStream<R> {
    input: BufReader<Unpacked<R>>,
    decoding: Option<Box<Decoding>>,
}

/// Turns bytes into UTF-8 as they are read. What can't be decoded becomes U+FFFD.
pub(super) struct Decoding {
    decoder: Decoder,
    /// Decoded text, and how much of it was given away.
    text: String,
    given: usize,
    /// The last byte was read; the last character was written, after which the decoder may not be asked again.
    ended: bool,
    finished: bool,
}

impl<R: Read> TextStream<R> {
    /// The text of a file in this form, a UTF-8 BOM included.
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

    /// The hash of all the bytes of the file, also of those that were not asked for.
    ///
    /// # Errors
    /// If reading fails.
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
            // Nothing waits in the buffer: it is for what is decoded.
            None => self.input.get_mut().read(buffer),
            Some(decoding) => decoding.read(&mut self.input, buffer),
        }
    }
}

impl Decoding {
    pub(super) fn new(decoder: Decoder) -> Self {
        // A byte becomes three at the most.
        let text = String::with_capacity(3 * DECODE_BYTES);
        Self { decoder, text, given: 0, ended: false, finished: false }
    }

    /// The text that was decoded and not yet taken; decodes more where there is none. Empty at the end.
    pub(super) fn fill(&mut self, input: &mut impl BufRead) -> io::Result<&[u8]> {
        while self.given == self.text.len() && !self.finished {
            self.decode(input)?;
        }
        Ok(self.text.as_bytes().get(self.given..).unwrap_or_default())
    }

    /// Notes that so many bytes of the text were taken.
    pub(super) fn take(&mut self, bytes: usize) {
        self.given = (self.given + bytes).min(self.text.len());
    }

    /// However little room the reader gives: a character may be cut.
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
    /// What turns it into UTF-8; none for what is UTF-8 already.
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
