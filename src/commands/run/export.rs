//! `ceknik export`: makes the output of a run again, from its file and the ledger.
//!
//! Must hold: nothing is sent, nothing is written but the output, and no other output is removed. The
//! file is read as the run read it, and the facts are those that the run showed: so the output is
//! that of the run, byte for byte, whatever other runs have found out since.
//!
//! Never: takes the lock.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::finish::{EndedStart, Output};
use super::output::{Results, Unplaced};
use super::report::StartFacts;
use super::{notes, stop_if_changed};
use crate::cli::ExportArgs;
use crate::clock;
use crate::commands::command_line::is_output_typed;
use crate::commands::last_words::say_last_words;
use crate::commands::stages::{ReadAsNoted, ReuseRules, fold, opening, read_as_noted, source_of};
use crate::commands::{internal, interrupted, preamble};
use crate::config::{Destination, Origins, Reuse, RunConfig};
use crate::engine::{Dispatcher, RunState};
use crate::error::Error;
use crate::input::Source;
use crate::ledger::{
    self, Facts, FoundRun, Identity, OpenRun, Preview, RunId, RunQuery, RunRecord, RunRef,
};
use crate::model::attempt::StartId;
use crate::model::exit_code::ExitCode;
use crate::model::funnel::Funnel;
use crate::model::outcome::Outcome;
use crate::model::settings::Settings;
use crate::model::stop::StopReason;
use crate::model::zone::Zone;
use crate::output::{RunReport, count};
use crate::passes::{FactsOf, Input, Survey, survey};
use crate::rules::body::BodyTrial;
use crate::rules::retry::RetryPolicy;
use crate::signals::Interrupts;
use crate::term::Screen;

/// Makes the output of a run again: of the run with this number, or of the latest one of the file.
/// Returns the exit code of a run with these results.
///
/// # Errors
/// Exit codes 2 and 11: the flags cannot be used. Exit code 10: the input cannot be used, or the
/// ledger has no run of it. Exit code 18: the ledger cannot be read, or the output cannot be written.
pub fn export(args: &ExportArgs, origins: &Origins) -> Result<ExitCode, Error> {
    let config = RunConfig::new(&args.job, origins)?;
    if !args.only.is_empty() && !is_output_typed() {
        let what =
            "--only needs -o FILE: it writes a part, which must not replace the whole output";
        return Err(Error::plain(ExitCode::Usage, what));
    }
    let screen = Screen::new(&config.screen);
    let wanted = Wanted { number: args.number.map(RunId), only: &args.only };
    let made = make_again(&config, wanted, &screen);
    Ok(made.unwrap_or_else(|error| {
        let error = origins.explain(error);
        screen.fail(&error, false);
        error.code
    }))
}

/// The run and the rows that are wanted.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    /// The run; `None` for the latest one of the file.
    number: Option<RunId>,
    /// Outcomes of the rows; all if it is empty.
    only: &'a [Outcome],
}

fn make_again(config: &RunConfig, wanted: Wanted<'_>, screen: &Screen) -> Result<ExitCode, Error> {
    let begun = Instant::now();
    let job = &config.job;
    let spool: PathBuf = config.output.folder().unwrap_or_else(std::env::temp_dir);
    let source = source_of(&job.input, &spool)?.with_sha256()?;
    let preview = ledger::preview(&job.ledger)?;
    let noted = noted_run(&preview, wanted.number, source.sha256())?;
    let ReadAsNoted { source, layout, reading, settings } =
        read_as_noted(source, noted.as_ref(), &job.reading, &spool)?;
    let destination = destination(config, &source)?;
    destination.check_fits(&layout)?;
    screen.say(&preamble::layout(&source, &layout));
    let asked = screen.clone();
    let (interrupts, _signals) =
        Interrupts::listen(move || asked.show_doing()).map_err(internal)?;
    let is_stopped = || interrupts.count() > 0;
    let from_flags = notes::settings(config, &source, &layout, clock::now());
    let mut input = Input::new(source, layout, reading, preview.hasher());
    input.labels = destination.labels(&input.source);
    let mut surveyed =
        survey(&input, &is_stopped).map_err(|error| interrupted(error, &interrupts))?;
    stop_if_changed(&input)?;
    let once = job.once.as_deref();
    let identity = opening(&input, &surveyed, &job.reuse, once, "", clock::now()).identity;
    let record = same_run(&preview, noted, &identity, wanted.number)?;
    // A workbook that was saved again has other bytes, and may still have the rows of the run.
    let settings = settings.or_else(|| Settings::from_json(&record.notes()?.settings));
    let settings = settings.unwrap_or(from_flags);
    screen.set_run(record.id.0);
    screen.say(&describe(&record));
    let export = Export {
        config,
        settings,
        record,
        destination: &destination,
        interrupts: &interrupts,
        only: wanted.only,
        begun,
    };
    let mut earlier: Option<RunState> = None;
    let made = preview.read(|facts| {
        // The facts are read once more if a run has begun meanwhile. What was written is dropped.
        if let Some(earlier) = earlier.take() {
            surveyed.table = earlier.table;
        }
        let (state, made) = export.make(&mut input, &mut surveyed, facts)?;
        earlier = Some(state);
        Ok::<_, Error>(made)
    })?;
    let (Some(Made { report, output }), Some(state)) = (made, earlier) else {
        return Err(no_run(wanted.number));
    };
    let report = export.put(output, report, &input, &surveyed)?;
    export.say_differences(report.removed, screen);
    let result = Ok(report.exit);
    let ended = EndedStart { report, state, result, others: None, is_exported: true };
    say_last_words(&ended, job, screen);
    Ok(ended.report.exit)
}

