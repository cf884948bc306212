//! `ceknik run`: verify a file, or go on with it.
//!
//! The stages in their order: look at the input, open the ledger, survey, fold what is known, say what it comes
//! to, begin the run, verify, make the output, note the end, say the last words. Whatever happens after the run began,
//! the last words are said and the summary is written.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;

use crate::config::{Destination, RunConfig};
use crate::engine::{Delivery, Dispatcher, Options, Signals};
use crate::error::Error;
use crate::input::{Layout, Source};
use crate::ledger::{self, Ledger};
use crate::model::attempt::WallMs;
use crate::model::exit_code::ExitCode;
use crate::model::funnel::Funnel;
use crate::model::stop::StopReason;
use crate::output::Forecast;
use crate::passes::{Input, PassError, Survey, read_candidates, survey};
use crate::rules::body::BodyTrial;
use crate::rules::estimate::{Consent, History, consent, most_in_start, says_yes};
use crate::signals::Interrupts;
use crate::term::{Progress, Screen};

use super::internal;
use super::stages::{Terms, UseOfKnown, damage, find_layout, fold, forecast, open_source, opening};
use super::words;

pub(crate) mod finish;
mod open_files;
mod output;
#[cfg(test)]
mod tests;
mod vendor;
mod verify;

use finish::{Left, finish};
use output::Results;
use vendor::Connection;
use verify::{Client, verify};

/// Verifies a file. Returns the exit code.
///
/// # Errors
/// The error that ended the command: before the run began, or with the last words said.
pub fn run(config: &RunConfig, screen: &Screen) -> Result<ExitCode, Error> {
    let begun = Instant::now();
    let vendor = Connection::prepare(config)?;
    let (source, layout, destination) = open_input(config, screen)?;
    let ledger = ledger::open(&config.ledger, config.lock_wait, WallMs::now)?;
    // Until here a signal may simply end us. From here on nobody else writes our output either.
    let (interrupts, signals) = Interrupts::listen().map_err(internal)?;
    let (vendor, destination, interrupts) = (&vendor, &destination, &interrupts);
    let start = Start { config, destination, screen, vendor, interrupts, begun };
    start.on(ledger, source, layout, signals, read_candidates)
}

/// A start: all that it has in hand beside the ledger and the input.
struct Start<'a> {
    config: &'a RunConfig,
    destination: &'a Destination,
    screen: &'a Screen,
    vendor: &'a Connection,
    interrupts: &'a Interrupts,
    begun: Instant,
}

impl Start<'_> {
    /// The start on any ledger. `read` is the pass that reads the rows to be sent.
    fn on<L: Ledger>(
        &self,
        mut ledger: L,
        source: Source,
        layout: Layout,
        mut signals: Signals,
        read: impl FnOnce(&Input, [u8; 16], &Sender<Delivery>) -> Result<(), PassError> + Send + 'static,
    ) -> Result<ExitCode, Error> {
        let Self { config, destination, screen, interrupts, .. } = *self;
        destination.check_writable()?;
        let hasher = ledger.hasher();
        let mut input = Input::new(source, layout, config.reading.clone(), hasher);
        let is_stopped = || interrupts.count() > 0;
        let mut surveyed =
            survey(&input, &is_stopped).map_err(|error| interrupted(error, interrupts))?;
        stop_damaged(config, &surveyed, screen)?;

        // What is known is told before the run begins: nothing has happened where the price is not agreed to.
        let account = &self.vendor.options.credentials.id;
        let opening = opening(&input, &surveyed, &config.reuse, account, WallMs::now());
        let found = ledger.find_run(&opening)?;
        let (reuse, retry) = (&config.reuse, &config.engine.retry);
        let rules = UseOfKnown { reuse, retry, now: opening.at };
        let known = fold(&mut input, &mut surveyed, &mut ledger, &found, rules, &is_stopped)
            .map_err(|error| interrupted(error, interrupts))?;
        let funnel = Funnel::of(&surveyed)?;
        let history = if funnel.to_send > 0 { ledger.history()? } else { History::default() };
        let forecast = forecast(&surveyed, funnel, known, history, terms(config));
        screen.say(&words::before(&found, &surveyed, &forecast));
        if !forecast.braked {
            self.confirm(&forecast)?;
        }
        let options = engine_options(with_deadline(config), config.body_auto, &mut ledger)?;
        let client = Client::new(&self.vendor.options)?;
        let table = std::mem::take(&mut surveyed.table);
        let run = ledger.open_run(&opening)?;

        // From here on nothing returns before the last words.
        let dispatcher = Dispatcher::new(&options, table, known.run, run.start);
        let calling = Instant::now();
        let left = if funnel.to_send == 0 {
            Left::nothing_to_send(dispatcher, ledger)
        } else {
            let mut progress = Progress::new(screen, &funnel, config.price.clone());
            let (reader, fingerprint) = (input.clone(), surveyed.fingerprint);
            let read = move |to: &Sender<Delivery>| read(&reader, fingerprint, to);
            let left = verify(dispatcher, ledger, &run, client, read, &mut signals, &mut progress);
            progress.end();
            left
        };
        let calling = calling.elapsed();
        let (input, surveyed, run, begun) = (&input, &surveyed, &run, self.begun);
        let results = Results { config, destination, input, surveyed, run, interrupts };
        let facts = words::Facts { config, destination, surveyed, funnel, run, begun, calling };
        let ended = finish(
            left,
            run,
            config.body_auto,
            WallMs::now,
            |state, stop, at, ledger| results.make(state, stop, at, ledger),
            |ended| words::write_summary(&facts, ended),
        );
        words::last(&facts, &ended, screen);
        ended.result
    }

    /// Asks a person before a start that may cost more than they want to spend unasked.
    fn confirm(&self, forecast: &Forecast) -> Result<(), Error> {
        let Self { config, screen, interrupts, .. } = *self;
        let Some(price) = &config.price else { return Ok(()) };
        let most = most_in_start(forecast.charges.at_most, forecast.fit, config.engine.max_calls);
        let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        let given = consent(price.of(most), config.confirm_above, config.yes, terminal);
        if given == Consent::Given {
            return Ok(());
        }
        let question = format!("this start may cost up to {}. Go on? [y/N] ", price.show(most));
        match screen.ask(&question, &|| interrupts.count() > 0) {
            Some(line) if says_yes(&line) => Ok(()),
            Some(_) => Err(Error::new(
                ExitCode::Budget,
                "the price was not agreed to; nothing was sent",
                "--limit, --max-charges and --max-cost spend less; --yes goes on without asking",
            )),
            None => Err(interrupted(PassError::Interrupted, interrupts)),
        }
    }
}

