//! Records late facts: those that a worker could not record before it had to leave, and those that
//! the server has forgotten.
//!
//! Must hold: a fact that is there already stays as it is, so that the same facts may come twice. The
//! version of each pair rises above all versions that a worker may know of it, so that nobody who
//! has not seen these facts is granted an intent.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::types::ToSql;

use super::batch::{Settlements, id, number_of};
use super::ends::compute_ends;
use super::error::unreachable_server;
use super::late::Late;
use super::local_files::LocalFiles;
use super::own_start::OwnStart;
use super::session::Session;
use super::statements::{KEEP_STORED, insert_settlements};
use crate::ledger::LedgerError;
use crate::ledger::recording::{Port, lost_batches};
use crate::model::mask::mask_path;

/// Longest time for which a worker that leaves tries to record what the server has forgotten.
const LONGEST: Duration = Duration::from_secs(20);

/// Number by which a pair's version rises above the one that a late intent names. It is above its
/// grant, its settlement and this change, and above what others may have done with the pair since.
const RISE: i32 = 16;

/// Adds the intents.
const INTENTS: &str = "INSERT INTO intents SELECT attempt, pair, version + 1, record, at FROM
        unnest($1::int8[], $2::bytea[], $3::int4[], $4::int8[], $5::int8[])
            AS t(attempt, pair, version, record, at)
    ON CONFLICT (attempt) DO NOTHING";

impl Session {
    /// Records late facts. Returns the number of answers that the server did not have.
    ///
    /// # Errors
    /// [`LedgerError::Lost`] if the server does not know the start of these facts.
    async fn restore(&mut self, late: &Late) -> Result<u64, LedgerError> {
        self.in_gate(async |session| session.add_late(late).await).await
    }

    async fn add_late(&self, late: &Late) -> Result<u64, LedgerError> {
        let failed = self.write_failed();
        let Late { start, began_at, from, until, facts } = late;
        let own = "SELECT batch FROM starts WHERE id = $1 AND began_at = $2 FOR UPDATE";
        let row = self.client.query_opt(own, &[&id(*start), &began_at.0]).await;
        let Some(row) = row.map_err(&failed)? else {
            let (start, answers) = (start.0, facts.answers.len());
            let what = format!("does not know worker {start}, to which {answers} answers belong");
            return Err(LedgerError::Lost { ledger: self.access.name.clone(), what });
        };
        let columns = Columns::of(late);
        let values: [&(dyn ToSql + Sync); 5] = [
            &columns.attempts,
            &columns.pairs,
            &columns.versions,
            &columns.records,
            &columns.times,
        ];
        self.client.execute(INTENTS, &values).await.map_err(&failed)?;
        let settlements: Vec<_> = facts.answers.iter().map(|of| &of.settlement).collect();
        let add = self.client.prepare(&insert_settlements(KEEP_STORED)).await.map_err(&failed)?;
        let settlements = Settlements::of(&settlements);
        let added = settlements.send(&self.client, &add).await.map_err(&failed)?;
        let voids: Vec<i64> = facts.voids.iter().copied().map(number_of).collect();
        let add = "INSERT INTO voids SELECT unnest($1::int8[]) ON CONFLICT DO NOTHING";
        self.client.execute(add, &[&voids]).await.map_err(&failed)?;
        let raise = raise_versions();
        let values: [&(dyn ToSql + Sync); 3] =
            [&columns.attempts, &columns.pairs, &columns.versions];
        self.client.execute(&raise, &values).await.map_err(&failed)?;
        let ends = compute_ends(
            "SELECT unnest($1::bytea[]) AS pair
             UNION SELECT i.pair FROM intents i WHERE i.attempt = ANY($2)",
        );
        self.client.execute(&ends, &[&columns.pairs, &voids]).await.map_err(&failed)?;
        let held = row.get::<_, i64>(0).cast_unsigned();
        if held + 1 >= *from {
            // Nothing is missing in between, so that the start is as complete as it was.
            let put = "UPDATE starts SET batch = greatest(batch, $2) WHERE id = $1";
            let until = until.cast_signed();
            self.client.execute(put, &[&id(*start), &until]).await.map_err(&failed)?;
        }
        Ok(added)
    }

    /// Checks that the server still holds every batch that it has confirmed to the start under way. If
    /// it does not, it gets again what is kept.
    ///
    /// # Errors
    /// [`LedgerError::Lost`].
    pub(super) async fn check_not_forgotten(&mut self) -> Result<(), LedgerError> {
        let Some(own) = &self.own else { return Ok(()) };
        let (start, confirmed) = (own.writing.start, own.writing.confirmed);
        let held = self.known(start).await?.map_or(0, |known| known.batch);
        if held >= confirmed {
            return Ok(());
        }
        self.own.iter_mut().for_each(OwnStart::was_forgotten);
        self.save_late().await;
        Err(lost_batches(self.access.name.clone(), confirmed, held))
    }

