//! The whole program against the stand-in vendor: the outcome of each row, its cost, and the form
//! of the output.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's answer")]

mod support;

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use support::files::{mode, names};
use support::money::Charges;
use support::table::records;
use support::{
    COLUMNS, OLDER, Row, Running, Vendor, Workspace, billed, many_people, name, nik, people_csv,
    run_arguments,
};

#[test]
fn every_row_gets_its_verdict_and_a_second_run_buys_nothing() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", many_people(200));
    place.run("in.csv", &vendor.base_url, &[]).exits(0);
    assert_eq!(place.column("in.sandbox.csv", "ck_source"), vec!["call"; 200]);
    place.run("in.csv", &vendor.base_url, &[]).exits(0);
    assert_eq!(place.column("in.sandbox.csv", "ck_source"), vec!["ledger"; 200]);
    assert_eq!(vendor.end().len(), 200);
}

/// Ending of a NIK and the columns that the program must then add; `+` stands for any text.
const OUTCOMES: [(u32, &str); 16] = [
    //   outcome     result charged possible order time remark request status reason source attempts
    (1, "match       | 01 | yes     | 0 | + | + | MATCH                | + | OK | | call | 1"),
    (2, "mismatch    | 02 | yes     | 0 | + | + | MISMATCH             | + | OK | | call | 1"),
    (3, "not_sure    | 03 | no      | 0 | + | + | NOT SURE             | + | OK | | call | 1"),
    (4, "failed      | 04 | no      | 0 | + | + | UNKNOW               | + | OK | | call | 1"),
    (
        5,
        "refused     |    | no      | 0 |   |   |   | + | INVALID_ARGUMENT | id_number is invalid | call | 1",
    ),
    (
        6,
        "unavailable |    | no      | 0 |   |   |   | + | QUERY_FAILED | query failed, try again | call | 3",
    ),
    (
        7,
        "refused     |    | no      | 0 |   |   |   | + | ABNORMAL_BEHAVIOURS_DETECTED | + | call | 1",
    ),
    (8, "match       | 01 | yes     | 0 | + | + | MATCH                | + | OK | | call | 2"),
    (
        9,
        "unavailable |    | no      | 0 |   |   |   | + | SOURCE_SERVICE_UNAVAILABLE | + | call | 3",
    ),
    (10, "unavailable |   | no      | 0 |   |   |   | + | SOURCE_SERVICE_TIMEOUT | + | call | 3"),
    (12, "in_doubt   |    | unknown | 1 |   |   |   |   |   | lost_connection | call | 1"),
    (13, "unknown    | 77 | unknown | 1 | + | + | A CODE OF THE FUTURE | + | OK | | call | 1"),
    (
        14,
        "unavailable |   | unknown | 2 |   |   |   |   |   | gateway_error: HTTP 502, text/html, begins \"<html> <head><title>502 Bad Gateway</title></head> <body> <c…\" | call | 2",
    ),
    (15, "in_doubt   |    | unknown | 1 |   |   |   |   |   | + | call | 1"),
    (16, "mismatch   | 02 | yes     | 0 | + | + | MISMATCH             | + | OK | | call | 2"),
    (17, "in_doubt   |    | unknown | 1 | + |   |   |   |   | lost_connection | call | 1"),
];

#[test]
fn each_outcome_fills_its_columns() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv(OUTCOMES.map(|(ending, _)| ending)));
    place.run("in.csv", &vendor.base_url, &["--max-attempts", "3"]).exits(3);
    let rows = place.rows("in.sandbox.csv");
    assert_eq!(rows.len(), OUTCOMES.len());
    for (row, (ending, expected)) in rows.iter().zip(OUTCOMES) {
        assert_row(row, expected, &format!("ending {ending:04}"));
    }
    let charges = Charges::of_rows(&rows);
    assert_shown(charges, &place.summary("in.sandbox.csv"));
    assert_charged(charges, &vendor);

    // The next run does not send rows in doubt, reuses answers that end a pair, and sends the
    // others again.
    let before = vendor.count();
    place.run("in.csv", &vendor.base_url, &["--max-attempts", "3"]).exits(3);
    for (row, (ending, _)) in place.rows("in.sandbox.csv").iter().zip(OUTCOMES) {
        let source = if matches!(ending, 6 | 9 | 10 | 14) { "call" } else { "ledger" };
        assert_eq!(row["ck_source"], source, "ending {ending}");
        let charged = if ending == 14 { "unknown" } else { "no" };
        assert_eq!(row["ck_charged"], charged, "ending {ending}");
    }
    // A call that a gateway may have passed on twice is not made a third time.
    assert_eq!(vendor.calls().len() - before, 3 * 3 + 2);
}

