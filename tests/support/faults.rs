//! A disk that fails at a chosen moment: a small library in C, compiled here and preloaded into the program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Which write, cut or sync of the files of that name fails, and how.
#[derive(Debug, Clone, Copy)]
pub struct Fault<'a> {
    pub path: &'a str,
    /// From 1.
    pub at: u32,
    pub errno: i32,
    /// Whether all that follow fail too.
    pub lasts: bool,
}

pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

impl Fault<'_> {
    /// Has the program meet this fault; `mark` is made when it does.
    pub fn put_upon(&self, command: &mut Command, mark: &Path) {
        command
            .env("LD_PRELOAD", library())
            .env("FAIL_PATH", self.path)
            .env("FAIL_AT", self.at.to_string())
            .env("FAIL_ERRNO", self.errno.to_string())
            .env("FAIL_MARK", mark);
        if self.lasts {
            command.env("FAIL_LASTS", "yes");
        }
    }
}

/// The library, made once. The compiler is the one that SQLite needs anyway.
fn library() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let library = folder.join(format!("failing-{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/failing.c");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let mut command = Command::new(compiler);
        command.args(["-shared", "-fPIC", "-O1", source, "-ldl", "-o"]).arg(&library);
        assert!(command.status().unwrap().success(), "the failing library does not compile");
        // Kept under one name, whatever the number of runs.
        let kept = folder.join("failing.so");
        std::fs::rename(library, &kept).unwrap();
        kept
    })
}
