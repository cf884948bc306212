//! A schema for a ledger in tests, and a simulated kill: the session ends without a word.

use std::path::PathBuf;
use std::time::Duration;

use super::server;
use crate::ledger::postgres::reap::declare_dead;
use crate::ledger::postgres::session::Session;
use crate::ledger::postgres::{LedgerUrl, PgLedger, PgPreview, SharedLocation, create};
use crate::ledger::testing::{Backend, Stored, StoredFact, Trap};
use crate::ledger::{LedgerError, OpenRun, Recorded, Unrecorded};
use crate::model::attempt::{AttemptId, Batch, PairKey, WallMs};
use crate::model::class::Class;

/// A temporary schema on the server of the tests, and the folder of its key file.
pub(crate) struct PgBackend {
    folder: tempfile::TempDir,
    address: String,
}

impl PgBackend {
    /// Returns the location of the ledger.
    pub(crate) fn location(&self) -> SharedLocation {
        SharedLocation {
            url: LedgerUrl::of(self.address.as_ref()).unwrap().unwrap(),
            password: None,
            ca_cert: None,
            key: self.key_file(),
            origin: "simulation".to_owned(),
            patience: Duration::from_secs(5),
            lease: Duration::from_secs(60),
        }
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("key")
    }

    fn schema(&self) -> &str {
        self.address.split_once("schema=").unwrap().1
    }
}

/// Executes SQL statements on the ledger's session.
pub(crate) fn execute(ledger: &PgLedger, sql: &str) {
    let sql = sql.to_owned();
    let executed = ledger.worker.ask(async move |session: &mut Session| {
        session.client.batch_execute(&sql).await.map_err(session.write_failed())
    });
    executed.unwrap();
}

