//! Brings a ledger of an older version up to date, with the first command that may write to the
//! ledger.
//!
//! Must hold: before anything changes, a copy of the ledger, its key and its witness is complete
//! and durable. If there is no room for the copy, nothing is changed. The upgrade is one
//! transaction, and changes no fact.

use std::io;
use std::path::{Path, PathBuf};
use std::{fs, iter};

use rusqlite::{Connection, Transaction, params};

use super::copy::{Small, copy_to, read_small, small_files, unfinished};
use super::ledger::SqliteLedger;
use super::location::FileLocation;
use super::schema;
use super::start::Start;
use crate::fs::paths::{beside, same_file};
use crate::ledger::LedgerError;
use crate::ledger::private_files::sync_parent;
use crate::model::mask::mask_path;

/// Largest number of copies of one version beside a ledger.
const MOST_COPIES: u32 = 100;

impl SqliteLedger {
    /// Changes the tables to those of the current version, after making a copy of the ledger.
    pub(super) fn bring_up_to_date(&mut self, location: &FileLocation) -> Result<(), LedgerError> {
        let version = self.version()?;
        if version == schema::VERSION {
            return Ok(());
        }
        // A damaged ledger is refused before a copy is made.
        let starts = self.starts()?;
        let copy = keep_copy(&self.connection, location, version)?;
        self.change_tables(version, &starts)?;
        tracing::warn!(
            "the ledger was made by an older ceknik, and is updated now; a copy of the old ledger is kept at {}",
            mask_path(&copy)
        );
        Ok(())
    }

    /// Changes the tables of an older version to those of the current one, in one transaction.
    fn change_tables(&mut self, version: i64, starts: &[Start]) -> Result<(), LedgerError> {
        let transaction = self.connection.transaction()?;
        if version < 3 {
            count_intents_of_starts(&transaction, starts)?;
        }
        transaction.execute_batch(schema::ADDED_IN_4)?;
        transaction.execute_batch(schema::PAUSES)?;
        transaction.pragma_update(None, "user_version", schema::VERSION)?;
        Ok(transaction.commit()?)
    }
}

/// Upgrades from version 2 to 3: stores in each start how many intents it made.
fn count_intents_of_starts(
    transaction: &Transaction<'_>,
    starts: &[Start],
) -> Result<(), LedgerError> {
    transaction.execute_batch("ALTER TABLE starts ADD COLUMN intents INTEGER")?;
    for (id, start) in (1_u64..).zip(starts) {
        transaction.execute(
            "UPDATE starts SET intents = ?2, sum = sum_of(id, run, first_attempt, ?2)
                 WHERE id = ?1",
            params![id, start.intents],
        )?;
    }
    Ok(())
}

/// Copies ledger, key and witness to `<ledger>.v2` (with the number of their version) and to names
/// that begin so. The file `<ledger>.v2` gets its name last: if it exists, the copy is complete.
fn keep_copy(
    connection: &Connection,
    location: &FileLocation,
    version: i64,
) -> Result<PathBuf, LedgerError> {
    let act = "written (a copy of the older ledger, made before it is updated)";
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| LedgerError::File { path, act, source }
    };
    let small = small_files(location);
    let first = beside(&location.ledger, &format!(".v{version}"));
    let others = (2..=MOST_COPIES).map(|n| beside(&first, &format!(".{n}")));
    let copy = iter::once(first.clone()).chain(others).find(|copy| is_free(copy, &small));
    let too_many = || failed(&first)(io::Error::other("there are too many copies already"));
    let copy = copy.ok_or_else(too_many)?;
    let contents = read_small(&small).map_err(failed(&copy))?;
    copy_to(connection, &copy, &contents, |_| Ok(())).map_err(failed(&copy))?;
    sync_parent(&copy)?;
    Ok(copy)
}

/// Checks whether a copy can use these names. Files that an interrupted upgrade left there may
/// exist: temporary files, unless one of them is the ledger's key, and copies that equal their
/// originals.
fn is_free(copy: &Path, small: &Small) -> bool {
    let is_key = |made: &PathBuf| small.iter().any(|(_, from)| same_file(made, from));
    let is_left = |kept: PathBuf, from: &PathBuf| {
        !kept.exists() || fs::read(kept).ok() == fs::read(from).ok()
    };
    !copy.exists()
        && !unfinished(copy).iter().any(is_key)
        && small.iter().all(|(ending, from)| is_left(beside(copy, ending), from))
}
