//! Workbooks and CSV files from the test corpora of other projects, compared with the readings of
//! openpyxl and of Python's `csv`.
//!
//! The files are not part of this project. `fixtures/make/corpora.py` says how to collect them and
//! makes the readings. Then run
//! `CEKNIK_CORPORA=folder cargo test --test corpora -- --ignored --nocapture`. Differences are
//! printed. A difference without a reason in `KNOWN` fails the test.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ceknik::input::records::{RecordOptions, Records};
use ceknik::input::sheet::{SheetSpec, TypedCell};
use ceknik::input::{ReadOptions, Source};
use serde_json::Value;

/// Differences that have a reason: a part of the file's path, a part of the message, and the
/// reason.
const KNOWN: &[(&str, &str, &str)] = &[
    (
        "",
        "_x000",
        "openpyxl leaves escapes such as _x000D_ as they are written; a spreadsheet does not",
    ),
    ("issue.3720", "https://", HYPERLINK),
    ("test-issue-877", "mailto:", HYPERLINK),
    ("tdf111974", "more:", MERGED),
    ("HiddenMergeCellsTest", "more:", MERGED),
    ("issue.3654", "more:", MERGED),
    ("issue.3654", "44644.9461155324", EAST_ASIAN),
    ("TestIssue22", "44315", EAST_ASIAN),
];
const HYPERLINK: &str = "openpyxl gives an empty cell the address that it links to";
const MERGED: &str =
    "openpyxl drops what stands in cells that a merge covers; it is still in the file";
const EAST_ASIAN: &str =
    "the built-in formats 27 to 36 and 50 to 58 are days in East Asia; openpyxl does not know them";

fn folder() -> PathBuf {
    std::env::var_os("CEKNIK_CORPORA").map(PathBuf::from).unwrap()
}

/// A cell in the form in which it is compared.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Text(String),
    Number(f64),
    Truth(bool),
}

/// The cells of a sheet by row and column, counted from 1, and the numbers of its hidden rows that
/// have cells.
type Read = (BTreeMap<(u64, usize), Cell>, Vec<u64>);

fn read_sheet(path: &Path, sheet: &str) -> Result<Read, String> {
    let options =
        ReadOptions { sheet: Some(SheetSpec::Asked(sheet.to_owned())), ..ReadOptions::default() };
    let folder = std::env::temp_dir();
    let source = Source::file(path).map_err(|e| e.to_string())?;
    let source = source
        .workbook_to_text(options.sheet_options(), &folder)
        .map_err(|e| e.problem().to_string())?;
    let sheet = source.sheet().unwrap();
    let mut typed = sheet.typed_rows().unwrap().unwrap();
    let form = RecordOptions {
        label: "",
        delimiter: b',',
        skip: 0,
        skips_line: false,
        first: 0,
        buffer: 1 << 16,
    };
    let mut records = Records::new(source.open().unwrap(), form).unwrap();
    let (mut cells, mut hidden) = (BTreeMap::new(), Vec::new());
    while let Some(record) = records.next_record().map_err(|e| e.to_string())? {
        let row = record.place.row;
        for (column, cell) in record.fields.iter().enumerate() {
            if !cell.is_empty() {
                let text = String::from_utf8(cell.to_vec()).unwrap();
                cells.insert((row, column + 1), Cell::Text(text));
            }
        }
        for (column, cell) in typed.of_row(row - 1).unwrap() {
            let text = match cells.get(&(row, column + 1)) {
                Some(Cell::Text(text)) => text.clone(),
                other => panic!("a typed cell without a text: {other:?}"),
            };
            let cell = match cell {
                TypedCell::Number(number, _) if text.parse() == Ok(number) => Cell::Number(number),
                // A day is compared as text.
                TypedCell::Number(..) | TypedCell::Text(_) => continue,
                TypedCell::Truth(truth) => Cell::Truth(truth),
            };
            cells.insert((row, column + 1), cell);
        }
        hidden.extend(sheet.is_hidden(row).then_some(row));
    }
    Ok((cells, hidden))
}

/// Returns the cells of a sheet as openpyxl reads them, each with openpyxl's kind of the cell.
fn expected(sheet: &Value) -> BTreeMap<(u64, usize), (Cell, String)> {
    let cells = sheet["cells"].as_array().unwrap().iter();
    let cell = |cell: &Value| {
        let place = (cell[0].as_u64().unwrap(), cell[1].as_u64().unwrap() as usize);
        let text = || cell[3].as_str().unwrap().to_owned();
        let kind = cell[2].as_str().unwrap();
        let found = match kind {
            "n" => Cell::Number(text().parse().unwrap()),
            "b" => Cell::Truth(cell[3].as_bool().unwrap()),
            _ => Cell::Text(text()),
        };
        (place, (found, kind.to_owned()))
    };
    cells.map(cell).collect()
}

/// Returns `true` if two cells have the same value. Days are compared without the fraction of a
/// second, texts with LF as line end and without NUL.
fn same(ours: Option<&Cell>, theirs: &Cell, kind: &str) -> bool {
    match (ours, theirs) {
        (Some(Cell::Text(ours)), Cell::Text(theirs)) if kind == "d" => {
            plain_time(ours.trim_end_matches('Z')) == plain_time(theirs)
        }
        (Some(Cell::Text(ours)), Cell::Text(theirs)) => {
            let plain =
                |text: &str| text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "");
            plain(ours) == plain(theirs)
        }
        (Some(ours), theirs) => ours == theirs,
        (None, _) => false,
    }
}

