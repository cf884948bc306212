//! The harness of the whole-program tests: a temporary folder, the real binary, and the stand-in
//! vendor as a separate process. The vendor's call log shows what was sent and charged.
//!
//! Never: passes on the caller's environment, talks to anything but loopback, uses data of real
//! people. (Some tests of `protocol` look up `.invalid` names.)

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a harness: each test file uses its own part, and a failure here fails the test"
)]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

pub mod faults;

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
/// Longest wait for a run to end or for calls to come.
const PATIENCE: Duration = Duration::from_secs(120);

/// A temporary folder for one test, with its input, output and ledger.
pub struct Place {
    folder: tempfile::TempDir,
}

/// The result of a program that has ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
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
            .env("CEKNIK_API_SECRET", "test-account-secret")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub fn ceknik(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }

    /// Runs `ceknik run` on a file against an address, without a rate limit and with a short
    /// backoff.
    pub fn run(&self, input: &str, base_url: &str, more: &[&str]) -> Ended {
        self.ceknik(&run_arguments(input, base_url, more))
    }

    /// Returns the rows of an output CSV (comma, header), each as a map from header to cell.
    pub fn rows(&self, name: &str) -> Vec<BTreeMap<String, String>> {
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

    /// Returns the summary beside an output.
    pub fn summary(&self, output: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(&format!("{output}.summary.json"))).unwrap()
    }
}

/// Returns the arguments of a run without a rate limit and with a short backoff.
pub fn run_arguments<'a>(input: &'a str, base_url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fast = ["--base-url", base_url, "--rate", "unlimited", "--backoff", "5ms"];
    [&["run", input][..], &fast, more].concat()
}

impl Ended {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts the exit code. On failure, shows standard output and standard error.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Asserts that standard error contains these words.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "{words:?} is not said in: {}", self.stderr);
        self
    }
}

/// A running program. Dropping this value kills it.
pub struct Running(Child);

impl Running {
    pub fn start(mut command: Command) -> Self {
        Self(command.spawn().unwrap())
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let number = self.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &number]).status().unwrap().success());
    }

    /// Kills the program with SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) -> ExitStatus {
        self.0.kill().unwrap();
        self.0.wait().unwrap()
    }

    pub fn is_over(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Waits for the program to end, and returns its result.
    pub fn end(mut self) -> Ended {
        let stdout = self.0.stdout.take().map(read_all);
        let stderr = self.0.stderr.take().map(read_all);
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the program does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        let text = |thread: Option<std::thread::JoinHandle<Vec<u8>>>| {
            thread.map(|thread| thread.join().unwrap()).unwrap_or_default()
        };
        Ended::of(Output { status, stdout: text(stdout), stderr: text(stderr) })
    }
}

fn read_all(mut from: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The stand-in vendor as a separate process.
pub struct Vendor {
    process: Running,
    pub base_url: String,
    calls: PathBuf,
}

/// One line of the vendor's call log.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Call {
    pub at_us: u64,
    pub pair: Option<String>,
    pub answer: String,
    pub http: u16,
    pub charged: bool,
    pub n: u32,
}

impl Vendor {
    /// Starts the vendor with further arguments. Its call log is in the test's folder.
    pub fn start(place: &Place, more: &[&str]) -> Self {
        let calls = place.path("calls.jsonl");
        let mut command =
            place.command(&[&["sandbox", "--calls", calls.to_str().unwrap()], more].concat());
        command.stderr(Stdio::null());
        let mut process = Running::start(command);
        let mut line = String::new();
        let stdout = process.0.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        Self { process, base_url: line.trim().to_owned(), calls }
    }

    /// Returns the number of calls in the log so far.
    pub fn count(&self) -> usize {
        fs::read(&self.calls).map_or(0, |log| log.iter().filter(|b| **b == b'\n').count())
    }

    /// Waits until the log has this number of calls.
    pub fn wait_for(&self, calls: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.count() < calls {
            assert!(Instant::now() < deadline, "{} of {calls} calls came", self.count());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns all calls so far. A call is logged a moment after its answer, hence the pause.
    pub fn calls(&self) -> Vec<Call> {
        std::thread::sleep(Duration::from_millis(100));
        read_calls(&self.calls)
    }

    /// Ends the vendor, and returns all calls that it got.
    pub fn end(self) -> Vec<Call> {
        self.process.signal("TERM");
        let Self { process, calls, .. } = self;
        process.end().exits(0);
        read_calls(&calls)
    }
}

/// Returns the number of calls that the vendor bills.
pub fn billed(calls: &[Call]) -> u64 {
    calls.iter().filter(|call| call.charged).count() as u64
}

/// Asserts that no pair was sent more than once.
#[track_caller]
pub fn bought_once(calls: &[Call]) {
    let mut times: HashMap<&str, u32> = HashMap::new();
    for call in calls {
        *times.entry(call.pair.as_deref().unwrap()).or_default() += 1;
    }
    let twice = times.iter().find(|(_, times)| **times > 1);
    assert!(twice.is_none(), "sent twice: {twice:?}");
}

fn read_calls(path: &Path) -> Vec<Call> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns a CSV of made-up people, `id,nik,nama`, with one row for each serial. A serial is the
/// last four digits of the NIK, which choose the stand-in vendor's answer. No two rows are the same
/// pair.
pub fn people(serials: impl IntoIterator<Item = u32>) -> String {
    let mut text = "id,nik,nama\n".to_owned();
    for (n, serial) in (0..).zip(serials) {
        text += &format!("{n},{},{}\n", nik(n, serial), name(n));
    }
    text
}

/// Returns a CSV of `count` people. Their serials choose no special answer, so each row gets a
/// verdict.
pub fn many_people(count: u32) -> String {
    people((0..count).map(|n| 1001 + n % 8000 / 10 * 10 + n % 9))
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
