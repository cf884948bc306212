//! Creates a shared ledger: the schema, the tables and the stamps.
//!
//! Must hold: a ledger that is there already stays as it is.

use super::access::Access;
use super::location::SharedLocation;
use super::meta;
use super::session::Session;
use super::worker::Worker;
use crate::ledger::LedgerError;
use crate::ledger::key;

/// The tables.
const TABLES: &str = include_str!("schema.sql");

/// Gives a ledger an id of its own, by which a machine knows it again.
const LEDGER_ID: &str = "INSERT INTO meta VALUES ('ledger_id', gen_random_uuid());\n";

/// Result of [`crate::ledger::create`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The ledger was made.
    New,
    /// The ledger was there already, for the same origin and key.
    WasThere,
    /// The ledger was there, made by an earlier version of this program, and was upgraded.
    Upgraded,
}

/// Creates a ledger, and its key file if there is none.
///
/// # Errors
/// - [`LedgerError::Origin`], [`LedgerError::Key`] or [`LedgerError::Version`] if another ledger is
///   there.
/// - [`LedgerError::Refused`] or [`LedgerError::Unreachable`] if the server cannot be used.
pub(crate) fn create(location: &SharedLocation) -> Result<Created, LedgerError> {
    let worker = Worker::start(Access::new(location, true)?, location.patience)?;
    let location = location.clone();
    worker.ask(async move |session: &mut Session| {
        let found = meta::check_version(&session.client, &session.access.name).await;
        match found {
            Err(LedgerError::Missing(_)) => {
                let script = script(&location)?;
                let failed = session.write_failed();
                session.client.batch_execute(&script).await.map_err(failed)?;
                Ok(Created::New)
            }
            Err(LedgerError::Version { .. }) if meta::upgrade_of(session).await?.is_some() => {
                check_stamps(session, &location).await?;
                session.check_nobody_lives().await?;
                let failed = session.write_failed();
                while let Some(upgrade) = meta::upgrade_of(session).await? {
                    session.client.batch_execute(upgrade).await.map_err(&failed)?;
                }
                Ok(Created::Upgraded)
            }
            Err(error) => Err(error),
            Ok(()) => check_stamps(session, &location).await.map(|()| Created::WasThere),
        }
    })
}

async fn check_stamps(session: &Session, location: &SharedLocation) -> Result<(), LedgerError> {
    let ledger = &session.access.name;
    let key = key::read(&location.key)?.ok_or_else(|| key::missing(&location.key, ledger))?;
    meta::check_stamps(&session.client, ledger, location, &key).await
}

/// Returns the statements that create a ledger. Creates the key file if there is none, because the
/// ledger is stamped with the id of its key.
pub(crate) fn script(location: &SharedLocation) -> Result<String, LedgerError> {
    let key = match key::read(&location.key)? {
        Some(key) => key,
        None => key::create(&location.key)?,
    };
    let schema = &location.url.schema;
    let stamps = meta::stamps(&location.origin, &key).map(|(name, value)| {
        format!("INSERT INTO meta VALUES ('{name}', '{}');\n", value.replace('\'', "''"))
    });
    Ok(format!(
        "BEGIN;\nCREATE SCHEMA IF NOT EXISTS {schema};\nSET LOCAL search_path = {schema};\n\n{TABLES}\n{}{LEDGER_ID}COMMIT;\n",
        stamps.concat()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::texts::Text;

    #[test]
    fn settlements_have_a_column_for_each_text() {
        let words = TABLES.split_whitespace().collect::<Vec<_>>().join(" ");
        let columns = Text::ALL.map(|text| format!("{} text", text.name())).join(", ");
        assert!(words.contains(&columns), "{columns}");
        assert!(crate::ledger::codes::text_columns().starts_with("status, "));
    }
}
