//! Tests with whole small files, read row by row.

use proptest::prelude::*;

use super::super::layout::inspect;
use super::*;
use crate::model::row::Warning;
use crate::rules::findings::{FileCounts, FileFacts, FirstPlaces, stop_findings};

fn source(text: impl AsRef<[u8]>) -> Source {
    Source::spool(text.as_ref(), &std::env::temp_dir()).unwrap()
}

fn columns(id: &str, name: &str) -> ReadOptions {
    ReadOptions {
        id_column: Some(id.into()),
        name_column: Some(name.into()),
        ..ReadOptions::default()
    }
}

/// Reads all rows, each as its number, its line, and the pair with warnings or the rejection.
fn rows(text: &[u8], options: &ReadOptions) -> Vec<(u64, u64, String)> {
    let source = source(text);
    let layout = inspect(&source, options).unwrap();
    let mut rows = Rows::open(&source, &layout, options, blake3::Hasher::new()).unwrap();
    let mut out = Vec::new();
    while let Some(row) = rows.next_row().unwrap() {
        let what = match &row.reading.checked {
            Ok(checked) => {
                let warnings: String =
                    checked.warnings.iter().map(|w| format!(" {}", w.code())).collect();
                format!(
                    "{} {}{warnings}",
                    checked.subject.nik.as_str(),
                    checked.subject.name.as_str()
                )
            }
            Err(rejection) => format!("! {}", rejection.code()),
        };
        out.push((row.record, row.place.line, what));
    }
    assert_eq!(rows.finish().unwrap(), blake3::hash(text));
    out
}

#[test]
fn every_record_is_a_row() {
    let text = b"\xEF\xBB\xBFno;NIK;Nama\r\n\
        1;3275014101900001;BUDI SANTOSO\r\n\
        2;'3275 0141 0190 0002;  Siti  Aminah\r\n\
        \r\n\
        3;3.27501E+15;BUDI\r\n\
        4;3275014101900000;BUDI\r\n\
        5;3275014101900001\r\n\
        6;3275014101900001;BUDI;S.E.\r\n\
        7;;BUDI\r\n\
        8;3275014101900001;\r\n\
        9;3275014101900001;\"BUDI\r\nSANTOSO\"\r\n\
        10;3275014101900001;Jos\xE9\r\n\
        11;327501\xA04101900001;BUDI\r\n\
        12;3275014101900003;Nama\r\n\
        13;3275014101900003;12345\r\n\
        ;;\r\n\
        NIK;NIK;Nama\r\n\
        Total;17;\r\n";
    let expected = [
        (2, "3275014101900001 BUDI SANTOSO"),
        (3, "3275014101900002 Siti Aminah"),
        (5, "! excel_scientific"),
        (6, "! excel_truncated"),
        (7, "! ragged_row"),
        (8, "! ragged_row"),
        (9, "! nik_empty"),
        (10, "! name_empty"),
        (11, "3275014101900001 BUDI SANTOSO"),
        (13, "! not_utf8"),
        (14, "! not_utf8"),
        (15, "3275014101900003 Nama name_is_header"),
        (16, "! name_not_a_name"),
        (18, "! nik_not_digits"),
    ];
    let found = rows(text, &columns("NIK", "Nama"));
    assert_eq!(found.len(), expected.len());
    // The header is on line 1. The blank record counts as a record. The blank line and the line
    // inside a cell do not.
    for (row, (line, what)) in found.iter().zip(expected) {
        let record = line - 1 - u64::from(line > 4) - u64::from(line > 11);
        assert_eq!(*row, (record, line, what.to_owned()));
    }
}

#[test]
fn skipped_records_are_counted() {
    let text = b"Data nasabah;;\r\n;;\r\nno;NIK;Nama\r\n\r\n1;3275014101900001;BUDI\r\n;;\r\n;TOTAL;1\r\n\r\n";
    let source = source(text);
    let layout = inspect(&source, &ReadOptions::default()).unwrap();
    let mut rows =
        Rows::open(&source, &layout, &ReadOptions::default(), blake3::Hasher::new()).unwrap();
    let row = rows.next_row().unwrap().unwrap();
    assert_eq!((row.record, row.place.line, row.place.row), (1, 5, 5));
    assert!(rows.next_row().unwrap().is_none());
    assert_eq!(rows.skipped(), Skipped { titles: 2, blank: 3, totals: 1, numbered: 0 });
}

