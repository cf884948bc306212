//! The ledger's secret key. Pairs are stored as hashes under this key: without the key, nobody can
//! find out by trying all NIKs which of them were checked.
//!
//! Must hold: the key is durable before the ledger that depends on it. The key of an existing
//! ledger is never replaced, even if it is missing or another key is in its place: under a new key,
//! all answers would be bought again.

use std::io::{self, Write};
use std::path::Path;

use super::private_files::{private_file, private_parent, sync_parent};
use super::{LedgerError, LedgerName};
use crate::fs::trusted;
use crate::model::hex::{from_hex, hex};
use crate::rules::pair_key::{PairHasher, truncate};

/// Length of the key in bytes.
const KEY_BYTES: usize = 32;
/// Beginning of the key file. The key follows as hexadecimal digits, and a newline.
const HEADING: &str = "ceknik-key-1 ";

/// Reads the key of a ledger. Returns `None` if the file does not exist, or is empty because a
/// first start was interrupted.
///
/// # Errors
/// [`LedgerError::Key`] if the file contains no key, and [`LedgerError::File`] if it cannot be read
/// or belongs to another user.
pub(super) fn read(path: &Path) -> Result<Option<[u8; KEY_BYTES]>, LedgerError> {
    match trusted::read_secret(path) {
        Ok(text) => of_text(path, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LedgerError::File { path: path.to_owned(), act: "read", source }),
    }
}

/// Parses the contents of a key file; an empty file contains no key yet.
fn of_text(path: &Path, text: &str) -> Result<Option<[u8; KEY_BYTES]>, LedgerError> {
    if text.is_empty() {
        return Ok(None);
    }
    parse(text).map(Some).ok_or_else(|| LedgerError::Key {
        path: path.to_owned(),
        what: "is not a ceknik key, or is damaged".to_owned(),
    })
}

/// Returns the error for a ledger that has facts, but no key.
pub(super) fn missing(key: &Path, ledger: &LedgerName) -> LedgerError {
    let what = format!("of the ledger {ledger} is missing or empty");
    LedgerError::Key { path: key.to_owned(), what }
}

/// Creates a new key, and makes it durable. If another process has just created a key in the same
/// file, returns that key.
pub(super) fn create(path: &Path) -> Result<[u8; KEY_BYTES], LedgerError> {
    let failed = |act| move |source| LedgerError::File { path: path.to_owned(), act, source };
    private_parent(path)?;
    let mut file = private_file(path)?;
    let found = file.metadata().map_err(failed("opened"))?;
    if !trusted::is_mine(&found) {
        // Root can open the file, but its owner could read the key that would be written.
        return Err(failed("written")(io::Error::other("it belongs to another user")));
    }
    // Another ledger may be creating its key in the same file: the process that comes second uses
    // the key of the first.
    file.lock().map_err(failed("locked"))?;
    let text = io::read_to_string(&file).map_err(failed("read"))?;
    if let Some(key) = of_text(path, &text)? {
        return Ok(key);
    }
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|error| LedgerError::Key {
        path: path.to_owned(),
        what: format!("cannot be made, because the system gave no random bytes: {error}"),
    })?;
    let text = file_text(&key);
    if let Err(source) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
        // No ledger depends on this key yet: the next start creates another.
        let _ = file.set_len(0);
        return Err(failed("written")(source));
    }
    sync_parent(path)?;
    Ok(key)
}

/// Returns the text of a key file.
pub(super) fn file_text(key: &[u8; KEY_BYTES]) -> String {
    format!("{HEADING}{}\n", hex(key))
}

/// Returns the id of a key, with which ledger and witness are stamped. The id reveals nothing about
/// the key.
pub(super) fn id(key: &[u8; KEY_BYTES]) -> String {
    let mut hasher = PairHasher::new(*key).stream();
    hasher.update(b"ceknik key id");
    hex(&truncate(&hasher.finalize()))
}

/// Parses a key file that is not empty.
fn parse(text: &str) -> Option<[u8; KEY_BYTES]> {
    from_hex(text.strip_prefix(HEADING)?.trim_end())
}
