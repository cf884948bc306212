//! `ceknik run`: verify a file, or go on with it.
//!
//! The stages in their order: look at the input, open the ledger, survey, begin the run, verify,
//! project, say the last words. Whatever happens after the run began, what is known is written.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::api::{self, Credentials, HttpVerifier};
use crate::config::{self, InputFrom, RunConfig, Vendor};
use crate::engine::{self, Dispatcher, Outcome, Verified};
use crate::error::{Error, exit};
use crate::input::form::Form;
use crate::input::{Source, inspect};
use crate::ledger::{Ending, Identity, Ledger, LedgerError, OpenRun, Opening, SqliteLedger};
use crate::model::attempt::WallMs;
use crate::model::funnel::Funnel;
use crate::model::stop::StopReason;
use crate::model::subject::mask_digits;
use crate::output::{AtomicFile, Overview, Writer};
use crate::passes::{
    Input, PassError, Projected, Survey, fold_known, project, read_candidates, survey,
};
use crate::rules::body::BodyTrial;
use crate::rules::pair::{PairHasher, truncate};
use crate::rules::reuse::ReusePolicy;
use crate::rules::tally::SoFar;
use crate::sandbox::{self, Running};
use crate::signals::Interrupts;
use crate::term::{Progress, Screen};

use super::words;

/// Chunks of rows that may wait for the engine.
const ROWS_WAITING: usize = 4;

/// Verifies a file. Returns the exit code.
///
/// # Errors
/// What ended the command before its last words.
pub fn run(config: &RunConfig, screen: &Screen) -> Result<u8, Error> {
    let begun = Instant::now();
    let vendor = Connection::prepare(config)?;
    let source = open_source(config)?;
    check_apart(config, &source)?;
    let layout = inspect(&source, &config.reading)?;
    screen.say(&words::layout(&source, &layout));
    config.destination.check_fits(&layout)?;

    let mut ledger = SqliteLedger::open(&config.ledger, config.lock_wait)?;
    // Until here a signal may simply end us. From here on nobody else writes our output either.
    let (interrupts, mut signals) = Interrupts::listen().map_err(internal)?;
    config.destination.check_writable()?;
    let hasher = ledger.hasher();
    let input = Input { source, layout, options: config.reading.clone(), hasher };
    let mut surveyed = survey(&input, &|| interrupts.count() > 0)
        .map_err(|error| interrupted(error, &interrupts))?;
    stop_damaged(config, &surveyed, screen)?;

    let run = ledger.open_run(&opening(config, &input, &surveyed, &vendor))?;
    let so_far = fold(config, &mut surveyed, &mut ledger, &run)?;
    let funnel = Funnel::of(&surveyed);
    screen.say(&words::before(config, &run, &surveyed, &funnel, &so_far.tally));

    let fingerprint = surveyed.fingerprint;
    let mut options = engine_options(config, &mut ledger)?;
    options.deadline = config.deadline.map(until);
    let table = std::mem::take(&mut surveyed.table);
    let dispatcher = Dispatcher::new(&options, table, so_far, run.next_attempt);
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
        let options = Box::new(api::Options {
            base,
            credentials,
            timeout: timeouts.call,
            connect_timeout: timeouts.connect,
            concurrency,
            ca_cert,
            proxies,
        });
        // Made once here so that an option that cannot be used is told before the file is read.
        HttpVerifier::new(&options)?;
        Ok(Self { options, _sandbox: sandbox })
    }
}

fn open_source(config: &RunConfig) -> Result<Source, Error> {
    let folder = config.destination.folder().unwrap_or_else(std::env::temp_dir);
    let source = match &config.input {
        InputFrom::File(path) => Source::file(path)?,
        InputFrom::Stdin => Source::stdin(&folder)?,
    };
    Ok(source.unfolded(config.reading.sheet_options(), &folder)?)
}

fn check_apart(config: &RunConfig, source: &Source) -> Result<(), Error> {
    let ours =
        [("ledger", config.ledger.ledger.as_path()), ("ledger's key", config.ledger.key.as_path())];
    let input = source.path().map(|path| ("input", path));
    let read: Vec<_> = input.into_iter().chain(ours).collect();
    config.destination.check_apart(&read)
}

