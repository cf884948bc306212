//! Tests of the counts and the places, and of the findings at their limits.

use super::*;
use crate::model::finding::{Finding, Skipped, Spot};
use crate::model::row::{Checked, DigitTraits, Rejection, Warning, Warnings};
use crate::model::subject::Subject;
use crate::rules::headers::HeaderKey;
use crate::rules::name::check_name;
use crate::rules::nik::{NikPolicy, check_nik};

/// Returns the counts of a file with 16-digit NIKs, half of them women's, after `change`.
fn counts(rows: u64, change: impl Fn(&mut FileCounts)) -> FileCounts {
    let mut counts = FileCounts { rows, niks: rows, women: rows / 2, ..FileCounts::default() };
    change(&mut counts);
    counts
}

fn reading(checked: Result<Checked, Rejection>, look: NikShape) -> Reading {
    Reading { checked, look, sendable_before: None }
}

fn reject(counts: &mut FileCounts, rows: u64) {
    (0..rows).for_each(|_| counts.rejections.add(Rejection::NikLength));
}

fn codes(found: &[Finding]) -> String {
    found.iter().map(|finding| finding.code).collect::<Vec<_>>().join(" ")
}

#[test]
fn stops_at_the_limits() {
    for (what, counts, stops) in [
        ("nothing", counts(0, |_| {}), ""),
        ("a plain file", counts(1000, |c| c.last_zero = 100), ""),
        ("1 % scientific", counts(1000, |c| c.scientific = 10), ""),
        ("over 1 % scientific", counts(1000, |c| c.scientific = 11), "file_scientific"),
        ("1 % rounded", counts(1000, |c| c.rounded = 10), ""),
        ("over 1 % rounded", counts(1000, |c| c.rounded = 11), "file_rounded"),
        ("few NIKs", counts(49, |c| c.last_zero = 49), ""),
        ("under 30 % zeros", counts(100, |c| c.last_zero = 29), ""),
        ("30 % zeros", counts(100, |c| c.last_zero = 30), "file_last_digit_zero"),
        ("50 NIKs, 15 zeros", counts(50, |c| c.last_zero = 15), "file_last_digit_zero"),
        ("few numbers", counts(100, |c| (c.numbers, c.numbers_last_zero) = (9, 9)), ""),
        ("numbers", counts(100, |c| (c.numbers, c.numbers_last_zero) = (10, 4)), ""),
        (
            "numbers that end in 0",
            counts(100, |c| (c.numbers, c.numbers_last_zero) = (10, 5)),
            "file_last_digit_zero",
        ),
        (
            "one lone quote",
            counts(100, |c| c.rejections.add(Rejection::QuoteSwallowedRows)),
            "file_lone_quotes",
        ),
        ("half rejected", counts(100, |c| reject(c, 50)), ""),
        ("over half rejected", counts(101, |c| reject(c, 51)), "file_mostly_rejected"),
        (
            "rows that are left out say nothing of the others",
            counts(101, |c| (0..60).for_each(|_| c.rejections.add(Rejection::RowHidden))),
            "",
        ),
        ("half employee numbers", counts(100, |c| c.employee_numbers = 50), ""),
        ("employee numbers", counts(100, |c| c.employee_numbers = 51), "file_employee_numbers"),
        ("half swapped", counts(100, |c| c.swapped = 50), ""),
        ("swapped", counts(100, |c| c.swapped = 51), "file_columns_swapped"),
        // Children: late years, and girls among them.
        ("a school", counts(100, |c| c.late_years = 100), ""),
        // A mine: men, born in other years.
        ("men", counts(100, |c| (c.women, c.late_years) = (0, 49)), ""),
        ("cards", counts(100, |c| (c.women, c.late_years) = (1, 50)), "file_family_cards"),
        (
            "few women of many",
            counts(1000, |c| (c.women, c.late_years) = (15, 500)),
            "file_family_cards",
        ),
        ("too many women", counts(100, |c| (c.women, c.late_years) = (2, 90)), ""),
        ("few cards", counts(49, |c| (c.women, c.late_years) = (0, 49)), ""),
        (
            "all at once",
            counts(100, |c| {
                (c.niks, c.last_zero, c.scientific) = (50, 50, 50);
                reject(c, 100);
            }),
            "file_scientific file_last_digit_zero file_mostly_rejected",
        ),
        ("one bad row", counts(1, |c| (c.niks, c.scientific) = (0, 1)), "file_scientific"),
    ] {
        let found = stop_findings(&counts, &FirstPlaces::default(), &FileFacts::default());
        assert_eq!(codes(&found), stops, "{what}");
        for finding in found {
            assert!(finding.message.contains(&finding.count.to_string()), "{what}");
            assert!(!finding.hint.is_empty());
        }
    }
}

