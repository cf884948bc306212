//! Checksums of rows: a damaged row is refused, and not trusted.
//!
//! SQLite notices a page whose structure is broken, but not a changed value. If one bit of a pair's
//! key flips, the pair's answer is bought again. If one bit of a verdict flips, a customer gets
//! another verdict.
//!
//! Must hold: each fact that decides what is sent, or what the output contains, is read together
//! with its checksum. What `status` shows is read without checksums, so that the remains of a
//! damaged ledger can be shown.
//!
//! Never: protects against an attacker. Whoever can write to the file can compute the checksums.

use std::fmt;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, ffi};

use crate::model::texts::Text;

/// Condition that the checksum of an intent `i` is correct; if it is not, the query fails. The
/// condition is true for a row that is not there, in an outer join.
///
/// Two traps, for all conditions in this file:
///
/// - In the same `WHERE`, a column of the checksum must not stand alone on one side of `=`. SQLite
///   would substitute the value that the column must equal, also inside the checksum, and so
///   compute the checksum of the wanted value. Writing `+column = ?1` prevents this.
/// - All other conditions on these columns must follow the checksum. With a condition before it,
///   SQLite would skip a damaged row without checking it. (SQLite always searches by rowid first,
///   so rows that must exist are counted instead.)
pub(super) const INTENT: &str = "whole(i.sum, i.id, i.run, i.pair, i.record, i.at)";
/// Condition that the checksum of a settlement `s` is correct. See [`INTENT`].
pub(super) const SETTLEMENT: SettlementCondition = SettlementCondition;
/// Condition that the checksum of a pair's standing is correct. See [`INTENT`].
pub(super) const STANDING: &str = "whole(sum, pair, attempt, run, class, at)";
/// Condition that the checksum of a run `r` is correct. The checksum covers only the columns that
/// never change. See [`INTENT`].
pub(super) const RUN: &str =
    "whole(r.sum, r.id, r.fingerprint, r.columns, r.created_at, r.answers_since, r.reask_since)";
/// Condition that the checksum of a start `s` is correct. The checksum does not cover the columns
/// that say how the start ended. See [`INTENT`].
pub(super) const START: &str = "whole(s.sum, s.id, s.run, s.first_attempt, s.intents)";
/// Condition that the checksum of a start `s` is correct, in a ledger of version 2. See [`INTENT`].
pub(super) const START_OF_VERSION_2: &str = "whole(s.sum, s.id, s.run, s.first_attempt)";

/// The SQL text of [`SETTLEMENT`]. The checksum covers all texts of the answer.
pub(super) struct SettlementCondition;

impl fmt::Display for SettlementCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whole(s.sum, s.id, s.class, s.charge, s.http, s.at")?;
        Text::ALL.iter().try_for_each(|text| write!(f, ", s.{}", text.name()))?;
        f.write_str(")")
    }
}

/// Adds the SQL functions `sum_of(value, …)` and `whole(sum, value, …)` to a connection.
pub(super) fn register_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("sum_of", -1, flags, |row| Ok(sum_of(row, 0)))?;
    connection.create_scalar_function("whole", -1, flags, |row| {
        let is_there = row.get_raw(0) != ValueRef::Null || row.get_raw(1) != ValueRef::Null;
        if is_there && row.get_raw(0) != ValueRef::Integer(sum_of(row, 1)) {
            return Err(damaged());
        }
        Ok(true)
    })
}

/// Returns the error that SQLite itself returns for a damaged file. The error has no text: with a
/// text, SQLite would drop the error code of a function.
pub(super) fn damaged() -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), None)
}

/// Returns a checksum of 32 bits over the values from index `from` on.
fn sum_of(row: &Context<'_>, from: usize) -> i64 {
    let mut hasher = blake3::Hasher::new();
    for at in from..row.len() {
        match row.get_raw(at) {
            ValueRef::Null => hasher.update(b"n"),
            ValueRef::Integer(number) => hasher.update(b"i").update(&number.to_le_bytes()),
            ValueRef::Real(number) => hasher.update(b"r").update(&number.to_le_bytes()),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                hasher.update(b"b").update(&bytes.len().to_le_bytes()).update(bytes)
            }
        };
    }
    let hash = hasher.finalize();
    let [a, b, c, d, ..] = *hash.as_bytes();
    i64::from(u32::from_le_bytes([a, b, c, d]))
}
