//! Tests of the rules for NIKs: one table for each rule, and properties of any text.

use proptest::prelude::*;

use super::*;

const GOOD: &str = "3275014101900001";

const STRICT: NikPolicy =
    NikPolicy { send_truncated: false, send_odd_dates: false, send_temporary: false };
const LENIENT: NikPolicy =
    NikPolicy { send_truncated: true, send_odd_dates: true, send_temporary: false };

fn code(raw: &str, policy: &NikPolicy) -> String {
    match check_nik(raw, policy) {
        Ok((_, warnings)) => warnings.iter().map(Warning::code).collect::<Vec<_>>().join(" "),
        Err(rejection) => format!("! {}", rejection.code()),
    }
}

#[test]
fn cleaning_finds_the_digits() {
    for raw in [
        "3275014101900001",
        " 3275014101900001\t",
        "\u{FEFF}3275014101900001",
        "3275014101900001\u{200B}",
        "\u{200E}3275014101900001\u{202C}",
        "\u{00A0}3275014101900001\u{3000}",
        "3275014101900001\u{7F}\u{1}",
        "3275014101900001\r\n",
        "'3275014101900001",
        "''3275014101900001",
        "’3275014101900001",
        "'3275014101900001'",
        "\"3275014101900001\"",
        "“3275014101900001”",
        "=\"3275014101900001\"",
        " = \"3275014101900001\" ",
        "'=\"3275014101900001\"",
        "３２７５０１４１０１９００００１",
        "3275-0141-0190-0001",
        "32.75.01.410190.0001",
        "3275 0141 0190 0001",
        "3275014101900001.",
        "3275014101900001.0",
        "3275014101900001.00",
        "\"3275014101900001.0\"",
        "-'3275014101900001",
    ] {
        assert_eq!(clean_nik(raw), GOOD, "{raw:?}");
        assert_eq!(code(raw, &STRICT), "", "{raw:?}");
    }
}

#[test]
fn rejects_what_is_no_nik() {
    for (raw, expected) in [
        ("", "! nik_empty"),
        ("   ", "! nik_empty"),
        ("-", "! nik_empty"),
        ("'", "! nik_empty"),
        ("\"\"", "! nik_empty"),
        ("\u{FEFF}\u{200B}", "! nik_empty"),
        ("327501410190000", "! nik_length"),
        ("32750141019000011", "! nik_length"),
        ("1", "! nik_length"),
        // The zero of a decimal is not a digit of the NIK.
        ("327501410190001.0", "! nik_length"),
        ("32750141019000.00", "! nik_length"),
        ("917501410190001.0", "! nik_length"),
        ("99999999999999999999999.0", "! nik_length"),
        ("BUDI SANTOSO", "! nik_not_digits"),
        ("327501410190000X", "! nik_not_digits"),
        ("3275014101900001X", "! nik_not_digits"),
        ("327501410190OOO1", "! nik_not_digits"),
        ("3275/0141/0190/0001", "! nik_not_digits"),
        ("3275014101900001,0", "! nik_not_digits"),
        ("٣٢٧٥٠١٤١٠١٩٠٠٠٠١", "! nik_not_digits"),
        ("N/A", "! nik_not_digits"),
        ("1E", "! nik_not_digits"),
        ("E15", "! nik_not_digits"),
        ("3.27501E+15", "! excel_scientific"),
        ("3,27501E+15", "! excel_scientific"),
        ("3.27501e15", "! excel_scientific"),
        ("3E15", "! excel_scientific"),
        (" '3.27501E+15 ", "! excel_scientific"),
        ("=\"3.27501E+15\"", "! excel_scientific"),
        ("3.275014101900001E+15", "! excel_scientific"),
        ("9175014101900001.0", "! excel_rounded"),
        ("9007199254740992.0", "! excel_rounded"),
        ("9975014101900001.00", "! excel_rounded"),
    ] {
        assert_eq!(code(raw, &STRICT), expected, "{raw:?}");
        assert_eq!(code(raw, &LENIENT), expected, "no flag saves {raw:?}");
    }
}

