//! Handling of panics: those of our own defects, and those of libraries that fail on a hostile file
//! or a full disk.
//!
//! Must hold: the message of a panic is never shown, because it may quote a customer's data or a
//! secret. Only the place of the panic is shown.
//!
//! Never: hides a defect of ours.

use std::cell::Cell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

/// What a panic means to the user.
pub const DEFECT: &str = "this is a defect of ceknik";
/// Advice after a panic.
pub const DEFECT_HINT: &str =
    "Please report it. Nothing that was recorded is lost: see `ceknik status`";

thread_local! {
    /// True while this thread runs code whose panics become errors. Those errors are reported, so
    /// the panic itself is not shown.
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Place of the last panic that was not contained, in words that follow "internal error".
static LAST_PLACE: Mutex<String> = Mutex::new(String::new());

/// Returns the place of the last panic, in words that follow "internal error"; an empty text if it is
/// not known.
pub fn last_place() -> String {
    LAST_PLACE.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Makes every later panic show its place and nothing more, or, if `shows` is false, only note it for
/// [`last_place`]. To be called at the start of the program.
pub fn hide_panic_messages(shows: bool) {
    std::panic::set_hook(Box::new(move |panic| {
        if CONTAINED.get() {
            return;
        }
        let place = panic.location().map(|at| {
            // The folder is one of the machine that built the program, so only the file name is
            // shown.
            let file = at.file().rsplit(['/', '\\']).next().unwrap_or_default();
            format!(" at {file}:{}", at.line())
        });
        let place = place.unwrap_or_default();
        *LAST_PLACE.lock().unwrap_or_else(PoisonError::into_inner) = place.clone();
        if !shows {
            return;
        }
        // A macro such as `eprintln!` panics if standard error is gone, and a panic during a panic
        // ends the process at once.
        let _ = writeln!(
            std::io::stderr(),
            "error: internal error{place}: {DEFECT}\n  hint: {DEFECT_HINT}"
        );
    }));
}

/// Runs the whole program. If it panics, returns `code`, the exit code for an internal error.
pub fn or_on_panic<T>(run: impl FnOnce() -> T + UnwindSafe, code: T) -> T {
    catch_unwind(run).unwrap_or(code)
}

/// Runs code of a library that may panic. Returns `None` if it did. The data that it worked on must
/// then be given up.
pub fn catch_panic<T>(run: impl FnOnce() -> T) -> Option<T> {
    let before = CONTAINED.replace(true);
    let ended = catch_unwind(AssertUnwindSafe(run));
    CONTAINED.set(before);
    ended.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_the_given_value() {
        assert_eq!(catch_panic(|| 7), Some(7));
        assert_eq!(catch_panic(|| -> u8 { panic!("3275014101900001") }), None);
        assert!(!CONTAINED.get());
        assert_eq!(or_on_panic(|| -> u8 { panic!("again") }, 1), 1);
        assert_eq!(or_on_panic(|| 7, 1), 7);
    }
}
