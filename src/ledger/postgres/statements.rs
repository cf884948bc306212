//! The statements that record a batch, prepared once for each connection.
//!
//! Must hold: an intent is granted only if its pair is closed and has the version that the intent
//! names, in one statement that locks the pair. Each change of a pair raises its version: a grant, a
//! settlement, and the declaration that its attempt is lost. So whoever sends a call has seen every
//! earlier attempt of the pair settled.

use tokio_postgres::{Client, Error, Statement};

use crate::ledger::codes::{KILLED, text_columns};
use crate::model::texts::Text;

/// The prepared statements of one connection.
pub(super) struct Statements {
    pub(super) fence: Statement,
    pub(super) settle_first: Statement,
    pub(super) settle_again: Statement,
    pub(super) void: Statement,
    pub(super) pause: Statement,
    pub(super) claim_known: Statement,
    pub(super) claim_new: Statement,
    pub(super) granted_before: Statement,
}

/// Leaves a settlement alone that is there already.
pub(super) const KEEP_STORED: &str = "ON CONFLICT (attempt) DO NOTHING";

/// Notes the number of a batch. Touches no row if the start was declared dead or ended, or if a
/// batch in between is missing.
const FENCE: &str = "UPDATE starts SET batch = $2, low = $3
    WHERE id = $1 AND generation = $4 AND ended_at IS NULL AND batch IN ($2::int8 - 1, $2::int8)";

/// Adds refusals that no longer count. The pair falls back to its end before.
const VOID: &str = "WITH v AS (
        INSERT INTO voids SELECT unnest($1::int8[]) ON CONFLICT DO NOTHING RETURNING attempt)
    UPDATE pairs p SET ended = p.prior, prior = NULL, class = CLASS_OF_PRIOR, at = AT_OF_PRIOR
    FROM v JOIN intents i USING (attempt) WHERE p.pair = i.pair AND p.ended = v.attempt";

/// Adds pauses of a start, and the ends of pauses that it has already.
pub(super) const PAUSE: &str = "INSERT INTO pauses SELECT $1, t.* FROM
        unnest($2::int4[], $3::text[], $4::int8[], $5::int8[], $6::float8[])
            AS t(number, kind, at, until, rate)
    ON CONFLICT (start, number) DO UPDATE SET until = excluded.until";

/// Grants intents of pairs that the ledger knows. Never waits for a row: a locked pair is another
/// start's.
const CLAIM_KNOWN: &str = "WITH a AS (ASKED),
    free AS (SELECT p.pair, a.attempt, a.record, a.at FROM pairs p JOIN a USING (pair)
        WHERE NOT p.open AND p.version = a.version ORDER BY p.pair FOR UPDATE OF p SKIP LOCKED),
    got AS (UPDATE pairs p SET attempt = f.attempt, version = p.version + 1, open = true
        FROM free f WHERE p.pair = f.pair
        RETURNING p.pair, p.attempt, p.version, f.record, f.at)
    INSERT INTO intents SELECT attempt, pair, version, record, at FROM got RETURNING attempt";

/// Grants intents of pairs that the ledger does not know.
const CLAIM_NEW: &str = "WITH a AS (ASKED),
    got AS (INSERT INTO pairs (pair, attempt, version, open)
        SELECT a.pair, a.attempt, 1, true FROM a
        WHERE NOT EXISTS (SELECT 1 FROM pairs q WHERE q.pair = a.pair) ORDER BY a.pair
        ON CONFLICT (pair) DO NOTHING RETURNING pair, attempt, version)
    INSERT INTO intents SELECT g.attempt, g.pair, g.version, a.record, a.at
        FROM got g JOIN a USING (attempt) RETURNING attempt";

/// The intents of a batch, as long as its fence holds.
const ASKED: &str =
    "SELECT t.* FROM unnest($1::bytea[], $2::int8[], $3::int4[], $4::int8[], $5::int8[])
        AS t(pair, attempt, version, record, at), starts s
    WHERE s.id = $6 AND s.generation = $7 AND s.ended_at IS NULL AND s.batch = $8";

