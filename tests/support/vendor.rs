//! The stand-in vendor as a separate process, and its call log.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write, pipe};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{LOOK_EVERY, Running, Workspace, patience};

/// Longest wait for the line of a call whose answer has been decided. The vendor writes it about
/// 10 ms later.
const LOG_DELAY: Duration = Duration::from_secs(10);

/// The stand-in vendor as a separate process.
pub struct Vendor {
    process: Running,
    pub base_url: String,
    calls: PathBuf,
    /// Number of lines in the call log that an earlier vendor of the same place has written.
    earlier: usize,
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
    pub fn start(place: &Workspace, more: &[&str]) -> Self {
        let calls = place.path("calls.jsonl");
        let earlier = count_lines(&calls);
        let mut command =
            place.command(&[&["sandbox", "--calls", calls.to_str().unwrap()], more].concat());
        let (reader, writer) = pipe().unwrap();
        command.stdout(writer).stderr(Stdio::null());
        let process = Running::start(command);
        let mut line = String::new();
        BufReader::new(reader).read_line(&mut line).unwrap();
        assert!(line.starts_with("http://"), "the vendor does not start");
        Self { process, base_url: line.trim().to_owned(), calls, earlier }
    }

    /// Returns the number of all calls that the vendor has decided so far. A call is logged a moment
    /// after that, so this waits until the log is complete.
    #[track_caller]
    pub fn count(&self) -> usize {
        self.wait(self.earlier + self.requests(), LOG_DELAY);
        self.logged()
    }

    /// Returns the number of calls in the log so far.
    fn logged(&self) -> usize {
        count_lines(&self.calls)
    }

    /// Waits until the log has this number of calls.
    #[track_caller]
    pub fn wait_for(&self, calls: usize) {
        self.wait(calls, patience());
    }

    /// Waits until this number of further calls has come, or the program has ended. Returns `true`
    /// if the calls have come.
    #[track_caller]
    pub fn wait_for_more(&self, calls: usize, program: &mut Running) -> bool {
        let goal = self.logged() + calls;
        while self.logged() < goal {
            if program.is_over() {
                return false;
            }
            sleep(LOOK_EVERY);
        }
        true
    }

    /// Returns all calls that the vendor has decided so far.
    #[track_caller]
    pub fn calls(&self) -> Vec<Call> {
        self.count();
        read_calls(&self.calls)
    }

    /// Ends the vendor, and returns all calls that it got.
    #[track_caller]
    pub fn end(self) -> Vec<Call> {
        self.process.signal("TERM");
        let Self { process, calls, .. } = self;
        process.end().exits(0);
        read_calls(&calls)
    }

    #[track_caller]
    fn wait(&self, calls: usize, longest: Duration) {
        let deadline = Instant::now() + longest;
        while self.logged() < calls {
            assert!(Instant::now() < deadline, "{} of {calls} calls came", self.logged());
            sleep(LOOK_EVERY);
        }
    }

    /// Returns the number of requests that the vendor has decided since its start.
    fn requests(&self) -> usize {
        let mut stream = TcpStream::connect(self.base_url.trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(LOG_DELAY)).unwrap();
        stream.write_all(b"GET /stats HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let stats: Value = serde_json::from_str(body).unwrap();
        stats["requests"].as_u64().unwrap() as usize
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

fn count_lines(path: &Path) -> usize {
    fs::read(path).map_or(0, |log| log.iter().filter(|byte| **byte == b'\n').count())
}

fn read_calls(path: &Path) -> Vec<Call> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
