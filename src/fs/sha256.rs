//! SHA-256 of files, as `sha256sum` shows it.

use std::io::{self, Read, Write};

use ring::digest::{Context, SHA256};

use crate::model::hex::hex;

/// Number of bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// Returns the SHA-256 of everything that a reader gives, in hexadecimal.
///
/// # Errors
/// The error of the reader.
pub fn sha256_of(mut from: impl Read) -> io::Result<String> {
    let (mut hash, mut piece) = (Context::new(&SHA256), vec![0; PIECE]);
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(hex(hash.finish().as_ref())),
            Ok(read) => hash.update(piece.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writer that hashes what it passes on.
pub struct Sha256Writer<W> {
    to: W,
    hash: Context,
}

impl<W: Write> Sha256Writer<W> {
    /// Creates a writer that passes everything on to `to`.
    pub fn new(to: W) -> Self {
        Self { to, hash: Context::new(&SHA256) }
    }

    /// Returns the destination, and the SHA-256 of everything that was written, in hexadecimal.
    pub fn finish(self) -> (W, String) {
        (self.to, hex(self.hash.finish().as_ref()))
    }
}

impl<W: Write> Write for Sha256Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the standard, FIPS 180-2.
    #[test]
    fn hashes_are_those_of_the_standard() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        for (text, hash) in [("abc".to_owned(), abc), ("a".repeat(1_000_000), million)] {
            assert_eq!(sha256_of(text.as_bytes()).unwrap(), hash);
            let mut writer = Sha256Writer::new(Vec::new());
            text.as_bytes().chunks(7).try_for_each(|piece| writer.write_all(piece)).unwrap();
            assert_eq!(writer.finish(), (text.into_bytes(), hash.to_owned()));
        }
    }
}