#[test]
fn an_answer_that_never_comes_is_in_doubt_and_an_echo_is_restored() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([11, 18]));
    place.run("in.csv", &vendor.base_url, &["--timeout", "700ms"]).exits(3);
    let rows = place.rows("in.sandbox.csv");
    assert_row(&rows[0], "in_doubt || unknown | 1 ||||| | lost_timeout | call | 1", "hang");
    assert_eq!(rows[1]["ck_remark"], format!("MATCH {} {}", nik(1, 18), name(1)));
    assert_charged(Charges::of_rows(&rows), &vendor);
}

/// NIK cell, name cell, and the reason for which the row is not sent.
const REJECTED: [(&[u8], &[u8], &str); 13] = [
    (b"", b"BUDI", "nik_empty"),
    (b"320101150190001", b"BUDI", "nik_length"),
    (b"32010115019000123", b"BUDI", "nik_length"),
    (b"32010115019000A1", b"BUDI", "nik_not_digits"),
    (b"3.20101E+15", b"BUDI", "excel_scientific"),
    (b"9171011501900001.0", b"BUDI", "excel_rounded"),
    (b"1111111111111111", b"BUDI", "nik_placeholder"),
    (b"3201011501900000", b"BUDI", "excel_truncated"),
    (b"3201013301900001", b"BUDI", "nik_date"),
    (b"3201011501900001", b" ", "name_empty"),
    (b"3201011501900001", b"081234567", "name_not_a_name"),
    (b"3201011501900001", b"BUDI,SE", "ragged_row"),
    // Windows-1252 has no character for this byte. With another byte the whole file would be read
    // as Windows-1252.
    (b"3201011501900001", b"JOS\x81", "not_utf8"),
];

#[test]
fn each_rejection_has_its_reason_and_costs_nothing() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let mut text = b"nik,nama\n".to_vec();
    for (nik, name, _) in REJECTED {
        text.extend([nik, b",", name, b"\n"].concat());
    }
    place.write("in.csv", text);
    let force = ["--force", "--id-column", "nik", "-o", "out.csv"];
    place.run("in.csv", &vendor.base_url, &force).exits(3);
    let output = fs::read(place.path("out.csv")).unwrap();
    let rows = records(&output, b',');
    assert_eq!(rows.len(), 1 + REJECTED.len());
    for (row, (_, _, reason)) in rows[1..].iter().zip(REJECTED) {
        let ours = [b"rejected" as &[u8], b"", b"no", b"0", b"", b"", b"", b"", b""];
        assert_eq!(row[2..11], ours, "{reason}");
        assert_eq!(row[11..14], [reason.as_bytes(), b"", b"0"], "{reason}");
    }
    let summary = place.summary("out.csv");
    assert_eq!(summary["outcomes"]["rejected"], 13);
    assert_eq!(summary["rejected_by_reason"]["nik_length"], 2);
    assert_eq!(vendor.end().len(), 0);

    // Two of the checks can be overruled.
    let vendor = Vendor::start(&place, &[]);
    let send = [&force[..], &["--send-truncated", "--send-odd-dates"]].concat();
    place.run("in.csv", &vendor.base_url, &send).exits(3);
    let sent = |row: &Row| row["ck_outcome"] != "rejected";
    let bytes = fs::read(place.path("out.csv")).unwrap();
    place.write("lossy.csv", String::from_utf8_lossy(&bytes).as_bytes());
    assert_eq!(place.rows("lossy.csv").into_iter().filter(sent).count(), 2);
    assert_eq!(vendor.end().len(), 2);
}

