//! What a workbook's reader finds in it.

use super::*;
use crate::input::{Options, Source, inspect};
use crate::model::attempt::WallMs;
use crate::model::money::Tally;
use crate::model::outcome::OutcomeCounts;
use calamine::{Data, Reader, Xlsx, open_workbook_from_rs};

const HEADER: &str = "no,nik,nama\n1,3275014107900001,BUDI\n2,3275014107900002,SITI\n";

/// Writes rows, and reads the book back.
fn written(file: &str, limits: Limits, rows: &[&[&str]]) -> Xlsx<io::Cursor<Vec<u8>>> {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::spool(file.as_bytes(), folder.path()).unwrap();
    let layout = inspect(&source, &Options::default()).unwrap();
    let mut book = Workbook::new(Vec::new(), &layout, folder.path(), limits).unwrap();
    for row in rows {
        let result = RowResult::rejected(Rejection::NikLength);
        book.row(&Cells::made(row), &result).unwrap();
    }
    let overview = Overview {
        run: 1,
        begun: WallMs(0),
        ended: "finished",
        origin: "sandbox",
        outcomes: OutcomeCounts::default(),
        rejected: Vec::new(),
        tally: Tally::default(),
        price: None,
    };
    let bytes = book.finish(&overview).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    open_workbook_from_rs(io::Cursor::new(bytes)).unwrap()
}

fn text(book: &mut Xlsx<io::Cursor<Vec<u8>>>, sheet: &str, at: (u32, u32)) -> Option<String> {
    match book.worksheet_range(sheet).unwrap().get_value(at) {
        Some(Data::String(text)) => Some(text.clone()),
        None | Some(Data::Empty) => None,
        Some(other) => panic!("not a text: {other:?}"),
    }
}

#[test]
fn sheets_follow_one_another_at_the_limits() {
    let row: &[&str] = &["1", "3275014107900001", "BUDI"];
    let (rows, bytes) = (4, 2000);
    for (limits, count, expected) in [
        (Limits { rows, ..Limits::default() }, 3, &[4][..]),
        (Limits { rows, ..Limits::default() }, 4, &[4, 2]),
        (Limits { rows, ..Limits::default() }, 7, &[4, 4, 2]),
        (Limits { rows, ..Limits::default() }, 0, &[1]),
        (Limits { bytes, ..Limits::default() }, 12, &[6, 6, 3]),
    ] {
        let mut book = written(HEADER, limits, &vec![row; count]);
        let mut names = book.sheet_names();
        assert_eq!(names.pop().as_deref(), Some("Summary"));
        let heights: Vec<usize> =
            names.iter().map(|name| book.worksheet_range(name).unwrap().height()).collect();
        assert_eq!(heights, expected, "{limits:?} {count}");
        for (n, name) in names.iter().enumerate() {
            let expected = if n == 0 { "Results".into() } else { format!("Results {}", n + 1) };
            assert_eq!(*name, expected);
            assert_eq!(text(&mut book, name, (0, 1)).as_deref(), Some("nik"));
        }
    }
}

#[test]
fn cells_are_texts_whatever_they_hold() {
    let long = "é".repeat(LONGEST_CELL);
    let endless = "😀".repeat(LONGEST_CELL / 2 + 1);
    for (cell, expected) in [
        ("3275014107900001", "3275014107900001"),
        ("0", "0"),
        ("TRUE", "TRUE"),
        ("=HYPERLINK(\"http://x\")", "=HYPERLINK(\"http://x\")"),
        ("+62", "+62"),
        ("https://example.com", "https://example.com"),
        ("{=1}", "{=1}"),
        (" a ", " a "),
        ("<b>&\"'", "<b>&\"'"),
        ("baris\ndua", "baris\ndua"),
        ("a\u{1}b", "a\u{1}b"),
        ("_x0041_", "_x0041_"),
        (&long, &long),
    ] {
        let mut book = written(HEADER, Limits::default(), &[&[cell, "", "x"]]);
        let found = text(&mut book, "Results", (1, 0));
        assert_eq!(found.as_deref(), Some(expected), "{cell:?}");
    }
    let cut = fitting(&endless);
    assert!(cut.ends_with(CUT) && cut.encode_utf16().count() <= LONGEST_CELL);
    let mut book = written(HEADER, Limits::default(), &[&["1", "2", &endless]]);
    assert_eq!(text(&mut book, "Results", (1, 2)).as_deref(), Some(&*cut));
}

#[test]
fn rows_of_other_lengths_and_words_for_people() {
    let columns = 17;
    let limits = Limits { columns, ..Limits::default() };
    let file = "nik,nama,ck_outcome\n3275014107900001,BUDI,match\n";
    let rows: [&[&str]; 3] =
        [&["1"], &["1", "2", "old", "+1", "="], &["1", "2", "old", "a", "", "b", "c", "d"]];
    let mut book = written(file, limits, &rows);
    let mut at = |row, column| text(&mut book, "Results", (row, column)).unwrap_or_default();
    assert_eq!((at(0, 2), at(0, 13)), ("ck_outcome".into(), "ck_attempts".into()));
    for row in 1..4 {
        assert_eq!((at(row, 2).as_str(), at(row, 4).as_str()), ("Rejected", "No"));
        let why = Rejection::NikLength;
        assert_eq!(at(row, 11), format!("{}: {}", why.code(), why.explain()));
    }
    assert_eq!((at(1, 0), at(1, 1), at(1, 14)), ("1".into(), String::new(), String::new()));
    assert_eq!((at(2, 14), at(2, 15)), ("+1".into(), "=".into()));
    assert_eq!((at(3, 14), at(3, 15), at(3, 16)), ("a".into(), String::new(), "b | c | d".into()));
}

#[test]
fn a_library_that_gives_up_is_an_error() {
    assert!(caught(|| Ok(())).is_ok());
    let error = caught(|| panic!("Couldn't write to xml file")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}
