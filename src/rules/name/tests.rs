//! Tests of the rules for names: one table for each rule, and properties of any text.

use proptest::prelude::*;

use super::*;

fn sent(raw: &str) -> (String, bool) {
    let reading = check_name(raw, None).unwrap();
    (reading.name.as_str().to_owned(), reading.changed)
}

fn codes(raw: &str) -> String {
    let header = HeaderKey::of("Nama Lengkap");
    match check_name(raw, Some(&header)) {
        Ok(reading) => reading.warnings.iter().map(Warning::code).collect::<Vec<_>>().join(" "),
        Err(rejection) => format!("! {}", rejection.code()),
    }
}

#[test]
fn cleaning_does_what_it_may() {
    for (raw, cleaned) in [
        ("  BUDI SANTOSO ", "BUDI SANTOSO"),
        ("BUDI  SANTOSO", "BUDI SANTOSO"),
        ("BUDI\tSANTOSO", "BUDI SANTOSO"),
        ("BUDI\r\nSANTOSO\n", "BUDI SANTOSO"),
        ("BUDI\u{A0}\u{2003}SANTOSO", "BUDI SANTOSO"),
        ("BUDI \u{200B} SANTOSO", "BUDI SANTOSO"),
        ("\u{FEFF}BUDI\u{200B} SAN\u{AD}TOSO", "BUDI SANTOSO"),
        ("BUDI\u{7} SANTOSO\u{85}", "BUDI SANTOSO"),
        ("Nu’man", "Nu'man"),
        ("‘Aisyah", "'Aisyah"),
        ("Nuʼman Nuʻman Nu`man Nu´man", "Nu'man Nu'man Nu'man Nu'man"),
        ("SITI–AMINAH—ZAHRA", "SITI-AMINAH-ZAHRA"),
        ("Jose\u{301}", "José"),
        ("Jose\u{200B}\u{301}", "José"),
    ] {
        assert_eq!(sent(raw), (cleaned.to_owned(), true), "{raw:?}");
        assert_eq!(clean_name(raw), cleaned);
    }
}

#[test]
fn cleaning_leaves_the_rest_alone() {
    for raw in [
        "BUDI SANTOSO",
        "budi santoso",
        "H. M. Budi",
        "Muh. Ali bin Hasan, S.E.",
        "Siti",
        "O'Neil",
        "José",
        "Hj. Dr. AMINAH",
        "A.A. Gde-Rai",
        "李小龍",
    ] {
        assert_eq!(sent(raw), (raw.to_owned(), false), "{raw:?}");
    }
}

#[test]
fn judges_the_name() {
    let sixty = "A".repeat(60);
    let sixty_one = "A".repeat(61);
    let long_with_spaces = format!("{} {}", "A".repeat(30), "É".repeat(30));
    for (raw, expected) in [
        ("", "! name_empty"),
        ("   ", "! name_empty"),
        ("\u{FEFF}\u{A0}", "! name_empty"),
        ("3275014101900001", "! name_not_a_name"),
        ("12 34", "! name_not_a_name"),
        ("-", "! name_not_a_name"),
        ("...", "! name_not_a_name"),
        ("1.", "! name_not_a_name"),
        ("—", "! name_not_a_name"),
        ("\u{FFFD}", "! name_not_a_name"),
        ("BUDI 3275014101900001", "! name_not_a_name"),
        ("BUDI 327501410190001", "! name_not_a_name"),
        ("BUDI 32750141019000", "name_has_digits"),
        ("#BUDI", ""),
        ("#N/A", "! name_placeholder"),
        (" #REF! ", "! name_placeholder"),
        ("NULL", "! name_placeholder"),
        ("nan", "! name_placeholder"),
        ("NAN", ""),
        ("BUDI 2", "name_has_digits"),
        ("BUDI ２", "name_has_digits"),
        ("BUDI, S.E.", "name_has_comma"),
        ("JOSÉ, S.E.", "name_has_comma"),
        ("BUDI (ALM)", "name_has_brackets"),
        ("BUDI [ALM]", "name_has_brackets"),
        ("JOSÉ {X}", "name_has_brackets"),
        ("budi@example.com", "name_has_at"),
        ("é@x", "name_has_at"),
        ("JosÃ©", "name_mojibake"),
        ("Nuâ€™man", "name_mojibake"),
        ("BUDI\u{FFFD}", "name_mojibake"),
        ("B", "name_one_letter"),
        ("B.", "name_one_letter"),
        ("É", "name_one_letter"),
        (&sixty, ""),
        (&sixty_one, "name_over_60"),
        (&long_with_spaces, ""),
        ("Nama Lengkap", "name_is_header"),
        ("NAMA_LENGKAP", "name_is_header"),
        ("nama  lengkap ", "name_is_header"),
        ("Nama", ""),
        ("Nama Lengkap Saya", ""),
        ("SITI", ""),
        ("B1, (@)", "name_has_digits name_has_comma name_has_brackets name_has_at name_one_letter"),
    ] {
        assert_eq!(codes(raw), expected, "{raw:?}");
    }
}

fn near_name() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[A-Za-z .'’`´–,0-9-]{0,8}",
        "[ \t\r\n\u{A0}\u{2000}\u{200B}\u{FEFF}\u{AD}]{1,3}",
        "[\u{300}-\u{345}\u{1FEF}\u{1FFD}\u{37E}\u{212B}]",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn cleaning_is_idempotent(raw in prop_oneof![near_name(), any::<String>()]) {
        let once = clean_name(&raw).into_owned();
        prop_assert_eq!(clean_name(&once), once.as_str());
    }

    #[test]
    fn the_fast_way_and_the_careful_way_agree(raw in "[ -~]{0,80}") {
        if let Some(fast) = scan_clean_ascii(raw.as_bytes()) {
            let slow = scan(&raw);
            prop_assert_eq!(fold(&raw), raw);
            prop_assert_eq!(fast.letters, slow.letters);
            prop_assert_eq!(fast.warnings, slow.warnings);
        }
    }

    #[test]
    fn what_is_sent_is_tidy(raw in near_name()) {
        if let Ok(reading) = check_name(&raw, None) {
            let name = reading.name.as_str();
            prop_assert_eq!(name.trim(), name);
            prop_assert!(!name.contains("  "));
            prop_assert!(!name.chars().any(char::is_control));
            prop_assert_eq!(reading.changed, name != raw);
            prop_assert!(unicode_normalization::is_nfc(name));
        }
    }
}
