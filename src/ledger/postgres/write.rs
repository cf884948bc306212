//! Records the batches of a start, each in one transaction that travels in one go.
//!
//! Must hold: a batch counts as durable only if each of its statements succeeded, because the end
//! of a failed transaction answers with a success too. A batch whose answer is lost is offered
//! again with the same numbers, and nothing of it is recorded twice.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::join;
use tokio::time::{sleep, timeout};
use tokio_postgres::Error;

use super::codes::stored;
use super::error::{is_temporary, lost_to_another, unreachable_server};
use super::session::Session;
use super::statements::Statements;
use crate::ledger::{LedgerError, Recorded, Unrecorded};
use crate::model::attempt::{AttemptId, Batch, Intent, PairVersion, Settlement, StartId};
use crate::model::texts::Text;

/// Longest time that the server may take for one batch, before the connection counts as broken.
const BATCH_TIMEOUT: Duration = Duration::from_secs(20);
/// First pause before a broken connection is made anew. Doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause before a broken connection is made anew.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Pause before a transaction that was given up because of another one is tried again.
const SHORT_PAUSE: Duration = Duration::from_millis(10);

/// State of a start that records batches.
pub(super) struct Writing {
    start: StartId,
    generation: i32,
    /// Number of the latest batch that is known to be durable.
    confirmed: i64,
    /// Attempts that are granted and not settled.
    open: BTreeSet<AttemptId>,
    /// True if it is not known whether the latest batch is durable.
    is_unsure: bool,
    /// The statements of the connection; `None` after the connection was made anew.
    statements: Option<Statements>,
}

impl Writing {
    pub(super) fn new(start: StartId) -> Self {
        let open = BTreeSet::new();
        Self { start, generation: 0, confirmed: 0, open, is_unsure: false, statements: None }
    }
}

/// Result of one attempt to record a batch.
enum Told {
    /// The batch is durable, and these intents are granted.
    Durable(Vec<AttemptId>),
    /// The answers are durable. The start was declared dead meanwhile, and no intent is granted.
    Fenced,
    /// Another transaction was in the way.
    LostToAnother,
}

impl Session {
    /// Records a batch of facts durably. While the server does not answer, offers the batch again.
    pub(super) async fn record(&mut self, mut batch: Batch) -> Result<Recorded, Box<Unrecorded>> {
        batch.settlements.iter_mut().for_each(|fact| fact.texts.cut_long());
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let told = match self.try_to_record(&batch).await {
                Ok(Told::Durable(granted)) => return Ok(self.confirm(&batch, &granted)),
                Ok(Told::Fenced) => self.adopt_generation(&batch).await.map(Some),
                Ok(Told::LostToAnother) => {
                    sleep(SHORT_PAUSE).await;
                    Ok(None)
                }
                Err(error) => Err(error),
            };
            match told {
                Ok(Some(recorded)) => return Ok(recorded),
                Ok(None) if begun.elapsed() < self.patience => {}
                Err(error) if is_temporary(&error) && begun.elapsed() < self.patience => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    self.reconnect().await;
                }
                Ok(None) => {
                    let why = "other transactions are always in the way".to_owned();
                    let error = unreachable_server(&self.access.name, why);
                    return Err(Box::new(Unrecorded { error, batch }));
                }
                Err(error) => return Err(Box::new(Unrecorded { error, batch })),
            }
        }
    }

    /// Connects anew. If that fails, the old connection stays, whose next statement fails at once.
    async fn reconnect(&mut self) {
        let Ok(client) = self.access.connect().await else { return };
        if super::lock::take(&client, &self.access.name).await.is_ok() {
            self.client = client;
            if let Some(writing) = &mut self.writing {
                writing.statements = None;
            }
        }
    }

    /// Takes into account that a batch is durable.
    fn confirm(&mut self, batch: &Batch, granted: &[AttemptId]) -> Recorded {
        let granted: BTreeSet<AttemptId> = granted.iter().copied().collect();
        let intents = batch.intents.iter().map(|intent| intent.attempt);
        let refused = intents.filter(|attempt| !granted.contains(attempt)).collect();
        if let Some(writing) = &mut self.writing {
            writing.confirmed += 1;
            writing.is_unsure = false;
            writing.open.extend(granted);
            for fact in &batch.settlements {
                writing.open.remove(&fact.attempt);
            }
        }
        Recorded { refused }
    }

    /// Finds out why a batch was fenced. The answers in it are durable; its number is used again.
    async fn adopt_generation(&mut self, batch: &Batch) -> Result<Recorded, LedgerError> {
        let read_failed = self.read_failed();
        let name = self.access.name.clone();
        let Some(writing) = &mut self.writing else { return Err(LedgerError::WriterGone) };
        let query = "UPDATE starts SET reaped_at = NULL WHERE id = $1 RETURNING generation, batch";
        let row = self.client.query_opt(query, &[&id(writing.start)]).await.map_err(read_failed)?;
        let (generation, known): (i32, i64) = row.map_or((0, -1), |row| (row.get(0), row.get(1)));
        if known < writing.confirmed {
            let what = format!(
                "has lost batches: it confirmed {}, and holds {}",
                writing.confirmed,
                known.max(0)
            );
            return Err(LedgerError::Lost { ledger: name, what });
        }
        writing.generation = generation;
        for fact in &batch.settlements {
            writing.open.remove(&fact.attempt);
        }
        Ok(Recorded { refused: batch.intents.iter().map(|intent| intent.attempt).collect() })
    }

    /// Sends one transaction with the whole batch, and waits for all answers.
    async fn try_to_record(&mut self, batch: &Batch) -> Result<Told, LedgerError> {
        let name = self.access.name.clone();
        let write_failed = self.write_failed();
        let Some(writing) = &mut self.writing else { return Err(LedgerError::WriterGone) };
        let sent = async {
            if writing.statements.is_none() {
                writing.statements = Some(Statements::prepare(&self.client).await?);
            }
            let Some(statements) = &writing.statements else { return Ok(Told::LostToAnother) };
            send(&self.client, statements, writing, batch).await
        };
        let silent = || unreachable_server(&name, "it does not answer".to_owned());
        let told = match timeout(BATCH_TIMEOUT, sent).await {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(error)) if lost_to_another(&error) => Ok(Told::LostToAnother),
            Ok(Err(error)) => Err(write_failed(error)),
            Err(_) => Err(silent()),
        };
        // A server that names an error has not committed. A server that is gone may have.
        writing.is_unsure |= told.as_ref().is_err_and(is_temporary);
        told
    }
}

