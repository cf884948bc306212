//! Tests of records: with tables of examples, against a simple reference reader, and with reads of
//! many sizes.

use proptest::prelude::*;

use super::*;

fn options(delimiter: u8, buffer: usize) -> RecordOptions<'static> {
    RecordOptions { label: "a.csv", delimiter, skip: 0, skips_line: false, first: 1, buffer }
}

type Taken = Vec<(InputPlace, Vec<Vec<u8>>)>;

fn take(text: &[u8], buffer: usize) -> Result<Taken, InputError> {
    let mut records = Records::new(text, options(b',', buffer))?;
    let mut taken = Vec::new();
    while let Some(record) = records.next_record()? {
        taken.push((record.place, record.fields.iter().map(<[u8]>::to_vec).collect()));
    }
    assert!(records.next_record()?.is_none(), "the end stays the end");
    assert!(records.into_input().is_empty(), "all of it was read");
    Ok(taken)
}

fn cells(text: &[u8], buffer: usize) -> Vec<Vec<String>> {
    let taken = take(text, buffer).unwrap();
    let text = |cell: &Vec<u8>| String::from_utf8(cell.clone()).unwrap();
    taken.iter().map(|(_, fields)| fields.iter().map(text).collect()).collect()
}

#[test]
fn takes_records_apart() {
    for (text, expected) in [
        ("", vec![]),
        ("\n", vec![]),
        ("\r\n\r\n", vec![]),
        ("a", vec![vec!["a"]]),
        ("a\n", vec![vec!["a"]]),
        ("a,b\nc,d", vec![vec!["a", "b"], vec!["c", "d"]]),
        ("a,b\r\nc,d\r\n", vec![vec!["a", "b"], vec!["c", "d"]]),
        ("a,b\rc,d\r", vec![vec!["a", "b"], vec!["c", "d"]]),
        ("\n\na,b\n\n\nc,d\n\n", vec![vec!["a", "b"], vec!["c", "d"]]),
        ("a,\n,\n", vec![vec!["a", ""], vec!["", ""]]),
        ("\"\"\n", vec![vec![""]]),
        (" \n", vec![vec![" "]]),
        ("\"a,b\",\"c\"\"d\"\n", vec![vec!["a,b", "c\"d"]]),
        ("\"a\nb\",c\n", vec![vec!["a\nb", "c"]]),
        ("\"a\r\nb\",c\r\n", vec![vec!["a\r\nb", "c"]]),
        ("=\"1\",b\n", vec![vec!["=\"1\"", "b"]]),
        ("a\"b,c\n", vec![vec!["a\"b", "c"]]),
        ("é,ü\n", vec![vec!["é", "ü"]]),
    ] {
        for buffer in [1, 2, 3, 5, 7, 64, BUFFER_BYTES] {
            assert_eq!(cells(text.as_bytes(), buffer), expected, "{text:?} {buffer}");
        }
    }
}

#[test]
fn tells_where_records_begin() {
    let places = |text: &str, buffer| -> Vec<_> {
        let taken = take(text.as_bytes(), buffer).unwrap();
        taken.iter().map(|(place, _)| (place.line, place.record, place.byte)).collect()
    };
    for (text, expected) in [
        ("a\nb\nc", vec![(1, 1, 0), (2, 2, 2), (3, 3, 4)]),
        ("a\r\nb\r\nc", vec![(1, 1, 0), (2, 2, 3), (3, 3, 6)]),
        ("a\rb\rc", vec![(1, 1, 0), (2, 2, 2), (3, 3, 4)]),
        ("\n\na\n\n\nb", vec![(3, 1, 2), (6, 2, 6)]),
        ("\r\n\r\na\r\n\r\nb", vec![(3, 1, 4), (5, 2, 9)]),
        ("\r\ra\r\rb", vec![(3, 1, 2), (5, 2, 5)]),
        ("\"x\ny\",1\nb", vec![(1, 1, 0), (3, 2, 8)]),
        ("\"x\r\ny\",1\r\nb", vec![(1, 1, 0), (3, 2, 10)]),
        ("\"x\r\"\nb", vec![(1, 1, 0), (2, 2, 5)]),
    ] {
        for buffer in [1, 2, 3, 64] {
            assert_eq!(places(text, buffer), expected, "{text:?} {buffer}");
        }
    }
}

