//! Finds the delimiter, the byte between two fields: each known delimiter is tried on the first
//! records, and the delimiter with the most sensible records wins.
//!
//! Never: reads a file. The caller passes the first bytes.

use std::borrow::Cow;
use std::collections::HashMap;

use super::form::DELIMITERS;
use super::records::{Fields, RecordOptions, Records};
use crate::rules::headers::is_header;
use crate::rules::nik::look_of;

/// Number of bytes at the start of the text that are examined.
pub const HEAD_BYTES: usize = 64 * 1024;
/// Number of records that are examined.
const SAMPLE: usize = 100;
/// Number of records at the start among which a header is searched.
pub(super) const HEADER_WITHIN: usize = 50;

/// Measure of the sense that the text makes under a delimiter. The derived order compares the
/// fields from the first to the last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    /// A record has both a NIK header and a name header.
    header: bool,
    /// Records with a cell that looks like a NIK, out of a thousand.
    niks: usize,
    /// Records that have the most common number of fields, out of a thousand.
    even: usize,
    /// The most common number of fields.
    width: usize,
}

/// Finds the delimiter in the first bytes of the text. `cut` is true if the text continues after
/// `text`. Returns a comma if no delimiter divides the text.
pub fn sniff(text: &[u8], cut: bool) -> u8 {
    // `max_by` returns the last of equal elements, so the preferred delimiters come last.
    let delimiters = DELIMITERS.into_iter().rev();
    let scored = delimiters.filter_map(|byte| Some((score(text, cut, byte)?, byte)));
    let best = scored.max_by(|(a, _), (b, _)| a.cmp(b));
    best.map_or(b',', |(_, delimiter)| delimiter)
}

/// Scores the text under a delimiter. Returns `None` if there is no record, or if most records have
/// one field and none of them is a header.
fn score(text: &[u8], cut: bool, delimiter: u8) -> Option<Score> {
    let options = RecordOptions {
        label: "",
        delimiter,
        skip: 0,
        skips_line: false,
        first: 0,
        buffer: text.len(),
    };
    let mut records = Records::new(text, options).ok()?;
    let (mut widths, mut header, mut niks) = (Vec::new(), false, 0);
    // A record that cannot be parsed ends the sample. The passes over the file report the error,
    // with its place.
    while let Ok(Some(record)) = records.next_record() {
        if widths.len() == SAMPLE {
            break;
        }
        header |= widths.len() < HEADER_WITHIN
            && is_header(texts(record.fields).iter().map(AsRef::as_ref));
        niks += usize::from(texts(record.fields).iter().any(|cell| look_of(cell).like_nik()));
        widths.push(record.fields.len());
    }
    if cut && widths.len() < SAMPLE {
        // The last record may be incomplete.
        widths.pop();
    }
    let (width, count) = commonest(&widths)?;
    let of = widths.len().max(1);
    (header || width > 1).then_some(Score {
        header,
        niks: niks * 1000 / of,
        even: count * 1000 / of,
        width,
    })
}

/// Returns the fields as text. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn texts(fields: Fields<'_>) -> Vec<Cow<'_, str>> {
    fields.iter().map(String::from_utf8_lossy).collect()
}

/// Returns the most common width and the number of records that have it. If two widths are equally
/// common, the larger one wins. Returns `None` if there are no records.
fn commonest(widths: &[usize]) -> Option<(usize, usize)> {
    let mut counts = HashMap::new();
    for width in widths {
        *counts.entry(*width).or_insert(0) += 1;
    }
    counts.into_iter().max_by_key(|&(width, count)| (count, width))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_the_delimiter() {
        for (text, delimiter) in [
            ("nik,nama\n3275014101900001,BUDI\n", b','),
            ("nik;nama\n3275014101900001;BUDI\n", b';'),
            ("nik\tnama\n3275014101900001\tBUDI\n", b'\t'),
            ("nik|nama\n3275014101900001|BUDI\n", b'|'),
            // Academic titles contain commas.
            ("nik;nama\n3275014101900001;BUDI, S.E.\n3275014101900002;SITI, M.M.\n", b';'),
            ("nama;nik\nBUDI, S.E.;3275014101900001\n", b';'),
            ("nik,nama\n3275014101900001,\"BUDI; SANTOSO; S.E.\"\n", b','),
            ("nik,nama,alamat\n3275014101900001,BUDI,Jl. A; B\n", b','),
            // No header, or an unknown one.
            ("3275014101900001;BUDI, S.E.\n3275014101900002;SITI, M.M.\n", b';'),
            ("a|b,c\n3275014101900001|x,y\n", b'|'),
            // Scientific notation with a decimal comma.
            ("nik;nama\n3,27501E+15;BUDI\n3,27501E+15;SITI\n", b';'),
            ("x;y\n3,27501E+15;BUDI\n3,27501E+15;SITI\n", b';'),
            // A title above the header.
            ("Data nasabah\nnik;nama\n3275014101900001;BUDI\n", b';'),
            ("nik;nama", b';'),
            // The header decides even if all rows are ragged.
            ("nik,nama\nx\na;b\ny\n", b','),
            ("nama", b','),
            ("", b','),
            ("\n\n", b','),
            ("nik;\"nama", b','),
        ] {
            assert_eq!(
                char::from(sniff(text.as_bytes(), false)),
                char::from(delimiter),
                "{text:?}"
            );
        }
    }

    #[test]
    fn half_a_record_at_the_cut_does_not_count() {
        assert_eq!(sniff(b"a;b,c\n1;2\n3;4\n5,6", true), b';');
    }

    proptest! {
        #[test]
        fn never_panics(text in proptest::collection::vec(any::<u8>(), 0..300), cut in any::<bool>()) {
            prop_assert!(DELIMITERS.contains(&sniff(&text, cut)));
        }
    }
}
