//! Tests of the choice of columns, and of the texts of its errors.

use super::error::SHOWN_COLUMNS;
use super::table::column_of_letters;
use super::*;
use crate::error::hints::typed_flags;

const EMPTY: ColumnLook =
    ColumnLook { filled: 0, like_nik: 0, niks: 0, letters: 0, like_name: 0, distinct: 0 };
const NIKS: ColumnLook = ColumnLook { filled: 100, like_nik: 80, niks: 80, distinct: 80, ..EMPTY };
const FEW: ColumnLook = ColumnLook { like_nik: 79, niks: 79, ..NIKS };
/// A column that is nearly empty.
const SOME: ColumnLook = ColumnLook { filled: 3, like_nik: 3, niks: 3, distinct: 3, ..EMPTY };
/// Numbers of 16 digits that are not NIKs.
const CARDS: ColumnLook = ColumnLook { niks: 10, ..NIKS };
const TEXT: ColumnLook =
    ColumnLook { filled: 100, letters: 100, like_name: 100, distinct: 90, ..EMPTY };
/// Words that repeat.
const TOWNS: ColumnLook = ColumnLook { distinct: 5, ..TEXT };
const CODES: ColumnLook = ColumnLook { filled: 100, distinct: 100, ..EMPTY };

fn choose(
    table: &[(&str, ColumnLook)],
    id: Option<&str>,
    name: Option<&str>,
) -> Result<ColumnChoice, ColumnError> {
    let headers: Vec<_> = table.iter().map(|(header, _)| (*header).to_owned()).collect();
    let looks: Vec<_> = table.iter().map(|(_, look)| *look).collect();
    let (id, name) = (id.map(ColumnSpec::from), name.map(ColumnSpec::from));
    let wanted = Wanted { id: id.as_ref(), name: name.as_ref() };
    choose_columns(Table { headers: Some(&headers), certain: true, looks: &looks }, wanted)
}

fn found(table: &[(&str, ColumnLook)]) -> (usize, usize) {
    let choice = choose(table, None, None).unwrap();
    (choice.id.index, choice.name.index)
}

#[test]
fn finds_the_columns() {
    for (table, columns) in [
        (&[("nik", NIKS), ("nama", TEXT)][..], (0, 1)),
        (&[("Nama Lengkap", TEXT), ("No. KTP", NIKS)], (1, 0)),
        // An explicit KTP header beats a bare NIK, which beats a vague one.
        (&[("NIK", NIKS), ("No KTP", NIKS), ("Nama", TEXT)], (1, 2)),
        (&[("No Identitas", NIKS), ("NIK", NIKS), ("Nama", TEXT)], (1, 2)),
        // Only the cells tell an employee number from a NIK.
        (&[("NIK", TEXT), ("No KTP", NIKS), ("Nama", TEXT)], (1, 2)),
        (&[("NIK", NIKS), ("No KTP", TEXT), ("Nama", TEXT)], (0, 2)),
        (&[("NIK", NIKS), ("No KTP", EMPTY), ("Nama", TEXT)], (0, 2)),
        // The number of a family card has 16 digits too.
        (&[("No KK", NIKS), ("NIK", NIKS), ("Nama", TEXT)], (1, 2)),
        (&[("NIK", NIKS), ("NIK", TEXT), ("Nama", TEXT)], (0, 2)),
        // Names: on the card, in the role of the NIK, full.
        (&[("NIK", NIKS), ("Nama", TEXT), ("Nama KTP", TEXT), ("Nama Ibu", TEXT)], (0, 2)),
        (
            &[
                ("NIK Debitur", NIKS),
                ("Nama", TEXT),
                ("Nama Debitur", TEXT),
                ("Nama Pemohon", TEXT),
            ],
            (0, 2),
        ),
        (&[("NIK", NIKS), ("Nama", TEXT), ("Nama Lengkap", TEXT)], (0, 2)),
        (&[("NIK", NIKS), ("Nama Nasabah", TEXT), ("Nama Ibu Kandung", TEXT)], (0, 1)),
        (&[("NIK Nasabah", NIKS), ("Nama Karyawan", TEXT), ("Customer Name", TEXT)], (0, 2)),
        // The cells decide if the headers do not: one column cannot be anything else.
        (&[("Nomor", NIKS), ("Orang", TEXT), ("Kota", TOWNS), ("Kode", CODES)], (0, 1)),
        (&[("KTP YBS", NIKS), ("Nama KRT", TEXT)], (0, 1)),
        (&[("No KK", NIKS), ("Unik", NIKS), ("Nama", TEXT)], (1, 2)),
        (&[("NIK", CODES), ("Nomor Lain", NIKS), ("Nama", TEXT)], (1, 2)),
        (&[("", NIKS), ("", TEXT)], (0, 1)),
        // The customer's own column is preferred to one in a role. Roles go together.
        (&[("NIK", NIKS), ("Nama", TEXT), ("No KTP Penjual", NIKS)], (0, 1)),
        (&[("NIK Pembeli", NIKS), ("Nama Pembeli", TEXT), ("Nama KTP Penjual", TEXT)], (0, 1)),
        (&[("NIK Pegawai", NIKS), ("Nama Peminjam", TEXT), ("Kota", TOWNS)], (0, 1)),
        (&[("NIK Nasabah", NIKS), ("No KTP Nasabah", NIKS), ("Nama", TEXT)], (1, 2)),
        (&[("No KTP Istri", NIKS), ("NIK", NIKS), ("Nama", TEXT)], (1, 2)),
        (&[("No KTP Aktif", SOME), ("NIK", NIKS), ("Nama", TEXT)], (1, 2)),
        // A name header above something else is ignored.
        (&[("NIK", NIKS), ("Nama", CODES), ("Nama Lengkap Nasabah", TEXT)], (0, 2)),
        // A file without rows.
        (&[("nik", EMPTY), ("nama", EMPTY)], (0, 1)),
    ] {
        assert_eq!(found(table), columns, "{table:?}");
    }
}

