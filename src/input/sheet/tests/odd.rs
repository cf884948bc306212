//! Tests with odd workbooks, whose one cell is read nevertheless: any part that is not read may be
//! odd, missing or damaged.

use super::*;

const SHEET: &str = "xl/worksheets/sheet1.xml";
const BOOK: &str = "xl/workbook.xml";
const LINKS: &str = "xl/_rels/workbook.xml.rels";
const MACRO: &str = "xl/macrosheets/m.xml";

/// Odd parts by name.
type Parts = Vec<(&'static str, Vec<u8>)>;

/// Returns the sheet with one cell that every workbook here has.
fn whole() -> Vec<u8> {
    sheet_of(r#"<row r="1"><c r="A1" t="inlineStr" s="3"><is><t>NIK</t></is></c></row>"#)
}

/// Checks that the cell of a workbook is still read if these parts replace its usual parts.
fn still_read(what: &str, parts: &Parts) {
    let parts: Vec<_> = parts.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    let book = book_with(&whole(), NO_STRINGS, &parts);
    let read = converted(&book, &ReadOptions::default()).map(|source| text_of(&source));
    assert_eq!(read.map_err(|error| error.to_string()), Ok("NIK\n".to_owned()), "{what}");
}

#[test]
fn other_sheets_may_lead_nowhere_or_be_none() {
    let with = |sheet: &str| WORKBOOK.replace("<sheets>", &format!("<sheets>{sheet}")).into_bytes();
    let link = r#"<Relationship Id="rId9" Target="macrosheets/m.xml" Type="http://x/xlMacrosheet"/></Relationships>"#;
    let links = || RELATIONS.replace("</Relationships>", link).into_bytes();
    let other = || with(r#"<sheet name="M" r:id="rId9"/>"#);
    for (what, parts) in [
        ("a hidden one", vec![(BOOK, with(r#"<sheet name=" " state="veryHidden" r:id=""/>"#))]),
        ("a visible one", vec![(BOOK, with(r#"<sheet name="B" r:id="rId7"/>"#))]),
        (
            "macros",
            vec![
                (BOOK, other()),
                (LINKS, links()),
                (MACRO, b"<xm:macrosheet><sheetData/></xm:macrosheet>".to_vec()),
            ],
        ),
        (
            "a damaged one",
            vec![
                (BOOK, other()),
                (LINKS, links()),
                (MACRO, b"<worksheet><sheetData><row>".to_vec()),
            ],
        ),
    ] {
        still_read(what, &parts);
    }
}

#[test]
fn parts_and_attributes_that_nobody_needs_may_be_anything() {
    let around =
        |around: &str| around.replace("ROWS", std::str::from_utf8(&whole()).unwrap()).into_bytes();
    let utf16 = |text: &[u8]| {
        let text = format!("\u{FEFF}{}", String::from_utf8_lossy(text));
        text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
    };
    let whole_rows = around(r#"<worksheet><dimension ref="1:3"/>ROWS"#);
    let no_dimension =
        around(r##"<worksheet><dimension ref="#REF!"/><cols><col min="x"/></cols>ROWS"##);
    for (what, parts) in [
        ("nothing odd", vec![]),
        ("whole rows as the dimension", vec![(SHEET, whole_rows)]),
        ("no dimension to speak of", vec![(SHEET, no_dimension)]),
        ("no shared texts", vec![("xl/sharedStrings.xml", b"no XML at all".to_vec())]),
        ("torn styles", vec![("xl/styles.xml", b"<styleSheet><cellXfs><xf numFmtId='x'".to_vec())]),
        ("UTF-16", vec![(SHEET, utf16(&whole())), (BOOK, utf16(WORKBOOK.as_bytes()))]),
        ("a picture", vec![("xl/media/image1.png", vec![0x89; 9000])]),
    ] {
        still_read(what, &parts);
    }
}

#[test]
fn parts_are_found_wherever_they_are() {
    let links = |target: &str| RELATIONS.replace("worksheets/sheet1.xml", target).into_bytes();
    let in_root = ROOT.replace("xl/workbook.xml", "/workbook.xml").into_bytes();
    for (what, parts) in [
        ("absolute targets", vec![(LINKS, links("/xl/worksheets/sheet1.xml"))]),
        ("Windows targets", vec![(LINKS, links(r"worksheets\sheet1.xml"))]),
        ("no relations", vec![(LINKS, Vec::new())]),
        ("a package without relations", vec![("_rels/.rels", Vec::new())]),
        ("names in capitals", vec![("XL/Worksheets/Sheet1.XML", whole()), (SHEET, whole())]),
        (
            "the workbook at the root",
            vec![
                ("_rels/.rels", in_root),
                (BOOK, b"<oops/>".to_vec()),
                ("workbook.xml", WORKBOOK.as_bytes().to_vec()),
                ("_rels/workbook.xml.rels", RELATIONS.as_bytes().to_vec()),
                ("worksheets/sheet1.xml", whole()),
            ],
        ),
    ] {
        still_read(what, &parts);
    }
}
