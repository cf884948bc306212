//! Finds out whether this program wrote a file, so that no other file is overwritten.
//!
//! Must hold: a file that cannot be read or recognized is not ours. A file that does not exist or
//! is empty may be replaced.
//!
//! Never: reads more than the beginning of a text file.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::input::sheet::holds_results;
use crate::model::column::Column;
use crate::model::money::Charge;
use crate::model::outcome::Outcome;

/// Number of bytes that are read of a text. Its first record must end within them.
const HEAD: u64 = 1 << 20;
/// Mark of a page.
const PAGE: &str = r#"<meta name="generator" content="ceknik"/>"#;
/// First bytes of a workbook.
const ZIP: &[u8] = b"PK\x03\x04";
/// First bytes of a packed text.
const GZIP: &[u8] = b"\x1F\x8B";

/// Checks whether an output may be put in this place: there is no file, an empty file, or an output
/// of ours.
pub fn may_replace_output(path: &Path) -> bool {
    let Some(head) = head_of(path) else { return !path.exists() };
    if head.is_empty() {
        return true;
    }
    if head.starts_with(ZIP) {
        return holds_results(path);
    }
    let text = if head.starts_with(GZIP) { unpacked(&head) } else { head };
    [b',', b';', b'\t', b'|'].into_iter().any(|delimiter| begins_as_ours(&text, delimiter))
}

/// Checks whether a summary may be put in this place: there is no file, an empty file, or a summary
/// of ours.
pub fn may_replace_summary(path: &Path) -> bool {
    let Some(head) = head_of(path) else { return !path.exists() };
    let summary = serde_json::from_slice::<serde_json::Value>(&head).unwrap_or_default();
    head.is_empty() || ["version", "run", "spending"].iter().all(|name| summary.get(name).is_some())
}

/// Checks whether a page about a run may be put in this place: there is no file, an empty file, or a
/// page of ours.
pub fn may_replace_page(path: &Path) -> bool {
    let Some(head) = head_of(path) else { return !path.exists() };
    head.is_empty() || String::from_utf8_lossy(&head).contains(PAGE)
}

/// Returns the beginning of a file, at most `HEAD` bytes; `None` if the file cannot be read.
fn head_of(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
    Some(head)
}

/// Unpacks the beginning of a packed text, as far as it goes.
fn unpacked(head: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    // The packed bytes usually end in the middle, which is an error. The text before that is
    // enough.
    let _ = BufReader::new(MultiGzDecoder::new(head)).take(HEAD).read_to_end(&mut text);
    text
}

/// Checks whether the first record of a text is a header of ours or, if the input had no header, a
/// row of ours.
fn begins_as_ours(text: &[u8], delimiter: u8) -> bool {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let mut form = csv::ReaderBuilder::new();
    form.delimiter(delimiter).has_headers(false).flexible(true);
    let mut first = csv::ByteRecord::new();
    if !form.from_reader(text).read_byte_record(&mut first).unwrap_or(false) {
        return false;
    }
    let cells: Vec<_> = first.iter().map(String::from_utf8_lossy).collect();
    cells.iter().any(|cell| Column::of_header(cell) == Some(Column::Outcome))
        || cells.windows(Column::ALL.len()).any(|row| is_row(row.iter().map(AsRef::as_ref)))
}

/// Checks whether cells are those that this program adds to a row: an outcome, a result code, a
/// charge, and so on.
fn is_row<'a>(mut cells: impl Iterator<Item = &'a str>) -> bool {
    let outcome = cells.next().unwrap_or_default();
    let charged = cells.nth(1).unwrap_or_default();
    Outcome::ALL.iter().any(|known| known.word() == outcome)
        && [Charge::Charged, Charge::Free, Charge::Unknown].iter().any(|c| c.word() == charged)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn only_our_own_files_may_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert!(may_replace_output(&path) && may_replace_summary(&path), "nothing is there");
        let packed = |text: &str| {
            let mut file =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            file.write_all(text.as_bytes()).unwrap();
            file.finish().unwrap()
        };
        let header = format!("no;\"NIK\";{}\n1;2;match\n", Column::ALL.map(Column::name).join(";"));
        let row = "3275014107900001,BUDI,match,01,yes,0,O1,t,,R1,OK,,call,1\n";
        for (what, bytes, ours) in [
            ("empty", Vec::new(), true),
            ("a report", b"important report\n".to_vec(), false),
            ("an input", b"nik,nama\n3275014107900001,BUDI\n".to_vec(), false),
            ("bytes", vec![0, 1, 2, 255], false),
            ("a header of ours", header.clone().into_bytes(), true),
            ("one for a spreadsheet", [&b"\xEF\xBB\xBF"[..], header.as_bytes()].concat(), true),
            ("a row of ours", row.as_bytes().to_vec(), true),
            ("a packed output", packed(&header), true),
            ("a packed report", packed("important report"), false),
            ("a torn packed file", packed(&header)[..9].to_vec(), false),
            ("a ZIP file that is none", b"PK\x03\x04 and no more".to_vec(), false),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(may_replace_output(&path), ours, "{what}");
        }
        for (text, ours) in [
            ("", true),
            (r#"{"version": 1, "run": 3, "spending": {}}"#, true),
            (r#"{"version": 1, "name": "app"}"#, false),
            ("important", false),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(may_replace_summary(&path), ours, "{text}");
        }
        assert!(!may_replace_output(folder.path()), "a folder");
    }
}
