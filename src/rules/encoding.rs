//! Detection of the encoding of a text without a byte order mark, from all of its bytes.
//!
//! Must hold: a text with at least one valid UTF-8 character beyond ASCII stays UTF-8, so that no
//! correct name is read as another one. Its broken rows are refused. The result does not depend
//! on how the text is cut into pieces.
//!
//! Never: looks at the meaning of the text.

/// Bytes that are no character in Windows-1252.
const UNUSED: [u8; 5] = [0x81, 0x8D, 0x8F, 0x90, 0x9D];

/// Counts of the bytes beyond ASCII in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodingDetector {
    /// Characters beyond ASCII that are valid UTF-8.
    valid: u64,
    /// Bytes that are not valid UTF-8.
    invalid: u64,
    /// `true` if one of the invalid bytes is no character in Windows-1252 either.
    unused: bool,
    /// Incomplete character at the end of the last piece.
    rest: Vec<u8>,
}

impl EncodingDetector {
    /// Counts the bytes of the next piece.
    pub fn add(&mut self, piece: &[u8]) {
        if self.rest.is_empty() && piece.is_ascii() {
            return;
        }
        let joined = [std::mem::take(&mut self.rest).as_slice(), piece].concat();
        let mut bytes = joined.as_slice();
        loop {
            let error = match std::str::from_utf8(bytes) {
                Ok(text) => return self.count(text),
                Err(error) => error,
            };
            let (valid, after) = bytes.split_at_checked(error.valid_up_to()).unwrap_or_default();
            self.count(std::str::from_utf8(valid).unwrap_or_default());
            let Some(length) = error.error_len() else {
                self.rest = after.to_vec();
                return;
            };
            let (bad, rest) = after.split_at_checked(length).unwrap_or((after, &[]));
            self.spoil(bad);
            bytes = rest;
        }
    }

    fn count(&mut self, text: &str) {
        if !text.is_ascii() {
            self.valid += text.chars().filter(|c| !c.is_ascii()).count() as u64;
        }
    }

    fn spoil(&mut self, bad: &[u8]) {
        self.invalid += bad.len() as u64;
        self.unused |= bad.iter().any(|byte| UNUSED.contains(byte));
    }

    /// Checks whether the text is Windows-1252 rather than UTF-8: some bytes are not valid UTF-8,
    /// no character beyond ASCII is valid UTF-8, and each invalid byte is a character in
    /// Windows-1252. An incomplete character at the end counts as invalid.
    pub fn is_windows_1252(&self) -> bool {
        let cut_off = self.rest.len() as u64;
        let unused = self.unused || self.rest.iter().any(|byte| UNUSED.contains(byte));
        self.invalid + cut_off > 0 && self.valid == 0 && !unused
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn look(pieces: &[&[u8]]) -> EncodingDetector {
        let mut look = EncodingDetector::default();
        pieces.iter().for_each(|piece| look.add(piece));
        look
    }

    #[test]
    fn tells_windows_1252() {
        for (text, is_1252) in [
            (&b"nik,nama\n"[..], false),
            (b"", false),
            ("JOSÉ’S".as_bytes(), false),
            (b"JOS\xC9", true),
            (b"JOS\xC9 PE\xD1A", true),
            (b"D\x92ANGELO", true),
            // Not Windows-1252 either: such rows are refused, not guessed.
            (b"JOS\x81", false),
            // UTF-8: valid, and with broken characters.
            ("É É É \u{e9}".as_bytes(), false),
            (b"\xC3\x89 \xC3\x89 JOS\xC9", false),
            (b"\xC3\x89 JOS\xC9 JOS\xC9 JOS\xC9", false),
        ] {
            assert_eq!(look(&[text]).is_windows_1252(), is_1252, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_change_nothing(text in ".{0,40}", noise in proptest::collection::vec(any::<u8>(), 0..20), at in 0usize..60) {
            let bytes = [text.as_bytes(), &noise].concat();
            let (a, b) = bytes.split_at(at.min(bytes.len()));
            prop_assert_eq!(look(&[a, b]), look(&[&bytes]));
        }
    }
}
