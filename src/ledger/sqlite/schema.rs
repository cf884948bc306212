//! The tables of a ledger file, and their version.
//!
//! Must hold: a change of a table raises [`VERSION`], and `upgrade` converts the version before it.

/// SQLite's application id of a ledger file: "CkNk" in ASCII.
pub(super) const APPLICATION_ID: i64 = 0x436b_4e6b;
/// Version of the tables below.
pub(super) const VERSION: i64 = 4;
/// Oldest version that can be read and brought up to date.
pub(super) const OLDEST: i64 = 2;

/// Statements that create the tables, together with [`PAUSES`]. Times are in milliseconds since the Unix epoch.
///
/// - Rows of `intents` and `settlements` are only ever added, except by a purge. An intent without
///   a settlement is in flight, or in doubt once its process is dead. The `id` of both is the
///   attempt's number.
/// - `standings` is derived: the latest end of each pair, over all attempts up to `meta.merged_to`.
/// - `starts.intents` is set when a start is over. The columns after it are notes, which decide
///   nothing and are in no checksum: what the start noted when it began, and its summary.
/// - `settlements.took` is the time of the call in milliseconds. It is in no checksum.
/// - `pauses` has the pauses of each start. One without an end lasted until the end of its start.
/// - `sum` is the row's checksum (see `sums`).
/// - `meta` contains the stamp (`origin`, `key_id`, `cleaning`), the number of facts ever recorded
///   (`facts`), `merged_to`, `purged_to` and the remembered body kind (`body`).
pub(super) const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL, columns TEXT NOT NULL, path BLOB NOT NULL,
    label TEXT NOT NULL, account BLOB NOT NULL, input_rows INTEGER NOT NULL,
    created_at INTEGER NOT NULL, answers_since INTEGER NOT NULL, reask_since INTEGER NOT NULL,
    superseded INTEGER, state TEXT NOT NULL DEFAULT 'open', ended_at INTEGER, exit INTEGER,
    sum INTEGER);
CREATE TABLE starts (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL, first_attempt INTEGER NOT NULL,
    started_at INTEGER NOT NULL, ended_at INTEGER, stop TEXT, exit INTEGER, sum INTEGER,
    intents INTEGER, settings TEXT, survey TEXT, version TEXT, operator TEXT, input_sha256 TEXT,
    summary TEXT);
CREATE TABLE intents (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL, pair BLOB NOT NULL, record INTEGER NOT NULL,
    at INTEGER NOT NULL, sum INTEGER);
CREATE TABLE settlements (
    id INTEGER PRIMARY KEY, class INTEGER NOT NULL, charge INTEGER NOT NULL, http INTEGER,
    at INTEGER NOT NULL, status TEXT, result TEXT, order_no TEXT, handle_time TEXT, remark TEXT,
    request_id TEXT, reason TEXT, sum INTEGER, took INTEGER);
CREATE TABLE voids (id INTEGER PRIMARY KEY);
CREATE TABLE standings (
    pair BLOB PRIMARY KEY, attempt INTEGER NOT NULL, run INTEGER NOT NULL, class INTEGER NOT NULL,
    at INTEGER NOT NULL, sum INTEGER) WITHOUT ROWID;
CREATE TABLE purged_days (day INTEGER NOT NULL, class INTEGER NOT NULL, attempts INTEGER NOT NULL,
    PRIMARY KEY (day, class)) WITHOUT ROWID;
";

/// Statements that add to the tables of version 3 what version 4 has, together with [`PAUSES`].
pub(super) const ADDED_IN_4: &str = "
ALTER TABLE starts ADD COLUMN settings TEXT;
ALTER TABLE starts ADD COLUMN survey TEXT;
ALTER TABLE starts ADD COLUMN version TEXT;
ALTER TABLE starts ADD COLUMN operator TEXT;
ALTER TABLE starts ADD COLUMN input_sha256 TEXT;
ALTER TABLE starts ADD COLUMN summary TEXT;
ALTER TABLE settlements ADD COLUMN took INTEGER;
";

/// Statement that creates the table of the pauses, for [`TABLES`] and for [`ADDED_IN_4`].
pub(super) const PAUSES: &str = "
CREATE TABLE pauses (
    start INTEGER NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL,
    until INTEGER, rate REAL, PRIMARY KEY (start, number)) WITHOUT ROWID;
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::texts::Text;

    #[test]
    fn settlements_have_a_column_for_each_text() {
        let words = TABLES.split_whitespace().collect::<Vec<_>>().join(" ");
        let columns = Text::ALL.map(|text| format!("{} TEXT, ", text.name())).concat();
        assert!(words.contains(&columns), "{columns}");
    }
}
