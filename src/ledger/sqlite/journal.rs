//! The ledger's writer: a separate thread that commits the facts of the start under way.
//!
//! Must hold: a batch is acknowledged only after its commit returned. Batches are committed one by
//! one, in the order in which they were handed over, each as a whole or not at all.

use std::future::Future;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use futures_util::FutureExt;
use rusqlite::{Connection, Statement, params};
use tokio::sync::oneshot;

use super::ledger::SqliteLedger;
use super::pauses::add_pauses;
use crate::ledger::codes::text_columns;
use crate::ledger::{
    Journal, Ledger, LedgerError, OpenRun, ProgressNote, Purged, Recorded, StartEnd, StartRequest,
    Unrecorded, remembered,
};
use crate::model::attempt::{Batch, Settlement, WallMs};
use crate::model::texts::Text;
use crate::rules::body::BodyKind;
use crate::rules::pair_key::PairHasher;
use crate::rules::rate::Remembered;

/// Number of batches that may wait for the writer. The engine hands over one at a time.
const WAITING: usize = 4;

/// Result of recording one batch.
type Told = Result<Recorded, Box<Unrecorded>>;

/// A batch for the writer, with the channel for its result.
struct Job {
    batch: Batch,
    done: oneshot::Sender<Told>,
}

/// The handle through which a start sends batches to the writer.
pub(crate) struct SqliteJournal {
    jobs: SyncSender<Job>,
    writer: JoinHandle<SqliteLedger>,
}

impl Journal for SqliteJournal {
    type Ledger = SqliteLedger;

    fn record(&mut self, batch: Batch) -> impl Future<Output = Told> + Unpin + 'static {
        let (done, told) = oneshot::channel();
        // If the writer has ended, the job is dropped with `done`, and the future returns
        // `WriterGone`.
        let _ = self.jobs.send(Job { batch, done });
        told.map(|told| told.unwrap_or_else(|_| Err(writer_gone())))
    }

    fn finish(self) -> Result<SqliteLedger, LedgerError> {
        drop(self.jobs);
        self.writer.join().map_err(|_| LedgerError::WriterGone)
    }
}

impl Ledger for SqliteLedger {
    type Journal = SqliteJournal;

    fn hasher(&self) -> PairHasher {
        self.hasher.clone()
    }

    fn open_run(&mut self, opening: &StartRequest) -> Result<OpenRun, LedgerError> {
        self.begin_start(opening)
    }

    fn into_journal(self, run: &OpenRun) -> Result<SqliteJournal, LedgerError> {
        let (jobs, waiting) = sync_channel(WAITING);
        let (run, path) = (run.clone(), self.path.clone());
        let writer = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || write_until_closed(self, &run, &waiting))
            .map_err(|source| LedgerError::File { path, act: "written by a thread", source })?;
        Ok(SqliteJournal { jobs, writer })
    }

    fn end_start(&mut self, run: &OpenRun, ending: &StartEnd) -> Result<(), LedgerError> {
        self.check_place()?;
        self.note_start_ended(run, ending)
    }

    fn end_run(&mut self, run: &OpenRun, ending: &StartEnd) -> Result<(), LedgerError> {
        self.check_place()?;
        // The standings are derived: facts are found without them too. If there is no room for the
        // merge, this run still ends, and the next run to end does the merge.
        if let Err(error) = self.merge_standings() {
            tracing::warn!(%error, "the ledger's look-up table could not be brought up to date; the next run does it");
        }
        self.note_start_ended(run, ending)?;
        self.note_run_ended(run.id, ending)
    }

    fn progress_note(&self) -> Option<ProgressNote> {
        let note = self.lock.as_ref()?.note().ok()?;
        // The run does not depend on the note.
        Some(Box::new(move |run| drop(note.update(run))))
    }

    fn remembered_body(&mut self) -> Result<Option<BodyKind>, LedgerError> {
        let name: Option<String> = self.meta("body")?;
        Ok(name.as_deref().and_then(BodyKind::from_name))
    }

    fn remember_body(&mut self, kind: BodyKind) -> Result<(), LedgerError> {
        self.connection
            .execute("INSERT OR REPLACE INTO meta VALUES ('body', ?1)", [kind.name()])?;
        Ok(())
    }

    fn remember_rate(&mut self, account: &[u8; 16], rate: Remembered) -> Result<(), LedgerError> {
        let values = (remembered::name_of(account), remembered::to_text(rate));
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", values)?;
        Ok(())
    }

    fn purge(&mut self, before: WallMs, utc_offset_ms: i64) -> Result<Purged, LedgerError> {
        self.remove_before(before, utc_offset_ms)
    }
}

