//! Faults at a chosen step of the program: a disk that fails, a kill, a wall clock that is wrong. A small
//! library in C (`fault.c`), compiled here and preloaded into the program, counts its steps.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Something that happens at one step of the program.
#[derive(Debug, Clone, Copy)]
pub struct Fault<'a> {
    /// The kinds of step that count.
    pub calls: &'a str,
    /// What the path of a step's file contains.
    pub path: &'a str,
    /// Which step it is, from 1.
    pub at: usize,
    pub act: Act,
}

/// What happens.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// The call fails, and all that follow where it lasts.
    Fail { errno: i32, lasts: bool },
    /// The program is killed before the call is made.
    Kill,
    /// It is killed when the call is done.
    KillAfter,
    /// The wall clock jumps by so many seconds.
    ShiftClock(i64),
}

/// All that touches a file's content.
pub const STORAGE: &str = "write,cut,sync";
/// All steps that can be told apart from outside.
pub const ANY: &str = "write,cut,sync,rename,send,recv";

pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

impl Fault<'_> {
    /// Has the program meet this fault; `mark` is made when it does.
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

/// Has the program write a line for each step that counts: its kind, and its file or `socket`.
pub fn trace(command: &mut Command, calls: &str, path: &str, into: &Path) {
    count(command, calls, path);
    command.env("FAULT_TRACE", into);
}

/// Has the program see a wall clock that is off by so many seconds.
pub fn set_clock(command: &mut Command, seconds: i64) {
    command.env("LD_PRELOAD", library()).env("CLOCK_SHIFT", seconds.to_string());
}

fn count(command: &mut Command, calls: &str, path: &str) {
    command.env("LD_PRELOAD", library()).env("FAULT_CALLS", calls).env("FAULT_PATH", path);
}

/// The library, made once. The compiler is the one that SQLite needs anyway.
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
        // Kept under one name, whatever the number of runs.
        let kept = folder.join("fault.so");
        std::fs::rename(library, &kept).unwrap();
        kept
    })
}
