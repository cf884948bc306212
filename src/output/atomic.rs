//! A file that is there whole or not at all: written beside its place, synced, renamed.
//!
//! What must hold: mode 0600 from the first byte; an older file stays until the new one is whole; a
//! link that someone put in the temporary file's place is never followed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::model::subject::mask_niks;

/// A file in the making. Dropped before [`AtomicFile::put`], it leaves nothing.
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
    /// What the system says, with the path.
    pub fn beside(near: &Path) -> io::Result<Self> {
        let name = near.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
        let temporary = near.with_file_name(format!(".{name}.ceknik-tmp"));
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(with_path(&temporary, &error));
            }
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(|error| with_path(&temporary, &error))?;
        Ok(Self { file, temporary, placed: false })
    }

    /// Puts the file in its place, durably.
    ///
    /// # Errors
    /// What the system says; then the older file stands.
    pub fn put(mut self, path: &Path) -> io::Result<()> {
        let named = |error| with_path(path, &error);
        self.file.sync_all().map_err(named)?;
        fs::rename(&self.temporary, path).map_err(named)?;
        self.placed = true;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new("."))).and_then(|f| f.sync_all()).map_err(named)
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
        if !self.placed {
            // Nothing more can be done about it here; the next run removes it.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

fn with_path(path: &Path, error: &io::Error) -> io::Error {
    // A file may be named by a NIK.
    let path = path.display().to_string();
    io::Error::new(error.kind(), format!("{}: {error}", mask_niks(&path)))
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
}
