//! Files of this machine: opening files in places where somebody else may have put something,
//! putting whole files in place, and paths.
//!
//! Never: knows the content of a file.

use std::fs::File;
use std::io;
use std::path::Path;

mod atomic;
pub mod paths;
mod sha256;
pub mod trusted;

pub use atomic::AtomicFile;
pub(crate) use atomic::sync_folder_of;
pub use sha256::{Sha256Writer, sha256_of};

/// Makes a file with mode 0600 in `folder`. The file has no name, so nobody else can find it and
/// nothing of it stays.
///
/// # Errors
/// The system's error. If the file cannot be made, only the kind of that error, because the text of
/// the library quotes the path, which may contain a customer's NIK.
pub fn unnamed_file(folder: &Path) -> io::Result<File> {
    let file = tempfile::tempfile_in(folder).map_err(|error| io::Error::from(error.kind()))?;
    trusted::make_private(&file)?;
    Ok(file)
}