/// Number of a start as the server stores it.
pub(super) fn id(start: StartId) -> i32 {
    i32::try_from(start.0).unwrap_or(i32::MAX)
}

async fn send(
    client: &tokio_postgres::Client,
    statements: &Statements,
    writing: &Writing,
    batch: &Batch,
) -> Result<Told, Error> {
    let number = writing.confirmed + 1;
    let (start, generation) = (id(writing.start), writing.generation);
    let lowest_new = batch.intents.first().map(|intent| intent.attempt);
    let low = writing.open.first().copied().or(lowest_new).map_or(0, number_of);
    let settle =
        if writing.is_unsure { &statements.settle_again } else { &statements.settle_first };
    let (before, with_intent) = settlements_by_place_of_intent(batch);
    let (before, with_intent) = (Settlements::of(&before), Settlements::of(&with_intent));
    let (known, new): (Vec<&Intent>, Vec<&Intent>) =
        batch.intents.iter().partition(|intent| intent.version > PairVersion::NONE);
    let (known, new) = (Claims::of(&known), Claims::of(&new));
    let voids: Vec<i64> = batch.voids.iter().copied().map(number_of).collect();
    let all: (Vec<i64>, Vec<Vec<u8>>) =
        batch.intents.iter().map(|i| (number_of(i.attempt), i.pair.0.to_vec())).unzip();

    let fence: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&start, &number, &low, &generation];

    // Each future sends its message when it is polled first, so all messages leave in this order
    // before the first answer is waited for.
    let (begun, fence, settled, claimed_known, claimed_new, settled_own, voided, before, ended) = join!(
        biased;
        client.batch_execute("BEGIN"),
        client.execute(&statements.fence, &fence),
        before.send(client, settle),
        known.send(client, &statements.claim_known, start, generation, number),
        new.send(client, &statements.claim_new, start, generation, number),
        with_intent.send(client, settle),
        async {
            if voids.is_empty() { Ok(0) } else { client.execute(&statements.void, &[&voids]).await }
        },
        async {
            if !writing.is_unsure || all.0.is_empty() {
                return Ok(Vec::new());
            }
            client.query(&statements.granted_before, &[&all.0, &all.1]).await
        },
        client.batch_execute("COMMIT"),
    );
    // The first error says why the transaction failed; all later ones only that it did.
    begun?;
    let fence = fence?;
    settled?;
    let (claimed_known, claimed_new) = (claimed_known?, claimed_new?);
    settled_own?;
    voided?;
    let before = before?;
    ended?;
    if fence == 0 {
        return Ok(Told::Fenced);
    }
    let granted = claimed_known.iter().chain(&claimed_new).chain(&before);
    Ok(Told::Durable(granted.map(|row| attempt_of(row.get(0))).collect()))
}