/// Finds the input, its layout and where its results go, and says what was found.
fn open_input(config: &RunConfig, screen: &Screen) -> Result<(Source, Layout, Destination), Error> {
    // A stream is kept beside the output, which has room for it.
    let spool: PathBuf = config.output.folder().unwrap_or_else(std::env::temp_dir);
    let source = open_source(&config.input, &config.reading, &spool)?;
    let input = source.path().map(|path| ("input", path.to_owned()));
    let read: Vec<_> = input.into_iter().chain(config.files()).collect();
    let destination = config.output.of(source.sheet().is_some());
    destination.check_apart(&read)?;
    let layout = find_layout(&source, &config.reading)?;
    screen.say(&words::settings(config.settings.as_deref(), &config.unused, &config.ledger.origin));
    screen.say(&words::layout(&source, &layout));
    destination.check_fits(&layout)?;
    Ok((source, layout, destination))
}

/// A file that shows damage is not sent: each mismatch would be charged.
fn stop_damaged(config: &RunConfig, surveyed: &Survey, screen: &Screen) -> Result<(), Error> {
    let Some(error) = damage(surveyed) else { return Ok(()) };
    for finding in surveyed.stops() {
        screen.say(&format!("finding: {}\n  hint: {}", finding.message, finding.hint));
    }
    if config.force {
        screen.say("going on all the same: --force");
        return Ok(());
    }
    Err(error)
}

fn terms(config: &RunConfig) -> Terms {
    Terms {
        price: config.price.clone(),
        max_charges: config.engine.max_charges,
        most_mismatches: config.engine.most_mismatches,
        charge_share: None,
        rate: config.engine.throttle.rate,
        night: None,
    }
}

/// The options with the deadline as time from now, and with a seed.
fn with_deadline(config: &RunConfig) -> Options {
    let until = |instant: jiff::Timestamp| -> Duration {
        instant.duration_since(jiff::Timestamp::now()).try_into().unwrap_or_default()
    };
    let mut seed = [0; 8];
    // Without randomness the jitter is the same each time: no harm but for a crowd.
    let _ = getrandom::fill(&mut seed);
    Options {
        deadline: config.deadline.map(until),
        deadline_at: config.deadline.map(|instant| WallMs(instant.as_millisecond())),
        seed: u64::from_le_bytes(seed),
        ..config.engine.clone()
    }
}

/// The options of a start: with `body_auto` the body kind that worked last time is tried first.
///
/// # Errors
/// The ledger cannot be read.
pub(crate) fn engine_options<L: Ledger>(
    options: Options,
    body_auto: bool,
    ledger: &mut L,
) -> Result<Options, Error> {
    let body = if body_auto { BodyTrial::auto(ledger.remembered_body()?) } else { options.body };
    Ok(Options { body, ..options })
}

fn interrupted(error: PassError, interrupts: &Interrupts) -> Error {
    let is_signal = matches!(error, PassError::Interrupted);
    let signal = interrupts.last().filter(|_| is_signal);
    let error = Error::from(error);
    match signal {
        Some(signal) => Error { code: StopReason::Interrupted(signal).exit_code(), ..error },
        None => error,
    }
}
