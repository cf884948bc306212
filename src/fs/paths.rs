//! Paths: of a file beside another, of a file's folder, and whether two lead to one file.
//!
//! Never: opens or changes a file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The path of a file beside another: its name, and more.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The folder that a file is in, or would be.
pub fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Tells if two paths lead to one file, or would if it were made.
pub fn same_file(a: &Path, b: &Path) -> bool {
    let identity = |path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    // One that is not there yet is known by its folder and its name.
    let place = |path: &Path| Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?));
    a == b
        || identity(a).is_some_and(|a| Some(a) == identity(b))
        || place(a).is_some_and(|a| Some(a) == place(b))
}
