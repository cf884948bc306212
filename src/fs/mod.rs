//! Files of this machine: opening them where somebody else may have put something, putting them in place whole, and paths.
//!
//! Never: knows what is in a file.

use std::fs::File;
use std::io;
use std::path::Path;

mod atomic;
pub mod paths;
pub mod trusted;

pub use atomic::AtomicFile;

/// Makes a file of mode 0600 in `folder` that has no name, so that nobody else finds it and nothing of it stays.
///
/// # Errors
/// The kind of the system's error. The library's own text quotes the path, which may hold a customer's number.
pub fn unnamed_file(folder: &Path) -> io::Result<File> {
    let file = tempfile::tempfile_in(folder).map_err(|error| io::Error::from(error.kind()))?;
    trusted::close_to_others(&file)?;
    Ok(file)
}
