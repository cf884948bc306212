//! No file but the user's own (input, output) holds a NIK, a name or a secret, nor does anything
//! that is printed. The tests look at standard output and error, ledger, key, lock, summary,
//! `status`, the command line and file names. All files that the program writes must be readable by
//! their owner only.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use support::{Finished, Running, Vendor, Workspace, nik, run_arguments};

const API_ID: &str = "konto-48151623";
const API_SECRET: &str = "Geheimnis-7f!q";
/// Beginning of all surnames. It occurs in no other text.
const SURNAME: &str = "Zulqarnain";

/// Made-up people, and the texts that must not be found anywhere.
struct People {
    csv: String,
    secrets: Vec<String>,
}

impl People {
    /// Makes `count` rows of all kinds: answers that repeat the customer, verdicts, refusals, lost
    /// answers, duplicates, and NIKs and names that our own checks reject.
    fn new(count: u32) -> Self {
        let mut people = Self { csv: "id,nik,nama\n".to_owned(), secrets: Vec::new() };
        for n in 0..count {
            let serial = match n % 20 {
                0 | 1 => 18,
                4 => 5,
                6 => 13,
                8 => 16,
                10 if n % 40 == 10 => 17,
                _ => 1001 + n,
            };
            people.add(&nik(n, serial), &surname(n));
        }
        for (k, (nik, given)) in [
            ("327501410790001", "Kurang "),
            ("32750141079000123", "Lebih "),
            ("3275990000000001", "Tanggal "),
            ("32.7501.410790.0002", "Titik "),
            ("'3275014107900003", "Petik "),
            ("3275014107900004", "Angka 4 "),
            ("3275014107900O05", "Huruf "),
        ]
        .into_iter()
        .enumerate()
        {
            people.add(nik, &format!("{given}{}", surname(9000 + k as u32)));
        }
        people
    }

    fn add(&mut self, nik: &str, name: &str) {
        let row = self.csv.lines().count();
        self.csv += &format!("{row},{nik},{name}\n");
        self.secrets.push(nik.to_owned());
        self.secrets.push(nik.chars().filter(char::is_ascii_digit).collect());
        self.secrets.push(name.to_lowercase());
    }

    /// Asserts that these bytes contain none of the people's texts and no secret of the account.
    #[track_caller]
    fn absent(&self, place: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        let account = [API_ID.to_lowercase(), API_SECRET.to_lowercase(), SURNAME.to_lowercase()];
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (numbers, words): (Vec<_>, Vec<_>) = self.secrets.iter().partition(|s| is_number(s));
        for secret in words.into_iter().chain(&account) {
            assert!(!text.contains(secret), "{place} holds {secret}: {text}");
        }
        // Only runs of 15 digits or more can contain a NIK.
        for digits in text.split(|c: char| !c.is_ascii_digit()).filter(|run| run.len() >= 15) {
            let found = numbers.iter().find(|number| digits.contains(number.as_str()));
            assert!(found.is_none(), "{place} holds {found:?}: {text}");
        }
    }

    /// Asserts that these bytes contain no NIK as a binary number, as a database stores it.
    #[track_caller]
    fn absent_as_numbers(&self, place: &str, bytes: &[u8]) {
        // A NIK fits into seven bytes: the eighth byte is zero and is not compared.
        let numbers = self.secrets.iter().filter_map(|secret| secret.parse::<u64>().ok());
        let forms: HashSet<Vec<u8>> = numbers
            .filter(|number| *number > 1 << 40)
            .flat_map(|number| {
                [number.to_be_bytes()[1..].to_vec(), number.to_le_bytes()[..7].into()]
            })
            .collect();
        let found = bytes.windows(7).find(|window| forms.contains(*window));
        assert!(found.is_none(), "{place} holds a NIK as a number: {found:?}");
    }
}

/// Returns the surname of the n-th person.
fn surname(n: u32) -> String {
    let letters: String =
        (0..4).map(|k| char::from(b'a' + (n / 26_u32.pow(k) % 26) as u8)).collect();
    format!("{SURNAME}{letters}")
}