#[test]
fn only_numbers_behind_the_last_customer_are_no_rows() {
    for (text, expected, numbered) in [
        // Rows were numbered before customers were entered, and a footer follows.
        ("1,#,BUDI\n2,,\n3,,\nTOTAL,,1\n", "1", 2),
        // A customer of whom only an identifier is known.
        ("10021,#,BUDI\n10022,,\n", "10021 10022", 0),
        // Between rows with data, records with only a number are rows, in their order.
        ("1,#,BUDI\n2,,\n3,,\n4,#,SITI\n5,,\n", "1 2 3 4", 1),
        ("1,,\n2,,\n", "", 2),
        ("1,,\n2,x,\n", "1 2", 0),
        ("1,#,BUDI\n,,\n2,,\n", "1", 1),
    ] {
        let text = format!("no,nik,nama\n{}", text.replace('#', "3275014101900001"));
        let source = source(text.as_bytes());
        let options = columns("nik", "nama");
        let layout = inspect(&source, &options).unwrap();
        let mut rows = Rows::open(&source, &layout, &options, blake3::Hasher::new()).unwrap();
        let mut found = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            assert_eq!(row.record, row.place.record);
            found.push(String::from_utf8_lossy(row.fields.get(0).unwrap()).into_owned());
        }
        assert_eq!(found.join(" "), expected, "{text}");
        assert_eq!(rows.skipped().numbered, numbered, "{text}");
    }
}

#[test]
fn rows_that_a_lone_quote_swallowed_are_not_sent() {
    let text = b"nama,alamat,nik\nBUDI,\"Jl A,3275014101900001\nSITI,Jl B,3275014101900002\n\
        ANI,\"Jl C,3275014101900003\nDEWI,\"Jl D\nNo 4\",3275014101900004\nJOKO,x,\"3275014101900005\n\"\n";
    let found: Vec<_> =
        rows(text, &columns("nik", "nama")).into_iter().map(|(.., what)| what).collect();
    assert_eq!(found, ["! quote_swallowed_rows", "3275014101900004 DEWI", "3275014101900005 JOKO"]);
}

#[test]
fn our_own_output_gives_the_names_that_were_sent() {
    let names = |header: &str| -> Vec<String> {
        let text = format!("{header}\n3275014101900001,'@ANI,x\n3275014101900002,'BUDI,x\n");
        rows(text.as_bytes(), &columns("1", "2")).into_iter().map(|(.., what)| what).collect()
    };
    assert_eq!(
        names("nik,nama,ck_outcome"),
        ["3275014101900001 @ANI name_has_at", "3275014101900002 'BUDI"]
    );
    assert_eq!(
        names("nik,nama,x"),
        ["3275014101900001 '@ANI name_has_at", "3275014101900002 'BUDI"]
    );
}

#[test]
fn a_header_alone_has_no_rows() {
    assert_eq!(rows(b"nik,nama", &ReadOptions::default()), []);
    assert_eq!(rows(b"nik,nama\r\n\r\n", &ReadOptions::default()), []);
}

#[test]
fn without_a_header_the_first_record_is_a_row() {
    let options = ReadOptions { no_header: true, ..columns("2", "1") };
    let found = rows(b"Nama,3275014101900001\nSITI,3275014101900002\n", &options);
    assert_eq!(
        found,
        [(1, 1, "3275014101900001 Nama".to_owned()), (2, 2, "3275014101900002 SITI".to_owned()),]
    );
}

#[test]
fn the_flags_reach_the_checks() {
    let text = b"nik,nama\n3275014101900000,BUDI\n3275013213900001,BUDI\n";
    let mut options = ReadOptions::default();
    let codes = |options: &ReadOptions| {
        rows(text, options).into_iter().map(|(.., what)| what).collect::<Vec<_>>()
    };
    assert_eq!(codes(&options), ["! excel_truncated", "! nik_date"]);
    options.nik = NikPolicy { send_truncated: true, send_odd_dates: true, ..NikPolicy::default() };
    assert_eq!(
        codes(&options),
        [
            format!("3275014101900000 BUDI {}", Warning::NikSerialZero.code()),
            format!("3275013213900001 BUDI {}", Warning::NikDateOdd.code()),
        ]
    );
}

