//! The tables of a ledger file, and their version.
//!
//! Must hold: whoever changes a table gives them the next version, and says in `upgrade` how the one before
//! becomes it.

/// Marks the file as ours ("CkNk").
pub(super) const APPLICATION_ID: i64 = 0x436b_4e6b;
/// The version of the tables below.
pub(super) const VERSION: i64 = 3;
/// The oldest version that is read, and brought up to date.
pub(super) const OLDEST: i64 = 2;

/// Intents and settlements are two tables that are only ever appended to: an intent without a
/// settlement is in flight, or in doubt once its process is gone. `standings` is derived: the latest
/// end of each pair over all attempts up to `meta.merged_to`. `starts.intents` is filled when a start is over.
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
    intents INTEGER);
CREATE TABLE intents (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL, pair BLOB NOT NULL, record INTEGER NOT NULL,
    at INTEGER NOT NULL, sum INTEGER);
CREATE TABLE settlements (
    id INTEGER PRIMARY KEY, class INTEGER NOT NULL, charge INTEGER NOT NULL, http INTEGER,
    at INTEGER NOT NULL, status TEXT, result TEXT, order_no TEXT, handle_time TEXT, remark TEXT,
    request_id TEXT, reason TEXT, sum INTEGER);
CREATE TABLE voids (id INTEGER PRIMARY KEY);
CREATE TABLE standings (
    pair BLOB PRIMARY KEY, attempt INTEGER NOT NULL, run INTEGER NOT NULL, class INTEGER NOT NULL,
    at INTEGER NOT NULL, sum INTEGER) WITHOUT ROWID;
CREATE TABLE purged_days (day INTEGER NOT NULL, class INTEGER NOT NULL, attempts INTEGER NOT NULL,
    PRIMARY KEY (day, class)) WITHOUT ROWID;
";
