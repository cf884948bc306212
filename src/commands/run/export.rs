//! `ceknik export`: makes the output of a run again, from its file and the ledger.
//!
//! Must hold: nothing is sent, no fact is added to the ledger, no run begins, and no other output is
//! removed. The output is made by the same stage as in `run`.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::finish::{Ended, SendingResult};
use super::{Setting, open_input};
use crate::cli::ExportArgs;
use crate::clock;
use crate::commands::stages::{ReuseRules, fold, opening};
use crate::commands::{internal, interrupted};
use crate::config::{Origins, Reuse, RunConfig};
use crate::engine::Dispatcher;
use crate::error::Error;
use crate::ledger::{self, FoundRun, Identity, Ledger, OpenRun, Preview, RunId, RunRef};
use crate::model::attempt::StartId;
use crate::model::exit_code::ExitCode;
use crate::passes::{Input, PassError, survey};
use crate::rules::body::BodyTrial;
use crate::signals::Interrupts;
use crate::term::Screen;

/// Makes the output of a run again: of the run with this number, or of the latest one of the file.
/// Returns the exit code of a run with these results.
///
/// # Errors
/// Exit codes 2 and 11: the flags cannot be used. Exit code 10: the input cannot be used, or the
/// ledger has no run of it. Exit code 17: another process writes to the ledger file. Exit code 18:
/// the ledger cannot be read, or the output cannot be written.
pub fn export(args: &ExportArgs, origins: &Origins) -> Result<ExitCode, Error> {
    let config = RunConfig::new(&args.job, origins)?;
    let screen = Screen::new(&config.screen);
    let made = make_again(&config, args.number, &screen);
    Ok(made.unwrap_or_else(|error| {
        let error = origins.explain(error);
        screen.fail(&error, false);
        error.code
    }))
}

fn make_again(config: &RunConfig, run: Option<u64>, screen: &Screen) -> Result<ExitCode, Error> {
    let begun = Instant::now();
    let job = &config.job;
    let (source, layout, destination) = open_input(config, screen)?;
    destination.check_writable()?;
    let preview = ledger::preview(&job.ledger)?;
    let asked = screen.clone();
    let (interrupts, _signals) =
        Interrupts::listen(move || asked.show_doing()).map_err(internal)?;
    let is_stopped = || interrupts.count() > 0;
    let mut input = Input::new(source, layout, job.reading.clone(), preview.hasher());
    let mut surveyed =
        survey(&input, &is_stopped).map_err(|error| interrupted(error, &interrupts))?;
    let opening = opening(&input, &surveyed, &job.reuse, job.once.as_deref(), "", clock::now());
    let found = find(&preview, &opening.identity, run)?;
    let id = found.run.begun().unwrap_or(RunId(0));
    screen.set_run(id.0);
    screen.say(&describe(&found, id));
    drop(preview);

    let mut ledger = ledger::open(&job.ledger, config.lock_wait, clock::now)?;
    ledger.begin_reading()?;
    // What the run has left in doubt or refused is shown as it was left.
    let reuse = Reuse { resend_doubts: false, retry_refused: false, ..job.reuse.clone() };
    let is_shared = ledger.lease().is_some();
    let rules = ReuseRules { reuse: &reuse, retry: &job.engine.retry, now: opening.at, is_shared };
    let known = fold(&mut input, &mut surveyed, &mut ledger, &found, rules, &is_stopped)
        .map_err(|error| interrupted(error, &interrupts))?;
    let funnel = surveyed.funnel()?;
    let table = std::mem::take(&mut surveyed.table);
    let run = OpenRun { id, start: StartId(0), found };
    let body = BodyTrial::auto(job.engine.body);
    let options = job.engine.options(body, None, None, Timestamp::now(), 0);
    let state = Dispatcher::new(&options, table, known.run, run.start).into_state();
    let left = SendingResult { state, ledger: Some(ledger), ended: Ended::Exported };
    let (destination, interrupts) = (&destination, &interrupts);
    let account = None;
    let setting = Setting { config, destination, screen, interrupts, account, begun };
    let told = setting.end(left, &input, &surveyed, funnel, &run, Duration::ZERO);
    Ok(told.exit())
}

/// Finds the run whose output is wanted.
fn find(preview: &impl Preview, identity: &Identity, run: Option<u64>) -> Result<FoundRun, Error> {
    let wanted = run.map(RunId);
    let found =
        preview.read(|facts| facts.find_begun(identity, wanted).map_err(PassError::from))?;
    found.flatten().ok_or_else(|| {
        let which = run.map_or_else(|| "no run".to_owned(), |run| format!("no run {run}"));
        Error::new(
            ExitCode::Input,
            format!("the ledger has {which} of this file, read in this way"),
            "give the flags of the run: its columns, its sheet, its encoding, --sandbox or \
             --base-url, --ledger; `ceknik status` lists the runs",
        )
    })
}

fn describe(found: &FoundRun, id: RunId) -> String {
    let id = id.0;
    match found.run {
        RunRef::Open(_) => {
            format!("export     run {id}, which is not finished: some rows may have no answer yet")
        }
        RunRef::Finished { .. } | RunRef::New { .. } => format!("export     run {id}"),
    }
}
