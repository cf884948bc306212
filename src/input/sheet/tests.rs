//! Workbooks made here: real ones by a writer of workbooks, hostile ones part by part.

use super::*;
use crate::input::Options as InputOptions;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use std::io::{Cursor, Read, Write};
use zip::write::SimpleFileOptions;

fn unfolded(file: &[u8], options: &InputOptions) -> Result<Source, InputError> {
    let folder = std::env::temp_dir();
    Source::spool(file, &folder)?.unfolded(options.sheet_options(), &folder)
}

fn text_of(source: &Source) -> String {
    let mut text = String::new();
    source.open().unwrap().read_to_string(&mut text).unwrap();
    text
}

fn refused(file: &[u8]) -> String {
    unfolded(file, &InputOptions::default()).map(|source| text_of(&source)).unwrap_err().to_string()
}

fn asking(sheet: &str) -> InputOptions {
    InputOptions { sheet: Some(SheetSpec(sheet.to_owned())), ..InputOptions::default() }
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
    let source = unfolded(&workbook.save_to_buffer().unwrap(), &InputOptions::default()).unwrap();
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

#[test]
fn the_sheet_with_the_columns_is_taken() {
    let book = |sheets: &[(&str, &[&str], bool)]| {
        let mut workbook = Workbook::new();
        for (name, cells, hidden) in sheets {
            let sheet = workbook.add_worksheet().set_name(*name).unwrap();
            sheet.write_row(0, 0, cells.iter().copied()).unwrap();
            // A mark for headers without a row below them.
            if !cells.is_empty() && !cells.contains(&"!") {
                sheet.write(1, 0, "x").unwrap();
            }
            sheet.set_hidden(*hidden);
        }
        workbook.save_to_buffer().unwrap()
    };
    let notes: (&str, &[&str], bool) = ("Catatan", &["per 31 Juli"], false);
    let data: (&str, &[&str], bool) = ("Nasabah", &["NIK", "Nama"], false);
    let more: (&str, &[&str], bool) = ("2024", &["NIK", "Nama"], false);
    let hidden: (&str, &[&str], bool) = ("Lama", &["NIK", "Nama"], true);
    let named = InputOptions {
        id_column: Some("per 31 juli".into()),
        name_column: Some("per 31 juli".into()),
        ..InputOptions::default()
    };
    let none = InputOptions::default();
    let template: (&str, &[&str], bool) = ("Template", &["NIK", "Nama", "!"], false);
    for (sheets, options, taken) in [
        (&[notes, data][..], &none, Ok(("Nasabah", &["Catatan"][..]))),
        (&[notes], &none, Ok(("Catatan", &[]))),
        (&[notes, ("Leer", &[], false)], &none, Ok(("Catatan", &[]))),
        (&[notes, data, hidden], &none, Ok(("Nasabah", &["Catatan"]))),
        (&[notes, data, hidden], &asking("Lama"), Ok(("Lama", &["Catatan", "Nasabah"]))),
        // Numbers are those of the sheets that are seen.
        (&[notes, hidden, data], &asking("2"), Ok(("Nasabah", &["Catatan"]))),
        (&[notes, data, more], &asking("2"), Ok(("Nasabah", &["Catatan", "2024"]))),
        (&[notes, data, more], &asking("2024"), Ok(("2024", &["Catatan", "Nasabah"]))),
        (&[notes, data], &named, Ok(("Catatan", &["Nasabah"]))),
        // Headers without a row hold nobody.
        (&[template, data], &none, Ok(("Nasabah", &[]))),
        (
            &[data, more],
            &none,
            Err("more than one sheet could be meant: 1 \"Nasabah\", 2 \"2024\""),
        ),
        (&[data], &asking("x"), Err("the workbook has no sheet \"x\"; it has 1 \"Nasabah\"")),
        (&[data], &asking("7"), Err("the workbook has no sheet \"7\"; it has 1 \"Nasabah\"")),
        (&[("Leer", &[], false)], &none, Err("the workbook has no sheet with cells")),
    ] {
        match (unfolded(&book(sheets), options), taken) {
            (Ok(source), Ok(taken)) => {
                let sheet = source.sheet().unwrap();
                assert_eq!(
                    (sheet.name.as_str(), sheet.others.as_slice()),
                    (
                        taken.0,
                        &taken.1.iter().map(|other| (*other).to_owned()).collect::<Vec<_>>()[..]
                    )
                );
            }
            (Err(error), Err(said)) => {
                assert_eq!(error.to_string(), format!("standard input: {said}"));
                assert!(error.hint().is_some());
            }
            (found, expected) => {
                panic!("{:?} for {expected:?}", found.map(|s| s.label().to_owned()))
            }
        }
    }
}

/// A workbook of these parts, packed.
fn zip_of(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A small workbook with this sheet and these shared texts.
fn book_of(sheet: &[u8], strings: &[u8]) -> Vec<u8> {
    const WORKBOOK: &[u8] = br#"<workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
    const RELATIONS: &[u8] = br#"<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"/></Relationships>"#;
    zip_of(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("_rels/.rels", br#"<Relationships><Relationship Id="rId1" Target="xl/workbook.xml" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>"#),
        ("xl/workbook.xml", WORKBOOK),
        ("xl/_rels/workbook.xml.rels", RELATIONS),
        ("xl/worksheets/sheet1.xml", sheet),
        ("xl/sharedStrings.xml", strings),
    ])
}

fn sheet_of(rows: &str) -> Vec<u8> {
    format!("<worksheet><sheetData>{rows}</sheetData></worksheet>").into_bytes()
}

const NO_STRINGS: &[u8] = b"<sst/>";

#[test]
fn a_workbook_of_few_parts_is_read() {
    let sheet = sheet_of(
        r#"<row r="2"><c r="B2" t="str"><v>NIK</v></c></row><row r="3"><c r="A3" t="e"><v>#SPILL!</v></c><c r="B3"><v>7</v></c></row>"#,
    );
    let source = unfolded(&book_of(&sheet, NO_STRINGS), &InputOptions::default()).unwrap();
    assert_eq!(text_of(&source), "\n,NIK\n,7\n");
}

#[test]
fn a_hostile_workbook_is_an_error() {
    let mib = 1024 * 1024;
    let x = |n: usize| "x".repeat(n);
    let cell = |inner: &str| sheet_of(&format!(r#"<row><c t="str"><v>{inner}</v></c></row>"#));
    let many = "<c/>".repeat(70 * mib / 4);
    for (what, sheet, strings, said) in [
        ("a huge sheet", sheet_of(&many), NO_STRINGS.to_vec(), "unpacks to a huge size"),
        ("a huge text", cell(&x(2 * mib)), NO_STRINGS.to_vec(), "a huge text"),
        (
            "a huge section",
            cell(&format!("<![CDATA[{}]]>", "<a".repeat(mib))),
            NO_STRINGS.to_vec(),
            "XML that no spreadsheet writes",
        ),
        (
            "a huge comment",
            sheet_of(&format!("<!--{}-->", "<a".repeat(mib))),
            NO_STRINGS.to_vec(),
            "XML that no spreadsheet writes",
        ),
        (
            "a promise of texts",
            cell("a"),
            br#"<sst uniqueCount = "99999999999999999999"><si><t>a</t></si></sst>"#.to_vec(),
            "not as long as it says",
        ),
        (
            "huge texts",
            cell("a"),
            format!("<sst>{}</sst>", "<si/>".repeat(14 * mib)).into_bytes(),
            "huge size",
        ),
        (
            "entities in entities",
            [
                &br#"<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>"#[..],
                &cell("&b;"),
            ]
            .concat(),
            NO_STRINGS.to_vec(),
            "the workbook can't be read",
        ),
        (
            "a far cell",
            sheet_of(r#"<row><c r="A9999999" t="str"><v>a</v></c></row>"#),
            NO_STRINGS.to_vec(),
            "can't be read",
        ),
        (
            "rows in disorder",
            sheet_of(r#"<row><c r="A5"><v>1</v></c></row><row><c r="A2"><v>1</v></c></row>"#),
            NO_STRINGS.to_vec(),
            "out of order",
        ),
        (
            "no such text",
            sheet_of(r#"<row><c t="s"><v>9</v></c></row>"#),
            NO_STRINGS.to_vec(),
            "not as it should be",
        ),
        (
            "cut off",
            b"<worksheet><sheetData><row><c><v>3275014101900001".to_vec(),
            NO_STRINGS.to_vec(),
            "can't be read",
        ),
    ] {
        let error = refused(&book_of(&sheet, &strings));
        assert!(error.contains(said), "{what}: {error}");
        assert!(!error.contains("3275014101900001"), "{error}");
    }
}

#[test]
fn numbers_are_known_in_every_column() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write_string(0, 65, "9171014101900001").unwrap();
    sheet.write_number(0, 67, 1.5).unwrap();
    sheet.write_number(0, 63, 1.5).unwrap();
    let source = unfolded(&workbook.save_to_buffer().unwrap(), &InputOptions::default()).unwrap();
    let sheet = source.sheet().unwrap();
    let numbers: Vec<_> = (60..70).filter(|column| sheet.is_number(1, *column)).collect();
    assert_eq!(numbers, [63, 67]);
}

#[test]
fn cells_are_counted_with_the_empty_ones_before_them() {
    let rows: String =
        (1..=9).map(|row| format!(r#"<row><c r="XFD{row}"><v>1</v></c></row>"#)).collect();
    let file = book_of(&sheet_of(&rows), NO_STRINGS);
    let mut workbook = Xlsx::new(Cursor::new(file)).unwrap();
    let few = Bounds { cells: 5 * 16_384, ..Bounds::default() };
    let mut rows = cells::Rows::of(&mut workbook, "A", &few).unwrap();
    let read: Vec<_> = (0..6).map(|_| rows.next_row().is_ok()).collect();
    assert_eq!(read, [true, true, true, true, true, false]);
}

/// What is said of a workbook's parts.
fn checked(file: Vec<u8>, bounds: &Bounds) -> String {
    bounds::check(Cursor::new(file), bounds)
        .map_or_else(|problem| problem.to_string(), |()| String::new())
}

#[test]
fn a_list_of_texts_is_no_longer_than_it_may_be() {
    let few = Bounds { texts: 3, text: 64, ..Bounds::default() };
    let late =
        |before: &str, more: &str| format!("<sst>{before}<x uniqueCount=\"1{more}\"/></sst>");
    let tags = "<a/>".repeat(10);
    for (list, said) in [
        ("<sst><si><t>si </t></si><x:si></x:si><si /></sst>".to_owned(), ""),
        (r#"<sst uniqueCount="3"/>"#.to_owned(), ""),
        ("<sst><si/><si/><si/><si/></sst>".to_owned(), "more texts"),
        (r#"<sst uniqueCount="4"/>"#.to_owned(), "not as long as it says"),
        // A promise after what is looked at, and one that begins there.
        (late(&tags.repeat(9), ""), "not as long as it says"),
        (late(&format!("{tags}   "), "2"), "not as long as it says"),
        ("<sst unique\u{1B}(BCount=\"4\"/>".to_owned(), "not as long as it says"),
        ("<\0s\0s\0t\0/\0>\0".to_owned(), "not as long as it says"),
    ] {
        let error = checked(zip_of(&[("xl/sharedStrings.xml", list.as_bytes())]), &few);
        assert!(error.contains(said) && error.is_empty() == said.is_empty(), "{list}: {error}");
    }
}

#[test]
fn parts_that_share_their_bytes_are_bounded_together() {
    let one = zip_of(&[("a00", &[b'x'; 512 * 1024])]);
    let at = |mark: &[u8]| one.windows(4).position(|bytes| bytes == mark).unwrap();
    let (entry, end) = (at(b"PK\x01\x02"), at(b"PK\x05\x06"));
    for (count, said) in [(1_u16, ""), (2, ""), (60, "huge size")] {
        let mut file = one[..entry].to_vec();
        for n in 0..count {
            file.extend_from_slice(&one[entry..end]);
            let name = file.len() - (end - entry) + 46;
            file[name..name + 3].copy_from_slice(format!("a{n:02}").as_bytes());
        }
        let mut tail = one[end..].to_vec();
        tail[8..10].copy_from_slice(&count.to_le_bytes());
        tail[10..12].copy_from_slice(&count.to_le_bytes());
        let size = u32::from(count) * (end - entry) as u32;
        tail[12..16].copy_from_slice(&size.to_le_bytes());
        file.extend(tail);
        let error = checked(file, &Bounds { part: 1024 * 1024, ..Bounds::default() });
        assert!(error.contains(said) && error.is_empty() == said.is_empty(), "{count}: {error}");
    }
}

#[test]
fn what_is_no_workbook_is_told_apart() {
    for (parts, said) in [
        (&[("a.csv", &b"nik,nama\n"[..])][..], "this is a ZIP file"),
        (&[("xl/workbook.bin", b"")], "binary Excel workbook"),
        (&[("mimetype", b""), ("content.xml", b"")], "OpenDocument"),
        (&[("xl/workbook.xml", b"<workbook/>")], "can't be read"),
    ] {
        let error = refused(&zip_of(parts));
        assert!(error.contains(said), "{error}");
    }
    assert!(refused(b"PK\x03\x04 and no more").contains("can't be read"));
}
