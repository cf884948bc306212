//! The forms of the output: CSV for machines and for spreadsheets, compressed CSV, and workbook.
//! Each has the same rows. No cell becomes a formula, no digit is lost, and no other file remains.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::fs;
use std::io::Read;

use calamine::Data;
use support::book::{part, sheet, text_of_part};
use support::files::{limited, mode, names};
use support::table::{repeated, texts};
use support::{COLUMNS, Finished, Running, Workspace, many_people, nik};

/// Number of columns of the input. The columns that the program adds follow them.
const OWN: usize = 4;

/// Returns rows that a spreadsheet would change.
fn file() -> String {
    let formula = "\"=HYPERLINK(\"\"http://x\"\";\"\"y\"\")\"";
    let people = [
        (formula, "+62812", nik(1, 1001)),
        ("BUDI", "081234567890", nik(2, 1)),
        ("SITI", "\"a;b,\nc\"", nik(3, 12)),
        ("@TONO", "-", "327501410790".to_owned()),
        ("WATI", "x", nik(4, 13)),
    ];
    let mut text = "no,nik,nama,=telp\n".to_owned();
    for (n, (name, phone, nik)) in people.into_iter().enumerate() {
        text += &format!("{n},{nik},{name},{phone}\n");
    }
    text + &format!("5,{},LEBIH,1,surplus,=9\n6,{}\n", nik(5, 1), nik(6, 1))
}

/// Returns a place where the file has been run twice: its answers are recorded, so all further runs
/// cost nothing and give the same rows.
fn answered() -> Workspace {
    let place = Workspace::new();
    place.write("in.csv", file());
    run(&place, "first.csv", &[]).exits(3);
    run(&place, "out.csv", &[]).exits(3);
    place
}

fn run(place: &Workspace, output: &str, more: &[&str]) -> Finished {
    let arguments = ["run", "in.csv", "--sandbox", "--rate", "unlimited", "--backoff", "5ms"];
    let arguments = [&arguments[..], &["--reask-after", "30d", "-o", output], more].concat();
    place.ceknik(&arguments)
}

/// Returns the names of all files of the place, without the ledger's folder.
fn files(place: &Workspace) -> Vec<String> {
    let mut names = names(&place.path(""));
    names.retain(|name| name != "state");
    names
}

#[test]
fn a_csv_for_a_spreadsheet_holds_no_formula_and_keeps_its_digits() {
    let place = answered();
    run(&place, "excel.csv", &["--excel"]).exits(3);
    let text = place.read("excel.csv");
    let text = text.strip_prefix('\u{FEFF}').unwrap();
    let (plain, safe) = (texts(&place.read("out.csv"), b','), texts(text, b';'));
    assert_eq!(plain.len(), safe.len());
    // Each record ends with CRLF. The only other line end is inside a cell.
    assert!(text.ends_with("\r\n"));
    assert_eq!(text.matches("\r\n").count(), safe.len());
    assert_eq!(text.matches('\n').count(), safe.len() + 1);
    let mut changed = 0;
    for (plain, safe) in plain.iter().zip(&safe) {
        assert_eq!(plain.len(), safe.len());
        for (column, (plain, safe)) in plain.iter().zip(safe).enumerate() {
            let text = format!("=\"{plain}\"");
            let is_formula = plain.starts_with(['=', '+', '-', '@']);
            let is_number = plain.len() > 1 && plain.bytes().all(|b| b.is_ascii_digit());
            let expected = match (is_formula, is_number && (column == 1 || plain.starts_with('0')))
            {
                (true, _) => format!("'{plain}"),
                (false, true) => text,
                (false, false) => plain.clone(),
            };
            assert_eq!(*safe, expected);
            changed += usize::from(*safe != *plain);
        }
    }
    // One header, five texts like formulas, seven NIKs, one phone number and two result codes of
    // the vendor.
    assert_eq!(changed, 1 + 5 + 7 + 1 + 2);

    // Standard output gets the same bytes, also when the setting comes from `ceknik.toml`.
    place.settings("excel = true\n");
    let shown = run(&place, "-", &[]).exits(3).stdout;
    assert_eq!(shown, place.read("excel.csv"));
    // The output can be used as input: each NIK and name is still the same.
    fs::rename(place.path("excel.csv"), place.path("in.csv")).unwrap();
    run(&place, "again.csv", &[]);
    let back = texts(place.read("again.csv").trim_start_matches('\u{FEFF}'), b';');
    assert_eq!(back[2][OWN..=OWN + 1], safe[2][OWN..=OWN + 1]);
}