#[test]
fn a_header_may_say_that_these_are_family_cards() {
    let headed =
        |header: &str| FileFacts { id_header: Some(HeaderKey::of(header)), ..FileFacts::default() };
    for (header, women, stops) in
        [("No. KK", 0, "file_family_cards"), ("No. KK", 10, ""), ("NIK", 0, "")]
    {
        let counts = counts(20, |c| c.women = women);
        let found = stop_findings(&counts, &FirstPlaces::default(), &headed(header));
        assert_eq!(codes(&found), stops, "{header} {women}");
    }
}

#[test]
fn the_most_serious_come_first() {
    let mut counts = counts(100, |c| (c.scientific, c.names_changed, c.hidden) = (2, 3, 5));
    reject(&mut counts, 2);
    counts.warnings.add([Warning::NameHasComma].into_iter().collect());
    let facts = FileFacts {
        guessed_windows_1252: true,
        repeated_headers: 1,
        skipped: Skipped { titles: 1, blank: 2, totals: 3, numbered: 4 },
        unstored: 1,
        lost: 2,
        id_header: None,
        other_sheets: vec!["Utara".to_owned()],
    };
    let found = findings(&counts, &FirstPlaces::default(), &facts);
    assert_eq!(
        codes(&found),
        "file_scientific encoding_windows_1252 sheets_left_out rows_hidden formulas_without_values texts_missing \
         nik_length name_has_comma names_cleaned titles_skipped blank_rows_skipped totals_skipped numbered_skipped \
         headers_duplicate"
    );
    assert!(found.is_sorted_by_key(|finding| finding.class));
}

#[test]
fn the_first_places_are_kept() {
    let refused = Reading::refused(Rejection::NameEmpty);
    let rejected = Reading { look: NikShape::Swapped, ..refused };
    let mut spots = FirstPlaces::default();
    for line in 1..=9 {
        spots.add(&rejected, |sign| Spot {
            line,
            record: line,
            cell: if sign.is_of_name() { "B1" } else { "A1" }.to_owned(),
            value: String::new(),
        });
    }
    let of = |sign| {
        let spots = spots.of(sign);
        (spots.len(), spots.last().map(|s| s.line), spots.last().map(|s| s.cell.clone()))
    };
    assert_eq!(of(Sign::Rejection(Rejection::NameEmpty)), (5, Some(5), Some("B1".to_owned())));
    assert_eq!(of(Sign::Swapped), (5, Some(5), Some("A1".to_owned())));
    assert_eq!(of(Sign::NameCleaned).0, 0);
}

#[test]
fn counts_what_it_is_fed() {
    let mut counts = FileCounts::default();
    let (nik, _) = check_nik("3275014101900010", &NikPolicy::default()).unwrap();
    let name = check_name("BUDI", None).unwrap().name;
    let warnings: Warnings = [Warning::NameHasComma].into_iter().collect();
    let checked = Checked { subject: Subject { nik, name }, warnings, name_changed: true };
    counts.add(&reading(
        Ok(checked),
        NikShape::Digits(DigitTraits { last_zero: true, ..DigitTraits::default() }),
    ));
    counts.add(&reading(
        Err(Rejection::ExcelTruncated),
        NikShape::Digits(DigitTraits { last_zero: true, ..DigitTraits::default() }),
    ));
    counts.add(&reading(Err(Rejection::ExcelScientific), NikShape::Scientific));
    counts.add(&reading(Err(Rejection::RaggedRow), NikShape::Other));

    assert_eq!((counts.rows, counts.passed, counts.rejected()), (4, 1, 3));
    assert_eq!((counts.niks, counts.last_zero, counts.scientific), (2, 2, 1));
    assert_eq!(counts.names_changed, 1);
    assert_eq!(counts.warnings.get(Warning::NameHasComma), 1);

    for look in [
        DigitTraits { number: true, last_zero: true, ..DigitTraits::default() },
        DigitTraits { number: true, ..DigitTraits::default() },
        DigitTraits { woman: true, ..DigitTraits::default() },
        DigitTraits { late_year: true, ..DigitTraits::default() },
    ] {
        for _ in 0..2 {
            counts.add(&reading(Err(Rejection::NikLength), NikShape::Digits(look)));
        }
    }
    for look in [NikShape::Rounded, NikShape::EmployeeNumber, NikShape::Swapped, NikShape::Words] {
        for _ in 0..2 {
            counts.add(&reading(Err(Rejection::NikLength), look));
        }
    }
    assert_eq!((counts.niks, counts.last_zero), (10, 4));
    assert_eq!((counts.numbers, counts.numbers_last_zero), (4, 2));
    assert_eq!((counts.women, counts.late_years), (2, 2));
    assert_eq!((counts.rounded, counts.employee_numbers, counts.swapped), (2, 2, 2));
}

