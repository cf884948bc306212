//! A folder for a ledger file in tests, and a simulated kill. A kill leaves the bytes of the files
//! as they are: nothing is closed or merged, and a write that was under way may be cut off at any
//! byte.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;

use crate::fs::paths::beside;
use crate::ledger::sqlite::{FileLocation, SqliteLedger, SqlitePreview};
use crate::ledger::testing::{Backend, Stored, StoredFact, Trap};
use crate::ledger::{Ledger, LedgerError, OpenRun, Recorded, Unrecorded};
use crate::model::attempt::{AttemptId, Batch, PairKey, WallMs};
use crate::model::class::Class;

/// Folder in memory, if the system has one: syncing a file costs nothing there.
const FAST: &str = "/dev/shm";

/// A temporary folder for one ledger. Each kill moves the ledger to another subfolder.
pub(crate) struct SqliteBackend {
    folder: tempfile::TempDir,
    /// Number of kills so far, which names the subfolder.
    kills: u32,
}

impl SqliteBackend {
    /// Returns the location of the ledger after the latest kill.
    pub(super) fn location(&self) -> FileLocation {
        let ledger = self.folder.path().join(format!("{}/ledger", self.kills));
        let key = self.folder.path().join("key");
        FileLocation { ledger, key, origin: "simulation".to_owned() }
    }

    /// Returns the path of the WAL.
    fn wal(&self) -> PathBuf {
        beside(&self.location().ledger, "-wal")
    }
}

/// Executes SQL statements on the ledger's connection.
fn execute(ledger: &SqliteLedger, sql: &str) {
    ledger.connection.execute_batch(sql).unwrap();
}

impl Backend for SqliteBackend {
    type Ledger = SqliteLedger;
    type Preview = SqlitePreview;

    fn new() -> Self {
        let folder = tempfile::tempdir_in(FAST).or_else(|_| tempfile::tempdir()).unwrap();
        let place = Self { folder, kills: 0 };
        // A fixed key, so that the pair keys are the same in each test.
        fs::write(place.location().key, format!("ceknik-key-1 {}\n", "5a".repeat(32))).unwrap();
        place
    }

    fn open(&mut self, now: WallMs) -> Result<SqliteLedger, LedgerError> {
        SqliteLedger::open(&self.location(), Duration::ZERO, || now)
    }

    fn preview(&self) -> Result<SqlitePreview, LedgerError> {
        SqlitePreview::of(&self.location())
    }

    fn record(
        ledger: &mut SqliteLedger,
        run: &OpenRun,
        batch: Batch,
    ) -> Result<Recorded, Box<Unrecorded>> {
        ledger.record(run, batch)
    }

    fn stored(ledger: &SqliteLedger) -> Stored {
        read(&ledger.connection).unwrap()
    }

    fn written(ledger: &SqliteLedger) -> u64 {
        fs::metadata(beside(&ledger.path, "-wal")).map_or(0, |file| file.len())
    }

    fn kill(&mut self, ledger: Option<SqliteLedger>, cut: Option<u64>) {
        let (old, wal) = (self.location().ledger, self.wal());
        self.kills += 1;
        let new = self.location().ledger;
        fs::create_dir(new.parent().unwrap()).unwrap();
        if old.exists() {
            fs::copy(&old, new).unwrap();
        }
        if let Ok(mut bytes) = fs::read(wal) {
            bytes.truncate(cut.unwrap_or(u64::MAX) as usize);
            fs::write(self.wal(), bytes).unwrap();
        }
        // The files have been copied, so what SQLite does when it closes the connection no longer
        // matters.
        drop(ledger);
        let _ = old.parent().map(fs::remove_dir_all);
    }

    fn set_trap(ledger: &SqliteLedger, trap: Option<Trap>) {
        let pages: i64 = match trap {
            Some(Trap::Full) => ledger.pragma("page_count").unwrap(),
            Some(Trap::ReadOnly) | None => 1_000_000,
            Some(other) => panic!("{other:?} is for the ledger in memory"),
        };
        let read_only = u8::from(trap == Some(Trap::ReadOnly));
        execute(
            ledger,
            &format!("PRAGMA query_only = {read_only}; PRAGMA max_page_count = {pages}"),
        );
    }

    fn fold_often(ledger: &SqliteLedger) {
        execute(ledger, "PRAGMA wal_autocheckpoint = 3");
    }

    fn forget_killed(ledger: &SqliteLedger) {
        execute(
            ledger,
            "UPDATE settlements SET class = 62, charge = 0, sum = sum_of(id, 62, 0, http, at, status,
                result, order_no, handle_time, remark, request_id, reason) WHERE class = 75",
        );
    }

    fn purge_without_chain(ledger: &mut SqliteLedger, before: WallMs) -> Result<(), LedgerError> {
        let forget = "CREATE TEMP TABLE chain AS SELECT id, superseded FROM runs;
            UPDATE runs SET superseded = NULL";
        ledger.connection.execute_batch(forget)?;
        ledger.purge(before, 0)?;
        let remember = "UPDATE runs SET superseded =
            (SELECT superseded FROM chain WHERE chain.id = runs.id)";
        Ok(ledger.connection.execute_batch(remember)?)
    }

    fn bytes(&self) -> Vec<u8> {
        let files = [self.location().ledger, self.wal()];
        files.iter().filter_map(|file| fs::read(file).ok()).flatten().collect()
    }

    fn digest(ledger: &SqliteLedger) -> String {
        let mut text = String::new();
        for table in ["meta", "runs", "starts", "intents", "settlements", "voids", "standings"] {
            let query = format!("SELECT * FROM {table} ORDER BY 1");
            let mut statement = ledger.connection.prepare(&query).unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                for column in 0..columns {
                    write!(text, "{:?}|", row.get_ref(column).unwrap()).unwrap();
                }
            }
        }
        text
    }
}

/// Reads the facts with queries that are written for this check alone, and share nothing with those
/// of the ledger.
fn read(connection: &Connection) -> rusqlite::Result<Stored> {
    let mut stored = Stored::default();
    let mut statement = connection.prepare_cached(
        "SELECT i.id, i.pair, i.run, s.class, s.at, EXISTS (SELECT 1 FROM voids v WHERE v.id = i.id)
         FROM intents i LEFT JOIN settlements s ON s.id = i.id ORDER BY i.id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let class: Option<u8> = row.get(3)?;
        stored.facts.push(StoredFact {
            attempt: AttemptId(row.get(0)?),
            pair: PairKey(row.get(1)?),
            run: row.get(2)?,
            settled: class.and_then(Class::from_code).zip(row.get(4)?),
            voided: row.get(5)?,
        });
    }
    let mut statement = connection.prepare_cached("SELECT id, superseded, state FROM runs")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: u64 = row.get(0)?;
        if let Some(superseded) = row.get(1)? {
            stored.took_over.insert(id, superseded);
        }
        if row.get::<_, String>(2)? == "open" {
            stored.open_runs.insert(id);
        }
    }
    Ok(stored)
}