/// Finds the intents of a batch that a lost answer had granted.
const GRANTED_BEFORE: &str =
    "SELECT attempt FROM pairs WHERE attempt = ANY($1) AND pair = ANY($2) AND open";

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
        let fill = |text: &str| {
            text.replace("ASKED", ASKED)
                .replace("CLASS_OF_PRIOR", &class_of("p.prior"))
                .replace("AT_OF_PRIOR", &at_of("p.prior"))
        };
        Ok(Self {
            fence: client.prepare(FENCE).await?,
            settle_first: client.prepare(&settle("")).await?,
            settle_again: client.prepare(&settle(KEEP_STORED)).await?,
            void: client.prepare(&fill(VOID)).await?,
            pause: client.prepare(PAUSE).await?,
            claim_known: client.prepare(&fill(CLAIM_KNOWN)).await?,
            claim_new: client.prepare(&fill(CLAIM_NEW)).await?,
            granted_before: client.prepare(GRANTED_BEFORE).await?,
        })
    }
}

/// Returns the statement that adds settlements and closes their pairs. It raises the version of each
/// pair, so that who read the attempt as open or as a doubt is refused.
fn settle(if_stored: &str) -> String {
    let (rows, texts) = (settlement_rows(), text_columns());
    let (class, at) = (class_of("p.prior"), at_of("p.prior"));
    format!(
        "WITH d AS ({rows}),
         put AS (INSERT INTO settlements (attempt, at, class, charge, http, {texts}, took)
            SELECT attempt, at, class, charge, http, {texts}, took FROM d {if_stored} RETURNING attempt)
         UPDATE pairs p SET version = p.version + 1,
            open = p.open AND p.attempt <> d.attempt,
            prior = CASE WHEN d.ends AND p.ended IS DISTINCT FROM d.attempt THEN p.ended
                WHEN NOT d.ends AND p.ended = d.attempt THEN NULL ELSE p.prior END,
            ended = CASE WHEN d.ends THEN d.attempt WHEN p.ended = d.attempt THEN p.prior ELSE p.ended END,
            class = CASE WHEN d.ends THEN d.class WHEN p.ended = d.attempt THEN {class} ELSE p.class END,
            at = CASE WHEN d.ends THEN d.at WHEN p.ended = d.attempt THEN {at} ELSE p.at END
         FROM put JOIN d USING (attempt) JOIN intents i USING (attempt)
         WHERE p.pair = i.pair AND d.attempt IN (p.attempt, p.ended)"
    )
}

/// Returns the statement that adds settlements, and leaves the pairs alone. `if_stored` is what
/// happens to a settlement that is there already.
pub(super) fn insert_settlements(if_stored: &str) -> String {
    let (rows, texts) = (settlement_rows(), text_columns());
    format!(
        "INSERT INTO settlements (attempt, at, class, charge, http, {texts}, took)
         SELECT attempt, at, class, charge, http, {texts}, took FROM ({rows}) d {if_stored}"
    )
}

/// Returns the query that makes rows of settlements that are sent as columns.
fn settlement_rows() -> String {
    let texts = text_columns();
    let after_texts = 7 + Text::ALL.len();
    let arrays: Vec<String> = (7..after_texts).map(|n| format!("${n}::text[]")).collect();
    format!(
        "SELECT * FROM unnest($1::int8[], $2::int8[], $3::int2[], $4::int2[], $5::bool[], $6::int4[],
            {}, ${after_texts}::int4[]) AS t(attempt, at, class, charge, ends, http, {texts}, took)",
        arrays.join(", ")
    )
}

/// Returns the SQL for the class of a settled or lost attempt.
fn class_of(attempt: &str) -> String {
    format!(
        "coalesce((SELECT s.class FROM settlements s WHERE s.attempt = {attempt}),
            (SELECT {}::int2 FROM orphans o WHERE o.attempt = {attempt}))",
        KILLED.code()
    )
}

/// Returns the SQL for the time at which an attempt was settled or declared lost.
fn at_of(attempt: &str) -> String {
    format!(
        "coalesce((SELECT s.at FROM settlements s WHERE s.attempt = {attempt}),
            (SELECT o.at FROM orphans o WHERE o.attempt = {attempt}))"
    )
}