#[test]
fn rows_feed_the_findings() {
    // NIKs as a spreadsheet damages them: the 16th digit is lost, or almost all digits.
    let mut text = "nik,nama\n".to_owned();
    (0..100).for_each(|i| text.push_str(&format!("32750141019{i:04}0,BUDI\n")));
    text.push_str("3.27501E+15,BUDI\n3.27501E+15,BUDI\n");
    let source = source(&text);
    let layout = inspect(&source, &ReadOptions::default()).unwrap();
    let mut rows =
        Rows::open(&source, &layout, &ReadOptions::default(), blake3::Hasher::new()).unwrap();
    let mut counts = FileCounts::default();
    while let Some(row) = rows.next_row().unwrap() {
        counts.add(&row.reading);
    }
    let codes: Vec<_> = stop_findings(&counts, &FirstPlaces::default(), &FileFacts::default())
        .iter()
        .map(|finding| finding.code)
        .collect();
    assert_eq!(codes, ["file_scientific", "file_last_digit_zero"]);
    // The NIK with serial 0000 is rejected, but counts too.
    assert_eq!((counts.niks, counts.last_zero), (100, 100));
}

#[test]
fn cells_are_handed_on_as_they_stand() {
    let source = source("nik,nama,x\n'3275014101900001,\" BUDI  \"\"B\"\" \",=1+1\n");
    let layout = inspect(&source, &columns("1", "2")).unwrap();
    let mut rows = Rows::open(&source, &layout, &columns("1", "2"), blake3::Hasher::new()).unwrap();
    let row = rows.next_row().unwrap().unwrap();
    assert_eq!(
        row.fields.iter().collect::<Vec<_>>(),
        [&b"'3275014101900001"[..], b" BUDI  \"B\" ", b"=1+1"]
    );
    assert_eq!((row.fields.len(), row.fields.get(3), row.place.byte), (3, None, 11));
    assert!(row.reading.checked.as_ref().unwrap().name_changed);
    // The debug output contains nothing of the row except the masked NIK.
    let debug = format!("{row:?}");
    assert!(!debug.contains("BUDI") && !debug.contains("3275014101900001"), "{debug}");
}

#[test]
fn another_file_under_the_same_layout_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "nik,nama\n").unwrap();
    let source = Source::file(&path).unwrap();
    let layout = inspect(&source, &ReadOptions::default()).unwrap();
    for changed in ["nama,nik\n", "nik,nama,x\n", ""] {
        std::fs::write(&path, changed).unwrap();
        let error = Rows::open(&source, &layout, &ReadOptions::default(), blake3::Hasher::new())
            .err()
            .unwrap();
        assert!(matches!(error.problem(), Problem::Changed), "{error}");
    }
}

proptest! {
    #[test]
    fn rows_in_are_rows_out(lines in proptest::collection::vec("[a-z0-9,;' é]{1,30}", 0..20)) {
        let text = format!("nik,nama\n{}\n", lines.join("\n"));
        // A line with only separators and spaces is not a row. Neither is a line with only its
        // number after all other rows.
        let filled: Vec<_> = lines.iter().filter(|line| skip_reason(line.split(',')).is_none()).collect();
        let mut numbering = Numbering::default();
        let is_numbered: Vec<bool> =
            filled.iter().map(|line| numbering.next(line.split(',').map(str::as_bytes))).collect();
        let behind = is_numbered.iter().rev().take_while(|numbered| **numbered).count();
        let filled = filled.len() - behind;
        let comma = ReadOptions { delimiter: Some(b','), ..columns("1", "2") };
        prop_assert_eq!(rows(text.as_bytes(), &comma).len(), filled);
    }

    #[test]
    fn never_panics(text in proptest::collection::vec(prop_oneof![
        4 => proptest::sample::select(&b",\"\r\n'0327501410190"[..]), 1 => any::<u8>()], 0..200)) {
        let text = [b"nik,nama\n", text.as_slice()].concat();
        let source = source(&text);
        let options = columns("1", "2");
        if let Ok(layout) = inspect(&source, &options)
            && let Ok(mut rows) = Rows::open(&source, &layout, &options, blake3::Hasher::new())
        {
            while let Ok(Some(_)) = rows.next_row() {}
        }
    }
}
