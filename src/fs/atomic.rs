//! A file that is there whole or not at all: it is written beside its place, synced and renamed.
//!
//! Must hold: the file has mode 0600 from its first byte. An older file stays until the new one is
//! whole. A link that someone put in the place of the temporary file is never followed. A temporary
//! file that another run is writing is neither removed nor put in place as ours.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::fs::paths::folder_of;
use crate::fs::trusted;
use crate::model::mask::mask_path;

/// Number of tries to get the temporary file. Another run that only checks whether it could write
/// the file holds it for a moment.
const TRIES: u32 = 10;
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// A locked temporary file that is being written. If it is dropped before [`AtomicFile::put`],
/// nothing of it stays.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    temporary: PathBuf,
    placed: bool,
}

impl AtomicFile {
    /// Makes the temporary file for a file in the same folder as `near`. A half-written file that a
    /// killed run left under the same temporary name is removed.
    ///
    /// The temporary file is named after `near`.
    ///
    /// # Errors
    /// `ResourceBusy` if another run is writing the file, `InvalidInput` if `near` has no file
    /// name, and otherwise the system's error. All of them but `InvalidInput` name the path.
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

    /// Checks whether a file can be put in this place, without leaving one there.
    ///
    /// # Errors
    /// The errors of [`AtomicFile::beside`], or an error that the file in this place cannot be
    /// replaced.
    pub fn check(path: &Path) -> io::Result<()> {
        let replaceable = trusted::check_replaceable(path, folder_of(path));
        replaceable.map_err(|error| with_path(path, &error))?;
        Self::beside(path).map(drop)
    }

    /// Puts the file in its place, durably.
    ///
    /// # Errors
    /// The system's error, or an error that the temporary file is gone or was exchanged. The older
    /// file then stays in its place. If only the sync of the folder fails, the new file is in place
    /// already, but a power cut may undo that.
    pub fn put(mut self, path: &Path) -> io::Result<()> {
        let named = |error| with_path(path, &error);
        self.file.sync_all().map_err(named)?;
        if !trusted::is_named_by(&self.file, &self.temporary) {
            let error = io::Error::other("the new file is gone, or another file is in its place");
            return Err(with_path(&self.temporary, &error));
        }
        fs::rename(&self.temporary, path).map_err(named)?;
        self.placed = true;
        sync_folder_of(path).map_err(named)
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
            // A failure cannot be handled here. The next run removes the file.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Makes the temporary file and locks it, after removing one that a killed run left. Returns `None`
/// if another run has the temporary file.
fn begin(temporary: &Path) -> io::Result<Option<File>> {
    match fs::symlink_metadata(temporary) {
        Ok(found) if found.is_file() => {
            let left = trusted::open(temporary, OpenOptions::new().write(true));
            // Only the process that holds the lock of an existing file may remove it.
            let Some(_left) = held(left, temporary, ErrorKind::NotFound)? else { return Ok(None) };
            fs::remove_file(temporary)?;
        }
        Ok(_) => fs::remove_file(temporary)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let made = trusted::open_no_follow(temporary, OpenOptions::new().write(true).create_new(true));
    held(made, temporary, ErrorKind::AlreadyExists)
}

/// Locks an opened file and returns it if the path still names it. Returns `None` if another run
/// was faster. `lost_race` is the error with which opening the file fails in that case.
fn held(opened: io::Result<File>, path: &Path, lost_race: ErrorKind) -> io::Result<Option<File>> {
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == lost_race => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(trusted::is_named_by(&file, path).then_some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        // The file system has no locks. The name is checked again before the file is put in its
        // place.
        Err(TryLockError::Error(error)) if trusted::has_no_locks(&error) => Ok(Some(file)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn with_path(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", mask_path(path)))
}

/// Makes the name of a file durable: syncs its folder.
///
/// # Errors
/// The error of the system, if the folder cannot be opened or synced.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

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
    fn two_runs_never_write_one_output() {
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

        // A program that does not ask for the lock can still exchange the file.
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