#[test]
fn judges_serial_and_date() {
    for (raw, strict, lenient) in [
        ("0000000000000000", "! nik_placeholder", "! nik_placeholder"),
        ("1111111111111111", "! nik_placeholder", "! nik_placeholder"),
        ("9999999999999999", "! nik_placeholder", "! nik_placeholder"),
        ("0123456789012345", "! nik_placeholder", "! nik_placeholder"),
        ("1234567890123456", "! nik_placeholder", "! nik_placeholder"),
        ("1234567890987654", "! nik_placeholder", "! nik_placeholder"),
        ("3275014101900000", "! excel_truncated", "nik_serial_zero"),
        ("3275010113900000", "! excel_truncated", "nik_serial_zero nik_date_odd"),
        ("3275014101900010", "", ""),
        ("3275010001900001", "! nik_date", "nik_date_odd"),
        ("3275010101900001", "", ""),
        ("3275013101900001", "", ""),
        ("3275013201900001", "! nik_date", "nik_date_odd"),
        ("3275014001900001", "! nik_date", "nik_date_odd"),
        ("3275014101900001", "", ""),
        ("3275017101900001", "", ""),
        ("3275017201900001", "! nik_date", "nik_date_odd"),
        ("3275019901900001", "! nik_date", "nik_date_odd"),
        ("3275010100900001", "! nik_date", "nik_date_odd"),
        ("3275010112900001", "", ""),
        ("3275010113900001", "! nik_date", "nik_date_odd"),
        ("3275010199900001", "! nik_date", "nik_date_odd"),
    ] {
        assert_eq!(code(raw, &STRICT), strict, "{raw:?}");
        assert_eq!(code(raw, &LENIENT), lenient, "{raw:?}");
    }
}

#[test]
fn warns_past_the_months_end() {
    for (day_month_year, past) in [
        ("300290", true),
        ("700290", true),
        ("290292", false),
        ("290200", false),
        ("290291", true),
        ("690291", true),
        ("280291", false),
        ("310490", true),
        ("710690", true),
        ("310990", true),
        ("311190", true),
        ("300490", false),
        ("310390", false),
        ("711290", false),
    ] {
        let expected = if past { "nik_day_past_month_end" } else { "" };
        assert_eq!(
            code(&format!("327501{day_month_year}0001"), &STRICT),
            expected,
            "{day_month_year}"
        );
    }
}

#[test]
fn warns_of_odd_places() {
    for (place, expected) in [
        ("997501", ""),
        ("097501", ""),
        ("107501", ""),
        ("547501", ""),
        ("917501", ""),
        ("967501", ""),
        ("977501", "nik_province_unknown"),
        ("227501", "nik_province_unknown"),
        ("207501", "nik_province_unknown"),
        ("320001", "nik_regency_odd"),
        ("327001", "nik_regency_odd"),
        ("327101", ""),
        ("327500", "nik_district_zero"),
        ("220000", "nik_province_unknown nik_regency_odd nik_district_zero"),
        // Never issued by the registry. Other oddities in them do not matter.
        ("000000", "! nik_temporary"),
        ("087501", "! nik_temporary"),
    ] {
        assert_eq!(code(&format!("{place}4101900001"), &STRICT), expected, "{place}");
    }
}

#[test]
fn knows_38_provinces_and_four_more_codes() {
    let known = (0..100).filter(|&code| is_province(code)).count();
    assert_eq!(known, 38 + 4);
}

