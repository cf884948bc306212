//! `ceknik run`: verifies a file, or continues an open run.
//!
//! The stages, in this order: open the input, open the ledger, survey, fold the known facts, show
//! the forecast, begin the run, verify, make the output, note the end, show the last words.
//!
//! Must hold: whatever happens after the run began, the summary is written and the last words are
//! shown.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::command_line::command_on_ledger;
use super::last_words::say_last_words;
use super::report::PageOfRun;
use super::stages::{ReuseRules, account_key, damage, find_layout, open_source_hashed, opening};
use super::{internal, interrupted, preamble};
use crate::clock;
use crate::config::{Destination, JobConfig, Reuse, RunConfig};
use crate::engine::{Dispatcher, EngineOptions, Signals};
use crate::error::Error;
use crate::input::{Layout, Source};
use crate::ledger::{
    self, FoundRun, Ledger, LedgerError, OpenRun, RunId, RunQuery, RunRef, StartRecord,
    StartRequest,
};
use crate::model::attempt::{StartId, WallMs};
use crate::model::exit_code::ExitCode;
use crate::model::funnel::Funnel;
use crate::model::mask::mask_path;
use crate::model::settings::Settings;
use crate::output::{Event, Finished, Utc};
use crate::passes::{FactsOf, Input, PassError, Survey, read_candidates, survey};
use crate::rules::body::{BodyKind, BodyTrial};
use crate::signals::Interrupts;
use crate::term::{Doing, Screen};

mod before_calls;
pub mod export;
pub(crate) mod finish;
mod join;
mod notes;
mod open_files;
mod output;
mod report;
mod rounds;
mod stage;
#[cfg(test)]
mod tests;
mod vendor;
mod verify;

use finish::{SendingResult, finish, remember};
use output::Results;
use report::{StartFacts, write_summary};
use rounds::StartParts;
use stage::SendingStage;
use vendor::Connection;
use verify::{Client, ReadRows};

/// A start that has ended, and whose last words are shown: its exit code, or the error that ended
/// it.
struct Told(Result<ExitCode, Error>);

impl Told {
    fn exit(&self) -> ExitCode {
        self.0.as_ref().map_or_else(|error| error.code, |code| *code)
    }
}

/// Verifies a file. Returns the exit code.
///
/// # Errors
/// The error that ended the command before the run began. Nothing was sent.
pub fn run(config: &RunConfig, screen: &Screen) -> Result<ExitCode, Error> {
    let begun = Instant::now();
    let vendor = Connection::prepare(config)?;
    let (source, layout, destination) = open_input(config, screen)?;
    let ledger = ledger::open(&config.job.ledger, config.lock_wait, clock::now)?;
    // Until here a signal ends the process at once. From here on the ledger is locked, so no other
    // run on this ledger writes the output.
    let asked = screen.clone();
    let (interrupts, signals) = Interrupts::listen(move || asked.show_doing()).map_err(internal)?;
    ledger.leaving_flag().into_iter().for_each(|flag| interrupts.set_on_second(flag));
    let (destination, interrupts) = (&destination, &interrupts);
    let settings = notes::settings(config, &source, &layout, clock::now());
    let settings = &settings;
    let account = Some(account_key(&ledger.hasher(), &vendor.options.credentials.id));
    let setting = Setting { config, destination, settings, screen, interrupts, account, begun };
    let start = Start { setting, vendor: &vendor };
    let told = start.run_stages(ledger, source, layout, signals, read_candidates)?;
    Ok(told.exit())
}

/// Everything that the output and the last words need, apart from the ledger and the input.
#[derive(Clone, Copy)]
struct Setting<'a> {
    config: &'a RunConfig,
    destination: &'a Destination,
    /// Settings as they are recorded.
    settings: &'a Settings,
    screen: &'a Screen,
    interrupts: &'a Interrupts,
    /// Keyed hash of the account; `None` if no call is made.
    account: Option<[u8; 16]>,
    begun: Instant,
}

/// A start, with everything that it needs apart from the ledger and the input.
struct Start<'a> {
    setting: Setting<'a>,
    vendor: &'a Connection,
}

