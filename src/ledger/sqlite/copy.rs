//! Copies a ledger with its key and its witness.
//!
//! Must hold: a copy that has its name is complete, checked and durable. The small files are read before
//! the moment of the copy, so that the witness never claims more than the copy holds.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::files::plain;
use super::location::FileLocation;
use super::witness;
use crate::fs::paths::beside;
use crate::ledger::LedgerError;
use crate::ledger::private_files::private_file;

/// The small files of a ledger: the ending of the copy's name, and the path of the original.
pub(super) type Small = [(&'static str, PathBuf); 2];

/// The small files of a copy: the ending of the name, and the content; `None` if there is no such file.
pub(super) type Contents = [(&'static str, Option<Vec<u8>>); 2];

/// Returns the small files of a ledger.
pub(super) fn small_files(location: &FileLocation) -> Small {
    [(".key", location.key.clone()), (".witness", witness::path_of(&location.ledger))]
}

/// Returns the names of a copy that is not complete yet, and of SQLite's journal for it.
pub(super) fn unfinished(copy: &Path) -> [PathBuf; 4] {
    [".part", ".part-journal", ".part.key", ".part.witness"].map(|ending| beside(copy, ending))
}

/// Makes a durable copy under temporary names, has it checked, and then renames the files. Removes all
/// of them on an error.
pub(super) fn copy_to(
    connection: &Connection,
    copy: &Path,
    small: &Contents,
    check: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let made = unfinished(copy);
    let part = &made[0];
    let remove = |files: &[PathBuf]| files.iter().for_each(|file| drop(fs::remove_file(file)));
    // SQLite would roll a journal that was left back into this copy.
    remove(&made);
    let mut named = Vec::new();
    let written = (|| {
        for (ending, content) in small {
            if let Some(content) = content {
                write_small(content, &beside(part, ending))?;
            }
        }
        private_file(part).map_err(io::Error::other)?;
        connection
            .backup("main", plain(part), None::<fn(rusqlite::backup::Progress)>)
            .map_err(|error| io::Error::other(LedgerError::from(error)))?;
        fs::File::open(part)?.sync_all()?;
        check(part)?;
        for (ending, _) in small {
            let (made, kept) = (beside(part, ending), beside(copy, ending));
            if made.exists() && !kept.exists() {
                fs::rename(made, &kept)?;
                named.push(kept);
            }
        }
        fs::rename(part, copy)
    })();
    remove(&made);
    written.inspect_err(|_| remove(&named))
}

/// Reads the small files of a ledger.
pub(super) fn read_small(small: &Small) -> io::Result<Contents> {
    let read = |path: &PathBuf| match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    };
    let [(key, key_path), (witness, witness_path)] = small;
    Ok([(key, read(key_path)?), (witness, read(witness_path)?)])
}

/// Writes a small file durably.
fn write_small(content: &[u8], to: &Path) -> io::Result<()> {
    let mut file = private_file(to).map_err(io::Error::other)?;
    file.write_all(content)?;
    file.sync_all()
}
