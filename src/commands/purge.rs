//! `ceknik purge`: removes stored answers by age.

use super::status::utc_offset_ms;
use crate::cli::PurgeArgs;
use crate::clock;
use crate::config::{Origins, which_ledger};
use crate::error::Error;
use crate::ledger::{self, Ledger, LedgerError, Location};
use crate::model::exit_code::ExitCode;
use crate::output::count;
use crate::term::Screen;

/// Removes answers that are older than the user asked for. Returns the exit code.
///
/// # Errors
/// Exit code 2: `--base-url` was typed together with `--sandbox`. Exit code 11: there is no ledger,
/// it belongs to another origin, or its location cannot be found out. Exit code 17: a run holds the
/// ledger. Exit code 18: the ledger cannot be read or written, or standard output cannot be
/// written.
pub fn purge(args: &PurgeArgs, origins: &Origins) -> Result<ExitCode, Error> {
    let screen = Screen::default();
    let location = which_ledger(&args.which, args.key.key_file.clone(), origins)?;
    if let Location::File(file) = &location
        && !file.ledger.exists()
    {
        return Err(LedgerError::Missing(location.name()).into());
    }
    let mut ledger = ledger::open(&location, args.lock.lock_wait, clock::now)?;
    let purged = ledger.purge(clock::now().before(args.older_than), utc_offset_ms())?;
    let kept = match purged.kept {
        0 => String::new(),
        kept => format!("; {kept} of that age kept: in doubt, or of an open run"),
    };
    if !purged.wiped {
        let path = location.name();
        screen.say(&format!(
            "warning: another program reads the ledger: what was removed still stands in {path} and its -wal\n  \
             hint: let it end (a status, a plan, a backup), and purge again"
        ));
    }
    if location.name().is_shared() {
        screen.say(
            "note: backups, standbys and archived WAL of the server keep what was removed here, until they expire",
        );
    }
    super::print(format!("{} removed{kept}\n", count(purged.attempts, "answer")).as_bytes())
}
