//! Programs as processes: a program that runs, and the result of a program that has ended.
//!
//! Must hold: a program never waits for a reader of its pipes, and every wait for a program ends.

use std::io::Read;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, sleep};
use std::time::Instant;

use super::{LOOK_EVERY, patience};

/// The result of a program that has ended.
pub struct Finished {
    /// The exit code; `None` if a signal ended the program.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
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
pub struct Running {
    child: Child,
    begun: Instant,
    /// Standard output and standard error; `None` where the command sends them elsewhere.
    stdout: Option<Pipe>,
    stderr: Option<Pipe>,
}

impl Running {
    /// Starts the program. What it prints is read from the start.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(Pipe::read);
        let stderr = child.stderr.take().map(Pipe::read);
        Self { child, begun: Instant::now(), stdout, stderr }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, such as `TERM`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let number = self.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &number]).status().unwrap().success());
    }

    /// Kills the program with SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) -> ExitStatus {
        self.child.kill().unwrap();
        self.child.wait().unwrap()
    }

    /// Returns `true` if the program has ended. Fails the test if the program runs for too long, so
    /// that every loop that waits for its end has a deadline.
    #[track_caller]
    pub fn is_over(&mut self) -> bool {
        let is_over = self.child.try_wait().unwrap().is_some();
        if !is_over && self.begun.elapsed() > patience() {
            self.give_up();
        }
        is_over
    }

    /// Waits until the program has written these words to standard error.
    #[track_caller]
    pub fn wait_to_say(&self, words: &str) {
        let (stderr, deadline) = (self.stderr.as_ref().unwrap(), Instant::now() + patience());
        loop {
            let is_last = stderr.reader.is_finished() || Instant::now() > deadline;
            let said = stderr.so_far();
            if said.contains(words) {
                return;
            }
            assert!(!is_last, "{words:?} is not said in: {said}");
            sleep(LOOK_EVERY);
        }
    }

    /// Waits for the program to end, and returns its result. A program that does not end in time is
    /// killed, and fails the test.
    #[track_caller]
    pub fn end(mut self) -> Finished {
        let deadline = Instant::now() + patience();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                self.give_up();
            }
            sleep(LOOK_EVERY);
        };
        let text = |pipe: Option<Pipe>| pipe.map(Pipe::whole).unwrap_or_default();
        Finished {
            code: status.code(),
            stdout: text(self.stdout.take()),
            stderr: text(self.stderr.take()),
        }
    }

    /// Kills the program, and fails the test with what the program has said.
    #[track_caller]
    fn give_up(&mut self) -> ! {
        self.kill();
        let text = |pipe: &Option<Pipe>| pipe.as_ref().map(Pipe::so_far).unwrap_or_default();
        let (stdout, stderr) = (text(&self.stdout), text(&self.stderr));
        panic!("the program does not end\nstdout: {stdout}\nstderr: {stderr}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A pipe from a program. A thread reads it to its end.
struct Pipe {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Pipe {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::<u8>::new()));
        let so_far = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut chunk = [0; 1 << 14];
            while let bytes @ 1.. = from.read(&mut chunk).unwrap() {
                so_far.lock().unwrap().extend_from_slice(&chunk[..bytes]);
            }
        });
        Self { text, reader }
    }

    /// Returns the text that has come so far.
    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    /// Waits for the end of the pipe, and returns the whole text.
    fn whole(self) -> String {
        self.reader.join().unwrap();
        let bytes = std::mem::take(&mut *self.text.lock().unwrap());
        String::from_utf8(bytes).unwrap()
    }
}
