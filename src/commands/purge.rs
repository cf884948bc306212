//! `ceknik purge`: removes stored answers by age.
//!
//! Must hold: on a terminal nothing is removed before a person has agreed to it. Removed answers may
//! have been paid for, and a later run may buy them again.

use super::{internal, interrupted};
use crate::cli::PurgeArgs;
use crate::clock;
use crate::config::{Origins, which_ledger, zone};
use crate::error::Error;
use crate::ledger::{self, Ledger, LedgerError, Location, Preview, Purgeable, Purged, ShowLedger};
use crate::model::exit_code::ExitCode;
use crate::model::money::number;
use crate::output::count;
use crate::passes::PassError;
use crate::rules::estimate::says_yes;
use crate::signals::Interrupts;
use crate::term::Screen;

/// Removes answers that are older than the user asked for. Returns the exit code.
///
/// # Errors
/// Exit code 2: `--base-url` was typed together with `--sandbox`. Exit code 11: there is no ledger,
/// it belongs to another origin, or its location cannot be found out. Exit code 13: the user did not
/// agree. Exit code 17: a run holds the ledger. Exit code 18: the ledger cannot be read or written,
/// or standard output cannot be written.
pub fn purge(args: &PurgeArgs, origins: &Origins) -> Result<ExitCode, Error> {
    let screen = Screen::default();
    let (zone, now) = (zone(&args.zone)?, clock::now());
    let location = which_ledger(&args.which, args.key.key_file.clone(), origins)?;
    let before = now.before(args.older_than);
    let found = ledger::preview(&location)?
        .read(|facts| facts.purgeable(before))?
        .ok_or_else(|| LedgerError::Missing(location.name()))?;
    if args.dry_run {
        return super::print(dry_run_words(found).as_bytes());
    }
    if found.attempts > 0 && !args.yes && Screen::can_ask() {
        confirm(found, &screen)?;
    }
    // The totals of removed answers are kept by the vendor's days, as an invoice has them.
    let vendor_clock = ledger::open_to_show(&location)?.vendor_clock()?;
    let offset_ms = vendor_clock.offset_ms().unwrap_or_else(|| zone.offset_ms(now));
    let mut ledger = ledger::open(&location, args.lock.lock_wait, clock::now)?;
    let purged = ledger.purge(before, offset_ms)?;
    say_what_stays(&purged, &location, &screen);
    super::print(purged_words(&purged).as_bytes())
}

/// Asks the user whether the answers may be removed.
///
/// # Errors
/// Exit code 13: the answer was not yes. A signal ends the question with the exit code of the signal.
fn confirm(found: Purgeable, screen: &Screen) -> Result<(), Error> {
    let (interrupts, _signals) = Interrupts::listen(|| {}).map_err(internal)?;
    let question = format!(
        "Remove {}? {} of them {} charged, and a later run may pay for them again. [y/N] ",
        count(found.attempts, "stored answer"),
        number(found.charged),
        were(found.charged)
    );
    let answer = screen.ask(&question, &|| interrupts.count() > 0);
    // From here on a signal ends the process at once, as it does without a question: a removal is
    // done as a whole or not at all.
    interrupts.end_at_once();
    match answer {
        Some(line) if says_yes(&line) => Ok(()),
        Some(_) => Err(Error::new(
            ExitCode::Budget,
            "you did not answer yes, so nothing was removed",
            "To count only, add --dry-run. To remove without a question, add --yes",
        )),
        None => Err(interrupted(PassError::Interrupted, &interrupts)),
    }
}

/// Says where removed answers can still be found.
fn say_what_stays(purged: &Purged, location: &Location, screen: &Screen) {
    if !purged.wiped {
        let path = location.name();
        screen.say(&format!(
            "warning: another program is reading the ledger, so {path} and its -wal still contain what was removed\n  \
             hint: wait until that program ends (a status, a plan, a backup), and purge again"
        ));
    }
    if location.name().is_shared() {
        screen.say(
            "note: the server's files keep their size, and the server uses the room again. Backups, standbys and archived \
             WAL still contain what was removed here, until they expire",
        );
    } else if purged.attempts > 0 && purged.wiped && purged.shrunk.is_none() {
        screen.say("note: the ledger's file keeps its size, and ceknik uses the room again");
    }
}

fn dry_run_words(found: Purgeable) -> String {
    let Purgeable { attempts, charged, kept } = found;
    if attempts == 0 {
        return format!("nothing to remove{}\n", kept_words(kept));
    }
    format!(
        "would remove {}, of which {} {} charged{}\nnothing was removed (--dry-run)\n",
        count(attempts, "answer"),
        number(charged),
        were(charged),
        kept_words(kept)
    )
}

const fn were(answers: u64) -> &'static str {
    if answers == 1 { "was" } else { "were" }
}

fn purged_words(purged: &Purged) -> String {
    let kilobytes = |bytes: u64| format!("{} KB", number(bytes.div_ceil(1024)));
    let shrunk = purged.shrunk.filter(|(before, after)| after < before).map(|(before, after)| {
        format!("; the ledger's file has {} (before: {})", kilobytes(after), kilobytes(before))
    });
    format!(
        "{} removed{}{}\n",
        count(purged.attempts, "answer"),
        kept_words(purged.kept),
        shrunk.unwrap_or_default()
    )
}

fn kept_words(kept: u64) -> String {
    match kept {
        0 => String::new(),
        1 => "; 1 of that age is kept: it is in doubt, or of an open run".to_owned(),
        kept => {
            format!("; {} of that age are kept: they are in doubt, or of an open run", number(kept))
        }
    }
}
