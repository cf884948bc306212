//! Which columns are taken from which table, and how a refusal reads.

use super::error::SHOWN_COLUMNS;
use super::*;

const NIKS: ColumnLook = ColumnLook { filled: 100, like_nik: 80 };
const FEW: ColumnLook = ColumnLook { filled: 100, like_nik: 79 };
const TEXT: ColumnLook = ColumnLook { filled: 100, like_nik: 0 };
const EMPTY: ColumnLook = ColumnLook { filled: 0, like_nik: 0 };

fn choose(
    table: &[(&str, ColumnLook)],
    id: Option<&str>,
    name: Option<&str>,
) -> Result<ColumnChoice, ColumnError> {
    let headers: Vec<_> = table.iter().map(|(header, _)| (*header).to_owned()).collect();
    let looks: Vec<_> = table.iter().map(|(_, look)| *look).collect();
    let (id, name) = (id.map(ColumnSpec::from), name.map(ColumnSpec::from));
    let wanted = Wanted { id: id.as_ref(), name: name.as_ref() };
    choose_columns(Table { headers: Some(&headers), looks: &looks }, wanted)
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
        // Only cells decide between employee number and NIK.
        (&[("NIK", TEXT), ("No KTP", NIKS), ("Nama", TEXT)], (1, 2)),
        (&[("NIK", NIKS), ("No KTP", TEXT), ("Nama", TEXT)], (0, 2)),
        (&[("NIK", NIKS), ("No KTP", EMPTY), ("Nama", TEXT)], (0, 2)),
        // A family card's number has 16 digits too.
        (&[("No KK", NIKS), ("NIK", NIKS), ("Nama", TEXT)], (1, 2)),
        (&[("NIK", NIKS), ("NIK", TEXT), ("Nama", TEXT)], (0, 2)),
        // Names: of the card, of the NIK's role, whole.
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
    ] {
        match refused(table) {
            ColumnError::Ambiguous { role: r, columns, .. } => {
                assert_eq!((r, columns), (role, places))
            }
            other => panic!("{table:?}: {other}"),
        }
    }
    let error = refused(&[("NIK", FEW), ("Nama", TEXT)]);
    assert!(matches!(error, ColumnError::NotNiks { column: 1, .. }), "{error}");
    let error = refused(&[("No KK", NIKS), ("Nama", TEXT)]);
    assert!(matches!(error, ColumnError::NotFound { role: Role::Id, .. }), "{error}");
    let error = refused(&[("NIK", NIKS), ("Nama Ibu Kandung", TEXT)]);
    assert!(matches!(error, ColumnError::NotFound { role: Role::Name, .. }), "{error}");
    let error = refused(&[]);
    assert!(matches!(error, ColumnError::NotFound { role: Role::Id, .. }), "{error}");
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
        ("NIK", "NAMA", Err("columns 3, 5 fit equally well as the name")),
        ("NIK", "alamat", Err("--name-column \"alamat\": no such column")),
        ("---", "nama", Err("--id-column \"---\": no such column")),
        ("0", "nama", Err("--id-column 0: the first row has 6 columns")),
        ("7", "nama", Err("--id-column 7: the first row has 6 columns")),
        ("99999999999999999999999", "nama", Err("--id-column")),
        ("1", "NIK", Err("column 1 can't be both")),
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
    assert_eq!(error.hint(), "use --no-header --id-column 1 --name-column 2");
    assert!(!format!("{error} {error:?}").contains("BUDI"));
    let wide = [("1", TEXT), ("BUDI", TEXT), ("3.27501E+15", NIKS)];
    let error = choose(&wide, Some("3"), None).unwrap_err();
    assert_eq!(error.hint(), "use --no-header --id-column 3 --name-column M");
    assert!(choose(&wide, Some("3"), Some("2")).is_err());
    let error = choose(&wide, Some("NIK"), None).unwrap_err();
    assert!(matches!(error, ColumnError::FirstRowIsData { column: 3, .. }), "{error}");
    // Both named: a long number in another header is let be.
    let odd = [("NIK", NIKS), ("nama", TEXT), ("202401010000", TEXT)];
    assert!(choose(&odd, Some("1"), Some("2")).is_ok());
    assert!(choose(&odd, None, None).is_err());
}