impl SqliteLedger {
    /// Records a batch of facts durably, as a whole or not at all. Refuses no intent, because one
    /// process at a time writes.
    ///
    /// If the ledger file is no longer at its path, records the settlements alone, if possible, and
    /// returns [`LedgerError::Moved`].
    pub(super) fn record(&mut self, run: &OpenRun, mut batch: Batch) -> Told {
        batch.settlements.iter_mut().for_each(|fact| fact.texts.cut_long());
        if let Err(error) = self.check_place() {
            // If the file was moved and not removed, the answers are safe in it. The intents are
            // not recorded, so that their calls are not sent.
            let answers = Batch { settlements: batch.settlements, ..Batch::default() };
            let is_recorded = commit(&mut self.connection, run, &answers).is_ok();
            batch.settlements = if is_recorded { Vec::new() } else { answers.settlements };
            return Err(Box::new(Unrecorded { error, batch }));
        }
        match commit(&mut self.connection, run, &batch) {
            Ok(()) => {
                self.witness.iter_mut().for_each(|witness| witness.saw(&batch));
                Ok(Recorded::default())
            }
            Err(source) => Err(Box::new(Unrecorded { error: source.into(), batch })),
        }
    }
}

/// Returns the error for a writer that has ended. The batch was lost with the writer.
fn writer_gone() -> Box<Unrecorded> {
    Box::new(Unrecorded { error: LedgerError::WriterGone, batch: Batch::default() })
}

/// Commits batches until the journal is closed, and returns the ledger. Runs on the writer's
/// thread.
fn write_until_closed(
    mut ledger: SqliteLedger,
    run: &OpenRun,
    jobs: &Receiver<Job>,
) -> SqliteLedger {
    while let Ok(Job { batch, done }) = jobs.recv() {
        let told = ledger.record(run, batch);
        // The engine may no longer be waiting. The facts are recorded all the same.
        let _ = done.send(told);
    }
    ledger
}

/// Number of the columns of `settlements` before the texts.
const COLUMNS_BEFORE_TEXTS: usize = 5;

/// Returns the statement that adds a settlement.
fn add_settlement() -> String {
    let texts = text_columns();
    let columns = COLUMNS_BEFORE_TEXTS + Text::ALL.len();
    let values = (1..=columns).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ");
    let took = columns + 1;
    format!(
        "INSERT INTO settlements (id, class, charge, http, at, {texts}, sum, took)
         VALUES ({values}, sum_of({values}), ?{took})"
    )
}

/// Executes the statement of [`add_settlement`].
fn add(statement: &mut Statement<'_>, fact: &Settlement) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, fact.attempt.0)?;
    statement.raw_bind_parameter(2, fact.class.code())?;
    statement.raw_bind_parameter(3, fact.charge.code())?;
    statement.raw_bind_parameter(4, fact.http)?;
    statement.raw_bind_parameter(5, fact.at.0)?;
    for (column, text) in (COLUMNS_BEFORE_TEXTS + 1..).zip(fact.texts.all()) {
        statement.raw_bind_parameter(column, text)?;
    }
    statement.raw_bind_parameter(COLUMNS_BEFORE_TEXTS + Text::ALL.len() + 1, fact.took_ms)?;
    statement.raw_execute().map(drop)
}

/// Writes a batch, and the new number of facts, in one transaction.
fn commit(connection: &mut Connection, run: &OpenRun, batch: &Batch) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut add_fact = transaction.prepare_cached(&add_settlement())?;
        batch.settlements.iter().try_for_each(|fact| add(&mut add_fact, fact))?;
        let mut add = transaction.prepare_cached(
            "INSERT INTO intents (id, run, pair, record, at, sum)
             VALUES (?1, ?2, ?3, ?4, ?5, sum_of(?1, ?2, ?3, ?4, ?5))",
        )?;
        for intent in &batch.intents {
            add.execute(params![
                intent.attempt.0,
                run.id.0,
                intent.pair.0,
                intent.record,
                intent.at.0
            ])?;
        }
        let mut add = transaction.prepare_cached("INSERT OR IGNORE INTO voids VALUES (?1)")?;
        for attempt in &batch.voids {
            add.execute([attempt.0])?;
        }
        add_pauses(&transaction, run.start, &batch.pauses)?;
        let mut add = transaction.prepare_cached(
            "INSERT INTO meta VALUES ('facts', ?1)
             ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        )?;
        add.execute([batch.facts()])?;
    }
    transaction.commit()
}
