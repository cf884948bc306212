//! Paths: a file beside another, the folder of a file, and a check whether two paths lead to one
//! file.
//!
//! Never: opens or changes a file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Returns `path` with `ending` appended to its name, for a file beside it.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Returns the folder that a file is in, or would be in.
pub fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Checks whether two paths lead to one file, or would if the file were made.
pub fn same_file(a: &Path, b: &Path) -> bool {
    let identity = |path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    // A file that does not exist yet is identified by its folder and its name.
    let place = |path: &Path| Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?));
    a == b
        || identity(a).is_some_and(|a| Some(a) == identity(b))
        || place(a).is_some_and(|a| Some(a) == place(b))
}
