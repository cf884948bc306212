//! Tests of the layouts of small files, and of the messages for files without a layout.

use proptest::prelude::*;

use super::*;
use crate::error::hints;

fn source(text: impl AsRef<[u8]>) -> Source {
    Source::spool(text.as_ref(), &std::env::temp_dir()).unwrap()
}

fn columns(id: &str, name: &str) -> ReadOptions {
    ReadOptions {
        id_column: Some(id.into()),
        name_column: Some(name.into()),
        ..ReadOptions::default()
    }
}

fn headless(id: &str, name: &str) -> ReadOptions {
    ReadOptions { no_header: true, ..columns(id, name) }
}

fn found(text: &[u8], options: &ReadOptions) -> (char, usize, usize, usize) {
    let layout = inspect(&source(text), options).unwrap();
    (char::from(layout.delimiter), layout.width, layout.id.index, layout.name.index)
}

fn refused(text: &[u8], options: &ReadOptions) -> (String, String) {
    let error = inspect(&source(text), options).unwrap_err();
    (
        error.to_string().replace("standard input", "in"),
        hints::of_input(error.problem()).unwrap_or_default(),
    )
}

#[test]
fn finds_the_layout() {
    let none = ReadOptions::default();
    for (text, layout) in [
        (&b"nik,nama\n3275014101900001,BUDI\n"[..], (',', 2, 0, 1)),
        (b"\xEF\xBB\xBFnik;nama\r\n3275014101900001;BUDI\r\n", (';', 2, 0, 1)),
        (b"\"Nama Lengkap\"\t\"No KTP\"\rBUDI\t3275014101900001\r", ('\t', 2, 1, 0)),
        (b"\n\nno|nik|nama\n1|3275014101900001|BUDI\n", ('|', 3, 1, 2)),
        (b"nik,nama", (',', 2, 0, 1)),
        (b"nik,nama\n3.27501E+15,BUDI\n", (',', 2, 0, 1)),
        (b"nik,\"na\nma\"\n3275014101900001,BUDI\n", (',', 2, 0, 1)),
        (b"Data nasabah\n\nnik;nama\n3275014101900001;BUDI\n", (';', 2, 0, 1)),
        (b"sep=|\r\nnik|nama\r\n3275014101900001|BUDI, S.E.\r\n", ('|', 2, 0, 1)),
        (b"\xFF\xFEn\0i\0k\0\t\0n\0a\0m\0a\0\n\0", ('\t', 2, 0, 1)),
        (b"\xFE\xFF\0n\0i\0k\0;\0n\0a\0m\0a", (';', 2, 0, 1)),
        (b"nik,nama\n3275014101900001,JOS\xC9\n", (',', 2, 0, 1)),
    ] {
        assert_eq!(found(text, &none), layout, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn titles_above_the_header_are_left_out() {
    let layout = |text: &str, options: &ReadOptions| {
        let layout = inspect(&source(text), options).unwrap();
        (layout.titles, layout.width, layout.id.index)
    };
    let none = ReadOptions::default();
    for (text, options, expected) in [
        ("nik,nama\n", &none, (0, 2, 0)),
        ("Laporan\nnik,nama\n", &none, (1, 2, 0)),
        ("Laporan,,\n,,\nPer 31 Juli,,\nno,nik,nama\n", &none, (3, 3, 1)),
        ("Laporan,\nFoo,Bar\n", &columns("foo", "bar"), (1, 2, 0)),
        ("Laporan\na,b\n3275014101900001,BUDI\n", &columns("1", "2"), (1, 2, 0)),
        // A second header further down is an ordinary row.
        ("nik,nama\n3275014101900001,BUDI\nnik,nama\n", &none, (0, 2, 0)),
    ] {
        assert_eq!(layout(text, options), expected, "{text}");
    }
    let layout =
        inspect(&source("nik,nama,NIK.,,\n3275014101900001,BUDI,,,\n"), &columns("1", "2"));
    assert_eq!(layout.unwrap().repeated_headers(), 1);
}

#[test]
fn tells_the_encoding() {
    let told = |text: &[u8], encoding: Option<Encoding>| {
        let options = ReadOptions { encoding, ..ReadOptions::default() };
        let layout = inspect(&source(text), &options).unwrap();
        (layout.form.encoding(), layout.encoding_guessed)
    };
    let rows = b"3275014101900001,BUDI\n".repeat(20_000);
    let accents =
        [b"nik,nama\n", b"3275014101900001,JOS\xC9 \x92S\n".repeat(5_000).as_slice()].concat();
    let text = format!("\u{FEFF}nik,nama\n{}", "3275014101900001,JOSÉ\n".repeat(5_000));
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let late = [b"nik,nama\n", rows.as_slice(), b"3275014101900001,JOS\xC9\n"].concat();
    for (text, asked, encoding, guessed) in [
        (&b"nik,nama\n"[..], None, Encoding::Utf8, false),
        (b"nik,nama\n3275014101900001,JOS\xC9\n", None, Encoding::Windows1252, true),
        (&late, None, Encoding::Windows1252, true),
        // Accents in every row, in a text that is longer than the first bytes that are read.
        (&accents, None, Encoding::Windows1252, true),
        (&utf16, None, Encoding::Utf16Le, false),
        (
            b"nik,nama\n3275014101900001,JOS\xC9\n",
            Some(Encoding::Windows1252),
            Encoding::Windows1252,
            false,
        ),
        (b"nik,nama\n3275014101900001,JOS\xC9\n", Some(Encoding::Utf8), Encoding::Utf8, false),
        (b"n\0i\0k\0,\0n\0a\0m\0a\0", Some(Encoding::Utf16Le), Encoding::Utf16Le, false),
    ] {
        assert_eq!(told(text, asked), (encoding, guessed));
    }
}

#[test]
fn options_of_the_user_win() {
    let text = b"a;b;c\n1;x;3275014101900001\n";
    assert_eq!(found(text, &columns("c", "2")), (';', 3, 2, 1));
    assert_eq!(found(text, &columns("1", "c")), (';', 3, 0, 2));
    assert_eq!(found(b"3275014101900001;BUDI\n", &headless("1", "2")), (';', 2, 0, 1));
    let no_header = ReadOptions { no_header: true, ..ReadOptions::default() };
    assert_eq!(found(b"BUDI;3275014101900001\n", &no_header), (';', 2, 1, 0));
    let comma = ReadOptions { delimiter: Some(b','), ..columns("a", "b") };
    assert_eq!(found(b"a,b\n1;2;3,x\n", &comma), (',', 2, 0, 1));
}

#[test]
fn the_layout_says_why() {
    let layout = inspect(
        &source("no,NIK,nama\n1,3275014101900001,BUDI\n2,,SITI\n"),
        &ReadOptions::default(),
    )
    .unwrap();
    assert_eq!(layout.id.why, "header \"NIK\", and 1 of 1 sampled cells look like NIKs");
    assert_eq!(layout.name.why, "header \"nama\"");
    assert_eq!(layout.seen.line(), "A \"no\", B \"NIK\", C \"nama\"");
    assert_eq!(layout.sampled, 2);
    assert_eq!(layout.header.unwrap()[1], Box::from(&b"NIK"[..]));
}

#[test]
fn says_what_is_wrong_and_what_to_do() {
    let none = ReadOptions::default();
    for (text, message, hint) in [
        (&b""[..], "in: the file is empty", "interrupted"),
        (b"\xEF\xBB\xBF", "in: the file is empty", "interrupted"),
        (b"\n\n\n", "in: the file is empty", "interrupted"),
        (b"n\0i\0k\0,\0", "in, line 1 (byte 1): there is a NUL byte", "UTF-16"),
        (b"\x1F\x8B\x08\0\0", "in: the gzip file is damaged or cut off", "again"),
        (
            b"\xD0\xCF\x11\xE0",
            "in: this is an old Excel workbook (.xls), or one that is locked",
            ".xlsx",
        ),
        (
            b"nik,nama\n1,\"x\n",
            "in, line 2 (row 1, byte 9): a quotation mark that is opened",
            "quotation mark",
        ),
        (
            b"nik,nama\n1,BUDI\n",
            "in: the header of column A says NIK, but only 0 of 1",
            "--id-column A",
        ),
        (
            b"3275014101900001,BUDI\n",
            "in: the first row looks like data",
            "--no-header --id-column A --name-column B",
        ),
        (
            b"x,y\n1,2\n",
            "in: ceknik could not find the NIK column by its header or its cells. The columns are:\n    A   \"x\"",
            "--id-column",
        ),
        (
            // The row above the header is data. It is not left out as a title.
            b"3275014101900002,SITI\n\nnik,nama\n3275014101900001,BUDI\n",
            "in: the first row looks like data",
            "--no-header",
        ),
    ] {
        let (said, advice) = refused(text, &none);
        assert!(said.starts_with(message), "{said}");
        assert!(advice.contains(hint), "{said}: {advice}");
        assert!(!said.contains("BUDI") && !said.contains("3275014101900001"), "{said}");
    }
}

#[test]
fn says_what_is_wrong_with_the_flags() {
    let no_header = ReadOptions { no_header: true, ..ReadOptions::default() };
    let (said, advice) = refused(b"3275014101900001,BUDI,ANI\n", &no_header);
    assert!(said.starts_with("in: each of the columns B, C could be the name column"), "{said}");
    assert_eq!(advice, "choose a column by its letter, its number or its header: --name-column B");
    let (said, _) = refused(b"nik,nama,nik\n1,BUDI,2\n", &columns("nik", "nama"));
    assert!(said.starts_with("in: each of the columns A, C could be the NIK column"), "{said}");
}

#[test]
fn only_a_sample_is_read() {
    let mut text = "nik,nama\n".to_owned();
    text.push_str(&"3275014101900001,BUDI\n".repeat(2000));
    text.push_str("\"never closed");
    let layout = inspect(&source(&text), &ReadOptions::default()).unwrap();
    assert_eq!(layout.sampled, SAMPLE_RECORDS);
}

proptest! {
    #[test]
    fn never_panics(text in proptest::collection::vec(prop_oneof![
        4 => proptest::sample::select(&b"nik,ama;\"\r\n03275"[..]), 1 => any::<u8>()], 0..200), no_header in any::<bool>()) {
        let options = ReadOptions { no_header, ..columns("1", "2") };
        let _ = inspect(&source(&text), &options);
        let _ = inspect(&source(&text), &ReadOptions::default());
    }
}
