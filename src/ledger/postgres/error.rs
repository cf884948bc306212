//! The server's errors as errors of a ledger.
//!
//! Never: passes on the detail of a server's error, which may quote a row.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::ledger::{LedgerError, LedgerName};
use crate::tls;

/// Beginning of the library's text for a failed TLS handshake. The library tells the kinds of its
/// errors only by their texts.
const TLS: &str = "error performing TLS handshake";
/// Beginning of the library's text for a connection that cannot be made.
const CONNECT: &str = "error connecting to server";
/// Beginnings of the library's texts for a login that needs a password or another method.
const LOGIN: [&str; 2] = ["authentication error", "invalid configuration"];

/// Returns the error of a ledger for an error of its server. `act` is the attempted operation:
/// opened, read or written.
pub(super) fn failed(ledger: &LedgerName, act: &'static str, error: &Error) -> LedgerError {
    let refused = |what: String| LedgerError::Refused { ledger: ledger.clone(), what };
    let said = error.to_string();
    let Some(code) = error.code() else {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        return match () {
            () if said.starts_with(TLS) && error.source().is_some_and(is_presented) => {
                refused(format!("does not prove who it is: {cause}"))
            }
            () if LOGIN.iter().any(|begin| said.starts_with(begin)) => {
                refused(format!("refuses the login: {cause}"))
            }
            () if error.is_closed() || is_of_the_network(error) => {
                unreachable_server(ledger, if cause.is_empty() { said } else { cause })
            }
            () => storage(act, false, &format!("{said} {cause}")),
        };
    };
    let message = error.as_db_error().map_or("", |error| error.message());
    match *code {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            refused(format!("refuses the login: {message}"))
        }
        SqlState::INVALID_CATALOG_NAME => refused("has no database of this name".to_owned()),
        SqlState::INSUFFICIENT_PRIVILEGE => refused(format!("does not permit this: {message}")),
        SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME => {
            LedgerError::Missing(ledger.clone())
        }
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::TOO_MANY_CONNECTIONS => unreachable_server(ledger, message.to_owned()),
        SqlState::LOCK_NOT_AVAILABLE => LedgerError::Locked(ledger.clone(), None),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => storage("read", true, message),
        _ => storage(act, false, message),
    }
}

/// Checks whether a handshake failed because of what the server presented. The library tells a
/// server without TLS in a text.
fn is_presented(cause: &(dyn std::error::Error + 'static)) -> bool {
    tls::is_refusal(cause) || !cause.is::<std::io::Error>()
}

/// Checks whether an error comes from the network. A connection that takes too long is such an
/// error too.
fn is_of_the_network(error: &Error) -> bool {
    error.source().is_some_and(|cause| cause.is::<std::io::Error>())
        || error.to_string().starts_with(CONNECT)
}

/// Returns the error for a server that does not answer.
pub(super) fn unreachable_server(ledger: &LedgerName, why: String) -> LedgerError {
    LedgerError::Unreachable { ledger: ledger.clone(), why }
}

/// Checks whether another attempt may succeed: the connection broke, the server is starting, or a
/// row was locked.
pub(super) fn is_temporary(error: &LedgerError) -> bool {
    matches!(error, LedgerError::Unreachable { .. })
}

/// Checks whether the server gave the transaction up because of another one.
pub(super) fn lost_to_another(error: &Error) -> bool {
    let others = [
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::LOCK_NOT_AVAILABLE,
    ];
    error.code().is_some_and(|code| others.contains(code))
}

fn storage(act: &'static str, is_damaged: bool, message: &str) -> LedgerError {
    LedgerError::Storage { act, is_damaged, source: message.into() }
}
