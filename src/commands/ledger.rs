//! `ceknik ledger init`: creates a shared ledger.

use crate::cli::InitArgs;
use crate::config::{Origins, which_ledger};
use crate::error::Error;
use crate::ledger::{self, Created, Location};
use crate::model::exit_code::ExitCode;

/// Creates the ledger that the flags choose, or prints the statements that create it. Returns the
/// exit code.
///
/// # Errors
/// Exit code 2: the ledger is a file, which `run` makes by itself, or its address cannot be used.
/// Exit code 11: the server refuses us, or another ledger is there. Exit code 18: the server or the
/// key file cannot be used.
pub fn init(args: &InitArgs, origins: &Origins) -> Result<ExitCode, Error> {
    let location = which_ledger(&args.which, args.key.key_file.clone(), origins)?;
    let Location::Shared(shared) = &location else {
        return Err(Error::new(
            ExitCode::Usage,
            "--ledger names no server",
            "a ledger in a file is made by `ceknik run`; a shared one is postgres://USER@HOST/DATABASE",
        ));
    };
    if args.print {
        return super::print(ledger::create_script(shared)?.as_bytes());
    }
    let words = match ledger::create(shared)? {
        Created::New => "made",
        Created::WasThere => "is there already, and stays as it is:",
    };
    let (name, key) = (location.name(), crate::model::mask::mask_path(&shared.key));
    let text = format!(
        "{words} the ledger {name}\nits key is {key}: copy it to each machine that uses the ledger, and keep a backup\n"
    );
    super::print(text.as_bytes())
}
