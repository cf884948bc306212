//! Tests that write a workbook and read it back with another library.

use std::borrow::Cow;

use calamine::{Data, Reader, Xlsx, open_workbook_from_rs};

use super::cells::{CUT, LONGEST_CELL, cut_to_cell};
use super::*;
use crate::input::sheet::TypedCell;
use crate::input::{ReadOptions, Source, inspect};
use crate::model::money::{Currency, Possible, Tally};
use crate::model::outcome::{Outcome, OutcomeCounts};
use crate::model::row::{Rejection, RejectionCounts};
use crate::model::spending::Spending;

type Read = Xlsx<io::Cursor<Vec<u8>>>;

const HEADER: &str = "no,nik,nama\n1,3275014107900001,BUDI\n2,3275014107900002,SITI\n";

fn totals() -> RowTotals {
    let outcomes = OutcomeCounts::default();
    let shown = outcomes.total();
    RowTotals { outcomes, from_sandbox: true, duplicates: 0, known: 0, shown }
}

fn rejected() -> RowResult<'static> {
    RowResult::rejected(Rejection::NikLength)
}

/// Writes rows, and reads the workbook back. Also checks that no temporary file is left.
fn written_with(
    file: &str,
    limits: Limits,
    formats: &[NumberFormat],
    rows: Vec<(Cells, RowResult<'_>)>,
    report: &RunReport,
    totals: &RowTotals,
) -> Read {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::spool(file.as_bytes(), folder.path()).unwrap();
    let layout = inspect(&source, &ReadOptions::default()).unwrap();
    let options = BookOptions {
        layout: &layout,
        formats,
        input: "a & b",
        run: 1,
        price: report.spending.price.as_ref(),
    };
    let mut book = Workbook::new(Vec::new(), options, folder.path(), limits).unwrap();
    for (cells, result) in rows {
        book.row(&cells, &result).unwrap();
    }
    let bytes = book.finish(report, totals).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    open_workbook_from_rs(io::Cursor::new(bytes)).unwrap()
}

fn written(file: &str, limits: Limits, rows: &[&[&str]]) -> Read {
    let rows = rows.iter().map(|row| (Cells::made(row), rejected())).collect();
    written_with(file, limits, &[], rows, &RunReport::blank(), &totals())
}

fn cell(book: &mut Read, sheet: &str, at: (u32, u32)) -> Data {
    book.worksheet_range(sheet).unwrap().get_value(at).cloned().unwrap_or_default()
}

fn text(book: &mut Read, sheet: &str, at: (u32, u32)) -> Option<String> {
    match cell(book, sheet, at) {
        Data::String(text) => Some(text),
        Data::Empty => None,
        other => panic!("not a text: {other:?}"),
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
        (Limits { bytes, ..Limits::default() }, 8, &[6, 4]),
    ] {
        let mut book = written(HEADER, limits, &vec![row; count]);
        let mut names = book.sheet_names();
        assert_eq!(names.remove(0), "Summary");
        assert_eq!(names.pop().as_deref(), Some("Needs attention"));
        let heights: Vec<usize> =
            names.iter().map(|name| book.worksheet_range(name).unwrap().height()).collect();
        assert_eq!(heights, expected, "{limits:?} {count}");
        for (n, name) in names.iter().enumerate() {
            let expected = if n == 0 { "Results".into() } else { format!("Results {}", n + 1) };
            assert_eq!(*name, expected);
            assert_eq!(text(&mut book, name, (0, 1)).as_deref(), Some("nik"));
        }
        // The rows without a verdict share one sheet, as far as they fit.
        let attention = book.worksheet_range("Needs attention").unwrap().height();
        let fit = count.min(limits.rows as usize - 2);
        let more = usize::from(count > fit || count == 0);
        assert_eq!(attention, 1 + fit + more, "{limits:?} {count}");
    }
}

#[test]
fn texts_are_texts_whatever_they_hold() {
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
    let cut = cut_to_cell(&endless);
    assert!(cut.ends_with(CUT) && cut.encode_utf16().count() <= LONGEST_CELL);
    let mut book = written(HEADER, Limits::default(), &[&["1", "2", &endless]]);
    assert_eq!(text(&mut book, "Results", (1, 2)).as_deref(), Some(&*cut));
}

#[test]
fn cells_keep_their_types_but_the_nik() {
    let formats = [
        NumberFormat::General,
        NumberFormat::BuiltIn(14),
        NumberFormat::Code("\"Rp\"#,##0".to_owned()),
    ];
    let nik = 3_275_014_107_900_001.0;
    let cells = Cells::made(&["1500", "3275014107900001", "2021-01-01", "TRUE"]).with(vec![
        (0, TypedCell::Number(1500.0, 2)),
        (1, TypedCell::Number(nik, 0)),
        (2, TypedCell::Number(44_197.0, 1)),
        (3, TypedCell::Truth(true)),
    ]);
    // A format that does not exist becomes the general format.
    let odd = Cells::made(&["7", "x", "y"]).with(vec![(0, TypedCell::Number(7.0, 99))]);
    let header = "plafon,nik,nama,aktif\n1,3275014107900001,BUDI,x\n";
    let rows = vec![(cells, rejected()), (odd, rejected())];
    let mut book =
        written_with(header, Limits::default(), &formats, rows, &RunReport::blank(), &totals());
    assert_eq!(cell(&mut book, "Results", (1, 0)), Data::Float(1500.0));
    assert_eq!(text(&mut book, "Results", (1, 1)).as_deref(), Some("3275014107900001"));
    match cell(&mut book, "Results", (1, 2)) {
        Data::DateTime(day) => assert_eq!(day.as_f64(), 44_197.0),
        other => panic!("{other:?}"),
    }
    assert_eq!(cell(&mut book, "Results", (1, 3)), Data::Bool(true));
    assert_eq!(cell(&mut book, "Results", (2, 0)), Data::Float(7.0));
}

#[test]
fn our_columns_stand_behind_the_inputs_and_replace_older_ones() {
    let columns = 17;
    let limits = Limits { columns, ..Limits::default() };
    let file = "nik,nama,Result (ck_outcome)\n3275014107900001,BUDI,match\n";
    let rows: [&[&str]; 3] =
        [&["1"], &["1", "2", "old", "+1", "="], &["1", "2", "old", "a", "", "b", "c", "d"]];
    let mut book = written(file, limits, &rows);
    let mut at = |row, column| text(&mut book, "Results", (row, column)).unwrap_or_default();
    assert_eq!((at(0, 2), at(0, 3)), ("Result (ck_outcome)".into(), "Charged (ck_charged)".into()));
    assert_eq!(at(0, 13), "Times sent (ck_attempts)");
    for row in 1..4 {
        assert_eq!((at(row, 2).as_str(), at(row, 3).as_str()), ("Rejected", "No"));
        let why = Rejection::NikLength;
        assert_eq!(at(row, 4), format!("{} ({})", why.explain(), why.code()));
    }
    assert_eq!((at(1, 0), at(1, 1), at(1, 14)), ("1".into(), String::new(), String::new()));
    assert_eq!((at(2, 14), at(2, 15)), ("+1".into(), "=".into()));
    assert_eq!((at(3, 14), at(3, 15), at(3, 16)), ("a".into(), String::new(), "b | c | d".into()));
}

#[test]
fn only_rows_without_a_result_need_attention() {
    let result = |outcome| RowResult { outcome, reason: Cow::Borrowed(""), ..rejected() };
    let row = |nik: &str, row: u64| Cells::made(&["1", nik, "BUDI"]).at(row);
    let lost = Cow::Borrowed("lost_timeout");
    let rows = vec![
        (row("3275014107900001", 2), result(Outcome::Match)),
        (row("3275014107900002", 3), rejected()),
        (row("3275014107900003", 4), result(Outcome::Failed)),
        (row("3275014107900004", 5), RowResult { reason: lost, ..result(Outcome::InDoubt) }),
    ];
    let mut book =
        written_with(HEADER, Limits::default(), &[], rows, &RunReport::blank(), &totals());
    assert_eq!(cell(&mut book, "Needs attention", (1, 0)), Data::Float(3.0));
    assert_eq!(cell(&mut book, "Needs attention", (2, 0)), Data::Float(5.0));
    let mut at = |column| text(&mut book, "Needs attention", (2, column)).unwrap();
    assert_eq!([at(1), at(2), at(3)], ["3275014107900004", "BUDI", "In doubt"]);
    assert_eq!(at(4), "no answer came in time (lost_timeout)");
    assert!(at(5).starts_with("The call may have been charged."), "{}", at(5));
    assert_eq!(book.worksheet_range("Needs attention").unwrap().height(), 3);
}

#[test]
fn the_summary_holds_numbers() {
    let mut outcomes = OutcomeCounts::default();
    [Outcome::Match, Outcome::Match, Outcome::Match, Outcome::Rejected]
        .into_iter()
        .for_each(|outcome| outcomes.add(outcome));
    let price = Price { per_call: 1500, currency: Currency::parse("IDR").unwrap() };
    let possible = Possible { in_doubt: 2, ..Possible::default() };
    let tally = Tally { calls: 5, confirmed: 3, possible, ..Tally::default() };
    let mut rejected = RejectionCounts::default();
    rejected.add(Rejection::NikEmpty);
    let spending = Spending { tally, price: Some(price) };
    let report = RunReport { rejected, spending, ..RunReport::blank() };
    let shown = outcomes.total();
    let totals = RowTotals { outcomes, duplicates: 7, known: 8, shown, ..totals() };
    let mut book = written_with(HEADER, Limits::default(), &[], Vec::new(), &report, &totals);
    let range = book.worksheet_range("Summary").unwrap();
    let line = |label: &str| {
        let row = range.rows().find(|row| row[0] == Data::String(label.to_owned()));
        row.unwrap_or_else(|| panic!("{label}")).to_vec()
    };
    for (label, number, beside) in [
        ("Match", 3.0, Data::Float(0.75)),
        ("Rejected", 1.0, Data::Float(0.25)),
        ("All rows", 4.0, Data::Float(1.0)),
        ("nik_empty", 1.0, Data::Empty),
        ("Duplicates", 7.0, Data::Empty),
        ("Known already", 8.0, Data::Empty),
        ("Calls made", 5.0, Data::Empty),
        ("Charged", 3.0, Data::Float(4500.0)),
        ("Possibly charged", 2.0, Data::Float(3000.0)),
        ("You owe, at least", 3.0, Data::Float(4500.0)),
        ("You owe, at most", 5.0, Data::Float(7500.0)),
    ] {
        let found = line(label);
        assert_eq!((&found[1], &found[2]), (&Data::Float(number), &beside), "{label}");
    }
    assert_eq!(line("Price of a charged call")[2], Data::Float(1500.0));
    assert_eq!(line("Input")[1], Data::String("nasabah.xlsx".to_owned()));
    let alarm = "SANDBOX: a test vendor answered. Nothing is verified, and nothing was paid.";
    assert!(range.rows().any(|row| row[0] == Data::String(alarm.to_owned())));
    let todo = "1 row is rejected by ceknik's own checks. Correct the file (sheet Needs attention), and run it again.";
    assert!(range.rows().any(|row| row[0] == Data::String(todo.to_owned())));
}

#[test]
fn every_column_of_ours_has_a_heading() {
    use crate::model::column::Column;
    let mut book = written(HEADER, Limits::default(), &[]);
    let range = book.worksheet_range("Results").unwrap();
    let heads = range.rows().next().unwrap()[3..].iter().map(ToString::to_string);
    let mut known: Vec<_> = heads.map(|head| Column::of_header(&head).unwrap()).collect();
    known.sort_by_key(|column| *column as usize);
    assert_eq!(known, Column::ALL);
}

#[test]
fn a_library_that_gives_up_is_an_error() {
    assert!(catch_library_panic(|| Ok(())).is_ok());
    let error = catch_library_panic(|| panic!("Couldn't write to xml file")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn ampersands_in_the_footer_are_escaped() {
    assert_eq!(footer("A&B.xlsx", 3), "&L&8A&&B.xlsx, run 3&R&8Page &P of &N");
    assert!(footer(&"x".repeat(500), 3).len() < 255);
}
