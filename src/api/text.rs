//! Converts the bytes of an answer's body to text: decompresses them, and decodes them by their
//! charset.
//!
//! Must hold: no body is decompressed to more than [`LARGEST`] bytes, and no input causes a panic.
//! A header may be wrong: the bytes themselves decide first about compression and about a Unicode
//! encoding.
//!
//! Never: judges the text.

use std::borrow::Cow;
use std::io::{self, Read};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use flate2::read::{DeflateDecoder, GzDecoder, MultiGzDecoder, ZlibDecoder};

/// Maximum size in bytes up to which a body is read and decompressed. A larger body is not the
/// vendor's.
pub const LARGEST: usize = 256 * 1024;
/// Maximum number of times that a body may be compressed.
const MOST_LAYERS: usize = 3;

/// The headers that describe how a body encodes its text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Form<'a> {
    /// Value of the header `Content-Type`.
    pub content_type: Option<&'a str>,
    /// Value of the header `Content-Encoding`.
    pub content_encoding: Option<&'a str>,
}

/// Returns the texts that a body may encode, the most likely text first: decoded by its charset,
/// then as UTF-8. Returns no text if the decompressed body is too large.
pub fn readings<'a>(body: &'a [u8], form: Form<'_>) -> Vec<Cow<'a, str>> {
    let declared = form.content_type.and_then(charset);
    match unpack(body, form.content_encoding) {
        None => Vec::new(),
        Some(Cow::Borrowed(bytes)) => both(bytes, declared),
        Some(Cow::Owned(bytes)) => {
            both(&bytes, declared).into_iter().map(|text| Cow::Owned(text.into_owned())).collect()
        }
    }
}

fn both<'a>(bytes: &'a [u8], declared: Option<&'static Encoding>) -> Vec<Cow<'a, str>> {
    let mut texts = vec![decode(bytes, declared)];
    // The common case: the body is UTF-8, and no other charset is declared.
    let is_plain = matches!(texts.first(), Some(Cow::Borrowed(text)) if text.len() == bytes.len());
    if !is_plain {
        texts.push(String::from_utf8_lossy(bytes));
        texts.dedup();
    }
    texts
}

/// Decompresses a body. Returns `None` if there are too many bytes.
fn unpack<'a>(body: &'a [u8], declared: Option<&str>) -> Option<Cow<'a, [u8]>> {
    let is_deflate = declared.is_some_and(|coding| coding.to_ascii_lowercase().contains("deflate"));
    let mut bytes = Cow::Borrowed(body);
    for _ in 0..MOST_LAYERS {
        let unpacked = match *bytes {
            [0x1f, 0x8b, ..] => match read_all(MultiGzDecoder::new(&*bytes)) {
                // Other bytes may follow the compressed data.
                Unpacked::Nothing => read_all(GzDecoder::new(&*bytes)),
                unpacked => unpacked,
            },
            // Neither JSON nor a web page begins with these bytes.
            [first, second, ..] if is_zlib(first, second) => read_all(ZlibDecoder::new(&*bytes)),
            // The body is text already, but a decoder might accept its first bytes as compressed
            // data.
            [b'{' | b'[' | b'<' | b' ' | b'\t' | b'\r' | b'\n', ..] => break,
            _ if is_deflate => read_all(DeflateDecoder::new(&*bytes)),
            _ => break,
        };
        match unpacked {
            Unpacked::Bytes(unpacked) => bytes = Cow::Owned(unpacked),
            Unpacked::TooMany => return None,
            Unpacked::Nothing => break,
        }
    }
    Some(bytes)
}

/// Checks whether two bytes are the beginning of a zlib stream.
fn is_zlib(first: u8, second: u8) -> bool {
    first == 0x78 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

enum Unpacked {
    Bytes(Vec<u8>),
    TooMany,
    /// The bytes are not compressed in this way.
    Nothing,
}

fn read_all(packed: impl Read) -> Unpacked {
    let mut bytes = Vec::new();
    let read = packed.take(LARGEST as u64 + 1).read_to_end(&mut bytes);
    match read {
        _ if bytes.len() > LARGEST => Unpacked::TooMany,
        Ok(_) => Unpacked::Bytes(bytes),
        // The end is missing. The content shows later whether the text is complete enough.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !bytes.is_empty() => {
            Unpacked::Bytes(bytes)
        }
        Err(_) => Unpacked::Nothing,
    }
}

fn decode<'a>(bytes: &'a [u8], declared: Option<&'static Encoding>) -> Cow<'a, str> {
    match *bytes {
        [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, _, ..] => utf_32(bytes, u32::from_be_bytes).into(),
        [0xff, 0xfe, 0, 0, ..] | [_, 0, 0, 0, ..] => utf_32(bytes, u32::from_le_bytes).into(),
        // A JSON text begins with two ASCII characters, so a zero byte among them means UTF-16.
        [0, _, ..] => UTF_16BE.decode(bytes).0,
        [_, 0, ..] => UTF_16LE.decode(bytes).0,
        // A byte order mark counts more than the header.
        _ => declared.unwrap_or(UTF_8).decode(bytes).0,
    }
}

fn utf_32(bytes: &[u8], unit: fn([u8; 4]) -> u32) -> String {
    let (units, _) = bytes.as_chunks::<4>();
    let text = units.iter().map(|bytes| char::from_u32(unit(*bytes)).unwrap_or('\u{FFFD}'));
    text.skip_while(|c| *c == '\u{FEFF}').collect()
}