/// Finds the place of the output, and checks that it can be written.
fn destination(config: &RunConfig, source: &Source) -> Result<Destination, Error> {
    let input = source.path().map(|path| ("input", path.to_owned()));
    let read: Vec<_> = input.into_iter().chain(config.files()).collect();
    let destination = config.output.of(source.sheet().is_some());
    destination.check_no_overwrite(&read)?;
    destination.check_writable()?;
    Ok(destination)
}

/// Finds the run of this number, or the latest one that has noted that it read these bytes. Returns
/// `None` if no run has, because an earlier version made it.
fn noted_run(
    preview: &impl Preview,
    number: Option<RunId>,
    sha256: &str,
) -> Result<Option<RunRecord>, Error> {
    let query = number.map_or(RunQuery::Input(sha256), RunQuery::Number);
    let record = preview.read(|facts| Ok::<_, Error>(facts.find_record(&query)?))?.flatten();
    match (record, number) {
        (None, Some(_)) => Err(no_run(number)),
        (record, _) => Ok(record),
    }
}

/// Checks that the run is one of this identity. An identity with a name is that of one run alone;
/// without a name, it is that of each run of the file that is read in this way.
fn same_run(
    preview: &impl Preview,
    noted: Option<RunRecord>,
    identity: &Identity,
    number: Option<RunId>,
) -> Result<RunRecord, Error> {
    if let Some(record) = noted.filter(|record| record.identity.is_of(identity)) {
        return Ok(record);
    }
    if number.is_some() {
        return Err(no_run(number));
    }
    let query = RunQuery::Identity(identity);
    let found = preview.read(|facts| Ok::<_, Error>(facts.find_record(&query)?))?;
    found.flatten().ok_or_else(|| no_run(None))
}

fn no_run(number: Option<RunId>) -> Error {
    let which =
        number.map_or_else(|| "no run".to_owned(), |RunId(number)| format!("no run {number}"));
    Error::new(
        ExitCode::Input,
        format!("the ledger has {which} of this file"),
        "give the file exactly as it was; `ceknik status` lists the runs of a ledger (--ledger, --base-url or --sandbox \
         choose it); for a run of ceknik 0.1, give the flags of that run too",
    )
}

/// An output that is made again.
struct Export<'a> {
    config: &'a RunConfig,
    /// Settings of the run.
    settings: Settings,
    record: RunRecord,
    destination: &'a Destination,
    interrupts: &'a Interrupts,
    only: &'a [Outcome],
    begun: Instant,
}

/// An output that is written, and not yet in its place.
struct Made {
    report: RunReport,
    output: Unplaced,
}

