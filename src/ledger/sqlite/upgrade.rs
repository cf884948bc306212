//! Bringing a ledger of an older version up to date, by the first command that may write to it.
//!
//! What must hold: a copy of the ledger as it was, of its key and of its witness is complete and durable before
//! anything changes; all of an upgrade is one transaction; no fact is changed. Where there is no room for the copy,
//! nothing is changed.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::files::{beside, private_file, sync_parent};
use super::starts::Start;
use super::{Location, SqliteLedger, schema, witness};
use crate::ledger::LedgerError;
use crate::model::subject::mask_path;

/// Copies of one version that may stand beside a ledger.
const MOST_COPIES: u32 = 100;

impl SqliteLedger {
    /// Gives the ledger the tables of today's version. Keeps a copy of it as it was.
    pub(super) fn bring_up_to_date(&mut self, location: &Location) -> Result<(), LedgerError> {
        let version = self.version()?;
        if version == schema::VERSION {
            return Ok(());
        }
        // A damaged one is refused before anything is made.
        let starts = self.starts()?;
        let copy = keep_copy(&self.connection, location, version)?;
        self.count_intents_of_starts(&starts)?;
        tracing::warn!(
            "the ledger was made by an older ceknik, and was brought up to date; a copy as it was is kept at {}",
            mask_path(&copy)
        );
        Ok(())
    }

    /// From version 2 to 3: each start says how many intents it made.
    fn count_intents_of_starts(&mut self, starts: &[Start]) -> Result<(), LedgerError> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch("ALTER TABLE starts ADD COLUMN intents INTEGER")?;
        for (id, start) in (1_u64..).zip(starts) {
            transaction.execute(
                "UPDATE starts SET intents = ?2, sum = sum_of(id, run, first_attempt, ?2)
                     WHERE id = ?1",
                params![id, start.intents],
            )?;
        }
        transaction.pragma_update(None, "user_version", 3)?;
        Ok(transaction.commit()?)
    }
}

/// Copies ledger, key and witness to `<ledger>.v2` and the names beside it. The ledger's own name comes last: where it
/// stands, the copy is complete.
fn keep_copy(
    connection: &Connection,
    location: &Location,
    version: i64,
) -> Result<PathBuf, LedgerError> {
    let copy = free_name(&location.ledger, version);
    let part = beside(&copy, ".part");
    let made = [part.clone(), beside(&part, "-journal")];
    let written = (|| {
        // A copy that was cut off may have left a journal, which would be rolled back into this one.
        made.iter().for_each(|left| drop(fs::remove_file(left)));
        for (from, to) in [
            (location.key.clone(), beside(&copy, ".key")),
            (witness::path_of(&location.ledger), witness::path_of(&copy)),
        ] {
            copy_small(&from, &to)?;
        }
        private_file(&part).map_err(io::Error::other)?.set_len(0)?;
        connection
            .backup("main", &part, None::<fn(rusqlite::backup::Progress)>)
            .map_err(io::Error::other)?;
        fs::File::open(&part)?.sync_all()?;
        fs::rename(&part, &copy)
    })();
    match written {
        Ok(()) => sync_parent(&copy).map(|()| copy),
        Err(source) => {
            let small = [beside(&copy, ".key"), witness::path_of(&copy)];
            made.iter().chain(&small).for_each(|left| drop(fs::remove_file(left)));
            let act = "written (a ledger that an older ceknik made is kept as it is before it is brought up to \
                       date)";
            Err(LedgerError::File { path: copy, act, source })
        }
    }
}

/// A name that no complete copy has.
fn free_name(ledger: &Path, version: i64) -> PathBuf {
    let first = format!(".v{version}");
    let others = (2..=MOST_COPIES).map(|n| format!(".v{version}.{n}"));
    let mut names = std::iter::once(first).chain(others).map(|ending| beside(ledger, &ending));
    names
        .find(|path| !path.exists())
        .unwrap_or_else(|| beside(ledger, &format!(".v{version}.last")))
}

/// Copies a small file, durably. One that is not there is left out.
fn copy_small(from: &Path, to: &Path) -> io::Result<()> {
    let bytes = match fs::read(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read?,
    };
    let mut file = private_file(to).map_err(io::Error::other)?;
    file.set_len(0)?;
    file.write_all(&bytes)?;
    file.sync_all()
}