/// Reads rows on the ledger's session, each as a text.
pub(crate) fn rows(ledger: &PgLedger, sql: &str) -> Vec<String> {
    let sql = sql.to_owned();
    let rows = ledger.worker.ask(async move |session: &mut Session| {
        session.client.query(&sql, &[]).await.map_err(session.read_failed())
    });
    rows.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Declares every worker dead whose start has not ended, as if each had been silent for a lease.
pub(crate) fn declare_all_dead(ledger: &PgLedger, now: WallMs) {
    execute(ledger, "UPDATE beats SET seen_at = '-infinity'");
    let declared = ledger.worker.ask(async move |session: &mut Session| {
        let all = "SELECT s.id, s.low FROM starts s JOIN beats b ON b.start = s.id
            WHERE s.ended_at IS NULL AND NOT b.is_dead";
        let failed = session.write_failed();
        for row in session.client.query(all, &[]).await.map_err(&failed)? {
            declare_dead(&session.client, &row, now).await.map_err(&failed)?;
        }
        Ok(())
    });
    declared.unwrap();
}

impl Backend for PgBackend {
    type Ledger = PgLedger;
    type Preview = PgPreview;

    fn is_available() -> bool {
        server::server().is_some()
    }

    fn new() -> Self {
        let place =
            Self { folder: tempfile::tempdir().unwrap(), address: server::address().unwrap() };
        create(&place.location()).unwrap();
        place
    }

    fn open(&mut self, now: WallMs) -> Result<PgLedger, LedgerError> {
        let ledger = PgLedger::open(&self.location(), Duration::from_secs(5), move || now)?;
        declare_all_dead(&ledger, now);
        Ok(ledger)
    }

    fn preview(&self) -> Result<PgPreview, LedgerError> {
        PgPreview::of(&self.location())
    }

    fn record(
        ledger: &mut PgLedger,
        _: &OpenRun,
        batch: Batch,
    ) -> Result<Recorded, Box<Unrecorded>> {
        let told =
            ledger.worker.promise(async move |session: &mut Session| session.record(batch).await);
        told.blocking_recv().unwrap()
    }

    fn stored(ledger: &PgLedger) -> Stored {
        let mut stored = Stored::default();
        let facts = rows(
            ledger,
            "SELECT concat_ws(' ', i.attempt, encode(i.pair, 'hex'), t.run,
                coalesce(s.class, CASE WHEN o.attempt IS NULL THEN 0 ELSE 75 END),
                coalesce(s.at, o.at, 0), v.attempt IS NOT NULL)
             FROM intents i JOIN starts t ON t.id = i.attempt / 4294967296
                LEFT JOIN settlements s USING (attempt) LEFT JOIN orphans o USING (attempt)
                LEFT JOIN voids v USING (attempt) ORDER BY i.attempt",
        );
        for fact in facts {
            let fields: Vec<&str> = fact.split(' ').collect();
            let class = Class::from_code(fields[3].parse().unwrap());
            stored.facts.push(StoredFact {
                attempt: AttemptId(fields[0].parse().unwrap()),
                pair: PairKey(u128::from_str_radix(fields[1], 16).unwrap().to_be_bytes()),
                run: fields[2].parse().unwrap(),
                settled: class.map(|class| (class, fields[4].parse().unwrap())),
                voided: fields[5] == "t",
            });
        }
        for run in
            rows(ledger, "SELECT concat_ws(' ', id, coalesce(superseded, 0), state) FROM runs")
        {
            let fields: Vec<&str> = run.split(' ').collect();
            let (id, older) = (fields[0].parse().unwrap(), fields[1].parse().unwrap());
            if older > 0 {
                stored.took_over.insert(id, older);
            }
            if fields[2] == "open" {
                stored.open_runs.insert(id);
            }
        }
        stored
    }

    fn written(_: &PgLedger) -> u64 {
        0
    }

    fn kill(&mut self, ledger: Option<PgLedger>, _: Option<u64>) {
        drop(ledger);
    }

    fn set_trap(ledger: &PgLedger, trap: Option<Trap>) {
        let sql = match trap {
            Some(Trap::ReadOnly) => "SET default_transaction_read_only = on",
            // The server reports a full disk with this code.
            Some(Trap::Full) => {
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN RAISE 'No space left on device' USING ERRCODE = '53100'; END $$;
                 CREATE TRIGGER trap BEFORE INSERT ON settlements EXECUTE FUNCTION full_disk()"
            }
            None => {
                execute(ledger, "SET default_transaction_read_only = off");
                "DROP TRIGGER IF EXISTS trap ON settlements; DROP FUNCTION IF EXISTS full_disk"
            }
            Some(other) => panic!("{other:?} is for the ledger in memory"),
        };
        execute(ledger, sql);
    }

    fn fold_often(_: &PgLedger) {}

    fn forget_killed(ledger: &PgLedger) {
        execute(
            ledger,
            "INSERT INTO settlements (attempt, at, class, charge) SELECT attempt, at, 62, 0 FROM orphans",
        );
    }

    fn purge_without_chain(ledger: &mut PgLedger, before: WallMs) -> Result<(), LedgerError> {
        ledger.purge_except(before, 0, "SELECT id FROM runs WHERE state = 'open'").map(drop)
    }

    fn bytes(&self) -> Vec<u8> {
        let tables = [
            "meta",
            "runs",
            "starts",
            "beats",
            "pairs",
            "intents",
            "settlements",
            "voids",
            "orphans",
        ];
        let server = server::server().unwrap();
        let all = tables.map(|table| format!("SELECT * FROM {table}"));
        all.iter().flat_map(|sql| server.execute(self.schema(), sql).into_bytes()).collect()
    }

    fn digest(ledger: &PgLedger) -> String {
        let tables =
            ["meta", "runs", "starts", "pairs", "intents", "settlements", "voids", "orphans"];
        let all =
            tables.map(|table| rows(ledger, &format!("SELECT t::text FROM {table} t ORDER BY 1")));
        all.concat().join("\n")
    }
}
