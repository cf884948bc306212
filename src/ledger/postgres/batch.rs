//! One batch of facts as one transaction: its statements travel in one go, and each answer counts.
//!
//! Must hold: a batch counts as durable only if each of its statements succeeded, because the end
//! of a failed transaction answers with a success too.

use std::collections::{BTreeMap, BTreeSet};

use tokio::join;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::codes::stored;
use super::statements::Statements;
use crate::ledger::recording::{Told, Writing};
use crate::model::attempt::{AttemptId, Batch, Intent, PairVersion, Settlement, StartId};
use crate::model::pause::Pause;
use crate::model::texts::Text;

/// Begins a transaction that finds its few rows by their keys. Without these settings, a plan that
/// was made while the tables were small reads them whole, again and again, as they grow.
const BEGIN: &str = "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off;
    SET LOCAL enable_mergejoin = off";

/// Number of a start as the server stores it.
pub(super) fn id(start: StartId) -> i32 {
    i32::try_from(start.0).unwrap_or(i32::MAX)
}

/// Sends one transaction with the whole batch, and waits for all answers.
pub(super) async fn send(
    client: &Client,
    statements: &Statements,
    writing: &Writing,
    batch: &Batch,
) -> Result<Told, Error> {
    let number = i64::try_from(writing.number()).unwrap_or(i64::MAX);
    let generation = i32::try_from(writing.generation).unwrap_or(i32::MAX);
    let (start, low) = (id(writing.start), number_of(writing.lowest_open(batch)));
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

    let fence: [&(dyn ToSql + Sync); 4] = [&start, &number, &low, &generation];

    // Each future sends its message when it is polled first, so all messages leave in this order
    // before the first answer is waited for.
    let (
        begun,
        fence,
        settled,
        claimed_known,
        claimed_new,
        settled_own,
        voided,
        paused,
        before,
        ended,
    ) = join!(
        biased;
        client.batch_execute(BEGIN),
        client.execute(&statements.fence, &fence),
        before.send(client, settle),
        known.send(client, &statements.claim_known, start, generation, number),
        new.send(client, &statements.claim_new, start, generation, number),
        with_intent.send(client, settle),
        async {
            if voids.is_empty() { Ok(0) } else { client.execute(&statements.void, &[&voids]).await }
        },
        add_pauses(client, &statements.pause, start, &batch.pauses),
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
    paused?;
    let before = before?;
    ended?;
    if fence == 0 {
        return Ok(Told::Fenced);
    }
    let granted = claimed_known.iter().chain(&claimed_new).chain(&before);
    Ok(Told::Durable(granted.map(|row| attempt_of(row.get(0))).collect()))
}

/// Adds pauses that have begun, and the ends of those that are over.
pub(super) async fn add_pauses(
    client: &Client,
    statement: &Statement,
    start: i32,
    pauses: &[Pause],
) -> Result<u64, Error> {
    if pauses.is_empty() {
        return Ok(0);
    }
    // One row for each pause: a statement cannot change the same row twice.
    let mut latest: BTreeMap<u32, &Pause> = BTreeMap::new();
    for pause in pauses {
        latest.insert(pause.number, pause);
    }
    let pauses = || latest.values();
    let numbers: Vec<i32> = pauses().map(|pause| pause.number.cast_signed()).collect();
    let kinds: Vec<&str> = pauses().map(|pause| pause.kind.word()).collect();
    let begins: Vec<i64> = pauses().map(|pause| pause.at.0).collect();
    let ends: Vec<Option<i64>> = pauses().map(|pause| pause.until.map(|at| at.0)).collect();
    let rates: Vec<Option<f64>> = pauses().map(|pause| pause.rate).collect();
    client.execute(statement, &[&start, &numbers, &kinds, &begins, &ends, &rates]).await
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
        client: &Client,
        statement: &Statement,
        start: i32,
        generation: i32,
        number: i64,
    ) -> Result<Vec<Row>, Error> {
        let Self { pairs, attempts, versions, records, times } = self;
        if attempts.is_empty() {
            return Ok(Vec::new());
        }
        let values: [&(dyn ToSql + Sync); 8] =
            [pairs, attempts, versions, records, times, &start, &generation, &number];
        client.query(statement, &values).await
    }
}

/// Settlements as columns.
#[derive(Default)]
pub(super) struct Settlements {
    attempts: Vec<i64>,
    times: Vec<i64>,
    classes: Vec<i16>,
    charges: Vec<i16>,
    ends: Vec<bool>,
    http: Vec<Option<i32>>,
    texts: [Vec<Option<String>>; Text::ALL.len()],
    took: Vec<Option<i32>>,
}

impl Settlements {
    pub(super) fn of(facts: &[&Settlement]) -> Self {
        let mut columns = Self::default();
        for fact in facts {
            columns.attempts.push(number_of(fact.attempt));
            columns.times.push(fact.at.0);
            columns.classes.push(stored(fact.class));
            columns.charges.push(i16::from(fact.charge.code()));
            columns.ends.push(fact.class.end().is_some());
            columns.http.push(fact.http.map(i32::from));
            columns.took.push(fact.took_ms.map(|ms| i32::try_from(ms).unwrap_or(i32::MAX)));
            for (column, text) in columns.texts.iter_mut().zip(fact.texts.all()) {
                // The server's texts cannot hold a NUL character.
                column.push(text.map(|text| text.replace('\0', "\u{FFFD}")));
            }
        }
        columns
    }

    pub(super) async fn send(&self, client: &Client, statement: &Statement) -> Result<u64, Error> {
        let Self { attempts, times, classes, charges, ends, http, texts, took } = self;
        if attempts.is_empty() {
            return Ok(0);
        }
        let mut values: Vec<&(dyn ToSql + Sync)> =
            vec![attempts, times, classes, charges, ends, http];
        values.extend(texts.iter().map(|column| column as &(dyn ToSql + Sync)));
        values.push(took);
        client.execute(statement, &values).await
    }
}