#[test]
fn a_row_that_was_not_reached_is_not_sent() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1, 2, 1]));
    place.run("in.csv", &vendor.base_url, &["--limit", "1"]).exits(13);
    let rows = place.rows("in.sandbox.partial.csv");
    assert_row(&rows[0], "match | 01 | yes | 0 | + | + | MATCH | + | OK || call | 1", "first");
    for row in &rows[1..] {
        assert_row(row, "not_sent || no | 0 |||||||| 0", "the others");
    }
}

#[test]
fn duplicates_share_one_call_also_while_it_is_in_flight() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "150ms"]);
    // Rows 0, 2 and 5 are the same pair. Row 6 becomes the same pair when its name is cleaned.
    let row = |id: u32, n, ending, name: &str| format!("{id},{},{name}\n", nik(n, ending));
    let (first, second, doubt) = (name(1), name(2), name(3));
    let text = [
        "id,nik,nama\n",
        &row(0, 1, 1, &first),
        &row(1, 2, 2, &second),
        &row(2, 1, 1, &first),
        &row(3, 3, 12, &doubt),
        &row(4, 3, 12, &doubt),
        &row(5, 1, 1, &first),
        &row(6, 1, 1, &format!("  {first} ")),
        &row(7, 1, 1, &second),
    ];
    place.write("in.csv", text.concat());
    place.run("in.csv", &vendor.base_url, &[]).exits(3);
    let rows = place.rows("in.sandbox.csv");
    let show = |row: &Row| {
        ["ck_outcome", "ck_source", "ck_charged", "ck_possible", "ck_attempts"]
            .map(|column| row[column].clone())
            .join(" ")
    };
    assert_eq!(
        rows.iter().map(show).collect::<Vec<_>>(),
        [
            "match call yes 0 1",
            "mismatch call yes 0 1",
            "match duplicate no 0 0",
            "in_doubt call unknown 1 1",
            "in_doubt duplicate no 0 0",
            "match duplicate no 0 0",
            "match duplicate no 0 0",
            "match call yes 0 1",
        ]
    );
    let reason = &rows[6]["ck_reason"];
    assert_eq!(reason, &format!("sent as: {first}"));
    assert_charged(Charges::of_rows(&rows), &vendor);
    assert!(vendor.end().iter().all(|call| call.n == 1));
}

/// Returns inputs that hold the same table in different forms: name, delimiter, bytes.
fn same_table_in_all_forms() -> Vec<(&'static str, u8, Vec<u8>)> {
    let table = |delimiter: &str, end: &str| {
        let line = |cells: &[&str]| cells.join(delimiter) + end;
        let (nik, name) = (nik(1, 1), name(1));
        let other = format!("'{}", support::nik(2, 2));
        line(&["id", "nik", "nama", "note"])
            + &line(&["1", &nik, &name, "\"says \"\"hi\"\", twice; or\tmore|\""])
            + &line(&["\"two\nlines\r\nand a half\"", &other, "SITI", "  kept  "])
            + &line(&["=1+1", "", "", ""])
            + &line(&["\"\"", &nik, &name, "é ’ \u{200b}"])
    };
    let with = |bom: &str, text: String| [bom.as_bytes(), text.as_bytes()].concat();
    let mut latin = table(",", "\n").into_bytes();
    latin.extend(format!("caf\u{e9},{},{},x\n", nik(3, 1), name(3)).bytes().map(|byte| {
        // This cell is not valid UTF-8. It must come out unchanged.
        if byte == 0xc3 { 0xff } else { byte }
    }));
    vec![
        ("comma", b',', with("", table(",", "\n"))),
        ("semicolon", b';', with("", table(";", "\n"))),
        ("tab", b'\t', with("", table("\t", "\n"))),
        ("pipe", b'|', with("", table("|", "\n"))),
        ("CRLF", b';', with("", table(";", "\r\n"))),
        ("BOM", b',', with("\u{feff}", table(",", "\r\n"))),
        ("no line end at the end", b',', with("", table(",", "\n").trim_end().to_owned())),
        ("not UTF-8", b',', latin),
    ]
}

