//! The ledger's secret key: without it nobody can find out by trying which NIKs were checked.
//!
//! Must hold: the key is durable before the ledger that rests on it, and a missing or other key
//! beside a ledger that has one is never replaced: all answers would be bought again.

use std::io::{self, Write};
use std::path::Path;

use super::files::{private_file, sync_parent};
use super::{LedgerError, Location};
use crate::fs::trusted;
use crate::model::subject::mask_path;
use crate::rules::pair::{PairHasher, truncate};

const KEY_BYTES: usize = 32;
const HEADING: &str = "ceknik-key-1 ";

/// Reads the key beside a ledger, if the file is there and not empty, as a first start that was cut off leaves it.
pub(super) fn read(path: &Path) -> Result<Option<[u8; KEY_BYTES]>, LedgerError> {
    match trusted::read_secret(path) {
        Ok(text) => of_text(path, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LedgerError::File { path: path.to_owned(), act: "read", source }),
    }
}

fn of_text(path: &Path, text: &str) -> Result<Option<[u8; KEY_BYTES]>, LedgerError> {
    if text.is_empty() {
        return Ok(None);
    }
    parse(text).map(Some).ok_or_else(|| LedgerError::Key {
        path: path.to_owned(),
        what: "is not a ceknik key, or is damaged".to_owned(),
    })
}

/// The key of a ledger that has facts is not there.
pub(super) fn missing(location: &Location) -> LedgerError {
    let what = format!("of the ledger {} is missing or empty", mask_path(&location.ledger));
    LedgerError::Key { path: location.key.clone(), what }
}

/// Makes a new key and sees to it that it survives a power cut.
pub(super) fn create(path: &Path) -> Result<[u8; KEY_BYTES], LedgerError> {
    let failed = |act| move |source| LedgerError::File { path: path.to_owned(), act, source };
    let mut file = private_file(path)?;
    let found = file.metadata().map_err(failed("opened"))?;
    if !trusted::is_mine(&found) {
        // Root may open it: but whose it is can read what would be written.
        return Err(failed("written")(io::Error::other("it belongs to another user")));
    }
    // Another ledger may be making this key for itself: whoever comes second takes the first one's.
    file.lock().map_err(failed("locked"))?;
    let text = io::read_to_string(&file).map_err(failed("read"))?;
    if let Some(key) = of_text(path, &text)? {
        return Ok(key);
    }
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|error| LedgerError::Key {
        path: path.to_owned(),
        what: format!("cannot be made, the system gave no randomness: {error}"),
    })?;
    let text = format!("{HEADING}{}\n", hex(&key));
    if let Err(source) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
        // Nothing rests on it yet: the next start makes another.
        let _ = file.set_len(0);
        return Err(failed("written")(source));
    }
    sync_parent(path)?;
    Ok(key)
}

/// What the ledger is stamped with: tells keys apart, and tells nothing about the key.
pub(super) fn id(key: &[u8; KEY_BYTES]) -> String {
    let mut hasher = PairHasher::new(*key).stream();
    hasher.update(b"ceknik key id");
    hex(&truncate(&hasher.finalize()))
}

fn parse(text: &str) -> Option<[u8; KEY_BYTES]> {
    let digits = text.strip_prefix(HEADING)?.trim_end().as_bytes();
    let mut key = [0; KEY_BYTES];
    if digits.len() != 2 * KEY_BYTES {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
