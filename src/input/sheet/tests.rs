//! Tests with workbooks that are made here: usual ones by a library that writes workbooks, hostile
//! and odd ones part by part.

use std::io::{Cursor, Read};

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use zip::write::SimpleFileOptions;

use super::*;
use crate::error::hints;
use crate::input::ReadOptions;
use crate::input::error::InputError;
use crate::input::source::Source;

fn converted(file: &[u8], options: &ReadOptions) -> Result<Source, InputError> {
    let folder = std::env::temp_dir();
    Source::spool(file, &folder)?.workbook_to_text(options.sheet_options(), &folder)
}

fn text_of(source: &Source) -> String {
    let mut text = String::new();
    source.open().unwrap().read_to_string(&mut text).unwrap();
    text
}

fn refused(file: &[u8]) -> String {
    converted(file, &ReadOptions::default()).map(|source| text_of(&source)).unwrap_err().to_string()
}

fn asking(sheet: &str) -> ReadOptions {
    ReadOptions { sheet: Some(SheetSpec::Asked(sheet.to_owned())), ..ReadOptions::default() }
}

#[test]
fn a_sheet_becomes_text() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write_row(1, 1, ["NIK", "Nama", "Saldo", "Lahir", "Aktif"]).unwrap();
    sheet.write_row(2, 1, ["3275014101900001", "BUDI, S.E."]).unwrap();
    sheet.write_number(2, 3, 1_500_000.5).unwrap();
    let date = Format::new().set_num_format("yyyy-mm-dd");
    let birthday = ExcelDateTime::from_ymd(1990, 1, 31).unwrap();
    sheet.write_datetime_with_format(2, 4, birthday, &date).unwrap();
    sheet.write_boolean(2, 5, true).unwrap();
    sheet.write_number(5, 1, 3_275_014_101_900_010f64).unwrap();
    sheet.write_string(5, 2, "a \"b\"\nc").unwrap();
    sheet.write_formula(5, 3, "=1+1").unwrap();
    let source = converted(&workbook.save_to_buffer().unwrap(), &ReadOptions::default()).unwrap();
    assert_eq!(
        text_of(&source),
        "\n,NIK,Nama,Saldo,Lahir,Aktif\n\
         ,3275014101900001,\"BUDI, S.E.\",1500000.5,1990-01-31,TRUE\n\
         \n\n,3275014101900010,\"a \"\"b\"\"\nc\",0\n"
    );
    let sheet = source.sheet().unwrap();
    let numbers = |row| (0..8).filter(|column| sheet.is_number(row, *column)).collect::<Vec<_>>();
    assert_eq!([numbers(1), numbers(2), numbers(3)], [vec![], vec![], vec![3]]);
    assert_eq!([numbers(4), numbers(6), numbers(7)], [vec![], vec![1, 3], vec![]]);
    assert_eq!(source.label(), "standard input");
}