#[test]
fn says_what_a_cell_looks_like() {
    let digits = |last_zero, woman, late_year| {
        NikShape::Digits(DigitTraits { last_zero, woman, late_year, number: false })
    };
    for (raw, look) in [
        (GOOD, digits(false, true, false)),
        ("3275010101900001", digits(false, false, false)),
        ("3275010101090001", digits(false, false, true)),
        ("3275013112390001", digits(false, false, true)),
        ("3275013112400001", digits(false, false, false)),
        ("3275014101900000", digits(true, true, false)),
        ("'3275 0141 0190 0010", digits(true, true, false)),
        ("0000000000000000", digits(true, false, false)),
        ("3.27501E+15", NikShape::Scientific),
        ("9175014101900001.0", NikShape::Rounded),
        ("327501410190000", NikShape::Other),
        ("1234", NikShape::EmployeeNumber),
        ("198501012010011001", NikShape::EmployeeNumber),
        ("123", NikShape::Other),
        ("", NikShape::Other),
        ("BUDI", NikShape::Words),
    ] {
        assert_eq!(look_of(raw), look, "{raw:?}");
        assert_eq!(read_nik(raw, &STRICT).look, look, "{raw:?}");
    }
}

#[test]
fn a_number_may_have_lost_its_last_digit() {
    let warned = |reading: NikReading| {
        reading.result.map(|(_, warnings)| warnings.contains(Warning::NikNumberEndsInZero))
    };
    for (raw, of_text, of_number) in [
        ("3275014101900001", Ok(false), Ok(false)),
        ("3275014101900010", Ok(false), Ok(true)),
        // A data frame wrote it as a decimal, so it was a number all the same.
        ("3275014101900010.0", Ok(true), Ok(true)),
        ("3275014101900001.0", Ok(false), Ok(false)),
        // From 2^53 on a spreadsheet's number is not exact.
        ("9007199254740991", Err(Rejection::NikDate), Err(Rejection::NikDate)),
        ("9175014101900001", Ok(false), Err(Rejection::ExcelRounded)),
        ("9175014101900001.0", Err(Rejection::ExcelRounded), Err(Rejection::ExcelRounded)),
        ("327501410190001", Err(Rejection::NikLength), Err(Rejection::NikLength)),
    ] {
        assert_eq!(warned(read_nik(raw, &STRICT)), of_text, "{raw}");
        assert_eq!(warned(read_number(raw, &STRICT)), of_number, "{raw}");
    }
    for (reading, number) in [
        (read_number("3275014101900001", &STRICT), true),
        (read_nik("3275014101900001", &STRICT), false),
    ] {
        assert!(matches!(reading.look, NikShape::Digits(look) if look.number == number));
    }
}

/// Generates texts near the edge of the rules, with all kinds of characters around and
/// between the digits.
fn near_nik() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[0-9]{1,16}",
        Just("3275014101900001".to_owned()),
        "['\"=.,eE+-]{1,3}",
        "[ \u{A0}\u{200B}\u{FEFF}\t’“”]",
        "[０-９]{1,4}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn cleaning_is_idempotent(raw in prop_oneof![near_nik(), any::<String>()]) {
        let once = clean_nik(&raw).into_owned();
        prop_assert_eq!(clean_nik(&once), once.as_str());
    }

    #[test]
    fn digits_are_never_changed(digits in "[0-9]{0,20}") {
        prop_assert!(matches!(clean_nik(&digits), Cow::Borrowed(same) if same == digits));
    }

    #[test]
    fn what_passes_is_what_was_written(raw in near_nik()) {
        if let Ok((nik, _)) = check_nik(&raw, &LENIENT) {
            // The digits of the raw text, in order, without the zeros of a decimal at the end.
            let written: String = raw.chars().map(to_ascii_digit).filter(char::is_ascii_digit).collect();
            prop_assert!(written.starts_with(nik.as_str()), "{} {}", raw, nik.as_str());
            prop_assert!(written.len() <= NIK_DIGITS + 2);
            // Checked again, the NIK passes unchanged.
            prop_assert_eq!(check_nik(nik.as_str(), &LENIENT).unwrap().0, nik);
        }
    }

    #[test]
    fn strict_passes_no_more_than_lenient(digits in "[0-9]{16}") {
        if check_nik(&digits, &STRICT).is_ok() {
            prop_assert_eq!(check_nik(&digits, &STRICT), check_nik(&digits, &LENIENT));
        }
    }
}
