//! `ceknik backup`: copies a ledger in a file, with its key and its witness.

use crate::cli::BackupArgs;
use crate::config::{Origins, which_ledger};
use crate::error::Error;
use crate::ledger::{self, Location};
use crate::model::exit_code::ExitCode;
use crate::model::mask::mask_path;

/// Copies the ledger. Returns the exit code.
///
/// # Errors
/// Exit code 2: the ledger is shared, and its server makes the backups. Exit code 11: there is no
/// ledger, or it belongs to another origin. Exit code 18: the ledger cannot be read or has lost
/// facts, a file is there already, or the copy cannot be written.
pub fn backup(args: &BackupArgs, origins: &Origins) -> Result<ExitCode, Error> {
    let location = which_ledger(&args.which, args.key.key_file.clone(), origins)?;
    let file = match &location {
        Location::File(file) => file,
        Location::Shared(shared) => {
            return Err(Error::new(
                ExitCode::Usage,
                "ceknik cannot back up a shared ledger: its server does that",
                format!(
                    "Back up the database as any other (pg_dump, or a base backup with its WAL). Back up this key file too, \
                     because the backup is useless without it: {}",
                    mask_path(&shared.key)
                ),
            ));
        }
    };
    ledger::back_up(file, &args.file)?;
    let (name, copy) = (location.name(), mask_path(&args.file));
    let text = format!(
        "{copy} is a copy of the ledger {name} as it is now, with {copy}.key and {copy}.witness\n\
         Keep the key as you keep a password. To use the copy: --ledger {copy}\n"
    );
    super::print(text.as_bytes())
}