/// Starts `ceknik run` with the account of this test.
fn start(place: &Workspace, vendor: &Vendor, more: &[&str]) -> Running {
    let mut command = place.command(&run_arguments("in.csv", &vendor.base_url, more));
    command.env("CEKNIK_API_ID", API_ID).env("CEKNIK_API_SECRET", API_SECRET);
    Running::start(command)
}

/// Returns all files and folders below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        found.push(path);
    }
    found
}

/// Checks the names, modes and contents of all files that a run has left or is writing, except the
/// contents of the user's own files. Returns the number of files that were read.
#[track_caller]
fn check_files(place: &Workspace, people: &People) -> usize {
    let root = place.path(".");
    let mut looked = 0;
    for path in files(&root) {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        people.absent("a file's name", name.as_bytes());
        // The file may be gone already, since a run is under way.
        let Ok(found) = fs::metadata(&path) else { continue };
        if !name.ends_with("in.csv") {
            let mode = found.permissions().mode() & 0o777;
            assert_eq!(mode, if found.is_dir() { 0o700 } else { 0o600 }, "{name}");
        }
        let is_users = name.ends_with(".csv") || name.ends_with(".csv.ceknik-tmp");
        if found.is_file() && !is_users {
            let Ok(bytes) = fs::read(&path) else { continue };
            people.absent(&name, &bytes);
            people.absent_as_numbers(&name, &bytes);
            looked += 1;
        }
    }
    looked
}

#[track_caller]
fn check_said(people: &People, ended: &Finished) {
    people.absent("stderr", ended.stderr.as_bytes());
    people.absent("stdout", ended.stdout.as_bytes());
}

/// Checks the output of `status` and `plan`.
#[track_caller]
fn check_status_and_plan(place: &Workspace, vendor: &Vendor, input: &str, people: &People) {
    for more in [&[][..], &["--json"]] {
        let status = [&["status", "--base-url", &vendor.base_url], more].concat();
        let ended = place.ceknik(&status).exits(0);
        assert!(!ended.stdout.is_empty());
        check_said(people, &ended);
        let plan = ["plan", input, "-vv", "--base-url", &vendor.base_url];
        let ended = place.ceknik(&[&plan[..], more].concat()).exits(0);
        assert!(!ended.stdout.is_empty());
        check_said(people, &ended);
    }
}

#[test]
fn a_vendor_that_echoes_is_shown_to_the_user_and_to_nobody_else() {
    for form in ["text", "json"] {
        let place = Workspace::new();
        let people = People::new(120);
        place.write("in.csv", &people.csv);
        let vendor = Vendor::start(&place, &["--latency", "5ms"]);
        let run = start(&place, &vendor, &["-vv", "--log", form, "--concurrency", "4"]);
        vendor.wait_for(40);
        let line = fs::read(format!("/proc/{}/cmdline", run.id())).unwrap();
        assert!(!line.is_empty());
        people.absent("the command line", &line);
        // Ledger, `-wal`, `-shm`, lock, key, witness and call log.
        assert!(check_files(&place, &people) >= 5);
        check_status_and_plan(&place, &vendor, "in.csv", &people);
        let ended = run.end().exits(3);
        check_said(&people, &ended);
        if form == "json" {
            assert!(!ended.stderr.contains("******"), "no part of a NIK is in a log");
            for line in ended.stderr.lines() {
                assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
            }
        }
        // Ledger, lock, key, witness, call log and summary.
        assert!(check_files(&place, &people) >= 5);
        check_status_and_plan(&place, &vendor, "in.csv", &people);

        // The user's own output has the echo, byte for byte, also when the answer comes from the
        // ledger.
        for source in ["call", "ledger"] {
            let rows = place.rows("in.sandbox.csv");
            let echoes: Vec<_> = rows.iter().filter(|row| row["nik"].ends_with("0018")).collect();
            assert_eq!(echoes.len(), 12);
            for row in echoes {
                let remark = &row["ck_remark"];
                assert!(remark.contains(&row["nik"]), "{row:?}");
                assert!(remark.to_lowercase().contains(&row["nama"].to_lowercase()), "{row:?}");
                assert_eq!(row["ck_source"], source);
            }
            check_said(&people, &start(&place, &vendor, &["-vv"]).end().exits(3));
        }
        check_files(&place, &people);
    }
}

