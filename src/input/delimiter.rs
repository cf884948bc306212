//! Which byte stands between fields: the one under which the first records make most sense.
//!
//! Never: reads a file; it is given the first bytes.

use super::records::{Fields, RecordOptions, Records};
use crate::rules::headers::is_header;
use crate::rules::nik::look_of;
use std::borrow::Cow;
use std::collections::HashMap;

/// Bytes of the file that are looked at.
pub const HEAD_BYTES: usize = 64 * 1024;
/// Records that are looked at.
const SAMPLE: usize = 100;
/// The header stands in one of the first so many records, if there is one.
pub(super) const HEADER_WITHIN: usize = 50;

/// Those that we know, in order of preference where nothing else decides.
pub(super) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// How much sense the text makes under a delimiter. Compared from the first field on.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    /// A record names both columns.
    header: bool,
    /// Records with a cell that is a NIK, in a thousand.
    niks: usize,
    /// Records of the commonest width, in a thousand.
    even: usize,
    /// The commonest width.
    width: usize,
}

/// Finds the delimiter in the first bytes of the text. `cut` says that the text goes on after them.
/// A text that no delimiter divides gets a comma.
pub fn sniff(text: &[u8], cut: bool) -> u8 {
    // Of equal ones the last wins, so those that are preferred come last.
    let delimiters = DELIMITERS.into_iter().rev();
    let scored = delimiters.filter_map(|byte| Some((score(text, cut, byte)?, byte)));
    let best = scored.max_by(|(a, _), (b, _)| a.cmp(b));
    best.map_or(b',', |(_, delimiter)| delimiter)
}

/// `None` where the delimiter divides nothing.
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
    // An error here is that of a quote or a NUL; the real reading will say it, and better.
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
        // The last record may be half a one.
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

/// The cells as text, for a look at them.
pub(super) fn texts(fields: Fields<'_>) -> Vec<Cow<'_, str>> {
    fields.iter().map(String::from_utf8_lossy).collect()
}

fn commonest(widths: &[usize]) -> Option<(usize, usize)> {
    let mut counts = HashMap::new();
    for width in widths {
        *counts.entry(*width).or_insert(0) += 1;
    }
    counts.into_iter().max_by_key(|&(width, count)| (count, width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_the_delimiter() {
        for (text, delimiter) in [
            ("nik,nama\n3275014101900001,BUDI\n", b','),
            ("nik;nama\n3275014101900001;BUDI\n", b';'),
            ("nik\tnama\n3275014101900001\tBUDI\n", b'\t'),
            ("nik|nama\n3275014101900001|BUDI\n", b'|'),
            // Titles hold commas.
            ("nik;nama\n3275014101900001;BUDI, S.E.\n3275014101900002;SITI, M.M.\n", b';'),
            ("nama;nik\nBUDI, S.E.;3275014101900001\n", b';'),
            ("nik,nama\n3275014101900001,\"BUDI; SANTOSO; S.E.\"\n", b','),
            ("nik,nama,alamat\n3275014101900001,BUDI,Jl. A; B\n", b','),
            // No header, or one that we don't know.
            ("3275014101900001;BUDI, S.E.\n3275014101900002;SITI, M.M.\n", b';'),
            ("a|b,c\n3275014101900001|x,y\n", b'|'),
            // Scientific notation with a decimal comma.
            ("nik;nama\n3,27501E+15;BUDI\n3,27501E+15;SITI\n", b';'),
            ("x;y\n3,27501E+15;BUDI\n3,27501E+15;SITI\n", b';'),
            // A title above the header.
            ("Data nasabah\nnik;nama\n3275014101900001;BUDI\n", b';'),
            ("nik;nama", b';'),
            // Rows that are all ragged don't speak against the header.
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