#[test]
fn own_columns_come_out_as_they_went_in() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    for (what, delimiter, bytes) in same_table_in_all_forms() {
        let without_bom = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes).to_owned();
        place.write("in.csv", &bytes);
        place.run("in.csv", &vendor.base_url, &[]).exits(3);
        let given = records(&without_bom, delimiter);
        let shown = records(&fs::read(place.path("in.sandbox.csv")).unwrap(), delimiter);
        assert_eq!(given.len(), shown.len(), "{what}");
        for (given, shown) in given.iter().zip(&shown) {
            assert_eq!(shown[..4], given[..], "{what}");
            assert_eq!(shown.len(), 16, "{what}");
        }
    }
    assert_eq!(vendor.end().len(), 3);
}

#[test]
fn ragged_rows_stay_whole_and_our_columns_under_their_headers() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let (nik, name) = (nik(1, 1), name(1));
    place.write("in.csv", format!("id,nik,nama\n1,{nik}\n2,{nik},{name}\n3,{nik},{name},x,y\n"));
    place.run("in.csv", &vendor.base_url, &["--force"]).exits(3);
    let rows = records(place.read("in.sandbox.csv").as_bytes(), b',');
    let nik = nik.as_bytes();
    assert_eq!(rows[1][..4], [b"1" as &[u8], nik, b"", b"rejected"]);
    assert_eq!(rows[2][..4], [b"2" as &[u8], nik, name.as_bytes(), b"match"]);
    assert_eq!(rows[3][..4], [b"3" as &[u8], nik, name.as_bytes(), b"rejected"]);
    assert_eq!(rows[3][12..], [b"ragged_row" as &[u8], b"", b"0", b"x", b"y"]);
    assert_eq!(vendor.end().len(), 1);
}

#[test]
fn an_output_that_is_fed_back_has_its_columns_replaced() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1, 2, 3]));
    place.run("in.csv", &vendor.base_url, &["-o", "a.csv", "--limit", "1"]).exits(13);
    place.run("a.partial.csv", &vendor.base_url, &["-o", "b.csv"]).exits(0);
    let rows = records(place.read("b.csv").as_bytes(), b',');
    let header = rows[0].iter().map(|cell| String::from_utf8_lossy(cell)).collect::<Vec<_>>();
    assert_eq!(header[..3], ["id", "nik", "nama"]);
    assert_eq!(header[3..], COLUMNS);
    assert_eq!(place.column("b.csv", "ck_outcome"), ["match", "mismatch", "not_sure"]);
    assert_eq!(place.column("b.csv", "ck_source"), ["ledger", "call", "call"]);
    assert_eq!(vendor.end().len(), 3);
}

#[test]
fn rows_come_out_in_order_and_the_bill_is_the_vendors() {
    let place = Workspace::new();
    // Every tenth call has a fault, and answers come out of order.
    let trouble = ["--chaos", "0.1", "--seed", "3", "--latency", "5ms"];
    let vendor = Vendor::start(&place, &trouble);
    place.write("in.csv", many_people(150));
    let mut starts = 0;
    loop {
        starts += 1;
        let url = ["run", "in.csv", "--base-url", &vendor.base_url];
        let pace = ["--rate", "500", "--backoff", "5ms", "--concurrency", "16"];
        let ended = place.ceknik(&[&url[..], &pace].concat());
        match ended.code {
            Some(0 | 3) => break,
            // Many faults at once stop a run. It continues with the next start.
            Some(16) if starts < 5 => {}
            other => panic!("{other:?}: {}", ended.stderr),
        }
    }
    let rows = place.rows("in.sandbox.csv");
    let ids: Vec<String> = (0..150).map(|id| id.to_string()).collect();
    assert_eq!(place.column("in.sandbox.csv", "id"), ids);
    let summary = place.summary("in.sandbox.csv");
    let outcomes = summary["outcomes"].as_object().unwrap();
    let sum: u64 = outcomes.values().map(|rows| rows.as_u64().unwrap()).sum();
    assert_eq!((sum, summary["starts"].as_u64()), (150, Some(starts)));
    let charges = Charges::of_rows(&rows);
    assert_shown(charges, &summary);
    assert_charged(charges, &vendor);
}

