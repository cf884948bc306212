//! The first file of an analyst: a workbook as people write them goes in, and one command returns a
//! workbook that people can work with.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::fs;

use calamine::Data;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet, XlsxError};
use serde_json::Value;
use support::book::{sheet, text_of_part};
use support::money::Charges;
use support::{Finished, Workspace, name, nik};

fn sandbox(place: &Workspace, command: &str, file: &str, more: &[&str]) -> Finished {
    place.ceknik(&[&[command, file, "--sandbox", "--price", "1500"][..], more].concat())
}

/// Writes a report of twenty customers. It has titles above the headers, unusual headers, hidden
/// rows (every fourth, as a filter hides them) and a total below.
fn report(place: &Workspace, file: &str) {
    let mut book = Workbook::new();
    let notes = book.add_worksheet().set_name("Catatan").unwrap();
    notes.write(0, 0, "per 31 Oktober").unwrap();
    let sheet = book.add_worksheet().set_name("Data Nasabah").unwrap();
    for (row, title) in (0..).zip(["PT Maju Jaya", "Laporan Data Nasabah Baru", "Oktober 2026"]) {
        sheet.write(row, 0, title).unwrap();
    }
    let heads = [
        "No.",
        "Nama Lengkap Nasabah (sesuai KTP)",
        "NO. KTP / NIK",
        "Nama Cabang",
        "Tgl Lahir",
        "Plafon",
    ];
    sheet.write_row(4, 0, heads).unwrap();
    let day = Format::new().set_num_format("dd/mm/yyyy");
    let money = Format::new().set_num_format("\"Rp\"#,##0");
    for n in 1..=20 {
        let row = 4 + n;
        sheet.write(row, 0, n).unwrap();
        sheet.write(row, 1, name(n)).unwrap();
        sheet.write(row, 2, nik(n, if n % 5 == 0 { 2 } else { 1 })).unwrap();
        sheet.write(row, 3, ["KC Medan", "KC Solo"][n as usize % 2]).unwrap();
        let birthday = ExcelDateTime::from_ymd(1990, 1, n as u8).unwrap();
        sheet.write_with_format(row, 4, birthday, &day).unwrap();
        sheet.write_with_format(row, 5, f64::from(n) * 1_000_000.0, &money).unwrap();
        if n % 4 == 0 {
            sheet.set_row_hidden(row).unwrap();
        }
    }
    sheet.autofilter(4, 0, 24, 5).unwrap();
    sheet.write(25, 0, "TOTAL").unwrap();
    sheet.write_formula(25, 5, Formula::new("=SUM(F6:F25)").set_result("210000000")).unwrap();
    fs::write(place.path(file), book.save_to_buffer().unwrap()).unwrap();
}

