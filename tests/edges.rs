//! Corner cases of CSV: our reader splits each file of `fixtures/edges` as Python's `csv` module
//! does, except where `edges.json` gives a reason to differ.
//!
//! `fixtures/make/edges.py` makes the files and asks Python.

#![allow(clippy::unwrap_used, reason = "a test: what is not as expected is the test's answer")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ceknik::input::InputError;
use ceknik::input::records::{RecordOptions, Records};

/// The rows that Python reads from a file, and our result where we differ on purpose.
#[derive(serde::Deserialize)]
struct Edge {
    delimiter: char,
    rows: Vec<Vec<String>>,
    ours: Option<Ours>,
    reason: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Ours {
    Rows(Vec<Vec<String>>),
    Refused { error: String },
}

/// Reads all records, with a buffer of `buffer` bytes.
fn read(bytes: &[u8], delimiter: char, buffer: usize) -> Result<Vec<Vec<String>>, InputError> {
    let skip = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let delimiter = u8::try_from(delimiter).unwrap();
    let options =
        RecordOptions { label: "edge", delimiter, skip, skips_line: false, first: 0, buffer };
    let mut records = Records::new(bytes, options)?;
    let mut rows = Vec::new();
    while let Some(record) = records.next_record()? {
        let cells = record.fields.iter().map(|cell| String::from_utf8(cell.to_vec()).unwrap());
        rows.push(cells.collect());
    }
    Ok(rows)
}

#[test]
fn every_edge_is_read_as_python_reads_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/edges");
    let text = fs::read_to_string(folder.join("edges.json")).unwrap();
    let edges: BTreeMap<String, Edge> = serde_json::from_str(&text).unwrap();
    let files = fs::read_dir(&folder).unwrap().count();
    assert_eq!(edges.len() + 1, files, "each file has its expectation, each expectation its file");
    for (name, edge) in edges {
        let bytes = fs::read(folder.join(format!("{name}.csv"))).unwrap();
        assert_eq!(edge.ours.is_some(), edge.reason.is_some(), "{name}");
        for buffer in [1, 7, 256 * 1024] {
            let found = read(&bytes, edge.delimiter, buffer);
            match &edge.ours {
                None => assert_eq!(found.unwrap(), edge.rows, "{name} by {buffer}"),
                Some(Ours::Rows(rows)) => {
                    assert_ne!(*rows, edge.rows, "{name}: no difference");
                    assert_eq!(found.unwrap(), *rows, "{name} by {buffer}");
                }
                Some(Ours::Refused { error }) => {
                    let said = found.unwrap_err().to_string();
                    assert!(said.contains(error), "{name} by {buffer}: {said}");
                }
            }
        }
    }
}
