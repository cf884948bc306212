//! A ledger and its witness: the check when the ledger is opened, and the witness of what it
//! contains from then on.

use std::fs;

use super::ledger::SqliteLedger;
use super::witness::{Witness, WitnessRecord, lost};
use crate::ledger::{LedgerError, key};

impl SqliteLedger {
    /// Writes the witness of this ledger, after checkpointing the WAL into the ledger file if
    /// possible.
    pub(super) fn open_witness(&self, key: &[u8; 32]) -> Result<Witness, LedgerError> {
        let key_id = key::id(key);
        let earlier = self.record.as_ref().filter(|says| says.key_id == key_id);
        let (facts, latest) = (self.facts()?, self.last_attempt()?);
        let folded = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        let (filed, bytes) = match (folded, earlier) {
            (Ok(0), _) => (facts, fs::metadata(&self.path).map_or(0, |file| file.len())),
            // A process reads the ledger, or there is no room. The earlier numbers are still lower
            // bounds.
            (_, Some(says)) => (says.filed, says.bytes),
            (_, None) => (0, 1),
        };
        let is_first = earlier.is_none_or(|says| says.bytes == 0);
        let says = WitnessRecord { key_id, facts, latest, filed, bytes };
        Witness::resume(&self.path, says, is_first)
    }

    /// Refuses a ledger that contains fewer facts than its witness recorded. Ignores a witness of
    /// another key.
    pub(super) fn check_witness(&self) -> Result<(), LedgerError> {
        let key_id = self.meta::<String>("key_id")?;
        let says = self.record.as_ref().filter(|says| key_id.as_ref() == Some(&says.key_id));
        let Some(says) = says else { return Ok(()) };
        let (facts, latest) = (self.facts()?, self.last_attempt()?);
        if facts >= says.facts && latest >= says.latest {
            return Ok(());
        }
        let held = says.held();
        let what = format!("has lost data: it had {held}, and now has {facts}, up to {latest}");
        Err(lost(&self.path, what))
    }

    /// Returns the number of facts ever recorded, purged ones included.
    pub(super) fn facts(&self) -> Result<u64, LedgerError> {
        Ok(self.meta("facts")?.unwrap_or(0))
    }
}
