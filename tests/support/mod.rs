//! The harness of the whole-program tests: a temporary folder, the real binary, and the stand-in
//! vendor as a separate process. The vendor's call log shows what was sent and charged.
//!
//! Never: passes on the caller's environment, talks to anything but loopback, uses data of real
//! people. (Some tests of `protocol` look up `.invalid` names.)

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_imports,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a harness: each test file uses its own part, and a failure here fails the test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpSocket;

pub mod book;
pub mod cutting;
pub mod faults;
pub mod files;
pub mod money;
pub mod postgres;
pub mod pty;
mod running;
pub mod severing;
pub mod shared;
pub mod table;
mod vendor;

pub use running::{Finished, Running};
pub use vendor::{Call, Vendor, billed, bought_once};

/// Path of the binary under test.
pub const CEKNIK: &str = env!("CARGO_BIN_EXE_ceknik");
/// Columns that the program adds to an output.
pub const COLUMNS: [&str; 12] = [
    "ck_outcome",
    "ck_result",
    "ck_charged",
    "ck_possible",
    "ck_order_no",
    "ck_handle_time",
    "ck_remark",
    "ck_request_id",
    "ck_status",
    "ck_reason",
    "ck_source",
    "ck_attempts",
];
/// Text of an output that an earlier run wrote, so that the program may overwrite it.
pub const OLDER: &str = "nik,ck_outcome\nolder,match\n";
/// Flags of a run with a ledger in the folder `disk` and eight calls in flight. The first two flags
/// name the ledger.
pub const LEDGER: [&str; 4] = ["--ledger", "disk/my.ledger", "--concurrency", "8"];
/// Longest wait for a run to end or for calls to come. It is longer where `FLEET_TIMES` repeats
/// faults many times.
pub fn patience() -> Duration {
    let times = std::env::var("FLEET_TIMES").ok().and_then(|times| times.parse().ok());
    Duration::from_secs(120) * (times.unwrap_or(0) / 5).max(1)
}

/// Pause between two looks at something that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// One row of an output: its cells by column.
pub type Row = BTreeMap<String, String>;

/// Secret of the account of the tests.
pub const SECRET: &str = "test-account-secret";

/// A temporary folder for one test, with its input, output and ledger.
pub struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and returns its path.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Returns the program with these arguments, in this folder. Its environment has an account and
    /// a state folder inside this folder, and nothing else.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(CEKNIK, arguments)
    }

    /// Returns another program in the same folder and environment, for example a shell that starts
    /// ceknik.
    pub fn command_of(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("XDG_STATE_HOME", self.path("state"))
            .env("CEKNIK_API_ID", "test-account-id")
            .env("CEKNIK_API_SECRET", SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    #[track_caller]
    pub fn ceknik(&self, arguments: &[&str]) -> Finished {
        Running::start(self.command(arguments)).end()
    }

    /// Runs `ceknik run` on a file against an address, without a rate limit and with a short
    /// backoff.
    #[track_caller]
    pub fn run(&self, input: &str, base_url: &str, more: &[&str]) -> Finished {
        self.ceknik(&run_arguments(input, base_url, more))
    }

    /// Returns the JSON that `status` prints for the ledger that these flags name.
    #[track_caller]
    pub fn status(&self, which: &[&str]) -> Value {
        let ended = self.ceknik(&[&["status", "--json"], which].concat()).exits(0);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// Returns the JSON that `status` prints, or `None` if the ledger is not made yet.
    #[track_caller]
    pub fn status_if_any(&self, which: &[&str]) -> Option<Value> {
        let ended = self.ceknik(&[&["status", "--json"], which].concat());
        if ended.code == Some(11) {
            ended.says("there is no ledger at");
            return None;
        }
        Some(serde_json::from_str(&ended.exits(0).stdout).unwrap())
    }

    /// Writes `ceknik.toml`, writable by its owner only, whatever the umask is.
    pub fn settings(&self, text: &str) -> PathBuf {
        let path = self.write("ceknik.toml", text);
        files::set_mode(&path, 0o644);
        path
    }

    /// Returns the rows of an output CSV (comma, header), each as a map from header to cell.
    pub fn rows(&self, name: &str) -> Vec<Row> {
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).from_path(self.path(name)).unwrap();
        let header = reader.headers().unwrap().clone();
        let cells = |record: csv::StringRecord| {
            header.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect()
        };
        reader.records().map(|record| cells(record.unwrap())).collect()
    }

    /// Returns one column of an output CSV.
    pub fn column(&self, name: &str, column: &str) -> Vec<String> {
        self.rows(name).into_iter().map(|row| row[column].clone()).collect()
    }

    /// Returns the number of rows of an output CSV that have this content in this column.
    pub fn count(&self, name: &str, column: &str, content: &str) -> usize {
        table::count(&self.column(name, column), content)
    }

    /// Returns the summary beside an output.
    pub fn summary(&self, output: &str) -> Value {
        serde_json::from_str(&self.read(&format!("{output}.summary.json"))).unwrap()
    }
}

/// Runs a test of snapshots in which each of these patterns is replaced. Snapshots get the plain name
/// that the test gives them.
pub fn with_filters(filters: &[(&str, &str)], test: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    filters.iter().for_each(|(pattern, stands_for)| settings.add_filter(pattern, *stands_for));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(test);
}

/// Returns the arguments of a run without a rate limit and with a short backoff.
pub fn run_arguments<'a>(input: &'a str, base_url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fast = ["--base-url", base_url, "--rate", "unlimited", "--backoff", "5ms"];
    [&["run", input][..], &fast, more].concat()
}