#[test]
fn one_command_without_a_flag() {
    let place = Workspace::new();
    report(&place, "nasabah.xlsx");
    let ended = sandbox(&place, "run", "nasabah.xlsx", &[]).exits(0);
    for said in [
        "column C: header \"NO. KTP / NIK\"",
        "column B: header \"Nama Lengkap Nasabah (sesuai KTP)\"",
        "3 title rows above the header, 1 blank row, 1 TOTAL row",
        "warning: 5 of 20 rows are hidden in the workbook, by a filter or by hand, and would be sent too",
        "other sheets of the workbook are not read: \"Catatan\"",
        "output     nasabah.sandbox.xlsx",
    ] {
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
    let rows = sheet(&place, "nasabah.sandbox.xlsx", "Results");
    assert_eq!(rows.len(), 21);
    assert_eq!(rows[0][6].to_string(), "Result (ck_outcome)");
    for (n, row) in (1..).zip(&rows[1..]) {
        let verdict = if n % 5 == 0 { "Mismatch" } else { "Match" };
        assert_eq!(
            (row[0].clone(), row[6].to_string()),
            (Data::Float(f64::from(n)), verdict.into())
        );
        assert_eq!(row[2], Data::String(nik(n, if n % 5 == 0 { 2 } else { 1 })));
        assert_eq!(row[5], Data::Float(f64::from(n) * 1_000_000.0));
        assert!(matches!(row[4], Data::DateTime(_)), "{:?}", row[4]);
    }

    // Hidden rows can be left out of the run: they stay in the output and cost nothing.
    let plan =
        sandbox(&place, "plan", "nasabah.xlsx", &["--visible-rows", "--reuse", "0"]).exits(0);
    assert!(plan.stdout.contains("to send              15\n"), "{}", plan.stdout);
    assert!(plan.stdout.contains("row_hidden                     5\n"), "{}", plan.stdout);
    let visible = ["--visible-rows", "--reuse", "0", "-o", "visible.xlsx"];
    sandbox(&place, "run", "nasabah.xlsx", &visible).exits(3);
    assert_eq!(place.summary("visible.xlsx")["start_calls"], 15);
    let rows = sheet(&place, "visible.xlsx", "Results");
    let reason = &rows[4][8];
    assert_eq!(rows[4][6].to_string(), "Rejected");
    assert!(reason.to_string().contains("hidden in the workbook"), "{reason}");
}

#[test]
fn our_results_can_be_fed_back() {
    let place = Workspace::new();
    report(&place, "nasabah.xlsx");
    sandbox(&place, "run", "nasabah.xlsx", &["-o", "hasil.xlsx"]).exits(0);
    let before = sheet(&place, "hasil.xlsx", "Results");
    let ended = sandbox(&place, "run", "hasil.xlsx", &["-o", "lagi.xlsx"]).exits(0);
    assert!(!ended.stderr.contains("other sheets"), "{}", ended.stderr);
    let after = sheet(&place, "lagi.xlsx", "Results");
    assert_eq!(after[0], before[0], "the columns are replaced");
    for (after, before) in after.iter().zip(&before).skip(1) {
        assert_eq!(after[..7], before[..7]);
        assert_eq!((after[7].to_string(), before[7].to_string()), ("No".into(), "Yes".into()));
    }
    assert_eq!(place.summary("lagi.xlsx")["start_calls"], 0);
}

/// A kind of cell: its name, the function that writes the cell, and the cell that is expected in
/// the output.
type Kind = (&'static str, fn(&mut Worksheet) -> Result<&mut Worksheet, XlsxError>, &'static str);

fn shown(format: &str) -> Format {
    Format::new().set_num_format(format)
}

const KINDS: &[Kind] = &[
    ("whole number", |s| s.write(1, 2, 42), "Float(42.0)"),
    ("fraction", |s| s.write(1, 2, 0.1), "Float(0.1)"),
    ("negative", |s| s.write(1, 2, -7.25), "Float(-7.25)"),
    ("large", |s| s.write(1, 2, 1.5e15), "Float(1500000000000000.0)"),
    ("small", |s| s.write(1, 2, 1e-7), "Float(1e-7)"),
    ("percent", |s| s.write_with_format(1, 2, 0.125, &shown("0.0%")), "Float(0.125)"),
    ("rupiah", |s| s.write_with_format(1, 2, 1500, &shown("\"Rp\"#,##0")), "Float(1500.0)"),
    ("thousands", |s| s.write_with_format(1, 2, 12345.5, &shown("#,##0.00")), "Float(12345.5)"),
    ("scientific", |s| s.write_with_format(1, 2, 12345, &shown("0.00E+00")), "Float(12345.0)"),
    ("day", |s| s.write_with_format(1, 2, 44197, &shown("dd/mm/yyyy")), "day 44197"),
    (
        "built-in day",
        |s| s.write_with_format(1, 2, 44197, &Format::new().set_num_format_index(14)),
        "day 44197",
    ),
    (
        "day and time",
        |s| s.write_with_format(1, 2, 44197.75, &shown("yyyy-mm-dd hh:mm")),
        "day 44197.75",
    ),
    ("time", |s| s.write_with_format(1, 2, 0.5, &shown("hh:mm")), "day 0.5"),
    ("span", |s| s.write_with_format(1, 2, 1.5, &shown("[h]:mm:ss")), "day 1.5"),
    ("true", |s| s.write(1, 2, true), "Bool(true)"),
    ("false", |s| s.write(1, 2, false), "Bool(false)"),
    ("text", |s| s.write(1, 2, "Jl. Melati No. 3"), "String(\"Jl. Melati No. 3\")"),
    (
        "digits as text",
        |s| s.write_with_format(1, 2, "081234567890", &shown("@")),
        "String(\"081234567890\")",
    ),
    ("like a formula", |s| s.write_string(1, 2, "=1+1"), "String(\"=1+1\")"),
    ("formula", |s| s.write_formula(1, 2, Formula::new("=1+1").set_result("2")), "Float(2.0)"),
    (
        "formula of a text",
        |s| s.write_formula(1, 2, Formula::new("=A2").set_result("abc")),
        "String(\"abc\")",
    ),
    (
        "error",
        |s| s.write_formula(1, 2, Formula::new("=NA()").set_result("#N/A")),
        "String(\"#N/A\")",
    ),
    ("empty", |s| s.write_blank(1, 2, &shown("0.00")), "Empty"),
    ("line ends", |s| s.write(1, 2, "satu\ndua"), "String(\"satu\\ndua\")"),
];

#[test]
fn cells_keep_their_types_and_formats() {
    for (kind, write, expected) in KINDS {
        let place = Workspace::new();
        let mut book = Workbook::new();
        let sheet_in = book.add_worksheet();
        sheet_in.write_row(0, 0, ["NIK", "Nama", "Isi"]).unwrap();
        sheet_in.write_row(1, 0, [nik(1, 1), name(1)]).unwrap();
        write(sheet_in).unwrap();
        fs::write(place.path("in.xlsx"), book.save_to_buffer().unwrap()).unwrap();
        sandbox(&place, "run", "in.xlsx", &[]).exits(0);
        let rows = sheet(&place, "in.sandbox.xlsx", "Results");
        let found = match &rows[1][2] {
            Data::DateTime(day) => format!("day {}", day.as_f64()),
            other => format!("{other:?}"),
        };
        assert_eq!(found, *expected, "{kind}");
        assert_eq!(rows[1][0], Data::String(nik(1, 1)), "{kind}: a NIK is a text");
        let format = |file: &str, cell: &str| format_of(&place, file, cell);
        let (before, after) = (format("in.xlsx", "C2"), format("in.sandbox.xlsx", "C2"));
        if *expected != "Empty" {
            assert_eq!(after, before, "{kind}");
        }
    }
}

/// Returns the number format of a cell, read from the XML parts of the workbook.
fn format_of(place: &Workspace, file: &str, cell: &str) -> String {
    let results = if file.contains("sandbox") { "sheet2" } else { "sheet1" };
    let sheet = text_of_part(place, file, &format!("xl/worksheets/{results}.xml"));
    let styles = text_of_part(place, file, "xl/styles.xml");
    let tag =
        sheet.split(&format!("<c r=\"{cell}\"")).nth(1).and_then(|rest| rest.split('>').next());
    let style =
        tag.and_then(|tag| tag.split("s=\"").nth(1)).and_then(|rest| rest.split('"').next());
    let style: usize = style.map_or(0, |style| style.parse().unwrap());
    let formats = styles.split("<cellXfs").nth(1).unwrap();
    let format = formats.split("<xf ").nth(1 + style).unwrap();
    let id = format.split("numFmtId=\"").nth(1).unwrap().split('"').next().unwrap();
    let code = styles.split(&format!("numFmtId=\"{id}\" formatCode=\"")).nth(1);
    code.map_or_else(|| id.to_owned(), |rest| rest.split('"').next().unwrap().to_owned())
}

/// Returns the arguments of the command that an error message proposes.
fn proposed(ended: &Finished) -> Vec<String> {
    let line = ended.stderr.lines().find(|line| line.trim_start().starts_with("ceknik ")).unwrap();
    line.split_whitespace().skip(1).map(|word| word.trim_matches('\'').to_owned()).collect()
}

#[test]
fn where_a_person_must_choose_the_command_is_ready() {
    let person = |n: u32| format!("{},{},{},KOTA {n}", nik(n, 1), name(n), name(n + 50));
    let rows: String = (1..=9).map(|n| person(n) + "\n").collect();
    for (header, says) in [
        // Two columns can be the name.
        (
            "NIK,Debitur,Kawan,Kota\n",
            ["each of the columns B, C could be the", "B   \"Debitur\"", "names: 9 of 9"],
        ),
        (
            "NIK,Nama Debitur,Nama Pemohon,Kota\n",
            ["columns B, C could be", "\"Nama Pemohon\"", "--name-column B"],
        ),
        // There is no header.
        ("", ["looks like data, not like headers", "--no-header", "--id-column A"]),
    ] {
        let place = Workspace::new();
        place.write("in.csv", format!("{header}{rows}"));
        let ended = sandbox(&place, "plan", "in.csv", &[]).exits(10);
        for said in says {
            assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
        }
        assert!(!ended.stderr.contains(&name(1)), "{}", ended.stderr);
        let mut command = proposed(&ended);
        if let Some(place) = command.iter_mut().find(|word| *word == "LETTER") {
            *place = "B".to_owned();
        }
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let ended = place.ceknik(&command).exits(0);
        assert!(ended.stdout.contains("to send               9\n"), "{}", ended.stdout);
    }
}

#[test]
fn a_customers_row_is_no_header_and_is_not_shown() {
    let place = Workspace::new();
    for first in ["", "belum ada", "menyusul"] {
        let rows: String = (2..=9).map(|n| format!("{},{}\n", name(n), nik(n, 1))).collect();
        place.write("in.csv", format!("{},{first}\n{rows}", name(1)));
        let ended = sandbox(&place, "plan", "in.csv", &[]).exits(10);
        assert!(!ended.stderr.contains(&name(1)), "{}", ended.stderr);
    }
}

#[test]
fn columns_are_named_by_letter_number_header_or_part_of_it() {
    let place = Workspace::new();
    let text =
        format!("Laporan nasabah;;\n;;\nNo;No. Induk YBS;Orang\n1;{};{}\n", nik(1, 1), name(1));
    place.write("in.csv", text);
    for (id, name) in
        [("B", "C"), ("2", "orang"), ("induk", "3"), ("No. Induk YBS", "c"), ("b", "ORA")]
    {
        let flags = ["--id-column", id, "--name-column", name];
        let ended = sandbox(&place, "plan", "in.csv", &flags).exits(0);
        assert!(ended.stdout.contains("2 title rows above the header"), "{}", ended.stdout);
        assert!(
            ended.stdout.contains("rows                  1\n"),
            "{id} {name}: {}",
            ended.stdout
        );
    }
}

#[test]
fn workbook_last_words_and_status_show_the_same_figures() {
    let place = Workspace::new();
    let people: String = (1..=60)
        .map(|n| {
            format!("{n},{},{}\n", nik(n, [1, 1, 1, 1, 2, 3, 4, 12, 13][n as usize % 9]), name(n))
        })
        .collect();
    place
        .write("in.csv", format!("no,nik,nama\n{people}61,,TANPA\n62,{},{}\n", nik(1, 2), name(1)));
    let ended = sandbox(&place, "run", "in.csv", &["-o", "out.xlsx", "--backoff", "5ms"]).exits(3);
    let summary: Value = place.summary("out.xlsx");
    let figures = sheet(&place, "out.xlsx", "Summary");
    let line = |label: &str| {
        let row = figures.iter().find(|row| row[0] == Data::String(label.to_owned()));
        row.unwrap_or_else(|| panic!("no {label}")).clone()
    };
    let number = |cell: &Data| match cell {
        Data::Float(number) => *number as u64,
        other => panic!("{other:?}"),
    };
    let spending = &summary["spending"];
    let figure = |value: &Value| value.as_u64().unwrap();
    let owed = [figure(&spending["owed_at_least"]), figure(&spending["owed_at_most"])];
    for (label, calls, money) in [
        ("You owe, at least", owed[0], &spending["money"]["at_least"]),
        ("You owe, at most", owed[1], &spending["money"]["at_most"]),
    ] {
        let row = line(label);
        assert_eq!((number(&row[1]), number(&row[2])), (calls, figure(money)), "{label}");
    }
    let ended = ended.says(&format!("you owe between {} and {} calls", owed[0], owed[1]));
    assert_eq!(number(&line("Calls made")[1]), figure(&spending["calls"]));
    for (outcome, label) in [
        ("match", "Match"),
        ("mismatch", "Mismatch"),
        ("in_doubt", "In doubt"),
        ("rejected", "Rejected"),
    ] {
        let rows = figure(&summary["outcomes"][outcome]);
        assert_eq!(number(&line(label)[1]), rows, "{label}");
        let said = format!("    {outcome:<12} {rows:>12} ");
        assert!(ended.stderr.contains(&said), "{said}: {}", ended.stderr);
    }
    assert_eq!(number(&line("Duplicates")[1]), figure(&summary["funnel"]["duplicates"]));
    // The ledger's `status` has the same figures for the run.
    let status = place.status(&["--sandbox"]);
    let run = &status["runs"][0];
    for figure in ["calls", "confirmed", "possible"] {
        assert_eq!(run["tally"][figure], spending[figure], "{status:#}");
    }
    assert_eq!(number(&line("Possibly charged")[1]), Charges::of_tally(spending).possible);
}
