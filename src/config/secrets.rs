//! The account's secrets: from the environment or from a file it names, never from an argument.

use std::path::PathBuf;

use crate::api::Credentials;
use crate::error::Error;

/// The account from `CEKNIK_API_ID` and `CEKNIK_API_SECRET`, or from the files that
/// `CEKNIK_API_ID_FILE` and `CEKNIK_API_SECRET_FILE` name.
///
/// # Errors
/// Exit code 11: missing, empty, given twice, or a file that cannot be read. The message never
/// holds a secret.
pub fn credentials() -> Result<Credentials, Error> {
    Ok(Credentials { id: secret("CEKNIK_API_ID")?, secret: secret("CEKNIK_API_SECRET")? })
}

/// The files that hold them, if they are in files.
pub(super) fn files() -> impl Iterator<Item = PathBuf> {
    let named = ["CEKNIK_API_ID_FILE", "CEKNIK_API_SECRET_FILE"].map(std::env::var_os);
    named.into_iter().flatten().map(PathBuf::from)
}

fn secret(name: &str) -> Result<String, Error> {
    let file_name = format!("{name}_FILE");
    let hint = format!("set {name}, or {file_name} to the path of a file that holds it");
    let value = match (std::env::var_os(name), std::env::var_os(&file_name)) {
        (Some(_), Some(_)) => Err(format!("both {name} and {file_name} are set")),
        (None, None) => Err(format!("{name} is not set")),
        (Some(value), None) => {
            value.into_string().map_err(|_| format!("{name} is not valid UTF-8"))
        }
        // Not which file: the secret itself may have been put there.
        (None, Some(path)) => std::fs::read_to_string(path)
            .map_err(|error| format!("the file that {file_name} names cannot be read: {error}")),
    };
    // A file ends with a line break that is not part of the secret.
    let value = value.and_then(|value| match value.trim() {
        "" => Err(format!("{name} is empty")),
        value => Ok(value.to_owned()),
    });
    value.map_err(|message| Error::config(message, hint))
}