#[test]
fn each_sign_has_places_of_its_own() {
    let others =
        [Sign::LastZero, Sign::LateYear, Sign::EmployeeNumber, Sign::Swapped, Sign::NameCleaned];
    let rejections = Rejection::ALL.iter().map(|r| Sign::Rejection(*r));
    let warnings = Warning::ALL.iter().map(|w| Sign::Warning(*w));
    let all: Vec<Sign> = rejections.chain(warnings).chain(others).collect();
    let digits = |look| reading(Err(Rejection::NikEmpty), NikShape::Digits(look));
    let plain = |look| reading(Err(Rejection::NikEmpty), look);
    let (nik, _) = check_nik("3275014101900011", &NikPolicy::default()).unwrap();
    let passed = |warning: Option<Warning>, name_changed| {
        let subject = Subject { nik, name: check_name("BUDI", None).unwrap().name };
        let warnings = warning.into_iter().collect();
        reading(Ok(Checked { subject, warnings, name_changed }), NikShape::Words)
    };
    let reading = |sign| match sign {
        Sign::Rejection(rejection) => reading(Err(rejection), NikShape::Words),
        Sign::Warning(warning) => passed(Some(warning), false),
        Sign::LastZero => digits(DigitTraits { last_zero: true, ..DigitTraits::default() }),
        Sign::LateYear => digits(DigitTraits { late_year: true, ..DigitTraits::default() }),
        Sign::EmployeeNumber => plain(NikShape::EmployeeNumber),
        Sign::Swapped => plain(NikShape::Swapped),
        Sign::NameCleaned => passed(None, true),
    };
    let mut spots = FirstPlaces::default();
    let spot = |sign| Spot { line: 7, record: 6, cell: format!("{sign:?}"), value: String::new() };
    for sign in &all {
        spots.add(&reading(*sign), spot);
    }
    for sign in all {
        let told = spots.of(sign);
        assert!(told.iter().all(|told| told.cell == format!("{sign:?}")), "{sign:?}: {told:?}");
        assert!(!told.is_empty(), "{sign:?}");
    }
}

#[test]
fn how_findings_read() {
    let mut counts = counts(2000, |c| (c.scientific, c.names_changed) = (1500, 1));
    reject(&mut counts, 1500);
    let message = |code: &str| {
        let all = findings(&counts, &FirstPlaces::default(), &FileFacts::default());
        all.into_iter()
            .find(|finding| finding.code == code)
            .map(|found| (found.message, found.hint))
    };
    let (said, hint) = message("file_scientific").unwrap();
    assert!(said.starts_with("1500 of 2000 rows: the NIK is in scientific notation"), "{said}");
    assert!(hint.contains("set to Text"), "{hint}");
    assert_eq!(message("nik_length").unwrap().0, "1500 of 2000 rows are not sent");
    assert!(message("names_cleaned").unwrap().0.starts_with("1 of 2000 rows has its name cleaned"));
    assert_eq!(message("titles_skipped"), None);

    let mut spots = FirstPlaces::default();
    let spot = |_| Spot { line: 3, record: 2, cell: "A3".to_owned(), value: String::new() };
    let row = reading(Err(Rejection::ExcelScientific), NikShape::Scientific);
    spots.add(&row, spot);
    let stops = stop_findings(&counts, &spots, &FileFacts::default());
    let places: Vec<usize> = stops.iter().map(|finding| finding.places.len()).collect();
    assert_eq!(
        (codes(&stops).as_str(), places),
        ("file_scientific file_mostly_rejected", vec![1, 0])
    );
}