#[test]
fn refuses_to_guess() {
    let refused = |table: &[(&str, ColumnLook)]| choose(table, None, None).unwrap_err();
    for (table, role, places) in [
        (&[("NIK", NIKS), ("NIK", NIKS), ("Nama", TEXT)][..], Role::Id, vec![1, 2]),
        (&[("No KTP", NIKS), ("KTP", NIKS), ("Nama", TEXT)], Role::Id, vec![1, 2]),
        (&[("No KTP", EMPTY), ("KTP", EMPTY), ("Nama", TEXT)], Role::Id, vec![1, 2]),
        (&[("NIK", NIKS), ("Nama", TEXT), ("Nama", TEXT)], Role::Name, vec![2, 3]),
        (&[("NIK", NIKS), ("Nama", TEXT), ("Nama Karyawan", TEXT)], Role::Name, vec![2, 3]),
        (&[("NIK", NIKS), ("Nama Debitur", TEXT), ("Nama Pemohon", TEXT)], Role::Name, vec![2, 3]),
        (&[("NIK Nasabah", NIKS), ("No KTP Karyawan", NIKS), ("Nama", TEXT)], Role::Id, vec![1, 2]),
        (
            &[("Nama Debitur", TEXT), ("NIK Debitur", EMPTY), ("NIK Xyz", NIKS)],
            Role::Id,
            vec![2, 3],
        ),
        (
            &[("NIK Nasabah", NIKS), ("Nasabah", TEXT), ("Nama Karyawan", TEXT)],
            Role::Name,
            vec![2, 3],
        ),
        (&[("No KTP", NIKS), ("Debitur", TEXT), ("Nama Xyz", TEXT)], Role::Name, vec![2, 3]),
        (&[("a", NIKS), ("b", NIKS), ("Nama", TEXT)], Role::Id, vec![1, 2]),
        (&[("NIK", NIKS), ("b", TEXT), ("c", TEXT)], Role::Name, vec![2, 3]),
    ] {
        let places: Vec<_> = places.into_iter().map(|place: usize| place - 1).collect();
        match refused(table) {
            ColumnError::Ambiguous { role: r, columns, .. } => {
                assert_eq!((r, columns), (role, places))
            }
            other => panic!("{table:?}: {other}"),
        }
    }
    let error = refused(&[("NIK", FEW), ("Nama", TEXT)]);
    assert!(matches!(error, ColumnError::NotNiks { column: 0, .. }), "{error}");
    for (table, role) in [
        // Other persons, other numbers and parts of a name, whatever the cells hold.
        (&[("No KK", NIKS), ("Nama", TEXT)][..], Role::Id),
        (&[("NIK Pasangan", NIKS), ("Nama", TEXT)], Role::Id),
        (&[("NIK Mertua", NIKS), ("Nama Debitur", TEXT)], Role::Id),
        (&[("NIK", NIKS), ("Nama Direktur", TEXT)], Role::Name),
        (&[("NIK Pemilik Rumah", NIKS), ("Nama Penyewa", TEXT)], Role::Name),
        (&[("Nomor Kartu Kredit", NIKS), ("Nama", TEXT)], Role::Id),
        (&[("Nomor", CARDS), ("Nama", TEXT)], Role::Id),
        (&[("NIK", NIKS), ("Nama Ibu Kandung", TEXT)], Role::Name),
        (&[("NIK", NIKS), ("First Name", TEXT), ("Nama Cabang", TEXT)], Role::Name),
        (&[("NIK", NIKS), ("Kota Asal Xyz", TOWNS)], Role::Name),
        (&[], Role::Id),
    ] {
        let error = refused(table);
        let found = matches!(error, ColumnError::NotFound { role: r, .. } if r == role);
        assert!(found, "{table:?}: {error}");
    }
}