#[test]
fn a_stop_writes_beside_the_finished_output_and_a_finished_run_cleans_up() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1, 1, 2]));
    place.write("out.csv", OLDER);
    place.run("in.csv", &vendor.base_url, &["-o", "out.csv", "--limit", "2"]).exits(13);
    assert_eq!(place.read("out.csv"), OLDER);
    assert_eq!(place.column("out.partial.csv", "ck_outcome"), ["match", "match", "not_sent"]);
    assert_eq!(mode(&place.path("out.partial.csv")), 0o600);
    place.run("in.csv", &vendor.base_url, &["-o", "out.csv"]).exits(0);
    assert_eq!(place.column("out.csv", "ck_outcome"), ["match", "match", "mismatch"]);
    assert_eq!(mode(&place.path("out.csv")), 0o600);
    assert_eq!(mode(&place.path("out.csv.summary.json")), 0o600);
    let files = names(&place.path(""));
    assert_eq!(files, ["calls.jsonl", "in.csv", "out.csv", "out.csv.summary.json", "state"]);
}

#[test]
fn no_file_that_is_read_is_ever_written() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let text = people_csv([1, 1, 2]);
    place.write("a.partial.csv", &text);
    place.write("c.toml", "");
    place.write("ca.pem", include_bytes!("protocol/certs/ca.pem"));
    place.write("secret", "x");
    for (what, more) in [
        ("the input", &["-o", "a.partial.csv"][..]),
        ("the input by another path", &["-o", "../a.partial.csv"]),
        ("the partial output is the input", &["-o", "a.csv", "--limit", "1"]),
        ("the summary is the input", &["-o", "b.csv", "--summary", "a.partial.csv"]),
        ("the summary is the output", &["-o", "b.csv", "--summary", "b.csv"]),
        ("the summary is the ledger", &["--summary", "l", "--ledger", "l"]),
        ("the summary is the key", &["--summary", "l.key", "--ledger", "l"]),
        ("the summary is the witness", &["--summary", "./l.witness", "--ledger", "l"]),
        ("the summary is the lock", &["--summary", "l.lock", "--ledger", "l"]),
        ("the summary is the WAL", &["-o", "b.csv", "--summary", "l-wal", "--ledger", "./l"]),
        ("the summary is the configuration", &["--summary", "c.toml", "--config", "c.toml"]),
        ("the summary is the CA file", &["--summary", "ca.pem", "--ca-cert", "ca.pem"]),
        ("the summary is a secret", &["--summary", "secret"]),
    ] {
        fs::create_dir_all(place.path("sub")).unwrap();
        let mut arguments = run_arguments("a.partial.csv", &vendor.base_url, more);
        let in_folder = what.contains("another path");
        if in_folder {
            arguments[1] = "../a.partial.csv";
        }
        let mut command = place.command(&arguments);
        if in_folder {
            command.current_dir(place.path("sub"));
        }
        if what.contains("secret") {
            command.env_remove("CEKNIK_API_SECRET").env("CEKNIK_API_SECRET_FILE", "secret");
        }
        let ended = Running::start(command).end();
        assert_eq!(ended.code, Some(2), "{what}: {}", ended.stderr);
        assert_eq!(place.read("a.partial.csv"), text, "{what}");
    }
    assert_eq!(vendor.end().len(), 0);
}

#[test]
fn standard_streams() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let input = place.write("in.csv", people_csv([1, 2]));
    let run = |more: &[&str]| {
        let mut command = place.command(&run_arguments("-", &vendor.base_url, more));
        command.stdin(fs::File::open(&input).unwrap());
        Running::start(command).end()
    };
    run(&[]).exits(2).says("-o FILE");

    let piped = run(&["-o", "-"]).exits(0);
    let rows = records(piped.stdout.as_bytes(), b',');
    assert_eq!(
        rows.iter().map(|row| row[3].as_slice()).collect::<Vec<_>>(),
        [b"ck_outcome" as &[u8], b"match", b"mismatch"]
    );
    assert_eq!(names(&place.path("")), ["calls.jsonl", "in.csv", "state"]);

    run(&["-o", "out.csv", "--summary", "s.json"]).exits(0);
    assert_eq!(place.column("out.csv", "ck_source"), ["ledger", "ledger"]);
    let files = names(&place.path(""));
    assert_eq!(files, ["calls.jsonl", "in.csv", "out.csv", "s.json", "state"]);
    assert_eq!(vendor.end().len(), 2);
}