#[test]
fn without_headers_columns_go_by_number() {
    let go = |id: Option<&ColumnSpec>, name: Option<&ColumnSpec>| {
        choose_columns(Table { headers: None, looks: &[NIKS, TEXT] }, Wanted { id, name })
    };
    let [one, two, three, nik] = ["1", "2", "3", "nik"].map(ColumnSpec::from);
    assert_eq!(go(Some(&one), Some(&two)).unwrap().name.index, 1);
    assert_eq!(go(Some(&two), Some(&one)).unwrap().id.index, 1);
    assert_eq!(go(None, Some(&two)), Err(ColumnError::NeedsNumbers));
    assert_eq!(go(Some(&nik), Some(&two)), Err(ColumnError::NeedsNumbers));
    assert!(matches!(
        go(Some(&one), Some(&three)),
        Err(ColumnError::NoSuchIndex { asked: 3, width: 2, .. })
    ));
    assert_eq!(go(Some(&two), Some(&two)), Err(ColumnError::SameColumn { column: 2 }));
}

#[test]
fn a_refusal_lists_the_columns_masked() {
    let table = [("No", TEXT), ("Cabang", TEXT), ("rek 1234567", TEXT), ("", TEXT)];
    let error = choose(&table, None, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no column has a header that we know as the NIK; columns seen: 1 \"No\", 2 \"Cabang\", 3 \"rek ******\", 4 \"\""
    );
    assert_eq!(error.hint(), "name it: --id-column followed by the header or its number");
}

#[test]
fn the_sample_counts_filled_cells() {
    let mut look = ColumnLook::default();
    for cell in ["", "  ", "3275014101900001", "3.27501E+15", "BUDI", "327501"] {
        look.add(cell);
    }
    assert_eq!(look, ColumnLook { filled: 4, like_nik: 2 });
}

#[test]
fn a_header_has_both_names_or_the_numbers_that_were_asked_for() {
    for (row, id, name, is_header) in [
        ("No|NIK|Nama", None, None, true),
        ("No|NIK|Alamat", None, None, false),
        ("No|Alamat|Nama", None, None, false),
        ("Data nasabah||", None, None, false),
        // By the name that was asked for, and by no other.
        ("No|No. Induk|Nama", Some("no induk"), None, true),
        ("No|NIK|Nama", Some("no induk"), None, false),
        ("NIK|Debitur", None, Some("Debitur"), true),
        ("NIK|Nama", None, Some("Debitur"), false),
        ("NIK|Debitur", Some("NIK"), Some("Debitur"), true),
        // By numbers, any filled record that is wide enough.
        ("a|b|c", Some("1"), Some("3"), true),
        ("a|b|c", Some("3"), Some("1"), true),
        ("a|b|c", Some("1"), Some("4"), false),
        ("||", Some("1"), Some("3"), false),
        // One by number: the other still has to be told by its name.
        ("a|Nama", Some("1"), None, false),
        ("NIK|Nama", Some("1"), None, true),
    ] {
        let (id_spec, name_spec) = (id.map(ColumnSpec::from), name.map(ColumnSpec::from));
        let wanted = Wanted { id: id_spec.as_ref(), name: name_spec.as_ref() };
        assert_eq!(wanted.is_header(row.split('|')), is_header, "{row} {id:?} {name:?}");
    }
}

#[test]
fn many_columns_are_listed_in_part() {
    let seen = |columns: usize| Seen::of(&vec!["No".to_owned(); columns]);
    let all = seen(SHOWN_COLUMNS);
    assert_eq!(all.names(), vec!["No".to_owned(); SHOWN_COLUMNS]);
    assert!(all.to_string().ends_with(&format!("{SHOWN_COLUMNS} \"No\"")), "{all}");
    assert!(seen(SHOWN_COLUMNS + 1).to_string().ends_with("\"No\", and 1 more"));
}

#[test]
fn a_hint_for_two_columns_is_whole() {
    for (column, width, hint) in [
        (1, 2, "use --no-header --id-column 1 --name-column 2"),
        (2, 2, "use --no-header --id-column 2 --name-column 1"),
        (2, 3, "use --no-header --id-column 2 --name-column M"),
    ] {
        assert_eq!(ColumnError::FirstRowIsData { column, width }.hint(), hint);
    }
}

#[test]
fn a_choice_says_why() {
    let why = |look| choose(&[("NIK", look), ("Nama", TEXT)], None, None).unwrap().id.why;
    assert_eq!(why(EMPTY), "header \"NIK\" (no cell is filled in the sample)");
    assert_eq!(why(NIKS), "header \"NIK\", and 80 of 100 sampled cells look like NIKs");
}