#[test]
fn what_the_user_names_wins() {
    let table = [
        ("NIK", TEXT),
        ("No KK", TEXT),
        ("nama", TEXT),
        ("Nama Ibu", TEXT),
        ("Nama", TEXT),
        ("x y", TEXT),
    ];
    for (id, name, expected) in [
        ("NIK", "3", Ok((0, 2))),
        ("1", "4", Ok((0, 3))),
        ("no kk", "Nama Ibu", Ok((1, 3))),
        ("No. KK", "nama", Ok((1, 2))),
        ("X_Y", "Nama", Ok((5, 4))),
        // By letter, by a part that no other header has, or mixed.
        ("A", "c", Ok((0, 2))),
        ("B", "5", Ok((1, 4))),
        ("kk", "ibu", Ok((1, 3))),
        ("NIK", "NAMA", Err("each of the columns C, E could be the name column")),
        ("NIK", "nam", Err("each of the columns C, D, E could be the name column")),
        ("NIK", "alamat", Err("--name-column \"alamat\": there is no such column")),
        ("NIK", "G", Err("--name-column \"G\": there is no such column")),
        ("---", "nama", Err("--id-column \"---\": there is no such column")),
        ("0", "nama", Err("--id-column 0: there is no such column; the first row has 6 columns")),
        ("7", "nama", Err("--id-column 7: there is no such column; the first row has 6 columns")),
        ("99999999999999999999999", "nama", Err("--id-column")),
        ("1", "NIK", Err("column A cannot be both")),
    ] {
        let choice = choose(&table, Some(id), Some(name));
        match (choice, expected) {
            (Ok(choice), Ok(columns)) => assert_eq!((choice.id.index, choice.name.index), columns),
            (Err(error), Err(text)) => assert!(error.to_string().starts_with(text), "{error}"),
            (choice, expected) => panic!("{id} {name}: {choice:?}, not {expected:?}"),
        }
    }
}

#[test]
fn one_may_be_named_and_the_other_found() {
    let table = [("No KK", NIKS), ("NIK", FEW), ("Nama", TEXT)];
    let choice = choose(&table, Some("NIK"), None).unwrap();
    assert_eq!((choice.id.index, choice.name.index), (1, 2));
    assert_eq!(choice.id.why, "--id-column \"NIK\"");
    assert_eq!(choice.name.why, "header \"Nama\"");
}

#[test]
fn a_first_row_of_data_is_no_header() {
    let table = [("3275014101900001", NIKS), ("BUDI", TEXT)];
    let error = choose(&table, None, None).unwrap_err();
    assert_eq!(typed_flags(&error), "--no-header --id-column A --name-column B");
    assert!(!format!("{error} {error:?}").contains("BUDI"));
    let swapped = [("BUDI", CODES), ("3275014101900001", NIKS)];
    let error = choose(&swapped, None, None).unwrap_err();
    assert_eq!(typed_flags(&error), "--no-header --id-column B --name-column A");
    let wide = [("1", CODES), ("BUDI", TEXT), ("3.27501E+15", NIKS), ("SITI", TEXT)];
    let error = choose(&wide, Some("3"), None).unwrap_err();
    assert_eq!(typed_flags(&error), "--no-header --id-column C --name-column LETTER");
    assert!(choose(&wide, Some("3"), Some("2")).is_err());
    let error = choose(&wide, Some("NIK"), None).unwrap_err();
    assert!(matches!(error, ColumnError::FirstRowIsData { column: 2, .. }), "{error}");
    // Both columns are named: a long number in another header does not matter.
    let odd = [("NIK", NIKS), ("nama", TEXT), ("202401010000", TEXT)];
    assert!(choose(&odd, Some("1"), Some("2")).is_ok());
    assert!(choose(&odd, None, None).is_err());
}