impl Start<'_> {
    /// Runs all stages of a start, on any kind of ledger. `read` is the pass that reads the rows to
    /// be sent.
    fn run_stages<L: Ledger>(
        &self,
        mut ledger: L,
        source: Source,
        layout: Layout,
        mut signals: Signals,
        read: impl ReadRows,
    ) -> Result<Told, Error> {
        let Setting { config, settings, screen, interrupts, .. } = self.setting;
        let job = &config.job;
        let input = Input::new(source, layout, job.reading.clone(), ledger.hasher());
        let (mut input, mut surveyed) = self.setting.survey_input(input)?;

        let account = &self.vendor.options.credentials.id;
        let once = job.once.as_deref();
        let is_limited = job.engine.max_charges.is_some();
        let opening = opening(&input, &surveyed, &job.reuse, once, account, clock::now());
        let opening = StartRequest { is_limited, rules: shared_rules(job), ..opening };
        let (opening, found) = self.setting.find_run(&mut ledger, opening)?;
        if let Some(exit) = self.delivered(&found.run) {
            return Ok(Told(Ok(exit)));
        }
        let (reuse, retry) = (&job.reuse, &job.engine.retry);
        let is_shared = ledger.lease().is_some();
        let (now, of) = (opening.at, FactsOf::Now);
        let rules = ReuseRules { reuse, retry, now, of, is_shared };
        let learned = ledger.remembered_rate(Some(&opening.account))?;
        let learned = learned.and_then(|rate| rate.if_fresh(opening.at));
        let (known, funnel) =
            self.fold_and_agree(&mut input, &mut surveyed, &mut ledger, &found, rules, learned)?;
        self.setting.say_other_form(&mut ledger, &opening, &found, &funnel)?;
        self.setting.say_other_price(&mut ledger, &found)?;
        let body = body_trial(job.engine.body, &mut ledger)?;
        let options = job.engine.options(body, learned, config.deadline, Timestamp::now(), seed());
        let options = EngineOptions { lease: ledger.lease(), ..options };
        let client = Client::new(&self.vendor.options)?;
        let notes = notes::notes(settings, &config.operator, &input, &surveyed, &funnel);
        let opening = StartRequest { notes, ..opening };
        let table = std::mem::take(&mut surveyed.table);
        let run = begin(&mut ledger, &opening, found)?;
        if config.joins
            && let Some(exit) = self.delivered(&run.found.run)
        {
            return Ok(Told(Ok(exit)));
        }
        self.setting.say_begun(&run, &input);

        // From here on nothing may return before the last words.
        let dispatcher = Dispatcher::new(&options, table, known.run, run.start);
        let calling = Instant::now();
        let parts = StartParts {
            input: &mut input,
            surveyed: &mut surveyed,
            run: &run,
            rules,
            deadline: options.deadline,
            screen,
            interrupts,
            patience: job.engine.max_outage,
            joins: config.joins,
        };
        let (signals, price, timeout) = (&mut signals, &job.price, job.vendor.calls().timeout);
        let stage = SendingStage { client, read, signals, parts, funnel: &funnel, price, timeout };
        let left = stage.run(dispatcher, ledger);
        Ok(self.setting.end(left, &input, &surveyed, funnel, &run, calling.elapsed()))
    }

    /// Returns the exit code of a run that has finished, if its output is in its place, or this
    /// start only helps.
    fn delivered(&self, found: &RunRef) -> Option<ExitCode> {
        let Setting { config, destination, screen, .. } = self.setting;
        let RunRef::Finished { run: RunId(id), exit } = *found else { return None };
        let words = match config.joins {
            true => format!("run {id} has finished: there is nothing to help with"),
            false if destination.has_output_of(id) => {
                format!("run {id} has finished, and its output is there already")
            }
            false => return None,
        };
        screen.set_run(id);
        screen.say(&words);
        let what = Finished { exit, reason: "finished", what: &words, next: None, summary: None };
        screen.finish(&Event::RunFinished(what));
        Some(exit)
    }
}

