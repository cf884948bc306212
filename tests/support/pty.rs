//! A terminal for a program under test, and the screen that a person would see.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::{CEKNIK, Running, Workspace, patience};

/// A program on a terminal of its own.
pub struct Terminal {
    pub program: Running,
    keyboard: File,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    screen: vt100::Parser,
    bytes: Vec<u8>,
}

impl Terminal {
    /// Starts ceknik in a place, on a terminal with this number of rows and columns.
    pub fn ceknik(place: &Workspace, arguments: &[&str], size: (u16, u16)) -> Self {
        Self::start(place, &[&[CEKNIK], arguments].concat(), &[("TERM", "xterm")], size)
    }

    /// Starts a program in a place, with further variables.
    pub fn start(
        place: &Workspace,
        words: &[&str],
        variables: &[(&str, &str)],
        (rows, columns): (u16, u16),
    ) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let path = OsStr::from_bytes(name.as_bytes());
        let master = File::from(master);
        set_size(&master, rows, columns);
        let slave = || OpenOptions::new().read(true).write(true).open(path).unwrap();
        // `setsid --ctty` makes the terminal the controlling terminal of the program.
        let arguments = [&["--ctty", "--wait"], words].concat();
        let mut command: Command = place.command_of("setsid", &arguments);
        command.envs(variables.iter().copied());
        command.stdin(slave()).stdout(slave()).stderr(slave());
        let (seen_rows, seen_columns) = emulated(rows, columns);
        let screen = vt100::Parser::new(seen_rows, seen_columns, 0);
        let seen = Seen { screen, bytes: Vec::new() };
        let seen = Arc::new(Mutex::new(seen));
        let (mut output, heard) = (master.try_clone().unwrap(), Arc::clone(&seen));
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut chunk) {
                let mut seen = heard.lock().unwrap();
                seen.screen.process(&chunk[..read]);
                seen.bytes.extend_from_slice(&chunk[..read]);
            }
        });
        Self { program: Running::start(command), keyboard: master, seen }
    }

    /// Returns the lines of the screen, without the spaces and the empty lines at their ends.
    pub fn screen(&self) -> String {
        self.seen.lock().unwrap().screen.screen().contents()
    }

    /// Returns everything that was written to the terminal.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().bytes).into_owned()
    }

    /// Waits until the screen contains these words, and returns it.
    #[track_caller]
    pub fn wait_for(&self, words: &str) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if screen.contains(words) {
                return screen;
            }
            assert!(begun.elapsed() < patience(), "{words:?} is not on the screen:\n{screen}");
            sleep(Duration::from_millis(10));
        }
    }

    /// Types keys.
    pub fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Gives the terminal another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        let (seen_rows, seen_columns) = emulated(rows, columns);
        self.seen.lock().unwrap().screen.screen_mut().set_size(seen_rows, seen_columns);
        set_size(&self.keyboard, rows, columns);
    }

    /// Waits for the end of the program, and returns its exit code and the last screen.
    #[track_caller]
    pub fn end(self) -> (Option<i32>, String) {
        let Self { program, seen, .. } = self;
        let code = program.end().code;
        // What the program has written last may still be on its way.
        sleep(Duration::from_millis(100));
        let screen = seen.lock().unwrap().screen.screen().contents();
        (code, screen)
    }
}

fn set_size(terminal: &File, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}

/// Returns the size of the emulated screen: 24 rows of 80 columns where the terminal tells none.
fn emulated(rows: u16, columns: u16) -> (NonZero<u16>, NonZero<u16>) {
    let or = |told, usual| NonZero::new(if told == 0 { usual } else { told }).unwrap();
    (or(rows, 24), or(columns, 80))
}
