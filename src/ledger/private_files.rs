//! The private files of a ledger: mode 0600, in folders of mode 0700, with durable names.
//!
//! Never: follows a link in the place of such a file, or trusts or writes to another user's file.
//! Root's files are trusted, and root itself trusts any file.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::LedgerError;
use crate::fs::paths::folder_of;
use crate::fs::{sync_folder_of, trusted};

/// Opens a private file for reading and writing, and creates it with mode 0600 if it does not
/// exist.
pub(super) fn private_file(path: &Path) -> Result<File, LedgerError> {
    let mut options = OpenOptions::new();
    trusted::open(path, options.read(true).write(true).create(true).truncate(false))
        .and_then(|file| match trusted::make_private(&file) {
            // The mode cannot be changed: root owns the file and has opened it to this user, or the
            // mount shows one mode for all files.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(file),
            closed => closed.map(|()| file),
        })
        .map_err(|source| LedgerError::File { path: path.to_owned(), act: "opened", source })
}

/// Creates the folder of a file, with mode 0700, if it does not exist.
pub(super) fn private_parent(path: &Path) -> Result<(), LedgerError> {
    let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) else { return Ok(()) };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| LedgerError::File { path: folder.to_owned(), act: "created", source })
}

/// Makes a file's name durable by syncing its folder.
pub(super) fn sync_parent(path: &Path) -> Result<(), LedgerError> {
    let folder = folder_of(path);
    sync_folder_of(path).map_err(|source| LedgerError::File {
        path: folder.to_owned(),
        act: "synced",
        source,
    })
}
