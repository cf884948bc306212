//! Tests with workbooks that would use up memory or disk, or that were changed in transit. Each of
//! them is an error, and no bound is exceeded.

use super::*;
use crate::input::sheet::bounds::Bounds;

/// Makes a sheet with one text.
fn cell_of(inner: &str) -> Vec<u8> {
    sheet_of(&format!(r#"<row><c t="str"><v>{inner}</v></c></row>"#))
}

#[test]
fn long_rows_texts_and_nesting_are_errors() {
    let x = |n: usize| "x".repeat(n);
    let cell = cell_of;
    for (what, sheet, strings, said) in [
        (
            "a row of one long text many times",
            sheet_of(&format!("<row>{}</row>", r#"<c t="s"><v>0</v></c>"#.repeat(16_384))),
            format!("<sst><si><t>{}</t></si></sst>", x(100_000)).into_bytes(),
            "a row that is longer than",
        ),
        (
            "a text of many entities",
            cell(&format!("{}&amp;", x(1500)).repeat(1000)),
            NO_STRINGS.to_vec(),
            "a huge text",
        ),
        (
            "elements within elements",
            sheet_of(&"<a>".repeat(100_000)),
            NO_STRINGS.to_vec(),
            "XML that no spreadsheet writes",
        ),
    ] {
        let error = refused(&book_of(&sheet, &strings));
        assert!(error.contains(said), "{what}: {error}");
    }
}

#[test]
fn entities_in_entities_are_not_followed() {
    let entities = br#"<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>"#;
    let book = book_of(&[&entities[..], &cell_of("&b;")].concat(), NO_STRINGS);
    assert_eq!(read_back(&book), "&b;\n");
}

#[test]
fn a_hostile_workbook_is_an_error() {
    let mib = 1024 * 1024;
    let x = |n: usize| "x".repeat(n);
    let cell = cell_of;
    let shared = sheet_of(r#"<row><c t="s"><v>0</v></c></row>"#);
    let many = "<c/>".repeat(70 * mib / 4);
    for (what, sheet, strings, said) in [
        ("a huge sheet", sheet_of(&many), NO_STRINGS.to_vec(), "unpacks to a huge size"),
        ("a huge text", cell(&x(2 * mib)), NO_STRINGS.to_vec(), "a huge text"),
        ("a long text", cell(&x(mib / 2)), NO_STRINGS.to_vec(), "a cell that is longer than"),
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
            "a huge tag",
            sheet_of(&format!("<row r=\"{}\"/>", x(2 * mib))),
            NO_STRINGS.to_vec(),
            "XML that no spreadsheet writes",
        ),
        (
            "huge texts",
            shared.clone(),
            format!("<sst>{}</sst>", "<si/>".repeat(14 * mib)).into_bytes(),
            "more texts",
        ),
        (
            "texts that are cut off",
            shared.clone(),
            b"<sst><si><t>a</t></si>".to_vec(),
            "ends too early",
        ),
        (
            "a far cell",
            sheet_of(r#"<row><c r="A9999999" t="str"><v>a</v></c></row>"#),
            NO_STRINGS.to_vec(),
            "outside of every sheet",
        ),
        (
            "a far column",
            sheet_of(r#"<row><c r="ZZZZZZ1" t="str"><v>a</v></c></row>"#),
            NO_STRINGS.to_vec(),
            "outside of every sheet",
        ),
        (
            "rows in disorder",
            sheet_of(r#"<row><c r="A5"><v>1</v></c></row><row><c r="A2"><v>1</v></c></row>"#),
            NO_STRINGS.to_vec(),
            "out of order",
        ),
        (
            "cut off",
            b"<worksheet><sheetData><row><c><v>3275014101900001".to_vec(),
            NO_STRINGS.to_vec(),
            "ends too early",
        ),
    ] {
        let error = refused(&book_of(&sheet, &strings));
        assert!(error.contains(said), "{what}: {error}");
        assert!(!error.contains("3275014101900001"), "{error}");
    }
}

#[test]
fn a_sheet_that_was_changed_on_its_way_is_an_error() {
    let long = "x".repeat(1000);
    let sheet =
        sheet_of(&format!(r#"<row><c t="str"><v>3275014107900001</v></c></row><!--{long}-->"#));
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in
        [("xl/workbook.xml", WORKBOOK.as_bytes()), ("xl/worksheets/sheet1.xml", &sheet)]
    {
        archive.start_file(name, stored).unwrap();
        archive.write_all(bytes).unwrap();
    }
    let mut file = archive.finish().unwrap().into_inner();
    assert_eq!(read_back(&file), "3275014107900001\n");
    let at = file.windows(4).position(|bytes| bytes == b"3275").unwrap();
    file[at] = b'4';
    assert!(refused(&file).contains("changed during the transfer"));
}

/// Reads the sheet of a workbook within these bounds. Returns the length of its text, or the error.
fn within(file: Vec<u8>, bounds: Bounds) -> Result<u64, String> {
    let folder = std::env::temp_dir();
    let source = Source::spool(file.as_slice(), &folder).unwrap();
    let (text, typed) = (unnamed_file(&folder).unwrap(), unnamed_file(&folder).unwrap());
    let sheet = read(source.open().unwrap(), ChoiceOptions::default(), bounds, &text, &typed);
    sheet.map(|_| text.metadata().unwrap().len()).map_err(|problem| problem.to_string())
}

#[test]
fn each_bound_holds() {
    let cells = |n: usize| sheet_of(&"<row><c t=\"s\"><v>0</v></c></row>".repeat(n));
    let far: String =
        (1..=9).map(|row| format!(r#"<row><c r="XFD{row}"><v>1</v></c></row>"#)).collect();
    let texts = |n: usize| format!("<sst>{}</sst>", "<si><t>a</t></si>".repeat(n)).into_bytes();
    let comment = format!("<!--{}--><row><c><v>1</v></c></row>", "x".repeat(200_000));
    let long = sheet_of(&comment);
    let standard = Bounds::default();
    for (what, file, bounds, said) in [
        ("texts", book_of(&cells(1), &texts(3)), Bounds { texts: 3, ..standard }, ""),
        ("texts", book_of(&cells(1), &texts(4)), Bounds { texts: 3, ..standard }, "more texts"),
        (
            "strings",
            book_of(&cells(1), &texts(90)),
            Bounds { strings: 1000, ..standard },
            "huge size",
        ),
        ("sheet", book_of(&cells(90), &texts(1)), Bounds { sheet: 1000, ..standard }, "huge size"),
        (
            "ratio",
            book_of(&cells(9000), &texts(1)),
            Bounds { plain: 1000, ratio: 10, ..standard },
            "huge size",
        ),
        ("frame", book_of(&cells(1), &texts(1)), Bounds { frame: 50, ..standard }, "huge size"),
        ("text", book_of(&long, &texts(1)), Bounds { text: 1000, ..standard }, "huge text"),
        ("text", book_of(&long, &texts(1)), standard, ""),
        (
            "cells",
            book_of(&sheet_of(&far), &texts(1)),
            Bounds { cells: 5 * 16_384, ..standard },
            "far too many",
        ),
        (
            "cells",
            book_of(&sheet_of(&far), &texts(1)),
            Bounds { cells: 9 * 16_384, ..standard },
            "",
        ),
        ("kept", book_of(&cells(90), &texts(1)), Bounds { kept: 100, ..standard }, "more text"),
    ] {
        match within(file, bounds) {
            Ok(bytes) => assert!(said.is_empty() && bytes > 0, "{what}"),
            Err(error) => assert!(!said.is_empty() && error.contains(said), "{what}: {error}"),
        }
    }
}
