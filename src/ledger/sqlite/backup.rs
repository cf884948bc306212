//! `ceknik backup`: copies a ledger with its key and its witness, also while a run is under way.
//!
//! Must hold: the copy is the ledger of one moment, with every fact that was confirmed before. It is
//! checked before it gets its name. No file is overwritten or removed.
//!
//! Never: takes the lock, or changes the ledger.

use std::io;
use std::path::Path;

use super::connect::{IMMUTABLE, connect};
use super::copy::{Contents, copy_to, small_files, unfinished};
use super::files::{Stamp, has_wal};
use super::ledger::SqliteLedger;
use super::location::FileLocation;
use super::witness::WitnessRecord;
use crate::fs::paths::beside;
use crate::ledger::private_files::sync_parent;
use crate::ledger::{LedgerError, LedgerName, key};

/// Copies a ledger. See [`crate::ledger::back_up`].
pub(in crate::ledger) fn back_up(location: &FileLocation, to: &Path) -> Result<(), LedgerError> {
    let path = &location.ledger;
    let record = WitnessRecord::read(path);
    if !path.exists() {
        WitnessRecord::refuse_if_removed(record.as_ref(), path)?;
        return Err(LedgerError::Missing(LedgerName::of_file(path)));
    }
    refuse_to_overwrite(location, to)?;
    let copied = copy(location, record.as_ref(), to, true)?;
    if !copied {
        copy(location, record.as_ref(), to, false)?;
    }
    sync_parent(to)
}

/// Refuses names of which one is taken, also by what an interrupted copy has left.
fn refuse_to_overwrite(location: &FileLocation, to: &Path) -> Result<(), LedgerError> {
    let small = small_files(location).map(|(ending, _)| beside(to, ending));
    for path in small.into_iter().chain([to.to_owned()]).chain(unfinished(to)) {
        if path.symlink_metadata().is_ok() {
            let source = io::Error::other(
                "this file exists already, and a backup overwrites nothing: name another file",
            );
            return Err(LedgerError::File { path, act: "written", source });
        }
    }
    Ok(())
}

/// Copies a ledger whose witness said this before. With `at_rest`, the ledger file is read alone, and
/// nothing is written beside it. Returns `false` if a run is under way, or has begun meanwhile: then
/// there is no copy.
fn copy(
    location: &FileLocation,
    record: Option<&WitnessRecord>,
    to: &Path,
    at_rest: bool,
) -> Result<bool, LedgerError> {
    let path = &location.ledger;
    let before = Stamp::of(path);
    if at_rest && has_wal(path) {
        return Ok(false);
    }
    let name = LedgerName::of_file(path);
    let key = key::read(&location.key)?.ok_or_else(|| key::missing(&location.key, &name))?;
    if let Some(record) = record {
        record.check_file(&key, path)?;
    }
    let connection = match at_rest {
        true => connect(path, IMMUTABLE)?,
        false => connect(path, "readonly_shm=1").or_else(|_| connect(path, "mode=ro"))?,
    };
    let ledger = SqliteLedger::reader(connection, path, record.cloned())?;
    if !ledger.check_created(location, &key)? {
        return Err(LedgerError::Missing(name));
    }
    let failed = |source| LedgerError::File { path: to.to_owned(), act: "written", source };
    let witness = record.map(|record| record.line().into_bytes());
    let small: Contents =
        [(".key", Some(key::file_text(&key).into_bytes())), (".witness", witness)];
    let was_at_rest = || !at_rest || (!has_wal(path) && Stamp::of(path) == before);
    let begun = "a run has begun meanwhile";
    let copied = copy_to(&ledger.connection, to, &small, |part| {
        if !was_at_rest() {
            return Err(io::Error::other(begun));
        }
        let copy = connect(part, IMMUTABLE).and_then(|copy| SqliteLedger::reader(copy, part, None));
        let copy = copy.map_err(io::Error::other)?;
        copy.check_trees().map_err(io::Error::other)
    });
    match copied {
        Err(_) if !was_at_rest() => Ok(false),
        copied => copied.map(|()| true).map_err(failed),
    }
}
