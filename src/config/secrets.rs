//! Reads the credentials of the account from environment variables, or from the files that
//! environment variables name.
//!
//! Never: reads a secret from an argument, or puts one into a message.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::api::Credentials;
use crate::error::Error;
use crate::fs::trusted::{
    all_may_read, open_without_waiting, others_may_write, read_bounded, text,
};

/// Largest size of a file with a secret, in bytes.
const LARGEST: u64 = 64 * 1024;
/// Longest wait for a secret from a pipe.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause before an empty pipe is read again.
const POLL: Duration = Duration::from_millis(10);

/// Returns the credentials from `CEKNIK_API_ID` and `CEKNIK_API_SECRET`, or from the files that
/// `CEKNIK_API_ID_FILE` and `CEKNIK_API_SECRET_FILE` name.
///
/// # Errors
/// Exit code 11: a credential is missing, empty, set in both ways or not UTF-8, or its file cannot
/// be read. The message never contains a secret.
pub fn credentials() -> Result<Credentials, Error> {
    Ok(Credentials { id: secret("CEKNIK_API_ID")?, secret: secret("CEKNIK_API_SECRET")? })
}

/// Returns the paths of the files that hold the credentials, as far as the environment names files.
pub(super) fn files() -> impl Iterator<Item = PathBuf> {
    let named = ["CEKNIK_API_ID_FILE", "CEKNIK_API_SECRET_FILE", "CEKNIK_LEDGER_PASSWORD_FILE"]
        .map(std::env::var_os);
    named.into_iter().flatten().filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Returns the password of the ledger's user from `CEKNIK_LEDGER_PASSWORD`, or from the file that
/// `CEKNIK_LEDGER_PASSWORD_FILE` names; `None` if neither is set.
///
/// # Errors
/// Exit code 11, as for [`credentials`].
pub(super) fn ledger_password() -> Result<Option<String>, Error> {
    let name = "CEKNIK_LEDGER_PASSWORD";
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_given = is_set(name) || is_set(&format!("{name}_FILE"));
    is_given.then(|| secret(name)).transpose()
}

fn secret(name: &str) -> Result<String, Error> {
    let file_name = format!("{name}_FILE");
    let hint = format!(
        "{} Set {name}, or set {file_name} to the path of a file that contains it",
        source_of(name)
    );
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let value = match (set(name), set(&file_name)) {
        (Some(_), Some(_)) => {
            Err(format!("both {name} and {file_name} are set, and only one is allowed"))
        }
        (None, None) => Err(format!("{name} is not set")),
        (Some(value), None) => {
            value.into_string().map_err(|_| format!("{name} is not valid UTF-8"))
        }
        // The path is not shown, because a user may have set the variable to the secret itself.
        (None, Some(path)) => read(Path::new(&path), &file_name)
            .map_err(|error| format!("the file that {file_name} names cannot be used: {error}")),
    };
    // Spaces and line breaks around a secret are not part of it. A file usually ends with a line
    // break.
    let value = value.and_then(|value| match value.trim() {
        "" => Err(format!("{name} is empty")),
        value => Ok(value.to_owned()),
    });
    value.map_err(|message| Error::config(message, hint))
}

/// Returns where a secret comes from, in a sentence.
fn source_of(name: &str) -> &'static str {
    match name {
        "CEKNIK_LEDGER_PASSWORD" => "It is the password of the user in --ledger.",
        _ => {
            "You find both values in the vendor's console, under the keys of your account. The sandbox (--sandbox) needs none."
        }
    }
}

/// Reads a regular file or a pipe. A shell passes `<(command)` as a pipe. A file that other users
/// can write to is refused, because they could send the calls to another account. One that they can
/// read is only reported. `variable` names the file.
fn read(path: &Path, variable: &str) -> io::Result<String> {
    let file = open_without_waiting(path)?;
    let found = file.metadata()?;
    if found.file_type().is_fifo() {
        return text(read_pipe(&file)?);
    }
    // A device is refused below, whatever its mode is.
    if found.is_file() && others_may_write(&found) {
        return Err(io::Error::other("other users can change it; protect it with chmod go-w"));
    }
    if found.is_file() && all_may_read(&found) {
        tracing::warn!(
            "every user of this machine can read the file that {variable} names; protect it with chmod o-r"
        );
    }
    text(read_bounded(&file, LARGEST)?)
}

/// Reads a pipe until its writer closes it.
fn read_pipe(mut pipe: &File) -> io::Result<Vec<u8>> {
    let (begun, mut bytes, mut chunk) = (Instant::now(), Vec::new(), [0; 4096]);
    while begun.elapsed() < PATIENCE {
        match pipe.read(&mut chunk) {
            // Before the first byte, a read of nothing can mean that no writer has opened the pipe
            // yet.
            Ok(0) if !bytes.is_empty() => return Ok(bytes),
            Ok(0) => sleep(POLL),
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(POLL),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if bytes.len() as u64 > LARGEST {
            return Err(io::Error::other("the pipe sends more bytes than a secret can have"));
        }
    }
    Err(io::Error::other("the pipe did not send a complete secret within 5 seconds"))
}
