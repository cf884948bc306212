//! `ceknik ledger`: creates a shared ledger, and takes a ledger in a file over.

use crate::cli::{ImportArgs, InitArgs};
use crate::clock;
use crate::config::{Origins, which_ledger};
use crate::error::Error;
use crate::ledger::{self, Created, Location, SharedLocation};
use crate::model::exit_code::ExitCode;
use crate::model::mask::mask_path;
use crate::output::count;

/// Creates the ledger that the flags choose, or prints the statements that create it. Returns the
/// exit code.
///
/// # Errors
/// Exit code 2: the ledger is a file, which `run` makes by itself, or its address cannot be used.
/// Exit code 11: the server refuses us, or another ledger is there. Exit code 18: the server or the
/// key file cannot be used.
pub fn init(args: &InitArgs, origins: &Origins) -> Result<ExitCode, Error> {
    let location = which_ledger(&args.which, args.key.key_file.clone(), origins)?;
    let shared = shared(&location)?;
    if args.print {
        return super::print(ledger::create_script(shared)?.as_bytes());
    }
    let (act, why) = match ledger::create(shared)? {
        Created::New => ("made", ""),
        Created::WasThere => ("did not change", ", which exists already"),
        Created::Upgraded => ("upgraded", ", which an earlier version made"),
    };
    let (name, key) = (location.name(), mask_path(&shared.key));
    let text = format!(
        "{act} the ledger {name}{why}\nIts key is {key}: copy it to each machine that uses the ledger, and keep a backup\n"
    );
    super::print(text.as_bytes())
}

/// Takes a ledger in a file over into a shared ledger. Returns the exit code.
///
/// # Errors
/// Exit code 2: `--ledger` names no server, or its address cannot be used. Exit code 11: the ledgers
/// belong to different origins, the shared ledger has runs, or the server refuses us. Exit code 17:
/// a run holds one of the ledgers. Exit code 18: the keys differ, or a ledger cannot be used.
pub fn import(args: &ImportArgs, origins: &Origins) -> Result<ExitCode, Error> {
    let location = which_ledger(&args.which, args.key.key_file.clone(), origins)?;
    let shared = shared(&location)?;
    let moved = ledger::import(args.file.clone(), shared, args.lock.lock_wait, clock::now)?;
    let (runs, attempts) = (count(moved.runs, "run"), count(moved.attempts, "call"));
    let (file, name) = (mask_path(&args.file), location.name());
    let text = format!(
        "{runs} and {attempts} were copied to {name}\nMove {file} away: calls that it records from now on would be paid twice\n"
    );
    super::print(text.as_bytes())
}

/// Returns the place of a shared ledger.
///
/// # Errors
/// Exit code 2: the ledger is a file.
fn shared(location: &Location) -> Result<&SharedLocation, Error> {
    match location {
        Location::Shared(shared) => Ok(shared),
        Location::File(_) => Err(Error::new(
            ExitCode::Usage,
            "--ledger does not name a server",
            "Name a shared ledger: --ledger postgres://USER@HOST/DATABASE. A ledger in a file is made by `ceknik run`",
        )),
    }
}