impl Setting<'_> {
    /// Surveys the input, and stops if it is damaged.
    fn survey_input(&self, mut input: Input) -> Result<(Input, Survey), Error> {
        let Self { config, destination, screen, interrupts, .. } = *self;
        if !config.joins {
            destination.check_writable()?;
        }
        input.labels = destination.labels(&input.source);
        let is_stopped = || interrupts.count() > 0;
        let surveyed =
            survey(&input, &is_stopped).map_err(|error| interrupted(error, interrupts))?;
        stop_if_changed(&input)?;
        stop_damaged(config.job.force, &surveyed, screen)?;
        Ok((input, surveyed))
    }

    /// Tells a person who runs a file again, of which everything is known, how to get the results of
    /// its run in another form: a new run charges nothing, and shows no charges.
    fn say_other_form<L: Ledger>(
        &self,
        ledger: &mut L,
        opening: &StartRequest,
        found: &FoundRun,
        funnel: &Funnel,
    ) -> Result<(), LedgerError> {
        if funnel.to_send > 0 || !matches!(found.run, RunRef::New { takes_over: None }) {
            return Ok(());
        }
        let earlier = ledger.find_record(&RunQuery::Identity(&opening.identity))?;
        // A run that used the answers of others has no charges to show.
        if let Some(earlier) = earlier.filter(|record| record.calls_told() > Some(0)) {
            let id = earlier.id.0.to_string();
            let input = self.config.job.input.as_typed();
            let export = ["ceknik", "export", &input, "--run", id.as_str(), "-o", "results.xlsx"];
            self.screen.say(&format!(
                "known      the answers of run {id} and others are used: this new run sends and charges nothing\n\
                 \x20          to get the results of run {id} in another form, with its charges:\n\
                 \x20            {}",
                command_on_ledger(&export)
            ));
        }
        Ok(())
    }

    /// Tells a person that an earlier start of the run had another price: the amounts of this command
    /// are all at its own price.
    fn say_other_price<L: Ledger>(
        &self,
        ledger: &mut L,
        found: &FoundRun,
    ) -> Result<(), LedgerError> {
        let RunRef::Open(id) = found.run else { return Ok(()) };
        let Some(record) = ledger.find_record(&RunQuery::Number(id))? else { return Ok(()) };
        let ours = self.config.job.price.as_ref();
        let others = record.starts.iter().filter(|start| start.notes.is_some());
        if others.map(StartRecord::price).any(|price| price.as_ref() != ours) {
            self.screen.note(&format!(
                "warning: an earlier session of this run had another price, or none. The amounts and the budget of this \
                 command count all calls of the run at its own price. To see each session at its price: {}",
                command_on_ledger(&["ceknik", "status", &id.0.to_string()])
            ));
        }
        Ok(())
    }

    /// Finds the run of an opening. A start that only helps waits until somebody has begun it.
    fn find_run<L: Ledger>(
        &self,
        ledger: &mut L,
        opening: StartRequest,
    ) -> Result<(StartRequest, FoundRun), Error> {
        if !self.config.joins {
            let found = ledger.find_run(&opening)?;
            return Ok((opening, found));
        }
        let opening = join::to_join(opening);
        let Self { config, screen, interrupts, .. } = *self;
        let (longest, name) = (config.lock_wait, config.job.ledger.name());
        let found = join::wait_for_run(ledger, &opening, longest, name, screen, interrupts)?;
        Ok((StartRequest { at: clock::now(), ..opening }, found))
    }

    /// Ends a start that began a run: makes the output, and shows the last words. `calling` is the
    /// time in which calls were made.
    fn end<L: Ledger>(
        &self,
        mut left: SendingResult<L>,
        input: &Input,
        surveyed: &Survey,
        funnel: Funnel,
        run: &OpenRun,
        calling: Duration,
    ) -> Told {
        let Self { config, destination, settings, screen, interrupts, account, begun } = *self;
        screen.set_doing(Doing::Writing);
        let job = &config.job;
        let at = end_of_start(run, &mut left);
        let facts = StartFacts { config, settings, input, surveyed, funnel, run, begun };
        let report = facts.report(&left.state, left.ended.stop(), calling, at);
        let fingerprint = surveyed.fingerprint;
        let label_names = &surveyed.label_names;
        let results = Results {
            destination,
            input,
            fingerprint,
            label_names,
            only: &[],
            is_partial: report.stop.is_some(),
            had_starts: run.found.had_starts(),
            interrupts,
        };
        let ended = finish(
            left,
            run,
            report,
            config.joins,
            |state, ledger| {
                remember(state, job.engine.body.is_none(), account.as_ref(), clock::now(), ledger);
            },
            |report, state, ledger| {
                let made = results.make(report, state, ledger);
                report.seconds = begun.elapsed().as_secs_f64();
                made
            },
            |report| write_summary(report, destination),
        );
        if let Some(place) = destination.page().filter(|_| !config.joins) {
            let page = PageOfRun {
                location: job.ledger.clone(),
                run: run.id,
                zone: job.zone.clone(),
                day_starts: config.day_starts,
                findings: surveyed.findings.clone(),
                place: place.to_owned(),
            };
            match page.write(interrupts) {
                Ok(()) => screen.say(&format!("report     {}", mask_path(place))),
                // The results are there. The page can be made later.
                Err(error) => {
                    let run = run.id.0.to_string();
                    let later = command_on_ledger(&["ceknik", "report", &run]);
                    screen.note(&format!("{}; to make the report later: {later}", error.message));
                }
            }
        }
        say_last_words(&ended, job, screen);
        Told(ended.result)
    }

    /// Tells that a start of a run has begun.
    fn say_begun(&self, run: &OpenRun, input: &Input) {
        let Self { config, screen, .. } = *self;
        screen.set_run(run.id.0);
        screen.record(&Event::RunStarted {
            start: run.found.starts(),
            input: input.source.label(),
            vendor: config.job.ledger.origin(),
            process: std::process::id(),
            rate: config.job.engine.rate.cap.filter(|_| !config.job.engine.rate.is_auto),
            rate_max: config.job.engine.rate.cap,
            deadline: config.deadline.map(|at| Utc(WallMs(at.as_millisecond()))),
        });
    }
}

