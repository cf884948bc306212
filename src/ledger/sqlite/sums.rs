//! A sum on each row: a row that was damaged is refused, not believed.
//!
//! SQLite notices a page whose structure is broken, never a value: one flipped bit in a pair's key, and its answer is bought
//! again; one in a verdict, and a customer is another. What must hold: every fact that decides what is sent or shown is read
//! past its sum. Against chance, not against an enemy: who can write the file can write the sum.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, ffi};

/// The sum of an intent `i` is right, else the query fails. So for the others; a row that is not there is whole.
///
/// Beside it in a WHERE, no column of these may stand bare on a side of `=`: SQLite would put what it is to equal in its
/// place, here too, and sum that. `+column = ?1` keeps it off. And what else is asked of these columns stands after it: before
/// it, a damaged row is passed over unseen. (Rowids are sought first all the same: what has to be there is counted.)
pub(super) const INTENT: &str = "whole(i.sum, i.id, i.run, i.pair, i.record, i.at)";
/// Of a settlement `s`.
pub(super) const SETTLEMENT: &str = "whole(s.sum, s.id, s.class, s.charge, s.http, s.at, s.status,
    s.result, s.order_no, s.handle_time, s.remark, s.request_id, s.reason)";
/// Of the standing of a pair.
pub(super) const STANDING: &str = "whole(sum, pair, attempt, run, class, at)";
/// Of a run `r`, but for how it goes on.
pub(super) const RUN: &str =
    "whole(r.sum, r.id, r.fingerprint, r.columns, r.created_at, r.answers_since, r.reask_since)";
/// Of a start `s`, but for how it ended.
pub(super) const START: &str = "whole(s.sum, s.id, s.run, s.first_attempt, s.intents)";
/// The sum of a start `s` in a ledger of version 2 is right.
pub(super) const START_OF_VERSION_2: &str = "whole(s.sum, s.id, s.run, s.first_attempt)";

/// Teaches a connection `sum_of(value, …)` and `whole(sum, value, …)`.
pub(super) fn teach(connection: &Connection) -> rusqlite::Result<()> {
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

/// As SQLite calls its own damage. Without a text: a function that fails with one loses its code.
pub(super) fn damaged() -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), None)
}

/// 32 bits over the values from one on.
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
