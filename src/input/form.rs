//! What kind of file the first bytes show. The place to add encodings and containers.
//!
//! Today UTF-8 text is read, with and without a BOM. Other forms are told apart to say what to do about them.
//!
//! Never: guesses an encoding from the text itself.

/// The UTF-8 mark that some programs put in front.
const UTF8_BOM: &[u8] = b"\xEF\xBB\xBF";

/// A form that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// UTF-8 text, with as many bytes of BOM in front.
    Utf8 {
        /// 3 or 0.
        bom: usize,
    },
}

impl Form {
    /// Bytes in front of the text.
    #[must_use]
    pub fn bom(self) -> usize {
        let Self::Utf8 { bom } = self;
        bom
    }
}

/// A form that is recognised and not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Text of two bytes a character.
    #[error("this is UTF-16 text (a spreadsheet's \"Unicode Text\")")]
    Utf16,
    /// A gzip file.
    #[error("this is a gzip file")]
    Gzip,
    /// A ZIP file, which an `.xlsx` is too.
    #[error("this is a ZIP file or an Excel workbook (.xlsx)")]
    Zip,
    /// A workbook of the old kind.
    #[error("this is an old Excel workbook (.xls)")]
    Xls,
    /// A PDF.
    #[error("this is a PDF")]
    Pdf,
    /// Excel's own first line that names the separator.
    #[error("the first line is \"sep=\", which only Excel understands")]
    SepLine,
}

impl Unsupported {
    /// What to do about it.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Utf16 => {
                "save it as \"CSV UTF-8\", or convert it: iconv -f UTF-16 -t UTF-8 IN > OUT"
            }
            Self::Gzip => "unpack it into the program: gunzip -c FILE | ceknik run - -o OUT",
            Self::Zip | Self::Xls => {
                "save the sheet as \"CSV UTF-8\", with the NIK column set to Text before the NIKs are typed or pasted"
            }
            Self::Pdf => "get the table as a CSV file",
            Self::SepLine => {
                "remove the first line; the separator is found, or give it with --delimiter"
            }
        }
    }
}

/// Tells the form by the first bytes.
///
/// # Errors
/// A form that is not read.
pub fn tell_form(head: &[u8]) -> Result<Form, Unsupported> {
    let magic: [(&[u8], Unsupported); 6] = [
        (b"\xFF\xFE", Unsupported::Utf16),
        (b"\xFE\xFF", Unsupported::Utf16),
        (b"\x1F\x8B", Unsupported::Gzip),
        (b"PK\x03\x04", Unsupported::Zip),
        (b"\xD0\xCF\x11\xE0", Unsupported::Xls),
        (b"%PDF-", Unsupported::Pdf),
    ];
    if let Some((_, form)) = magic.iter().find(|(bytes, _)| head.starts_with(bytes)) {
        return Err(*form);
    }
    let bom = if head.starts_with(UTF8_BOM) { UTF8_BOM.len() } else { 0 };
    let text = head.get(bom..).unwrap_or_default();
    let line = text.split(|b| matches!(b, b'\n' | b'\r')).next().unwrap_or_default();
    // `sep=;` and `"sep=;"`.
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    if line.len() <= 6 && line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"sep=")) {
        return Err(Unsupported::SepLine);
    }
    Ok(Form::Utf8 { bom })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_forms_by_their_first_bytes() {
        for (head, form) in [
            (&b"nik,nama\n"[..], Ok(Form::Utf8 { bom: 0 })),
            (b"", Ok(Form::Utf8 { bom: 0 })),
            (b"\xEF\xBB\xBFnik", Ok(Form::Utf8 { bom: 3 })),
            (b"PKP,nama\n", Ok(Form::Utf8 { bom: 0 })),
            (b"sep,nama\n", Ok(Form::Utf8 { bom: 0 })),
            (b"sep=ember,nama\n", Ok(Form::Utf8 { bom: 0 })),
            (b"\xFF\xFEn\0", Err(Unsupported::Utf16)),
            (b"\xFE\xFF\0n", Err(Unsupported::Utf16)),
            (b"\x1F\x8B\x08", Err(Unsupported::Gzip)),
            (b"PK\x03\x04", Err(Unsupported::Zip)),
            (b"\xD0\xCF\x11\xE0\xA1", Err(Unsupported::Xls)),
            (b"%PDF-1.7", Err(Unsupported::Pdf)),
            (b"sep=;\r\nnik;nama", Err(Unsupported::SepLine)),
            (b"\xEF\xBB\xBFSEP=,\n", Err(Unsupported::SepLine)),
            (b"\"sep=;\"\n", Err(Unsupported::SepLine)),
            (b"sep=\t", Err(Unsupported::SepLine)),
        ] {
            assert_eq!(tell_form(head), form, "{head:?}");
        }
    }
}