#[test]
fn a_kill_leaves_nothing_to_be_read() {
    let place = Workspace::new();
    let people = People::new(400);
    place.write("in.csv", &people.csv);
    let vendor = Vendor::start(&place, &["--latency", "10ms"]);
    for kill in 1..=3 {
        let mut run = start(&place, &vendor, &["--concurrency", "8"]);
        vendor.wait_for(60 * kill);
        run.kill();
        assert!(place.path("state/ceknik").read_dir().unwrap().count() >= 5);
        check_files(&place, &people);
        check_status_and_plan(&place, &vendor, "in.csv", &people);
    }
    let run = start(&place, &vendor, &[]);
    vendor.wait_for(200);
    run.signal("TERM");
    check_said(&people, &run.end().exits(143));
    assert!(place.path("in.sandbox.partial.csv").exists());
    check_files(&place, &people);
}

/// Exit code, input, further arguments and environment variables.
type Case<'a> = (i32, &'a str, &'a [&'a str], Vec<(&'a str, String)>);

#[test]
fn errors_tell_nothing_of_the_customers_or_the_account() {
    let place = Workspace::new();
    let people = People::new(30);
    place.write("in.csv", &people.csv);
    let headless: String = people.csv.lines().skip(1).map(|line| format!("{line}\n")).collect();
    place.write("headless.csv", headless);
    place.write("torn.csv", format!("{}31,\"{}", people.csv, nik(31, 1031)));
    fs::create_dir(place.path("folder.csv")).unwrap();
    let vendor = Vendor::start(&place, &[]);
    let secret = |value: &str| vec![("CEKNIK_API_SECRET", value.to_owned())];
    let account = |id: &str| vec![("CEKNIK_API_ID", id.to_owned())];
    let none = Vec::new;
    // These files have no header. The address in their first row contains words of headers.
    // The first row of the second file has no NIK.
    let home = "Jl Melati No 5,Kota Bandung";
    place.write("address.csv", format!("{},{},{home}\n", surname(1), nik(1, 18)));
    let nikless = format!("{},,{home}\n{},{},{home}\n", surname(0), surname(1), nik(1, 18));
    place.write("nikless.csv", nikless);
    let cases: [Case<'_>; 14] = [
        (12, "in.csv", &[], account("expired")),
        (12, "in.csv", &[], account("forbidden")),
        (10, "in.csv", &["--id-column", "nope"], none()),
        (10, "in.csv", &["--id-column", "3", "--name-column", "2"], none()),
        (10, "in.csv", &["--id-column", "9"], none()),
        (10, "headless.csv", &[], none()),
        (10, "address.csv", &["--id-column", "NIK"], none()),
        (10, "nikless.csv", &[], none()),
        (10, "headless.csv", &["--no-header", "--id-column", "3", "--name-column", "2"], none()),
        (10, "torn.csv", &[], none()),
        (10, "folder.csv", &[], none()),
        (2, "in.csv", &["-o", "in.csv"], none()),
        (11, "in.csv", &[], secret(&format!("{API_SECRET}\n{API_SECRET}"))),
        (11, "in.csv", &["--ca-cert", "in.csv"], none()),
    ];
    for (code, input, more, environment) in cases {
        for verbose in [&["-vv"][..], &["-vv", "--log", "json"]] {
            let more = [more, verbose].concat();
            let mut command = place.command(&run_arguments(input, &vendor.base_url, &more));
            command.env("CEKNIK_API_ID", API_ID).env("CEKNIK_API_SECRET", API_SECRET);
            command.envs(environment.clone());
            let ended = Running::start(command).end();
            assert_eq!(ended.code, Some(code), "{input} {more:?}: {}", ended.stderr);
            check_said(&people, &ended);
        }
    }
    let plan = ["plan", "nikless.csv", "--json", "--id-column", "2", "--name-column", "1"];
    let planned = place.ceknik(&[&plan[..], &["--base-url", &vendor.base_url]].concat()).exits(0);
    assert!(planned.stdout.contains("\"header\": \"xxx"), "{}", planned.stdout);
    check_said(&people, &planned);
}

#[test]
fn names_of_files_and_sheets_are_told_masked_and_on_one_line() {
    let (place, number) = (Workspace::new(), nik(7, 1007));
    let vendor = Vendor::start(&place, &[]);
    let dotted = [&number[..4], &number[4..8], &number[8..12], &number[12..]].join(".");
    let input = format!("{dotted}\u{1B}[2J\u{202E}\nerror: gone.csv");
    place.write(&input, format!("nik,nama\n{number},{}\n", surname(7)));
    let check = |what: &str, text: &str| {
        for hidden in [&dotted, "\u{1B}", "\u{202E}", "\nerror: gone"] {
            assert!(!text.contains(hidden), "{what}: {text:?}");
        }
    };
    check("run", &place.run(&input, &vendor.base_url, &["-vv"]).exits(0).stderr);
    check("error", &place.run(&input, &vendor.base_url, &["--id-column", "9"]).exits(10).stderr);
    // This path is not masked, so that only the filter of the terminal output removes its control
    // characters.
    check(
        "guard",
        &place.run(&input, &vendor.base_url, &["--ca-cert", "\u{1B}[2J"]).exits(11).stderr,
    );

    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet().set_name(format!("{SURNAME} {number}")).unwrap();
    sheet.write_row(0, 0, ["nik", "nama"]).unwrap();
    sheet.write_row(1, 0, [&number, &surname(7)]).unwrap();
    workbook.save(place.path("in.xlsx")).unwrap();
    let people = People { csv: String::new(), secrets: vec![number] };
    check_said(&people, &place.run("in.xlsx", &vendor.base_url, &["-vv"]).exits(0));

    for path in files(&place.path(".")).into_iter().filter(|path| path.is_file()) {
        let (name, bytes) = (path.display().to_string(), fs::read(&path).unwrap());
        if name.ends_with(".summary.json") {
            check(&name, &String::from_utf8_lossy(&bytes));
        }
        if name.contains("/state/") {
            people.absent(&name, &bytes);
            assert!(!String::from_utf8_lossy(&bytes).contains(&dotted), "{name}");
        }
    }
    // An older version masked less, and such a label may be in the ledger.
    let mut state = files(&place.path("state")).into_iter();
    let ledger = state.find(|path| path.extension().is_some_and(|end| end == "ledger")).unwrap();
    let ledger = rusqlite::Connection::open(ledger).unwrap();
    ledger.execute("UPDATE runs SET label = ?1", [&input]).unwrap();
    drop(ledger);
    for more in [&[][..], &["--json"]] {
        let status = [&["status", "--base-url", &vendor.base_url], more].concat();
        check("status", &place.ceknik(&status).exits(0).stdout);
    }
}

#[test]
fn a_nik_in_a_file_name_is_never_shown() {
    let place = Workspace::new();
    let number = nik(7, 1007);
    let people = People { csv: String::new(), secrets: vec![number.clone()] };
    let input = format!("{number}.csv");
    place.write(&input, format!("nik,nama\n{number},{}\n", surname(7)));
    let vendor = Vendor::start(&place, &[]);
    for (code, more) in [
        (0, &["-vv"][..]),
        (13, &["--reuse", "0", "--limit", "0"]),
        (0, &["--ledger", &format!("{number}.ledger")]),
        (11, &["-o", &format!("{number}/out.csv")]),
    ] {
        check_said(&people, &place.run(&input, &vendor.base_url, more).exits(code));
    }
    let of_another = ["run", &input, "--ledger", &format!("{number}.ledger"), "--sandbox"];
    check_said(&people, &place.ceknik(&of_another).exits(11));
    for (code, ending) in [(0, "ledger"), (11, "missing")] {
        let ledger = format!("{number}.{ending}");
        check_said(&people, &place.ceknik(&["status", "--ledger", &ledger]).exits(code));
    }
    for more in [&[][..], &["-q"], &["--log", "json"]] {
        check_said(&people, &place.ceknik(&[&["run", "a.csv", &number], more].concat()).exits(2));
    }
    let missing = format!("{}.csv", nik(8, 1008));
    let people = People { csv: String::new(), secrets: vec![nik(8, 1008), number] };
    check_said(&people, &place.run(&missing, &vendor.base_url, &[]).exits(10));
    check_status_and_plan(&place, &vendor, &input, &people);
}