/// Makes a place with an input `in.csv` of `rows` rows and a folder `disk` for a ledger, and starts
/// a vendor with this latency.
pub fn set_up(rows: u32, latency: &str) -> (Workspace, Vendor) {
    let place = Workspace::new();
    fs::create_dir(place.path("disk")).unwrap();
    place.write("in.csv", many_people(rows));
    let vendor = Vendor::start(&place, &["--latency", latency]);
    (place, vendor)
}

/// Returns an address of this machine that refuses connections, and the socket that keeps other
/// programs from listening there.
pub fn closed_port() -> (TcpSocket, SocketAddr) {
    closed_port_at(Ipv4Addr::LOCALHOST)
}

/// Returns a closed port like [`closed_port`], at another address of this machine.
pub fn closed_port_at(ip: Ipv4Addr) -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((ip, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Returns a CSV of made-up people, `id,nik,nama`, with one row for each serial. A serial is the
/// last four digits of the NIK, which choose the stand-in vendor's answer. No two rows are the same
/// pair.
pub fn people_csv(serials: impl IntoIterator<Item = u32>) -> String {
    let mut text = "id,nik,nama\n".to_owned();
    for (n, serial) in (0..).zip(serials) {
        text += &format!("{n},{},{}\n", nik(n, serial), name(n));
    }
    text
}

/// Returns a CSV of `count` people. Their serials choose no special answer, so each row gets a
/// verdict.
pub fn many_people(count: u32) -> String {
    people_csv((0..count).map(|n| 1001 + n % 8000 / 10 * 10 + n % 9))
}

/// Returns the NIK of the n-th made-up person, with this serial.
pub fn nik(n: u32, serial: u32) -> String {
    let (regency, district) = (n % 60 + 1, n / 60 % 40 + 1);
    let (day, month, year) = (n / 2400 % 28 + 1, n % 12 + 1, n / 67_200 % 100);
    format!("32{regency:02}{district:02}{day:02}{month:02}{year:02}{serial:04}")
}

/// Returns the name of the n-th made-up person.
pub fn name(n: u32) -> String {
    let letters: String =
        (0..5).map(|k| char::from(b'A' + (n / 26_u32.pow(k) % 26) as u8)).collect();
    format!("WARGA {letters}")
}

/// Returns rows of all kinds: verdicts, errors that pass or last, lost answers, duplicates and
/// rejected rows.
pub fn mixed_rows(people: u32) -> String {
    let mut text = "id,nik,nama\n".to_owned();
    for n in 0..people {
        let serial = match n % 50 {
            7 => 8,        // 500 once, then match
            13 => 16,      // QUERY_FAILED once, then mismatch
            19 => 3,       // not sure
            23 => 18,      // the remark echoes NIK and name
            29 => 5,       // refused
            31 => 13,      // a code that is not documented
            37 | 44 => 12, // charged, then cut: in doubt
            _ => 1001 + n % 8000,
        };
        text += &format!("{n},{},{}\n", nik(n, serial), name(n));
        match n % 50 {
            5 => text += &format!("{n}d,{},{}\n", nik(n, serial), name(n)),
            11 => text += &format!("{n}r,12345,{}\n", name(n)),
            17 => text += &format!("{n}e,{},\n", nik(n, serial)),
            _ => {}
        }
    }
    text
}

/// Returns the month of a time and the one after it.
pub fn months_around(time: &str) -> [String; 2] {
    let (year, month): (u32, u32) = (time[..4].parse().unwrap(), time[5..7].parse().unwrap());
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    [(year, month), next].map(|(year, month)| format!("{year}-{month:02}"))
}