#[test]
fn a_file_of_headers_alone_is_done_at_once() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", "id,nik,nama\n");
    place.run("in.csv", &vendor.base_url, &[]).exits(0);
    assert_eq!(place.read("in.verified.csv"), format!("id,nik,nama,{}\n", COLUMNS.join(",")));
    assert_eq!(vendor.end().len(), 0);
}

#[test]
fn columns_by_name_by_number_and_without_headers() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let (a, b, named) = (nik(1, 1), nik(2, 2), name(1));
    let with = |header: &str| format!("{header}{named},{a},{b}\n");
    for (text, more, expected) in [
        (
            with("siapa,satu,dua\n"),
            &["--id-column", "dua", "--name-column", "siapa"][..],
            "mismatch",
        ),
        (with("siapa,satu,dua\n"), &["--id-column", "2", "--name-column", "1"], "match"),
        (with("nama,nik,no ktp\n"), &["--id-column", "nik"], "match"),
        (with(""), &["--no-header", "--id-column", "3", "--name-column", "1"], "mismatch"),
    ] {
        place.write("in.csv", &text);
        place.run("in.csv", &vendor.base_url, more).exits(0);
        let rows = records(place.read("in.sandbox.csv").as_bytes(), b',');
        assert_eq!(rows.len(), text.lines().count(), "{more:?}");
        assert_eq!(rows.last().unwrap()[3], expected.as_bytes(), "{more:?}");
    }
}

#[test]
fn the_sandbox_never_writes_an_output_named_as_a_live_one() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1, 2]));
    place.write("in.verified.csv", OLDER);
    place.ceknik(&["run", "in.csv", "--sandbox"]).exits(0);
    assert_eq!(place.column("in.sandbox.csv", "ck_outcome"), ["match", "mismatch"]);
    fs::remove_file(place.path("in.sandbox.csv")).unwrap();

    let vendor = Vendor::start(&place, &[]);
    place.run("in.csv", &vendor.base_url, &[]).exits(0);
    assert_eq!(place.column("in.sandbox.csv", "ck_outcome"), ["match", "mismatch"]);
    assert_eq!(place.read("in.verified.csv"), OLDER);
    assert!(place.path("in.sandbox.csv.summary.json").exists());
    assert!(!place.path("in.verified.csv.summary.json").exists());
}

/// Asserts that a summary shows these charges.
#[track_caller]
fn assert_shown(charges: Charges, summary: &Value) {
    assert_eq!(Charges::of_tally(&summary["spending"]), charges);
    assert_eq!(Charges::owed(summary), charges);
}

/// Asserts that the calls that the vendor bills lie within these bounds, and that no pair was
/// charged twice.
#[track_caller]
fn assert_charged(charges: Charges, vendor: &Vendor) {
    let calls = vendor.calls();
    assert!(charges.covers(billed(&calls)), "{charges:?}, billed {}", billed(&calls));
    let mut charged = BTreeMap::<_, u32>::new();
    for call in calls.into_iter().filter(|call| call.charged) {
        *charged.entry(call.pair).or_default() += 1;
    }
    assert!(charged.values().all(|times| *times == 1), "charged twice");
}

/// Asserts the columns that the program adds to a row. They are written as a line with `|` between
/// them; `+` stands for any text.
#[track_caller]
fn assert_row(row: &Row, expected: &str, what: &str) {
    let expected: Vec<&str> = expected.split('|').map(str::trim).collect();
    for (column, expected) in COLUMNS.iter().zip(&expected) {
        let found = row[*column].as_str();
        let fits = if *expected == "+" { !found.is_empty() } else { found == *expected };
        assert!(fits, "{what}: {column} is {found:?}, not {expected:?}");
    }
    assert_eq!(expected.len(), COLUMNS.len(), "{what}");
}