impl Export<'_> {
    /// Writes the output. Returns the state of the run too.
    fn make(
        &self,
        input: &mut Input,
        surveyed: &mut Survey,
        facts: &mut dyn Facts,
    ) -> Result<(RunState, Made), Error> {
        let Self { config, settings, record, interrupts, .. } = self;
        let job = &config.job;
        let found = record.as_left();
        let reuse = Reuse {
            resend_doubts: settings.resend_doubts,
            retry_refused: settings.retry_refused,
            ..job.reuse.clone()
        };
        let retry = RetryPolicy { max_attempts: settings.max_attempts, ..job.engine.retry };
        let rules = ReuseRules {
            reuse: &reuse,
            retry: &retry,
            now: clock::now(),
            of: FactsOf::LastOutput(record.id),
            is_shared: job.ledger.name().is_shared(),
        };
        let is_stopped = || interrupts.count() > 0;
        let known = fold(input, surveyed, facts, &found, rules, &is_stopped)
            .map_err(|error| interrupted(error, interrupts))?;
        let funnel = surveyed.funnel()?;
        let table = std::mem::take(&mut surveyed.table);
        let options = job.engine.options(BodyTrial::auto(None), None, None, Timestamp::now(), 0);
        let state = Dispatcher::new(&options, table, known.run, StartId(0)).into_state();
        let mut report = self.report(input, surveyed, funnel, found, &state);
        // The answer of an earlier run may be gone too, which costs nothing here. So the costs are
        // missing only if the summary has more calls than the ledger. A killed run has no summary.
        let kept = known.run.tally.calls;
        let told = record.calls_told().map(|told| told.saturating_sub(kept));
        report.purged = told.unwrap_or(known.removed);
        report.removed = known.removed.max(report.purged);
        let output = self.results(input, surveyed).write(&report, &state, facts)?;
        Ok((state, Made { report, output }))
    }

    fn results<'a>(&'a self, input: &'a Input, surveyed: &'a Survey) -> Results<'a> {
        Results {
            destination: self.destination,
            input,
            fingerprint: surveyed.fingerprint,
            label_names: &surveyed.label_names,
            only: self.only,
            // A finished output is not replaced by one that is not.
            is_partial: self.record.state != "finished" && !is_output_typed(),
            // The partial output of an earlier start stays.
            had_starts: false,
            interrupts: self.interrupts,
        }
    }

    /// Puts the output in its place, and completes the report.
    fn put(
        &self,
        output: Unplaced,
        mut report: RunReport,
        input: &Input,
        surveyed: &Survey,
    ) -> Result<RunReport, Error> {
        let Output { written, placed } = self.results(input, surveyed).put(output);
        report.output = placed?;
        report.exit = match written.outcomes.all_have_verdicts() {
            true => ExitCode::Complete,
            false => ExitCode::SomeWithoutVerdict,
        };
        report.written = Some(written);
        report.seconds = self.begun.elapsed().as_secs_f64();
        // What stopped the run does not stop the export.
        report.stop = None;
        Ok(report)
    }

    /// Returns the report of the run as it was when its output was made last.
    fn report(
        &self,
        input: &Input,
        surveyed: &Survey,
        funnel: Funnel,
        found: FoundRun,
        state: &RunState,
    ) -> RunReport {
        let Self { config, settings, record, begun, .. } = self;
        let last = record.output_start().or(record.starts.last());
        let began_at = last.map_or(record.created_at, |start| start.began_at);
        let ended_at = last.and_then(|start| start.ended_at).unwrap_or(began_at);
        let stop = last.and_then(|start| start.stop.as_deref()).and_then(StopReason::of_name);
        let run = OpenRun { id: record.id, start: StartId(0), began_at, found };
        let (begun, run) = (*begun, &run);
        let facts = StartFacts { config, settings, input, surveyed, funnel, run, begun };
        let mut report = facts.report(state, stop, Duration::ZERO, ended_at);
        report.input.clone_from(&record.label);
        report.starts = record.starts.len() as u64;
        report.start = report.starts;
        report.finishes_run = record.state == "finished";
        if record.notes().is_some() {
            report.spending.price = settings.price();
            report.zone = Zone::parse(&settings.time_zone).unwrap_or(report.zone);
        }
        report
    }

    /// Tells what may differ from what the run wrote.
    fn say_differences(&self, removed: u64, screen: &Screen) {
        let (RunId(id), ours) = (self.record.id, env!("CARGO_PKG_VERSION"));
        let by = match self.record.notes() {
            Some(notes) if notes.version == ours => None,
            Some(notes) => Some(format!("ceknik {}", notes.version)),
            None => Some(
                "an older version of ceknik, which did not record how it read the file".to_owned(),
            ),
        };
        if let Some(by) = by {
            screen.note(&format!(
                "run {id} was made by {by}: the rows have the same results, but the bytes of the file may differ"
            ));
        }
        if removed > 0 {
            let answers = count(removed, "answer");
            screen.note(&format!(
                "`ceknik purge` has removed {answers} of run {id}: their rows are not_sent"
            ));
        }
    }
}

fn describe(record: &RunRecord) -> String {
    let RunId(id) = record.id;
    match record.as_left().run {
        RunRef::Open(_) => {
            format!("export     run {id}, which is not finished: some rows may have no answer yet")
        }
        RunRef::Finished { .. } | RunRef::New { .. } => format!("export     run {id}"),
    }
}
