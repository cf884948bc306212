//! Tests with texts in every encoding, packed or not, read in pieces of many sizes.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::super::form::Encoding;
use super::*;

fn form(gzip: bool, encoding: Encoding) -> Form {
    Form::Text { gzip, encoding, skip: 0, sep: None }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

/// Reads a file in pieces. Returns its text and the hash of its bytes.
fn read(file: &[u8], form: &Form, piece: usize) -> io::Result<(Vec<u8>, blake3::Hash)> {
    let mut stream = TextStream::new(file, form, blake3::Hasher::new());
    let (mut text, mut buffer) = (Vec::new(), vec![0; piece]);
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok((text, stream.finish()?)),
            read => text.extend_from_slice(&buffer[..read]),
        }
    }
}

#[test]
fn texts_come_out_as_utf8() {
    const TEXT: &str = "nik;nama\r\n3275014101900001;JOSÉ ’S 😀\n";
    let long = TEXT.repeat(5000);
    let le = utf16(&format!("\u{FEFF}{TEXT}"), u16::to_le_bytes);
    let be = utf16(&format!("\u{FEFF}{TEXT}"), u16::to_be_bytes);
    for (file, form, text) in [
        (TEXT.as_bytes(), form(false, Encoding::Utf8), TEXT),
        (&le, form(false, Encoding::Utf16Le), TEXT),
        (&be, form(false, Encoding::Utf16Be), TEXT),
        (&utf16(TEXT, u16::to_le_bytes), form(false, Encoding::Utf16Le), TEXT),
        (b"JOS\xC9 \x92S", form(false, Encoding::Windows1252), "JOSÉ ’S"),
        (&packed(TEXT.as_bytes()), form(true, Encoding::Utf8), TEXT),
        (&packed(&le), form(true, Encoding::Utf16Le), TEXT),
        (&packed(long.as_bytes()), form(true, Encoding::Utf8), &long),
        // Two gzip files, one directly after the other, as several programs write them.
        (&[packed(b"nik;"), packed(b"nama")].concat(), form(true, Encoding::Utf8), "nik;nama"),
        (b"", form(false, Encoding::Utf16Le), ""),
        (&utf16(&long, u16::to_le_bytes), form(false, Encoding::Utf16Le), &long),
        (&utf16(&long, u16::to_be_bytes), form(false, Encoding::Utf16Be), &long),
    ] {
        for piece in [1, 2, 3, 8, 64 * 1024] {
            let (read, hash) = read(file, &form, piece).unwrap();
            assert_eq!(String::from_utf8(read).unwrap(), text, "{form:?} {piece}");
            assert_eq!(hash, blake3::hash(file), "{form:?} {piece}");
        }
    }
}

#[test]
fn the_hash_is_of_all_the_bytes_read_or_not() {
    for file in [&b"nik;nama\n"[..], &packed(&b"nik;nama\n".repeat(100_000))] {
        let gzip = file.starts_with(b"\x1F\x8B");
        let hasher = blake3::Hasher::new_keyed(&[7; 32]);
        let mut stream = TextStream::new(file, &form(gzip, Encoding::Utf8), hasher);
        stream.read_exact(&mut [0; 3]).unwrap();
        assert_eq!(stream.finish().unwrap(), blake3::keyed_hash(&[7; 32], file));
    }
}

#[test]
fn a_damaged_or_hostile_gzip_file_is_an_error() {
    let whole = packed(&b"3275014101900001,BUDI\n".repeat(1000));
    let cut = &whole[..whole.len() / 2];
    let mut changed = whole.clone();
    let crc = changed.len() - 6;
    changed[crc] ^= 1;
    let bomb = packed(&vec![b'x'; usize::try_from(BOMB_BYTES).unwrap() + 1024 * 1024]);
    for (file, problem) in
        [(cut, PackedError::Damaged), (&changed, PackedError::Damaged), (&bomb, PackedError::Bomb)]
    {
        let error = read(file, &form(true, Encoding::Utf8), 64 * 1024).unwrap_err();
        assert_eq!(error.get_ref().unwrap().downcast_ref(), Some(&problem), "{error}");
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces(
        file in proptest::collection::vec(any::<u8>(), 0..60),
        encoding in proptest::sample::select(&[Encoding::Utf16Le, Encoding::Utf16Be, Encoding::Windows1252][..]),
        piece in 1usize..20,
    ) {
        let form = form(false, encoding);
        let (text, _) = read(&file, &form, piece).unwrap();
        prop_assert!(std::str::from_utf8(&text).is_ok());
        prop_assert_eq!(text, read(&file, &form, 1000).unwrap().0);
    }
}
