//! Files of ours: mode 0600, in folders of mode 0700, durable with their names. A link in the place of one is not
//! followed, and what another user put there is neither believed nor written to.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::LedgerError;
use crate::fs::paths::{beside, folder_of};
use crate::fs::trusted;

/// Opens a file of ours, of mode 0600, making it where there is none.
pub(super) fn private_file(path: &Path) -> Result<File, LedgerError> {
    let mut options = OpenOptions::new();
    trusted::open(path, options.read(true).write(true).create(true).truncate(false))
        .and_then(|file| match trusted::close_to_others(&file) {
            // Root's, and opened to us by root; or a mount that gives all files one mode.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(file),
            closed => closed.map(|()| file),
        })
        .map_err(|source| LedgerError::File { path: path.to_owned(), act: "opened", source })
}

/// Makes the folder of a file, of mode 0700, where there is none.
pub(super) fn private_parent(path: &Path) -> Result<(), LedgerError> {
    let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) else { return Ok(()) };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| LedgerError::File { path: folder.to_owned(), act: "created", source })
}

/// Makes a file's name durable.
pub(super) fn sync_parent(path: &Path) -> Result<(), LedgerError> {
    let folder = folder_of(path);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| LedgerError::File {
        path: folder.to_owned(),
        act: "synced",
        source,
    })
}

/// A path that SQLite takes for nothing but a path: `:memory:` and `file:…?…` would mean something else to it.
pub(super) fn plain(path: &Path) -> PathBuf {
    Path::new(".").join(path)
}

/// Whether a file is not there, or holds nothing.
pub(super) fn is_empty(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |file| file.len() == 0)
}

/// Whether something may stand in a ledger's WAL.
pub(super) fn has_wal(ledger: &Path) -> bool {
    !is_empty(&beside(ledger, "-wal"))
}
