//! `run --join`: waits for a run that another worker begins.
//!
//! Never: begins a run.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::commands::interrupted;
use crate::error::Error;
use crate::ledger::{FoundRun, Ledger, LedgerError, LedgerName, RunRef, StartRequest, StartRole};
use crate::model::attempt::WallMs;
use crate::passes::PassError;
use crate::signals::Interrupts;
use crate::term::Screen;

/// A run that finished within this time is the one that was to be helped.
const FINISHED_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);
/// Interval between two looks for the run.
const POLL: Duration = Duration::from_millis(200);

/// Returns the opening of a start that only helps.
pub(super) fn to_join(opening: StartRequest) -> StartRequest {
    let finished_since = match opening.role {
        // A run with a name has finished, however long ago that was.
        StartRole::BeginsOnce => WallMs(0),
        StartRole::Begins | StartRole::Joins { .. } => opening.at.before(FINISHED_WITHIN),
    };
    StartRequest { role: StartRole::Joins { finished_since }, ..opening }
}

/// Waits until somebody has begun the run, for at most `longest`. `ledger_name` is the name of the
/// ledger.
///
/// # Errors
/// [`LedgerError::NothingToJoin`] if nobody has; the exit code of a signal if one comes.
pub(super) fn wait_for_run<L: Ledger>(
    ledger: &mut L,
    opening: &StartRequest,
    longest: Duration,
    ledger_name: LedgerName,
    screen: &Screen,
    interrupts: &Interrupts,
) -> Result<FoundRun, Error> {
    let begun = Instant::now();
    let mut has_said = false;
    loop {
        let found = ledger.find_run(opening)?;
        match found.run {
            RunRef::Open(run) => {
                let words = "this worker only helps, and writes no output";
                screen.note(&format!("joined run {}: {words}", run.0));
                return Ok(found);
            }
            RunRef::Finished { .. } => return Ok(found),
            RunRef::New { .. } => {}
        }
        if begun.elapsed() >= longest {
            return Err(LedgerError::NothingToJoin(ledger_name).into());
        }
        if interrupts.count() > 0 {
            return Err(interrupted(PassError::Interrupted, interrupts));
        }
        if !std::mem::replace(&mut has_said, true) {
            screen.note("waiting for another worker to begin the run");
        }
        sleep(POLL);
    }
}
