//! `ceknik run`: verify a file, or go on with it.
//!
//! The stages in their order: look at the input, open the ledger, survey, fold what is known, say what it comes
//! to, begin the run, verify, project, say the last words. Whatever happens after the run began, what is known is written.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::api::{self, Credentials, HttpVerifier};
use crate::config::{self, RunConfig, Vendor};
use crate::engine::{self, Dispatcher, Outcome, Verified};
use crate::error::{Error, exit};
use crate::input::{Source, inspect};
use crate::ledger::{Ending, Ledger, LedgerError, OpenRun, SqliteLedger};
use crate::model::attempt::WallMs;
use crate::model::funnel::Funnel;
use crate::model::stop::StopReason;
use crate::model::subject::mask_path;
use crate::output::{AtomicFile, Forecast, Overview, Writer};
use crate::passes::{Input, PassError, Projected, Survey, project, read_candidates, survey};
use crate::rules::body::BodyTrial;
use crate::rules::estimate::{Consent, History, consent, most_in_start, says_yes};
use crate::sandbox::{self, Running};
use crate::signals::Interrupts;
use crate::term::{Progress, Screen};

use super::stages::{Terms, damage, fold, forecast, open_source, opening};
use super::words;

/// Files that are open beside the connections: input, output, the ledger's, what the system's libraries want.
const OTHER_FILES: u64 = 40;
/// Chunks of rows that may wait for the engine.
const ROWS_WAITING: usize = 4;

/// Verifies a file. Returns the exit code.
///
/// # Errors
/// What ended the command before its last words.
pub fn run(config: &RunConfig, screen: &Screen) -> Result<u8, Error> {
    let begun = Instant::now();
    let vendor = Connection::prepare(config)?;
    let source = open_source(&config.input, &config.reading, &spool_folder(config))?;
    check_apart(config, &source)?;
    let layout = inspect(&source, &config.reading)?;
    screen.say(&words::settings(config.settings.as_deref(), &config.ledger.origin));
    screen.say(&words::layout(&source, &layout));
    config.destination.check_fits(&layout)?;

    let mut ledger = SqliteLedger::open(&config.ledger, config.lock_wait, WallMs::now)?;
    // Until here a signal may simply end us. From here on nobody else writes our output either.
    let (interrupts, mut signals) = Interrupts::listen().map_err(internal)?;
    config.destination.check_writable()?;
    let hasher = ledger.hasher();
    let input = Input { source, layout, options: config.reading.clone(), hasher };
    let mut surveyed = survey(&input, &|| interrupts.count() > 0)
        .map_err(|error| interrupted(error, &interrupts))?;
    stop_damaged(config, &surveyed, screen)?;

    // What is known is told before the run begins: nothing has happened where the price is not agreed to.
    let opening = opening(&input, &surveyed, &config.reuse, &vendor.options.credentials.id);
    let run = ledger.find_run(&opening)?;
    let known = fold(&mut surveyed, &mut ledger, &run, &config.reuse, &config.engine.retry)?;
    let funnel = Funnel::of(&surveyed)?;
    let history = if funnel.to_send > 0 { ledger.history()? } else { History::default() };
    let forecast = forecast(&surveyed, funnel, known, history, terms(config));
    screen.say(&words::before(&run, &surveyed, &forecast));
    if !forecast.braked {
        confirm(config, &forecast, screen, &interrupts)?;
    }
    let run = ledger.open_run(&opening)?;

    let fingerprint = surveyed.fingerprint;
    let mut options = engine_options(config, &mut ledger)?;
    options.deadline = config.deadline.map(until);
    options.deadline_at = config.deadline.map(|instant| WallMs(instant.as_millisecond()));
    let table = std::mem::take(&mut surveyed.table);
    let dispatcher = Dispatcher::new(&options, table, known.run, run.next_attempt);
    let started = Instant::now();
    let verified = if funnel.to_send == 0 {
        nothing_to_send(dispatcher, ledger)
    } else {
        let mut progress = Progress::new(screen, &funnel, config.price.clone());
        let stage = Verify { config, input: &input, fingerprint, run: &run, vendor: &vendor };
        let verified = stage.go(dispatcher, ledger, &mut signals, &mut progress);
        progress.end();
        verified?
    };
    let finish = Finish {
        config,
        screen,
        input: &input,
        surveyed: &surveyed,
        funnel,
        run: &run,
        interrupts: &interrupts,
        begun,
        calling: started.elapsed(),
    };
    finish.go(verified)
}