/// Returns the charset that a `Content-Type` header declares, if browsers know that charset.
fn charset(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, label) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        let label = label.trim().trim_matches(['"', '\'']).trim();
        Encoding::for_label(label.as_bytes()).filter(|_| is_charset)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const JSON: &str = r#"{"status":"OK","remark":"Sésuai"}"#;

    fn first(body: &[u8], content_type: &str, content_encoding: &str) -> String {
        let some = |text: &'static str| Some(text).filter(|text| !text.is_empty());
        let (content_type, content_encoding) =
            (content_type.to_owned(), content_encoding.to_owned());
        let form = Form {
            content_type: some(content_type.leak()),
            content_encoding: some(content_encoding.leak()),
        };
        readings(body, form).into_iter().next().unwrap_or("(too large)".into()).into_owned()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn packed_bodies_are_unpacked_whatever_their_header_says() {
        let plain = JSON.as_bytes();
        let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 4].to_vec();
        for (what, body, coding) in [
            ("gzip", gzip(plain), "gzip"),
            ("gzip, in capitals", gzip(plain), "GZIP"),
            ("gzip, its old name", gzip(plain), "x-gzip"),
            ("gzip, unsaid", gzip(plain), ""),
            ("gzip that says identity", gzip(plain), "identity"),
            ("gzip in two members", [gzip(&plain[..9]), gzip(&plain[9..])].concat(), "gzip"),
            ("gzip without its last bytes", cut(gzip(plain)), "gzip"),
            ("gzip with bytes behind it", [gzip(plain), b"\0\0\0".to_vec()].concat(), "gzip"),
            ("deflate as zlib", zlib(plain), "deflate"),
            ("deflate without a head", deflate(plain), "deflate"),
            ("zlib, unsaid", zlib(plain), ""),
            ("packed twice", gzip(&gzip(plain)), "gzip, gzip"),
            ("packed in two ways", gzip(&deflate(plain)), "deflate, gzip"),
            ("not packed, but says so", plain.to_vec(), "gzip"),
            ("not packed, but says deflate", plain.to_vec(), "deflate"),
            ("not packed", plain.to_vec(), "identity"),
        ] {
            assert_eq!(first(&body, "application/json", coding), JSON, "{what}");
        }
    }

    #[test]
    fn a_text_of_several_lines_is_not_unpacked_once_more() {
        // A deflate decoder accepts `{` and a line feed as a complete stream.
        let plain = "{\n  \"status\": \"OK\"\n}";
        for (body, coding) in [
            (deflate(plain.as_bytes()), "deflate"),
            (zlib(plain.as_bytes()), "deflate"),
            (plain.as_bytes().to_vec(), "deflate"),
        ] {
            assert_eq!(first(&body, "application/json", coding), plain);
        }
    }

    #[test]
    fn no_more_is_unpacked_than_is_read() {
        for (bytes, is_taken) in [(LARGEST, true), (LARGEST + 1, false), (100 << 20, false)] {
            let body = gzip(&vec![b' '; bytes]);
            assert_eq!(readings(&body, Form::default()).is_empty(), !is_taken, "{bytes}");
        }
    }

    #[test]
    fn texts_are_decoded_by_what_their_bytes_say_then_by_their_header() {
        let utf_16 = |to: fn(u16) -> [u8; 2]| JSON.encode_utf16().flat_map(to).collect::<Vec<_>>();
        let utf_32 = |to: fn(u32) -> [u8; 4]| {
            JSON.chars().flat_map(|c| to(u32::from(c))).collect::<Vec<_>>()
        };
        let latin = || JSON.chars().map(|c| c as u8).collect::<Vec<_>>();
        let marked = |mark: &[u8], bytes: Vec<u8>| [mark, &bytes].concat();
        for (what, body, content_type) in [
            ("UTF-8", JSON.into(), "application/json"),
            ("a mark", marked(b"\xef\xbb\xbf", JSON.into()), "application/json"),
            ("a mark, another charset", marked(b"\xef\xbb\xbf", JSON.into()), "x; charset=latin1"),
            ("UTF-16, marked", marked(b"\xff\xfe", utf_16(u16::to_le_bytes)), ""),
            ("UTF-16, marked, other end", marked(b"\xfe\xff", utf_16(u16::to_be_bytes)), ""),
            ("UTF-16, declared", utf_16(u16::to_le_bytes), "text/json; charset=utf-16"),
            ("UTF-16, unsaid", utf_16(u16::to_le_bytes), ""),
            ("UTF-16, unsaid, other end", utf_16(u16::to_be_bytes), "x; charset=utf-8"),
            ("UTF-32", utf_32(u32::to_le_bytes), "x; charset=utf-32"),
            ("UTF-32, other end", utf_32(u32::to_be_bytes), ""),
            ("UTF-32, marked", marked(b"\xff\xfe\0\0", utf_32(u32::to_le_bytes)), ""),
            ("Latin-1", latin(), "application/json; charset=ISO-8859-1"),
            ("Latin-1, quoted", latin(), "application/json;x=y;Charset = \"iso-8859-1\""),
            ("Windows-1252", latin(), "application/json; charset='windows-1252'; x"),
            ("a charset that nobody knows", JSON.into(), "application/json; charset=klingon"),
        ] {
            assert_eq!(first(&body, content_type, ""), JSON, "{what}");
        }
        let replaced = JSON.replace('é', "\u{FFFD}");
        assert_eq!(first(&latin(), "application/json", ""), replaced, "nothing is declared");
    }

    #[test]
    fn a_wrong_charset_leaves_the_other_reading() {
        let form = Form { content_type: Some("x; charset=utf-16"), content_encoding: None };
        assert_eq!(readings(JSON.as_bytes(), form).last().map(AsRef::as_ref), Some(JSON));
        assert_eq!(readings(b"{}", Form::default()), ["{}"], "one reading is enough");
    }
}