#[test]
fn a_packed_csv_holds_exactly_the_csv() {
    let place = answered();
    for (name, more, same_as) in
        [("out.csv.gz", &[][..], "out.csv"), ("Excel.TXT.GZ", &["--excel"], "excel.csv")]
    {
        run(&place, same_as, more).exits(3);
        run(&place, name, more).exits(3);
        let packed = fs::read(place.path(name)).unwrap();
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, place.read(same_as));
        run(&place, name, more).exits(3);
        assert_eq!(fs::read(place.path(name)).unwrap(), packed, "no time, no name");
    }
}

/// Returns the index of one of our columns in the results of a workbook.
fn column(rows: &[Vec<Data>], name: &str) -> usize {
    let is_it = |head: &Data| head.to_string().ends_with(&format!("({name})"));
    rows[0].iter().position(is_it).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn a_workbook_holds_the_same_rows() {
    let place = answered();
    let ended = run(&place, "Hasil.XLSX", &["--price", "1500", "-vv"]).exits(3);
    for secret in [nik(1, 1001), nik(2, 1), "BUDI".to_owned(), "SITI".to_owned()] {
        assert!(!ended.stderr.contains(&secret), "{}", ended.stderr);
    }
    let plain = texts(&place.read("out.csv"), b',');
    let rows = sheet(&place, "Hasil.XLSX", "Results");
    assert_eq!(rows.len(), plain.len());
    for (row, plain) in rows.iter().zip(&plain).skip(1) {
        for (cell, plain) in row.iter().zip(plain).take(OWN) {
            assert!(is_text(cell, plain), "{cell:?} {plain:?}");
        }
        for (at, name) in plain.iter().skip(OWN).zip(COLUMNS) {
            let cell = &row[column(&rows, name)];
            match name {
                // ShowLedger in words.
                "ck_outcome" | "ck_charged" | "ck_reason" | "ck_source" => {
                    assert!(matches!(cell, Data::String(_) | Data::Empty), "{cell:?}");
                }
                // Counts are numbers, so that a spreadsheet can add them.
                "ck_possible" | "ck_attempts" => {
                    assert_eq!(*cell, Data::Float(at.parse().unwrap()));
                }
                _ => assert!(is_text(cell, at), "{name}: {cell:?} {at:?}"),
            }
        }
    }
    let outcome = column(&rows, "ck_outcome");
    let outcomes: Vec<String> = rows.iter().map(|row| row[outcome].to_string()).collect();
    assert_eq!(
        outcomes[1..],
        ["Match", "Match", "In doubt", "Rejected", "Unknown answer", "Rejected", "Rejected"]
    );
    let summary: Vec<String> = sheet(&place, "Hasil.XLSX", "Summary")
        .iter()
        .map(|row| format!("{} | {} | {}", row[0], row[1], row[2]))
        .collect();
    for line in [
        "Match | 2 | 0.2857142857142857",
        "In doubt | 1 | 0.14285714285714285",
        "All rows | 7 | 1",
        "nik_length | 1 | ",
        "Vendor | sandbox | ",
        "You owe, at most | 0 | 0",
    ] {
        assert!(summary.contains(&line.to_owned()), "{line} in {summary:#?}");
    }
    let attention = sheet(&place, "Hasil.XLSX", "Needs attention");
    let records: Vec<String> = attention[1..].iter().map(|row| row[0].to_string()).collect();
    // Row numbers as a spreadsheet shows them for the input: a cell with a line end is in one row.
    assert_eq!(records, ["4", "5", "6", "7", "8"]);
    assert_eq!(mode(&place.path("Hasil.XLSX")), 0o600);

    // Another run of the same facts writes the same bytes for the rows. `--excel` has no effect on
    // a workbook.
    run(&place, "other.xlsx", &["--excel"]).exits(3);
    let results = "xl/worksheets/sheet2.xml";
    let footless = |book: &str| {
        let xml = text_of_part(&place, book, results);
        // The footer of each page has the number of the run, so the comparison ends before it.
        xml.split("<pageSetup").next().unwrap().to_owned()
    };
    assert_eq!(footless("other.xlsx"), footless("Hasil.XLSX"));
    let xml = text_of_part(&place, "other.xlsx", results);
    assert!(xml.contains("numberStoredAsText") && !xml.contains("<f>"));
    // The cell of a NIK has the format of text, so that digits stay digits when somebody edits it.
    let style = xml.split("<c r=\"B2\" s=\"").nth(1).unwrap().split('"').next().unwrap();
    let styles = text_of_part(&place, "other.xlsx", "xl/styles.xml");
    let cell_styles = styles.split("<cellXfs").nth(1).unwrap();
    let of_nik = cell_styles.split("<xf ").nth(1 + style.parse::<usize>().unwrap()).unwrap();
    assert!(of_nik.contains("numFmtId=\"49\""), "{of_nik}");
}

fn is_text(cell: &Data, plain: &str) -> bool {
    match cell {
        Data::String(text) => text == plain,
        Data::Empty => plain.is_empty(),
        _ => false,
    }
}

#[test]
fn a_workbook_names_the_columns_that_have_no_header() {
    let place = Workspace::new();
    let file = file();
    place.write("in.csv", file.split_once('\n').unwrap().1);
    let columns = ["--no-header", "--id-column", "2", "--name-column", "3"];
    run(&place, "out.xlsx", &columns).exits(3);
    let rows = sheet(&place, "out.xlsx", "Results");
    let heads: Vec<String> = rows[0].iter().take(OWN + 1).map(Data::to_string).collect();
    assert_eq!(heads, ["Column A", "Column B", "Column C", "Column D", "Result (ck_outcome)"]);
    assert_eq!(rows.len(), 1 + 7);
}

#[test]
fn a_tsv_is_parted_by_tabs_whatever_the_input_is() {
    let place = answered();
    run(&place, "out.tsv", &[]).exits(3);
    let (tabs, commas) = (place.read("out.tsv"), place.read("out.csv"));
    assert_eq!(texts(&tabs, b'\t'), texts(&commas, b','));
}

#[test]
fn a_run_that_stops_writes_a_partial_output_of_its_form() {
    for (output, partial) in [
        ("out.csv", "out.partial.csv"),
        ("out.csv.gz", "out.partial.csv.gz"),
        ("out.xlsx", "out.partial.xlsx"),
        ("out.TSV", "out.partial.TSV"),
    ] {
        let place = Workspace::new();
        place.write("in.csv", many_people(20));
        let summary = format!("{output}.summary.json");
        let stopped = ["--max-charges", "1", "--concurrency", "1"];
        run(&place, output, &stopped).exits(13);
        let mut expected = ["in.csv", partial, &summary];
        expected.sort_unstable();
        assert_eq!(files(&place), expected);
        // A second start of this run adds no facts and writes the same bytes. Only the first sheet
        // of a workbook changes: it shows the time.
        let rows = |name: &str| match name.ends_with(".xlsx") {
            true => part(&place, name, "xl/worksheets/sheet2.xml"),
            false => fs::read(place.path(name)).unwrap(),
        };
        let first = rows(partial);
        run(&place, output, &stopped).exits(13);
        assert!(rows(partial) == first, "{partial}");
        run(&place, output, &[]).exits(0);
        let mut expected = ["in.csv", output, &summary];
        expected.sort_unstable();
        assert_eq!(files(&place), expected);
    }
}

#[test]
fn what_cannot_be_written_is_told_before_the_first_call() {
    let place = Workspace::new();
    place.write("in.csv", file());
    for name in ["out.xls", "out.XLSM", "out.ods", "out.xlsx.gz", "out.pdf", "out.json", "out"] {
        let said = run(&place, name, &[]).exits(11).stderr;
        assert!(said.contains("cannot write .") || said.contains("has no ending"), "{said}");
        assert!(said.contains("\n  hint: End the name in .xlsx"), "{said}");
    }
    // The largest number of columns that a sheet can have, and one column more.
    for (columns, code) in [(16_384 - 12, 0), (16_384 - 11, 2)] {
        let names: Vec<String> = (2..columns).map(|n| format!("c{n}")).collect();
        let empty = ",".repeat(columns - 2);
        let row = format!("{},BUDI{empty}", nik(1, 1));
        place.write("in.csv", format!("nik,nama,{}\n{row}\n", names.join(",")));
        let ended = run(&place, "out.xlsx", &[]).exits(code);
        assert_eq!(place.path("out.xlsx").exists(), code == 0);
        assert_eq!(ended.stderr.contains("-o FILE.csv"), code == 2, "{}", ended.stderr);
        let _ = fs::remove_file(place.path("out.xlsx"));
    }
    run(&place, "out.csv", &[]).exits(0);
}

#[test]
fn a_disk_that_is_full_leaves_no_half_workbook() {
    let place = Workspace::new();
    place.write("in.csv", repeated(40, 20_000));
    let arguments = ["run", "in.csv", "--sandbox", "--rate", "unlimited", "-o", "out.xlsx"];
    // No file may grow beyond 2 MB. The ledger and the packed workbook stay below that size, but
    // the temporary file of the rows does not.
    let full = limited(&place, "4096", &arguments);
    let stderr = Running::start(full).end().exits(18).stderr;
    assert!(stderr.contains("the disk may be full") && !stderr.contains("panicked"), "{stderr}");
    assert_eq!(files(&place), ["in.csv", "out.xlsx.summary.json"]);
    // With enough room, the same command buys nothing twice. The temporary files are in the
    // output's folder and nowhere else.
    let mut again = place.command(&arguments);
    again.env("TMPDIR", place.path("nowhere"));
    Running::start(again).end().exits(0);
    assert_eq!(place.summary("out.xlsx")["start_calls"], 0);
    assert_eq!(sheet(&place, "out.xlsx", "Results").len(), 20_001);
}
