//! Recognizes the form of a file by its first bytes: packed or not, the encoding of a text, a
//! workbook, or a form that is not read.
//!
//! Must hold: the content decides, never the file's name.
//!
//! Never: reads a file. The caller passes the bytes.

use std::fmt;
use std::str::FromStr;

use super::error::Unsupported;

/// The known delimiters. If two of them have equal scores, the earlier one wins.
pub(super) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Byte order mark of UTF-8, which some programs write before the text.
const UTF8_BOM: &[u8] = b"\xEF\xBB\xBF";
/// First bytes of a gzip file.
pub(super) const GZIP: &[u8] = b"\x1F\x8B";
/// First bytes of a ZIP file. A workbook is a ZIP file too.
pub(super) const ZIP: &[u8] = b"PK\x03\x04";

/// Character encoding of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, the usual encoding.
    Utf8,
    /// UTF-16, little-endian: the "Unicode Text" of a spreadsheet.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
    /// Windows-1252, of old Windows programs in western countries. It is guessed where the bytes
    /// cannot be UTF-8.
    Windows1252,
}

impl Encoding {
    const NAMES: [(&str, Self); 4] = [
        ("UTF-8", Self::Utf8),
        ("UTF-16LE", Self::Utf16Le),
        ("UTF-16BE", Self::Utf16Be),
        ("Windows-1252", Self::Windows1252),
    ];

    /// Returns the usual name of the encoding.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, encoding)| *encoding == self).map_or("", |(name, _)| name)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Encoding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        known.map(|(_, encoding)| *encoding).ok_or_else(|| {
            let names: Vec<_> = Self::NAMES.iter().map(|(name, _)| *name).collect();
            format!("not one of {}", names.join(", "))
        })
    }
}

/// Form of a file that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text with a delimiter between the fields (CSV).
    Text {
        /// The text is inside a gzip file.
        gzip: bool,
        /// Character encoding of the text.
        encoding: Encoding,
        /// Number of bytes of the decoded UTF-8 text before the first record: a BOM, and a line
        /// that names the separator.
        skip: usize,
        /// Separator that the first line names, as Excel writes it: `sep=;`.
        sep: Option<u8>,
    },
    /// One sheet of a workbook. The text is the sheet's name.
    Sheet(String),
}

impl Form {
    /// Returns the encoding of the text. For a sheet it is UTF-8, because this program wrote the
    /// text.
    pub fn encoding(&self) -> Encoding {
        match self {
            Self::Text { encoding, .. } => *encoding,
            Self::Sheet(_) => Encoding::Utf8,
        }
    }

    /// Returns the separator that the first line names, if it names one.
    pub fn sep(&self) -> Option<u8> {
        match self {
            Self::Text { sep, .. } => *sep,
            Self::Sheet(_) => None,
        }
    }

    /// Returns the number of bytes of the decoded UTF-8 text before the first record.
    pub fn skip(&self) -> usize {
        match self {
            Self::Text { skip, .. } => *skip,
            Self::Sheet(_) => 0,
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sheet(_) => f.write_str("Excel workbook"),
            Self::Text { gzip: true, .. } => f.write_str("CSV in a gzip file"),
            Self::Text { .. } => f.write_str("CSV"),
        }
    }
}

/// Checks the first bytes of a file, unpacked but not decoded, for forms that cannot be read.
///
/// # Errors
/// Returns the form if the bytes are those of an old or locked workbook, a PDF or a web page.
pub(super) fn refuse_unsupported(head: &[u8]) -> Result<(), Unsupported> {
    let magic: [(&[u8], Unsupported); 2] =
        [(b"\xD0\xCF\x11\xE0", Unsupported::Xls), (b"%PDF-", Unsupported::Pdf)];
    if let Some((_, form)) = magic.iter().find(|(bytes, _)| head.starts_with(bytes)) {
        return Err(*form);
    }
    let text = head.strip_prefix(UTF8_BOM).unwrap_or(head).trim_ascii_start();
    let begins = |tag: &[u8]| text.get(..tag.len()).is_some_and(|t| t.eq_ignore_ascii_case(tag));
    match [&b"<html"[..], b"<!doctype html", b"<table"].into_iter().any(begins) {
        true => Err(Unsupported::Html),
        false => Ok(()),
    }
}