/// A sheet: its name, its first row, and whether it is hidden. It gets a second row, unless the
/// first row is empty or contains [`NO_ROW`].
type Made = (&'static str, &'static [&'static str], bool);

const NOTES: Made = ("Catatan", &["per 31 Juli"], false);
const DATA: Made = ("Nasabah", &["NIK", "Nama"], false);
const MORE: Made = ("2024", &["NIK", "Nama"], false);
const HIDDEN: Made = ("Lama", &["NIK", "Nama"], true);
const EMPTY: Made = ("Leer", &[], false);
const TEMPLATE: Made = ("Template", &["NIK", "Nama", NO_ROW], false);
const NO_ROW: &str = "!";

/// Returns the chosen sheet and, after a colon, the other sheets that are reported. Returns the
/// message of the error if no sheet is chosen.
fn taken(sheets: &[Made], options: &ReadOptions) -> String {
    let mut workbook = Workbook::new();
    for (name, cells, hidden) in sheets {
        let sheet = workbook.add_worksheet().set_name(*name).unwrap();
        sheet.write_row(0, 0, cells.iter().copied()).unwrap();
        if !cells.is_empty() && !cells.contains(&NO_ROW) {
            sheet.write(1, 0, "x").unwrap();
        }
        sheet.set_hidden(*hidden);
    }
    match converted(&workbook.save_to_buffer().unwrap(), options) {
        Ok(source) => {
            let sheet = source.sheet().unwrap();
            format!("{}: {}", sheet.name, sheet.others.join(", ")).trim_end().to_owned()
        }
        Err(error) => {
            assert!(hints::of_input(error.problem()).is_some());
            error.problem().to_string()
        }
    }
}

#[test]
fn the_sheet_with_the_columns_is_taken() {
    let none = ReadOptions::default();
    let named = ReadOptions {
        id_column: Some("per 31 juli".into()),
        name_column: Some("per 31 juli".into()),
        ..ReadOptions::default()
    };
    for (sheets, options, expected) in [
        (&[NOTES, DATA][..], &none, "Nasabah: Catatan"),
        (&[NOTES], &none, "Catatan:"),
        (&[NOTES, EMPTY], &none, "Catatan:"),
        (&[NOTES, DATA, HIDDEN], &none, "Nasabah: Catatan"),
        (&[NOTES, DATA, HIDDEN], &asking("Lama"), "Lama: Catatan, Nasabah"),
        // Numbers count visible sheets only.
        (&[NOTES, HIDDEN, DATA], &asking("2"), "Nasabah: Catatan"),
        (&[NOTES, DATA, MORE], &asking("2"), "Nasabah: Catatan, 2024"),
        (&[NOTES, DATA, MORE], &asking("2024"), "2024: Catatan, Nasabah"),
        (&[NOTES, DATA], &named, "Catatan: Nasabah"),
        // A sheet with a header and no rows is read only if no other sheet fits better.
        (&[TEMPLATE, DATA], &none, "Nasabah: Template"),
        (&[TEMPLATE], &none, "Template:"),
        (
            &[DATA, MORE],
            &none,
            "more than one sheet may have the customers: 1 \"Nasabah\", 2 \"2024\"",
        ),
        (&[DATA], &asking("x"), "the workbook has no sheet \"x\"; its sheets are 1 \"Nasabah\""),
        (&[DATA], &asking("7"), "the workbook has no sheet \"7\"; its sheets are 1 \"Nasabah\""),
        (&[EMPTY], &none, "no sheet of the workbook has a filled cell"),
    ] {
        assert_eq!(taken(sheets, options), expected, "{sheets:?}");
    }
}

#[test]
fn sheets_of_our_results_are_chosen_first() {
    const RESULTS: Made = ("Results", &["NIK", "Nama", "Result (ck_outcome)"], false);
    const MORE_RESULTS: Made = ("Results 2", RESULTS.1, false);
    const OTHER_RESULTS: Made = ("Results 3", &["Nama", "NIK", "Result (ck_outcome)"], false);
    const SUMMARY: Made = ("Summary", &["Results"], false);
    const ATTENTION: Made = ("Needs attention", &["NIK", "Name"], false);
    for (sheets, expected) in [
        // The other sheets of our own workbook are not reported.
        (&[SUMMARY, RESULTS, ATTENTION][..], "Results:"),
        (&[SUMMARY, RESULTS, MORE_RESULTS], "Results:"),
        (&[NOTES, RESULTS, DATA], "Results: Catatan, Nasabah"),
        // Results with their columns in another order are another table.
        (
            &[RESULTS, OTHER_RESULTS],
            "more than one sheet may have the customers: 1 \"Results\", 2 \"Results 3\"",
        ),
    ] {
        assert_eq!(taken(sheets, &ReadOptions::default()), expected, "{sheets:?}");
    }
}

/// Packs parts into a ZIP file.
fn zip_of(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

const ROOT: &str = r#"<Relationships><Relationship Id="rId1" Target="xl/workbook.xml" Type="http://x/officeDocument"/></Relationships>"#;
const WORKBOOK: &str = r#"<workbook xmlns:r="r"><sheets><sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const RELATIONS: &str = r#"<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml" Type="http://x/worksheet"/><Relationship Id="rId2" Target="sharedStrings.xml" Type="http://x/sharedStrings"/></Relationships>"#;
const NO_STRINGS: &[u8] = b"<sst/>";

/// Makes a small workbook with this sheet and these shared texts. The parts in `others` replace
/// parts of the same name or are added.
fn book_with(sheet: &[u8], strings: &[u8], others: &[(&str, &[u8])]) -> Vec<u8> {
    let mut parts: Vec<(&str, &[u8])> = vec![
        ("_rels/.rels", ROOT.as_bytes()),
        ("xl/workbook.xml", WORKBOOK.as_bytes()),
        ("xl/_rels/workbook.xml.rels", RELATIONS.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet),
        ("xl/sharedStrings.xml", strings),
    ];
    parts.retain(|(name, _)| !others.iter().any(|(other, _)| other == name));
    parts.extend(others);
    zip_of(&parts)
}

fn book_of(sheet: &[u8], strings: &[u8]) -> Vec<u8> {
    book_with(sheet, strings, &[])
}

fn sheet_of(rows: &str) -> Vec<u8> {
    format!("<worksheet><sheetData>{rows}</sheetData></worksheet>").into_bytes()
}

/// Returns the text that the sheet of a workbook is converted to.
fn read_back(file: &[u8]) -> String {
    text_of(&converted(file, &ReadOptions::default()).unwrap())
}

#[test]
fn a_workbook_of_few_parts_is_read() {
    let sheet = sheet_of(
        r#"<row r="2"><c r="B2" t="str"><v>NIK</v></c></row><row r="3"><c r="A3" t="e"><v>#SPILL!</v></c><c r="B3"><v>7</v></c></row>"#,
    );
    assert_eq!(read_back(&book_of(&sheet, NO_STRINGS)), "\n,NIK\n#SPILL!,7\n");
}

#[test]
fn cells_are_read_however_they_are_written() {
    let strings = b"<sst><si><t>satu</t></si><si><r><t>du</t></r><r><t xml:space='preserve'>a </t></r><rPh><t>x</t></rPh></si><si/></sst>";
    for (rows, text) in [
        // Texts: shared, inline, from a formula; with entities, CDATA sections and escapes.
        (
            r#"<row><c t="s"><v>0</v></c><c t="s"><v> 1 </v></c><c t="s"><v>2</v></c></row>"#,
            "satu,dua \n",
        ),
        (
            r#"<row><c t="inlineStr"><is><t>a</t></is></c><c><is><r><t>b</t></r></is></c></row>"#,
            "a,b\n",
        ),
        (
            r#"<row><c t="str"><f>A1&amp;"x"</f><v>a&amp;b &#x41;&#66; &unknown; & c</v></c></row>"#,
            "a&b AB &unknown; & c\n",
        ),
        (
            r#"<row><c t="str"><v><![CDATA[a<b]]></v></c><c t="str"><v>a_x000D_b</v></c></row>"#,
            "a<b,\"a\rb\"\n",
        ),
        // Numbers, and values that only look like numbers.
        (
            r#"<row><c><v>3.275014107900001E15</v></c><c><v>-0.5</v></c><c><v>NaN</v></c><c><v>x</v></c><c><v/></c></row>"#,
            "3275014107900001,-0.5,NaN,x\n",
        ),
        (
            r#"<row><c t="b"><v>1</v></c><c t="b"><v>0</v></c><c t="e"><v>#N/A</v></c></row>"#,
            "TRUE,FALSE,#N/A\n",
        ),
        (
            r#"<row><c t="d"><v>2021-01-31T10:00:00</v></c><c t="d"><v>kemarin</v></c></row>"#,
            "2021-01-31T10:00:00,kemarin\n",
        ),
        // References: present, missing, out of order, twice, with a prefix or in lower case.
        (
            r#"<row r="2"><c r="C2"><v>3</v></c><c><v>4</v></c></row><row><c><v>5</v></c></row>"#,
            "\n,,3,4\n5\n",
        ),
        (
            r#"<row r="1"><c r="B1"><v>2</v></c><c r="A1"><v>1</v></c><c r="B1"><v>3</v></c></row>"#,
            "1,3\n",
        ),
        (r#"<x:row r="1"><x:c r="$b$1"><x:v>2</x:v></x:c></x:row>"#, ",2\n"),
        (
            r#"<row r="1"><c r="A3"><v>1</v></c></row><row r="x"><c r="?"><v>2</v></c></row>"#,
            "\n\n1\n2\n",
        ),
        // Attributes and elements that are not needed.
        (
            r#"<row r="1" r="9" spans="9:1" ht=x><c r="A1" s="99" vm="z" r="Z9"><v>1</v><extLst><v>9</v></extLst></c></row>"#,
            "1\n",
        ),
        (
            r#"<row r="1"><c r="A1"><v>1</v></c><!-- x --></oops></row><row r="2"/><row r="3"><c/></row>"#,
            "1\n",
        ),
    ] {
        let book = book_of(&sheet_of(rows), strings);
        assert_eq!(read_back(&book), text, "{rows}");
    }
}

#[test]
fn numbers_are_shown_by_their_formats() {
    let styles = br#"<styleSheet><numFmts><numFmt numFmtId="164" formatCode="dd/mm/yyyy"/><numFmt numFmtId="165" formatCode="&quot;Rp&quot;#,##0"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="46"/><xf numFmtId="x"/></cellXfs></styleSheet>"#;
    let links = RELATIONS.replace(
        "</Relationships>",
        r#"<Relationship Id="rId3" Target="styles.xml" Type="http://x/styles"/></Relationships>"#,
    );
    let rows = r#"<row><c><v>44197</v></c><c s="1"><v>44197</v></c><c s="2"><v>44197.25</v></c><c s="3"><v>1500</v></c><c s="4"><v>1.5</v></c><c s="5"><v>7</v></c><c s="99"><v>8</v></c><c s="1"><v>3275014107900001</v></c><c s="1"><v>0.5</v></c><c t="b"><v>1</v></c></row>"#;
    let sheet = sheet_of(rows);
    for (workbook, text) in [
        (
            WORKBOOK.to_owned(),
            "44197,2021-01-01,2021-01-01 06:00:00,1500,36:00:00,7,8,3275014107900001,12:00:00,TRUE\n",
        ),
        (
            WORKBOOK.replace("<sheets>", r#"<workbookPr date1904="1"/><sheets>"#),
            "44197,2025-01-02,2025-01-02 06:00:00,1500,36:00:00,7,8,3275014107900001,12:00:00,TRUE\n",
        ),
    ] {
        let others: [(&str, &[u8]); 3] = [
            ("xl/workbook.xml", workbook.as_bytes()),
            ("xl/_rels/workbook.xml.rels", links.as_bytes()),
            ("xl/styles.xml", styles),
        ];
        let book = book_with(&sheet, NO_STRINGS, &others);
        let source = converted(&book, &ReadOptions::default()).unwrap();
        assert_eq!(text_of(&source), text);
        let sheet = source.sheet().unwrap();
        let numbers: Vec<_> = (0..10).filter(|column| sheet.is_number(1, *column)).collect();
        assert_eq!(numbers, [0, 3, 5, 6, 7]);
        let shift = if workbook.contains("1904") { 1462.0 } else { 0.0 };
        let format =
            |format: &NumberFormat| sheet.formats.iter().position(|known| known == format).unwrap();
        let (general, day) = (0, format(&NumberFormat::BuiltIn(14)));
        let (own, money) = ("dd/mm/yyyy", "\"Rp\"#,##0");
        let [own, money] = [own, money].map(|code| format(&NumberFormat::Code(code.to_owned())));
        let expected = [
            (0, TypedCell::Number(44_197.0, general)),
            (1, TypedCell::Number(44_197.0 + shift, day)),
            (2, TypedCell::Number(44_197.25 + shift, own)),
            (3, TypedCell::Number(1500.0, money)),
            (4, TypedCell::Number(1.5, format(&NumberFormat::BuiltIn(46)))),
            (5, TypedCell::Number(7.0, general)),
            (6, TypedCell::Number(8.0, general)),
            (7, TypedCell::Number(3_275_014_107_900_001.0, day)),
            (8, TypedCell::Number(0.5, day)),
            (9, TypedCell::Truth(true)),
        ];
        let mut typed = sheet.typed_rows().unwrap().unwrap();
        assert_eq!(typed.of_row(0).unwrap(), expected);
        assert_eq!(typed.of_row(1).unwrap(), []);
    }
}

#[test]
fn typed_rows_are_found_past_others() {
    let row = |n: usize| format!(r#"<row r="{n}"><c r="B{n}"><v>{n}</v></c></row>"#);
    let rows: String = [1, 2, 5, 9].into_iter().map(row).collect();
    let source =
        converted(&book_of(&sheet_of(&rows), NO_STRINGS), &ReadOptions::default()).unwrap();
    let number = |n: f64| vec![(1, TypedCell::Number(n, 0))];
    for wanted in [&[0, 1, 2, 4, 8, 9][..], &[1, 8], &[8], &[3, 4, 100]] {
        let mut typed = source.sheet().unwrap().typed_rows().unwrap().unwrap();
        for at in wanted {
            let there = [0, 1, 4, 8].contains(at);
            let expected = if there { number(*at as f64 + 1.0) } else { Vec::new() };
            assert_eq!(typed.of_row(*at).unwrap(), expected, "{at} of {wanted:?}");
        }
    }
}

#[test]
fn what_is_hidden_or_has_no_value_is_known() {
    let rows = r#"<row r="1"><c><f>1+1</f></c><c><f>1+1</f><v>2</v></c><c t="str"><f>""</f><v></v></c><c t="s"><v>9</v></c></row>
        <row r="2" hidden="1"><c><v>1</v></c></row><row r="3" ht="0"><c><v>1</v></c></row><row r="4" hidden="0" ht="15"><c><v>1</v></c></row>"#;
    let source = converted(&book_of(&sheet_of(rows), b"<sst><si/></sst>"), &ReadOptions::default());
    let source = source.unwrap();
    let sheet = source.sheet().unwrap();
    assert_eq!((sheet.unstored, sheet.lost), (1, 1));
    let unstored: Vec<_> =
        (0..4).filter(|column| sheet.is_formula_without_value(1, *column)).collect();
    assert_eq!(unstored, [0]);
    assert_eq!(
        (1..5).map(|row| sheet.is_hidden(row)).collect::<Vec<_>>(),
        [false, true, true, false]
    );
    assert_eq!(text_of(&source), ",2\n1\n1\n1\n");
}

#[test]
fn results_that_follow_one_another_are_one_table() {
    let mut workbook = Workbook::new();
    let header = ["NIK", "Nama", "Result (ck_outcome)"];
    workbook.add_worksheet().set_name("Summary").unwrap().write(0, 0, "x").unwrap();
    for (name, rows) in [("Results", &["SITI", "BUDI"][..]), ("Results 2", &["AYU"])] {
        let sheet = workbook.add_worksheet().set_name(name).unwrap();
        sheet.write_row(0, 0, header).unwrap();
        for (at, row) in (1..).zip(rows) {
            sheet.write_row(at, 0, ["3275014107900001", *row, "Match"]).unwrap();
        }
    }
    let source = converted(&workbook.save_to_buffer().unwrap(), &ReadOptions::default()).unwrap();
    let row = |name: &str| format!("3275014107900001,{name},Match\n");
    let expected = format!("{}\n{}{}{}", header.join(","), row("SITI"), row("BUDI"), row("AYU"));
    assert_eq!(text_of(&source), expected);
}

#[test]
fn numbers_are_known_in_every_column() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write_string(0, 65, "9171014101900001").unwrap();
    sheet.write_number(0, 67, 1.5).unwrap();
    sheet.write_number(0, 63, 1.5).unwrap();
    let source = converted(&workbook.save_to_buffer().unwrap(), &ReadOptions::default()).unwrap();
    let sheet = source.sheet().unwrap();
    let numbers: Vec<_> = (60..70).filter(|column| sheet.is_number(1, *column)).collect();
    assert_eq!(numbers, [63, 67]);
}

#[test]
fn what_is_no_workbook_is_told_apart() {
    for (parts, said) in [
        (&[("a.csv", &b"nik,nama\n"[..])][..], "this is a ZIP file"),
        (&[("xl/workbook.bin", b"")], "binary Excel workbook"),
        (&[("mimetype", b""), ("content.xml", b"")], "OpenDocument"),
        (&[("xl/workbook.xml", b"<workbook/>")], "no sheet with rows"),
    ] {
        let error = refused(&zip_of(parts));
        assert!(error.contains(said), "{error}");
    }
    assert!(refused(b"PK\x03\x04 and no more").contains("cannot be read"));
}

mod hostile;
mod odd;
