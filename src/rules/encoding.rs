//! In which encoding a text without a mark is written, by all of its bytes.
//!
//! Must hold: a text with one character of UTF-8 stays UTF-8, so that no name that is right is read as another; its
//! broken rows are refused. What the pieces are cut into changes nothing.
//! Never: looks at what the text says.

/// Bytes that Windows-1252 has no character for.
const UNUSED: [u8; 5] = [0x81, 0x8D, 0x8F, 0x90, 0x9D];

/// What the bytes beyond ASCII look like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextLook {
    /// Characters that are valid UTF-8.
    valid: u64,
    /// Bytes that are not.
    invalid: u64,
    /// Whether one of these is not Windows-1252 either.
    unused: bool,
    /// The start of a character that the last piece ended in.
    rest: Vec<u8>,
}

impl TextLook {
    /// Looks at the next piece.
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

    /// Whether the text is Windows-1252 rather than UTF-8.
    pub fn is_windows_1252(&self) -> bool {
        let cut_off = self.rest.len() as u64;
        let unused = self.unused || self.rest.iter().any(|byte| UNUSED.contains(byte));
        self.invalid + cut_off > 0 && self.valid == 0 && !unused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn look(pieces: &[&[u8]]) -> TextLook {
        let mut look = TextLook::default();
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
            // Not in Windows-1252 either: then its rows are refused, not guessed at.
            (b"JOS\x81", false),
            // UTF-8, with one character broken.
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
