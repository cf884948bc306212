//! The note in a ledger's lock file: which process holds the ledger, and how far its run is.
//!
//! Must hold: a note counts only while its process holds the lock.
//!
//! Never: holds a fact that anything depends on, or takes the ledger from whoever begins with it:
//! [`super::lock::Lock::take`] waits longer than a look takes. Never holds the lock itself: the note
//! is written through a file of its own, so that the lock ends with its owner.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fs::paths::beside;
use crate::fs::trusted::open_without_waiting;
use crate::ledger::private_files::private_file;
use crate::ledger::{Holder, LedgerError, RunId, UnderWay};
use crate::model::attempt::WallMs;

/// Size of the note in bytes. It is filled up with spaces, and so replaced as a whole.
const SIZE: usize = 512;

/// Content of the lock file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Content {
    process: u32,
    /// Time at which the process took the lock, in milliseconds since the epoch.
    since: i64,
    run: Option<RunContent>,
}

impl Content {
    const fn holder(&self) -> Holder {
        Holder { process: self.process, since: WallMs(self.since) }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RunContent {
    id: u64,
    pairs_done: u64,
    pairs: u64,
    calls_per_second: f64,
    done_at: Option<i64>,
    pause: Option<String>,
}

/// Writer of the note of a lock that this process holds.
#[derive(Debug)]
pub(super) struct Note {
    file: File,
    holder: Holder,
}

impl Note {
    /// Writes the first note of a lock that this process has taken. `path` is that of the lock file.
    pub(super) fn begin(path: &Path, since: WallMs) -> Result<Self, LedgerError> {
        let holder = Holder { process: std::process::id(), since };
        let note = Self { file: private_file(path)?, holder };
        // The note is only shown.
        let _ = note.write(None);
        Ok(note)
    }

    /// Notes how far the run is.
    ///
    /// # Errors
    /// The error of the system. The run does not depend on the note.
    pub(super) fn update(&self, run: &UnderWay) -> io::Result<()> {
        self.write(Some(RunContent {
            id: run.run.0,
            pairs_done: run.pairs_done,
            pairs: run.pairs,
            calls_per_second: run.calls_per_second,
            done_at: run.done_at.map(|at| at.0),
            pause: run.pause.clone(),
        }))
    }

    fn write(&self, run: Option<RunContent>) -> io::Result<()> {
        let Holder { process, since } = self.holder;
        let mut bytes = serde_json::to_vec(&Content { process, since: since.0, run })?;
        bytes.resize(SIZE, b' ');
        self.file.write_all_at(&bytes, 0)
    }
}

/// Returns the run that is under way on a ledger, if a process holds the ledger now.
pub(super) fn run_under_way(ledger: &Path) -> Option<UnderWay> {
    let file = open_without_waiting(&path_of(ledger)).ok()?;
    // If the lock can be shared, nobody holds it. It is given back at once.
    if file.try_lock_shared().is_ok() {
        let _ = file.unlock();
        return None;
    }
    let content = content_of(&file)?;
    let holder = content.holder();
    content.run.map(|run| UnderWay {
        run: RunId(run.id),
        holder: Some(holder),
        since: holder.since,
        pairs_done: run.pairs_done,
        pairs: run.pairs,
        calls_per_second: run.calls_per_second,
        done_at: run.done_at.map(WallMs),
        pause: run.pause,
    })
}

/// Returns the holder that a lock file names, without a check that it still holds the lock.
pub(super) fn holder_of(file: &File) -> Option<Holder> {
    content_of(file).map(|content| content.holder())
}

fn content_of(file: &File) -> Option<Content> {
    let mut bytes = [0; SIZE];
    file.read_exact_at(&mut bytes, 0).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Returns the path of the lock file.
pub(super) fn path_of(ledger: &Path) -> PathBuf {
    beside(ledger, ".lock")
}
