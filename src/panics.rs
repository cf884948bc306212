//! Panics kept in bounds: of our own defects, and of libraries that give up on a hostile file or a full disk.
//!
//! Must hold: what a panic says is never shown, since it may quote a customer's data or a secret; only where it happened.
//! Never: hides a defect of ours.

use std::cell::Cell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, UnwindSafe, catch_unwind};

thread_local! {
    /// This thread runs code whose panics become errors, which are told.
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// From now on a panic shows where it happened and no more. For the start of the program.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if CONTAINED.get() {
            return;
        }
        let place = panic.location().map(|at| {
            // The path is that of the machine that built us.
            let file = at.file().rsplit(['/', '\\']).next().unwrap_or_default();
            format!(" at {file}:{}", at.line())
        });
        // Not by a macro that panics where stderr is gone: a panic in a panic ends the process at once.
        let _ = writeln!(
            std::io::stderr(),
            "error: internal error{}: this is a defect of ceknik\n  hint: nothing that was recorded is lost; `ceknik status` shows it",
            place.unwrap_or_default()
        );
    }));
}

/// Runs all of the program. A panic is an internal error: `code`.
pub fn bounded<T>(run: impl FnOnce() -> T + UnwindSafe, code: T) -> T {
    catch_unwind(run).unwrap_or(code)
}

/// Runs a library's code that may panic. `None`: it did, and what it worked on is to be given up.
pub fn contained<T>(run: impl FnOnce() -> T) -> Option<T> {
    let before = CONTAINED.replace(true);
    let ended = catch_unwind(AssertUnwindSafe(run));
    CONTAINED.set(before);
    ended.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_no_value() {
        assert_eq!(contained(|| 7), Some(7));
        assert_eq!(contained(|| -> u8 { panic!("3275014101900001") }), None);
        assert!(!CONTAINED.get());
        assert_eq!(bounded(|| -> u8 { panic!("again") }, 1), 1);
        assert_eq!(bounded(|| 7, 1), 7);
    }
}
