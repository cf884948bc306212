//! Faults at a chosen step of the program: a disk that fails, a kill, a wall clock that is wrong. A
//! small C library (`fault.c`) is compiled here and preloaded into the program, where it counts the
//! steps.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// An event at one step of the program.
#[derive(Debug, Clone, Copy)]
pub struct Fault<'a> {
    /// Kinds of step that count, separated by commas.
    pub calls: &'a str,
    /// Text that the absolute path of a step's file must contain. Steps of sockets always count.
    pub path: &'a str,
    /// Number of the step, from 1.
    pub at: usize,
    pub act: Act,
}

/// The kind of event.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// The call fails with this error number; if `lasts`, all later calls that count fail too.
    Fail { errno: i32, lasts: bool },
    /// The program is killed before the call is made.
    Kill,
    /// The program is killed when the call has returned.
    KillAfter,
    /// The wall clock jumps by this number of seconds.
    ShiftClock(i64),
}

/// Kinds of step that change a file's content.
pub const STORAGE: &str = "write,cut,sync";
/// All kinds of step that the library can count.
pub const ANY: &str = "write,cut,sync,rename,send,recv";

pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

impl Fault<'_> {
    /// Sets the environment that makes the fault happen in this command. The file `mark` is created
    /// when the fault happens.
    pub fn put_upon(&self, command: &mut Command, mark: &Path) {
        count(command, self.calls, self.path);
        command.env("FAULT_AT", self.at.to_string()).env("FAULT_MARK", mark);
        let act = match self.act {
            Act::Fail { errno, lasts } => {
                command.env("FAULT_ERRNO", errno.to_string());
                if lasts {
                    command.env("FAULT_LASTS", "yes");
                }
                "fail"
            }
            Act::Kill => "kill",
            Act::KillAfter => "kill-after",
            Act::ShiftClock(seconds) => {
                command.env("FAULT_SHIFT", seconds.to_string());
                "shift"
            }
        };
        command.env("FAULT_ACT", act);
    }
}

/// Makes the program write a line to `into` for each step that counts: its kind, and its file's
/// name or `socket`.
pub fn trace(command: &mut Command, calls: &str, path: &str, into: &Path) {
    count(command, calls, path);
    command.env("FAULT_TRACE", into);
}

/// Makes the program see a wall clock that is wrong by this number of seconds.
pub fn set_clock(command: &mut Command, seconds: i64) {
    command.env("LD_PRELOAD", library()).env("CLOCK_SHIFT", seconds.to_string());
}

fn count(command: &mut Command, calls: &str, path: &str) {
    command.env("LD_PRELOAD", library()).env("FAULT_CALLS", calls).env("FAULT_PATH", path);
}

/// Returns the path of the library, which is compiled once for each test process. SQLite needs the
/// same compiler.
fn library() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let library = folder.join(format!("fault-{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/fault.c");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let mut command = Command::new(compiler);
        command.args(["-shared", "-fPIC", "-O1", source, "-ldl", "-o"]).arg(&library);
        assert!(command.status().unwrap().success(), "the library of faults does not compile");
        // The library is kept under one name, so that many test runs leave one file.
        let kept = folder.join("fault.so");
        std::fs::rename(library, &kept).unwrap();
        kept
    })
}