/// Converts a day or time of Python to our form: `1 day, 2:31:45` becomes `26:31:45`.
fn plain_time(text: &str) -> String {
    let whole = text.replace('T', " ");
    let whole = whole.split('.').next().unwrap_or_default().trim_end_matches(" 00:00:00");
    let (days, clock) = match whole.split_once(" day") {
        Some((days, rest)) => (days.parse::<u64>().unwrap(), rest.rsplit(' ').next().unwrap()),
        None => (0, whole),
    };
    let mut parts = clock.splitn(3, ':');
    match (parts.next().and_then(|hours| hours.parse::<u64>().ok()), parts.next(), parts.next()) {
        (Some(hours), Some(minutes), Some(seconds)) => {
            format!("{:02}:{minutes}:{seconds}", days * 24 + hours)
        }
        _ => whole.to_owned(),
    }
}

/// Compares a workbook with openpyxl's reading. Returns the differences: at most one of each kind
/// for a sheet.
fn compare(book: &Value, path: &Path) -> Vec<String> {
    let mut said = Vec::new();
    for sheet in book["sheets"].as_array().unwrap() {
        let title = sheet["title"].as_str().unwrap();
        let theirs = expected(sheet);
        if theirs.is_empty() {
            continue;
        }
        let (ours, hidden) = match read_sheet(path, title) {
            Ok(read) => read,
            Err(error) => {
                said.push(format!("[{title}] refused: {error}"));
                continue;
            }
        };
        for (place, (cell, kind)) in &theirs {
            if !same(ours.get(place), cell, kind) {
                said.push(format!("[{title}] {place:?} {kind} {cell:?} is {:?}", ours.get(place)));
                break;
            }
        }
        let whole = sheet["truncated"].is_null();
        let more = ours.iter().find(|(place, _)| !theirs.contains_key(place));
        if let (true, Some((place, cell))) = (whole, more) {
            said.push(format!("[{title}] more: {place:?} {cell:?}"));
        }
        let told: Vec<u64> =
            sheet["hidden_rows"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
        if whole && hidden.iter().any(|row| !told.contains(row)) {
            said.push(format!("[{title}] hidden: {hidden:?}, not {told:?}"));
        }
        let missed =
            told.iter().find(|row| !hidden.contains(row) && ours.keys().any(|(r, _)| r == *row));
        if let Some(row) = missed {
            said.push(format!("[{title}] row {row} is hidden"));
        }
    }
    said
}

#[test]
#[ignore = "needs the corpora"]
fn workbooks_are_read_as_openpyxl_reads_them() {
    let root = folder();
    let (mut books, mut alike, mut unknown) = (0, 0, 0);
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let mut readings: Vec<_> =
        fs::read_dir(root.join("books.json.d")).unwrap().map(|e| e.unwrap().path()).collect();
    readings.sort();
    for reading in readings {
        let book: Value = serde_json::from_slice(&fs::read(&reading).unwrap()).unwrap();
        if book.get("error").is_some_and(|error| !error.is_null()) {
            continue;
        }
        books += 1;
        let path = book["path"].as_str().unwrap();
        let said = compare(&book, &root.join(path));
        alike += usize::from(said.is_empty());
        for said in said {
            let known = KNOWN.iter().find(|(p, s, _)| path.contains(p) && said.contains(s));
            match known {
                Some((_, _, why)) => *reasons.entry(why).or_default() += 1,
                None => {
                    println!("{path}: {}", said.chars().take(300).collect::<String>());
                    unknown += 1;
                }
            }
        }
    }
    println!("{books} workbooks, {alike} read alike; differences by reason: {reasons:#?}");
    assert_eq!(unknown, 0, "differences without a reason");
}

/// Returns the number of records that have a filled cell. Returns `None` if a quote is never closed
/// or the text contains a NUL byte.
fn filled_records(bytes: &[u8], delimiter: u8) -> Option<u64> {
    let skip = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let form =
        RecordOptions { label: "", delimiter, skip, skips_line: false, first: 0, buffer: 1 << 16 };
    let mut records = Records::new(bytes, form).ok()?;
    let mut filled = 0;
    while let Some(record) = records.next_record().ok()? {
        let texts = record.fields.iter().map(String::from_utf8_lossy);
        filled += u64::from(texts.into_iter().any(|text| !text.trim().is_empty()));
    }
    Some(filled)
}

#[test]
#[ignore = "needs the corpora"]
fn no_row_of_a_csv_is_missing() {
    let root = folder();
    let readings: BTreeMap<String, Value> =
        serde_json::from_slice(&fs::read(root.join("csv.json")).unwrap()).unwrap();
    let (mut files, mut alike, mut refused, mut missing) = (0, 0, 0, 0);
    for (path, reading) in readings.iter().filter(|(_, reading)| reading["decodes"] == true) {
        let bytes = fs::read(root.join(path)).unwrap();
        let best = reading["best"].as_str().unwrap_or(",");
        let theirs = reading["by_delimiter"][best]["filled"].as_u64().unwrap();
        files += 1;
        match filled_records(&bytes, best.as_bytes()[0]) {
            Some(ours) if ours == theirs => alike += 1,
            Some(ours) => {
                println!("{path}: {ours} records, not {theirs}");
                missing += 1;
            }
            // The reader never guesses: it refuses the file and reports the place.
            None => refused += 1,
        }
    }
    println!("{files} files, {alike} alike, {refused} refused for an open quote or a NUL byte");
    assert_eq!(missing, 0);
}