/// The vendor, with what is needed to reach it. Secrets are looked for before anything is read.
struct Connection {
    options: Box<api::Options>,
    /// The stand-in, which ends with this value.
    _sandbox: Option<Running>,
}

impl Connection {
    fn prepare(config: &RunConfig) -> Result<Self, Error> {
        let concurrency = config.engine.concurrency;
        let (base, credentials, timeouts, ca_cert, proxies, sandbox) = match &config.vendor {
            Vendor::Live { base, timeouts, ca_cert } => {
                let credentials = config::credentials()?;
                (base.clone(), credentials, *timeouts, ca_cert.clone(), true, None)
            }
            Vendor::Sandbox(timeouts) => {
                let running = sandbox::spawn(sandbox::Options::default())?;
                let base = api::origin::BaseUrl::parse(&format!("http://{}", running.address()))?;
                let word = || "sandbox".to_owned();
                let credentials = Credentials { id: word(), secret: word() };
                (base, credentials, *timeouts, None, false, Some(running))
            }
        };
        room_for(concurrency, sandbox.is_some())?;
        let options = Box::new(api::Options {
            base,
            credentials,
            timeout: timeouts.call,
            connect_timeout: timeouts.connect,
            ca_cert,
            proxies,
        });
        // Made once here so that an option that cannot be used is told before the file is read.
        HttpVerifier::new(&options)?;
        Ok(Self { options, _sandbox: sandbox })
    }
}

/// Raises the limit of open files to what the calls in flight need, as far as this user may. A connection that finds no
/// room would look like a vendor that cannot be reached.
fn room_for(concurrency: usize, with_sandbox: bool) -> Result<(), Error> {
    let connections = concurrency as u64 * if with_sandbox { 2 } else { 1 };
    let wanted = connections + OTHER_FILES;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(limit) if limit < wanted => Err(Error::config(
            format!(
                "--concurrency {concurrency} needs {wanted} open files, and {limit} are allowed"
            ),
            "lower --concurrency, or raise the limit (ulimit -n)",
        )),
        // Where it can't be told, it is tried.
        _ => Ok(()),
    }
}

/// Where a stream is kept: beside the output, which has room for it.
fn spool_folder(config: &RunConfig) -> PathBuf {
    config.destination.folder().unwrap_or_else(std::env::temp_dir)
}

fn check_apart(config: &RunConfig, source: &Source) -> Result<(), Error> {
    let input = source.path().map(|path| ("input", path.to_owned()));
    let read: Vec<_> = input.into_iter().chain(config.files()).collect();
    config.destination.check_apart(&read)
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

/// Asks a person before a start that may cost more than they want to spend unasked.
fn confirm(
    config: &RunConfig,
    forecast: &Forecast,
    screen: &Screen,
    interrupts: &Interrupts,
) -> Result<(), Error> {
    let Some(price) = &config.price else { return Ok(()) };
    let most = most_in_start(forecast.charges.at_most, forecast.fit, config.engine.max_calls);
    let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    if consent(price.of(most), config.confirm_above, config.yes, terminal) == Consent::Given {
        return Ok(());
    }
    let question = format!("this start may cost up to {}. Go on? [y/N] ", price.show(most));
    match screen.ask(&question, &|| interrupts.count() > 0) {
        Some(line) if says_yes(&line) => Ok(()),
        Some(_) => Err(Error::new(
            exit::BUDGET,
            "the price was not agreed to; nothing was sent",
            "--limit, --max-charges and --max-cost spend less; --yes goes on without asking",
        )),
        None => Err(interrupted(PassError::Interrupted, interrupts)),
    }
}

fn engine_options(config: &RunConfig, ledger: &mut SqliteLedger) -> Result<engine::Options, Error> {
    let mut options = config.engine.clone();
    if config.body_auto {
        options.body = BodyTrial::auto(ledger.remembered_body()?);
    }
    let mut seed = [0; 8];
    // Without randomness the jitter is the same each time: no harm but for a crowd.
    let _ = getrandom::fill(&mut seed);
    options.seed = u64::from_le_bytes(seed);
    Ok(options)
}

/// The time from now until an instant; none when it is past.
fn until(instant: jiff::Timestamp) -> std::time::Duration {
    instant.duration_since(jiff::Timestamp::now()).try_into().unwrap_or_default()
}

fn nothing_to_send(dispatcher: Dispatcher, ledger: SqliteLedger) -> Verified<SqliteLedger> {
    Verified { outcome: dispatcher.into_outcome(), ledger: Ok(ledger), failure: None }
}

/// The stage that sends.
struct Verify<'a> {
    config: &'a RunConfig,
    input: &'a Input,
    fingerprint: [u8; 16],
    run: &'a OpenRun,
    vendor: &'a Connection,
}