/// Returns the encoding that the BOM of a text names, if the text has one.
pub(super) fn marked_encoding(head: &[u8]) -> Option<Encoding> {
    let marks: [(&[u8], Encoding); 3] = [
        (UTF8_BOM, Encoding::Utf8),
        (b"\xFF\xFE", Encoding::Utf16Le),
        (b"\xFE\xFF", Encoding::Utf16Be),
    ];
    marks.iter().find(|(mark, _)| head.starts_with(mark)).map(|(_, encoding)| *encoding)
}

/// Returns the form of a text. `head` is the beginning of the text, decoded to UTF-8.
pub(super) fn text_form(gzip: bool, encoding: Encoding, head: &[u8]) -> Form {
    let bom = if head.starts_with(UTF8_BOM) { UTF8_BOM.len() } else { 0 };
    let sep = sep_line(head.get(bom..).unwrap_or_default());
    let skip = bom + sep.map_or(0, |(_, bytes)| bytes);
    Form::Text { gzip, encoding, skip, sep: sep.map(|(delimiter, _)| delimiter) }
}

/// Parses a first line such as `sep=;` or `"sep=;"`. Returns the separator and the length of the
/// line with its line end.
fn sep_line(text: &[u8]) -> Option<(u8, usize)> {
    let end = text.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(text.len());
    let line = text.get(..end)?;
    let bare = line.strip_prefix(b"\"").and_then(|l| l.strip_suffix(b"\"")).unwrap_or(line);
    let (start, rest) = bare.split_at_checked(4)?;
    let &[delimiter] = rest else { return None };
    let line_end = text.get(end..).unwrap_or_default();
    let line_end = if line_end.starts_with(b"\r\n") { 2 } else { line_end.len().min(1) };
    let is_sep = start.eq_ignore_ascii_case(b"sep=") && DELIMITERS.contains(&delimiter);
    is_sep.then_some((delimiter, end + line_end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_forms_by_their_first_bytes() {
        for (head, form) in [
            (&b"nik,nama\n"[..], Ok(())),
            (b"", Ok(())),
            (b"PKP,nama\n", Ok(())),
            (b"\xD0\xCF\x11\xE0\xA1", Err(Unsupported::Xls)),
            (b"%PDF-1.7", Err(Unsupported::Pdf)),
            (b"\xEF\xBB\xBF\r\n<HTML><table>", Err(Unsupported::Html)),
            (b"<table border=1>", Err(Unsupported::Html)),
            (b"<nik>,nama\n", Ok(())),
        ] {
            assert_eq!(refuse_unsupported(head), form, "{head:?}");
        }
    }

    #[test]
    fn knows_the_marks_of_encodings() {
        for (head, encoding) in [
            (&b"nik,nama\n"[..], None),
            (b"\xEF\xBB\xBFnik", Some(Encoding::Utf8)),
            (b"\xFF\xFEn\0", Some(Encoding::Utf16Le)),
            (b"\xFE\xFF\0n", Some(Encoding::Utf16Be)),
        ] {
            assert_eq!(marked_encoding(head), encoding, "{head:?}");
        }
        for (text, encoding) in [
            ("utf-8", Some(Encoding::Utf8)),
            (" UTF-16le ", Some(Encoding::Utf16Le)),
            ("windows-1252", Some(Encoding::Windows1252)),
            ("latin1", None),
        ] {
            assert_eq!(text.parse::<Encoding>().ok(), encoding, "{text}");
        }
    }

    #[test]
    fn a_first_line_may_name_the_separator() {
        for (text, delimiter, skip) in [
            (&b"sep=;\r\nnik;nama"[..], Some(b';'), 7),
            (b"\xEF\xBB\xBFSEP=,\nnik", Some(b','), 9),
            (b"\"sep=;\"\n", Some(b';'), 8),
            (b"sep=\t\rnik", Some(b'\t'), 6),
            (b"sep=|", Some(b'|'), 5),
            (b"sep,nama\n", None, 0),
            (b"sep=ember,nama\n", None, 0),
            (b"sep=\n", None, 0),
            (b"sep=\x1B\nnik\x1Bnama", None, 0),
            (b"\xEF\xBB\xBFnik", None, 3),
        ] {
            let form = text_form(false, Encoding::Utf8, text);
            assert_eq!((form.sep(), form.skip()), (delimiter, skip), "{text:?}");
        }
    }
}
