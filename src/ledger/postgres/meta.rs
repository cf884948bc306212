//! The stamps of a shared ledger: for which origin and key it was made, and by which version.

use std::path::Path;

use tokio_postgres::Client;

use super::error::failed;
use super::local_files::LocalFiles;
use super::location::SharedLocation;
use super::session::Session;
use crate::ledger::{LedgerError, LedgerName, key, remembered};
use crate::rules::pair_key::CLEANING_VERSION;

/// Version of the tables.
pub(super) const SCHEMA_VERSION: i32 = 5;
/// Versions that can be upgraded, each with the statements that make the next version of it.
const UPGRADES: [(i32, &str); 3] = [
    (2, include_str!("upgrade_2.sql")),
    (3, include_str!("upgrade_3.sql")),
    (4, include_str!("upgrade_4.sql")),
];

/// Returns a value of the `meta` table.
pub(super) async fn get(
    client: &Client,
    ledger: &LedgerName,
    name: &str,
) -> Result<Option<String>, LedgerError> {
    let row = client.query_opt("SELECT value FROM meta WHERE name = $1", &[&name]).await;
    Ok(row.map_err(|error| failed(ledger, "read", &error))?.map(|row| row.get(0)))
}

/// Returns what is remembered of the vendor's limits under this name; without a name, all of it.
pub(super) async fn remembered_rates(
    client: &Client,
    ledger: &LedgerName,
    name: Option<&str>,
) -> Result<Vec<String>, LedgerError> {
    let query = "SELECT value FROM meta WHERE name = $1 OR ($1 IS NULL AND name LIKE $2)";
    let all = format!("{}%", remembered::NAMES);
    let rows = client.query(query, &[&name, &all]).await;
    let rows = rows.map_err(|error| failed(ledger, "read", &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Stores a value in the `meta` table.
pub(super) async fn set(
    client: &Client,
    ledger: &LedgerName,
    name: &str,
    value: &str,
) -> Result<(), LedgerError> {
    let put =
        "INSERT INTO meta VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    let put = client.execute(put, &[&name, &value]).await;
    put.map(drop).map_err(|error| failed(ledger, "written", &error))
}

/// Returns the stamps of a new ledger.
pub(super) fn stamps(origin: &str, key: &[u8; 32]) -> [(&'static str, String); 5] {
    [
        ("origin", origin.to_owned()),
        ("key_id", key::id(key)),
        ("cleaning", CLEANING_VERSION.to_string()),
        ("schema", SCHEMA_VERSION.to_string()),
        ("gate", String::new()),
    ]
}

impl Session {
    /// Finds the names of the files beside the key, which hold the id of the ledger.
    pub(super) async fn find_files(&mut self, key: &Path) -> Result<(), LedgerError> {
        let ledger = get(&self.client, &self.access.name, "ledger_id").await?;
        self.files = Some(LocalFiles::new(key, ledger.unwrap_or_default()));
        Ok(())
    }
}

impl Session {
    /// Checks that a run may write to the table that was added last: without the right, a batch would
    /// fail in the middle of a run.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] if the user of the database may not.
    pub(super) async fn check_rights(&self) -> Result<(), LedgerError> {
        let rights = "SELECT has_table_privilege('pauses', 'INSERT')
            AND has_table_privilege('pauses', 'UPDATE')";
        let rights = self.client.query_one(rights, &[]).await.map_err(self.read_failed())?;
        if rights.get(0) {
            return Ok(());
        }
        let what = "does not permit this: the user may not write to the table pauses".to_owned();
        Err(LedgerError::Refused { ledger: self.access.name.clone(), what })
    }
}

/// Checks that a ledger is there, and that its version is known.
///
/// # Errors
/// [`LedgerError::Missing`] or [`LedgerError::Version`].
pub(super) async fn check_version(client: &Client, ledger: &LedgerName) -> Result<(), LedgerError> {
    // A missing table would end a transaction that is under way, and `to_regclass` does not.
    let look = "SELECT to_regclass('meta') IS NOT NULL, EXISTS (SELECT 1 FROM pg_namespace
        WHERE nspname = current_setting('search_path') AND NOT has_schema_privilege(oid, 'USAGE'))";
    let there = client.query_one(look, &[]).await;
    let there = there.map_err(|error| failed(ledger, "read", &error))?;
    if there.get(1) {
        let what = "does not permit this: the user may not use the schema".to_owned();
        return Err(LedgerError::Refused { ledger: ledger.clone(), what });
    }
    if !there.get::<_, bool>(0) {
        return Err(LedgerError::Missing(ledger.clone()));
    }
    let refuse = |what: String| Err(LedgerError::Version { ledger: ledger.clone(), what });
    match get(client, ledger, "schema").await? {
        None => refuse(
            "belongs to another program: its schema has a table `meta` without a version"
                .to_owned(),
        ),
        Some(version) if version != SCHEMA_VERSION.to_string() => {
            refuse(format!("has version {version}, and this ceknik knows version {SCHEMA_VERSION}"))
        }
        Some(_) => Ok(()),
    }
}

/// Returns the statements that make the next version of a ledger, if it is one that can be upgraded.
pub(super) async fn upgrade_of(session: &Session) -> Result<Option<&'static str>, LedgerError> {
    let version = get(&session.client, &session.access.name, "schema").await?;
    let found = UPGRADES.into_iter().find(|(older, _)| version == Some(older.to_string()));
    Ok(found.map(|(_, statements)| statements))
}

/// Checks that a ledger has the expected origin, key and cleaning rules.
///
/// # Errors
/// [`LedgerError::Origin`], [`LedgerError::Key`] or [`LedgerError::Version`].
pub(super) async fn check_stamps(
    client: &Client,
    ledger: &LedgerName,
    location: &SharedLocation,
    key: &[u8; 32],
) -> Result<(), LedgerError> {
    let theirs = get(client, ledger, "origin").await?.unwrap_or_default();
    if theirs != location.origin {
        let ours = location.origin.clone();
        return Err(LedgerError::Origin { ledger: ledger.clone(), theirs, ours });
    }
    if get(client, ledger, "key_id").await?.as_deref() != Some(&key::id(key)) {
        let what = format!("is not the key of the ledger {ledger}");
        return Err(LedgerError::Key { path: location.key.clone(), what });
    }
    let cleaning = get(client, ledger, "cleaning").await?;
    if cleaning.as_deref() != Some(&CLEANING_VERSION.to_string()) {
        let what = "was made with other rules for cleaning NIKs and names".to_owned();
        return Err(LedgerError::Version { ledger: ledger.clone(), what });
    }
    Ok(())
}