impl Verify<'_> {
    fn go(
        &self,
        dispatcher: Dispatcher,
        ledger: SqliteLedger,
        signals: &mut engine::Signals,
        progress: &mut Progress,
    ) -> Result<Verified<SqliteLedger>, Error> {
        tracing::debug!(concurrency = self.config.engine.concurrency, "verifying");
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(internal)?;
        let (give, mut rows) = tokio::sync::mpsc::channel(ROWS_WAITING);
        let (input, fingerprint) = (self.input.clone(), self.fingerprint);
        let reader = std::thread::Builder::new()
            .name("reader".to_owned())
            .spawn(move || read_candidates(&input, fingerprint, &give))
            .map_err(internal)?;
        let journal = ledger.into_journal(self.run)?;
        let verified = runtime.block_on(async {
            // The client belongs to the runtime that drives its connections.
            let verifier = HttpVerifier::new(&self.vendor.options)?;
            let glimpse = |seen: &engine::Snapshot| progress.show(seen);
            Ok::<_, Error>(
                engine::verify(dispatcher, &verifier, journal, &mut rows, signals, glimpse).await,
            )
        });
        drop(rows);
        match reader.join() {
            Ok(()) => verified,
            // Rows are missing, and the run must not pass for finished.
            Err(_) => Err(Error::new(
                exit::INTERNAL,
                "the input was not read to its end: this is a defect of ceknik",
                "all answers are safe in the ledger; the same command goes on from there",
            )),
        }
    }
}

/// The stages after the last call.
struct Finish<'a> {
    config: &'a RunConfig,
    screen: &'a Screen,
    input: &'a Input,
    surveyed: &'a Survey,
    funnel: Funnel,
    run: &'a OpenRun,
    interrupts: &'a Interrupts,
    begun: Instant,
    calling: std::time::Duration,
}