/// Returns the time at which a start ends, by the clock of its ledger: now, or the end of the run if
/// an earlier start has finished it.
fn end_of_start<L: Ledger>(run: &OpenRun, left: &mut SendingResult<L>) -> WallMs {
    let now = clock::now();
    let Some(ledger) = &mut left.ledger else { return now };
    let finished = match run.found.run {
        RunRef::Finished { run: id, .. } => {
            ledger.find_record(&RunQuery::Number(id)).ok().flatten()
        }
        RunRef::New { .. } | RunRef::Open(_) => None,
    };
    let ended_at = finished.and_then(|record| record.output_start()?.ended_at);
    ended_at.unwrap_or_else(|| ledger.time_of(now))
}

/// Begins the start in the ledger. A run that has finished gets no further start: only its output
/// is missing.
fn begin<L: Ledger>(
    ledger: &mut L,
    opening: &StartRequest,
    found: FoundRun,
) -> Result<OpenRun, LedgerError> {
    match found.run {
        RunRef::Finished { run: id, .. } => {
            Ok(OpenRun { id, start: StartId(0), began_at: ledger.time_of(opening.at), found })
        }
        RunRef::New { .. } | RunRef::Open(_) => ledger.open_run(opening),
    }
}

/// Opens the input, finds its layout and the destination of its results, and shows the settings and
/// the layout.
fn open_input(config: &RunConfig, screen: &Screen) -> Result<(Source, Layout, Destination), Error> {
    // A stream is kept in the folder of the output, which must have room for the results anyway.
    let spool: PathBuf = config.output.folder().unwrap_or_else(std::env::temp_dir);
    let source = open_source_hashed(&config.job.input, &config.job.reading, &spool)?;
    let input = source.path().map(|path| ("input", path.to_owned()));
    let read: Vec<_> = input.into_iter().chain(config.files()).collect();
    let destination = config.output.of(source.sheet().is_some());
    destination.check_no_overwrite(&read)?;
    let layout = find_layout(&source, &config.job.reading)?;
    screen.say(&preamble::settings(&config.job, config.deadline));
    screen.say(&preamble::layout(&source, &layout));
    destination.check_fits(&layout)?;
    Ok((source, layout, destination))
}

/// Refuses a file that was changed since it was hashed: its hash would be that of other bytes.
fn stop_if_changed(input: &Input) -> Result<(), Error> {
    match input.source.is_as_hashed()? {
        true => Ok(()),
        false => Err(PassError::Changed.into()),
    }
}

/// Refuses a file that shows damage, unless `force` is set, and shows the findings. Each mismatch
/// of a damaged file would be charged.
fn stop_damaged(force: bool, surveyed: &Survey, screen: &Screen) -> Result<(), Error> {
    let Some(error) = damage(surveyed) else { return Ok(()) };
    for finding in surveyed.stops() {
        screen.note(&format!("finding: {}\n  hint: {}", finding.message, finding.hint));
    }
    if force {
        screen.note("continuing anyway, because of --force");
        return Ok(());
    }
    Err(error)
}

/// Returns the current knowledge of the body kind: the kind that the user chose, or else the kind
/// that worked last time.
///
/// # Errors
/// Exit code 18: the ledger cannot be read.
pub(crate) fn body_trial<L: Ledger>(
    body: Option<BodyKind>,
    ledger: &mut L,
) -> Result<BodyTrial, Error> {
    Ok(match body {
        Some(kind) => BodyTrial::Proved(kind),
        None => BodyTrial::auto(ledger.remembered_body()?),
    })
}

/// Returns the flags that all workers of a run must share: those that decide whether a pair is
/// done, and whether there is a budget.
fn shared_rules(job: &JobConfig) -> String {
    let Reuse { resend_doubts, retry_refused, .. } = job.reuse;
    let (attempts, limited) = (job.engine.retry.max_attempts, job.engine.max_charges.is_some());
    format!(
        "resend_doubts={resend_doubts} retry_refused={retry_refused} attempts={attempts} \
         limited={limited}"
    )
}

/// Returns a seed for the jitter.
fn seed() -> u64 {
    let mut seed = [0; 8];
    // Without random bytes from the system, the jitter is the same in each run. This matters only
    // if many runs wait at the same time.
    let _ = getrandom::fill(&mut seed);
    u64::from_le_bytes(seed)
}