    /// Saves the facts that the server does not hold, before this worker leaves. A server that
    /// answers, and has forgotten facts, gets them again. Otherwise they are kept in a file.
    pub(super) async fn save_late(&mut self) {
        let late = self.own.as_mut().and_then(OwnStart::take_late);
        let Some((late, is_forgotten)) = late else { return };
        let answers = late.facts.answers.len();
        if is_forgotten {
            let silent = unreachable_server(&self.access.name, "it does not answer".to_owned());
            match timeout(LONGEST, self.restore(&late)).await.unwrap_or(Err(silent)) {
                Ok(added) => {
                    tracing::warn!(
                        "the server had lost {added} of the last {answers} answers, and they are recorded again now. \
                         The summary may count them as in doubt; `ceknik status` does not"
                    );
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "the last answers could not be recorded again")
                }
            }
        }
        let Some(files) = &self.files else { return };
        let path = mask_path(&files.late(late.start));
        match late.write(files) {
            Ok(()) => tracing::warn!(
                "some of the last {answers} answers could not be recorded. All of them are kept in {path}, \
                 and the next run on this machine tries to record them"
            ),
            Err(error) => tracing::error!(
                %error,
                "some of the last {answers} answers could not be recorded, and cannot be kept in a file: \
                 their rows are in doubt"
            ),
        }
    }

    /// Records the late facts that earlier starts of this machine have left, and removes their
    /// files.
    pub(super) async fn record_late_files(&mut self) -> Result<(), LedgerError> {
        let Some(files) = self.files.clone() else { return Ok(()) };
        let mut failure = Ok(());
        for path in files.all_late() {
            if let Err(error) = self.record_late_file(&path, &files).await {
                // The other files can be recorded all the same.
                failure = failure.and(Err(error));
            }
        }
        failure
    }

    async fn record_late_file(
        &mut self,
        path: &Path,
        files: &LocalFiles,
    ) -> Result<(), LedgerError> {
        let late = match Late::read(path, files) {
            // Another start has just recorded it.
            Err(LedgerError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return Ok(());
            }
            late => late?,
        };
        let added = self.restore(&late).await.map_err(|error| match error {
            LedgerError::Lost { ledger, what } => {
                LedgerError::Lost { ledger, what: format!("{what} (in {})", mask_path(path)) }
            }
            error => error,
        })?;
        tracing::warn!("answers that could not be recorded earlier are recorded now: {added}");
        if let Err(error) = std::fs::remove_file(path) {
            tracing::debug!(%error, "the file of late answers could not be removed");
        }
        Ok(())
    }
}

/// Returns the statement that closes pairs whose attempt is settled, and raises their versions. A
/// pair that the server has forgotten is added.
fn raise_versions() -> String {
    let last = u16::MAX;
    format!(
        "INSERT INTO pairs AS p (pair, attempt, version, open)
            SELECT pair, max(attempt), least(max(version) + {RISE}, {last}), false
            FROM unnest($1::int8[], $2::bytea[], $3::int4[]) AS t(attempt, pair, version)
            GROUP BY pair ORDER BY pair
         ON CONFLICT (pair) DO UPDATE SET
            version = least(greatest(p.version + 1, excluded.version), {last}),
            attempt = CASE WHEN p.open THEN p.attempt ELSE greatest(p.attempt, excluded.attempt) END,
            open = p.open AND NOT EXISTS
                (SELECT 1 FROM settlements s WHERE s.attempt = p.attempt)"
    )
}

/// The intents of late answers, as columns.
struct Columns {
    attempts: Vec<i64>,
    pairs: Vec<Vec<u8>>,
    versions: Vec<i32>,
    records: Vec<i64>,
    times: Vec<i64>,
}

impl Columns {
    fn of(late: &Late) -> Self {
        let intents = || late.facts.answers.iter().map(|answered| &answered.intent);
        Self {
            attempts: intents().map(|intent| number_of(intent.attempt)).collect(),
            pairs: intents().map(|intent| intent.pair.0.to_vec()).collect(),
            versions: intents().map(|intent| i32::from(intent.version.0)).collect(),
            records: intents().map(|intent| intent.record.cast_signed()).collect(),
            times: intents().map(|intent| intent.at.0).collect(),
        }
    }
}