#[test]
fn a_quote_left_open_is_an_error() {
    for (text, open) in [
        ("\"a", true),
        ("\"", true),
        ("a,\"b\n", true),
        ("a,\"b\r\n", true),
        ("a,b\nc,\"d\ne,f\n", true),
        ("\"a\"\"", true),
        ("\"a\"\"\n", true),
        ("\"\"\"", true),
        ("a\n\"", true),
        ("\"a\"", false),
        ("\"a\"\n", false),
        ("\"a\"\r\n", false),
        ("\"a\"\r", false),
        ("\"\"", false),
        ("\"a\"\"\"", false),
        ("\"a\"b", false),
        ("a\"", false),
        ("a,", false),
        ("a", false),
        ("a\n\n", false),
        ("a\r\n\r\n", false),
        ("", false),
    ] {
        for buffer in [1, 2, 3, 64] {
            let problem = take(text.as_bytes(), buffer);
            assert_eq!(problem.is_err(), open, "{text:?} {buffer}");
        }
    }
    let error = take(b"a,b\n\nc,\"d\ne,f\n", 64).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a.csv, line 3 (row 2, byte 5): a quotation mark that is opened in this row is never closed"
    );
}

#[test]
fn a_nul_byte_is_an_error_with_its_place() {
    for (text, place) in [
        (&b"a,b\nc\0,d\n"[..], (2, 2, 5)),
        (b"\0", (1, 1, 0)),
        (b"n\0i\0k\0", (1, 1, 1)),
        (b"a\n\"x\ny\0\"\n", (3, 2, 6)),
    ] {
        for buffer in [1, 2, 3, 64] {
            let error = take(text, buffer).unwrap_err();
            assert!(matches!(error.problem(), Problem::Nul), "{error}");
            let found = error.place().unwrap();
            assert_eq!((found.line, found.record, found.byte), place, "{text:?} {buffer}");
        }
    }
}

#[test]
fn a_record_may_be_long_but_not_endless() {
    let long = "x".repeat(RECORD_BYTES - 1);
    assert_eq!(take(format!("{long}\n").as_bytes(), BUFFER_BYTES).unwrap().len(), 1);
    for (cells, fits) in [(MOST_COLUMNS, true), (MOST_COLUMNS + 1, false)] {
        let text = ",".repeat(cells - 1) + "\n";
        assert_eq!(take(text.as_bytes(), BUFFER_BYTES).is_ok(), fits, "{cells} cells");
    }
    for text in [format!("a\n{long}xx\nb\n"), format!("a\n\"{}", "x\n".repeat(RECORD_BYTES))] {
        let error = take(text.as_bytes(), BUFFER_BYTES).unwrap_err();
        assert_eq!(error.place(), Some(InputPlace { line: 2, row: 2, record: 2, byte: 2 }));
        assert!(matches!(error.problem(), Problem::TooLong(_)), "{error}");
    }
}