impl Finish<'_> {
    fn go(&self, verified: Verified<SqliteLedger>) -> Result<u8, Error> {
        let Verified { outcome, ledger, failure } = verified;
        let mut ledger = ledger?;
        if let BodyTrial::Proved(kind) = outcome.body
            && self.config.body_auto
            && failure.is_none()
            && let Err(error) = ledger.remember_body(kind)
        {
            // The next run finds out once more.
            tracing::warn!(%error, "the body kind that works could not be remembered");
        }
        if outcome.stop == Some(StopReason::InputChanged) {
            self.last_words(&outcome, None, exit::INPUT, None);
            self.note_end(&mut ledger, &outcome, exit::INPUT)?;
            return Err(PassError::Changed.into());
        }
        let projected = self.project(&outcome, &mut ledger);
        let (projected, file) = match (projected, &failure) {
            (Ok(done), _) => done,
            // The storage is what failed: the partial output was an attempt.
            (Err(_), Some(_)) => return Err(self.storage_failed(&outcome, failure)),
            (Err(error), None) => {
                self.last_words(&outcome, None, error.code, None);
                self.note_end(&mut ledger, &outcome, error.code)?;
                return Err(error);
            }
        };
        let code = exit_code(&outcome, &failure, &projected);
        let placed = self.place(file, &outcome, &projected);
        let code = placed.as_ref().err().map_or(code, |error| error.code);
        let noted = match failure {
            Some(_) => Ok(()),
            None => self.note_end(&mut ledger, &outcome, code).map_err(Error::from),
        };
        let code = noted.as_ref().err().map_or(code, |error| error.code);
        // What is owed is said in any case.
        let output = placed.as_ref().ok().and_then(Option::as_deref);
        self.last_words(&outcome, Some(&projected), code, output);
        match failure {
            Some(_) => Err(self.storage_failed(&outcome, failure)),
            None => placed.and(noted).map(|()| code),
        }
    }

    /// Writes the output beside its place, or to standard output.
    fn project(
        &self,
        outcome: &Outcome,
        ledger: &mut SqliteLedger,
    ) -> Result<(Projected, Option<AtomicFile>), Error> {
        match self.config.destination.finished(false) {
            Some(path) => {
                let file = AtomicFile::beside(path).map_err(PassError::from)?;
                let (projected, file) = self.project_to(file, outcome, ledger)?;
                Ok((projected, Some(file)))
            }
            None => {
                let (projected, _) = self.project_to(io::stdout(), outcome, ledger)?;
                Ok((projected, None))
            }
        }
    }

    fn project_to<W: Write + Send>(
        &self,
        to: W,
        outcome: &Outcome,
        ledger: &mut SqliteLedger,
    ) -> Result<(Projected, W), Error> {
        let destination = &self.config.destination;
        let folder = destination.folder().unwrap_or_default();
        let mut writer = Writer::new(to, destination.format(), &self.input.layout, &folder)
            .map_err(PassError::from)?;
        let projected = project(
            self.input,
            self.surveyed.fingerprint,
            &outcome.table,
            &outcome.tally,
            ledger,
            &mut writer,
            &|| self.interrupts.count() > 1,
        )
        .map_err(|error| interrupted(error, self.interrupts))?;
        let overview = self.overview(outcome, &projected);
        Ok((projected, writer.finish(&overview).map_err(PassError::from)?))
    }

    fn overview(&self, outcome: &Outcome, projected: &Projected) -> Overview<'_> {
        Overview {
            run: self.run.id.0,
            begun: self.run.created_at,
            ended: outcome.stop.map_or("finished", StopReason::name),
            origin: &self.config.ledger.origin,
            outcomes: projected.outcomes,
            rejected: self.surveyed.counts.rejections.iter().collect(),
            tally: outcome.tally,
            price: self.config.price.as_ref(),
        }
    }

    /// Puts the output in its place: a finished one replaces the older and takes the partial one
    /// away, a partial one leaves the older alone.
    fn place(
        &self,
        file: Option<AtomicFile>,
        outcome: &Outcome,
        projected: &Projected,
    ) -> Result<Option<String>, Error> {
        let Some(file) = file else { return Ok(None) };
        let destination = &self.config.destination;
        let partial = destination.partial(projected.from_sandbox);
        let finished = destination.finished(projected.from_sandbox).map(Path::to_owned);
        let path = if outcome.stop.is_some() { partial.clone() } else { finished };
        let Some(path) = path else { return Ok(None) };
        file.put(&path).map_err(PassError::from)?;
        // Where no earlier start can have written one, a file of that name is not ours.
        let ours = self.run.earlier_starts > 0 || self.run.superseded.is_some();
        if let Some(partial) = partial.filter(|partial| ours && *partial != path) {
            // There is none where the earlier start was killed.
            let _ = std::fs::remove_file(partial);
        }
        // Named after the input, which may be named by a NIK.
        Ok(Some(mask_path(&path)))
    }

    fn note_end(
        &self,
        ledger: &mut SqliteLedger,
        outcome: &Outcome,
        code: u8,
    ) -> Result<(), LedgerError> {
        let stop = outcome.stop.map(StopReason::name);
        let ending = Ending { at: WallMs::now(), stop, exit: code };
        match code {
            exit::COMPLETE | exit::SOME_WITHOUT_VERDICT => ledger.end_run(self.run, &ending),
            _ => ledger.end_start(self.run, &ending),
        }
    }

    fn storage_failed(&self, outcome: &Outcome, failure: Option<LedgerError>) -> Error {
        let error = Error::from(failure.unwrap_or(LedgerError::WriterGone));
        let doubts = outcome.tally.possible.in_doubt;
        let message = format!("{}; {doubts} calls of this run are in doubt", error.message);
        Error { message, ..error }
    }

    fn last_words(
        &self,
        outcome: &Outcome,
        projected: Option<&Projected>,
        code: u8,
        output: Option<&str>,
    ) {
        let facts = words::Facts {
            config: self.config,
            surveyed: self.surveyed,
            funnel: self.funnel,
            run: self.run,
            outcome,
            projected,
            exit: code,
            output,
            took: self.begun.elapsed(),
            calling: self.calling,
        };
        words::last(&facts, self.screen);
    }
}

fn exit_code(outcome: &Outcome, failure: &Option<LedgerError>, projected: &Projected) -> u8 {
    match (failure, outcome.stop) {
        (Some(error), _) => error.exit_code(),
        (None, Some(stop)) => stop.exit_code(),
        (None, None) if projected.outcomes.all_have_verdicts() => exit::COMPLETE,
        (None, None) => exit::SOME_WITHOUT_VERDICT,
    }
}

fn interrupted(error: PassError, interrupts: &Interrupts) -> Error {
    let is_signal = matches!(error, PassError::Interrupted);
    let error = Error::from(error);
    if is_signal { Error { code: interrupts.exit_code(), ..error } } else { error }
}

fn internal(error: io::Error) -> Error {
    Error { code: exit::INTERNAL, message: error.to_string(), hint: None }
}