/// A file that shows damage is not sent: each mismatch would be charged.
fn stop_damaged(config: &RunConfig, surveyed: &Survey, screen: &Screen) -> Result<(), Error> {
    let Some(first) = surveyed.stops().next() else { return Ok(()) };
    for finding in surveyed.stops() {
        screen.say(&format!("finding: {}\n  hint: {}", finding.message, finding.hint));
    }
    if config.force {
        screen.say("going on all the same: --force");
        return Ok(());
    }
    Err(Error::new(
        exit::INPUT,
        format!("the file looks damaged ({}); nothing was sent", first.code),
        format!("{}; or go on all the same with --force", first.hint),
    ))
}

fn opening(config: &RunConfig, input: &Input, surveyed: &Survey, vendor: &Connection) -> Opening {
    let path = input.source.path().map(|path| path.canonicalize().unwrap_or_else(|_| path.into()));
    let path = path.unwrap_or_else(|| PathBuf::from("-"));
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let keyed = |what: &[u8], text: &[u8]| keyed(&input.hasher, what, text);
    Opening {
        identity: Identity { fingerprint: surveyed.fingerprint, columns: reading(input) },
        path: keyed(b"path", path.as_os_str().as_encoded_bytes()),
        label: mask_digits(&name).into_owned(),
        account: keyed(b"account", vendor.options.credentials.id.as_bytes()),
        rows: surveyed.counts.rows,
        at: WallMs::now(),
        reuse: config.reuse.answers,
        reask_after: config.reuse.reask_after,
    }
}

/// All that decides which pairs a file's bytes hold: the chosen columns, and how they are read.
fn reading(input: &Input) -> String {
    let Input { layout, options, .. } = input;
    let form = match &layout.form {
        Form::Sheet(name) => format!("sheet={name}"),
        Form::Text { encoding, .. } => format!("encoding={encoding}"),
    };
    format!(
        "id={} name={} delimiter={} header={} {form} truncated={} odd_dates={}",
        layout.id.index,
        layout.name.index,
        layout.delimiter,
        layout.header.is_some(),
        options.nik.send_truncated,
        options.nik.send_odd_dates
    )
}

/// A keyed hash: nobody can find out what it was made of by trying.
fn keyed(hasher: &PairHasher, what: &[u8], text: &[u8]) -> [u8; 16] {
    truncate(&hasher.stream().update(what).update(b"\0").update(text).finalize())
}

fn fold(
    config: &RunConfig,
    surveyed: &mut Survey,
    ledger: &mut SqliteLedger,
    run: &OpenRun,
) -> Result<SoFar, Error> {
    let reuse = ReusePolicy {
        answers_since: run.answers_since,
        reask_since: run.reask_since,
        retry_refused: config.reuse.retry_refused,
        resend_doubts: config.reuse.resend_doubts,
    };
    Ok(fold_known(&mut surveyed.table, ledger, run, &reuse, &config.engine.retry)?)
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
        if reader.join().is_err() {
            tracing::error!("the reader ended early");
        }
        verified
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
        {
            ledger.remember_body(kind)?;
        }
        if outcome.stop == Some(StopReason::InputChanged) {
            self.note_end(&mut ledger, &outcome, exit::INPUT)?;
            self.last_words(&outcome, None, exit::INPUT, None);
            return Err(PassError::Changed.into());
        }
        let projected = self.project(&outcome, &mut ledger);
        let (projected, file) = match (projected, &failure) {
            (Ok(done), _) => done,
            // The storage is what failed: the partial output was an attempt.
            (Err(_), Some(_)) => return Err(self.storage_failed(&outcome, failure)),
            (Err(error), None) => {
                self.note_end(&mut ledger, &outcome, error.code)?;
                self.last_words(&outcome, None, error.code, None);
                return Err(error);
            }
        };
        let code = exit_code(&outcome, &failure, &projected);
        let output = self.place(file, &outcome, &projected)?;
        match failure {
            Some(_) => {
                self.last_words(&outcome, Some(&projected), code, output.as_deref());
                return Err(self.storage_failed(&outcome, failure));
            }
            None => self.note_end(&mut ledger, &outcome, code)?,
        }
        self.last_words(&outcome, Some(&projected), code, output.as_deref());
        Ok(code)
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
        if let Some(partial) = partial.filter(|partial| *partial != path) {
            // There is none after an undisturbed run.
            let _ = std::fs::remove_file(partial);
        }
        Ok(Some(path.display().to_string()))
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