/// Divides the settlements: those of attempts from earlier batches, and those of intents in this
/// batch, which must follow their intents.
fn settlements_by_place_of_intent(batch: &Batch) -> (Vec<&Settlement>, Vec<&Settlement>) {
    let own: BTreeSet<AttemptId> = batch.intents.iter().map(|intent| intent.attempt).collect();
    batch.settlements.iter().partition(|fact| !own.contains(&fact.attempt))
}

/// Number of an attempt as the server stores it.
pub(super) fn number_of(attempt: AttemptId) -> i64 {
    i64::try_from(attempt.0).unwrap_or(i64::MAX)
}

/// Attempt of a number that the server stores.
pub(super) fn attempt_of(number: i64) -> AttemptId {
    AttemptId(u64::try_from(number).unwrap_or(0))
}

/// Intents as columns.
#[derive(Default)]
struct Claims {
    pairs: Vec<Vec<u8>>,
    attempts: Vec<i64>,
    versions: Vec<i32>,
    records: Vec<i64>,
    times: Vec<i64>,
}

impl Claims {
    fn of(intents: &[&Intent]) -> Self {
        let mut claims = Self::default();
        for intent in intents {
            claims.pairs.push(intent.pair.0.to_vec());
            claims.attempts.push(number_of(intent.attempt));
            claims.versions.push(i32::from(intent.version.0));
            claims.records.push(i64::try_from(intent.record).unwrap_or(i64::MAX));
            claims.times.push(intent.at.0);
        }
        claims
    }

    async fn send(
        &self,
        client: &tokio_postgres::Client,
        statement: &tokio_postgres::Statement,
        start: i32,
        generation: i32,
        number: i64,
    ) -> Result<Vec<tokio_postgres::Row>, Error> {
        let Self { pairs, attempts, versions, records, times } = self;
        if attempts.is_empty() {
            return Ok(Vec::new());
        }
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
            [pairs, attempts, versions, records, times, &start, &generation, &number];
        client.query(statement, &values).await
    }
}

/// Settlements as columns.
#[derive(Default)]
struct Settlements {
    attempts: Vec<i64>,
    times: Vec<i64>,
    classes: Vec<i16>,
    charges: Vec<i16>,
    ends: Vec<bool>,
    http: Vec<Option<i32>>,
    texts: [Vec<Option<String>>; Text::ALL.len()],
}

impl Settlements {
    fn of(facts: &[&Settlement]) -> Self {
        let mut columns = Self::default();
        for fact in facts {
            columns.attempts.push(number_of(fact.attempt));
            columns.times.push(fact.at.0);
            columns.classes.push(stored(fact.class));
            columns.charges.push(i16::from(fact.charge.code()));
            columns.ends.push(fact.class.end().is_some());
            columns.http.push(fact.http.map(i32::from));
            for (column, text) in columns.texts.iter_mut().zip(fact.texts.all()) {
                // The server's texts cannot hold a NUL character.
                column.push(text.map(|text| text.replace('\0', "\u{FFFD}")));
            }
        }
        columns
    }

    async fn send(
        &self,
        client: &tokio_postgres::Client,
        statement: &tokio_postgres::Statement,
    ) -> Result<u64, Error> {
        let Self { attempts, times, classes, charges, ends, http, texts } = self;
        if attempts.is_empty() {
            return Ok(0);
        }
        let mut values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
            vec![attempts, times, classes, charges, ends, http];
        values.extend(
            texts.iter().map(|column| column as &(dyn tokio_postgres::types::ToSql + Sync)),
        );
        client.execute(statement, &values).await
    }
}

/// Returns the error for a batch that was handed over after the thread had ended.
pub(super) fn writer_gone() -> Box<Unrecorded> {
    Box::new(Unrecorded { error: LedgerError::WriterGone, batch: Batch::default() })
}
