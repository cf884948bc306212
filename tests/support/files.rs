//! Files and folders: names, contents and modes, and a limit on the size of files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{CEKNIK, Workspace};

/// Contents of files, by their paths without the folder.
pub type Contents = BTreeMap<String, Vec<u8>>;

/// Returns the names of the files and folders in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Returns the contents of all files below a folder. A folder that does not exist has none.
pub fn contents(folder: &Path) -> Contents {
    let mut found = Contents::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(open) = folders.pop() {
        for entry in fs::read_dir(open).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                found.insert(name.to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Returns the permission bits of a file.
pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Returns the program with a limit on the size of its files, in blocks of 512 bytes. The signal
/// that would kill the program is ignored, so that its writes fail as on a full disk.
pub fn limited(place: &Workspace, blocks: &str, arguments: &[&str]) -> Command {
    let script = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";
    let whole = [&["-c", script, "sh", blocks, CEKNIK], arguments].concat();
    place.command_of("/bin/sh", &whole)
}
