//! A file that is there whole or not at all: written beside its place, synced, renamed.
//!
//! Must hold: mode 0600 from the first byte; an older file stays until the new one is whole; a
//! link that someone put in the temporary file's place is never followed; the file that another run is writing is neither
//! removed nor taken for ours.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::fs::paths::folder_of;
use crate::fs::trusted;
use crate::model::subject::mask_path;

/// How often it is tried to have the temporary file, and how long it is waited in between: another run only looks whether
/// it could write, and is done at once.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// A file in the making, locked. Dropped before [`AtomicFile::put`], it leaves nothing.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    temporary: PathBuf,
    placed: bool,
}

impl AtomicFile {
    /// Begins a file that will be placed beside `near`, in the same folder. What a killed run left
    /// half-written under the same name is removed.
    ///
    /// # Errors
    /// What the system says, with the path; that another run is writing it.
    pub fn beside(near: &Path) -> io::Result<Self> {
        let name = near.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
        let temporary = near.with_file_name(format!(".{name}.ceknik-tmp"));
        for tried in 1..=TRIES {
            match begin(&temporary).map_err(|error| with_path(&temporary, &error))? {
                Some(file) => return Ok(Self { file, temporary, placed: false }),
                None if tried < TRIES => std::thread::sleep(PAUSE),
                None => {}
            }
        }
        let error = io::Error::new(ErrorKind::ResourceBusy, "another run is writing this output");
        Err(with_path(near, &error))
    }

    /// Finds out whether a file can be put in this place, without putting one there.
    ///
    /// # Errors
    /// As of [`AtomicFile::beside`]; that the file that is there cannot be replaced.
    pub fn check(path: &Path) -> io::Result<()> {
        let replaceable = trusted::check_replaceable(path, folder_of(path));
        replaceable.map_err(|error| with_path(path, &error))?;
        Self::beside(path).map(drop)
    }

    /// Puts the file in its place, durably.
    ///
    /// # Errors
    /// What the system says; then the older file stands.
    pub fn put(mut self, path: &Path) -> io::Result<()> {
        let named = |error| with_path(path, &error);
        self.file.sync_all().map_err(named)?;
        if !trusted::is_named_by(&self.file, &self.temporary) {
            let error = io::Error::other("the file that was written is gone, or another is there");
            return Err(with_path(&self.temporary, &error));
        }
        fs::rename(&self.temporary, path).map_err(named)?;
        self.placed = true;
        File::open(folder_of(path)).and_then(|folder| folder.sync_all()).map_err(named)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.placed && trusted::is_named_by(&self.file, &self.temporary) {
            // Nothing more can be done about it here; the next run removes it.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Makes the temporary file and locks it, what a killed run left of it removed; `None` where another run has it.
fn begin(temporary: &Path) -> io::Result<Option<File>> {
    match fs::symlink_metadata(temporary) {
        Ok(found) if found.is_file() => {
            let left = trusted::open(temporary, OpenOptions::new().write(true));
            // Only who holds the lock of what is there removes it.
            let Some(_left) = held(left, temporary, ErrorKind::NotFound)? else { return Ok(None) };
            fs::remove_file(temporary)?;
        }
        Ok(_) => fs::remove_file(temporary)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let made = trusted::unfollowed(temporary, OpenOptions::new().write(true).create_new(true));
    held(made, temporary, ErrorKind::AlreadyExists)
}

/// The file, locked, if it is still the one that the path names. `outrun`: how it fails where another run was faster.
fn held(opened: io::Result<File>, path: &Path, outrun: ErrorKind) -> io::Result<Option<File>> {
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == outrun => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(trusted::is_named_by(&file, path).then_some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        // A file system without locks. The name is looked at again before the file is put in its place.
        Err(TryLockError::Error(error)) if trusted::has_no_locks(&error) => Ok(Some(file)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn with_path(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", mask_path(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        let victim = folder.path().join("victim");
        fs::write(&path, "old").unwrap();
        fs::write(&victim, "untouched").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join(".out.csv.ceknik-tmp")).unwrap();

        let mut file = AtomicFile::beside(&path).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");

        let mut file = AtomicFile::beside(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.put(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_another_run_writes_is_neither_removed_nor_put() {
        let folder = tempfile::tempdir().unwrap();
        let (path, temporary) =
            (folder.path().join("out.csv"), folder.path().join(".out.csv.ceknik-tmp"));
        fs::write(&temporary, "left by a killed run").unwrap();
        let mut first = AtomicFile::beside(&path).unwrap();
        first.write_all(b"first").unwrap();
        let refused = AtomicFile::beside(&path).unwrap_err().to_string();
        assert!(refused.ends_with("out.csv: another run is writing this output"), "{refused}");
        first.put(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");

        // Who does not ask for the lock can still exchange it.
        for is_put in [false, true] {
            let ours = AtomicFile::beside(&path).unwrap();
            fs::remove_file(&temporary).unwrap();
            fs::write(&temporary, "theirs").unwrap();
            if is_put {
                assert!(ours.put(&path).is_err());
            } else {
                drop(ours);
            }
            assert_eq!(fs::read_to_string(&temporary).unwrap(), "theirs");
            assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        }
    }
}
