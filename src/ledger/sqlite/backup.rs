//! `ceknik backup`: copies a ledger with its key and its witness, also while a run is under way.
//!
//! Must hold: the copy is the ledger of one moment, with every fact that was confirmed before. It is
//! checked before it gets its name. No file is overwritten.
//!
//! Never: takes the lock, or changes the ledger.

use std::io;
use std::path::Path;

use rusqlite::Connection;

use super::connect::{IMMUTABLE, connect};
use super::copy::{copy_to, small_files};
use super::files::has_wal;
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
    let name = LedgerName::of_file(path);
    let key = key::read(&location.key)?.ok_or_else(|| key::missing(&location.key, &name))?;
    if let Some(record) = &record {
        record.check_file(&key, path)?;
    }
    let ledger = SqliteLedger::reader(one_moment_of(path)?, path, record)?;
    if !ledger.check_created(location, &key)? {
        return Err(LedgerError::Missing(name));
    }
    let small = small_files(location);
    let failed = |act| move |source| LedgerError::File { path: to.to_owned(), act, source };
    for path in small.iter().map(|(ending, _)| beside(to, ending)).chain([to.to_owned()]) {
        if path.symlink_metadata().is_ok() {
            let source = io::Error::other("a file is there already, which is not overwritten");
            return Err(LedgerError::File { path, act: "written", source });
        }
    }
    ledger.check_trees()?;
    copy_to(&ledger.connection, to, &small).map_err(failed("written"))?;
    sync_parent(to)
}

/// Opens a ledger file, and begins to read it: what is read belongs to one moment.
fn one_moment_of(path: &Path) -> Result<Connection, LedgerError> {
    // Where no run has written since, the ledger file alone has all facts, and a folder that cannot
    // be written is enough.
    if !has_wal(path) {
        return connect(path, IMMUTABLE);
    }
    connect(path, "readonly_shm=1").or_else(|_| connect(path, "mode=ro"))
}