#[test]
fn bytes_before_the_first_record_are_skipped() {
    for buffer in [1, 2, 3, 64] {
        let mut skipping = options(b';', buffer);
        (skipping.skip, skipping.first) = (3, 0);
        let mut records = Records::new(&b"\xEF\xBB\xBF\"a\";b\n"[..], skipping).unwrap();
        let record = records.next_record().unwrap().unwrap();
        assert_eq!(record.place, InputPlace { line: 1, row: 1, record: 0, byte: 3 });
        assert_eq!(record.fields.iter().collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(format!("{record:?}").matches("hidden").count(), 1);
    }
}

#[test]
fn counts_rows_as_a_spreadsheet_does() {
    let rows = |text: &str, skips: Option<usize>, buffer| -> (Vec<u64>, u64) {
        let skipping = RecordOptions {
            skip: skips.unwrap_or_default(),
            skips_line: skips.is_some(),
            ..options(b',', buffer)
        };
        let mut records = Records::new(text.as_bytes(), skipping).unwrap();
        let mut rows = Vec::new();
        while let Some(record) = records.next_record().unwrap() {
            rows.push(record.place.row);
        }
        (rows, records.blank())
    };
    for (text, skips, expected, blank) in [
        ("a\nb\n", None, vec![1, 2], 0),
        ("a\r\nb", None, vec![1, 2], 0),
        ("a\rb\r", None, vec![1, 2], 0),
        ("\"x\ny\",1\nb\n\"\n\n\"\nc", None, vec![1, 2, 3, 4], 0),
        ("\"x\r\ny\",1\r\nb\r\nc", None, vec![1, 2, 3], 0),
        ("\n\na\n\n\"p\nq\"\n\nb\n\n\n", None, vec![3, 5, 7], 6),
        ("a\r\n\r\n\r\nb\r\n\r\n", None, vec![1, 4], 3),
        ("a\r\r\rb\r\r", None, vec![1, 4], 3),
        ("sep=;\na\n\nb", Some(6), vec![1, 3], 1),
        ("sep=;\r\n\"x\ny\"\r\nb", Some(7), vec![1, 2], 0),
    ] {
        for buffer in [1, 2, 3, 64] {
            assert_eq!(rows(text, skips, buffer), (expected.clone(), blank), "{text:?} {buffer}");
        }
    }
}

#[test]
fn a_failing_read_is_an_error() {
    struct Failing(u32);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Err(io::ErrorKind::Interrupted.into()),
                2 => {
                    buffer[..4].copy_from_slice(b"a\nb,");
                    Ok(4)
                }
                _ => Err(io::Error::other("disk gone")),
            }
        }
    }
    let mut records = Records::new(Failing(0), options(b',', 16)).unwrap();
    assert!(records.next_record().unwrap().is_some());
    assert_eq!(records.next_record().unwrap_err().to_string(), "a.csv: cannot read it: disk gone");
}

/// Reads text with correct quotes. The function is so simple that it is easily seen to be correct.
fn reference(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut any) = (false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => {
                quoted = !quoted;
                any = true;
            }
            ',' if !quoted => {
                record.push(std::mem::take(&mut field));
                any = true;
            }
            '\r' | '\n' if !quoted => {
                if any {
                    record.push(std::mem::take(&mut field));
                    records.push(std::mem::take(&mut record));
                }
                any = false;
            }
            other => {
                field.push(other);
                any = true;
            }
        }
    }
    if any {
        record.push(field);
        records.push(record);
    }
    records
}

fn well_quoted() -> impl Strategy<Value = String> {
    let plain = "[a-z0-9é ;']{0,6}".prop_map(String::from);
    let quoted =
        "[a-z,\r\n\" é]{0,6}".prop_map(|inner| format!("\"{}\"", inner.replace('"', "\"\"")));
    let field = prop_oneof![plain, quoted];
    let record = proptest::collection::vec(field, 1..5).prop_map(|fields| fields.join(","));
    let line_end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r"), Just("\n\n")];
    let lines = proptest::collection::vec((record, line_end), 0..8);
    (lines, any::<bool>()).prop_map(|(lines, last)| {
        let mut text: String =
            lines.iter().flat_map(|(record, end)| [record.as_str(), end]).collect();
        if !last {
            text.truncate(text.trim_end_matches(['\r', '\n']).len());
        }
        text
    })
}

proptest! {
    #[test]
    fn reads_what_the_reference_reads(text in well_quoted(), buffer in 1usize..40) {
        prop_assert_eq!(cells(text.as_bytes(), buffer), reference(&text));
    }

    #[test]
    fn any_bytes_give_the_same_in_any_pieces(
        text in proptest::collection::vec(prop_oneof![4 => proptest::sample::select(&b"ab,\"\r\n"[..]), 1 => any::<u8>()], 0..80),
        buffer in 1usize..20,
    ) {
        let whole = take(&text, BUFFER_BYTES).map_err(|error| error.to_string());
        let pieces = take(&text, buffer).map_err(|error| error.to_string());
        prop_assert_eq!(whole, pieces);
    }
}