#[test]
fn without_headers_columns_go_by_place_or_by_their_cells() {
    let go = |id: Option<&str>, name: Option<&str>, looks: &[ColumnLook]| {
        let (id, name) = (id.map(ColumnSpec::from), name.map(ColumnSpec::from));
        let wanted = Wanted { id: id.as_ref(), name: name.as_ref() };
        let choice = choose_columns(Table { headers: None, certain: false, looks }, wanted);
        choice.map(|choice| (choice.id.index, choice.name.index))
    };
    let looks = &[NIKS, TEXT];
    assert_eq!(go(Some("1"), Some("2"), looks), Ok((0, 1)));
    assert_eq!(go(Some("B"), Some("a"), looks), Ok((1, 0)));
    assert_eq!(go(None, Some("2"), looks), Ok((0, 1)));
    assert_eq!(go(None, None, looks), Ok((0, 1)));
    let refused = |id, name, looks: &[ColumnLook]| go(id, name, looks).unwrap_err().to_string();
    assert!(
        refused(None, None, &[NIKS, TEXT, TEXT])
            .starts_with("each of the columns B, C could be the")
    );
    assert!(
        refused(None, None, &[CODES, TEXT]).starts_with("ceknik could not find the NIK column")
    );
    assert!(refused(Some("nik"), Some("2"), looks).contains("there is no such column"));
    assert!(refused(Some("1"), Some("3"), looks).contains("the first row has 2 columns"));
    assert_eq!(go(Some("2"), Some("2"), looks), Err(ColumnError::SameColumn { column: 1 }));
}

#[test]
fn a_refusal_lists_the_columns_and_ends_in_a_command() {
    let table = [
        ("No", CODES),
        ("Nama Cabang", TOWNS),
        ("rek 1234567", CODES),
        ("NIK", NIKS),
        ("Orang", TEXT),
        ("Penanggung", TEXT),
        ("Kawan", TEXT),
        ("", EMPTY),
    ];
    let error = choose(&table, None, None).unwrap_err();
    let expected = "\
each of the columns E, G could be the name column. The columns are:
    A   \"No\"           something else
    B   \"Nama Cabang\"  names: 100 of 100 cells, header: not the customer's NIK or full name
    C   \"xxx #######\"  something else
    D   \"NIK\"          NIKs: 80 of 100 cells
    E   \"Orang\"        names: 100 of 100 cells
    F   \"Penanggung\"   names: 100 of 100 cells, header: not the customer's NIK or full name
    G   \"Kawan\"        names: 100 of 100 cells
    H   \"\"             empty";
    assert_eq!(error.to_string(), expected);
    assert_eq!(typed_flags(&error), "--name-column E");
    // Another person's column is never proposed.
    for (table, flags) in [
        (&[("NIK", NIKS), ("Nama Ibu", TEXT)][..], "--name-column LETTER"),
        (&[("NIK", NIKS), ("Nama Ibu", TEXT), ("Nama Ayah", TEXT)], "--name-column LETTER"),
        (&[("NIK Pasangan", NIKS), ("Nama", TEXT)], "--id-column LETTER"),
    ] {
        let error = choose(table, None, None).unwrap_err();
        assert_eq!(typed_flags(&error), flags);
    }
}

#[test]
fn many_columns_are_listed_in_part() {
    let seen = |columns: usize| {
        let (headers, looks) = (vec!["No".to_owned(); columns], vec![EMPTY; columns]);
        Seen::of(Table { headers: Some(&headers), certain: true, looks: &looks })
    };
    let all = seen(SHOWN_COLUMNS);
    assert_eq!(all.columns().len(), SHOWN_COLUMNS);
    assert!(all.line().starts_with("A \"No\", B \"No\"") && all.line().ends_with("BH \"No\""));
    assert!(all.to_string().ends_with("BH  \"No\"  empty"), "{all}");
    assert!(seen(SHOWN_COLUMNS + 1).line().ends_with("BH \"No\", and 1 more"));
    assert!(seen(SHOWN_COLUMNS + 1).to_string().ends_with("and 1 more column"));
}

#[test]
fn columns_have_letters_as_in_a_spreadsheet() {
    for (index, letters) in [
        (0, "A"),
        (25, "Z"),
        (26, "AA"),
        (51, "AZ"),
        (52, "BA"),
        (701, "ZZ"),
        (702, "AAA"),
        (16_383, "XFD"),
    ] {
        assert_eq!(column_letters(index), letters);
        assert_eq!(column_of_letters(&letters.to_lowercase()), Some(index));
    }
    for text in ["", "A1", "É", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(column_of_letters(text), None, "{text}");
    }
}

#[test]
fn a_choice_says_why() {
    let why = |look| choose(&[("NIK", look), ("Nama", TEXT)], None, None).unwrap().id.why;
    assert_eq!(why(EMPTY), "header \"NIK\" (no cell is filled in the sample)");
    assert_eq!(why(NIKS), "header \"NIK\", and 80 of 100 sampled cells look like NIKs");
}
